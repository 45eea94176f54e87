//! Removing what no kept generation names.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{Error, ObjectStore, ObjectStoreExt};

use super::current::State;
use super::error::RemoteError;
use super::publish::age;
use super::{CONCURRENCY, Remote, layout};

impl Remote {
    /// Removes manifests that are not kept and files that no kept manifest names, unless they are younger than `grace`:
    /// those may belong to a publish that runs. Says how many objects went.
    ///
    /// Nothing goes when a kept manifest cannot be read, or when `CURRENT` has moved on: then its mover sweeps.
    pub(super) async fn sweep(&self, state: &State, grace: Duration) -> Result<usize, RemoteError> {
        let mut named: BTreeSet<Path> = BTreeSet::new();
        for entry in &state.kept {
            let (manifest, _) = self.fetch_manifest(entry).await?;
            named.insert(layout::manifest(&entry.manifest));
            named.extend(manifest.files.values().map(|sum| layout::file(&sum.sha256)));
        }
        let mut dead = Vec::new();
        for folder in [layout::GENERATIONS, layout::FILES] {
            let folder = Path::from(folder);
            let objects: Vec<_> = self
                .store
                .list(Some(&folder))
                .try_collect()
                .await
                .map_err(|error| self.failed("list", &folder, &error))?;
            // Only what has the shape of ours is ours to remove.
            let ours = |path: &Path| path.filename().is_some_and(layout::is_sha256);
            let old = objects.into_iter().filter(|meta| age(meta) >= grace);
            dead.extend(old.map(|meta| meta.location).filter(|path| ours(path) && !named.contains(path)));
        }
        if dead.is_empty() || self.read_current().await?.state.as_ref() != Some(state) {
            return Ok(0);
        }
        let removed = stream::iter(&dead).map(async |path| match self.store.delete(path).await {
            Ok(()) | Err(Error::NotFound { .. }) => Ok(1),
            Err(error) => Err(self.failed("remove", path, &error)),
        });
        removed.buffer_unordered(CONCURRENCY).try_fold(0, async |n, one| Ok(n + one)).await
    }
}
