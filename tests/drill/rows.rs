//! What is broken, when, and what must be true afterwards.

use crate::fault::Fault;

/// In which way the domain travels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    PeerToPeer,
    Direct,
}

/// How far the migration is when it breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Memory is being copied.
    PreCopy,
    /// The guest runs on the destination and its memory follows.
    PostCopy,
}

/// What may become of the guest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It runs on the source, and nothing is on the destination.
    Source,
    /// It runs on the destination, and nothing is on the source.
    Destination,
    /// Either, whichever the task says.
    Either,
    /// Its only process was killed: the task says that it is lost, and its definition is where it was.
    Lost,
}

/// One row of the drill.
#[derive(Debug, Clone)]
pub struct Row {
    pub way: Way,
    pub stage: Stage,
    pub fault: Fault,
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
        let stage = match self.stage {
            Stage::PreCopy => "pre-copy",
            Stage::PostCopy => "post-copy",
        };
        format!("{way}, {stage}: {}", self.fault.name())
    }
}

/// Every row.
pub fn all() -> Vec<Row> {
    use Expected as E;
    use Fault as F;
    let row = |way, stage, fault, expected| Row { way, stage, fault, expected, quick: false };
    let mut rows = Vec::new();
    for way in [Way::PeerToPeer, Way::Direct] {
        let pre = |fault, expected| row(way, Stage::PreCopy, fault, expected);
        rows.extend([
            pre(F::KillQemu("kvm2"), E::Source),
            pre(F::KillQemu("kvm1"), E::Lost),
            pre(F::KillDaemon { hosts: &["kvm2"], back_after_s: 0 }, E::Source),
            pre(F::KillDaemon { hosts: &["kvm1"], back_after_s: 0 }, E::Source),
            pre(F::KillDaemon { hosts: &["kvm1"], back_after_s: 15 }, E::Source),
            pre(F::KillDaemon { hosts: &["kvm1", "kvm2"], back_after_s: 0 }, E::Source),
            pre(F::CutManagement { s: 4 }, E::Either),
            // The controller of a direct migration has its own way to both hosts.
            pre(F::CutManagement { s: 60 }, if way == Way::Direct { E::Either } else { E::Source }),
            pre(F::CutMigration { s: 4 }, E::Either),
            pre(F::CutMigration { s: 60 }, E::Source),
            pre(F::CutBoth { s: 60 }, E::Source),
            pre(F::PowerLoss { host: "kvm2", s: 40 }, E::Source),
            pre(F::KillController, E::Either),
            pre(F::StopController { s: 10 }, E::Either),
            pre(F::StopController { s: 60 }, E::Either),
        ]);
        let post = |fault| row(way, Stage::PostCopy, fault, E::Destination);
        rows.extend([post(F::KillDaemon { hosts: &["kvm2"], back_after_s: 0 }), post(F::StopController { s: 10 })]);
        if way == Way::PeerToPeer {
            rows.extend([post(F::KillController), post(F::KillDaemon { hosts: &["kvm1"], back_after_s: 0 })]);
        }
    }
    for row in &mut rows {
        // One of each kind of fault, in the way that a migration takes unasked; the longest waits are left to `make drill`.
        row.quick = row.way == Way::PeerToPeer
            && match &row.fault {
                F::KillQemu(_) | F::KillController => true,
                F::KillDaemon { back_after_s, .. } => *back_after_s == 0,
                F::CutMigration { s } => *s == 60,
                F::CutManagement { s } | F::StopController { s } => *s < 60 && *s > 4,
                F::CutBoth { .. } | F::PowerLoss { .. } => false,
            };
    }
    rows
}
