//! What hosts told of failed migrations, as libvirt words it, and what each is called.

use super::*;
use crate::facts::DomainState;
use crate::plan::Before;
use crate::situation::{DiskErrors, Observed, Side};

fn plan() -> Plan {
    Plan { destination_name: "g2".into(), destination_before: Before::Defined, ..crate::testing::plan() }
}

fn side(state: DomainState, reason: &str, disk_errors: &[&str]) -> Side {
    Side::Present(Observed {
        host: None,
        name: "g1".into(),
        state,
        reason: reason.into(),
        persistent: true,
        autostart: false,
        job: false,
        disk_errors: DiskErrors(disk_errors.iter().map(|error| (*error).to_owned()).collect()),
    })
}

const NOTHING: Evidence = Evidence { job: None, messages: Vec::new() };

/// What a failure of which nobody told anything comes to.
fn seen(source: Side, destination: Side, begun: bool) -> (FailureClass, String) {
    let situation = Situation { source, destination };
    let heard = Heard { source: &NOTHING, destination: &NOTHING, situation: Some(&situation), begun };
    heard.weigh(&plan(), FailureClass::ControllerRestarted, Told::ByNobody, "it is over")
}

#[test]
fn the_state_of_both_sides_tells_what_nobody_saw() {
    use DomainState::{Paused, Running, ShutOff};
    use FailureClass as C;
    let runs = || side(Running, "booted", &[]);
    let absent = || Side::Absent { host: None };
    let half = || side(Paused, "post-copy-failed", &[]);
    for (source, destination, class, says) in [
        (runs(), absent(), C::ControllerRestarted, "it is over"),
        (runs(), side(ShutOff, "failed", &[]), C::ControllerRestarted, "it is over"),
        (runs(), side(ShutOff, "crashed", &[]), C::HypervisorDied, "process of g2 on b ended (shut-off: crashed)"),
        (side(ShutOff, "crashed", &[]), absent(), C::HypervisorDied, "process of g1 on a ended (shut-off: crashed)"),
        (half(), absent(), C::HypervisorDied, "process of g2 on b ended (it is not there any more)"),
        (half(), side(ShutOff, "crashed", &[]), C::HypervisorDied, "process of g2 on b ended"),
        (side(ShutOff, "crashed", &[]), half(), C::HypervisorDied, "process of g1 on a ended"),
        // Both halves are there: it is the way between them.
        (half(), half(), C::ControllerRestarted, "it is over"),
        (side(ShutOff, "migrated", &[]), side(Running, "post-copy", &[]), C::ControllerRestarted, "it is over"),
        (side(Paused, "io-error", &["vda: no space"]), absent(), C::Storage, "stopped g1 on a: vda: no space"),
        (side(Paused, "io-error", &[]), absent(), C::Storage, "an I/O error of a disk stopped g1 on a"),
        (side(Paused, "user", &["vda: no space"]), absent(), C::ControllerRestarted, "it is over"),
        (Side::Unknown("no answer".into()), absent(), C::ControllerRestarted, "it is over"),
    ] {
        let shown = format!("{source:?}, {destination:?}");
        let (got, words) = seen(source, destination, true);
        assert_eq!(got, class, "{shown}");
        assert!(words.starts_with("it is over") && words.contains(says), "{shown}: {words}");
    }
}

#[test]
fn how_a_domain_ended_before_the_transfer_began_is_no_clue() {
    let crashed = || side(DomainState::ShutOff, "crashed", &[]);
    let (class, words) = seen(side(DomainState::Running, "booted", &[]), crashed(), false);
    assert_eq!((class, words.as_str()), (FailureClass::ControllerRestarted, "it is over"));
    // The source's process was there when the transfer was planned.
    assert_eq!(seen(crashed(), Side::Absent { host: None }, false).0, FailureClass::HypervisorDied);
}

#[test]
fn the_error_of_a_job_decides_where_no_call_told_a_class_and_is_shown_in_any_case() {
    let job = |kind, words: &str| Evidence { job: Some((kind, words.to_owned())), messages: Vec::new() };
    let tainted = Evidence { job: None, messages: vec!["tainted: custom-monitor".into(), "deprecated: cpu".into()] };
    let weigh = |source: &Evidence, destination: &Evidence, own, told| {
        let heard = Heard { source, destination, situation: None, begun: true };
        heard.weigh(&plan(), own, told, "it failed")
    };
    let reset = job(FaultKind::Network, "Channel error: Input/output error");
    let (class, words) = weigh(&reset, &tainted, FailureClass::Other, Told::ByNobody);
    assert_eq!(class, FailureClass::Network);
    assert_eq!(
        words,
        "it failed; a keeps as the job's error: Channel error: Input/output error; \
         b has on record of g2: tainted: custom-monitor, deprecated: cpu"
    );
    // What the call told is not overruled.
    let (class, words) = weigh(&reset, &NOTHING, FailureClass::Storage, Told::ByACall);
    assert!(class == FailureClass::Storage && words.contains("Channel error"), "{class}: {words}");
    // Words that no kind is known for leave the class as it was, and the other side's may say more.
    let odd = job(FaultKind::Other, "something odd");
    let (class, words) = weigh(&odd, &NOTHING, FailureClass::ControllerRestarted, Told::ByNobody);
    assert!(class == FailureClass::ControllerRestarted && words.contains("something odd"), "{class}: {words}");
    let full = job(FaultKind::Storage, "No space left on device");
    assert_eq!(weigh(&odd, &full, FailureClass::Other, Told::ByNobody).0, FailureClass::Storage);
    // Somebody's abort stays one.
    let aborted = job(FaultKind::Aborted, "canceled by client");
    assert_eq!(weigh(&aborted, &NOTHING, FailureClass::Other, Told::ByNobody).0, FailureClass::Cancelled);
    // The same words twice are one too many.
    let same = job(FaultKind::Other, "it failed");
    assert_eq!(weigh(&same, &NOTHING, FailureClass::Other, Told::ByACall).1, "it failed");
    assert_eq!(
        weigh(&NOTHING, &NOTHING, FailureClass::Other, Told::ByNobody),
        (FailureClass::Other, "it failed".into())
    );
}
