//! Lists of tasks: what is in them, however much else is on record, and how they are filtered.

use waypost::core::ids::Moment;
use waypost::core::journal::Record;
use waypost::core::ports::Store as _;
use waypost::{DomainKey, MigrationRequest, Outcome, OutcomeKind, TaskId};
use waypost_store::SqliteStore;

use super::*;
use crate::support::BEGAN;

/// In milliseconds.
const HOUR: u64 = 3_600_000;

/// Puts a task on record that was made and refused at these moments; answers its id.
fn over_at(store: &SqliteStore, n: usize, made: u64, over: u64) -> String {
    let id: TaskId = format!("01890000-0000-7000-8000-{n:012x}").parse().expect("an id");
    let request = MigrationRequest::new(DomainKey::Name(format!("old{n}")), "b", "test");
    drop(store.create(id, Moment(made), &Record::Accepted { request }).expect("it is made"));
    let summary = "a rule refused it".to_owned();
    let outcome = Outcome { kind: OutcomeKind::Refused, summary, causes: vec![], remedy: None };
    store.append(id, Moment(over), &Record::Ended { outcome }).expect("it ends");
    id.to_string()
}

#[test]
fn what_runs_and_what_ended_lately_is_listed_however_much_is_on_record() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let store = site.store();
        // More than are read at once, and newer than all that follows.
        for n in 0..501 {
            over_at(&store, n, BEGAN.0 + 60_000, BEGAN.0 + 60_000);
        }
        let lately = over_at(&store, 501, BEGAN.0 - 20 * HOUR, BEGAN.0 - 11 * HOUR);
        let long_ago = over_at(&store, 502, BEGAN.0 - 20 * HOUR, BEGAN.0 - 13 * HOUR);
        let (_service, anna) = serve(&site, kimchi());
        let task = migrate(&anna, "/vms/g1/migrate", json!({"remote_host": "b"})).await;
        let running = task["id"].as_str().unwrap().to_owned();
        let ids = async |query: &str| {
            let listed = get(&anna, &format!("/tasks?{query}")).await;
            let tasks = listed.as_array().unwrap().iter();
            tasks.map(|task| task["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(ids("status=running").await, std::slice::from_ref(&running));
        assert_eq!(get(&anna, OF_G1).await[0]["id"], *running, "what the page asks for");
        let all = ids("").await;
        assert_eq!((all.len(), &all[501..]), (503, &[running, lately][..]));
        assert!(!all.contains(&long_ago));
    });
}

#[test]
fn more_filters_than_anybody_needs_are_refused() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, kimchi());
        let path = |filters: usize| format!("/tasks?{}", vec!["message=.*"; filters].join("&"));
        assert_eq!(get(&anna, &path(8)).await, json!([]));
        let reason = refused(&ask(&anna, Method::GET, &path(9), Value::Null).await, 400, "bad-request");
        assert!(reason.contains("there are 9 filters, and at most 8 are taken"), "{reason}");
    });
}

#[test]
fn lists_are_filtered_as_kimchi_does() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, kimchi());
        for name in ["g1", "g2"] {
            let task = migrate(&anna, &format!("/vms/{name}/migrate"), json!({"remote_host": "b"})).await;
            anna.end(task["id"].as_str().unwrap()).await;
        }
        // Made by another client, and refused when it came to it.
        let failed = anna.migrate("nobody", "b").await;
        anna.end(&failed).await;
        let count = async |query: &str| get(&anna, &format!("/tasks?{query}")).await.as_array().unwrap().len();
        for (query, expected) in [
            ("", 3),
            ("status=finished", 2),
            ("status=failed", 1),
            ("status=running", 0),
            ("status=finished&status=failed", 3),
            ("status=fin", 2),
            ("target_uri=%5E%2Fplugins%2Fkimchi%2Fvms%2F.%2B%2Fmigrate", 3),
            ("target_uri=%5E%2Fplugins%2Fkimchi%2Fvms%2F.%2B%2Fclone", 0),
            ("target_uri=%5E%2Fplugins%2Fkimchi%2Fvms%2F%5B%5E%2F%5D%2B%24", 0),
            ("target_uri=%2Fplugins%2Fkimchi%2Fvms%2Fg2%2Fmigrate", 1),
            ("target_uri=vms", 0),
            ("target_uri=(", 0),
            ("colour=red", 0),
            (format!("id={failed}").as_str(), 1),
        ] {
            assert_eq!(count(query).await, expected, "{query}");
        }
        let told = get(&anna, &format!("/tasks/{failed}")).await;
        assert!(told["message"].as_str().unwrap().starts_with("KCHVM0058E: "), "{told}");
        tokio::time::advance(std::time::Duration::from_secs(13 * 3600)).await;
        assert_eq!(count("").await, 0, "what ended long ago is listed no more");
        assert_eq!(get(&anna, &format!("/tasks/{failed}")).await["status"], "failed", "and is still there");
    });
}
