//! Databases as older versions left them, one of each, opened by this one. What is in them, and how the next one is added, says
//! `tests/older/README.md`.

use waypost_core::access::{Asked, Ledger as _, Role, Token};
use waypost_core::feed::{DecisionQuery, Feed as _, KeyClaim, RequestKey};
use waypost_core::ports::DecisionVerdict;

use super::*;

const OVER: &str = "018c0000-0000-7000-8000-00000000000a";
const WAITS: &str = "018c0000-0000-7000-8000-00000000000b";

/// A folder as that version left it, and what its tables are by now.
fn left_by(version: u32) -> (TempDir, PathBuf) {
    let (guard, dir) = folder();
    schema::prepare_folder(&dir, &dir.join("waypost.db"), &dir.join("locks")).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/older/v{version}.db"));
    let bytes =
        fs::read(&file).unwrap_or_else(|error| panic!("{} is missing ({error}): its README says more", file.display()));
    fs::write(dir.join("waypost.db"), bytes).unwrap();
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    assert_eq!(schema::version(&raw).unwrap(), version, "it is what its name says");
    (guard, dir)
}

fn tables(dir: &Path) -> Vec<(String, String, String)> {
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    assert_eq!(schema::version(&raw).unwrap(), schema::SCHEMA_VERSION);
    let whole: String = raw.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(whole, "ok");
    let select = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
    let mut statement = raw.prepare(select).unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    rows.map(Result::unwrap).collect()
}

#[test]
fn what_each_older_version_left_is_read_in_full_and_its_tables_are_those_of_a_new_one() {
    let (_new_guard, new) = folder();
    drop(SqliteStore::open(&new).unwrap());
    let new = tables(&new);
    for version in 1..schema::SCHEMA_VERSION {
        let (_guard, dir) = left_by(version);
        let store = SqliteStore::open(&dir).unwrap();
        assert_eq!(tables(&dir), new, "version {version}");
        let (over, waits) = (OVER.parse().unwrap(), WAITS.parse().unwrap());

        let journal = store.journal(over).unwrap();
        assert_eq!((journal.len(), journal[0].0), (12, Moment(1000)), "version {version}");
        let Record::Ended { outcome } = &journal[11].1 else { panic!("version {version}: {journal:?}") };
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        let brief = store.brief(over).unwrap().unwrap();
        assert_eq!((brief.outcome, brief.domain_name.as_str()), (Some(OutcomeKind::RolledBack), "g1"));
        assert_eq!(brief.summary.as_deref(), Some("g1 runs on kvm1"), "version {version}");
        let targets = store.targets(&[over, waits]).unwrap();
        let expected = [(over, "qemu+tcp://10.77.0.2/system".to_owned())];
        assert_eq!(targets.into_iter().collect::<Vec<_>>(), expected, "version {version}");
        assert_eq!(store.journal(waits).unwrap().len(), 1);
        assert_eq!(store.brief(waits).unwrap().unwrap().outcome, None);
        assert_eq!(store.tasks().unwrap().len(), 2);
        let reading = store.reading(over).unwrap().unwrap();
        assert_eq!((reading.at, reading.permille, reading.sample.processed_bytes), (Moment(5000), 250, 1024));

        // What only newer versions write down is made of what was there: the one order, and what decisions are searched by.
        let changes = store.changes(None, 0, 100).unwrap();
        let order: Vec<_> = changes.iter().map(|change| (change.task, change.number)).collect();
        let numbers = (1..=3).map(|n| (over, n)).chain([(waits, 1)]).chain((4..=12).map(|n| (over, n)));
        assert_eq!(order, numbers.collect::<Vec<_>>(), "version {version}");
        assert_eq!(store.decisions(over).unwrap().len(), 2);
        let blocked = DecisionQuery { verdict: Some(DecisionVerdict::Blocked), ..DecisionQuery::default() };
        let blocked = store.decisions_of(&blocked, 10).unwrap();
        assert_eq!(blocked.len(), 1, "version {version}");
        assert_eq!(blocked[0].decision.answer, "kvm2: blocker storage-not-shared");

        // What each version brought is there from it on.
        assert_eq!(store.wishes(waits).unwrap().len(), usize::from(version >= 2), "version {version}");
        let key = RequestKey { owner: "anna".into(), key: "key-1".into(), digest: "d".repeat(64) };
        let claim = store.claim_key(&key, over, Moment(1001), Moment(0)).unwrap();
        let made = if version >= 4 { KeyClaim::Same(waits) } else { KeyClaim::New };
        assert_eq!(claim, made, "version {version}");
        assert_eq!(store.samples(over).unwrap().is_empty(), version < 5, "version {version}");
        let token = store.token("0123456789abcdef").unwrap();
        assert_eq!(token.map(|token| token.role), (version >= 6).then_some(Role::Operator), "version {version}");
    }
}

#[test]
fn what_an_older_version_left_is_gone_on_with() {
    for version in 1..schema::SCHEMA_VERSION {
        let (_guard, dir) = left_by(version);
        let store = SqliteStore::open(&dir).unwrap();
        let (over, waits) = (OVER.parse().unwrap(), WAITS.parse().unwrap());
        let _lock = store.lock(waits).unwrap().expect("nobody drives it");
        let wish = Wish { action: Steering::Suspend, value: None, requester: "anna".into() };
        store.request_steering(waits, std::slice::from_ref(&wish)).unwrap();
        assert!(store.wishes(waits).unwrap().iter().any(|(_, kept)| *kept == wish), "version {version}");
        store.append(waits, Moment(20_000), &ended(OutcomeKind::Refused)).unwrap();
        let last = store.changes(None, 0, 100).unwrap().pop().unwrap();
        assert_eq!((last.task, last.number), (waits, 2), "version {version}");
        store.note_context(over, "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").unwrap();
        let token = Token {
            id: "1".into(),
            name: "dashboard".into(),
            role: Role::Viewer,
            scope: waypost_core::access::Scope::default(),
            hash: "$argon2id$".into(),
            created_at: Moment(5),
            created_by: "anna".into(),
            expires_at: None,
            revoked_at: None,
        };
        store.put_token(&token).unwrap();
        assert_eq!(store.token("1").unwrap(), Some(token));
        assert!(store.note(&Asked::default()).unwrap() > 0);
    }
}
