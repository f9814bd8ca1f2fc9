//! The same trouble with virsh at the wheel: how long it is until it returns, and what it leaves.

use std::fmt;
use std::process::Child;
use std::time::{Duration, Instant};

use crate::fault::Fault;
use crate::rows::{Row, Trouble};
use crate::scene::Scene;
use crate::site::Site;
use crate::traces;

/// How long virsh is waited for.
const LONGEST: Duration = Duration::from_secs(120);

/// What came of it.
pub struct Peer {
    /// From the fault to its return; none if it had not returned in time.
    returned: Option<Duration>,
    worked: bool,
    left: String,
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.returned, self.worked) {
            (Some(took), true) => write!(f, "{:.1} s, success", took.as_secs_f64()),
            (Some(took), false) => write!(f, "{:.1} s, error", took.as_secs_f64()),
            (None, _) => write!(f, "no return in {} s", LONGEST.as_secs()),
        }?;
        write!(f, "; {}", self.left)
    }
}

/// Whether virsh can be in this trouble at all.
pub fn has_counterpart(row: &Row) -> bool {
    !row.fault().is_some_and(Fault::is_our_own)
}

/// Plays the row.
pub fn play(row: &Row) -> Result<Peer, String> {
    let scene = Scene::set(row);
    let begun = Instant::now();
    let mut virsh = scene.migrate_by_virsh(row);
    let (returned, worked) = match &row.trouble {
        Trouble::Beforehand(_) => wait(&mut virsh, begun)?,
        Trouble::Midway(stage, fault) => {
            let driver = virsh.id();
            let switch = |site: &Site| {
                site.virsh("kvm1", &["migrate-postcopy", "g1"]);
            };
            scene.amid(row, (*stage, fault), driver, switch, |struck| wait(&mut virsh, struck))?
        }
    };
    let left = left(&scene)?;
    virsh.kill().ok();
    virsh.wait().map_err(|e| e.to_string())?;
    Ok(Peer { returned, worked, left })
}

fn wait(virsh: &mut Child, since: Instant) -> Result<(Option<Duration>, bool), String> {
    while since.elapsed() < LONGEST {
        if let Some(status) = virsh.try_wait().map_err(|e| e.to_string())? {
            return Ok((Some(since.elapsed()), status.success()));
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok((None, false))
}

/// Where the guest is when virsh has returned, and what beside it is there that was not before.
fn left(scene: &Scene) -> Result<String, String> {
    let mut told = Vec::new();
    for host in ["kvm1", "kvm2"] {
        let state = scene.site.lab.host(host).and_then(|host| host.virsh(&["domstate", "g1", "--reason"]));
        told.push(format!("{host}: {}", state.map_or("nothing".to_owned(), |state| state.trim().to_owned())));
    }
    // Of a guest that stayed the destination has nothing; of one that arrived it has what the source had.
    let stays = scene.site.state("kvm1", "g1").as_deref() == Some("running");
    let base = if scene.obstructed.is_empty() { &scene.before[1] } else { &scene.obstructed };
    if stays && let Ok(found) = traces::of(&scene.site, "kvm2") {
        let more: Vec<_> = found.difference(base).cloned().collect();
        if !more.is_empty() {
            told.push(format!("left on kvm2: {}", more.join(", ")));
        }
    }
    Ok(told.join(", "))
}
