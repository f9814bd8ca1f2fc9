//! What is broken, when, and what must be true afterwards.

use crate::fault::{Fault, LINKS};
use crate::obstacle::Obstacle;

/// In which way the domain travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    PeerToPeer,
    Direct,
}

/// How far the migration is when it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// A disk that the destination does not share is being copied; the memory comes after it.
    Storage,
    /// Memory is being copied.
    PreCopy,
    /// The guest runs on the destination and its memory follows.
    PostCopy,
}

/// What goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Something breaks while the domain travels.
    Midway(Stage, Fault),
    /// Something is there, or is missing, before it starts; the prechecks may only advise.
    Beforehand(Obstacle),
}

/// What may become of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It runs on the source, and nothing is on the destination.
    Source,
    /// The same, and nothing was begun: the plan itself refuses.
    Refused,
    /// It runs on the destination, and nothing is on the source.
    Destination,
    /// Either, whichever the task says.
    Either,
    /// A person is called. It runs on the source, and taking that for the end is what is permitted, once both hosts can be
    /// asked.
    StuckOnSource,
    /// It runs on the destination in the end, and a person may have to help, as `docs/recovery.md` says: nothing that libvirt
    /// offers does it. The task may call for that person.
    WithHelp,
    /// Its only process was killed: the task says that it is lost, and its definition is where it was.
    Lost,
    /// The same of one whose memory was on both sides: one half was killed, and nobody ends the other.
    HalfLost,
    /// The same, and no policy says so: a person is called, and declares what is permitted.
    StuckHalfLost,
    /// One half went with its host, which can't say how it ended: a person is called, who knows.
    StuckHalf,
    /// The same of one that was whole: it is shut off on the source, and starts again there.
    StuckOff,
}

impl Expected {
    /// The host on which the guest is once a task has come to an end with this word, and whether it runs there; none where that is
    /// not how it may end.
    pub fn after(self, kind: &str) -> Option<(&'static str, bool)> {
        match (self, kind) {
            (Self::Source | Self::Either, "rolled-back") => Some(("kvm1", true)),
            (Self::Refused, "refused") | (Self::StuckOnSource, "stuck") => Some(("kvm1", true)),
            (Self::Destination | Self::WithHelp | Self::Either, "completed") => Some(("kvm2", true)),
            (Self::Lost | Self::HalfLost, "lost") => Some(("kvm1", false)),
            (Self::StuckHalfLost | Self::StuckHalf | Self::StuckOff, "stuck") => Some(("kvm1", false)),
            _ => None,
        }
    }

    /// Whether a row may have come out as a run tells it: by itself, or, where that is expected, by a person's hand.
    pub fn fits(self, told: &str) -> bool {
        let by_hand = told.strip_prefix("stuck, then ").and_then(|rest| rest.strip_suffix(BY_HAND));
        match told.strip_suffix(WITH_HELP).or(by_hand) {
            Some(kind) => self == Self::WithHelp && self.after(kind).is_some(),
            None => self.after(told).is_some(),
        }
    }
}

/// What a run says after the word for how a task ended, where a person helped before it did, and where one brought it there after
/// it had ended stuck.
pub const WITH_HELP: &str = " with a person's help";
pub const BY_HAND: &str = " by hand";

/// One row of the drill.
#[derive(Debug, Clone)]
pub struct Row {
    pub way: Way,
    pub trouble: Trouble,
    pub expected: Expected,
    /// Runs in `make test`.
    pub quick: bool,
}

impl Row {
    pub fn name(&self) -> String {
        let way = match self.way {
            Way::PeerToPeer => "peer-to-peer",
            Way::Direct => "direct",
        };
        let stage = match &self.trouble {
            Trouble::Midway(Stage::Storage, _) => "storage copy",
            Trouble::Midway(Stage::PreCopy, _) => "pre-copy",
            Trouble::Midway(Stage::PostCopy, _) => "post-copy",
            Trouble::Beforehand(_) => "start",
        };
        match &self.trouble {
            Trouble::Midway(_, fault) => format!("{way}, {stage}: {}", fault.name()),
            Trouble::Beforehand(obstacle) => format!("{way}, {stage}: {}", obstacle.name()),
        }
    }

    pub fn stage(&self) -> Option<Stage> {
        match &self.trouble {
            Trouble::Midway(stage, _) => Some(*stage),
            Trouble::Beforehand(_) => None,
        }
    }

    pub fn fault(&self) -> Option<&Fault> {
        match &self.trouble {
            Trouble::Midway(_, fault) => Some(fault),
            Trouble::Beforehand(_) => None,
        }
    }

    /// Whether what was made for a copied disk stays, for a person to remove: where a guest is lost nothing of it is removed,
    /// and without its pool nothing can be.
    pub fn leaves_copy(&self) -> bool {
        self.stage() == Some(Stage::Storage)
            && (self.expected == Expected::Lost || self.fault() == Some(&Fault::PoolStopped))
    }

    /// Whether the controller reaches the hosts by their cables, as one on another machine does. In the other rows it has a way
    /// of its own, and no cut is in it.
    pub fn is_cabled(&self) -> bool {
        match self.fault() {
            // Its store is on a host's disk, so it runs there.
            None | Some(Fault::StoreFull) => false,
            Some(fault) => self.way == Way::Direct || fault.cuts_off().is_some(),
        }
    }

    /// Whether nothing gets better by itself, so that the recovery policy is given little patience: its own eight minutes show
    /// nothing more.
    pub fn wants_little_patience(&self) -> bool {
        match self.fault() {
            Some(Fault::Cut { s: None, .. }) => true,
            Some(Fault::PowerLoss { .. }) => self.stage() == Some(Stage::PostCopy),
            _ => false,
        }
    }

    /// Whether the domain takes its disk along.
    pub fn copies(&self) -> bool {
        match &self.trouble {
            Trouble::Midway(stage, _) => *stage == Stage::Storage,
            Trouble::Beforehand(obstacle) => obstacle.copies(),
        }
    }
}

/// Every row.
pub fn all() -> Vec<Row> {
    let mut rows = Vec::new();
    for way in [Way::PeerToPeer, Way::Direct] {
        rows.extend(beforehand(way));
        rows.extend(before_the_switch(way, Stage::Storage));
        rows.extend(before_the_switch(way, Stage::PreCopy));
        rows.extend(after_the_switch(way));
    }
    for row in &mut rows {
        row.quick = quick(row);
    }
    rows
}

fn beforehand(way: Way) -> impl Iterator<Item = Row> {
    Obstacle::ALL.into_iter().map(move |obstacle| {
        let expected = if obstacle.reaches_libvirt() { Expected::Source } else { Expected::Refused };
        Row { way, trouble: Trouble::Beforehand(obstacle), expected, quick: false }
    })
}

/// While the source's copy is the only one that ever ran.
fn before_the_switch(way: Way, stage: Stage) -> impl Iterator<Item = Row> {
    use Expected as E;
    use Fault as F;
    let mut rows = vec![
        (F::KillQemu("kvm2"), E::Source),
        (F::KillQemu("kvm1"), E::Lost),
        (F::KillDaemon { hosts: &["kvm2"], back_after_s: 0 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1"], back_after_s: 0 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1"], back_after_s: 15 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 0 }, E::Source),
        (F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 15 }, E::Source),
        (F::Cut { host: "kvm2", links: LINKS.management, s: Some(4) }, E::Either),
        // libvirt gives the connection up after half of it: the source's daemon, or the controller where that drives. What is on
        // the destination nobody can ask before the cable is back.
        (F::Cut { host: "kvm2", links: LINKS.management, s: Some(60) }, E::Source),
        (F::Cut { host: "kvm2", links: LINKS.management, s: None }, E::StuckOnSource),
        (F::Cut { host: "kvm2", links: LINKS.migration, s: Some(4) }, E::Either),
        (F::Cut { host: "kvm2", links: LINKS.migration, s: Some(60) }, E::Source),
        (F::Cut { host: "kvm2", links: LINKS.migration, s: None }, E::Source),
        // Shorter than anybody takes to give a connection up, on either way.
        (F::Cut { host: "kvm2", links: LINKS.both, s: Some(4) }, E::Either),
        (F::Cut { host: "kvm2", links: LINKS.both, s: Some(60) }, E::Source),
        (F::Cut { host: "kvm2", links: LINKS.both, s: None }, E::StuckOnSource),
        (F::Loss { percent: 20, s: 10 }, E::Either),
        (F::Delay { ms: 200 }, E::Either),
        (F::HalfOpen { s: None }, E::Source),
        (F::PowerLoss { host: "kvm2", s: 40 }, E::Source),
        (F::KillController, E::Either),
        (F::StopController { s: 10 }, E::Either),
        (F::StopController { s: 60 }, E::Either),
        (F::StoreFull, E::Either),
        (F::HangingPolicy, E::StuckOnSource),
    ];
    if stage == Stage::PreCopy {
        rows.extend([
            (F::Cut { host: "kvm1", links: LINKS.management, s: Some(4) }, E::Either),
            // The source's daemon gives the other up, or its client where that drives, and the controller the source. What came
            // of it is seen once the cable is back; without it a person is called, although the guest never stopped.
            (F::Cut { host: "kvm1", links: LINKS.management, s: Some(60) }, E::Source),
            (F::Cut { host: "kvm1", links: LINKS.management, s: None }, E::StuckOnSource),
            (F::PowerLoss { host: "kvm1", s: 40 }, E::StuckOff),
        ]);
    }
    if stage == Stage::Storage {
        rows.extend([(F::DiskFull, E::Source), (F::PoolStopped, E::Source)]);
    }
    rows.into_iter().map(move |(fault, expected)| Row {
        way,
        trouble: Trouble::Midway(stage, fault),
        expected,
        quick: false,
    })
}

/// While the guest is one half here and one half there.
fn after_the_switch(way: Way) -> impl Iterator<Item = Row> {
    use Expected as E;
    use Fault as F;
    // libvirtd gives up a client that is silent for half a minute, and with it what that client drives: all memory has followed by
    // then, and the source's daemon never hears so.
    let silent = if way == Way::Direct { E::WithHelp } else { E::Destination };
    let rows = [
        (F::KillQemu("kvm2"), E::HalfLost),
        (F::KillQemu("kvm1"), E::HalfLost),
        // What follows, follows from one hypervisor process to the other, and the daemons learn of its end.
        (F::KillDaemon { hosts: &["kvm2"], back_after_s: 0 }, E::Destination),
        (F::KillDaemon { hosts: &["kvm1"], back_after_s: 0 }, E::Destination),
        (F::KillDaemon { hosts: &["kvm1"], back_after_s: 15 }, E::Destination),
        (F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 0 }, E::Destination),
        (F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 15 }, E::Destination),
        (F::Cut { host: "kvm2", links: LINKS.management, s: Some(4) }, E::Destination),
        // All memory follows, and the source's daemon can't be told.
        (F::Cut { host: "kvm2", links: LINKS.management, s: Some(60) }, E::WithHelp),
        (F::Cut { host: "kvm2", links: LINKS.management, s: None }, E::WithHelp),
        // The same, seen from the other end of the cable.
        (F::Cut { host: "kvm1", links: LINKS.management, s: Some(4) }, E::Destination),
        (F::Cut { host: "kvm1", links: LINKS.management, s: Some(60) }, E::WithHelp),
        (F::Cut { host: "kvm1", links: LINKS.management, s: None }, E::WithHelp),
        (F::Cut { host: "kvm2", links: LINKS.migration, s: Some(4) }, E::Destination),
        (F::Cut { host: "kvm2", links: LINKS.migration, s: Some(60) }, E::Destination),
        // The destination may not notice, and refuses to be joined until it does.
        (F::Cut { host: "kvm2", links: LINKS.migration, s: None }, E::WithHelp),
        (F::Cut { host: "kvm2", links: LINKS.both, s: Some(4) }, E::Destination),
        (F::Cut { host: "kvm2", links: LINKS.both, s: Some(60) }, E::WithHelp),
        (F::Cut { host: "kvm2", links: LINKS.both, s: None }, E::WithHelp),
        (F::Loss { percent: 20, s: 10 }, E::Destination),
        (F::Delay { ms: 200 }, E::Destination),
        // For good it would keep the resumption from beginning, too, which goes the same way.
        (F::HalfOpen { s: Some(60) }, E::Destination),
        (F::PowerLoss { host: "kvm2", s: 40 }, E::StuckHalf),
        (F::KillController, E::Destination),
        (F::StopController { s: 10 }, E::Destination),
        (F::StopController { s: 60 }, silent),
        (F::StoreFull, E::Destination),
        (F::HangingPolicy, E::StuckHalfLost),
    ];
    rows.into_iter().map(move |(fault, expected)| Row {
        way,
        trouble: Trouble::Midway(Stage::PostCopy, fault),
        expected,
        quick: false,
    })
}

/// What is not played, and why; the same table is in `docs/drill.md`.
pub const LEFT_OUT: [(&str, &str); 6] = [
    (
        "start: obstacles in front of a post-copy",
        "a migration meets them in its handshake, which is over when it may be switched to post-copy",
    ),
    ("pre-copy and post-copy: disk of the copy full, pool of the copy stopped", "no disk is copied"),
    (
        "post-copy: connections half open for good",
        "the resumption would take the same way, and end as it does with the migration link cut for good: 60 s instead",
    ),
    (
        "migration link or both links of kvm1 cut",
        "between the two hosts a cable carries nothing, whichever of its ends is pulled",
    ),
    (
        "storage copy: management link of kvm1 cut, kvm1 without power",
        "a copy ends with the migration that it is for, and takes its volume with it: see pre-copy, and those of kvm2",
    ),
    (
        "post-copy: kvm1 without power",
        "the guest's other half has lost its rest, as with the hypervisor process on kvm1 killed; when that host notices is chance",
    ),
];

/// One of each kind of fault, in the way that a migration takes unasked; the longest waits are left to `make drill`. A cut that
/// is in the controller's own way is shown with the direct one, which hangs on it.
fn quick(row: &Row) -> bool {
    let short_cut = |fault: &Fault| *fault == Fault::Cut { host: "kvm2", links: LINKS.management, s: Some(4) };
    match (row.way, &row.trouble) {
        (_, Trouble::Beforehand(_)) => false,
        (Way::Direct, Trouble::Midway(stage, fault)) => *stage == Stage::PreCopy && short_cut(fault),
        (Way::PeerToPeer, Trouble::Midway(Stage::Storage, fault)) => matches!(fault, Fault::KillQemu("kvm2")),
        (Way::PeerToPeer, Trouble::Midway(Stage::PreCopy, fault)) => match fault {
            Fault::KillQemu(_) | Fault::KillController => true,
            Fault::KillDaemon { back_after_s, .. } => *back_after_s == 0,
            _ => false,
        },
        (Way::PeerToPeer, Trouble::Midway(Stage::PostCopy, fault)) => {
            matches!(fault, Fault::KillController) || short_cut(fault)
        }
    }
}
