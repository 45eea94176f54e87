//! [`Prepared`]: a workload with the folder of its generation and, where one is wanted, the model.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use shortlist_benches::latency::{self, Workload};
use shortlist_benches::{BadTools, Dataset};
use shortlist_index::{Embedder, Store};
use tempfile::TempDir;

use crate::args::WorkloadArgs;
use crate::models;
use crate::models::Sessions;
use crate::places::PlaceArgs;
use crate::print;

/// What is measured.
pub struct Prepared {
    pub workload: Workload,
    /// The model, where the vectors are not those given.
    pub embedder: Option<Arc<dyn Embedder>>,
    folder: Folder,
    build_only: bool,
}

/// Where its generation is.
enum Folder {
    Kept(PathBuf),
    Scratch(TempDir),
}

impl Prepared {
    /// Reads the workload and loads the model if it is needed.
    pub fn new(places: &PlaceArgs, args: &WorkloadArgs) -> Result<Self> {
        let workload = match (&args.workload, &args.tools, &args.queries) {
            (Some(folder), ..) => Workload::open(folder)?,
            (None, Some(tools), Some(queries)) => Workload::of(&Dataset::read(tools, queries, None, BadTools::Skip)?),
            _ => anyhow::bail!("name a workload, or a catalog and its queries"),
        };
        let encodes = args.encode || args.workload.is_none();
        let embedder = if encodes { Some(models::load(places, false, Sessions::PerCore)?.1) } else { None };
        let folder = match &args.keep {
            Some(folder) => Folder::Kept(folder.clone()),
            None => Folder::Scratch(super::scratch(places)?),
        };
        Ok(Self { workload, embedder, folder, build_only: args.build_only })
    }

    /// The home of its generation.
    pub fn home(&self) -> &Path {
        match &self.folder {
            Folder::Kept(folder) => folder,
            Folder::Scratch(folder) => folder.path(),
        }
    }

    /// Sees to it that there is a generation, and says whether it is to be measured: not where this process is only to build it.
    pub fn is_built(&self) -> Result<bool> {
        if self.build_only {
            let built = latency::build(&self.workload, self.home(), self.embedder.as_deref())?;
            let n_docs = self.workload.n_docs();
            let line =
                format!("{n_docs} documents embedded in {:.2} s, built in {:.2} s", built.embed_s, built.build_s);
            print::line(line)?;
            return Ok(false);
        }
        if Store::new(self.home()).current()?.is_none() {
            self.build_apart()?;
        }
        Ok(true)
    }

    /// Builds in a process of its own: what building leaves in the allocator is no memory of serving. That process gets the
    /// arguments of this one, and is told to build only.
    fn build_apart(&self) -> Result<()> {
        let mut command = Command::new(std::env::current_exe().context("this program has no path to run it by")?);
        command.args(std::env::args_os().skip(1)).arg("--build-only");
        if let Folder::Scratch(folder) = &self.folder {
            command.arg("--keep").arg(folder.path());
        }
        let status = command.status().context("cannot start the process that builds")?;
        ensure!(status.success(), "the process that builds ended with {status}");
        Ok(())
    }
}
