//! What was: readings for plots that are opened late, decision records over all tasks, and what lists and events say of a
//! task without asking for it again.

use std::collections::BTreeSet;

use serde_json::Value;

use super::support::{SLOW, Site, TWO_HOSTS, in_virtual_time};

fn list<'v>(value: &'v Value, key: &str) -> &'v Vec<Value> {
    value[key].as_array().unwrap()
}

#[test]
fn the_course_of_a_transfer_is_kept_whole_and_stays_small() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let path = format!("/tasks/{id}/samples");
        let half = anna.until(&id, |status| status["progress"].as_f64().unwrap() > 50.0).await;
        let early = anna.get(&path).await.expect(200).clone();
        let last = list(&early, "samples").last().unwrap();
        assert!(last["progress"].as_f64() <= half["progress"].as_f64() && last["attempt"] == 1, "{last}");
        let ended = anna.end(&id).await;

        let all = anna.get(&path).await.expect(200).clone();
        let samples = list(&all, "samples");
        assert!((100..=257).contains(&samples.len()), "{}", samples.len());
        let at = |sample: &Value| sample["at"].as_str().unwrap().to_owned();
        assert!(samples.is_sorted_by(|a, b| at(a) < at(b)), "oldest first");
        assert!(samples.is_sorted_by_key(|sample| sample["progress"].as_f64().unwrap()));
        assert_eq!(
            (&samples.last().unwrap()["sample"], &samples.last().unwrap()["progress"]),
            (&ended["sample"], &100.into())
        );
        // From its begin, and without a hole.
        let moved: Vec<u64> = samples.iter().map(|sample| sample["sample"]["elapsed_ms"].as_u64().unwrap()).collect();
        let widest = moved[..moved.len() - 1].windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
        assert!(moved[0] < 5000 && widest < 10_000, "{moved:?}");
    });
}

#[test]
fn a_task_that_moves_no_memory_has_no_readings_and_one_that_is_not_there_has_no_answer() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let id = anna.migrate("off", "b").await;
        anna.end(&id).await;
        let none = anna.get(&format!("/tasks/{id}/samples")).await.expect(200).clone();
        assert_eq!((list(&none, "samples").len(), &none["task"]), (0, &Value::from(id)));
        anna.get("/tasks/00000000-0000-7000-8000-000000000000/samples").await.problem(404, "no-such-task");
    });
}

#[test]
fn decision_records_are_found_by_policy_hook_and_verdict_in_pages() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let mut made = Vec::new();
        for (domain, to) in [("g1", "b"), ("g2", "b"), ("off", "b"), ("g1", "a"), ("g1", "b")] {
            let id = anna.migrate(domain, to).await;
            anna.end(&id).await;
            made.push(id);
        }
        made.reverse();
        let (mut tasks, mut places, mut path) = (Vec::new(), Vec::new(), "/decisions?hook=precheck&limit=2".to_owned());
        loop {
            let page = anna.get(&path).await.expect(200).clone();
            assert!(list(&page, "decisions").len() <= 2);
            for decided in list(&page, "decisions") {
                assert_eq!(
                    (&decided["decision"]["plugin"], &decided["verdict"]),
                    (&"plain".into(), &"answered".into())
                );
                assert!(["g1", "g2", "off"].contains(&decided["domain"].as_str().unwrap()), "{decided}");
                tasks.push(decided["task"].as_str().unwrap().to_owned());
                places.push(decided["sequence"].as_u64().unwrap());
            }
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/decisions?hook=precheck&limit=2&cursor={next}");
        }
        assert_eq!(tasks, made, "newest first");
        assert!(places.is_sorted_by(|a, b| a > b), "{places:?}");
        for (query, expected) in [
            ("plugin=plain", 5),
            ("plugin=nobody", 0),
            ("plugin=plain&hook=recovery", 0),
            ("plugin=plain&verdict=answered", 5),
            ("verdict=failed", 0),
            ("verdict=blocked", 0),
        ] {
            let page = anna.get(&format!("/decisions?{query}")).await.expect(200).clone();
            assert_eq!(list(&page, "decisions").len(), expected, "{query}");
        }
        for query in ["hook=prechek", "verdict=no", "limit=0", "limit=501", "cursor=x", "plugins=plain"] {
            anna.get(&format!("/decisions?{query}")).await.problem(400, "bad-request");
        }
    });
}

#[test]
fn a_list_says_of_each_task_what_its_own_page_says() {
    in_virtual_time(async {
        let mut fleet = SLOW.to_owned();
        for n in 2..=3 {
            fleet.push_str(&format!("[[domain]]\nname = \"g{n}\"\nhost = \"a\"\nmemory_mib = 256\n"));
        }
        let site = Site::new(&fleet);
        let (_service, anna) = site.serve();
        let message = async |id: &str| {
            let tasks = anna.get("/tasks").await.expect(200).clone();
            let task = list(&tasks, "tasks").iter().find(|task| task["id"] == id).unwrap().clone();
            task["message"].as_str().unwrap().to_owned()
        };
        let mut ids = Vec::new();
        for n in 1..=3 {
            ids.push(anna.migrate(&format!("g{n}"), "b").await);
        }
        anna.until(&ids[0], |status| status["phase"] == "performing").await;
        anna.until(&ids[2], |status| status["status"] == "queued").await;
        assert_eq!(message(&ids[0]).await, "g1 is moving to b");
        assert_eq!(message(&ids[2]).await, "the migration of g3 waits for its turn");
        for id in &ids {
            let ended = anna.end(id).await;
            assert_eq!(message(id).await, ended["message"].as_str().unwrap());
        }
    });
}

#[test]
fn an_event_says_the_phase_that_it_leads_to_and_the_last_one_the_outcome() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let mut listener = anna.listen("/events", None).await;
        let id = anna.migrate("g1", "b").await;
        let heard = listener.until(|heard| heard.ends(&id)).await;
        let records: Vec<_> = heard.iter().filter(|heard| heard.kind == "record").map(|heard| &heard.data).collect();
        let phases: Vec<&str> = records.iter().map(|record| record["phase"].as_str().unwrap()).collect();
        let distinct: BTreeSet<&str> = phases.iter().copied().collect();
        for phase in ["accepted", "planned", "prepared", "performing", "finishing", "ended"] {
            assert!(distinct.contains(phase), "{phases:?}");
        }
        let (last, before) = records.split_last().unwrap();
        assert_eq!((&last["phase"], &last["outcome"]), (&"ended".into(), &"completed".into()));
        assert!(before.iter().all(|record| record["outcome"].is_null()));
    });
}

#[test]
fn a_stream_says_at_once_where_it_is_so_that_nothing_is_lost_before_the_first_event() {
    in_virtual_time(async {
        use http_body_util::BodyExt as _;
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let last = anna.end(&id).await["sequence"].as_u64().unwrap();
        let request = axum::http::Request::get("/api/v1/events").body(axum::body::Body::empty()).unwrap();
        let mut body = anna.raw(request).await.into_body();
        let first = body.frame().await.unwrap().unwrap().into_data().unwrap();
        assert_eq!(std::str::from_utf8(&first).unwrap(), format!(": waypost\nid: {last}\n\n"));
        drop(body);
        // Whoever comes back with it hears what was written meanwhile.
        let next = anna.migrate("g1", "a").await;
        anna.end(&next).await;
        let mut listener = anna.listen("/events", Some(last)).await;
        assert_eq!(listener.record().await.unwrap().id, Some(last + 1));
    });
}
