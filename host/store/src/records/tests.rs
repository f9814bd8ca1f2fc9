//! Every record of every kind survives the way to disk and back, and what version 1 once wrote is still read.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree as _;

use waypost_core::stream::{Compression, DiskCopy, Encryption};

use super::*;

/// The words that a type has for its variants.
pub(crate) trait Kinds {
    const KINDS: &'static [&'static str];
}

fn text() -> impl Strategy<Value = String> {
    // Quotes, control characters and other alphabets are all text here.
    prop_oneof![3 => "[a-z0-9 .:/-]{0,16}", 1 => any::<String>()]
}
fn host() -> impl Strategy<Value = HostName> {
    text().prop_map(HostName::new)
}
fn plugin() -> impl Strategy<Value = PluginName> {
    text().prop_map(PluginName::new)
}
fn uuid() -> impl Strategy<Value = Uuid> {
    any::<u128>().prop_map(Uuid::from_u128)
}
fn optional<T: std::fmt::Debug + Clone>(some: impl Strategy<Value = T>) -> impl Strategy<Value = Option<T>> {
    prop::option::of(some)
}
fn settled() -> impl Strategy<Value = Result<(), String>> {
    prop_oneof![Just(Ok(())), text().prop_map(Err)]
}

prop_compose! {
    fn stream()(
        parallel_connections in optional(any::<u32>()), compression in prop::collection::vec(select(Compression::ALL), 0..3),
        (post_copy, zero_copy) in any::<(bool, bool)>(), encryption in select(Encryption::ALL),
        tls_destination in optional(text()), xbzrle_cache_bytes in optional(any::<u64>()),
    ) -> Stream {
        Stream {
            parallel_connections, compression, post_copy, zero_copy, encryption, tls_destination, xbzrle_cache_bytes,
            ..Stream::default()
        }
    }
}

prop_compose! {
    fn disks()(
        copy in select(DiskCopy::ALL), targets in prop::collection::vec(text(), 0..3), uri in optional(text()),
        port in optional(any::<u16>()), target_zero in prop::collection::vec(text(), 0..3),
    ) -> Disks {
        Disks { copy, targets, target_zero, uri, port, ..Disks::default() }
    }
}

prop_compose! {
    fn options()(
        mode in select(Mode::ALL), destination_name in optional(text()), bandwidth_mib_s in optional(any::<u64>()),
        max_downtime_ms in optional(any::<u64>()), timeout_s in any::<u64>(), persistence in select(Persistence::ALL),
        source_definition in select(SourceDefinition::ALL), after in select(AfterMove::ALL),
        storage in select(StorageSafety::ALL), migrate_uri in optional(text()), listen_address in optional(text()),
        (network, transport, stream, disks) in (optional(text()), select(Transport::ALL), stream(), disks()),
        (priority, attempts) in (select(Priority::ALL), optional(any::<u32>())),
    ) -> Options {
        Options {
            mode, destination_name, bandwidth_mib_s, max_downtime_ms, timeout_s, persistence, source_definition, after,
            storage, migrate_uri, listen_address, network, priority, transport, stream, disks,
            attempts,
        }
    }
}

prop_compose! {
    fn request()(
        domain in prop_oneof![uuid().prop_map(|id| DomainKey::Id(DomainId(id))), text().prop_map(DomainKey::Name)],
        source in optional(host()), destination in host(), options in options(), requester in text(),
    ) -> MigrationRequest {
        MigrationRequest { domain, source, destination, options, requester }
    }
}

prop_compose! {
    fn finding()(
        code in text(), severity in select(Severity::ALL), message in text(),
        evidence in prop::collection::vec((text(), text()), 0..3), remedy in optional(text()),
    ) -> Finding {
        Finding { code, severity, message, evidence, remedy }
    }
}

fn verdict() -> impl Strategy<Value = Verdict> {
    let judged = (plugin(), select(PolicyMode::ALL), finding());
    let judged = judged.prop_map(|(plugin, mode, finding)| Judged { plugin, mode, finding });
    (host(), prop::collection::vec(judged, 0..4)).prop_map(|(destination, findings)| Verdict { destination, findings })
}

fn end() -> impl Strategy<Value = End> {
    (host(), optional(uuid())).prop_map(|(host, uuid)| End { host, uuid })
}

prop_compose! {
    fn copied_disk()(
        (target, path, pool, volume, format) in (text(), text(), text(), text(), text()),
        capacity_bytes in any::<u64>(), backing in optional(text()),
    ) -> CopiedDisk {
        CopiedDisk { target, path, pool, volume, capacity_bytes, format, backing }
    }
}

prop_compose! {
    fn detour()(
        network in optional(text()), migrate_uri in optional(text()), listen_address in optional(text()),
        bandwidth_mib_s in optional(any::<u64>()),
    ) -> Detour {
        Detour { network, migrate_uri, listen_address, bandwidth_mib_s }
    }
}

prop_compose! {
    fn edit()(
        plugin in plugin(), kind in select(EditKind::ALL), device in optional(text()), before in optional(text()),
        after in optional(text()), reason in text(),
    ) -> Edit {
        Edit { plugin, kind, device, before, after, reason }
    }
}

prop_compose! {
    fn plan()(
        (attempt, id, name, destination_name) in (any::<u32>(), uuid(), text(), text()),
        (source, destination, peer_uri) in (end(), end(), text()),
        mode in select(TransferMode::ALL), initially in select(RunState::ALL), finally in select(RunState::ALL),
        source_fate in select(SourceFate::ALL), destination_fate in select(DestinationFate::ALL),
        autostart in select(Autostart::ALL), destination_before in select(Before::ALL),
        (storage, migrate_uri, listen_address) in (select(StorageSafety::ALL), optional(text()), optional(text())),
        (bandwidth_mib_s, max_downtime_ms) in (optional(any::<u64>()), optional(any::<u64>())), timeout_s in any::<u64>(),
        (network, transport, stream, disks) in (optional(text()), select(Transport::ALL), stream(), disks()),
        (memory_bytes, notes, firmware_variables, tpm_state) in
            (optional(any::<u64>()), prop::collection::vec(text(), 0..3), optional(text()), optional(text())),
        copies in prop::collection::vec(copied_disk(), 0..3), edits in prop::collection::vec(edit(), 0..3),
        detours in prop::collection::vec(detour(), 0..3),
    ) -> Plan {
        Plan {
            attempt, domain: DomainId(id), name, destination_name, source, destination, peer_uri, mode, initially,
            finally, source_fate, destination_fate, autostart, destination_before, storage, migrate_uri,
            listen_address, bandwidth_mib_s, max_downtime_ms, timeout_s, transport, stream, disks, network, memory_bytes,
            firmware_variables, tpm_state, detours: Detours(detours), copies: Copies(copies), edits: Edits(edits),
            notes: Notes(notes),
        }
    }
}

/// A plan for tests that care about other things.
pub(crate) fn some_plan() -> Plan {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    plan().new_tree(&mut runner).unwrap().current()
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (host(), any::<u64>(), any::<Option<u64>>()).prop_map(|(host, ms, before_ms)| Step::MaxDowntime {
            host,
            ms,
            before_ms,
        }),
        host().prop_map(|host| Step::SourceAutostart { host }),
        (host(), copied_disk()).prop_map(|(host, disk)| Step::Volume { host, disk }),
        host().prop_map(|host| Step::Throttle { host }),
    ]
}

fn step_end() -> impl Strategy<Value = StepEnd> {
    select(vec![StepEnd::Done, StepEnd::Undone])
}

fn side() -> impl Strategy<Value = Side> {
    let observed =
        ((optional(uuid()), text(), select(DomainState::ALL), text()), (any::<bool>(), any::<bool>(), any::<bool>()));
    let observed = (observed, prop::collection::vec(text(), 0..3).prop_map(DiskErrors));
    prop_oneof![
        text().prop_map(Side::Unknown),
        optional(uuid()).prop_map(|host| Side::Absent { host }),
        observed.prop_map(|(((host, name, state, reason), (persistent, autostart, job)), disk_errors)| {
            Side::Present(Observed { host, name, state, reason, persistent, autostart, job, disk_errors })
        }),
    ]
}

prop_compose! {
    fn outcome()(
        kind in select(OutcomeKind::ALL), summary in text(), causes in prop::collection::vec(text(), 0..3),
        remedy in optional(text()),
    ) -> Outcome {
        Outcome { kind, summary, causes, remedy }
    }
}

fn finish_step() -> impl Strategy<Value = FinishStep> {
    select(vec![FinishStep::SetAutostart, FinishStep::ClearSourceAutostart, FinishStep::UndefineSource])
}

/// A record of one kind. The match is over the words of the format, so that a new kind without a strategy fails at once.
fn record_of(kind: &str) -> BoxedStrategy<Record> {
    let action = || select(Action::ALL);
    match kind {
        "accepted" => request().prop_map(|request| Record::Accepted { request }).boxed(),
        "judged" => {
            (verdict(), text()).prop_map(|(verdict, facts_digest)| Record::Judged { verdict, facts_digest }).boxed()
        }
        "planned" => plan().prop_map(|plan| Record::Planned { plan }).boxed(),
        "step-intended" => step().prop_map(|step| Record::StepIntended { step }).boxed(),
        "step-settled" => (step(), prop_oneof![step_end().prop_map(Ok), text().prop_map(Err)])
            .prop_map(|(step, result)| Record::StepSettled { step, result })
            .boxed(),
        "prepared" => Just(Record::Prepared).boxed(),
        "perform-intended" => Just(Record::PerformIntended).boxed(),
        "adopted" => Just(Record::Adopted).boxed(),
        "steer-kept" => (select(Steering::ALL), text(), text())
            .prop_map(|(action, by, reason)| Record::SteerKept { action, by, reason })
            .boxed(),
        "steer-intended" => (select(Steering::ALL), optional(any::<u64>()), text(), text())
            .prop_map(|(action, value, by, reason)| Record::SteerIntended { action, value, by, reason })
            .boxed(),
        "steer-settled" => (select(Steering::ALL), settled())
            .prop_map(|(action, result)| Record::SteerSettled { action, result })
            .boxed(),
        "abort-unconfirmed" => {
            (text(), any::<bool>()).prop_map(|(why, may_come)| Record::AbortUnconfirmed { why, may_come }).boxed()
        }
        "perform-returned" => prop_oneof![Just(Ok(())), (select(FailureClass::ALL), text()).prop_map(Err)]
            .prop_map(|result| Record::PerformReturned { result })
            .boxed(),
        "finish-intended" => finish_step().prop_map(|step| Record::FinishIntended { step }).boxed(),
        "finish-settled" => {
            (finish_step(), settled()).prop_map(|(step, result)| Record::FinishSettled { step, result }).boxed()
        }
        "doubted" => text().prop_map(|why| Record::Doubted { why }).boxed(),
        "located" => (side(), side(), prop::collection::vec(action(), 0..4))
            .prop_map(|(source, destination, permitted)| Record::Located {
                situation: Situation { source, destination },
                permitted,
            })
            .boxed(),
        "action-intended" => (action(), plugin(), text())
            .prop_map(|(action, by, reason)| Record::ActionIntended { action, by, reason })
            .boxed(),
        "action-done" => {
            (action(), settled()).prop_map(|(action, result)| Record::ActionDone { action, result }).boxed()
        }
        "next-attempt" => {
            let change = (optional(host()), optional(any::<u64>()), any::<Option<bool>>());
            let change = change.prop_map(|(destination, max_downtime_ms, post_copy)| AttemptChange {
                destination,
                max_downtime_ms,
                post_copy,
            });
            (any::<u32>(), change).prop_map(|(attempt, change)| Record::NextAttempt { attempt, change }).boxed()
        }
        "resumed" => optional(text()).prop_map(|way| Record::Resumed { way }).boxed(),
        "reopened" => text().prop_map(|by| Record::Reopened { by }).boxed(),
        "cancel-requested" => text().prop_map(|requester| Record::CancelRequested { requester }).boxed(),
        "ended" => outcome().prop_map(|outcome| Record::Ended { outcome }).boxed(),
        other => panic!("no strategy for records of the kind {other:?}"),
    }
}

fn kind_of(text: &str) -> String {
    parse(text).unwrap()["record"]["kind"].as_str().unwrap().to_owned()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_record_of_any_kind_is_read_as_it_was_written(
        records in Record::KINDS.iter().map(|kind| record_of(kind)).collect::<Vec<_>>(),
        attempt in any::<u32>(),
    ) {
        for (record, kind) in records.into_iter().zip(Record::KINDS) {
            let text = write_record(attempt, &record);
            prop_assert_eq!(&kind_of(&text), kind);
            prop_assert_eq!(read_record(&text), Ok((attempt, record)), "{}", text);
        }
    }

    #[test]
    fn a_reading_and_a_decision_are_read_as_they_were_written(
        (n, some) in (any::<u64>(), optional(any::<u64>())), permille in 0u16..=1000,
        stage in select(Stage::ALL.to_vec()),
        (plugin, texts, mode) in (plugin(), prop::collection::vec(text(), 5), select(PolicyMode::ALL)),
        facts_read in prop::collection::vec(text(), 0..4), fault in optional(text()),
    ) {
        let sample = Sample {
            elapsed_ms: n, total_bytes: n, processed_bytes: n, remaining_bytes: n, bytes_per_s: some,
            dirty_pages_per_s: some, page_bytes: some, iteration: some, downtime_ms: some, downtime_net_ms: some,
            setup_ms: some, remaining_ms: some, throttle_percent: some.map(|n| n as u32), stage,
        };
        let reading = Reading { at: Moment(n), permille, sample };
        prop_assert_eq!(read::<Reading>(&write(&reading)), Ok(reading));
        let [digest, hook, settings, facts_digest, answer] = <[String; 5]>::try_from(texts).unwrap();
        let decision = DecisionRecord {
            plugin, digest, hook, mode, settings, facts_digest, facts_read, answer, fault, fuel: n, micros: n,
            decided_at: Moment(n),
        };
        prop_assert_eq!(read::<DecisionRecord>(&write(&decision)), Ok(decision));
    }
}

#[test]
fn what_version_1_wrote_is_read_and_written_again_as_it_was() {
    let lines: Vec<&str> = include_str!("../../tests/records-v1.jsonl").lines().collect();
    let kinds: Vec<String> = lines.iter().map(|line| kind_of(line)).collect();
    assert_eq!(kinds, Record::KINDS, "one line of each kind, in their order");
    for line in lines {
        let (attempt, record) = read_record(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        // As values: the order of keys depends on the features that other crates give serde_json.
        assert_eq!(parse(&write_record(attempt, &record)), parse(line));
    }
}

/// As they were written before `target_zero` existed.
#[test]
fn disks_from_before_a_choice_existed_are_read_without_it() {
    let disks = Disks { copy: DiskCopy::Full, targets: vec!["vda".into()], ..Disks::default() };
    let whole = write(&disks);
    let older = whole.replace("\"target_zero\":[],", "").replace(",\"target_zero\":[]", "");
    assert_ne!(older, whole);
    assert_eq!(read::<Disks>(&older), Ok(disks));
    let newer = whole.replace("\"target_zero\":", "\"target_one\":");
    assert!(read::<Disks>(&newer).is_err(), "a key that isn't known would be lost");
}

#[test]
fn what_is_not_known_is_refused_and_never_guessed() {
    let whole = write_record(1, &Record::NextAttempt { attempt: 2, change: AttemptChange::NONE });
    for (text, says) in [
        ("", "it is not JSON"),
        (&whole[..whole.len() / 2], "it is not JSON"),
        (&whole.replace("\"version\":1", "\"version\":2"), "it has version 2"),
        (&whole.replace("\"attempt\":2", "\"attempt\":-2"), "record.attempt: expected u32"),
        (&whole.replace("\"attempt\":2", "\"attempt\":2,\"more\":0"), "record.more: expected no such key"),
        (&whole.replace("\"attempt\":2,", ""), "record.attempt: expected a value"),
        (&whole.replace("next-attempt", "last-attempt"), "not \"last-attempt\"; where a newer Waypost wrote it, use"),
    ] {
        let error = read_record(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}
