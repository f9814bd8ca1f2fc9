//! The state as a whole: what a backup holds, what a restore refuses, what is pruned.

mod policies;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicBool, Ordering};

use tempfile::TempDir;
use uuid::Uuid;
use waypost_core::feed::Feed as _;
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment, PluginName, TaskId};
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::ports::{DecisionRecord, Store as _};
use waypost_core::request::{MigrationRequest, Options};
use waypost_core::verdict::PolicyMode;

use super::*;
use crate::SqliteStore;
use crate::schema::SCHEMA_VERSION;

struct Site {
    dir: TempDir,
}

impl Site {
    fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn store(&self) -> SqliteStore {
        SqliteStore::open(&self.state()).unwrap()
    }

    fn restore(&self, from: &str, loss: Loss) -> Result<Restored, String> {
        restore(&self.state(), &self.file(from), loss).map_err(|fault| fault.to_string())
    }

    fn refusal(&self, from: &str) -> String {
        self.restore(from, Loss::Refused).unwrap_err()
    }

    fn database(&self) -> Connection {
        Connection::open(self.state().join("waypost.db")).unwrap()
    }

    /// What a question for a word and a number is answered with.
    fn rows(&self, select: &str) -> Vec<(String, Option<i64>)> {
        let database = self.database();
        let mut statement = database.prepare(select).unwrap();
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    }

    fn tasks(&self) -> Vec<TaskId> {
        self.store().tasks().unwrap().into_iter().map(|brief| brief.id).collect()
    }
}

fn task(n: u128) -> TaskId {
    TaskId(Uuid::from_u128(n))
}

/// A task of a domain of its own; answers its lock's fate to the caller by dropping it.
fn begin(store: &SqliteStore, n: u128, at: u64) {
    let request = MigrationRequest {
        domain: DomainKey::Id(DomainId(Uuid::from_u128(n))),
        source: None,
        destination: HostName::new("b"),
        options: Options::default(),
        requester: "test".into(),
    };
    drop(store.create(task(n), Moment(at), &Record::Accepted { request }).unwrap());
}

fn end(store: &SqliteStore, n: u128, at: u64, kind: OutcomeKind) {
    let outcome = Outcome { kind, summary: "s".into(), causes: vec![], remedy: None };
    store.append(task(n), Moment(at), &Record::Ended { outcome }).unwrap();
}

fn decide(store: &SqliteStore, n: u128, digest: &str) {
    store.put_facts(digest, "facts").unwrap();
    let decision = DecisionRecord {
        plugin: PluginName::new("p"),
        digest: String::new(),
        hook: "precheck".into(),
        mode: PolicyMode::Enforce,
        settings: "{}".into(),
        facts_digest: digest.into(),
        facts_read: vec![],
        answer: "allowed".into(),
        fault: None,
        fuel: 0,
        micros: 0,
        decided_at: Moment(0),
    };
    store.put_decisions(task(n), &[decision]).unwrap();
}

#[test]
fn a_backup_is_restored_as_it_was_and_what_was_there_is_kept() {
    let site = Site::new();
    let store = site.store();
    begin(&store, 1, 10);
    end(&store, 1, 11, OutcomeKind::Refused);
    begin(&store, 2, 12);
    let made = backup(&site.state(), &site.file("b.db")).unwrap();
    assert_eq!((made.tasks, made.unfinished, made.version), (2, 1, SCHEMA_VERSION));
    assert_eq!(made.bytes, fs::metadata(site.file("b.db")).unwrap().len());
    assert_eq!(fs::metadata(site.file("b.db")).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(site.dir.path()).unwrap().count(), 2, "nothing else is left");
    let journal = store.journal(task(2)).unwrap();
    end(&store, 2, 13, OutcomeKind::Refused);
    begin(&store, 3, 14);
    end(&store, 3, 15, OutcomeKind::Refused);
    let heard = store.last_change().unwrap();
    drop(store);
    let restored = site.restore("b.db", Loss::Refused).unwrap();
    assert_eq!((restored.tasks, restored.unfinished), (2, 1));
    let store = site.store();
    assert_eq!(site.tasks(), [task(2), task(1)]);
    assert_eq!(store.journal(task(2)).unwrap(), journal);
    assert_eq!(store.last_change().unwrap(), heard, "no number comes twice");
    // Where the backup was made of what is there, the file that was kept is a whole state of its own.
    let replaced = restored.replaced.unwrap();
    assert_eq!(SqliteStore::open(&replaced).unwrap().tasks().unwrap().len(), 3);
    assert_eq!(fs::metadata(site.state().join("waypost.db")).unwrap().permissions().mode() & 0o777, 0o600);
    let left: Vec<String> = fs::read_dir(site.state())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".restoring"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_backup_is_whole_while_others_write() {
    let site = Site::new();
    let store = site.store();
    begin(&store, 1, 0);
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let (site, done) = (&site, &done);
        let writer = scope.spawn(move || {
            let store = site.store();
            let mut written = 0_u64;
            while !done.load(Ordering::Relaxed) {
                store.append(task(1), Moment(written), &Record::CancelRequested { requester: "x".into() }).unwrap();
                written += 1;
            }
            written
        });
        let mut least = 0;
        for n in 0..5 {
            // Something was written since the one before.
            while store.journal(task(1)).unwrap().len() <= least {
                std::thread::yield_now();
            }
            least = store.journal(task(1)).unwrap().len();
            let name = format!("{n}.db");
            backup(&site.state(), &site.file(&name)).unwrap();
            let other = Site::new();
            restore(&other.state(), &site.file(&name), Loss::Refused).unwrap();
            // Reading a journal fails where a record is missing.
            let copied = other.store().journal(task(1)).unwrap().len();
            assert!(copied >= least, "{copied} of at least {least}");
        }
        done.store(true, Ordering::Relaxed);
        assert!(writer.join().unwrap() > 5);
    });
}

#[test]
fn a_backup_replaces_nothing_and_leaves_nothing_where_it_fails() {
    let site = Site::new();
    let no_state = backup(&site.state(), &site.file("b.db")).unwrap_err().to_string();
    assert!(no_state.contains("there is no state yet"), "{no_state}");
    assert!(!site.state().exists() && !site.file("b.db").exists());
    begin(&site.store(), 1, 0);
    fs::write(site.file("mine"), "mine").unwrap();
    let there = backup(&site.state(), &site.file("mine")).unwrap_err().to_string();
    assert!(there.contains("is there already"), "{there}");
    assert_eq!(fs::read_to_string(site.file("mine")).unwrap(), "mine");
    // No user may make files there, whoever runs this.
    let unwritable = backup(&site.state(), Path::new("/proc/self/b.db")).unwrap_err().to_string();
    assert!(unwritable.contains("/proc/self/b.db"), "{unwritable}");
    backup(&site.state(), &site.file("gone/b.db")).unwrap_err();
}

#[test]
fn a_backup_makes_nothing_in_a_folder_that_is_not_ones_own() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    fs::remove_file(presence(&site.state())).unwrap();
    let refused = |words: &str| {
        let why = backup(&site.state(), &site.file("b.db")).unwrap_err().to_string();
        assert!(why.contains(words), "{why}");
        assert!(!site.file("b.db").exists() && !presence(&site.state()).exists());
    };
    fs::set_permissions(site.state(), fs::Permissions::from_mode(0o755)).unwrap();
    refused("run `chmod 700");
    fs::set_permissions(site.state(), fs::Permissions::from_mode(0o700)).unwrap();
    // Only root can give it to somebody else.
    if std::os::unix::fs::chown(site.state(), Some(1), None).is_ok() {
        refused("it belongs to user 1, and this runs as user 0");
        std::os::unix::fs::chown(site.state(), Some(0), None).unwrap();
    }
    backup(&site.state(), &site.file("b.db")).unwrap();
}

#[test]
fn a_file_that_is_no_whole_backup_changes_nothing() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    backup(&site.state(), &site.file("b.db")).unwrap();
    let whole = fs::read(site.file("b.db")).unwrap();
    fs::write(site.file("torn.db"), &whole[..whole.len() / 2]).unwrap();
    assert!(site.refusal("torn.db").contains("damaged"), "{}", site.refusal("torn.db"));
    let mut bent = whole.clone();
    bent[4096..4200].fill(0xff);
    fs::write(site.file("bent.db"), &bent).unwrap();
    assert!(site.refusal("bent.db").contains("damaged"), "{}", site.refusal("bent.db"));
    fs::write(site.file("text.db"), "no database at all, but text that is long enough to be one").unwrap();
    assert!(site.refusal("text.db").contains("damaged, or no backup"), "{}", site.refusal("text.db"));
    fs::write(site.file("empty.db"), "").unwrap();
    assert!(site.refusal("empty.db").contains("never finished"), "{}", site.refusal("empty.db"));
    site.refusal("nowhere.db");
    let other = Connection::open(site.file("other.db")).unwrap();
    other.execute_batch("CREATE TABLE t (x); PRAGMA user_version = 3").unwrap();
    drop(other);
    assert!(site.refusal("other.db").contains("other tables"), "{}", site.refusal("other.db"));
    fs::write(site.file("live.db"), &whole).unwrap();
    fs::write(site.file("live.db-wal"), "not empty").unwrap();
    assert!(site.refusal("live.db").contains("write-ahead log"), "{}", site.refusal("live.db"));
    assert_eq!(site.tasks(), [task(1)]);
    assert!(!site.state().join("replaced-1").exists());
}

#[test]
fn tables_of_a_newer_waypost_are_refused_and_older_ones_brought_up_to_date() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    backup(&site.state(), &site.file("b.db")).unwrap();
    let newer = Connection::open(site.file("b.db")).unwrap();
    newer.pragma_update(None, "user_version", SCHEMA_VERSION + 1).unwrap();
    drop(newer);
    let why = site.refusal("b.db");
    assert!(why.contains(&format!("version {}", SCHEMA_VERSION + 1)) && why.contains("nothing was changed"), "{why}");
    // As the first version left it.
    let older = Connection::open(site.file("old.db")).unwrap();
    older.execute_batch(schema::STEPS[0]).unwrap();
    older
        .execute_batch(
            "INSERT INTO task VALUES ('00000000-0000-0000-0000-000000000007', 1, 2, NULL, 'g', NULL, 'b', 'ended', 'refused', 1, 1, NULL);
             INSERT INTO record VALUES ('00000000-0000-0000-0000-000000000007', 1, 1, '{}');
             PRAGMA user_version = 1",
        )
        .unwrap();
    drop(older);
    let fresh = Site::new();
    let restored = restore(&fresh.state(), &site.file("old.db"), Loss::Refused).unwrap();
    assert_eq!((restored.tasks, restored.replaced), (1, None));
    assert_eq!(fresh.tasks(), [task(7)]);
    assert_eq!(fresh.store().last_change().unwrap(), 1);
}

#[test]
fn unfinished_tasks_are_not_lost_without_a_word() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    backup(&site.state(), &site.file("b.db")).unwrap();
    // The same task, as far as the backup knows it: nothing is lost.
    site.restore("b.db", Loss::Refused).unwrap();
    // One record more.
    site.store().append(task(1), Moment(1), &Record::CancelRequested { requester: "x".into() }).unwrap();
    assert!(site.refusal("b.db").contains(&task(1).to_string()));
    end(&site.store(), 1, 2, OutcomeKind::Refused);
    site.restore("b.db", Loss::Refused).unwrap();
    begin(&site.store(), 2, 3);
    let why = site.refusal("b.db");
    assert!(why.contains(&task(2).to_string()) && why.contains("--force-lose-unfinished"), "{why}");
    assert_eq!(site.tasks(), [task(2), task(1)]);
    site.restore("b.db", Loss::Accepted).unwrap();
    assert_eq!(site.tasks(), [task(1)]);
    // What can't be read can't be told to be over.
    fs::write(site.state().join("waypost.db"), "damaged beyond reading, and long enough to be noticed").unwrap();
    assert!(site.refusal("b.db").contains("can't be read"), "{}", site.refusal("b.db"));
    let restored = site.restore("b.db", Loss::Accepted).unwrap();
    assert_eq!(site.tasks(), [task(1)]);
    let kept = fs::read_to_string(restored.replaced.unwrap().join("waypost.db")).unwrap();
    assert!(kept.starts_with("damaged"), "{kept}");
}

#[test]
fn a_log_without_its_database_is_never_played_into_the_one_that_is_restored() {
    for (ending, empty) in [("-wal", false), ("-wal", true), ("-journal", false), ("-journal", true)] {
        let site = Site::new();
        begin(&site.store(), 1, 0);
        backup(&site.state(), &site.file("b.db")).unwrap();
        let store = site.store();
        begin(&store, 2, 1);
        let log = fs::read(site.state().join("waypost.db-wal")).unwrap();
        drop(store);
        let (database, left) = (site.state().join("waypost.db"), site.state().join(format!("waypost.db{ending}")));
        fs::remove_file(&database).unwrap();
        if empty {
            fs::write(&database, "").unwrap();
        }
        fs::write(&left, &log).unwrap();
        let why = site.refusal("b.db");
        assert!(why.contains("its database is gone, and its log is there"), "{ending}: {why}");
        assert_eq!(fs::read(&left).unwrap(), log, "{ending}: it is where it was");
        let restored = site.restore("b.db", Loss::Accepted).unwrap();
        assert_eq!(site.tasks(), [task(1)]);
        let kept = restored.replaced.unwrap().join(format!("waypost.db{ending}"));
        assert_eq!(fs::read(kept).unwrap(), log, "{ending}");
    }
}

#[test]
fn a_revoked_token_stays_revoked_and_what_was_noted_stays_noted() {
    let site = Site::new();
    let run = |sql: &str| site.database().execute_batch(sql).unwrap();
    drop(site.store());
    run("INSERT INTO token VALUES ('early', 'n', 'operator', '[]', '[]', 'h', 1, 'anna', NULL, 5),
                                  ('late', 'n', 'operator', '[]', '[]', 'h', 1, 'anna', NULL, NULL),
                                  ('valid', 'n', 'operator', '[]', '[]', 'h', 1, 'anna', NULL, NULL);
         INSERT INTO audit (at, who, proof, origin, what) VALUES (1, 'anna', 'p', 'o', 'w'), (2, 'bert', 'p', 'o', 'w')");
    backup(&site.state(), &site.file("b.db")).unwrap();
    run("UPDATE token SET revoked_at = 9 WHERE id IN ('early', 'late');
         UPDATE audit SET outcome = 'done', task = 't' WHERE number = 2;
         INSERT INTO audit (at, who, proof, origin, what, outcome) VALUES (3, 'anna', 'p', 'o', 'revoke', 'done');
         INSERT INTO audit (at, who, proof, origin, what) VALUES (4, 'anna', 'p', 'o', 'removed');
         DELETE FROM audit WHERE number = 4");
    site.restore("b.db", Loss::Refused).unwrap();
    let revoked: [(&str, Option<i64>); 3] = [("early", Some(5)), ("late", Some(9)), ("valid", None)];
    assert_eq!(site.rows("SELECT id, revoked_at FROM token ORDER BY id"), revoked.map(|(id, at)| (id.to_owned(), at)));
    let noted: [(&str, Option<i64>); 3] = [("anna -", Some(1)), ("bert done", Some(2)), ("anna done", Some(3))];
    assert_eq!(
        site.rows("SELECT who || ' ' || coalesce(outcome, '-'), number FROM audit ORDER BY number"),
        noted.map(|(who, number)| (who.to_owned(), number))
    );
    run("INSERT INTO audit (at, who, proof, origin, what) VALUES (5, 'next', 'p', 'o', 'w')");
    let next = site.rows("SELECT who, number FROM audit WHERE who = 'next'");
    assert_eq!(next, [("next".to_owned(), Some(5))], "the number of the one that was removed is not given again");
    // Where there is nothing, nobody knows of what was revoked since.
    let fresh = Site::new();
    restore(&fresh.state(), &site.file("b.db"), Loss::Refused).unwrap();
    assert_eq!(fresh.rows("SELECT id, revoked_at FROM token WHERE id = 'late'"), [("late".to_owned(), None)]);
}

#[test]
fn no_number_of_any_order_is_given_twice() {
    let site = Site::new();
    let store = site.store();
    begin(&store, 1, 0);
    decide(&store, 1, "a");
    backup(&site.state(), &site.file("b.db")).unwrap();
    decide(&store, 1, "b");
    drop(store);
    let select = "SELECT name, seq FROM sqlite_sequence WHERE name = 'decided'";
    let before = site.rows(select);
    assert_eq!(before, [("decided".to_owned(), Some(2))]);
    site.restore("b.db", Loss::Refused).unwrap();
    assert_eq!(site.rows(select), before);
    decide(&site.store(), 1, "c");
    assert_eq!(site.rows("SELECT hook, max(sequence) FROM decided GROUP BY hook"), [("precheck".to_owned(), Some(3))]);
}

#[test]
fn what_was_only_queued_is_cancelled_and_not_done_again() {
    let site = Site::new();
    let store = site.store();
    for n in 1..=4 {
        begin(&store, n, 0);
    }
    store.request_cancel(task(2), "anna").unwrap();
    end(&store, 3, 1, OutcomeKind::Refused);
    let update = format!("UPDATE task SET phase = 'performing' WHERE id = '{}'", task(4));
    site.database().execute_batch(&update).unwrap();
    backup(&site.state(), &site.file("b.db")).unwrap();
    assert_eq!(store.cancel_requested(task(1)).unwrap(), None, "a backup asks for nothing");
    let fresh = Site::new();
    let restored = restore(&fresh.state(), &site.file("b.db"), Loss::Refused).unwrap();
    assert_eq!((restored.tasks, restored.unfinished, restored.queued), (4, 3, 2));
    let asked = |n| fresh.store().cancel_requested(task(n)).unwrap();
    assert_eq!([1, 2, 3, 4].map(asked), [Some("restore".into()), Some("anna".into()), None, None]);
}

#[test]
fn what_a_killed_command_left_is_in_nobodys_way() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let pid = std::process::id();
    fs::write(site.file(&format!(".b.db.part-{pid}")), "half a copy").unwrap();
    backup(&site.state(), &site.file("b.db")).unwrap();
    let left = [format!(".restoring-{pid}"), format!(".restoring-{pid}-journal"), ".restoring-1".to_owned()];
    for name in &left {
        fs::write(site.state().join(name), "half a copy").unwrap();
    }
    site.restore("b.db", Loss::Refused).unwrap();
    assert_eq!(site.tasks(), [task(1)]);
    for name in left {
        assert!(!site.state().join(&name).exists(), "{name}");
    }
}

#[test]
fn a_state_that_somebody_works_on_is_not_replaced() {
    let site = Site::new();
    let store = site.store();
    begin(&store, 1, 0);
    backup(&site.state(), &site.file("b.db")).unwrap();
    let lock = store.lock(task(1)).unwrap().unwrap();
    let why = site.refusal("b.db");
    assert!(why.contains("somebody has it open") && why.contains(&format!("drives task {}", task(1))), "{why}");
    drop(lock);
    assert!(site.refusal("b.db").contains("somebody has it open"));
    drop(store);
    let service = service_lock(&site.state()).unwrap();
    assert!(service_runs(&site.state()).unwrap());
    let why = site.refusal("b.db");
    assert!(why.contains(&format!("another service (process {})", std::process::id())), "{why}");
    let second = service_lock(&site.state()).unwrap_err().to_string();
    assert!(second.contains("end that one") && second.contains(&site.state().display().to_string()), "{second}");
    drop(service);
    assert!(!service_runs(&site.state()).unwrap());
    site.restore("b.db", Loss::Refused).unwrap();
}

#[test]
fn nobody_opens_a_state_that_is_being_restored() {
    let site = Site::new();
    begin(&site.store(), 1, 0);
    let alone = lock::acquire(&presence(&site.state())).unwrap().unwrap();
    let Err(why) = SqliteStore::open(&site.state()) else { panic!("it was opened") };
    assert!(why.to_string().contains("being restored"), "{why}");
    drop(alone);
    site.store();
}

#[test]
fn what_is_over_and_old_is_forgotten_and_nothing_else() {
    let site = Site::new();
    let store = site.store();
    for (n, kind) in
        [(1, OutcomeKind::Completed), (2, OutcomeKind::Stuck), (3, OutcomeKind::Lost), (4, OutcomeKind::Refused)]
    {
        begin(&store, n, 10);
        decide(&store, n, if n == 4 { "shared" } else { "own" });
        if n == 1 {
            decide(&store, n, "shared");
            decide(&store, n, "its own");
        }
        // By way of the table alone: this task's course is nothing to this test.
        let ended = Connection::open(site.state().join("waypost.db")).unwrap();
        let update = format!("UPDATE task SET phase = 'ended', outcome = '{kind}', updated_at = ?2 WHERE id = ?1");
        ended.execute(&update, rusqlite::params![task(n).to_string(), if n == 4 { 900 } else { 20 }]).unwrap();
    }
    begin(&store, 5, 10);
    store.put_facts("nobody's", "facts").unwrap();
    let last = store.last_change().unwrap();
    let pruned = store.prune(Moment(100)).unwrap();
    assert_eq!(pruned, Pruned { tasks: 1, records: 1, facts: 1, kept: 2 });
    assert_eq!(site.tasks(), [task(5), task(4), task(3), task(2)]);
    assert!(store.journal(task(1)).is_err());
    for (digest, there) in [("own", true), ("shared", true), ("its own", false), ("nobody's", true)] {
        assert_eq!(store.facts(digest).unwrap().is_some(), there, "{digest}");
    }
    assert_eq!(store.last_change().unwrap(), last);
    assert_eq!(store.changes(None, 0, 100).unwrap().len(), 4);
    assert_eq!(store.prune(Moment(100)).unwrap(), Pruned { kept: 2, ..Pruned::default() });
}

#[test]
fn the_number_of_a_record_that_was_pruned_is_never_given_again() {
    let site = Site::new();
    let store = site.store();
    for n in 0..250 {
        begin(&store, n, 10);
        end(&store, n, 11, OutcomeKind::Refused);
    }
    let last = store.last_change().unwrap();
    assert_eq!(store.prune(Moment(100)).unwrap().tasks, 250);
    assert_eq!((store.last_change().unwrap(), site.tasks()), (last, vec![]));
    begin(&store, 1000, 12);
    assert_eq!(store.last_change().unwrap(), last + 1);
}
