//! Whatever a guest does, the answer is a blocker that names it and the cause, and its neighbour is not touched.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use waypost_core::finding::{Finding, Severity, host_codes};
use waypost_core::ids::PluginName;
use waypost_policy::{Limits, PluginConfig, PolicyConfig};

use super::support::{self, Site, precheck, saying, with_prelude};

/// The finding that stands for the guest's answer; its neighbour has been heard as well.
fn failure_of(guest: &[u8], limits: Limits) -> Finding {
    let config = PluginConfig { limits, ..PluginConfig::default() };
    let config =
        PolicyConfig { plugins: BTreeMap::from([(PluginName::new("bad"), config)]), ..PolicyConfig::default() };
    let site = Site::configured(&[("bad.wasm", guest), ("good.wasm", &saying("info", "fine", "all is well"))], config);
    for _ in 0..2 {
        let findings = site.findings();
        assert_eq!(findings.len(), 2, "{findings:?}");
        assert_eq!(findings[1].code, "fine");
        assert_eq!(findings[0].severity, Severity::Blocker);
        assert!(findings[0].message.contains("bad"), "{:?}", findings[0]);
        assert!(findings[0].remedy.is_some());
    }
    let judgement = site.judge();
    assert!(judgement.decisions[0].fault.is_some() && judgement.decisions[1].fault.is_none());
    site.findings().into_iter().next().unwrap()
}

fn standard(guest: &[u8]) -> Finding {
    failure_of(guest, Limits::default())
}

const FOREVER: &str = "(loop $again (br $again)) unreachable";

#[test]
fn an_endless_loop_ends_with_its_fuel() {
    let finding = failure_of(&precheck("", FOREVER), Limits { fuel: 10_000_000, ..Limits::default() });
    assert_eq!(finding.code, host_codes::OUT_OF_FUEL, "{finding:?}");
}

#[test]
fn an_endless_loop_with_endless_fuel_ends_with_its_time() {
    let started = Instant::now();
    let finding = failure_of(&precheck("", FOREVER), Limits { fuel: u64::MAX, deadline_ms: 50, ..Limits::default() });
    assert_eq!(finding.code, host_codes::TIMED_OUT, "{finding:?}");
    assert!(started.elapsed() < Duration::from_secs(20), "{:?}", started.elapsed());
}

#[test]
fn a_memory_bomb_ends_where_it_asks_for_too_much() {
    let eat = "(loop $again (drop (memory.grow (i32.const 16))) (br $again)) unreachable";
    let finding = standard(&precheck("", eat));
    assert_eq!(finding.code, host_codes::OUT_OF_MEMORY, "{finding:?}");
    assert!(finding.message.contains("33554432 are allowed"), "{finding:?}");
    assert!(finding.evidence.iter().any(|(name, _)| name == "backtrace"), "{finding:?}");
}

#[test]
fn a_deep_recursion_ends_on_its_own_stack() {
    let guest = with_prelude(
        support::PRECHECK,
        &format!(
            "(func $deep (param i32) (result i32) (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (i32.const 1))) {} {}",
            support::ACCEPT,
            support::check("(call $deep (local.get $args))")
        ),
    );
    let finding = standard(&guest);
    assert_eq!(finding.code, host_codes::TRAPPED, "{finding:?}");
    assert!(finding.message.contains("stack"), "{finding:?}");
    assert!(finding.evidence.iter().any(|(_, value)| value.contains("deep")), "{finding:?}");
}

#[test]
fn a_trap_names_its_cause() {
    let finding = standard(&precheck("", "unreachable"));
    assert_eq!(finding.code, host_codes::TRAPPED);
    assert!(finding.message.contains("unreachable"), "{finding:?}");
    let finding = standard(&precheck("", "(i32.div_u (i32.const 1) (i32.const 0))"));
    assert!(finding.message.contains("divide by zero"), "{finding:?}");
}

#[test]
fn a_panic_is_shown_with_its_text_and_place() {
    let imports =
        r#"(import "waypost:facts/environment@0.1.0" "panicked" (func $panicked (param i32 i32 i32 i32 i32 i32)))"#;
    let body = r#"(call $panicked (i32.const 1024) (i32.const 20) (i32.const 1056) (i32.const 10) (i32.const 42) (i32.const 7)) unreachable"#;
    let data = r#"(data (i32.const 1024) "index\n out of bounds") (data (i32.const 1056) "src/lib.rs")"#;
    let fields = format!("{} {data} {}", support::ACCEPT, support::check(body));
    let finding = standard(&support::with_imports(support::PRECHECK, imports, &fields));
    assert_eq!(finding.code, host_codes::TRAPPED);
    assert_eq!(finding.message, "policy bad panicked at src/lib.rs:42:7: index  out of bounds");
}

#[test]
fn endless_host_calls_end_at_their_limit() {
    let imports = r#"(import "waypost:facts/inventory@0.1.0" "[method]domain-facts.vcpus" (func $vcpus (param i32) (result i32)))"#;
    let body = "(loop $again (drop (call $vcpus (i32.load offset=104 (local.get $args)))) (br $again)) unreachable";
    let finding = failure_of(&precheck(imports, body), Limits { host_calls: 1000, ..Limits::default() });
    assert_eq!(finding.code, host_codes::HOST_CALL_LIMIT, "{finding:?}");
    assert!(finding.message.contains("1000"), "{finding:?}");
}

#[test]
fn what_look_ups_leave_in_the_host_is_bounded() {
    let imports = r#"(import "waypost:facts/inventory@0.1.0" "[method]domain-facts.metadata" (func $metadata (param i32 i32 i32 i32)))"#;
    let body = "(loop $again (call $metadata (i32.load offset=104 (local.get $args)) (i32.const 1024) (i32.const 60000) (i32.const 200)) (br $again)) unreachable";
    let finding = standard(&precheck(imports, body));
    assert_eq!(finding.code, host_codes::HOST_CALL_LIMIT, "{finding:?}");
    assert!(finding.message.contains("keys"), "{finding:?}");
}

#[test]
fn an_answer_of_100_megabytes_is_not_taken() {
    // Cheap to make: 64 findings that all show the same 2 MiB as their message.
    let body = r#"(local $list i32) (local $finding i32) (local $left i32)
      (drop (memory.grow (i32.const 64)))
      (local.set $finding (call $alloc (i32.const 2560)))
      (local.set $list (local.get $finding))
      (local.set $left (i32.const 64))
      (loop $next
        (i32.store offset=4 (local.get $finding) (i32.const 1))
        (i32.store offset=12 (local.get $finding) (i32.const 262144))
        (i32.store offset=16 (local.get $finding) (i32.const 2097152))
        (local.set $finding (i32.add (local.get $finding) (i32.const 40)))
        (local.set $left (i32.sub (local.get $left) (i32.const 1)))
        (br_if $next (local.get $left)))
      (drop (call $nothing (local.get $args)))
      (i32.store (i32.load (i32.const 64)) (local.get $list))
      (i32.store offset=4 (i32.load (i32.const 64)) (i32.const 64))
      (i32.const 64)"#;
    let finding = standard(&precheck("", body));
    assert_eq!(finding.code, host_codes::HOST_CALL_LIMIT, "{finding:?}");
    assert!(finding.message.contains("more data"), "{finding:?}");
}

#[test]
fn an_answer_out_of_its_memory_is_none() {
    let body =
        "(i32.store (i32.const 64) (i32.const 2147483640)) (i32.store (i32.const 68) (i32.const 2)) (i32.const 64)";
    assert_eq!(standard(&precheck("", body)).code, host_codes::NONSENSE);
}

#[test]
fn an_answer_for_other_destinations_than_were_asked_about_is_none() {
    let body = "(drop (call $nothing (local.get $args))) (i32.store (i32.const 68) (i32.const 1)) (i32.const 64)";
    let finding = standard(&precheck("", body));
    assert_eq!(finding.code, host_codes::NONSENSE);
    assert!(finding.message.contains("1 destinations and was asked about 2"), "{finding:?}");
}

#[test]
fn findings_outside_their_bounds_are_none() {
    let long = "x".repeat(65);
    for (code, message, word) in [
        ("Not-A-Code", "m", "code"),
        ("with space", "m", "code"),
        ("", "m", "code"),
        (long.as_str(), "m", "code"),
        ("code", " ", "without a message"),
    ] {
        let finding = standard(&saying("info", code, message));
        assert_eq!(finding.code, host_codes::NONSENSE, "{code:?}");
        assert!(finding.message.contains(word), "{finding:?}");
    }
    let body =
        "(call $say (local.get $args) (i32.const 0) (i32.const 1024) (i32.const 4) (i32.const 2048) (i32.const 4097))";
    let data = r#"(data (i32.const 1024) "code")"#;
    let fields = format!("{} {data} {}", support::ACCEPT, support::check(body));
    let finding = standard(&with_prelude(support::PRECHECK, &fields));
    assert_eq!(finding.code, host_codes::NONSENSE);
    assert!(finding.message.contains("4097 bytes"), "{finding:?}");
}

#[test]
fn text_that_would_steer_a_terminal_is_tamed() {
    let guest = saying("blocker", "no", "red \\1b[31m\\nnot");
    // The length that `saying` takes is that of the escaped text, so what follows it is memory that was never written.
    let site = Site::with(&[("odd.wasm", &guest)]);
    let finding = site.only();
    assert!(finding.message.starts_with("red  [31m not"), "{finding:?}");
    assert!(!finding.message.chars().any(char::is_control), "{finding:?}");
}

#[test]
fn a_guest_that_holds_on_to_a_borrowed_handle_gets_no_further() {
    // Dropping what it was only lent, then using it.
    let imports = r#"(import "waypost:facts/inventory@0.1.0" "[method]domain-facts.vcpus" (func $vcpus (param i32) (result i32)))"#;
    let body = "(call $drop-domain (i32.load offset=104 (local.get $args))) (drop (call $vcpus (i32.load offset=104 (local.get $args)))) unreachable";
    let finding = standard(&precheck(imports, body));
    assert!([host_codes::TRAPPED, host_codes::NONSENSE].contains(&finding.code.as_str()), "{finding:?}");
    // A handle that was never given, and one of another type.
    for handle in ["(i32.const 77)", "(i32.load offset=108 (local.get $args))"] {
        let body = format!("(drop (call $vcpus {handle})) unreachable");
        let finding = standard(&precheck(imports, &body));
        assert_ne!(finding.message, "policy bad trapped: wasm `unreachable` instruction executed", "{handle}");
    }
}

#[test]
fn a_hundred_failures_leave_every_slot_free() {
    let site = Site::with(&[("bad.wasm", &precheck("", "unreachable"))]);
    for _ in 0..100 {
        assert_eq!(site.only().code, host_codes::TRAPPED);
    }
}
