//! What one precheck costs, and how much of that is the policy's own work.
//!
//! Each shipped precheck is asked in a fresh sandbox on realistic facts (3 disks, 2 interfaces, 5 pools and 50 domains a
//! host), turn by turn with its *floor*: a guest, made here from the facts that the policy was seen to read, that makes
//! the same look-ups in an instance of the same engine and throws the results away. A look-up that the policy makes twice
//! is made once by its floor, and the floor finds nothing, so the ratio is rather too high than too low; a policy that has
//! something to say pays for its sentences and is shown apart. In the same run a shell hook that does nothing is forked
//! and executed: what a libvirt or vdsm hook costs before its first line. The last lines are the price of a start:
//! loading every policy, compiled and out of the cache.
//!
//! `cargo bench -p waypost-policy --bench cost -- [FOLDER OF PLUGINS] [DESTINATIONS]`; without arguments the promises of
//! one destination are checked, and a missed one makes the exit code 1.
#![allow(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;
use std::time::{Duration, Instant};

use waypost_core::facts::Snapshot;
use waypost_core::ports::Policies as _;
use waypost_policy::{Hook, Places, PolicyConfig, PolicyRuntime, Watch};
use wit_parser::abi::{AbiVariant, WasmType};
use wit_parser::{Resolve, WorldItem};

#[path = "../tests/policies/support.rs"]
mod support;

/// Rounds per policy; each asks the policy and its floor once.
const ROUNDS: usize = 4000;

/// Times that the empty hook is run.
const HOOKS: usize = 200;
/// A policy is to be this many times faster than an empty shell hook.
const FASTER_THAN_HOOK: f64 = 20.0;
/// And to cost at most this many times its floor.
const OVER_FLOOR: f64 = 1.5;

fn main() -> ExitCode {
    // cargo passes --bench to what it runs.
    let mut args = std::env::args().skip(1).filter(|argument| argument != "--bench");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/plugins");
    let folder = args.next().map_or(shipped, PathBuf::from);
    let destinations: usize = args.next().map_or(1, |text| text.parse().unwrap());
    let work = tempfile::tempdir().unwrap();
    let snapshot = support::snapshot(destinations);
    let all = open(&folder, &work.path().join("cache"));
    let hook = at(&hooks(), 50);
    println!("fork and exec of an empty shell hook: {hook:.0} µs (median of {HOOKS})");
    let (mut over_floor, mut faster) = (Vec::new(), Vec::new());
    println!("one call, {destinations} destination(s), {ROUNDS} rounds each, µs (median, 99th percentile)");
    println!(
        "{:24} {:>8} {:>8} {:>8}   {:>8} {:>8}   {:>5}",
        "policy", "look-ups", "median", "99 %", "floor", "99 %", "ratio"
    );
    for status in all.list() {
        let Some(loaded) = status.loaded.filter(|loaded| loaded.hooks.contains(&Hook::Precheck)) else { continue };
        let alone = work.path().join(loaded.digest);
        std::fs::create_dir(&alone).unwrap();
        std::fs::copy(status.file.unwrap(), alone.join("rule.wasm")).unwrap();
        let policy = open(&alone, &work.path().join("cache"));
        let judgement = policy.precheck(&support::request(), &snapshot, None);
        let read = judgement.decisions[0].facts_read.clone();
        let silent = judgement.verdicts.iter().all(|verdict| verdict.findings.is_empty());
        std::fs::write(alone.join("rule.wasm"), floor(&read)).unwrap();
        let floor = open(&alone, &work.path().join("cache"));
        let record = &floor.precheck(&support::request(), &snapshot, None).decisions[0];
        assert_eq!((&record.facts_read, &record.fault), (&read, &None), "the floor reads what the policy reads");
        let (policy, floor) = compare(&policy, &floor, &snapshot);
        // The floor says nothing; a policy that has something to say pays for its sentences as well, and is told apart.
        if silent {
            over_floor.push(at(&policy, 50) / at(&floor, 50));
        }
        faster.push(hook / at(&policy, 50));
        println!(
            "{:24} {:>8} {:>8.1} {:>8.1}   {:>8.1} {:>8.1}   {:>5.2}{}",
            status.name.as_str(),
            read.len(),
            at(&policy, 50),
            at(&policy, 99),
            at(&floor, 50),
            at(&floor, 99),
            at(&policy, 50) / at(&floor, 50),
            if silent { "" } else { "  with a finding" },
        );
    }
    for (what, cache) in [("compiled", work.path().join("other")), ("out of the cache", work.path().join("other"))] {
        let started = Instant::now();
        let runtime = open(&folder, &cache);
        println!(
            "start with {} policies, {what}: {:.1} ms",
            runtime.list().len(),
            started.elapsed().as_secs_f64() * 1e3
        );
    }
    println!("memory of instances: {:?}", all.allocation());
    let worst = |values: &[f64], better: fn(f64, f64) -> f64| values.iter().copied().reduce(better).unwrap();
    let (slowest, dearest) = (worst(&faster, f64::min), worst(&over_floor, f64::max));
    let promised = destinations == 1;
    let told = |kept: bool| {
        if !promised {
            "    "
        } else if kept {
            "ok  "
        } else {
            "MISS"
        }
    };
    let (hook_kept, floor_kept) = (slowest >= FASTER_THAN_HOOK, dearest <= OVER_FLOOR);
    println!(
        "{} the slowest policy is {slowest:.0} times faster than an empty shell hook (promised: 20)",
        told(hook_kept)
    );
    println!(
        "{} the dearest policy without a finding costs {dearest:.2} times its floor (promised: 1.5)",
        told(floor_kept)
    );
    if promised && !(hook_kept && floor_kept) { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// Times of a hook that does nothing, sorted.
fn hooks() -> Vec<Duration> {
    let run = || {
        let started = Instant::now();
        assert!(Command::new("sh").args(["-c", ":"]).status().unwrap().success());
        started.elapsed()
    };
    let mut times: Vec<Duration> = (0..HOOKS).map(|_| run()).collect();
    times.sort_unstable();
    times
}

fn open(folder: &Path, cache: &Path) -> PolicyRuntime {
    let places = Places { folders: vec![folder.to_owned()], cache: Some(cache.to_owned()), watch: Watch::Off };
    let runtime = PolicyRuntime::open(places, PolicyConfig::default()).unwrap();
    assert!(!runtime.list().is_empty(), "no policies in {}: build them with `make plugins`", folder.display());
    runtime
}

/// Times of both, in turns, so that whatever else the machine does hits both alike.
fn compare(policy: &PolicyRuntime, floor: &PolicyRuntime, snapshot: &Arc<Snapshot>) -> (Vec<Duration>, Vec<Duration>) {
    let request = support::request();
    let time = |runtime: &PolicyRuntime| {
        let started = Instant::now();
        std::hint::black_box(runtime.precheck(&request, snapshot, None));
        started.elapsed()
    };
    for runtime in [policy, floor].iter().cycle().take(200) {
        time(runtime);
    }
    let (mut of_policy, mut of_floor): (Vec<_>, Vec<_>) = (0..ROUNDS).map(|_| (time(policy), time(floor))).unzip();
    of_policy.sort_unstable();
    of_floor.sort_unstable();
    (of_policy, of_floor)
}

fn at(sorted: &[Duration], percent: usize) -> f64 {
    sorted[sorted.len() * percent / 100].as_secs_f64() * 1e6
}

/// A guest that reads exactly these facts, each once, and says nothing.
fn floor(read: &[String]) -> Vec<u8> {
    let resolve = support::resolve();
    let (mut imports, mut data, mut body) =
        (String::new(), String::new(), "(local $mark i32) (local.set $mark (global.get $heap))".to_owned());
    let mut text_at = 1024;
    for (number, fact) in read.iter().enumerate() {
        let (owner, what) = fact.split_once('.').unwrap();
        let (name, key) = what.strip_suffix(')').and_then(|what| what.split_once('(')).unwrap_or((what, ""));
        let resource = if owner == "domain" { "domain-facts" } else { "host-facts" };
        let (params, results) = signature(&resolve, &format!("[method]{resource}.{name}"));
        let words = |types: &[WasmType]| types.iter().map(core_type).collect::<String>();
        imports += &format!(
            r#"(import "waypost:facts/inventory@0.1.0" "[method]{resource}.{name}" (func $f{number} (param {}) (result {})))"#,
            words(&params),
            words(&results)
        );
        let handle = match owner.strip_prefix("kvm").map(|number| number.parse::<u32>().unwrap()) {
            None => "(i32.load offset=104 (local.get $args))".to_owned(),
            Some(0) => "(i32.load offset=108 (local.get $args))".to_owned(),
            Some(host) => format!("(i32.load offset={} (i32.load offset=112 (local.get $args)))", 4 * (host - 1)),
        };
        let mut arguments = handle;
        for part in key.split(',').take((params.len() - 1) / 2) {
            data += &format!(r#"(data (i32.const {text_at}) "{part}")"#);
            arguments += &format!(" (i32.const {text_at}) (i32.const {})", part.len());
            text_at += part.len();
        }
        if params.len() % 2 == 0 {
            arguments += " (i32.const 200)";
        }
        let call = format!("(call $f{number} {arguments})");
        body += &if results.is_empty() { call } else { format!("(drop {call})") };
        // What was read is thrown away.
        body += "(global.set $heap (local.get $mark))";
    }
    let fields =
        format!("{} {data} {}", support::ACCEPT, support::check(&format!("{body} (call $nothing (local.get $args))")));
    support::with_imports(support::PRECHECK, &imports, &fields)
}

/// How a method looks to a core module: every key is two values, and an address for the result comes last.
fn signature(resolve: &Resolve, method: &str) -> (Vec<WasmType>, Vec<WasmType>) {
    let worlds = resolve.worlds.iter().flat_map(|(_, world)| world.imports.values());
    let mut functions = worlds.filter_map(|item| match item {
        WorldItem::Interface { id, .. } => resolve.interfaces[*id].functions.get(method),
        _ => None,
    });
    let signature = resolve.wasm_signature(AbiVariant::GuestImport, functions.next().unwrap());
    (signature.params, signature.results)
}

fn core_type(ty: &WasmType) -> &'static str {
    match ty {
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32 ",
        WasmType::I64 | WasmType::PointerOrI64 => "i64 ",
        WasmType::F32 => "f32 ",
        WasmType::F64 => "f64 ",
    }
}
