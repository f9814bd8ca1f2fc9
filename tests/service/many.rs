//! Five hundred migrations at once, asked for by programs that repeat themselves: all end, none is done twice.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde_json::json;
use waypost::core::journal::Record;
use waypost::core::ports::Store as _;
use waypost::service::Limits;
use waypost::{HostName, OutcomeKind};

use super::support::{Site, in_virtual_time};

const HOSTS: usize = 10;
const DOMAINS: usize = 500;

fn fleet() -> String {
    let mut text = String::new();
    for host in 0..HOSTS {
        writeln!(text, "[[host]]\nname = \"h{host}\"\nmemory_mib = 1048576").unwrap();
    }
    for domain in 0..DOMAINS {
        writeln!(text, "[[domain]]\nname = \"g{domain}\"\nhost = \"h{}\"\nmemory_mib = 64", domain % HOSTS).unwrap();
    }
    text
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
        assert_eq!(site.world.violations(), []);
        for n in 0..DOMAINS {
            let id = site.world.domain(&format!("g{n}")).unwrap();
            let truth = site.world.truth(id);
            assert_eq!(truth.running_on, [HostName::new(format!("h{}", (n + 1) % HOSTS))], "g{n}");
        }
    });
}
