//! The queue that all processes over one folder share.

use waypost_core::feed::{DrivenBy, Feed as _};
use waypost_core::queue::Priority;

use super::*;

#[test]
fn a_store_of_the_first_version_gets_the_newer_tables_and_keeps_what_it_has() {
    let (_guard, dir) = folder();
    let first = SqliteStore::open(&dir).unwrap();
    drop(first.create(task(1), Moment(1), &by_name()).unwrap());
    drop(first);
    let raw = Connection::open(dir.join("waypost.db")).unwrap();
    raw.execute_batch(BACK_TO_4).unwrap();
    raw.execute_batch("DROP TABLE slot; DROP TABLE wish; DROP TABLE change; DROP TABLE request_key").unwrap();
    raw.pragma_update(None, "user_version", 1).unwrap();
    drop(raw);
    // Several processes begin at the same time.
    let stores: Vec<_> = std::thread::scope(|scope| {
        let opening: Vec<_> = (0..4).map(|_| scope.spawn(|| SqliteStore::open(&dir).unwrap())).collect();
        opening.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(stores[0].journal(task(1)).unwrap(), [(Moment(1), by_name())]);
    let _lock = stores[1].lock(task(1)).unwrap().unwrap();
    assert_eq!(stores[1].claim_slot(task(1), Moment(2), &wish("a", "b"), &limits()).unwrap(), Turn::Granted);
    assert_eq!(stores[2].queue().unwrap().len(), 1);
}

fn wish(source: &str, destination: &str) -> SlotWish {
    let (source, destination) = (HostName::new(source), HostName::new(destination));
    SlotWish { priority: Priority::Low, source, destination, network: Some("mig".into()) }
}

fn limits() -> SlotLimits {
    SlotLimits { outgoing_per_host: 1, ..SlotLimits::default() }
}

#[test]
fn a_slot_is_one_of_all_processes_and_goes_with_its_task_or_with_who_drives_it() {
    let (_guard, dir) = folder();
    // Two opens of one folder stand for two processes: locks are of the open file.
    let (here, there) = (SqliteStore::open(&dir).unwrap(), SqliteStore::open(&dir).unwrap());
    let named = |n: u128| accepted(DomainKey::Name(format!("g{n}")));
    let one = here.create(task(1), Moment(1), &named(1)).unwrap();
    let _two = there.create(task(2), Moment(2), &named(2)).unwrap();
    let three = there.create(task(3), Moment(3), &named(3)).unwrap();

    assert_eq!(here.claim_slot(task(1), Moment(11), &wish("a", "b"), &limits()).unwrap(), Turn::Granted);
    // Asking again for the same changes nothing.
    assert_eq!(here.claim_slot(task(1), Moment(12), &wish("a", "b"), &limits()).unwrap(), Turn::Granted);
    let waits = |n, at| there.claim_slot(task(n), Moment(at), &wish("a", "c"), &limits()).unwrap().to_string();
    assert_eq!(waits(2, 20), "waiting for a slot: 1st; a sends 1 of 1");
    assert_eq!(waits(3, 19), "waiting for a slot: 2nd; a sends 1 of 1", "it came later, whatever the clock says");
    assert_eq!(waits(2, 30), "waiting for a slot: 1st; a sends 1 of 1", "it keeps its time of arrival");
    let seen = here.queue().unwrap();
    let kept: Vec<_> = seen.iter().map(|entry| (entry.task, entry.asked_at, entry.holds)).collect();
    assert_eq!(kept, [(task(1), Moment(11), true), (task(2), Moment(20), false), (task(3), Moment(21), false)]);
    assert_eq!(seen[1].wish, wish("a", "c"));

    // The holder's controller dies: its slot is free, and it takes it back when its transfer is found to be running.
    drop(one);
    assert_eq!(there.queue().unwrap().len(), 2);
    assert_eq!(there.claim_slot(task(2), Moment(40), &wish("a", "c"), &limits()).unwrap(), Turn::Granted);
    let _one = here.lock(task(1)).unwrap().unwrap();
    here.hold_slot(task(1), Moment(50), &wish("a", "b")).unwrap();
    assert_eq!(there.queue().unwrap().iter().filter(|entry| entry.holds).count(), 2);

    // What is over is out of the queue.
    here.append(task(1), Moment(60), &ended(OutcomeKind::RolledBack)).unwrap();
    there.append(task(2), Moment(60), &ended(OutcomeKind::RolledBack)).unwrap();
    assert_eq!(there.claim_slot(task(3), Moment(70), &wish("a", "c"), &limits()).unwrap(), Turn::Granted);
    assert!(here.claim_slot(task(1), Moment(70), &wish("a", "b"), &limits()).is_err());
    assert!(here.hold_slot(task(1), Moment(70), &wish("a", "b")).is_err());
    drop(three);
    assert!(here.queue().unwrap().is_empty());
}

#[test]
fn who_comes_when_the_clock_is_set_back_comes_after_those_who_wait() {
    const DAY_MS: u64 = 86_400_000;
    let (_guard, dir) = folder();
    let store = SqliteStore::open(&dir).unwrap();
    let named = |n: u128| accepted(DomainKey::Name(format!("g{n}")));
    // The last has the smallest id: ids are as old as the clock says, too.
    let _locks = [2, 3, 4, 1].map(|n| store.create(task(n), Moment(1), &named(n)).unwrap());
    let ask = |n, at| store.claim_slot(task(n), Moment(at), &wish("a", "c"), &limits()).unwrap().to_string();
    assert_eq!(ask(2, DAY_MS), "it may begin");
    assert_eq!(ask(3, DAY_MS + 10), "waiting for a slot: 1st; a sends 1 of 1");
    assert_eq!(ask(4, DAY_MS + 20), "waiting for a slot: 2nd; a sends 1 of 1");
    assert_eq!(ask(1, 5), "waiting for a slot: 3rd; a sends 1 of 1");
    let came = store.queue().unwrap().into_iter().find(|entry| entry.task == task(1)).unwrap().asked_at;
    assert_eq!(came, Moment(DAY_MS + 21));
    store.append(task(2), Moment(30), &ended(OutcomeKind::RolledBack)).unwrap();
    assert_eq!(ask(1, 40), "waiting for a slot: 3rd; what is free is kept for tasks before it");
    assert_eq!(ask(4, 40), "waiting for a slot: 2nd; what is free is kept for tasks before it");
    assert_eq!(ask(3, 40), "it may begin");
}

#[test]
fn who_drives_a_task_is_known_to_every_process() {
    let (_guard, dir) = folder();
    let (here, there) = (SqliteStore::open(&dir).unwrap(), SqliteStore::open(&dir).unwrap());
    let driving = here.create(task(1), Moment(1), &by_name()).unwrap();
    let driven_by = || [&here, &there].map(|store| store.driver(task(1)).unwrap());
    assert_eq!(driven_by(), [DrivenBy::Process; 2]);
    let service = crate::service_lock(&dir).unwrap();
    assert_eq!(driven_by(), [DrivenBy::Service; 2], "it is this process");
    let file = dir.join("locks").join(task(1).to_string());
    std::fs::write(file, "1\n").unwrap();
    assert_eq!(there.driver(task(1)).unwrap(), DrivenBy::Process, "it is another than the service");
    drop(service);
    assert_eq!(driven_by(), [DrivenBy::Process; 2], "there is no service any more");
    drop(driving);
    assert_eq!(driven_by(), [DrivenBy::Nobody; 2]);
}
