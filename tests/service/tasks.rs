//! A migration from the request to its end, as a client sees it.

use serde_json::{Value, json};
use waypost::HostName;
use waypost::service::Caller;

use super::support::{Client, SLOW, Site, TWO_HOSTS, in_virtual_time};

#[test]
fn a_migration_is_taken_on_followed_and_told_to_its_end() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let answer = anna.post("/tasks", json!({"domain": "g1", "to": "b"})).await;
        let accepted = answer.expect(202).clone();
        let id = accepted["id"].as_str().unwrap();
        assert_eq!(answer.headers["location"], format!("/api/v1/tasks/{id}"));
        assert_eq!((&accepted["requested_by"], &accepted["domain"]), (&"anna".into(), &"g1".into()));
        let ended = anna.end(id).await;
        assert_eq!((&ended["status"], &ended["progress"]), (&"completed".into(), &100.into()), "{ended}");
        assert_eq!(ended["message"], ended["outcome"]["summary"]);
        assert!(ended["target_uri"].is_string() && ended["sample"].is_object(), "{ended}");
        for key in ["status", "message", "progress", "phase", "target_uri", "created_at", "updated_at"] {
            assert!(accepted.get(key).is_some(), "{key}: {accepted}");
        }
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let journal: Vec<&str> =
            records["journal"].as_array().unwrap().iter().map(|entry| entry["record"].as_str().unwrap()).collect();
        assert_eq!((journal.first(), journal.last()), (Some(&"accepted"), Some(&"ended")));
        assert_eq!(records["decisions"][0]["hook"], "precheck");
        let domains = anna.get("/hosts/b/domains").await.expect(200).clone();
        assert_eq!(domains["domains"][0]["name"], "g1");
    });
}

#[test]
fn progress_never_runs_backwards_and_reaches_the_end_only_at_the_end() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let seen = std::cell::RefCell::new(Vec::new());
        anna.until(&id, |status| {
            seen.borrow_mut().push((status["progress"].as_f64().unwrap(), status["phase"] == "ended"));
            status["phase"] == "ended"
        })
        .await;
        let seen = seen.into_inner();
        assert!(seen.len() > 50, "a poll is answered whenever there is news: {seen:?}");
        assert!(seen.is_sorted(), "{seen:?}");
        assert!(seen.iter().all(|(percent, ended)| (*percent == 100.0) == *ended), "{seen:?}");
    });
}

#[test]
fn a_row_of_the_list_says_what_the_task_itself_says() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let listed = async || anna.get("/tasks").await.expect(200)["tasks"][0].clone();
        let same = |row: &Value, task: &Value, keys: &[&str]| {
            for key in keys {
                assert_eq!(row[*key], task[*key], "{key}: {row}");
            }
        };
        let running = anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        let row = listed().await;
        assert_eq!((&row["status"], row["target_uri"].is_string()), (&"running".into(), true), "{row}");
        same(&row, &running, &["id", "status", "message", "phase", "target_uri", "created_at"]);
        // It was read later.
        let percent = |of: &Value| of["progress"].as_f64().unwrap();
        assert!(percent(&row) >= percent(&running) && percent(&row) < 100.0, "{row}");
        let ended = anna.end(&id).await;
        let keys = ["id", "status", "message", "progress", "phase", "target_uri", "created_at", "updated_at"];
        same(&listed().await, &ended, &keys);
        assert_eq!(ended["progress"], 100);
    });
}

#[test]
fn a_long_poll_ends_with_news_or_with_its_time() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let ended = anna.end(&id).await;
        let began = tokio::time::Instant::now();
        let again = anna.get(&format!("/tasks/{id}?since={}&wait=20", ended["sequence"])).await;
        assert_eq!(again.expect(200), &ended);
        assert_eq!(began.elapsed().as_secs(), 20, "in virtual time");
        let at_once = anna.get(&format!("/tasks/{id}?since=0&wait=20")).await;
        assert_eq!(at_once.expect(200), &ended);
        assert_eq!(began.elapsed().as_secs(), 20, "there was news already");
    });
}

#[test]
fn a_cancelled_task_says_where_the_domain_is_and_can_be_begun_again() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let bert = anna.named(Some("bert"));
        let id = anna.migrate("g1", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        anna.post(&format!("/tasks/{id}/retry"), Value::Null).await.problem(409, "task-not-over");
        bert.post(&format!("/tasks/{id}/cancel"), Value::Null).await.expect(202);
        bert.post(&format!("/tasks/{id}/cancel"), Value::Null).await.expect(202);
        let ended = anna.end(&id).await;
        assert_eq!(ended["status"], "cancelled");
        assert!(ended["message"].as_str().unwrap().contains("g1 is running on a"), "{ended}");
        let records = anna.get(&format!("/tasks/{id}/records")).await;
        let asked = records.body["journal"].as_array().unwrap().iter().find(|e| e["record"] == "cancel-requested");
        assert_eq!(asked.unwrap()["details"]["requester"], "bert");
        let over = anna.post(&format!("/tasks/{id}/cancel"), Value::Null).await;
        assert_eq!(over.problem(409, "task-over")["task"], *id);

        let again = bert.post(&format!("/tasks/{id}/retry"), Value::Null).await;
        let new = again.expect(202)["id"].as_str().unwrap().to_owned();
        assert_ne!(new, id);
        assert_eq!(again.headers["location"], format!("/api/v1/tasks/{new}"));
        assert_eq!(again.body["requested_by"], "bert");
        let audit = anna.get(&format!("/audit?task={new}")).await.expect(200).clone();
        assert_eq!(audit["entries"][0]["what"], "POST /api/v1/tasks/{task}/retry", "under its own id: {audit}");
        assert_eq!(anna.end(&new).await["status"], "completed");
        anna.post(&format!("/tasks/{new}/retry"), Value::Null).await.problem(409, "task-over");
    });
}

#[test]
fn a_running_transfer_is_steered() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let new = json!({"domain": "g1", "to": "b", "options": {"bandwidth_mib_s": 2}});
        let id = anna.post("/tasks", new).await.expect(202)["id"].as_str().unwrap().to_owned();
        let running = anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        assert_eq!(running["may_post_copy"], false, "nobody allowed it: {running}");
        assert_eq!(running["least_throttle_percent"], Value::Null, "it was begun without auto-converge: {running}");
        let throttle = json!({"throttle_percent": 60});
        anna.post(&format!("/tasks/{id}/steer"), throttle).await.problem(409, "not-steerable");
        let steer = format!("/tasks/{id}/steer");
        // All of it or nothing: what could be done is not, where it comes with what can't.
        let mixed = json!({"bandwidth_mib_s": 1, "max_downtime_ms": 5, "post_copy": true});
        for wrong in [json!({"post_copy": true}), mixed] {
            anna.post(&steer, wrong).await.problem(409, "not-steerable");
        }
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 2.0).await;
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        assert_eq!(orders(&records), [[""; 3]; 0]);
        anna.post(&steer, json!({"bandwidth_mib_s": 10, "max_downtime_ms": 700})).await.expect(202);
        anna.end(&id).await;
        let records = anna.get(&format!("/tasks/{id}/records")).await;
        let done: Vec<_> = records.body["journal"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| entry["record"] == "steer-intended")
            .map(|entry| {
                let details = &entry["details"];
                (
                    details["action"].as_str().unwrap(),
                    details["value"].as_u64().unwrap(),
                    details["by"].as_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(done, [("set-downtime", 700, "anna"), ("set-bandwidth", 10, "anna")]);
        anna.post(&steer, json!({"suspend": true})).await.problem(409, "task-over");
    });
}

/// What was ordered of a task's transfer: the record, the action, and of an intent who wished it, of an end what came of it.
fn orders(records: &Value) -> Vec<[&str; 3]> {
    let entries = records["journal"].as_array().unwrap().iter();
    let told = |entry: &'_ Value| matches!(entry["record"].as_str(), Some("steer-intended" | "steer-settled"));
    entries
        .filter(|entry| told(entry))
        .map(|entry| {
            let (record, details) = (entry["record"].as_str().unwrap(), &entry["details"]);
            let by_or_result = if record == "steer-intended" { &details["by"] } else { &details["result"] };
            [record, details["action"].as_str().unwrap(), by_or_result.as_str().unwrap()]
        })
        .collect()
}

#[test]
fn how_far_a_guest_is_slowed_down_is_changed_where_the_transfer_was_begun_with_it() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let options = json!({"stream": {"auto_converge": true, "auto_converge_initial": 50}});
        let new = json!({"domain": "g1", "to": "b", "options": options});
        let made = anna.post("/tasks", new).await.expect(202).clone();
        assert_eq!(made["least_throttle_percent"], Value::Null, "nothing is transferred yet: {made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let running = anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        assert_eq!(running["least_throttle_percent"], 50, "{running}");
        let steer = format!("/tasks/{id}/steer");
        // Within what may be wanted of any transfer, and less than this one's first step.
        anna.post(&steer, json!({"throttle_percent": 49})).await.problem(409, "not-steerable");
        anna.post(&steer, json!({"throttle_percent": 50})).await.expect(202);
        let ended = anna.end(&id).await;
        assert_eq!(ended["status"], "completed");
        assert_eq!(ended["least_throttle_percent"], Value::Null, "nothing is transferred any more: {ended}");
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let done = [["steer-intended", "set-throttle", "anna"], ["steer-settled", "set-throttle", "done"]];
        assert_eq!(orders(&records), done);
    });
}

#[test]
fn a_transfer_that_may_goes_on_as_post_copy_when_a_person_says_so() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let new = json!({"domain": "g1", "to": "b", "options": {"stream": {"post_copy": true}}});
        let made = anna.post("/tasks", new).await.expect(202).clone();
        assert_eq!(made["may_post_copy"], false, "nothing is transferred yet: {made}");
        let id = made["id"].as_str().unwrap().to_owned();
        let running = anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        assert_eq!(running["may_post_copy"], true, "{running}");
        anna.named(Some("bert")).post(&format!("/tasks/{id}/steer"), json!({"post_copy": true})).await.expect(202);
        let over = |status: &Value| status["phase"] == "ended";
        let seen = anna.until(&id, |status| status["sample"]["stage"] == "post-copy" || over(status)).await;
        assert_eq!((&seen["phase"], &seen["may_post_copy"]), (&"performing".into(), &false.into()), "{seen}");
        let g1 = site.world.domain("g1").unwrap();
        assert_eq!(site.world.truth(g1).running_on, [HostName::new("b")], "while its memory follows");
        assert_eq!(anna.end(&id).await["status"], "completed");
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let done = [["steer-intended", "post-copy", "bert"], ["steer-settled", "post-copy", "done"]];
        assert_eq!(orders(&records), done);
        let samples = anna.get(&format!("/tasks/{id}/samples")).await.expect(200).clone();
        let stages: Vec<&str> =
            samples["samples"].as_array().unwrap().iter().filter_map(|past| past["sample"]["stage"].as_str()).collect();
        assert!(stages.contains(&"pre-copy") && stages.contains(&"post-copy"), "{samples}");
        assert_eq!(site.world.violations(), []);
    });
}

/// A guest whose disk only its host has.
const OWN_DISK: &str = r#"
[[host]]
name = "a"
[[host.pools]]
name = "own"
kind = "dir"
servers = []
target = "/srv/images"
[[host]]
name = "b"
[[host.pools]]
name = "own"
kind = "dir"
servers = []
target = "/srv/images"
[[link]]
between = ["a", "b"]
bandwidth_mib_s = 10
[[domain]]
name = "g1"
host = "a"
memory_mib = 4096
[[domain.disks]]
pool = "own"
size_gib = 1
"#;

#[test]
fn a_switch_that_is_ordered_while_disks_are_copied_is_kept_until_memory_travels() {
    in_virtual_time(async {
        let site = Site::new(OWN_DISK);
        let (_service, anna) = site.serve();
        let options = json!({"stream": {"post_copy": true}, "disks": {"copy": "full"}});
        let new = json!({"domain": "g1", "to": "b", "options": options});
        let id = anna.post("/tasks", new).await.expect(202)["id"].as_str().unwrap().to_owned();
        let copied = anna.until(&id, |status| status["sample"]["stage"] == "disks" || status["phase"] == "ended").await;
        assert_eq!((&copied["phase"], &copied["may_post_copy"]), (&"performing".into(), &true.into()), "{copied}");
        anna.post(&format!("/tasks/{id}/steer"), json!({"post_copy": true})).await.expect(202);
        let soon = "it is switched to post-copy as soon as memory is on its way";
        let kept = anna.until(&id, |status| status["message"] == soon || status["phase"] == "ended").await;
        assert_eq!((&kept["phase"], &kept["sample"]["stage"]), (&"performing".into(), &"disks".into()), "{kept}");
        let top = anna.get("/top").await.expect(200).clone();
        assert_eq!(top["running"][0]["message"], soon, "{top}");
        assert_eq!(anna.end(&id).await["status"], "completed");
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let entries = records["journal"].as_array().unwrap().iter();
        let by: Vec<&Value> =
            entries.filter(|entry| entry["record"] == "steer-kept").map(|entry| &entry["details"]["by"]).collect();
        assert_eq!(by, ["anna"], "{records}");
        let done = [["steer-intended", "post-copy", "anna"], ["steer-settled", "post-copy", "done"]];
        assert_eq!(orders(&records), done);
    });
}

#[test]
fn a_guest_that_a_person_has_paused_runs_on_where_it_arrives() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        let g1 = site.world.domain("g1").unwrap();
        assert_eq!(site.world.truth(g1).running_on, [HostName::new("a")]);
        anna.post(&format!("/tasks/{id}/steer"), json!({"suspend": true})).await.expect(202);
        let paused = || {
            let truth = site.world.truth(g1);
            truth.running_on.is_empty() && truth.paused_on.contains(&HostName::new("a"))
        };
        let seen = anna.until(&id, |status| paused() || status["phase"] == "ended").await;
        assert_eq!(seen["phase"], "performing", "{seen}");
        assert_eq!(anna.end(&id).await["status"], "completed");
        assert_eq!(site.world.truth(g1).running_on, [HostName::new("b")]);
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let done = [["steer-intended", "suspend", "anna"], ["steer-settled", "suspend", "done"]];
        assert_eq!(orders(&records), done);
        assert_eq!(site.world.violations(), []);
    });
}

#[test]
fn tasks_are_listed_in_pages_and_narrowed() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let mut made = Vec::new();
        for (domain, to) in [("g1", "b"), ("g2", "b"), ("off", "b"), ("g1", "a"), ("nobody", "b")] {
            let id = anna.migrate(domain, to).await;
            anna.end(&id).await;
            made.push(id);
        }
        made.reverse();
        let (mut listed, mut path) = (Vec::new(), "/tasks?limit=2".to_owned());
        loop {
            let page = anna.get(&path).await.expect(200).clone();
            let tasks = page["tasks"].as_array().unwrap();
            assert!(tasks.len() <= 2);
            listed.extend(tasks.iter().map(|task| task["id"].as_str().unwrap().to_owned()));
            let Some(next) = page["next"].as_str() else { break };
            path = format!("/tasks?limit=2&cursor={next}");
        }
        assert_eq!(listed, made);
        let count = async |query: &str| {
            let page = anna.get(&format!("/tasks?{query}")).await;
            page.expect(200)["tasks"].as_array().unwrap().len()
        };
        for (query, expected) in [
            ("domain=g1", 2),
            ("state=completed", 4),
            ("state=unfinished", 0),
            ("state=unfinished,completed", 4),
            ("state=ended", 5),
            ("host=a", 4),
            ("host=a&domain=g1&state=completed", 2),
            ("host=nowhere", 0),
        ] {
            assert_eq!(count(query).await, expected, "{query}");
        }
    });
}

#[test]
fn another_program_mounts_the_routes_under_a_path_and_says_who_asks() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let service = site.service();
        let api = service.router().layer(axum::Extension(Caller::named("carla")));
        let theirs = Client::over(axum::Router::new().nest("/waypost", api));
        let request = axum::http::Request::post("/waypost/api/v1/tasks").header("content-type", "application/json");
        let answer = theirs.send(request.body(r#"{"domain": "g1", "to": "b"}"#.into()).unwrap()).await;
        let id = answer.expect(202)["id"].as_str().unwrap();
        assert_eq!(answer.headers["location"], format!("/waypost/api/v1/tasks/{id}"));
        assert_eq!(answer.body["requested_by"], "carla");
    });
}
