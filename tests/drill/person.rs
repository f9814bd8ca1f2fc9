//! A person who has read `docs/recovery.md`. In post-copy there are states that no call of libvirt's leads out of; this does on
//! the hosts what that page says about them, when it has been needed for a while, and nothing else.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fault::Fault;
use crate::rows::{Expected, Row};
use crate::scene::Scene;

/// Between two looks at the hosts.
const PACE: Duration = Duration::from_secs(1);
/// How long a stuck task may take once its person is there.
const LONGEST: Duration = Duration::from_secs(300);

const SOURCE_BROKEN: &str = "paused (post-copy failed)";
const DESTINATION_FLOWS: &str = "running (post-copy)";
const DESTINATION_BROKEN: &str = "running (post-copy failed)";
const ARRIVED: &str = "running (migrated)";

/// What nothing but a person does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Help {
    /// The source knows that the post-copy broke, the destination doesn't notice, and refuses to be joined.
    CloseConnection,
    /// The destination has all memory, and the source's daemon didn't hear so.
    RestartDaemon,
}

/// Who watches a row, and helps where the row says that somebody has to.
pub struct Person {
    /// For how long help must have been needed; none: nobody watches.
    patience: Option<Duration>,
    needed: Option<(Help, Instant)>,
    looked: Instant,
    helped: bool,
}

impl Person {
    pub fn at(row: &Row) -> Self {
        let patience = match row.fault() {
            _ if row.expected != Expected::WithHelp => None,
            // What comes back may set things right by itself: half a minute for that.
            Some(Fault::Cut { s: Some(s), .. }) => Some(Duration::from_secs(s + 30)),
            _ => Some(Duration::from_secs(10)),
        };
        Self { patience, needed: None, looked: Instant::now(), helped: false }
    }

    /// Whether anything was done.
    pub fn helped(&self) -> bool {
        self.helped
    }

    /// Looks at the hosts, if it is time to, and helps, if it is needed.
    pub fn look(&mut self, scene: &Scene) {
        let Some(patience) = self.patience.filter(|_| self.looked.elapsed() >= PACE) else { return };
        self.looked = Instant::now();
        self.needed = match (needed(scene), self.needed) {
            (None, _) => None,
            (Some(help), Some((before, since))) if help == before => Some((help, since)),
            (Some(help), _) => Some((help, Instant::now())),
        };
        if let Some((help, since)) = self.needed {
            // All memory is there: no patience brings anything more.
            let patience = if help == Help::RestartDaemon { patience.min(Duration::from_secs(10)) } else { patience };
            if since.elapsed() >= patience {
                self.give(help, scene);
            }
        }
    }

    /// Brings a task that is stuck to its end, with both ways open again.
    pub fn finish(&mut self, scene: &Scene, task: &str) -> Result<Value, String> {
        let until = Instant::now() + LONGEST;
        loop {
            let now = scene.site.waypost(&["task", task, "--json"]).expect_code(0).json();
            if now["outcome"]["kind"] == "completed" {
                return Ok(now);
            }
            if Instant::now() >= until {
                let record = scene.site.waypost(&["task", task]).out;
                return Err(format!("no help brought it to its end in {} s\n{record}", LONGEST.as_secs()));
            }
            let (source, destination) = (scene.shown("kvm1"), scene.shown("kvm2"));
            match (source.as_deref(), destination.as_deref()) {
                (Some(SOURCE_BROKEN), Some(DESTINATION_BROKEN)) => {
                    scene.site.waypost(&["recover", task, "--do", "resume-post-copy"]);
                }
                (None | Some("shut off (migrated)"), Some(ARRIVED)) if now["outcome"].is_null() => {
                    scene.site.waypost(&["recover", task]);
                }
                (None | Some("shut off (migrated)"), Some(ARRIVED)) => {
                    scene.site.waypost(&["recover", task, "--do", "accept-destination"]);
                }
                _ => {
                    if let Some(help) = needed(scene) {
                        self.give(help, scene);
                    }
                }
            }
            // Both hosts are asked at a pace that leaves them alone.
            std::thread::park_timeout(PACE);
        }
    }

    fn give(&mut self, help: Help, scene: &Scene) {
        match help {
            Help::CloseConnection => scene.close_stream(),
            Help::RestartDaemon => scene.restart_source_daemon(),
        }
        (self.needed, self.helped) = (None, true);
    }
}

fn needed(scene: &Scene) -> Option<Help> {
    match (scene.shown("kvm1").as_deref(), scene.shown("kvm2").as_deref()) {
        (Some(SOURCE_BROKEN), Some(DESTINATION_FLOWS)) => Some(Help::CloseConnection),
        (Some(SOURCE_BROKEN), Some(ARRIVED)) => Some(Help::RestartDaemon),
        _ => None,
    }
}
