//! What policies say arrives, what they read is noted, and what they may not see they can't.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use waypost_core::finding::{Severity, host_codes};
use waypost_core::ids::{HostName, PluginName};
use waypost_core::ports::{Policies as _, StorageProbe};
use waypost_core::verdict::{Decision, PolicyMode};
use waypost_policy::{Grant, PluginConfig, PolicyConfig};

use super::support::{self, Site, request, saying, snapshot};

fn configured(name: &str, config: PluginConfig) -> PolicyConfig {
    PolicyConfig { plugins: BTreeMap::from([(PluginName::new(name), config)]), ..PolicyConfig::default() }
}

/// Reads the machine of the domain, and of each destination its name and the pool `default`.
const READS: &str = r#"
    (local $at i32) (local $left i32)
    (call $machine (i32.load offset=104 (local.get $args)) (i32.const 200))
    (local.set $at (i32.load offset=112 (local.get $args)))
    (local.set $left (i32.load offset=116 (local.get $args)))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (call $name (i32.load (local.get $at)) (i32.const 200))
      (call $pool (i32.load (local.get $at)) (i32.const 1024) (i32.const 7) (i32.const 200))
      (call $pool (i32.load (local.get $at)) (i32.const 1024) (i32.const 7) (i32.const 200))
      (call $drop-host (i32.load (local.get $at)))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next)))
    (call $nothing (local.get $args))
"#;

const READS_IMPORTS: &str = r#"
  (import "waypost:facts/inventory@0.1.0" "[method]domain-facts.machine" (func $machine (param i32 i32)))
  (import "waypost:facts/inventory@0.1.0" "[method]host-facts.name" (func $name (param i32 i32)))
  (import "waypost:facts/inventory@0.1.0" "[method]host-facts.pool" (func $pool (param i32 i32 i32 i32)))
"#;

#[test]
fn a_policy_is_asked_through_resources_and_what_it_reads_is_recorded() {
    let site = Site::with(&[("reader.wasm", &reader())]);
    let judgement = site.judge();
    assert!(
        judgement.verdicts.iter().all(|verdict| verdict.findings.is_empty() && verdict.decision() == Decision::Allowed)
    );
    let [record] = judgement.decisions.as_slice() else { panic!("{:?}", judgement.decisions) };
    assert_eq!(
        record.facts_read,
        ["domain.machine", "kvm1.name", "kvm1.pool(default)", "kvm2.name", "kvm2.pool(default)"]
    );
    assert_eq!((record.hook.as_str(), record.answer.as_str(), &record.fault), ("precheck", "nothing to say", &None));
    assert_eq!(record.digest.len(), 64);
    assert!(record.fuel > 0);
}

fn reader() -> Vec<u8> {
    let data = r#"(data (i32.const 1024) "default")"#;
    let fields = format!("{} {data} {}", support::ACCEPT, support::check(READS));
    support::with_imports(support::PRECHECK, READS_IMPORTS, &fields)
}

#[test]
fn findings_keep_their_policy_and_mode_and_stand_in_the_order_of_names() {
    let config = configured("b", PluginConfig { mode: PolicyMode::Advise, ..PluginConfig::default() });
    let files: [(&str, &[u8]); 2] =
        [("b.wasm", &saying("blocker", "no-b", "B says no")), ("a.wasm", &saying("warning", "maybe", "A isn't sure"))];
    let site = Site::configured(&files, config);
    let judgement = site.judge();
    assert_eq!(judgement.verdicts.iter().map(|v| v.destination.as_str()).collect::<Vec<_>>(), ["kvm1", "kvm2"]);
    for verdict in &judgement.verdicts {
        let seen: Vec<_> =
            verdict.findings.iter().map(|j| (j.plugin.as_str(), j.mode, j.finding.code.as_str(), j.weight())).collect();
        assert_eq!(
            seen,
            [
                ("a", PolicyMode::Enforce, "maybe", Severity::Warning),
                ("b", PolicyMode::Advise, "no-b", Severity::Warning),
            ]
        );
        assert_eq!(verdict.decision(), Decision::Allowed);
    }
    site.runtime.configure(PolicyConfig::default());
    assert!(site.judge().verdicts.iter().all(|verdict| verdict.decision() == Decision::Refused));
    assert!(site.judge().decisions[1].answer.contains("kvm2: blocker no-b: B says no"));
}

#[test]
fn without_any_precheck_nothing_may_move() {
    let site = Site::with(&[]);
    let finding = site.only();
    assert_eq!((finding.code.as_str(), finding.severity), (host_codes::NO_PRECHECK, Severity::Blocker));
    assert!(finding.evidence[0].1.contains("plugins"), "{finding:?}");
    assert_eq!(site.judge().verdicts[0].findings[0].plugin.as_str(), "waypost");
}

#[test]
fn refused_settings_block_until_they_are_mended() {
    // Accepts only an empty object: two bytes.
    let validate = r#"(func (export "waypost:precheck/check@0.1.0#validate-settings") (param $at i32) (param $len i32) (result i32)
        (i32.store8 (i32.const 96) (i32.ne (local.get $len) (i32.const 2)))
        (i32.store (i32.const 100) (i32.const 1024)) (i32.store (i32.const 104) (i32.const 14)) (i32.const 96))
        (data (i32.const 1024) "unknown key: x")"#;
    let guest = support::with_prelude(
        support::PRECHECK,
        &format!("{validate} {}", support::check("(call $nothing (local.get $args))")),
    );
    let with =
        |settings: &str| configured("picky", PluginConfig { settings: settings.to_owned(), ..PluginConfig::default() });
    let site = Site::configured(&[("picky.wasm", &guest)], with(r#"{"x": 1}"#));
    let finding = site.only();
    assert_eq!((finding.code.as_str(), finding.severity), (host_codes::SETTINGS_REFUSED, Severity::Blocker));
    assert!(finding.message.contains("picky") && finding.message.contains("unknown key: x"), "{finding:?}");
    site.runtime.configure(with("{}"));
    assert_eq!(site.findings(), []);
    site.runtime.configure(with("{"));
    let finding = site.only();
    assert_eq!(finding.code, host_codes::SETTINGS_REFUSED);
    assert!(finding.message.contains("no JSON"), "{finding:?}");
}

/// Asks the probe about the pools `a` and `b` of the first destination; says the code `shared` if they are one.
fn prober() -> Vec<u8> {
    let imports =
        r#"(import "waypost:facts/storage-probe@0.1.0" "shared" (func $shared (param i32 i32 i32 i32 i32 i32)))"#;
    let body = r#"
        (call $shared (i32.load (i32.load offset=112 (local.get $args))) (i32.const 1024) (i32.const 1) (i32.const 1025) (i32.const 1) (i32.const 200))
        (if (result i32) (i32.load8_u (i32.const 200))
          (then (call $say (local.get $args) (i32.const 1) (i32.const 1040) (i32.const 8) (i32.load (i32.const 204)) (i32.load (i32.const 208))))
          (else (if (result i32) (i32.load8_u (i32.const 204))
            (then (call $say (local.get $args) (i32.const 0) (i32.const 1032) (i32.const 6) (i32.const 1032) (i32.const 6)))
            (else (call $nothing (local.get $args))))))"#;
    let data = r#"(data (i32.const 1024) "ab") (data (i32.const 1032) "shared  unproven")"#;
    let fields = format!("{} {data} {}", support::ACCEPT, support::check(body));
    support::with_imports(support::PRECHECK, imports, &fields)
}

struct Probe(Mutex<Vec<String>>);
impl StorageProbe for Probe {
    #[expect(clippy::disallowed_methods, reason = "that a host is slow is what is tested")]
    fn shared(&self, destination: &HostName, source_pool: &str, destination_pool: &str) -> Result<bool, String> {
        self.0.lock().unwrap().push(format!("{destination} {source_pool} {destination_pool}"));
        // Longer than the policy's own deadline below: waiting for the host is not the policy's time.
        std::thread::sleep(std::time::Duration::from_millis(120));
        Ok(true)
    }
}

#[test]
fn the_probe_exists_for_whom_it_was_granted_and_its_time_is_not_the_policys() {
    let site = Site::with(&[("prober.wasm", &prober())]);
    let finding = site.only();
    assert_eq!(finding.code, host_codes::NOT_LOADED);
    assert!(finding.message.contains("waypost:facts/storage-probe@0.1.0"), "{finding:?}");
    assert!(finding.remedy.unwrap().contains("grant `storage-probe`"));

    let mut config = PluginConfig { grants: [Grant::StorageProbe].into(), ..PluginConfig::default() };
    config.limits.deadline_ms = 50;
    site.runtime.configure(configured("prober", config));
    let finding = site.only();
    assert_eq!(finding.code, "unproven", "without a probe at hand it says why: {finding:?}");

    let probe = Probe(Mutex::new(Vec::new()));
    let judgement = site.runtime.precheck(&request(), &snapshot(1), Some(&probe));
    assert_eq!(judgement.verdicts[0].findings[0].finding.code, "shared", "{judgement:?}");
    assert_eq!(*probe.0.lock().unwrap(), ["kvm1 a b"]);
    assert_eq!(judgement.decisions[0].facts_read, ["kvm1.shared(a,b)"]);

    site.runtime.configure(PolicyConfig::default());
    assert_eq!(site.only().code, host_codes::NOT_LOADED, "what is no longer granted is gone at once");
}

#[test]
fn many_threads_ask_at_once_and_hear_the_same() {
    let site = Site::with(&[("reader.wasm", &reader()), ("no.wasm", &saying("blocker", "no", "never"))]);
    let snapshot = snapshot(10);
    let mut expected = support::judge(&site.runtime, &snapshot);
    expected.decisions.iter_mut().for_each(|record| record.micros = 0);
    let (site, snapshot, expected) = (&site, &snapshot, Arc::new(expected));
    std::thread::scope(|scope| {
        // More than the pool has slots: the rest waits for its turn.
        for _ in 0..48 {
            let expected = Arc::clone(&expected);
            scope.spawn(move || {
                for _ in 0..5 {
                    let mut judgement = support::judge(&site.runtime, snapshot);
                    judgement.decisions.iter_mut().for_each(|record| record.micros = 0);
                    assert_eq!(judgement, *expected, "fuel and all");
                }
            });
        }
    });
}
