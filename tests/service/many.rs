//! Five hundred migrations at once, asked for by programs that repeat themselves: all end, none is done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use serde_json::json;
use waypost::core::feed::Feed as _;
use waypost::core::journal::Record;
use waypost::core::ports::Store as _;
use waypost::core::queue::SlotLimits;
use waypost::service::Limits;
use waypost::{HostName, OutcomeKind, TaskId};
use waypost_store::SqliteStore;

use super::support::{Client, Site, in_virtual_time};

const HOSTS: usize = 10;
const DOMAINS: usize = 500;

fn fleet() -> String {
    let mut text = String::new();
    for host in 0..HOSTS {
        // So slow that none has ended when the last is asked for.
        writeln!(text, "[[host]]\nname = \"h{host}\"\nmemory_mib = 1048576\nbandwidth_mib_s = 30").unwrap();
    }
    for domain in 0..DOMAINS {
        writeln!(text, "[[domain]]\nname = \"g{domain}\"\nhost = \"h{}\"\nmemory_mib = 64", domain % HOSTS).unwrap();
    }
    text
}

/// Looks until each of these has a slot or waits for one, which must be before any ends; no two that want the same hosts have one
/// place.
async fn all_of_them_stand_in_line(anna: &Client, ids: &BTreeSet<String>) {
    loop {
        let unfinished = anna.get("/tasks?state=unfinished&limit=500").await.expect(200).clone();
        let unfinished = unfinished["tasks"].as_array().unwrap().len();
        assert_eq!(unfinished, DOMAINS, "one ended before all of them were there at once");
        let queue = anna.get("/queue").await.expect(200).clone();
        let entries = queue["entries"].as_array().unwrap();
        let held = entries.iter().filter(|entry| entry["holds"] == true).count();
        assert!(held <= HOSTS * 2, "{held} at once");
        // `waiting for a slot: 7th; h0 sends 2 of 2`: whose turn it is and what is not read yet waits for nothing.
        let waiting: Vec<(&str, &str)> = entries
            .iter()
            .filter_map(|entry| Some((entry["source"].as_str()?, entry["waits"].as_str()?.split(';').next()?)))
            .collect();
        let places: BTreeSet<_> = waiting.iter().collect();
        assert_eq!(places.len(), waiting.len(), "each has a place of its own: {queue}");
        if held + waiting.len() == DOMAINS {
            let there: BTreeSet<String> =
                entries.iter().map(|entry| entry["task"].as_str().unwrap().to_owned()).collect();
            assert_eq!((held, &there), (HOSTS * 2, ids), "as many move as may, and all others wait");
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// By the one order of all records: from the intent to the end a migration has one place out of its source and one into its
/// destination.
fn no_host_exceeds_its_slots(store: &SqliteStore) {
    let hosts: BTreeMap<TaskId, [String; 2]> = store
        .tasks()
        .unwrap()
        .into_iter()
        .map(|task| (task.id, [format!("out of {}", task.source.unwrap()), format!("into {}", task.destination)]))
        .collect();
    let limits = SlotLimits::default();
    assert_eq!((limits.outgoing_per_host, limits.incoming_per_host), (2, 2));
    let (mut running, mut most, mut after) = (BTreeMap::<&str, u32>::new(), 0, 0);
    loop {
        let changes = store.changes(None, after, 1000).unwrap();
        let Some(last) = changes.last() else { break };
        after = last.sequence;
        for change in &changes {
            for place in &hosts[&change.task] {
                let used = running.entry(place.as_str()).or_default();
                match change.record {
                    Record::PerformIntended => *used += 1,
                    Record::Ended { .. } => *used -= 1,
                    _ => {}
                }
                assert!(*used <= 2, "{used} {place} at once, at {}", change.sequence);
                most = most.max(*used);
            }
        }
    }
    assert_eq!(most, 2, "the slots were used");
    assert!(running.values().all(|left| *left == 0), "{running:?}");
}

#[test]
fn five_hundred_migrations_all_end_and_none_is_done_twice() {
    in_virtual_time(async {
        // All of them ask as one caller, as often as they like.
        let site = Site::new(&fleet()).with_limits(Limits { requests_per_second: 0, ..Limits::default() });
        let (_service, anna) = site.serve();
        // Each is asked for twice under its key, as by a client that did not hear the first answer.
        let asked = (0..2 * DOMAINS).map(|n| {
            let (domain, key) = (n % DOMAINS, format!("g{}", n % DOMAINS));
            let new = json!({"domain": format!("g{domain}"), "to": format!("h{}", (domain + 1) % HOSTS)});
            let anna = anna.clone();
            async move {
                loop {
                    let answer = anna.post_with("/tasks", &[("Idempotency-Key", &key)], new.clone()).await;
                    if answer.status == 503 {
                        answer.problem(503, "busy");
                        tokio::task::yield_now().await;
                        continue;
                    }
                    return answer.expect(202)["id"].as_str().unwrap().to_owned();
                }
            }
        });
        let ids: BTreeSet<String> = futures_util::future::join_all(asked).await.into_iter().collect();
        assert_eq!(ids.len(), DOMAINS);
        all_of_them_stand_in_line(&anna, &ids).await;
        for id in &ids {
            assert_eq!(anna.end(id).await["status"], "completed");
        }

        // What was done is read from the records, past the service.
        let store = site.store();
        let tasks = store.tasks().unwrap();
        assert_eq!(tasks.len(), DOMAINS);
        assert!(tasks.iter().all(|task| task.outcome == Some(OutcomeKind::Completed)));
        let mut moved = BTreeMap::<String, usize>::new();
        for task in &tasks {
            let journal = store.journal(task.id).unwrap();
            let begun = journal.iter().filter(|(_, record)| matches!(record, Record::PerformIntended)).count();
            *moved.entry(task.domain_name.clone()).or_default() += begun;
        }
        assert_eq!(moved.len(), DOMAINS);
        assert!(moved.values().all(|begun| *begun == 1), "{moved:?}");
        no_host_exceeds_its_slots(&store);
        assert_eq!(site.world.violations(), []);
        for n in 0..DOMAINS {
            let id = site.world.domain(&format!("g{n}")).unwrap();
            let truth = site.world.truth(id);
            assert_eq!(truth.running_on, [HostName::new(format!("h{}", (n + 1) % HOSTS))], "g{n}");
        }
    });
}
