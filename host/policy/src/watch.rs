//! Follows the plugin folders.
//!
//! Events only say *that* something happened; what is there now is for a scan to find out. A burst of events (a copy,
//! an unpacked archive) is one scan. Where a folder can't be watched, it is looked at every few seconds instead.

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use crate::registry::{Patience, Registry};

/// A burst is over after so long without an event.
const QUIET: Duration = Duration::from_millis(20);
/// A burst is looked at after so long in any case.
const BURST: Duration = Duration::from_millis(250);
/// A file that is still being written is looked at again after so long.
const AGAIN: Duration = Duration::from_millis(50);
/// How often a folder is looked at that can't be watched.
const POLL: Duration = Duration::from_secs(3);

enum Signal {
    Changed,
    Stop,
}

/// Watches that are set up, with nobody listening yet.
pub(crate) struct Prepared {
    watches: Watches,
    sender: Sender<Signal>,
    signals: Receiver<Signal>,
}

/// The thread that follows the folders. It ends when this is dropped.
pub(crate) struct Watcher {
    sender: Sender<Signal>,
    thread: Option<JoinHandle<()>>,
}

impl Watcher {
    pub fn prepare(folders: &[PathBuf]) -> Prepared {
        let (sender, signals) = mpsc::channel();
        let events = sender.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error (events lost, a folder gone) is a reason to look too. Nobody listens any more at the end.
            if event.is_ok_and(|event| is_reading(&event.kind)) || events.send(Signal::Changed).is_ok() {}
        });
        let watcher = watcher.inspect_err(|error| tracing::warn!(%error, "watch the plugin folders")).ok();
        let mut watches = Watches { watcher, folders: folders.to_vec(), watched: HashMap::new() };
        watches.refresh();
        Prepared { watches, sender, signals }
    }
}

impl Prepared {
    /// None where no thread can be had; then nothing is followed, and `rescan` still works.
    pub fn start(self, registry: &Arc<Registry>) -> Option<Watcher> {
        let Self { watches, sender, signals } = self;
        let registry = Arc::clone(registry);
        let thread =
            thread::Builder::new().name("policy-watch".into()).spawn(move || follow(&registry, watches, &signals));
        let thread = thread.inspect_err(|error| tracing::error!(%error, "follow the plugin folders")).ok()?;
        Some(Watcher { sender, thread: Some(thread) })
    }
}

impl Drop for Watcher {
    fn drop(&mut self) {
        // A thread that is gone already needs no signal; one that panicked has nothing left to say.
        let stopped = self.sender.send(Signal::Stop).is_ok();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(stopped, "the thread that follows the plugin folders had panicked");
        }
    }
}

fn follow(registry: &Registry, mut watches: Watches, signals: &Receiver<Signal>) {
    let mut wait = watches.refresh();
    loop {
        let signal = match wait {
            None => signals.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(time) => signals.recv_timeout(time),
        };
        match signal {
            Ok(Signal::Changed) => {
                if let Calm::Stop = calm(signals) {
                    return;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return,
        }
        // Before the scan: what changes after it is announced.
        wait = watches.refresh();
        if registry.scan(Patience::WhileYoung).unsettled {
            wait = Some(AGAIN);
        }
    }
}

enum Calm {
    Scan,
    Stop,
}

fn calm(signals: &Receiver<Signal>) -> Calm {
    let until = Instant::now() + BURST;
    while Instant::now() < until {
        match signals.recv_timeout(QUIET) {
            Ok(Signal::Changed) => {}
            Ok(Signal::Stop) | Err(RecvTimeoutError::Disconnected) => return Calm::Stop,
            Err(RecvTimeoutError::Timeout) => return Calm::Scan,
        }
    }
    Calm::Scan
}

/// Our own reading makes events too.
fn is_reading(kind: &EventKind) -> bool {
    matches!(kind, EventKind::Access(access) if *access != AccessKind::Close(AccessMode::Write))
}

struct Watches {
    watcher: Option<RecommendedWatcher>,
    folders: Vec<PathBuf>,
    /// Watched path, and which folder it was: another one may have its name now.
    watched: HashMap<PathBuf, (u64, u64)>,
}

impl Watches {
    /// Watches every folder, or the nearest one above that is there; says how often to look where that isn't enough.
    fn refresh(&mut self) -> Option<Duration> {
        let mut poll = None;
        let mut wanted = HashMap::new();
        for folder in &self.folders {
            match folder.ancestors().find_map(|above| Some((above.to_owned(), identity(above)?))) {
                Some((path, id)) => drop(wanted.insert(path, id)),
                None => poll = Some(POLL),
            }
        }
        let Some(watcher) = &mut self.watcher else { return Some(POLL) };
        self.watched.retain(|path, id| {
            let keep = wanted.get(path) == Some(id);
            if !keep && let Err(error) = watcher.unwatch(path) {
                // A folder that is gone took its watch along.
                tracing::debug!(%error, "stop watching {}", path.display());
            }
            keep
        });
        for (path, id) in wanted {
            if self.watched.contains_key(&path) {
                continue;
            }
            match watcher.watch(&path, RecursiveMode::NonRecursive) {
                Ok(()) => drop(self.watched.insert(path, id)),
                Err(error) => {
                    tracing::warn!(%error, "watch {}; it is looked at every {POLL:?}", path.display());
                    poll = Some(POLL);
                }
            }
        }
        poll
    }
}

fn identity(folder: &Path) -> Option<(u64, u64)> {
    fs::metadata(folder).ok().filter(fs::Metadata::is_dir).map(|seen| (seen.dev(), seen.ino()))
}
