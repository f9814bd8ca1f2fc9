//! The store against its promises, by two opens of one folder where it matters; real processes are in `tests/`.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use tempfile::TempDir;
use uuid::Uuid;
use waypost_core::facts::StorageProof;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::recovery::FailureClass;
use waypost_core::request::{MigrationRequest, Options};
use waypost_core::sample::Sample;
use waypost_core::verdict::{PolicyMode, Verdict};

use super::trying::held;
use super::*;

mod feed;
mod ledger;
mod older;
mod queue;

/// Takes back what versions 5 to 7 have and version 4 had not. Databases that older versions really left are in [`older`].
const BACK_TO_4: &str = "DROP TABLE token; DROP TABLE audit; DROP TABLE sample; DROP TABLE decided;
                         ALTER TABLE record DROP COLUMN phase; ALTER TABLE task DROP COLUMN summary;
                         ALTER TABLE task DROP COLUMN asked_within; PRAGMA user_version = 4";

fn folder() -> (TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("state");
    (dir, path)
}

fn task(n: u128) -> TaskId {
    TaskId(Uuid::from_u128(n))
}

fn domain(n: u128) -> DomainId {
    DomainId(Uuid::from_u128(n))
}

fn accepted(domain: DomainKey) -> Record {
    let request = MigrationRequest {
        domain,
        source: None,
        destination: HostName::new("b"),
        options: Options::default(),
        requester: "test".into(),
    };
    Record::Accepted { request }
}

fn by_name() -> Record {
    accepted(DomainKey::Name("g1".into()))
}

fn told() -> Record {
    let verdict = Verdict { destination: HostName::new("b"), findings: vec![] };
    Record::Judged { verdict, facts_digest: "d".into() }
}

fn ended(kind: OutcomeKind) -> Record {
    Record::Ended { outcome: Outcome { kind, summary: "s".into(), causes: vec![], remedy: None } }
}

fn lock_files(dir: &Path) -> usize {
    fs::read_dir(dir.join("locks")).unwrap().count()
}

#[test]
fn a_task_is_kept_from_its_first_record_to_its_last() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let lock = store.create(task(1), Moment(10), &by_name()).unwrap();
    store.append(task(1), Moment(20), &told()).unwrap();
    store.claim(task(1), domain(7), "g1", &HostName::new("a")).unwrap();
    let reading = Reading { at: Moment(25), permille: 400, sample: Sample { elapsed_ms: 5, ..Sample::default() } };
    store.put_reading(task(1), &Reading { permille: 1, ..reading.clone() }).unwrap();
    store.put_reading(task(1), &reading).unwrap();

    // Another process would see the same.
    let other = SqliteStore::open(&dir).unwrap();
    assert_eq!(other.journal(task(1)).unwrap(), vec![(Moment(10), by_name()), (Moment(20), told())]);
    assert_eq!(other.reading(task(1)).unwrap(), Some(reading), "the last one only");
    let mut brief = TaskBrief {
        id: task(1),
        created_at: Moment(10),
        updated_at: Moment(25),
        domain: Some(domain(7)),
        domain_name: "g1".into(),
        source: Some(HostName::new("a")),
        destination: HostName::new("b"),
        phase: Phase::Accepted,
        outcome: None,
        summary: None,
        waits: false,
        permille: 400,
    };
    assert_eq!(other.tasks().unwrap(), vec![brief.clone()]);
    assert_eq!(lock_files(&dir), 1);

    store.append(task(1), Moment(30), &ended(OutcomeKind::Refused)).unwrap();
    drop(lock);
    (brief.phase, brief.outcome, brief.updated_at) = (Phase::Ended, Some(OutcomeKind::Refused), Moment(30));
    brief.summary = Some("s".into());
    assert_eq!(other.tasks().unwrap(), vec![brief]);
    assert_eq!(lock_files(&dir), 0, "a finished task leaves no lock file");
}

#[test]
fn a_record_that_cannot_follow_is_refused_and_not_written() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let refused = |record: &Record| store.append(task(1), Moment(1), record).unwrap_err().to_string();
    assert!(refused(&told()).contains("there is no such task"));
    assert!(store.create(task(1), Moment(1), &told()).is_err(), "a journal begins with a request");
    assert_eq!(lock_files(&dir), 0);

    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    assert!(refused(&Record::PerformIntended).contains("PerformIntended can't happen in phase accepted"));
    assert!(refused(&by_name()).contains("accepted once"));
    assert_eq!(store.journal(task(1)).unwrap().len(), 1);
    store.append(task(1), Moment(2), &ended(OutcomeKind::Cancelled)).unwrap();
    assert!(refused(&Record::CancelRequested { requester: "x".into() }).contains("in phase ended"));
    assert_eq!(store.journal(task(1)).unwrap().len(), 2);
}

#[test]
fn a_domain_has_one_unfinished_task() {
    let (_guard, dir) = folder();
    let (store, other) = (SqliteStore::open(&dir).unwrap(), SqliteStore::open(&dir).unwrap());
    let by_id = accepted(DomainKey::Id(domain(7)));
    let _first = store.create(task(1), Moment(1), &by_id).unwrap();
    let fault = other.create(task(2), Moment(1), &by_id).err().unwrap();
    assert!(fault.message.contains(&format!("watch {}", task(1))), "{fault}");
    assert_eq!(lock_files(&dir), 1, "the refused task leaves nothing");

    let _third = other.create(task(3), Moment(1), &by_name()).unwrap();
    let host = HostName::new("a");
    assert_eq!(other.claim(task(3), domain(7), "g1", &host), Err(ClaimError::Taken(task(1))));
    store.claim(task(1), domain(7), "g1", &host).unwrap();
    store.append(task(1), Moment(2), &ended(OutcomeKind::Refused)).unwrap();
    other.claim(task(3), domain(7), "g1", &host).unwrap();
    assert!(matches!(store.claim(task(1), domain(8), "g2", &host), Err(ClaimError::Store(_))), "it is over");
}

#[test]
fn of_many_claims_at_once_one_wins() {
    let (_guard, dir) = folder();
    let stores: Vec<_> = (0..4).map(|_| SqliteStore::open(&dir).unwrap()).collect();
    let won = std::thread::scope(|scope| {
        let claims: Vec<_> = (0u128..16)
            .map(|n| {
                let store = &stores[n as usize % stores.len()];
                scope.spawn(move || {
                    let lock = store.create(task(n), Moment(1), &by_name()).unwrap();
                    let claim = store.claim(task(n), domain(7), "g1", &HostName::new("a"));
                    assert!(matches!(claim, Ok(()) | Err(ClaimError::Taken(_))), "{claim:?}");
                    (claim.is_ok(), lock)
                })
            })
            .collect();
        claims.into_iter().map(|claim| claim.join().unwrap()).filter(|(won, _)| *won).count()
    });
    assert_eq!(won, 1);
}

#[test]
fn a_folder_may_be_opened_and_written_by_many_at_once() {
    let (_guard, dir) = folder();
    std::thread::scope(|scope| {
        for n in 0..8 {
            let dir = &dir;
            scope.spawn(move || {
                let store = SqliteStore::open(dir).unwrap();
                let _lock = store.create(task(n), Moment(n as u64), &by_name()).unwrap();
                for at in 0..10 {
                    store.append(task(n), Moment(at), &Record::CancelRequested { requester: at.to_string() }).unwrap();
                }
            });
        }
    });
    let store = SqliteStore::open(&dir).unwrap();
    let newest_first: Vec<_> = store.tasks().unwrap().into_iter().map(|brief| brief.id).collect();
    assert_eq!(newest_first, (0..8).rev().map(task).collect::<Vec<_>>());
    for n in 0..8 {
        let journal = store.journal(task(n)).unwrap();
        let told = journal.iter().skip(1).map(|(_, record)| match record {
            Record::CancelRequested { requester } => requester.parse::<u32>().unwrap(),
            other => panic!("{other:?}"),
        });
        assert!(told.eq(0..10));
    }
}

#[test]
fn what_lies_beside_the_journal_is_kept_too() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();

    assert_eq!(store.cancel_requested(task(1)).unwrap(), None);
    store.request_cancel(task(1), "anna").unwrap();
    store.request_cancel(task(1), "bert").unwrap();
    assert_eq!(store.cancel_requested(task(1)).unwrap(), Some("anna".into()));
    assert!(store.cancel_requested(task(2)).is_err());

    let wish = |action, value| Wish { action, value, requester: "anna".into() };
    let wishes = [wish(Steering::SetDowntime, Some(500)), wish(Steering::PostCopy, None)];
    store.request_steering(task(1), &wishes).unwrap();
    store.settle_wish(task(1), 1).unwrap();
    assert_eq!(store.wishes(task(1)).unwrap(), [(2, wish(Steering::PostCopy, None))]);
    assert!(store.request_steering(task(2), &[wish(Steering::PostCopy, None)]).is_err());

    let decision = |answer: &str| DecisionRecord {
        plugin: "p".into(),
        digest: "d".into(),
        hook: "precheck".into(),
        mode: PolicyMode::Enforce,
        settings: "{}".into(),
        facts_digest: "f".into(),
        facts_read: vec!["domain.machine".into()],
        answer: answer.into(),
        fault: None,
        fuel: 1,
        micros: 2,
        decided_at: Moment(3),
    };
    store.put_decisions(task(1), &[decision("a"), decision("b")]).unwrap();
    store.put_decisions(task(1), &[decision("c")]).unwrap();
    assert_eq!(store.decisions(task(1)).unwrap(), ["a", "b", "c"].map(decision));
    assert!(store.put_decisions(task(2), &[decision("a")]).is_err(), "there is no such task");

    store.put_facts("f", "{}").unwrap();
    store.put_facts("f", "{}").unwrap();
    assert_eq!(store.facts("f").unwrap(), Some("{}".into()));
    assert_eq!(store.facts("g").unwrap(), None);

    let probe = |volume: &str, at| ProbeVolume {
        host: HostName::new("b"),
        pool: "p".into(),
        volume: volume.into(),
        at: Moment(at),
    };
    store.intend_probe(&probe("v2", 2)).unwrap();
    store.intend_probe(&probe("v1", 1)).unwrap();
    assert!(store.intend_probe(&probe("v1", 1)).is_err(), "names are unique");
    assert_eq!(store.open_probes().unwrap(), vec![probe("v1", 1), probe("v2", 2)]);
    store.settle_probe(&probe("v1", 1)).unwrap();
    assert_eq!(store.open_probes().unwrap(), vec![probe("v2", 2)]);

    let proof = |shared, at| KeptProof {
        source: HostName::new("a"),
        destination: HostName::new("b"),
        proof: StorageProof { source_pool: "p".into(), destination_pool: "q".into(), shared },
        at: Moment(at),
    };
    store.put_proof(&proof(false, 1)).unwrap();
    store.put_proof(&proof(true, 2)).unwrap();
    assert_eq!(store.proofs(&HostName::new("a"), &HostName::new("b")).unwrap(), vec![proof(true, 2)]);
    assert_eq!(store.proofs(&HostName::new("b"), &HostName::new("a")).unwrap(), vec![]);
}

#[test]
fn a_lock_is_held_by_one_and_only_for_a_task_that_exists() {
    let (_guard, dir) = folder();
    let (store, other) = (SqliteStore::open(&dir).unwrap(), SqliteStore::open(&dir).unwrap());
    let lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    assert!(other.lock(task(1)).unwrap().is_none());
    drop(lock);
    let lock = other.lock(task(1)).unwrap();
    assert!(lock.is_some() && store.lock(task(1)).unwrap().is_none());
    assert!(store.lock(task(2)).is_err());
    assert_eq!(lock_files(&dir), 1);
}

#[test]
fn a_folder_is_private() {
    let (_guard, dir) = folder();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    assert_eq!((mode(&dir), mode(&dir.join("locks"))), (0o700, 0o700));
    for file in ["waypost.db".to_owned(), "waypost.db-wal".into(), format!("locks/{}", task(1))] {
        assert_eq!(mode(&dir.join(&file)), 0o600, "{file}");
    }
    fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
    let fault = SqliteStore::open(&dir).err().unwrap().to_string();
    assert!(fault.contains("chmod 700"), "{fault}");
}

#[test]
fn a_store_of_another_version_or_program_is_refused() {
    let (_guard, dir) = folder();
    drop(SqliteStore::open(&dir).unwrap());
    let file = dir.join("waypost.db");
    let raw = Connection::open(&file).unwrap();
    let newer = schema::SCHEMA_VERSION + 1;
    raw.pragma_update(None, "user_version", newer).unwrap();
    let fault = SqliteStore::open(&dir).err().unwrap().to_string();
    assert!(fault.contains(&format!("version {newer}")) && fault.contains("newer"), "{fault}");

    let (_guard, dir) = folder();
    schema::prepare_folder(&dir, &dir.join("waypost.db"), &dir.join("locks")).unwrap();
    Connection::open(dir.join("waypost.db")).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    let fault = SqliteStore::open(&dir).err().unwrap().to_string();
    assert!(fault.contains("another program"), "{fault}");
}

#[test]
fn a_full_or_read_only_disk_says_so_and_loses_nothing() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    let connection = || held(&store.inner.durable);
    let long = Record::CancelRequested { requester: "x".repeat(100_000) };

    let pages: u32 = connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    let _: u32 = connection().query_row(&format!("PRAGMA max_page_count = {pages}"), [], |row| row.get(0)).unwrap();
    let fault = store.append(task(1), Moment(2), &long).unwrap_err();
    assert!(fault.message.contains("is full: free some space"), "{fault}");
    let _: u32 = connection().query_row("PRAGMA max_page_count = 1000000", [], |row| row.get(0)).unwrap();

    connection().pragma_update(None, "query_only", true).unwrap();
    let fault = store.append(task(1), Moment(2), &long).unwrap_err();
    assert!(fault.message.contains("can't be written"), "{fault}");
    connection().pragma_update(None, "query_only", false).unwrap();

    store.append(task(1), Moment(2), &long).unwrap();
    assert_eq!(store.journal(task(1)).unwrap(), vec![(Moment(1), by_name()), (Moment(2), long)]);
}

/// A folder with a journal of many pages, closed, so that all of it is in the database file.
fn full_folder() -> (TempDir, PathBuf) {
    let (guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    for _ in 0..50 {
        store.append(task(1), Moment(1), &Record::CancelRequested { requester: "x".repeat(1000) }).unwrap();
    }
    drop(store);
    (guard, dir)
}

#[test]
fn a_damaged_database_is_an_error_with_a_way_out() {
    let (_guard, dir) = full_folder();
    let file = dir.join("waypost.db");
    let whole = fs::read(&file).unwrap();
    assert!(!dir.join("waypost.db-wal").exists());
    let read = || SqliteStore::open(&dir).and_then(|store| store.journal(task(1)));
    assert_eq!(read().unwrap().len(), 51);

    // Garbage from the second page on, a file cut in the middle, a file cut in its first page, no database at all.
    let mut garbage = whole.clone();
    garbage[4096..].fill(0xAA);
    for (bytes, says) in [
        (&garbage[..], "is damaged: keep a copy"),
        (&whole[..whole.len() / 2], "is damaged: keep a copy"),
        (&whole[..2000], "is damaged: keep a copy"),
        (
            b"this is a letter to my aunt, and no database; it has to be a little longer than a header, though",
            "not a database",
        ),
    ] {
        fs::write(&file, bytes).unwrap();
        let fault = read().unwrap_err();
        assert!(fault.message.contains(says), "{} bytes: {fault}", bytes.len());
    }
}

#[test]
fn a_journal_with_a_hole_or_a_foreign_record_is_an_error() {
    let (_guard, dir) = full_folder();
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    let read = || SqliteStore::open(&dir).and_then(|store| store.journal(task(1))).unwrap_err().message;
    raw.execute("UPDATE record SET body = replace(body, '\"version\":1', '\"version\":9') WHERE number = 50", [])
        .unwrap();
    assert!(read().contains("record 50 can't be read: it has version 9"), "{}", read());
    raw.execute("DELETE FROM record WHERE number = 20", []).unwrap();
    assert!(read().contains("record 20 is missing"), "{}", read());
    raw.execute("DELETE FROM record WHERE number >= 20", []).unwrap();
    assert!(read().contains("record 20 is missing"), "{}", read());
}

#[test]
fn a_torn_log_gives_back_whole_records_only() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    for n in 0..6 {
        store.append(task(1), Moment(n), &told()).unwrap();
    }
    let (database, log) = (fs::read(dir.join("waypost.db")).unwrap(), fs::read(dir.join("waypost.db-wal")).unwrap());
    let mut lengths = Vec::new();
    for cut in (0..=log.len()).step_by(1500).chain([log.len()]) {
        let (_guard, torn) = folder();
        schema::prepare_folder(&torn, &torn.join("waypost.db"), &torn.join("locks")).unwrap();
        fs::write(torn.join("waypost.db"), &database).unwrap();
        fs::write(torn.join("waypost.db-wal"), &log[..cut]).unwrap();
        let store = SqliteStore::open(&torn).unwrap();
        let Ok(mut journal) = store.journal(task(1)) else {
            assert!(store.tasks().unwrap().is_empty(), "neither row nor record");
            continue;
        };
        assert_eq!(journal.remove(0), (Moment(1), by_name()));
        assert!(journal.iter().enumerate().all(|(n, kept)| *kept == (Moment(n as u64), told())));
        // The journal goes on where it was torn.
        store.append(task(1), Moment(9), &Record::Doubted { why: String::new() }).unwrap_err();
        store.append(task(1), Moment(9), &told()).unwrap();
        lengths.push(journal.len());
    }
    assert!(lengths.is_sorted() && lengths.last() == Some(&6) && lengths.first() < lengths.last(), "{lengths:?}");
}

#[test]
fn the_attempt_of_each_record_is_kept_with_it() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    let straight = [
        Record::Planned { plan: crate::records::tests::some_plan() },
        Record::Prepared,
        Record::PerformIntended,
        Record::PerformReturned { result: Err((FailureClass::Network, "cut".into())) },
        Record::Located {
            situation: waypost_core::situation::Situation {
                source: waypost_core::situation::Side::Unknown("x".into()),
                destination: waypost_core::situation::Side::Unknown("y".into()),
            },
            permitted: vec![],
        },
        Record::NextAttempt { attempt: 2, change: waypost_core::recovery::AttemptChange::NONE },
        told(),
    ];
    for record in &straight {
        store.append(task(1), Moment(1), record).unwrap();
    }
    let mut attempts = Vec::new();
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    let mut bodies = raw.prepare("SELECT body FROM record ORDER BY number").unwrap();
    for body in bodies.query_map([], |row| row.get::<_, String>(0)).unwrap() {
        attempts.push(read_record(&body.unwrap()).unwrap().0);
    }
    assert_eq!(attempts, [1, 1, 1, 1, 1, 1, 2, 2]);
}

#[test]
fn what_was_moved_between_two_hosts_is_found_in_either_direction_newest_first() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let (a, b, c) = (HostName::new("a"), HostName::new("b"), HostName::new("c"));
    for (number, source, destination, moved) in
        [(1, &a, &b, true), (2, &b, &a, true), (3, &a, &b, false), (4, &c, &b, true), (5, &a, &b, true)]
    {
        let request = MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: destination.clone(),
            options: Options::default(),
            requester: "test".into(),
        };
        let lock = store.create(task(number), Moment(10), &Record::Accepted { request }).unwrap();
        store.claim(task(number), domain(7), "g1", source).unwrap();
        store.append(task(number), Moment(20), &ended(OutcomeKind::RolledBack)).unwrap();
        drop(lock);
        if moved {
            // As at the end of a course that would be long to write.
            let update = "UPDATE task SET outcome = 'completed' WHERE id = ?1";
            held(&store.inner.durable).execute(update, [task(number).to_string()]).unwrap();
        }
    }
    assert_eq!(store.moved_between(&a, &b, 10).unwrap(), [task(5), task(2), task(1)]);
    assert_eq!(store.moved_between(&b, &a, 2).unwrap(), [task(5), task(2)]);
    assert_eq!(store.moved_between(&c, &b, 10).unwrap(), [task(4)]);
    assert_eq!(store.moved_between(&a, &c, 10).unwrap(), []);
}
