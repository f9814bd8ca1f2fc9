//! The five schedules as oVirt ships them, and vdsm's way of going through one.
//!
//! Four are the engine's defaults for `MigrationPolicies` (ovirt-engine, `0000_config.sql`). `legacy` is what vdsm computes
//! where the engine sends no schedule: five exponential steps up to 500 ms.

use serde::Deserialize;
use waypost_plugin::Sample;

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Name {
    Legacy,
    MinimalDowntime,
    SuspendWorkload,
    PostCopy,
    VeryLargeVms,
}

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    SetDowntime(u64),
    PostCopy,
    Abort,
}

/// One item: done at a poll that finds a new pass and more than `limit` passes since the first poll.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    pub limit: i64,
    pub action: Action,
}

pub struct Schedule {
    pub initial_ms: u64,
    pub items: &'static [Item],
    /// None: as it is planned.
    pub auto_converge: Option<bool>,
}

/// An item whose time has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub item: Item,
    /// Passes since the first poll.
    pub passes: i64,
    /// When the poll was.
    pub at_ms: u64,
}

const fn downtime(limit: i64, ms: u64) -> Item {
    Item { limit, action: Action::SetDowntime(ms) }
}

/// An item for the next new pass, whichever that is.
const fn last(action: Action) -> Item {
    Item { limit: -1, action }
}

impl Name {
    pub fn word(self) -> &'static str {
        match self {
            Self::Legacy => "legacy",
            Self::MinimalDowntime => "minimal-downtime",
            Self::SuspendWorkload => "suspend-workload",
            Self::PostCopy => "post-copy",
            Self::VeryLargeVms => "very-large-vms",
        }
    }

    pub fn schedule(self) -> Schedule {
        match self {
            Self::Legacy => LEGACY,
            Self::MinimalDowntime => MINIMAL_DOWNTIME,
            Self::SuspendWorkload => SUSPEND_WORKLOAD,
            Self::PostCopy => POST_COPY,
            Self::VeryLargeVms => VERY_LARGE_VMS,
        }
    }
}

const LEGACY: Schedule = Schedule {
    initial_ms: 101,
    items: &[
        downtime(1, 104),
        downtime(2, 120),
        downtime(3, 189),
        downtime(4, 500),
        downtime(42, 500),
        last(Action::Abort),
    ],
    auto_converge: None,
};
const MINIMAL_DOWNTIME: Schedule = Schedule {
    initial_ms: 100,
    items: &[
        downtime(1, 150),
        downtime(2, 200),
        downtime(3, 300),
        downtime(4, 400),
        downtime(6, 500),
        last(Action::Abort),
    ],
    auto_converge: Some(true),
};
const SUSPEND_WORKLOAD: Schedule = Schedule {
    initial_ms: 100,
    items: &[
        downtime(1, 150),
        downtime(2, 200),
        downtime(3, 300),
        downtime(4, 400),
        downtime(6, 500),
        last(Action::SetDowntime(5000)),
        last(Action::Abort),
    ],
    auto_converge: Some(true),
};
const POST_COPY: Schedule = Schedule {
    initial_ms: 100,
    items: &[downtime(1, 150), downtime(2, 200), last(Action::PostCopy), last(Action::Abort)],
    auto_converge: Some(true),
};
const VERY_LARGE_VMS: Schedule = Schedule {
    initial_ms: 300,
    items: &[
        downtime(1, 400),
        downtime(2, 500),
        downtime(3, 700),
        downtime(4, 1000),
        downtime(6, 1500),
        last(Action::SetDowntime(5000)),
        last(Action::Abort),
    ],
    auto_converge: Some(true),
};

impl Action {
    pub fn word(self) -> &'static str {
        match self {
            Self::SetDowntime(_) => "set-downtime",
            Self::PostCopy => "post-copy",
            Self::Abort => "abort",
        }
    }

    /// The value with which the host applies it.
    pub fn value(self, most_ms: u64) -> Option<u64> {
        match self {
            Self::SetDowntime(ms) => Some(ms.min(most_ms)),
            Self::PostCopy | Self::Abort => None,
        }
    }
}

/// The items that vdsm would have done by now, in order. All times are those of the readings' own clock, so that what
/// was due once stays so however late the policy is asked.
pub fn due(items: &[Item], poll_ms: u64, now_ms: u64, passes: &[Sample]) -> Vec<Due> {
    let number = |pass: &Sample| pass.iteration.and_then(|number| i64::try_from(number).ok());
    let mut ahead = passes.iter().filter(|pass| pass.iteration.is_some()).peekable();
    let (mut current, mut start, mut last) = (None, None, None);
    let mut found = Vec::new();
    for poll in 1..=now_ms / poll_ms {
        let at_ms = poll * poll_ms;
        while let Some(pass) = ahead.next_if(|pass| pass.elapsed_ms <= at_ms) {
            current = number(pass);
        }
        let Some(pass) = current else { continue };
        let start = *start.get_or_insert(pass);
        if pass <= *last.get_or_insert(pass) {
            continue;
        }
        last = Some(pass);
        match items.get(found.len()) {
            Some(item) if item.limit < pass - start => found.push(Due { item: *item, passes: pass - start, at_ms }),
            Some(_) => {}
            None => break,
        }
    }
    found
}
