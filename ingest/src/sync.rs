//! One pass from catalogs to a published generation: [`sync`]; from another generation's tools: [`rebuild`].
//!
//! What holds whatever happens:
//! - a killed pass leaves the generation that served before, and the vectors it had finished;
//! - a source that cannot be read, or has lost more tools than is allowed, keeps its last good tools, marked stale, and
//!   does not stop the others;
//! - searchable = ingested - rejected - pending, for each source, and each rejection has a reason;
//! - a catalog that did not change is neither embedded nor published again.

mod delta;
mod embed;
mod error;
mod observer;
mod parent;
mod quarantine;
mod reading;
mod report;
mod status;
mod suspected;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use shortlist_index::{
    Decisions, Embedder, NewDelta, NewGeneration, Snapshot, SourceReport, SourceStatus, SourceStatuses, Store,
    WriteLock,
};

use self::observer::Steps;
use self::parent::Parent;
use self::reading::{Reading, Terms};
use crate::embedding_cache::{EmbeddingCache, TextHash};
use crate::handling::Handling;
use crate::source::Source;

pub use self::error::SyncError;
pub use self::observer::{EmbedProgress, Quiet, SyncObserver, SyncStep};
pub use self::report::{Outcome, SourceSync, SyncReport};

/// What an operator may choose.
#[derive(Clone, Debug, PartialEq)]
pub struct SyncOptions {
    /// Generations that are kept besides the one that serves, to roll back to.
    pub keep_older: usize,
    /// How each source's readings are handled, by its name; one that is not named here by the defaults.
    pub handling: BTreeMap<String, Handling>,
    /// Sources whose reading is taken in this pass however much it shrank: an operator's word.
    pub accept_shrink: BTreeSet<String>,
    /// The sources to read; the others keep their tools. `None` reads all. One that was well and whose tools were lost here is
    /// read as well.
    pub due: Option<BTreeSet<String>>,
    /// How much of the base a delta may add or hide, in hundredths of its tools; beyond it the generation is built whole. A
    /// delta is searched as well, but written anew by each pass. 0: always whole.
    pub delta_percent_max: usize,
    /// Believe nothing that is remembered of the sources: read each of them whole, and build a whole generation even when
    /// nothing changed. Vectors of texts that were embedded before are still used.
    pub fresh: bool,
}

impl Default for SyncOptions {
    fn default() -> Self {
        Self {
            keep_older: 3,
            delta_percent_max: 10,
            handling: BTreeMap::new(),
            accept_shrink: BTreeSet::new(),
            due: None,
            fresh: false,
        }
    }
}

/// Reads every source, compares with the generation that serves, embeds what is new, and publishes what came of it.
///
/// Sources of the served generation that are not among `sources` are dropped with their tools. Vectors are cached in
/// `embeddings/` of the store's folder. Costs one read of every catalog that changed, one embedding of every text never
/// seen by this model, and one build of the index, or of a small delta over it where little changed.
///
/// # Errors
/// [`SyncError`] when another process is writing, when no source could be read and nothing is served, when a source has a
/// quarantine and what operators decided cannot be read, when the model fails, or when the disk refuses. What served before
/// still does.
pub fn sync(
    sources: &[Box<dyn Source>],
    store: &Store,
    embedder: &dyn Embedder,
    observer: &mut dyn SyncObserver,
    options: &SyncOptions,
) -> Result<SyncReport, SyncError> {
    check_names(sources)?;
    pass(|begun, steps| read(sources, begun, options, steps), store, embedder, observer, options)
}

/// Builds a whole generation of another one's tools, with this model: to change the model, or to bring a catalog to a store
/// of its own. What that generation says of its sources stays as it is, and so does what this store knows of them.
///
/// # Errors
/// As for [`sync`].
pub fn rebuild(
    snapshot: &Snapshot,
    store: &Store,
    embedder: &dyn Embedder,
    observer: &mut dyn SyncObserver,
    options: &SyncOptions,
) -> Result<SyncReport, SyncError> {
    let options = SyncOptions { fresh: true, ..options.clone() };
    pass(|_, _| Ok((Reading::of_snapshot(snapshot), None)), store, embedder, observer, &options)
}

/// A pass that has the right to write.
struct Begun<'s> {
    store: &'s Store,
    lock: WriteLock,
    parent: Parent,
    now: u64,
    warnings: Vec<String>,
}

/// Readings by source, and how the sources are after them where they were asked.
type Readings = (BTreeMap<String, Reading>, Option<SourceStatuses>);

/// Reads every source that is due.
fn read(
    sources: &[Box<dyn Source>],
    begun: &mut Begun<'_>,
    options: &SyncOptions,
    steps: &mut Steps<'_>,
) -> Result<Readings, SyncError> {
    let Begun { store, lock, parent, now, warnings } = begun;
    let mut readings: BTreeMap<String, Reading> = BTreeMap::new();
    let default = Handling::default();
    let statuses = status::before(store, warnings);
    let is_read = |source: &dyn Source| {
        let was_well = |status: &SourceStatus| status.succeeded_unix_s.is_some() && status.n_failures == 0;
        options.due.as_ref().is_none_or(|due| due.contains(source.name()))
            // Its tools were lost here, and would be missed until its turn.
            || (parent.known(source).is_none() && statuses.get(source.name()).is_some_and(was_well))
    };
    let handling_of = |source: &dyn Source| options.handling.get(source.name()).unwrap_or(&default);
    let may_wait = |source: &dyn Source| is_read(source) && !quarantine::accepts_all(handling_of(source));
    let before = match store.decisions() {
        // Without them what was rejected could be served, and what comes back with another text.
        Err(error) if sources.iter().any(|source| may_wait(source.as_ref())) => return Err(error.into()),
        // Nobody asks for them. Nothing is learned either, so the file stays as it is.
        before => before.unwrap_or_else(|error| {
            warnings.push(error.to_string());
            Decisions::default()
        }),
    };
    let mut decisions = before.clone();
    for source in sources {
        if !is_read(source.as_ref()) {
            readings.insert(source.name().to_owned(), Reading::not_due(source.as_ref(), parent.report(source.name())));
            continue;
        }
        steps.begin(SyncStep::Fetch(source.name().to_owned()));
        let known = parent.known(source.as_ref());
        let handling = handling_of(source.as_ref());
        let terms = Terms {
            handling,
            read_anew: options.fresh
                || known.is_some_and(|report| {
                    quarantine::is_decided(report, || parent.refs_of(source.name()), handling, &decisions)
                }),
            accept_shrink: options.accept_shrink.contains(source.name()),
            now: *now,
        };
        let mut reading = Reading::of(source.as_ref(), known, terms, steps);
        quarantine::apply(&mut reading, || parent.tools_of(source.name()), handling, &mut decisions);
        readings.insert(source.name().to_owned(), reading);
    }
    let statuses = status::after(&statuses, &readings, *now);
    if readings.values().all(Reading::has_nothing) {
        status::write(store, lock, Some(&statuses), warnings);
        return Err(SyncError::nothing_read(&readings));
    }

    if decisions != before {
        // Before the generation that depends on it: a tool that went must not be new when it comes back.
        store.set_decisions(lock, &decisions)?;
    }
    Ok((readings, Some(statuses)))
}

/// One pass over what `read` gives.
fn pass(
    read: impl FnOnce(&mut Begun<'_>, &mut Steps<'_>) -> Result<Readings, SyncError>,
    store: &Store,
    embedder: &dyn Embedder,
    observer: &mut dyn SyncObserver,
    options: &SyncOptions,
) -> Result<SyncReport, SyncError> {
    let mut steps = Steps::new(observer);
    let now = unix_s();

    steps.begin(SyncStep::Lock);
    let lock = store.lock()?;

    steps.begin(SyncStep::Parent);
    let parent = Parent::open(store)?;
    let warnings = parent.warnings();

    let mut begun = Begun { store, lock, parent, now, warnings };
    let (mut readings, statuses) = read(&mut begun, &mut steps)?;
    let Begun { lock, parent, mut warnings, .. } = begun;

    steps.begin(SyncStep::Compare);
    let delta = delta::compare(&parent, &readings);
    let same = !options.fresh && parent.is_what_would_be_built(&readings, &delta, embedder);
    let mut report = SyncReport::new(&readings, &delta);
    if let (true, Some(number)) = (same, parent.number()) {
        if store.current().ok().flatten() != Some(number) {
            // A publish was killed before its last step, or CURRENT was damaged; the generation itself is good.
            store.set_current(&lock, number)?;
        }
        status::write(store, &lock, statuses.as_ref(), &mut warnings);
        report.generation = number;
        report.warnings = warnings;
        report.seconds = steps.finish();
        return Ok(report);
    }

    let over = parent.base_for(&delta, embedder, options.delta_percent_max).filter(|_| !options.fresh);
    let (tools, removed) = match over {
        Some(_) => delta.into_parts(&mut readings),
        None => (parent.all_tools(&mut readings), Vec::new()),
    };
    warnings.extend(suspected::warnings(&tools));
    let sources: BTreeMap<String, SourceReport> =
        readings.into_iter().map(|(name, reading)| (name, reading.report)).collect();

    steps.begin(SyncStep::Embed);
    let mut cache =
        EmbeddingCache::open(&store.home().join("embeddings"), embedder.fingerprint(), embedder.dimension());
    warnings.extend_from_slice(cache.warnings());
    let (texts, n_embedded) = embed::embed_missing(&mut cache, embedder, &tools, &mut steps)?;

    steps.begin(SyncStep::Compact);
    let live: Option<BTreeSet<_>> = match over {
        None => Some(texts.iter().copied().collect()),
        // Finding out which texts a delta's base still needs costs a pass over all of them, so it is seldom done.
        Some(parent) if cache.has_many_parts() => {
            Some(parent.tools().map(|tool| TextHash::of(&tool.embedding_text())).chain(texts.iter().copied()).collect())
        }
        Some(_) => None,
    };
    if let Some(Err(error)) = live.map(|live| cache.compact(&live)) {
        warnings.push(error.to_string());
    }
    let tools = embed::with_vectors(&cache, embedder, tools, &texts)?;
    drop(cache);

    let on_step = &mut |step| steps.begin(SyncStep::Publish(step));
    report.generation = match over {
        Some(parent) => {
            let delta = NewDelta { changed: tools, removed, sources, created_unix_s: now };
            store.publish_delta(&lock, parent, delta, on_step)?
        }
        None => {
            let (embedder, dimension) = (embedder.fingerprint().clone(), embedder.dimension());
            let generation = NewGeneration { tools, embedder, dimension, sources, created_unix_s: now };
            store.publish(&lock, generation, on_step)?
        }
    };
    report.published = true;
    report.is_delta = over.is_some();

    steps.begin(SyncStep::Tidy);
    if let Err(error) = store.remove_older(&lock, options.keep_older) {
        warnings.push(error.to_string());
    }
    status::write(store, &lock, statuses.as_ref(), &mut warnings);
    report.n_embedded = n_embedded;
    report.bytes = folder_bytes(&store.home().join("generations").join(report.generation.to_string()));
    report.warnings = warnings;
    report.seconds = steps.finish();
    Ok(report)
}

fn check_names(sources: &[Box<dyn Source>]) -> Result<(), SyncError> {
    let mut names = BTreeSet::new();
    match sources.iter().find(|source| !names.insert(source.name())) {
        Some(twice) => Err(SyncError::SourceTwice(twice.name().to_owned())),
        None if sources.is_empty() => Err(SyncError::NoSource),
        None => Ok(()),
    }
}

fn unix_s() -> u64 {
    // A clock before 1970 is wrong, and 0 says so.
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Bytes of all files below a folder; what cannot be read counts nothing, for this is only told.
fn folder_bytes(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => folder_bytes(&entry.path()),
            Ok(metadata) => metadata.len(),
            Err(_) => 0,
        })
        .sum()
}
