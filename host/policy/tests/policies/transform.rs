//! The transform hook: all of them are asked, their edits are put together, and whoever has no usable answer, or contradicts
//! another, refuses the destination.

use std::collections::BTreeMap;
use std::sync::Arc;

use waypost_core::edit::EditKind;
use waypost_core::finding::Severity;
use waypost_core::ids::{Moment, PluginName};
use waypost_core::ports::{Policies as _, Transformation, Transformed};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::verdict::PolicyMode;
use waypost_policy::{PluginConfig, PolicyConfig};

use super::support::{Site, saying, snapshot, with_imports};

const WORLD: &str = "waypost:transform/transform";
const DROPS: &str = r#"
  (import "waypost:facts/inventory@0.1.0" "[resource-drop]domain-facts" (func $drop-domain (param i32)))
  (import "waypost:facts/inventory@0.1.0" "[resource-drop]host-facts" (func $drop-host (param i32)))
"#;

/// A policy with this body; it accepts any settings but `{"no":1}`, which is longer than `{}`.
fn policy(body: &str, data: &str) -> Vec<u8> {
    let accept = r#"(data (i32.const 3072) "none are taken")
      (func (export "waypost:transform/rewrite@0.1.0#validate-settings") (param i32) (param $length i32) (result i32)
        (i32.store8 (i32.const 96) (i32.gt_u (local.get $length) (i32.const 2)))
        (i32.store (i32.const 100) (i32.const 3072)) (i32.store (i32.const 104) (i32.const 14)) (i32.const 96))"#;
    // A request is five values in ten words; then the domain, the source and the list of destinations.
    let rewrite = format!(
        r#"(func (export "waypost:transform/rewrite@0.1.0#rewrite")
            (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i64) (param $domain i32) (param $source i32) (param i32)
            (param $count i32) (result i32) (local $list i32) (local $at i32)
            (call $drop-domain (local.get $domain)) (call $drop-host (local.get $source)) {body})"#
    );
    with_imports(WORLD, DROPS, &format!("{accept} {data} {rewrite}"))
}

/// The title of the domain becomes that, on each destination: an edit at 512, and a list of lists of it.
fn titled(title: &str) -> Vec<u8> {
    let body = format!(
        r#"(i32.store8 (i32.const 512) (i32.const 8)) (i32.store8 (i32.const 516) (i32.const 1))
           (i32.store (i32.const 520) (i32.const 1024)) (i32.store (i32.const 524) (i32.const {}))
           (i32.store (i32.const 536) (i32.const 2048)) (i32.store (i32.const 540) (i32.const 7))
           (local.set $list (call $alloc (i32.mul (i32.const 8) (local.get $count))))
           (block $done (loop $next
             (br_if $done (i32.eq (local.get $at) (local.get $count)))
             (i32.store (i32.add (local.get $list) (i32.mul (i32.const 8) (local.get $at))) (i32.const 512))
             (i32.store offset=4 (i32.add (local.get $list) (i32.mul (i32.const 8) (local.get $at))) (i32.const 1))
             (local.set $at (i32.add (local.get $at) (i32.const 1)))
             (br $next)))
           (i32.store (i32.const 64) (local.get $list)) (i32.store (i32.const 68) (local.get $count)) (i32.const 64)"#,
        title.len()
    );
    let data =
        format!(r#"(data (i32.const 1024) "{}") (data (i32.const 2048) "because")"#, title.replace('\n', "\\0a"));
    policy(&body, &data)
}

fn asked(files: &[(&str, &[u8])], config: PolicyConfig) -> (Transformation, Site) {
    let site = Site::configured(files, config);
    let request = CheckRequest { options: Options::default(), requester: "test".into(), decided_at: Moment(1) };
    let facts = snapshot(2);
    let transformation = site.runtime.transform(&request, &facts);
    assert_eq!(site.runtime.transforms(), !transformation.each.is_empty());
    // What is said of one destination is said of the other here.
    if let [first, second] = &transformation.each[..] {
        assert_eq!(first, second);
    }
    drop(Arc::clone(&facts));
    (transformation, site)
}

fn first(files: &[(&str, &[u8])]) -> Transformed {
    asked(files, PolicyConfig::default()).0.each.remove(0)
}

#[track_caller]
fn assert_refused(files: &[(&str, &[u8])], code: &str, says: &[&str]) {
    let Transformed { edits, findings } = first(files);
    assert!(edits.is_empty(), "{edits:?}");
    let finding = findings.iter().find(|judged| judged.finding.code == code);
    let finding = &finding.unwrap_or_else(|| panic!("{code}: {findings:?}")).finding;
    assert_eq!(finding.severity, Severity::Blocker);
    let text = format!("{} {:?}", finding.message, finding.evidence);
    for part in says {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(finding.remedy.is_some(), "a blocker without a remedy");
}

#[test]
fn without_a_transform_policy_nobody_is_asked() {
    let (transformation, _) = asked(&[("check.wasm", &saying("info", "i", "m"))], PolicyConfig::default());
    assert_eq!(transformation, Transformation::default());
}

#[test]
fn an_edit_names_its_policy_its_place_and_its_reason() {
    let (transformation, site) = asked(&[("transform-a.wasm", &titled("one"))], PolicyConfig::default());
    let edit = &transformation.each[0].edits.0[0];
    assert_eq!((edit.kind, edit.device.as_deref(), edit.before.as_deref()), (EditKind::Title, None, None));
    assert_eq!(
        (edit.plugin.as_str(), edit.after.as_deref(), edit.reason.as_str()),
        ("transform-a", Some("one"), "because")
    );
    assert_eq!(transformation.each[0].findings, []);
    let record = &transformation.decisions[0];
    assert_eq!((record.hook.as_str(), record.fault.as_deref()), ("transform", None));
    assert!(record.answer.contains("title: nothing becomes one (because)"), "{}", record.answer);
    // It is no precheck, so it has nothing to say there.
    assert!(site.judge().decisions.is_empty());
}

#[test]
fn two_that_want_the_same_agree_and_two_that_do_not_refuse_with_both_names() {
    let one = titled("one");
    let agreed = first(&[("transform-b.wasm", &one), ("transform-a.wasm", &one)]);
    assert_eq!(agreed.edits.0.iter().map(|edit| edit.plugin.as_str()).collect::<Vec<_>>(), ["transform-a"]);
    assert_refused(
        &[("transform-b.wasm", &titled("two")), ("transform-a.wasm", &one)],
        "edit-conflict",
        &["transform-a and transform-b want different things of title", "one (because)", "two (because)"],
    );
}

#[test]
fn a_policy_without_a_usable_answer_refuses() {
    let one = titled("one");
    for (body, code) in [
        ("unreachable", "plugin-trapped"),
        ("(loop $for_ever (br $for_ever)) (i32.const 64)", "plugin-out-of-fuel"),
        // No list for any destination.
        ("(i32.store (i32.const 68) (i32.const 0)) (i32.const 64)", "plugin-answer-unusable"),
    ] {
        assert_refused(&[("mine.wasm", &policy(body, "")), ("transform-a.wasm", &one)], code, &["mine"]);
    }
    assert_refused(&[("mine.wasm", &titled("two\nlines"))], "edit-unusable", &["mine", "title", "control characters"]);
}

fn configured(name: &str, plugin: PluginConfig) -> PolicyConfig {
    PolicyConfig { plugins: BTreeMap::from([(PluginName::new(name), plugin)]), ..PolicyConfig::default() }
}

#[test]
fn refused_settings_refuse() {
    let config = configured("mine", PluginConfig { settings: r#"{"no":1}"#.into(), ..PluginConfig::default() });
    let (transformation, _) = asked(&[("mine.wasm", &titled("one"))], config);
    let finding = &transformation.each[0].findings[0].finding;
    assert_eq!(finding.code, "plugin-settings-refused");
    assert!(finding.message.contains("none are taken") && transformation.each[0].edits.is_empty(), "{finding:?}");
}

#[test]
fn one_that_advises_or_shadows_edits_nothing() {
    for mode in [PolicyMode::Advise, PolicyMode::Shadow] {
        let config = configured("mine", PluginConfig { mode, ..PluginConfig::default() });
        let (mut transformation, _) = asked(&[("mine.wasm", &titled("one"))], config);
        let Transformed { edits, findings } = transformation.each.remove(0);
        assert!(edits.is_empty());
        assert!(transformation.decisions[0].answer.contains("title: nothing becomes one"), "it is on record");
        let codes: Vec<_> = findings.iter().map(|judged| judged.finding.code.as_str()).collect();
        assert_eq!(codes, if mode == PolicyMode::Advise { vec!["edit-advised"] } else { vec![] });
    }
    let config = configured("mine", PluginConfig { mode: PolicyMode::Advise, ..PluginConfig::default() });
    let (transformation, _) =
        asked(&[("mine.wasm", &policy("unreachable", "")), ("other.wasm", &titled("one"))], config);
    let there = &transformation.each[0];
    assert_eq!(there.edits.0.len(), 1, "an advising policy's failure stops nobody");
    assert_eq!(there.findings[0].weight(), Severity::Warning);
}
