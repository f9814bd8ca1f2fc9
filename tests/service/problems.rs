//! What goes wrong, each as a problem of its code, whole, and none of them by a broken connection.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use waypost::Options;
use waypost::api::v1;
use waypost::core::facts::Disk;
use waypost::core::plan::Plan;
use waypost::core::ports::Store as _;
use waypost::service::{Code, Limits};
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use super::support::{Client, SLOW, Site, TWO_HOSTS, in_virtual_time};

const NO_TASK: &str = "/tasks/01890000-0000-7000-8000-000000000000";

/// A request and the problem that it comes to.
type Row<'a> = (&'a str, &'a str, Value, u16, &'a str);

async fn check(client: &Client, rows: &[Row<'_>]) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    for (method, path, body, status, code) in rows {
        let answer = match *method {
            "GET" => client.get(path).await,
            "POST" => client.post(path, body.clone()).await,
            other => client.send(Request::builder().method(other).uri(*path).body(Body::empty()).unwrap()).await,
        };
        answer.problem(*status, code);
        seen.insert((*code).to_owned());
    }
    seen
}

#[test]
fn what_is_wrong_with_a_request_is_said() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let new = |options: Value| json!({"domain": "g1", "to": "b", "options": options});
        let null = Value::Null;
        check(
            &anna,
            &[
                ("GET", "/nothing", null.clone(), 404, "no-such-route"),
                ("DELETE", "/elsewhere", null.clone(), 404, "no-such-route"),
                ("DELETE", "/api/v1/tasks", null.clone(), 405, "wrong-method"),
                ("GET", NO_TASK, null.clone(), 404, "no-such-task"),
                ("GET", "/tasks/no-id", null.clone(), 404, "no-such-task"),
                ("GET", &format!("{NO_TASK}?wait=1"), null.clone(), 404, "no-such-task"),
                ("GET", &format!("{NO_TASK}/records"), null.clone(), 404, "no-such-task"),
                ("GET", &format!("{NO_TASK}/events"), null.clone(), 404, "no-such-task"),
                ("GET", &format!("{NO_TASK}/situation"), null.clone(), 404, "no-such-task"),
                ("POST", &format!("{NO_TASK}/cancel"), null.clone(), 404, "no-such-task"),
                ("POST", &format!("{NO_TASK}/retry"), null.clone(), 404, "no-such-task"),
                ("POST", &format!("{NO_TASK}/steer"), json!({"suspend": true}), 404, "no-such-task"),
                ("POST", &format!("{NO_TASK}/actions"), json!({"action": "wait"}), 404, "no-such-task"),
                ("GET", "/hosts/nowhere", null.clone(), 404, "no-such-host"),
                ("GET", "/hosts/nowhere/facts", null.clone(), 404, "no-such-host"),
                ("GET", "/hosts/nowhere/domains", null.clone(), 404, "no-such-host"),
                ("GET", "/hosts/a/domains/nobody/facts", null.clone(), 404, "no-such-domain"),
                ("POST", "/checks", json!({"domain": "nobody"}), 404, "no-such-domain"),
                ("POST", "/checks", json!({"domain": "g1", "to": ["nowhere"]}), 404, "no-such-host"),
                ("POST", "/tasks", json!({"domain": "g1", "to": "nowhere"}), 422, "request-refused"),
                ("POST", "/tasks", json!({"domain": "g1", "from": "a", "to": "a"}), 422, "request-refused"),
                ("POST", "/tasks", new(json!({"timeout_s": 0})), 422, "request-refused"),
                ("POST", "/tasks", new(json!({"attempts": 1000})), 422, "request-refused"),
                ("POST", "/dry-runs", new(json!({"attempts": 1000})), 422, "request-refused"),
                ("POST", "/tasks", new(json!({"persistence": "transient"})), 422, "request-refused"),
                ("POST", "/tasks", new(json!({"mode": "warm"})), 422, "wrong-shape"),
                ("POST", "/tasks", new(json!({"mode": "hibernation"})), 422, "request-refused"),
                ("POST", "/dry-runs", new(json!({"mode": "hibernation"})), 422, "request-refused"),
                (
                    "POST",
                    "/checks",
                    json!({"domain": "g1", "options": {"mode": "hibernation"}}),
                    422,
                    "request-refused",
                ),
                ("POST", "/tasks", new(json!({"bandwith_mib_s": 5})), 422, "wrong-shape"),
                ("POST", "/tasks", json!({"domain": "g1"}), 422, "wrong-shape"),
                ("POST", "/checks", json!({"domain": "g1", "to": "b"}), 422, "wrong-shape"),
                ("POST", "/tasks", json!([1]), 422, "wrong-shape"),
                ("POST", "/tasks", null.clone(), 415, "not-json"),
                ("GET", "/tasks?limit=0", null.clone(), 400, "bad-request"),
                ("GET", "/tasks?limit=501", null.clone(), 400, "bad-request"),
                ("GET", "/tasks?limit=many", null.clone(), 400, "bad-request"),
                ("GET", "/tasks?colour=red", null.clone(), 400, "bad-request"),
                ("GET", "/tasks?state=warm", null.clone(), 400, "bad-request"),
                ("GET", "/tasks?cursor=1.x", null.clone(), 400, "bad-request"),
                ("GET", "/events?after=-1", null.clone(), 400, "bad-request"),
                ("GET", "/events?after=1000", null.clone(), 409, "unknown-event"),
            ],
        )
        .await;
        let saved = anna.post("/tasks", new(json!({"mode": "hibernation"}))).await;
        let saved = saved.problem(422, "request-refused");
        assert!(saved["cause"].as_str().unwrap().contains("both hosts could start the guest"), "{saved}");
        assert!(saved["remedy"].as_str().unwrap().contains("virsh managedsave"), "{saved}");
        let broken =
            Request::post("/api/v1/tasks").header("content-type", "application/json").body("{".into()).unwrap();
        anna.send(broken).await.problem(400, "bad-request");
        let text = Request::post("/api/v1/tasks").header("content-type", "text/plain").body("{}".into()).unwrap();
        anna.send(text).await.problem(415, "not-json");
        let large = format!("{{\"domain\": \"{}\"}}", "x".repeat(site.limits.body_bytes));
        let large =
            Request::post("/api/v1/tasks").header("content-type", "application/json").body(large.into()).unwrap();
        anna.send(large).await.problem(413, "too-large");
        for key in ["", "two words", &"x".repeat(256)] {
            let answer = anna.post_with("/tasks", &[("Idempotency-Key", key)], new(json!({}))).await;
            answer.problem(400, "bad-request");
        }
        let wrong = Request::get("/api/v1/events").header("last-event-id", "x").body(Body::empty()).unwrap();
        anna.send(wrong).await.problem(400, "bad-request");
        let from = |headers: &'static [(&'static str, &'static str)]| {
            anna.post_with("/checks", headers, json!({"domain": "g1"}))
        };
        for elsewhere in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site"), ("origin", "http://waypost")][..],
            &[("host", "waypost"), ("origin", "http://evil.example")][..],
            &[("host", "waypost"), ("origin", "null")][..],
        ] {
            from(elsewhere).await.problem(403, "other-origin");
        }
        for own in [
            &[("sec-fetch-site", "same-origin"), ("origin", "https://proxied.example")][..],
            &[("host", "waypost:8080"), ("origin", "http://waypost:8080")][..],
        ] {
            from(own).await.expect(200);
        }
        anna.named(None).get("/system/version").await.problem(401, "no-caller");
        anna.named(None).get("/nothing").await.problem(401, "no-caller");
        assert!(site.store_is_empty(), "none of this made a task");
    });
}

#[test]
fn what_a_task_does_not_permit_is_said() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let uuid = anna.get("/domains").await.expect(200)["domains"][0]["id"].as_str().unwrap().to_owned();
        let id = anna.migrate(&uuid, "b").await;
        let second = anna.post("/tasks", json!({"domain": uuid, "to": "b"})).await;
        assert_eq!(second.problem(409, "domain-busy")["task"], *id);
        anna.until(&id, |status| status["phase"] == "performing").await;
        let null = Value::Null;
        let at = |rest: &str| format!("/tasks/{id}{rest}");
        check(
            &anna,
            &[
                ("POST", &at("/actions"), json!({"action": "accept-source"}), 409, "not-permitted"),
                ("POST", &at("/actions"), json!({"action": "explode"}), 422, "wrong-shape"),
                ("POST", &at("/steer"), json!({}), 422, "request-refused"),
                ("POST", &at("/steer"), json!({"max_downtime_ms": 0}), 422, "request-refused"),
                ("POST", &at("/steer"), json!({"bandwidth_mib_s": 0}), 422, "request-refused"),
                ("POST", &at("/steer"), json!({"throttle_percent": 19}), 422, "request-refused"),
                ("POST", &at("/steer"), json!({"throttle_percent": 100}), 422, "request-refused"),
                ("POST", &at("/steer"), json!({"post_copy": true, "suspend": true}), 422, "request-refused"),
                ("POST", &at("/steer"), json!({"post_copy": true}), 409, "not-steerable"),
                ("POST", &at("/retry"), null.clone(), 409, "task-not-over"),
            ],
        )
        .await;
        let nobody = anna.migrate("nobody", "b").await;
        anna.end(&nobody).await;
        let at = |rest: &str| format!("/tasks/{nobody}{rest}");
        check(
            &anna,
            &[
                ("GET", &at("/situation"), null.clone(), 409, "nothing-to-look-at"),
                ("POST", &at("/actions"), json!({"action": "accept-source"}), 409, "not-permitted"),
                ("POST", &at("/cancel"), null, 409, "task-over"),
            ],
        )
        .await;
    });
}

#[test]
fn a_host_that_is_down_is_said_and_hides_no_other() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        site.world.strike(&What::Unreachable(Who::Host("b".into()), Lasting::Forever));
        let facts = anna.get("/hosts/b/facts").await;
        let problem = facts.problem(502, "host-failed");
        assert!(problem["cause"].is_string() && problem["remedy"].is_string(), "{problem}");
        let hosts = anna.get("/hosts").await.expect(200).clone();
        assert_eq!((hosts["hosts"][0]["error"].is_null(), hosts["hosts"][1]["error"].is_string()), (true, true));
        assert_eq!(anna.get("/domains").await.expect(200)["unread"][0]["name"], "b");
    });
}

#[test]
fn which_domain_is_meant_must_be_told_where_two_hosts_have_the_name() {
    in_virtual_time(async {
        let site = Site::new(
            r#"
            host = [{ name = "a" }, { name = "b" }, { name = "c" }]
            domain = [
                { name = "g1", host = "a", uuid = "6f1c7a52-3c1b-4f0e-9a57-0d2f6b0a1c11" },
                { name = "g1", host = "b", uuid = "6f1c7a52-3c1b-4f0e-9a57-0d2f6b0a1c12" },
            ]
            "#,
        );
        let (_service, anna) = site.serve();
        let unclear = anna.post("/checks", json!({"domain": "g1", "to": ["c"]})).await;
        let problem = unclear.problem(409, "domain-unclear");
        assert!(problem["detail"].as_str().unwrap().contains("a, b"), "{problem}");
        assert_eq!(problem["remedy"], "name the source with `from`");
        let clear = json!({"domain": "g1", "from": "b", "to": ["c"]});
        assert_eq!(anna.post("/checks", clear).await.expect(200)["source"], "b");
    });
}

#[test]
fn a_task_that_another_process_drives_is_not_acted_on() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.end(&id).await;
        let act = async || anna.post(&format!("/tasks/{id}/actions"), json!({"action": "accept-source"})).await;
        // Its own driver may hold the task for a moment after its end.
        let lock = loop {
            if let Some(lock) = site.store().lock(id.parse().unwrap()).unwrap() {
                break lock;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        };
        assert_eq!(act().await.problem(409, "driven-elsewhere")["task"], *id);
        drop(lock);
        act().await.problem(409, "not-permitted");
    });
}

#[test]
fn a_record_that_cannot_be_written_is_said_and_what_is_on_record_is_told() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.end(&id).await;
        site.lose_the_locks();
        let failed = anna.post("/tasks", json!({"domain": "g2", "to": "b"})).await;
        let problem = failed.problem(503, "store-failed");
        assert!(problem["cause"].is_string(), "{problem}");
        assert_eq!(failed.headers["retry-after"], "1");
        let tasks = anna.get("/tasks").await.expect(200).clone();
        assert_eq!(tasks["tasks"].as_array().unwrap().len(), 1, "nothing was made: {tasks}");
    });
}

#[test]
fn a_host_that_hangs_is_told_from_one_that_is_down() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        site.world.script([Scripted::at(Step::HostFacts, What::Hang).on("b")]);
        let silent = anna.get("/hosts/b/facts").await;
        let problem = silent.problem(504, "host-silent");
        assert!(problem["detail"].as_str().unwrap().ends_with(" on b"), "{problem}");
        assert!(problem["cause"].is_string(), "{problem}");
        anna.get("/hosts/b/facts").await.expect(200);
    });
}

/// A program whose own part of the service has a defect.
struct Defective;

impl waypost::service::Site for Defective {
    fn plugins(&self) -> v1::Plugins {
        panic!("a defect that this test is about")
    }
    fn choices(&self, _: &Plan, _: &Options, _: &[Disk]) -> Vec<v1::Choice> {
        Vec::new()
    }
}

#[test]
fn a_defect_is_a_problem_and_not_a_connection_that_breaks() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let service = site.service_told(Arc::new(Defective));
        let anna = Client::of(&service, "anna");
        let defect = anna.get("/plugins").await;
        let problem = defect.problem(500, "defect");
        assert!(!problem.to_string().contains("this test is about"), "what broke is for the log alone: {problem}");
        anna.get("/hosts").await.expect(200);
    });
}

#[test]
fn there_is_room_for_so_many_and_the_next_is_told_to_come_back() {
    in_virtual_time(async {
        let none = Limits { requests: 0, watchers: 1, ..Limits::default() };
        let site = Site::new(TWO_HOSTS).with_limits(none);
        let (_service, anna) = site.serve();
        let busy = anna.get("/system/version").await;
        busy.problem(503, "busy");
        assert_eq!(busy.headers["retry-after"], "1");
        // Who listens has places of another kind, however it is written.
        anna.get("/changes?after=0").await.problem(503, "busy");
        for wait in ["wait", "w%61it"] {
            anna.get(&format!("/changes?after=0&{wait}=1")).await.expect(200);
        }
        let listening = anna.listen("/events", None).await;
        anna.get("/events").await.problem(503, "busy");
        anna.get("/changes?after=0&w%61it=1").await.problem(503, "busy");
        drop(listening);
        anna.listen("/events", None).await;
    });
}

#[test]
fn who_takes_too_long_is_told_so() {
    in_virtual_time(async {
        let soon = Limits { request_time: Duration::from_secs(2), ..Limits::default() };
        let site = Site::new(TWO_HOSTS).with_limits(soon);
        let (_service, anna) = site.serve();
        // A body that never comes.
        let never = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
        let slow = Request::post("/api/v1/tasks").header("content-type", "application/json").body(never).unwrap();
        anna.send(slow).await.problem(504, "too-slow");
    });
}

#[test]
fn a_service_that_is_being_stopped_answers_and_takes_on_nothing() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (service, anna) = site.serve();
        service.drain(Duration::from_secs(1)).await;
        anna.post("/tasks", json!({"domain": "g1", "to": "b"})).await.problem(503, "draining");
        let ready = anna.get("/system/ready").await;
        assert_eq!(ready.expect(503)["problems"][0], "it is being stopped");
        anna.get("/tasks").await.expect(200);
        // What only looks is answered, as it is at other times.
        let looks =
            |method: Method| Request::builder().method(method).uri("/api/v1/tasks").body(Body::empty()).unwrap();
        anna.send(looks(Method::HEAD)).await.expect(200);
        anna.send(looks(Method::OPTIONS)).await.problem(405, "wrong-method");
    });
}

/// Counts how often it is asked, and has one policy, which may break.
#[derive(Default)]
struct Counting {
    asked: AtomicUsize,
    broken: AtomicBool,
}

impl waypost::service::Site for Counting {
    fn plugins(&self) -> v1::Plugins {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let state = if self.broken.load(Ordering::SeqCst) { "broken" } else { "ready" };
        let reason = Some("it was cut in half".to_owned()).filter(|_| state == "broken");
        let plugin = v1::Plugin { name: "rule".into(), state: state.into(), reason, ..v1::Plugin::default() };
        v1::Plugins { plugins: vec![plugin], folders: vec![], cache_error: None }
    }
    fn choices(&self, _: &Plan, _: &Options, _: &[Disk]) -> Vec<v1::Choice> {
        Vec::new()
    }
}

#[test]
fn whether_it_is_ready_is_looked_at_once_a_second_however_often_it_is_asked() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let told = Arc::new(Counting::default());
        let service = site.service_told(Arc::clone(&told) as Arc<dyn waypost::service::Site>);
        let anna = Client::of(&service, "anna");
        for _ in 0..500 {
            assert_eq!(anna.get("/system/ready").await.expect(200)["problems"], json!([]));
        }
        assert_eq!(told.asked.load(Ordering::SeqCst), 1);
        told.broken.store(true, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_secs(2)).await;
        let problems = json!(["plugin rule is broken: it was cut in half"]);
        for _ in 0..500 {
            assert_eq!(anna.get("/system/ready").await.expect(503)["problems"], problems);
        }
        assert_eq!(told.asked.load(Ordering::SeqCst), 2);
    });
}

#[test]
fn the_guide_lists_every_code() {
    let guide = include_str!("../../docs/service.md");
    for code in Code::ALL {
        let row = format!("| `{}` | {} | {} |", code.as_str(), code.status().as_u16(), code.title());
        assert!(guide.contains(&row), "{row}");
    }
}
