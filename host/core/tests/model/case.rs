//! What moves: one plan of every shape.

use uuid::Uuid;
use waypost_core::plan::{Before, DestinationFate, End, Plan, RunState, SourceFate, TransferMode};
use waypost_core::stream::Transport;

pub struct Case {
    pub name: &'static str,
    pub plan: Plan,
    /// A disk is copied, and a volume is made for it.
    pub copies: bool,
    /// A policy may suspend the guest: of each transport and kind of memory that behaves differently one case, because it makes
    /// nearly twice as many states.
    pub suspends: bool,
}

pub const SOURCE: Uuid = Uuid::from_u128(1);
pub const DESTINATION: Uuid = Uuid::from_u128(2);

fn live() -> Plan {
    let blank = waypost_core::testing::plan();
    Plan {
        source: End { uuid: Some(SOURCE), ..blank.source },
        destination: End { uuid: Some(DESTINATION), ..blank.destination },
        ..blank
    }
}

/// No host keeps a definition.
fn transient(plan: Plan) -> Plan {
    Plan { source_fate: SourceFate::None, destination_fate: DestinationFate::TransientOnly, ..plan }
}

impl Case {
    fn of(name: &'static str, plan: Plan) -> Self {
        Self { name, plan, copies: false, suspends: false }
    }

    /// The controller's call is the client that drives both daemons.
    pub fn is_direct(&self) -> bool {
        self.plan.transport == Transport::Direct
    }

    /// The daemons have to reach each other.
    pub fn needs_management(&self) -> bool {
        !self.is_direct()
    }

    /// Memory takes a way of its own.
    pub fn needs_migration(&self) -> bool {
        self.plan.transport != Transport::Tunnelled && self.plan.mode == TransferMode::Live
    }

    pub fn direct() -> Self {
        Self { suspends: true, ..Self::of("direct", Plan { transport: Transport::Direct, ..live() }) }
    }

    pub fn peer_to_peer() -> Self {
        Self { suspends: true, ..Self::of("peer to peer", live()) }
    }

    pub fn post_copy() -> Self {
        let mut plan = live();
        plan.stream.post_copy = true;
        Self { suspends: true, ..Self::of("post-copy", plan) }
    }

    pub fn copying() -> Self {
        Self { copies: true, ..Self::of("copying a disk", live()) }
    }

    pub fn transient() -> Self {
        Self { suspends: true, ..Self::of("transient", transient(live())) }
    }

    pub fn offline() -> Self {
        let (mode, off) = (TransferMode::Offline, RunState::ShutOff);
        Self::of("offline", Plan { mode, initially: off, finally: off, ..live() })
    }

    pub fn all() -> Vec<Self> {
        let kept = SourceFate::KeepWithoutAutostart;
        let paused = Plan { initially: RunState::Paused, finally: RunState::Paused, ..live() };
        let mut transient_post_copy = transient(live());
        transient_post_copy.stream.post_copy = true;
        let direct = Self::direct().plan;
        let mut direct_post_copy = direct.clone();
        direct_post_copy.stream.post_copy = true;
        vec![
            Self::post_copy(),
            Self::of("transient, post-copy", transient_post_copy),
            Self::peer_to_peer(),
            Self::copying(),
            Self::of("direct, post-copy", direct_post_copy),
            Self { copies: true, ..Self::of("direct, copying a disk", direct) },
            Self::direct(),
            Self::of("tunnelled", Plan { transport: Transport::Tunnelled, ..live() }),
            Self::transient(),
            Self::of("source kept", Plan { source_fate: kept, ..live() }),
            Self::of("the way back", Plan { destination_before: Before::Defined, ..live() }),
            Self::of(
                "transient there only",
                Plan { source_fate: kept, destination_fate: DestinationFate::TransientOnly, ..live() },
            ),
            Self::of("paused", paused.clone()),
            Self::of("paused afterwards", Plan { initially: RunState::Running, ..paused }),
            Self::offline(),
            Self::of("offline, source kept", Plan { source_fate: kept, ..Self::offline().plan }),
        ]
    }
}
