//! The convergence hook: one policy is asked how to open and how to steer, within its bounds, and whatever else it does
//! the transfer is left as it is.

use std::collections::BTreeMap;

use waypost_core::convergence::{
    BandwidthFrom, Bounds, Opening, OpeningQuestion, Prediction, Steered, Steering, SteeringAnswer, SteeringQuestion,
};
use waypost_core::ids::{Moment, PluginName};
use waypost_core::ports::{DecisionRecord, Policies as _};
use waypost_core::sample::Sample;
use waypost_core::verdict::PolicyMode;
use waypost_policy::{PluginConfig, PolicyConfig};
use wit_parser::{SizeAlign, TypeDefKind};

use super::support::{Site, plan, resolve, saying, with_prelude};

const WORLD: &str = "waypost:convergence/convergence";
const ACCEPT: &str = r#"(func (export "waypost:convergence/steer@0.1.0#validate-settings") (param i32 i32) (result i32)
    (i32.store8 (i32.const 96) (i32.const 0)) (i32.const 96))"#;
/// An opening that changes nothing: all zeroes at 256.
const UNCHANGED: &str = "(i32.const 256)";

/// A policy with these bodies: `$q` is the address of the question, the result that of the answer.
fn policy(open: &str, decide: &str) -> Vec<u8> {
    let function = |name: &str, body: &str| {
        format!(r#"(func (export "waypost:convergence/steer@0.1.0#{name}") (param $q i32) (result i32) {body})"#)
    };
    let words = r#"(data (i32.const 1024) "set-downtime") (data (i32.const 1040) "suspend") (data (i32.const 1056) "teleport")
        (data (i32.const 1072) "because") (data (i32.const 1088) "hold") (data (i32.const 1104) "set-throttle")"#;
    with_prelude(WORLD, &format!("{words} {ACCEPT} {} {}", function("open", open), function("decide", decide)))
}

/// An answer at 64: the word at that address, and a value.
fn saying_action(word: (u32, u32), value: &str) -> String {
    format!(
        "(i32.store (i32.const 64) (i32.const {})) (i32.store (i32.const 68) (i32.const {}))
         (i32.store8 (i32.const 72) (i32.const 1)) (i64.store (i32.const 80) {value})
         (i32.store (i32.const 88) (i32.const 1072)) (i32.store (i32.const 92) (i32.const 7)) (i32.const 64)",
        word.0, word.1
    )
}

const SET_DOWNTIME: (u32, u32) = (1024, 12);
const SUSPEND: (u32, u32) = (1040, 7);
const TELEPORT: (u32, u32) = (1056, 8);
const HOLD: (u32, u32) = (1088, 4);
const SET_THROTTLE: (u32, u32) = (1104, 12);

fn sets_downtime(ms: u64) -> Vec<u8> {
    policy(UNCHANGED, &saying_action(SET_DOWNTIME, &format!("(i64.const {ms})")))
}

fn bounds() -> Bounds {
    Bounds {
        max_downtime_ms: 2000,
        max_bandwidth_mib_s: None,
        least_throttle_percent: 20,
        permitted: vec![Steering::Hold, Steering::SetDowntime, Steering::SetThrottle, Steering::Abort],
        timeout_s: 60,
    }
}

fn question() -> SteeringQuestion {
    let reading = |elapsed_ms| Sample { elapsed_ms, ..Sample::default() };
    SteeringQuestion {
        plan: plan(),
        memory_bytes: 1 << 30,
        bounds: bounds(),
        elapsed_ms: 5000,
        samples: vec![reading(1000), reading(2000), reading(3000)],
        passes: vec![reading(1000), reading(3000)],
        steered: vec![
            Steered { at_ms: 1500, action: Steering::SetDowntime, value: Some(400) },
            Steered { at_ms: 2500, action: Steering::SetDowntime, value: Some(450) },
            Steered { at_ms: 2600, action: Steering::Suspend, value: None },
        ],
        decided_at: Moment(1),
    }
}

fn opening_question() -> OpeningQuestion {
    OpeningQuestion {
        plan: plan(),
        memory_bytes: 1 << 30,
        vcpus: 2,
        bounds: bounds(),
        prediction: Some(Prediction {
            dirty_bytes_per_s: 1,
            bandwidth_bytes_per_s: 2,
            bandwidth_from: BandwidthFrom::Limit,
            converges: true,
            total_ms: Some(3),
            downtime_ms: Some(4),
        }),
        writing: None,
        decided_at: Moment(1),
    }
}

fn steer(files: &[(&str, &[u8])], config: PolicyConfig) -> (SteeringAnswer, Option<DecisionRecord>) {
    Site::configured(files, config).runtime.steer(&question())
}

fn open(policy: &[u8]) -> (Opening, DecisionRecord) {
    let (opening, record) = Site::with(&[("mine.wasm", policy)]).runtime.open(&opening_question());
    (opening, record.unwrap())
}

#[test]
fn the_only_convergence_policy_steers() {
    let files: [(&str, &[u8]); 2] = [("mine.wasm", &sets_downtime(500)), ("check.wasm", &saying("info", "i", "m"))];
    let (answer, record) = steer(&files, PolicyConfig::default());
    let expected = SteeringAnswer { action: Steering::SetDowntime, value: Some(500), reason: "because".into() };
    assert_eq!(answer, expected);
    let record = record.unwrap();
    assert_eq!((record.plugin.as_str(), record.hook.as_str(), &record.fault), ("mine", "convergence", &None));
    assert_eq!(record.answer, "set-downtime 500 ms: because");
    assert!(record.fuel > 0 && record.digest.len() == 64);
}

#[test]
fn an_answer_beyond_its_bounds_is_brought_back_to_them() {
    let (answer, record) = steer(&[("mine.wasm", &sets_downtime(9000))], PolicyConfig::default());
    assert_eq!((answer.action, answer.value), (Steering::SetDowntime, Some(2000)));
    assert_eq!(record.unwrap().fault, None);
    let gentle = policy(UNCHANGED, &saying_action(SET_THROTTLE, "(i64.const 5)"));
    let (answer, record) = steer(&[("mine.wasm", &gentle)], PolicyConfig::default());
    assert_eq!((answer.action, answer.value), (Steering::SetThrottle, Some(20)));
    assert_eq!(record.unwrap().answer, "set-throttle 20 %: because");
}

#[test]
fn whatever_else_it_answers_is_a_hold() {
    let long = "(i32.store (i32.const 64) (i32.const 1024)) (i32.store (i32.const 68) (i32.const 12))
        (i32.store (i32.const 88) (i32.const 1072)) (i32.store (i32.const 92) (i32.const 5000)) (i32.const 64)";
    let cases = [
        (saying_action(SUSPEND, "(i64.const 1)"), "suspend is not permitted"),
        (saying_action(SET_DOWNTIME, "(i64.const 0)"), "without a value"),
        (saying_action(TELEPORT, "(i64.const 1)"), "\"teleport\", which is none of: hold, set-downtime"),
        (long.to_owned(), "5000 bytes"),
        ("unreachable".to_owned(), "mine trapped"),
        ("(loop $forever (br $forever)) unreachable".to_owned(), "used up its fuel"),
    ];
    for (body, words) in cases {
        let (answer, record) = steer(&[("mine.wasm", &policy(UNCHANGED, &body))], PolicyConfig::default());
        assert_eq!((answer.action, answer.value), (Steering::Hold, None), "{words}");
        let record = record.unwrap();
        assert!(record.fault.as_ref().is_some_and(|fault| fault.contains(words)), "{words}: {record:?}");
        assert!(record.answer.starts_with("hold: "), "{record:?}");
    }
}

#[test]
fn an_opening_is_held_to_its_bounds() {
    let greedy = "(i32.store8 (i32.const 256) (i32.const 1)) (i64.store (i32.const 264) (i64.const 9000))
        (i32.store8 (i32.const 272) (i32.const 1)) (i32.store8 (i32.const 273) (i32.const 1))
        (i32.store8 (i32.const 276) (i32.const 1)) (i32.store (i32.const 280) (i32.const 1000))
        (i32.store (i32.const 292) (i32.const 1072)) (i32.store (i32.const 296) (i32.const 7)) (i32.const 256)";
    let (opening, record) = open(&policy(greedy, "unreachable"));
    let expected = Opening {
        max_downtime_ms: Some(2000),
        auto_converge: Some(true),
        auto_converge_initial: Some(99),
        ..Opening::unchanged("because")
    };
    assert_eq!(opening, expected);
    assert_eq!(record.answer, "open with max-downtime 2000 ms, auto-converge on, auto-converge-initial 99 %: because");
    assert_eq!((record.hook.as_str(), record.fault), ("convergence", None));
}

#[test]
fn an_opening_that_fails_changes_nothing() {
    for (body, words) in [("unreachable", "mine trapped"), ("(loop $forever (br $forever)) unreachable", "fuel")] {
        let (opening, record) = open(&policy(body, "unreachable"));
        assert_eq!(opening, Opening::unchanged(opening.reason.clone()));
        assert!(record.fault.as_ref().is_some_and(|fault| fault.contains(words)), "{record:?}");
    }
}

#[test]
fn without_a_convergence_policy_nothing_is_done_and_nothing_recorded() {
    let site = Site::with(&[("check.wasm", &saying("info", "i", "m"))]);
    let (answer, record) = site.runtime.steer(&question());
    assert_eq!((answer.action, record), (Steering::Hold, None));
    let (opening, record) = site.runtime.open(&opening_question());
    assert_eq!((opening.clone(), record), (Opening::unchanged(opening.reason), None));
}

#[test]
fn the_site_or_the_shipped_default_chooses_who_is_asked() {
    let (one, two) = (sets_downtime(100), sets_downtime(200));
    let files: [(&str, &[u8]); 3] =
        [("a.wasm", &one), ("convergence-adaptive.wasm", &two), ("check.wasm", &saying("info", "i", "m"))];
    let named = |name: &str| PolicyConfig { convergence: Some(PluginName::new(name)), ..PolicyConfig::default() };
    assert_eq!(steer(&files, PolicyConfig::default()).0.value, Some(200));
    assert_eq!(steer(&files, named("a")).0.value, Some(100));
    for (name, words) in [("c", "not in any plugin folder"), ("check", "no convergence hook")] {
        let (answer, record) = steer(&files, named(name));
        let record = record.unwrap();
        assert_eq!((answer.action, record.plugin.as_str()), (Steering::Hold, name));
        assert!(record.fault.as_ref().is_some_and(|fault| fault.contains(words)), "{record:?}");
    }
    let others: [(&str, &[u8]); 2] = [("a.wasm", &one), ("b.wasm", &two)];
    let (answer, record) = steer(&others, PolicyConfig::default());
    assert_eq!(answer.action, Steering::Hold);
    assert!(record.unwrap().fault.unwrap().contains("a and b are both convergence policies"));
}

#[test]
fn a_policy_that_only_advises_or_shadows_is_asked_and_not_obeyed() {
    for mode in [PolicyMode::Advise, PolicyMode::Shadow] {
        let config = PluginConfig { mode, ..PluginConfig::default() };
        let config = || PolicyConfig {
            plugins: BTreeMap::from([(PluginName::new("a"), config.clone())]),
            ..PolicyConfig::default()
        };
        let one = sets_downtime(100);
        let (answer, record) = steer(&[("a.wasm", &one)], config());
        let record = record.unwrap();
        assert_eq!((answer.action, record.mode), (Steering::Hold, mode));
        assert!(record.fault.unwrap().contains("its answer set-downtime 100 ms is not obeyed"));
        let holds = policy(UNCHANGED, &saying_action(HOLD, "(i64.const 1)"));
        assert_eq!(steer(&[("a.wasm", &holds)], config()).1.unwrap().fault, None, "nothing was advised");
        let files: [(&str, &[u8]); 2] = [("a.wasm", &one), ("b.wasm", &sets_downtime(200))];
        assert_eq!(steer(&files, config()).0.value, Some(200), "the one that is obeyed");
    }
}

/// Offsets of the fields of a record in wit/, in memory.
fn offsets(record: &str) -> BTreeMap<String, usize> {
    let resolve = resolve();
    let mut sizes = SizeAlign::default();
    sizes.fill(&resolve);
    let (_, found) = resolve.types.iter().find(|(_, def)| def.name.as_deref() == Some(record)).unwrap();
    let TypeDefKind::Record(found) = &found.kind else { panic!("{record} is no record") };
    let offsets = sizes.field_offsets(found.fields.iter().map(|field| &field.ty));
    found.fields.iter().zip(offsets).map(|(field, (at, _))| (field.name.clone(), at.size_wasm32())).collect()
}

#[test]
fn the_question_has_the_readings_and_the_limit_in_force() {
    let (question, transfer) = (offsets("steering-question"), offsets("transfer"));
    let length = |list: &str| format!("(i64.extend_i32_u (i32.load offset={} (local.get $q)))", question[list] + 4);
    // An option of u64: 8 bytes for which, then the number.
    let limit = question["transfer"] + transfer["max-downtime-ms"] + 8;
    let value = format!(
        "(i64.add (i64.load offset={limit} (local.get $q)) (i64.add (i64.mul (i64.const 1000) {})
            (i64.add (i64.mul (i64.const 100) {}) (i64.mul (i64.const 10) {}))))",
        length("samples"),
        length("passes"),
        length("steered"),
    );
    let echo = policy(UNCHANGED, &saying_action(SET_DOWNTIME, &value));
    let mut asked = super::convergence::question();
    asked.bounds.max_downtime_ms = 1_000_000;
    let (answer, _) = Site::with(&[("mine.wasm", &echo)]).runtime.steer(&asked);
    assert_eq!(answer.value, Some(3 * 1000 + 2 * 100 + 3 * 10 + 450), "{answer:?}");
}
