//! The recovery hook: one policy chooses, among what is permitted, and whatever else it does a person is called.

use std::collections::BTreeMap;

use waypost_core::facts::DomainState;
use waypost_core::ids::{HostName, Moment, PluginName};
use waypost_core::ports::{DecisionRecord, Policies as _};
use waypost_core::recovery::{AttemptChange, FailureClass, RecoveryAnswer, RecoveryQuestion};
use waypost_core::situation::{Action, DiskErrors, Observed, Side, Situation};
use waypost_core::verdict::PolicyMode;
use waypost_policy::{PluginConfig, PolicyConfig};

use super::support::{Site, plan, saying, with_prelude};

const WORLD: &str = "waypost:recovery/recovery";
const ACCEPT: &str = r#"(func (export "waypost:recovery/recover@0.1.0#validate-settings") (param i32 i32) (result i32)
    (i32.store8 (i32.const 96) (i32.const 0)) (i32.const 96))"#;

fn decide(body: &str) -> Vec<u8> {
    let decide =
        format!(r#"(func (export "waypost:recovery/recover@0.1.0#decide") (param $q i32) (result i32) {body})"#);
    with_prelude(WORLD, &format!(r#"(data (i32.const 1024) "undefine-destinationbecause") {ACCEPT} {decide}"#))
}

/// Chooses the first permitted action, after 250 ms, "because".
fn first_permitted() -> Vec<u8> {
    decide(
        "(i32.store (i32.const 64) (i32.load (i32.load offset=136 (local.get $q))))
         (i32.store (i32.const 68) (i32.load offset=4 (i32.load offset=136 (local.get $q))))
         (i64.store (i32.const 72) (i64.const 250))
         (i32.store (i32.const 80) (i32.const 1044)) (i32.store (i32.const 84) (i32.const 7)) (i32.const 64)",
    )
}

/// Chooses `undefine-destination`, whatever is permitted.
fn greedy() -> Vec<u8> {
    decide("(i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const 20)) (i32.const 64)")
}

fn question() -> RecoveryQuestion {
    let observed = Observed {
        host: None,
        name: "web1".into(),
        state: DomainState::Paused,
        reason: "migration".into(),
        persistent: true,
        autostart: false,
        job: false,
        disk_errors: DiskErrors::default(),
    };
    RecoveryQuestion {
        plan: plan(),
        situation: Situation { source: Side::Present(observed), destination: Side::Absent { host: None } },
        class: FailureClass::Network,
        message: "connection reset".into(),
        attempt: 1,
        look: 1,
        permitted: vec![Action::ResumeSource, Action::HandOver],
        stage: waypost_core::sample::Stage::PreCopy,
        sample: None,
        done: vec![],
        attempts_left: 2,
        tried: vec![HostName::new("kvm2")],
        others: vec![HostName::new("kvm3")],
        ways: vec![],
        decided_at: Moment(1),
    }
}

fn ask(files: &[(&str, &[u8])], config: PolicyConfig) -> (RecoveryAnswer, DecisionRecord) {
    Site::configured(files, config).runtime.recover(&question())
}

fn unsafe_answer(answer: &RecoveryAnswer) -> bool {
    (answer.action, answer.delay_ms) != (Action::HandOver, 0)
}

#[test]
fn the_only_recovery_policy_chooses() {
    let files: [(&str, &[u8]); 2] = [("careful.wasm", &first_permitted()), ("check.wasm", &saying("info", "i", "m"))];
    let (answer, record) = ask(&files, PolicyConfig::default());
    let expected = RecoveryAnswer {
        action: Action::ResumeSource,
        delay_ms: 250,
        reason: "because".into(),
        change: AttemptChange::NONE,
        way: None,
    };
    assert_eq!(answer, expected);
    assert_eq!((record.plugin.as_str(), record.hook.as_str(), &record.fault), ("careful", "recovery", &None));
    assert_eq!(record.answer, "resume-source after 250 ms: because");
}

#[test]
fn what_is_not_permitted_is_not_done() {
    let (answer, record) = ask(&[("greedy.wasm", &greedy())], PolicyConfig::default());
    assert!(!unsafe_answer(&answer), "{answer:?}");
    let fault = record.fault.unwrap();
    assert!(
        fault.contains("greedy") && fault.contains("undefine-destination") && fault.contains("resume-source"),
        "{fault}"
    );
}

#[test]
fn a_failing_absent_or_doubled_policy_calls_a_person() {
    let absurd = decide(
        "(i32.store (i32.const 64) (i32.load (i32.load offset=136 (local.get $q))))
        (i32.store (i32.const 68) (i32.load offset=4 (i32.load offset=136 (local.get $q))))
        (i64.store (i32.const 72) (i64.const 3600001)) (i32.const 64)",
    );
    type Files<'a> = &'a [(&'a str, &'a [u8])];
    let cases: [(Files<'_>, &str); 4] = [
        (&[("trap.wasm", &decide("unreachable"))], "trap trapped"),
        (&[("late.wasm", &absurd)], "3600001 ms"),
        (&[("check.wasm", &saying("info", "i", "m"))], "no recovery policy"),
        (&[("a.wasm", &first_permitted()), ("b.wasm", &first_permitted())], "a and b are both"),
    ];
    for (files, words) in cases {
        let (answer, record) = ask(files, PolicyConfig::default());
        assert!(!unsafe_answer(&answer), "{words}: {answer:?}");
        assert!(record.fault.as_ref().is_some_and(|fault| fault.contains(words)), "{record:?}");
        assert_eq!(answer.reason, record.fault.unwrap());
    }
}

#[test]
fn where_several_are_loaded_and_none_is_named_the_shipped_default_decides() {
    let files: [(&str, &[u8]); 2] = [("a.wasm", &greedy()), ("recovery-conservative.wasm", &first_permitted())];
    let (answer, record) = ask(&files, PolicyConfig::default());
    assert_eq!((answer.action, record.plugin.as_str()), (Action::ResumeSource, "recovery-conservative"));
}

#[test]
fn the_configuration_chooses_who_is_asked() {
    let named = |name: &str| PolicyConfig { recovery: Some(PluginName::new(name)), ..PolicyConfig::default() };
    let files: [(&str, &[u8]); 3] =
        [("a.wasm", &first_permitted()), ("b.wasm", &greedy()), ("check.wasm", &saying("info", "i", "m"))];
    assert_eq!(ask(&files, named("a")).0.action, Action::ResumeSource);
    for (name, words) in [("b", "not among"), ("c", "not in any plugin folder"), ("check", "no recovery hook")] {
        let (answer, record) = ask(&files, named(name));
        assert!(!unsafe_answer(&answer));
        assert_eq!(record.plugin.as_str(), name);
        assert!(record.fault.as_ref().is_some_and(|fault| fault.contains(words)), "{record:?}");
    }
}

#[test]
fn of_several_the_shipped_default_is_asked() {
    let files: [(&str, &[u8]); 2] = [("a.wasm", &greedy()), ("recovery-conservative.wasm", &first_permitted())];
    let (answer, record) = ask(&files, PolicyConfig::default());
    assert_eq!((answer.action, record.plugin.as_str()), (Action::ResumeSource, "recovery-conservative"));
    // And if it is broken, a person: not the other one in silence.
    let files: [(&str, &[u8]); 2] = [("a.wasm", &first_permitted()), ("recovery-conservative.wasm", b"no policy")];
    let (answer, record) = ask(&files, PolicyConfig::default());
    assert!(!unsafe_answer(&answer), "{answer:?}");
    assert_eq!(record.plugin.as_str(), "recovery-conservative");
}

#[test]
fn a_policy_that_only_advises_is_recorded_and_not_obeyed() {
    let shadow = PluginConfig { mode: PolicyMode::Shadow, ..PluginConfig::default() };
    let plugins = BTreeMap::from([(PluginName::new("a"), shadow)]);
    let (answer, record) = ask(
        &[("a.wasm", &first_permitted())],
        PolicyConfig { plugins: plugins.clone(), recovery: Some("a".into()), ..PolicyConfig::default() },
    );
    assert!(!unsafe_answer(&answer));
    assert!(record.fault.unwrap().contains("resume-source is not obeyed"));
    let files: [(&str, &[u8]); 2] = [("a.wasm", &greedy()), ("b.wasm", &first_permitted())];
    let (answer, _) = ask(&files, PolicyConfig { plugins, ..PolicyConfig::default() });
    assert_eq!(answer.action, Action::ResumeSource, "the only one that is obeyed");
}
