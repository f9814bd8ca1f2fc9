//! The feed: one order of all records, whoever wrote them; pages; keys.

use waypost_core::feed::{DecisionQuery, Feed, KeyClaim, Place, RequestKey, Standings, TaskQuery, TaskState};
use waypost_core::plan::Plan;
use waypost_core::ports::DecisionVerdict;
use waypost_core::recovery::AttemptChange;
use waypost_core::situation::{Side, Situation};

use super::*;
use crate::records::tests::some_plan;

fn sequences(store: &SqliteStore, of: Option<TaskId>, after: u64) -> Vec<u64> {
    store.changes(of, after, 1000).unwrap().iter().map(|change| change.sequence).collect()
}

#[test]
fn every_record_has_its_place_in_one_order_of_all_processes() {
    let (_guard, dir) = folder();
    // Two opens of one folder stand for two processes.
    let (here, there) = (SqliteStore::open(&dir).unwrap(), SqliteStore::open(&dir).unwrap());
    assert_eq!((here.last_change().unwrap(), here.changes(None, 0, 10).unwrap().len()), (0, 0));
    let _one = here.create(task(1), Moment(1), &by_name()).unwrap();
    let _two = there.create(task(2), Moment(2), &by_name()).unwrap();
    here.append(task(1), Moment(3), &told()).unwrap();
    there.append(task(2), Moment(4), &told()).unwrap();
    let told_of = |store: &SqliteStore| {
        let changes = store.changes(None, 0, 10).unwrap();
        changes.iter().map(|change| (change.task, change.number, change.at, change.attempt)).collect::<Vec<_>>()
    };
    let expected = [(1, 1, 1), (2, 1, 2), (1, 2, 3), (2, 2, 4)];
    let expected = expected.map(|(id, number, at)| (task(id), number, Moment(at), 1));
    assert_eq!(told_of(&here), expected);
    assert_eq!(told_of(&there), expected);
    assert_eq!(sequences(&here, None, 2), [3, 4]);
    assert_eq!(here.changes(None, 0, 3).unwrap().len(), 3, "no more than were asked for");
    assert_eq!(sequences(&there, Some(task(1)), 0), [1, 3]);
    assert_eq!((here.last_change_of(task(2)).unwrap(), here.last_change_of(task(9)).unwrap()), (4, 0));
}

#[test]
fn what_could_not_be_written_has_no_place() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    store.append(task(1), Moment(2), &Record::Prepared).unwrap_err();
    store.create(task(1), Moment(2), &by_name()).map(drop).unwrap_err();
    assert_eq!(store.last_change().unwrap(), 1);
}

#[test]
fn the_version_moves_with_whatever_anybody_writes_and_only_then() {
    let (_guard, dir) = folder();
    let (here, there) = (SqliteStore::open(&dir).unwrap(), SqliteStore::open(&dir).unwrap());
    let _lock = there.create(task(1), Moment(1), &by_name()).unwrap();
    let mut before = here.version().unwrap();
    assert_eq!(here.version().unwrap(), before);
    let mut moved = |what: &str| {
        let now = here.version().unwrap();
        assert_ne!(now, before, "{what}");
        assert_eq!(here.version().unwrap(), now, "{what}");
        before = now;
    };
    there.append(task(1), Moment(2), &told()).unwrap();
    moved("another process's record");
    here.append(task(1), Moment(3), &told()).unwrap();
    moved("a record of our own");
    let reading = Reading { at: Moment(4), permille: 5, sample: Sample::default() };
    here.put_reading(task(1), &reading).unwrap();
    moved("a reading of our own");
    there.put_reading(task(1), &Reading { permille: 6, ..reading }).unwrap();
    moved("another process's reading");
}

#[test]
fn the_records_of_an_older_store_get_their_places() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    drop(store.create(task(1), Moment(10), &by_name()).unwrap());
    drop(store.create(task(2), Moment(5), &by_name()).unwrap());
    store.append(task(1), Moment(20), &told()).unwrap();
    drop(store);
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    raw.execute_batch(BACK_TO_4).unwrap();
    raw.execute_batch("DROP TABLE change; DROP TABLE request_key; PRAGMA user_version = 3").unwrap();
    drop(raw);
    let store = SqliteStore::open(&dir).unwrap();
    let told_of: Vec<_> =
        store.changes(None, 0, 10).unwrap().iter().map(|change| (change.task, change.number)).collect();
    assert_eq!(told_of, [(task(2), 1), (task(1), 1), (task(1), 2)]);
    store.append(task(2), Moment(30), &told()).unwrap();
    assert_eq!(sequences(&store, None, 3), [4]);
}

#[test]
fn a_running_transfer_shows_its_last_reading_and_another_attempt_begins_without_one() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    assert_eq!(store.moving().unwrap(), []);
    let reading = Reading { at: Moment(4), permille: 700, sample: Sample::default() };
    store.put_reading(task(1), &reading).unwrap();
    let moving = store.moving().unwrap();
    assert_eq!((moving[0].brief.id, moving[0].attempt, &moving[0].reading), (task(1), 1, &reading));
    assert_eq!(moving[0].brief.permille, 700);
    let failed = [
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
    ];
    for record in &failed {
        store.append(task(1), Moment(5), record).unwrap();
    }
    assert_eq!((store.moving().unwrap(), store.reading(task(1)).unwrap()), (vec![], None));
    assert_eq!(store.brief(task(1)).unwrap().unwrap().permille, 0);
    store.put_reading(task(1), &Reading { permille: 10, ..reading }).unwrap();
    assert_eq!(store.moving().unwrap()[0].attempt, 2);
    store.append(task(1), Moment(6), &failed[0]).unwrap();
    store.append(task(1), Moment(6), &ended(OutcomeKind::RolledBack)).unwrap();
    assert_eq!(store.moving().unwrap(), [], "what is over does not move");
}

#[test]
fn a_task_leads_where_the_plan_of_its_last_attempt_says() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _one = store.create(task(1), Moment(1), &by_name()).unwrap();
    let _two = store.create(task(2), Moment(2), &by_name()).unwrap();
    let targets = || {
        let found = store.targets(&[task(1), task(2), task(9)]).unwrap();
        found.into_iter().collect::<Vec<_>>()
    };
    let planned = |uri: &str| Record::Planned { plan: Plan { peer_uri: uri.to_owned(), ..some_plan() } };
    assert_eq!(targets(), []);
    store.append(task(1), Moment(3), &planned("qemu+tls://b/system")).unwrap();
    assert_eq!(targets(), [(task(1), "qemu+tls://b/system".to_owned())]);
    let unknown = |why: &str| Side::Unknown(why.to_owned());
    let failed = [
        Record::Prepared,
        Record::PerformIntended,
        Record::PerformReturned { result: Err((FailureClass::Network, "cut".into())) },
        Record::Located { situation: Situation { source: unknown("x"), destination: unknown("y") }, permitted: vec![] },
    ];
    for record in &failed {
        store.append(task(1), Moment(4), record).unwrap();
    }
    assert_eq!(targets(), [(task(1), "qemu+tls://b/system".to_owned())]);
    // Where the next attempt goes is not known before it is planned.
    let next = Record::NextAttempt { attempt: 2, change: AttemptChange::NONE };
    store.append(task(1), Moment(5), &next).unwrap();
    assert_eq!(targets(), []);
    store.append(task(1), Moment(6), &planned("qemu+tls://c/system")).unwrap();
    store.append(task(2), Moment(7), &planned("qemu+ssh://d/system")).unwrap();
    let both = [(task(1), "qemu+tls://c/system"), (task(2), "qemu+ssh://d/system")];
    assert_eq!(targets(), both.map(|(task, uri)| (task, uri.to_owned())));
}

#[test]
fn tasks_come_in_pages_and_narrowed() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    // Three at the same moment: the id decides between them.
    for n in 1..=7 {
        let at = Moment(if (3..=5).contains(&n) { 3 } else { n });
        let request = match n % 2 {
            0 => by_name(),
            _ => accepted(DomainKey::Id(domain(u128::from(n)))),
        };
        drop(store.create(task(u128::from(n)), at, &request).unwrap());
    }
    store.append(task(2), Moment(9), &ended(OutcomeKind::Refused)).unwrap();
    let ids = |query: &TaskQuery, most| {
        store.page(query, most).unwrap().iter().map(|brief| brief.id.0.as_u128()).collect::<Vec<_>>()
    };
    let (mut all, mut query) = (Vec::new(), TaskQuery::default());
    loop {
        let page = store.page(&query, 2).unwrap();
        let Some(last) = page.last() else { break };
        query.after = Some(Place { created_at: last.created_at, task: last.id });
        all.extend(page.iter().map(|brief| brief.id.0.as_u128()));
    }
    assert_eq!(all, [7, 6, 5, 4, 3, 2, 1]);
    let only = |states: &[TaskState]| TaskQuery { states: states.to_vec(), ..TaskQuery::default() };
    assert_eq!(ids(&only(&[TaskState::Unfinished]), 9), [7, 6, 5, 4, 3, 1]);
    assert_eq!(ids(&only(&[TaskState::Ended(OutcomeKind::Refused)]), 9), [2]);
    assert_eq!(ids(&only(&[TaskState::In(Phase::Accepted), TaskState::Ended(OutcomeKind::Refused)]), 9).len(), 7);
    assert_eq!(ids(&only(&[TaskState::In(Phase::Planned)]), 9), [0u128; 0]);
    let of = |text: &str| TaskQuery { domain: Some(text.to_owned()), ..TaskQuery::default() };
    assert_eq!(ids(&of("g1"), 9), [6, 4, 2]);
    assert_eq!(ids(&of(&domain(3).to_string().to_uppercase()), 9), [3]);
    assert_eq!(ids(&of("' OR 1=1 --"), 9), [0u128; 0]);
    let at = |host: &str| TaskQuery { host: Some(HostName::new(host)), ..TaskQuery::default() };
    assert_eq!((ids(&at("b"), 9).len(), ids(&at("a"), 9).len()), (7, 0));
    // The second was made long ago, and has ended just now.
    let since = |at| TaskQuery { changed_since: Some(Moment(at)), ..TaskQuery::default() };
    assert_eq!((ids(&since(7), 9), ids(&since(10), 9)), (vec![7, 2], vec![]));
    assert_eq!(store.brief(task(2)).unwrap().unwrap().outcome, Some(OutcomeKind::Refused));
    assert_eq!(store.brief(task(8)).unwrap(), None);
}

#[test]
fn a_key_stands_for_one_request_of_one_owner_until_it_is_forgotten() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let key = |owner: &str, digest: &str| RequestKey { owner: owner.into(), key: "k".into(), digest: digest.into() };
    let claim = |key: &RequestKey, id, at, forget| store.claim_key(key, task(id), Moment(at), Moment(forget)).unwrap();
    assert_eq!(claim(&key("anna", "d"), 1, 10, 0), KeyClaim::New);
    assert_eq!(claim(&key("anna", "d"), 2, 11, 0), KeyClaim::Same(task(1)));
    assert_eq!(claim(&key("anna", "e"), 3, 12, 0), KeyClaim::Other(task(1)));
    assert_eq!(claim(&key("bert", "e"), 4, 13, 0), KeyClaim::New, "another's key of the same words");
    // Released only while its task was not made.
    store.release_key(&key("anna", "d")).unwrap();
    assert_eq!(claim(&key("anna", "e"), 5, 14, 0), KeyClaim::New);
    drop(store.create(task(5), Moment(15), &by_name()).unwrap());
    store.release_key(&key("anna", "e")).unwrap();
    assert_eq!(claim(&key("anna", "e"), 6, 16, 0), KeyClaim::Same(task(5)));
    // Forgotten when it is old enough.
    assert_eq!(claim(&key("anna", "e"), 7, 100, 14), KeyClaim::Same(task(5)));
    assert_eq!(claim(&key("anna", "e"), 7, 100, 15), KeyClaim::New);
}

#[test]
fn a_record_tells_the_phase_that_it_leads_to() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    store.append(task(1), Moment(2), &told()).unwrap();
    store.append(task(1), Moment(3), &ended(OutcomeKind::Refused)).unwrap();
    let phases: Vec<_> = store.changes(None, 0, 10).unwrap().iter().map(|change| change.phase).collect();
    assert_eq!(phases, [Some(Phase::Accepted), Some(Phase::Accepted), Some(Phase::Ended)]);
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    raw.execute("UPDATE record SET phase = NULL WHERE number = 2", []).unwrap();
    assert_eq!(store.changes(None, 1, 1).unwrap()[0].phase, None, "as an older version wrote it");
}

#[test]
fn readings_are_kept_at_even_distances_however_many_come() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let _lock = store.create(task(1), Moment(1), &by_name()).unwrap();
    assert_eq!(store.samples(task(1)).unwrap(), []);
    for n in 1..=3000_u64 {
        let sample = Sample { elapsed_ms: n, ..Sample::default() };
        store.put_reading(task(1), &Reading { at: Moment(n), permille: 0, sample }).unwrap();
        if n % 97 != 0 && n > 5 {
            continue;
        }
        let kept: Vec<u64> =
            store.samples(task(1)).unwrap().iter().map(|past| past.reading.sample.elapsed_ms).collect();
        let (last, before) = kept.split_last().unwrap();
        assert_eq!((kept[0], *last), (1, n), "the first and the last");
        assert!(kept.len() <= 257 && (kept.len() > 128 || kept.len() as u64 == n), "{} of {n}", kept.len());
        let mut steps = before.windows(2).map(|pair| pair[1] - pair[0]);
        let step = steps.next();
        assert!(steps.all(|other| Some(other) == step), "{kept:?}");
    }
    // A definition that travels alone has no figures.
    store.put_reading(task(1), &Reading { at: Moment(9), permille: 1000, sample: Sample::default() }).unwrap();
    assert_eq!(store.samples(task(1)).unwrap().last().unwrap().reading.sample.elapsed_ms, 3000);
}

#[test]
fn readings_of_old_tasks_go_once_a_thousand_newer_ones_are_there() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    drop(store.create(task(1), Moment(1), &by_name()).unwrap());
    let reading = Reading { at: Moment(1), permille: 1, sample: Sample { elapsed_ms: 5, ..Sample::default() } };
    store.put_reading(task(1), &reading).unwrap();
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    let copy =
        "INSERT INTO task SELECT ?1, created_at, updated_at, domain, domain_name, source, destination, phase, outcome,
                attempt, records, cancel_requested_by, summary, asked_within FROM task WHERE id = ?2";
    for n in 2..=1001 {
        raw.execute(copy, [task(n).to_string(), task(1).to_string()]).unwrap();
    }
    store.put_reading(task(1000), &reading).unwrap();
    assert_eq!((store.samples(task(1)).unwrap().len(), store.samples(task(1000)).unwrap().len()), (0, 1));
    assert!(store.reading(task(1)).unwrap().is_some(), "the last one stays");
}

#[test]
fn within_what_a_task_was_asked_for_is_known_as_long_as_the_task() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    drop(store.create(task(1), Moment(1), &by_name()).unwrap());
    assert_eq!(store.context_of(task(1)).unwrap(), None);
    store.note_context(task(1), "00-1-2-01").unwrap();
    assert_eq!(SqliteStore::open(&dir).unwrap().context_of(task(1)).unwrap().as_deref(), Some("00-1-2-01"));
    assert_eq!(store.context_of(task(2)).unwrap(), None, "there is no such task");
}

fn decision(plugin: &str, hook: &str, answer: &str, fault: Option<&str>) -> DecisionRecord {
    DecisionRecord {
        plugin: plugin.into(),
        digest: "d".into(),
        hook: hook.into(),
        mode: PolicyMode::Enforce,
        settings: "{}".into(),
        facts_digest: "f".into(),
        facts_read: vec![],
        answer: answer.into(),
        fault: fault.map(Into::into),
        fuel: 1,
        micros: 2,
        decided_at: Moment(3),
    }
}

#[test]
fn decision_records_of_all_tasks_have_one_order_and_are_found_by_what_they_are() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    for n in 1..=2 {
        drop(store.create(task(n), Moment(1), &by_name()).unwrap());
    }
    let blocker = "b: warning w: all is well\nc: blocker x: no";
    let harmless = "b: warning w: here: blocker is a word";
    store
        .put_decisions(task(1), &[decision("p", "precheck", blocker, None), decision("q", "precheck", harmless, None)])
        .unwrap();
    store.put_decisions(task(2), &[decision("p", "precheck", "none", Some("trapped"))]).unwrap();
    store.put_decisions(task(1), &[decision("p", "recovery", "b: blocker x: is no finding here", None)]).unwrap();
    let found = |query: &DecisionQuery| -> Vec<(u64, u128)> {
        let found = store.decisions_of(query, 10).unwrap();
        found.iter().map(|decided| (decided.sequence, decided.task.0.as_u128())).collect()
    };
    let all = DecisionQuery::default();
    assert_eq!(found(&all), [(4, 1), (3, 2), (2, 1), (1, 1)]);
    assert_eq!(store.decisions_of(&all, 1).unwrap()[0].domain_name, "g1");
    assert_eq!(found(&DecisionQuery { before: Some(3), ..all.clone() }), [(2, 1), (1, 1)]);
    assert_eq!(found(&DecisionQuery { plugin: Some("p".into()), ..all.clone() }), [(4, 1), (3, 2), (1, 1)]);
    assert_eq!(found(&DecisionQuery { plugin: Some("' OR 1=1 --".into()), ..all.clone() }), []);
    assert_eq!(found(&DecisionQuery { hook: Some("recovery".into()), ..all.clone() }), [(4, 1)]);
    let by = |verdict| found(&DecisionQuery { verdict: Some(verdict), ..all.clone() });
    assert_eq!(by(DecisionVerdict::Blocked), [(1, 1)]);
    assert_eq!(by(DecisionVerdict::Failed), [(3, 2)]);
    assert_eq!(by(DecisionVerdict::Answered), [(4, 1), (2, 1)]);
}

#[test]
fn tasks_are_counted_by_phase_and_outcome() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    assert_eq!(store.standings().unwrap(), Standings::default());
    for n in 1..=4 {
        drop(store.create(task(n), Moment(1), &by_name()).unwrap());
    }
    store.append(task(1), Moment(2), &ended(OutcomeKind::Refused)).unwrap();
    store.append(task(2), Moment(2), &ended(OutcomeKind::Stuck)).unwrap();
    let expected = Standings {
        unfinished: vec![(Phase::Accepted, 2)],
        ended: vec![(OutcomeKind::Refused, 1), (OutcomeKind::Stuck, 1)],
    };
    assert_eq!(store.standings().unwrap(), expected);
}

#[test]
fn what_an_older_version_wrote_is_found_too() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    drop(store.create(task(1), Moment(1), &by_name()).unwrap());
    store
        .put_decisions(
            task(1),
            &[decision("p", "precheck", "c: blocker x: no", None), decision("p", "precheck", "fine", None)],
        )
        .unwrap();
    store.append(task(1), Moment(2), &ended(OutcomeKind::Refused)).unwrap();
    drop(store);
    // As version 4 left it.
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    raw.execute_batch(BACK_TO_4).unwrap();
    drop(raw);
    let store = SqliteStore::open(&dir).unwrap();
    let verdicts: Vec<_> = store
        .decisions_of(&DecisionQuery::default(), 10)
        .unwrap()
        .iter()
        .map(|decided| (decided.sequence, decided.decision.verdict()))
        .collect();
    assert_eq!(verdicts, [(2, DecisionVerdict::Answered), (1, DecisionVerdict::Blocked)]);
    let blocked = DecisionQuery { verdict: Some(DecisionVerdict::Blocked), ..DecisionQuery::default() };
    assert_eq!(store.decisions_of(&blocked, 10).unwrap().len(), 1);
    assert_eq!(store.brief(task(1)).unwrap().unwrap().summary.as_deref(), Some("s"));
    // It goes on with numbers that nobody has seen.
    store.put_decisions(task(1), &[decision("p", "precheck", "fine", None)]).unwrap();
    assert_eq!(store.decisions_of(&DecisionQuery::default(), 1).unwrap()[0].sequence, 3);
}

#[test]
fn what_is_kept_for_looking_back_goes_with_its_task() {
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    drop(store.create(task(1), Moment(1), &by_name()).unwrap());
    store.put_decisions(task(1), &[decision("p", "precheck", "fine", None)]).unwrap();
    let sample = Sample { elapsed_ms: 5, ..Sample::default() };
    store.put_reading(task(1), &Reading { at: Moment(1), permille: 1, sample }).unwrap();
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    raw.execute_batch(
        "PRAGMA foreign_keys = ON; DELETE FROM record; DELETE FROM reading; DELETE FROM decision; DELETE FROM task",
    )
    .unwrap();
    let left = "SELECT (SELECT count(*) FROM sample) + (SELECT count(*) FROM decided)";
    assert_eq!(raw.query_row(left, [], |row| row.get::<_, i64>(0)).unwrap(), 0);
    assert_eq!(store.decisions_of(&DecisionQuery::default(), 10).unwrap(), []);
}
