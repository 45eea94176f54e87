//! Progress bars, on standard error and only where somebody watches; else a line now and then.

use std::io::IsTerminal;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shortlist_index::PublishStep;
use shortlist_ingest::assets::{AssetEvent, Progress};
use shortlist_ingest::remote::Transfer;
use shortlist_ingest::sync::{EmbedProgress, SyncObserver, SyncStep};

use crate::print;

/// How often a line is printed where there is no terminal to draw on.
const LINE_INTERVAL: Duration = Duration::from_secs(10);

fn bar(template: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(10));
    // The templates are ours and well-formed; a plain bar would do as well.
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

/// Prints a line above whatever bar is drawn.
fn say(bar: &ProgressBar, line: &str) {
    bar.suspend(|| print::say(line));
}

/// Shows the fetching of assets.
pub struct AssetBar {
    /// The bar, and the package whose fetching was announced.
    drawn: Mutex<Option<(ProgressBar, String)>>,
}

impl AssetBar {
    /// Draws nothing until something is fetched.
    pub fn new() -> Self {
        Self { drawn: Mutex::new(None) }
    }
}

impl Progress for AssetBar {
    fn event(&self, event: AssetEvent<'_>) {
        let Ok(mut drawn) = self.drawn.lock() else { return };
        let (bar, announced) =
            drawn.get_or_insert_with(|| (bar("  {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}"), String::new()));
        match event {
            AssetEvent::Waiting { asset } => say(bar, &format!("{asset}: another process is fetching it; waiting")),
            AssetEvent::Downloading { asset, package, bytes, bytes_total } => {
                if announced != package {
                    package.clone_into(announced);
                    say(bar, &format!("{asset}: fetching {package} with pip ({} MB)", bytes_total / 1_000_000));
                    bar.reset();
                }
                bar.set_message(asset.to_owned());
                bar.set_length(bytes_total);
                bar.set_position(bytes);
            }
            AssetEvent::Unpacking { asset, package } => {
                say(bar, &format!("{asset}: verifying and unpacking {package}"));
            }
            AssetEvent::Installed { asset } => {
                say(bar, &format!("{asset}: in place"));
                bar.finish_and_clear();
                *drawn = None;
            }
            _ => {}
        }
    }
}

/// Shows a sync: its steps, and how the embedding goes.
pub struct SyncBar {
    bar: ProgressBar,
    last_line: Instant,
    /// When the reading of the current source began.
    began: Instant,
}

impl SyncBar {
    /// Draws nothing until the first step.
    pub fn new() -> Self {
        let bar = bar("  {msg} {bar:30} {pos}/{len} {per_sec}, {eta} left");
        Self { bar, last_line: Instant::now(), began: Instant::now() }
    }
}

impl SyncObserver for SyncBar {
    fn step(&mut self, step: &SyncStep) {
        match step {
            SyncStep::Fetch(source) => {
                say(&self.bar, &format!("reading {source}"));
                (self.began, self.last_line) = (Instant::now(), Instant::now());
            }
            SyncStep::Embed => {
                self.bar.reset();
                self.bar.set_message("embedding");
                self.last_line = Instant::now();
            }
            SyncStep::Compact => self.bar.finish_and_clear(),
            SyncStep::Publish(PublishStep::Staging) => say(&self.bar, "building the index"),
            _ => {}
        }
    }

    /// A catalog does not say how large it is, so there is a rate and no remaining time.
    fn fetched(&mut self, source: &str, n_records: u64) {
        if self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            let per_second = n_records as f64 / self.began.elapsed().as_secs_f64();
            say(&self.bar, &format!("read {n_records} records of {source}, {per_second:.0} a second"));
        }
    }

    fn embedded(&mut self, progress: EmbedProgress) {
        let EmbedProgress { n_done, n_total, per_second } = progress;
        if n_done == 0 && n_total > 0 {
            say(&self.bar, &format!("embedding {n_total} texts; what is done is kept if this is interrupted"));
        }
        self.bar.set_length(n_total as u64);
        self.bar.set_position(n_done as u64);
        if !std::io::stderr().is_terminal() && self.last_line.elapsed() >= LINE_INTERVAL {
            self.last_line = Instant::now();
            print::say(format!("embedded {n_done} of {n_total}, {per_second:.0} a second"));
        }
    }
}

/// Shows a transfer of bytes.
pub struct TransferBar {
    bar: ProgressBar,
    said: AtomicBool,
    what: &'static str,
}

impl TransferBar {
    /// Draws nothing until the transfer begins.
    pub fn new(what: &'static str) -> Self {
        let bar = bar("  {msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec}, {eta} left");
        bar.set_message(what);
        Self { bar, said: AtomicBool::new(false), what }
    }
}

impl Transfer for TransferBar {
    fn bytes(&self, done: u64, total: u64) {
        if !self.said.swap(true, Ordering::Relaxed) {
            say(&self.bar, &format!("{} a generation of {:.1} MB", self.what, total as f64 / 1e6));
        }
        self.bar.set_length(total);
        self.bar.set_position(done);
        if done == total {
            self.bar.finish_and_clear();
        }
    }
}

/// A plain counting bar.
pub fn counter(message: &'static str, total: u64) -> ProgressBar {
    let bar = bar("  {msg} {bar:30} {pos}/{len} {per_sec}, {eta} left");
    bar.set_length(total);
    bar.set_message(message);
    bar
}
