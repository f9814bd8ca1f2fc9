//! The migration itself: a peer-to-peer call on a connection of its own, which the source's daemon goes on with even if
//! this program ends.

use std::ffi::CStr;

use tokio::sync::oneshot;
use virt::domain::Domain;
use virt_sys as sys;
use waypost_core::facts::DomainState;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::plan::{DestinationFate, Plan, RunState, SourceFate, TransferMode};
use waypost_core::ports::{Fault, Later, Transfer};
use waypost_core::request::StorageSafety;

use crate::control::Control;
use crate::error::{Cause, Error, Failure};
use crate::link::Session;
use crate::raw::{self, Param};
use crate::read::domain;

/// Starts what the plan says. An error from here means that nothing was begun.
pub(crate) async fn start(control: &Control, plan: &Plan) -> Result<Running, Error> {
    let attempted = format!("migrate domain {} to {}", plan.name, plan.destination.host);
    let link = control.own_link().await?;
    let planned = plan.clone();
    let limit = control.host().limits.read;
    let domain = link.call(&attempted, limit, move |session| ready(session, &planned)).await?;
    let order = Order::of(plan);
    // The call keeps its connection for itself: nothing else may take up a lane of it, and it ends with the call.
    let answer =
        link.submit_for_good(move |_| raw::migrate_to_uri(&domain, &order.peer_uri, &order.params, order.flags));
    Ok(Running { host: control.host().name.clone(), attempted, answer, result: None })
}

/// Looks at the source right before the call. What is checked here would not fail but do something else: libvirt moves
/// only the definition of a running domain when told to migrate offline.
fn ready(session: &Session, plan: &Plan) -> Result<Domain, Failure> {
    if let (Some(planned), Some(answers)) = (plan.source.uuid, session.host_uuid()?)
        && planned != answers
    {
        return Err(Failure::refused(format!("host {answers} answers, and the plan was made for host {planned}")));
    }
    let domain = domain::find(session, &DomainKey::Id(plan.domain))?;
    let (state, _) = domain::state(&domain)?;
    let fits = match plan.mode {
        TransferMode::Live => state.is_active(),
        TransferMode::Offline => state == DomainState::ShutOff,
    };
    if !fits {
        return Err(Failure::refused(format!(
            "the domain is {state} now, and the plan is to migrate it {}",
            plan.mode
        )));
    }
    Ok(domain)
}

/// The plan in libvirt's terms.
struct Order {
    peer_uri: String,
    flags: u32,
    params: Vec<(&'static CStr, Param)>,
}

impl Order {
    fn of(plan: &Plan) -> Self {
        let mut flags = sys::VIR_MIGRATE_PEER2PEER;
        let mut params = Vec::new();
        let mut text = |name, value: &Option<String>| {
            if let Some(value) = value {
                params.push((name, Param::Text(value.clone())));
            }
        };
        let new_name = (plan.destination_name != plan.name).then(|| plan.destination_name.clone());
        text(sys::VIR_MIGRATE_PARAM_DEST_NAME, &new_name);
        match plan.mode {
            TransferMode::Offline => flags |= sys::VIR_MIGRATE_OFFLINE,
            TransferMode::Live => {
                flags |= sys::VIR_MIGRATE_LIVE;
                text(sys::VIR_MIGRATE_PARAM_URI, &plan.migrate_uri);
                text(sys::VIR_MIGRATE_PARAM_LISTEN_ADDRESS, &plan.listen_address);
                if let Some(limit) = plan.bandwidth_mib_s {
                    params.push((sys::VIR_MIGRATE_PARAM_BANDWIDTH, Param::Unsigned(limit)));
                }
                // A paused domain stays paused by itself; this is for one that runs.
                if plan.finally == RunState::Paused {
                    flags |= sys::VIR_MIGRATE_PAUSED;
                }
            }
        }
        if plan.destination_fate == DestinationFate::Define {
            flags |= sys::VIR_MIGRATE_PERSIST_DEST;
        }
        if plan.source_fate == SourceFate::Undefine {
            flags |= sys::VIR_MIGRATE_UNDEFINE_SOURCE;
        }
        if plan.storage == StorageSafety::Unsafe {
            flags |= sys::VIR_MIGRATE_UNSAFE;
        }
        Self { peer_uri: plan.peer_uri.clone(), flags, params }
    }
}

/// The call that is under way.
pub(crate) struct Running {
    host: HostName,
    attempted: String,
    answer: oneshot::Receiver<Result<(), Failure>>,
    result: Option<Result<(), Fault>>,
}

impl Transfer for Running {
    fn finished(&mut self) -> Later<'_, Result<(), Fault>> {
        Box::pin(async move {
            if let Some(result) = &self.result {
                return result.clone();
            }
            let cause = match (&mut self.answer).await {
                Ok(Ok(())) => return self.result.insert(Ok(())).clone(),
                Ok(Err(failure)) => Cause::Libvirt(failure),
                Err(_) => Cause::Defect,
            };
            let error = Error { host: self.host.clone(), attempted: self.attempted.clone(), cause };
            self.result.insert(Err(error.into())).clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;
    use waypost_core::ids::DomainId;
    use waypost_core::plan::{Autostart, Before, End};

    use super::*;

    fn plan() -> Plan {
        Plan {
            attempt: 1,
            domain: DomainId(Uuid::nil()),
            name: "g1".into(),
            destination_name: "g1".into(),
            source: End { host: "kvm1".into(), uuid: None },
            destination: End { host: "kvm2".into(), uuid: None },
            peer_uri: "qemu+tcp://kvm2/system".into(),
            mode: TransferMode::Live,
            initially: RunState::Running,
            finally: RunState::Running,
            source_fate: SourceFate::Undefine,
            destination_fate: DestinationFate::Define,
            autostart: Autostart::Off,
            destination_before: Before::Absent,
            storage: StorageSafety::Checked,
            migrate_uri: None,
            listen_address: None,
            bandwidth_mib_s: None,
            max_downtime_ms: None,
            timeout_s: 60,
            transport: waypost_core::stream::Transport::PeerToPeer,
            stream: waypost_core::stream::Stream::default(),
            disks: waypost_core::stream::Disks::default(),
            network: None,
            memory_bytes: None,
            notes: waypost_core::plan::Notes::default(),
        }
    }

    #[test]
    fn a_plain_live_migration_sets_no_more_than_it_needs() {
        let order = Order::of(&plan());
        let expected = sys::VIR_MIGRATE_PEER2PEER
            | sys::VIR_MIGRATE_LIVE
            | sys::VIR_MIGRATE_PERSIST_DEST
            | sys::VIR_MIGRATE_UNDEFINE_SOURCE;
        assert_eq!((order.flags, order.params.len()), (expected, 0));
    }

    #[test]
    fn unsafe_is_set_only_where_a_person_asked_for_it() {
        assert_eq!(Order::of(&plan()).flags & sys::VIR_MIGRATE_UNSAFE, 0);
        let asked = Plan { storage: StorageSafety::Unsafe, ..plan() };
        assert_ne!(Order::of(&asked).flags & sys::VIR_MIGRATE_UNSAFE, 0);
    }

    #[test]
    fn every_choice_of_the_plan_reaches_libvirt() {
        let order = Order::of(&Plan {
            destination_name: "g2".into(),
            finally: RunState::Paused,
            source_fate: SourceFate::KeepWithoutAutostart,
            destination_fate: DestinationFate::TransientOnly,
            migrate_uri: Some("tcp://10.88.0.2".into()),
            listen_address: Some("10.88.0.2".into()),
            bandwidth_mib_s: Some(40),
            ..plan()
        });
        assert_eq!(order.flags, sys::VIR_MIGRATE_PEER2PEER | sys::VIR_MIGRATE_LIVE | sys::VIR_MIGRATE_PAUSED);
        assert_eq!(
            order.params,
            [
                (c"destination_name", Param::Text("g2".into())),
                (c"migrate_uri", Param::Text("tcp://10.88.0.2".into())),
                (c"listen_address", Param::Text("10.88.0.2".into())),
                (c"bandwidth", Param::Unsigned(40)),
            ]
        );
    }

    #[test]
    fn an_offline_migration_moves_the_definition_and_nothing_else() {
        let order = Order::of(&Plan {
            mode: TransferMode::Offline,
            initially: RunState::ShutOff,
            finally: RunState::ShutOff,
            bandwidth_mib_s: Some(40),
            ..plan()
        });
        let expected = sys::VIR_MIGRATE_PEER2PEER
            | sys::VIR_MIGRATE_OFFLINE
            | sys::VIR_MIGRATE_PERSIST_DEST
            | sys::VIR_MIGRATE_UNDEFINE_SOURCE;
        assert_eq!((order.flags, order.params.len()), (expected, 0));
    }
}
