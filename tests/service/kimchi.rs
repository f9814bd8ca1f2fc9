//! Kimchi's clients: requests as its page and its own tests send them, as its API description allows them, and wrong in every
//! way that the description has a code for.

mod codes;
mod limited;
mod lists;
mod login;
mod properties;

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use waypost::core::access::{Role, Scope};
use waypost::service::{Caller, Kimchi, Limits, Service};
use waypost_sim::{Lasting, What, Who};

use super::support::{Client, Program, SLOW, Site, TWO_HOSTS, command, in_virtual_time};

const PREFIX: &str = "/plugins/kimchi";
const SECRET: &str = "correct-horse-battery";

/// What Kimchi's page asks for when it looks for the migration of g1.
const OF_G1: &str = "/plugins/kimchi/tasks?status=running&target_uri=%5E%2Fplugins%2Fkimchi%2Fvms%2Fg1%2Fmigrate";

fn kimchi() -> Kimchi {
    Kimchi::default()
}

fn serve(site: &Site, kimchi: Kimchi) -> (Service, Client) {
    let service = site.service().with_kimchi(Some(kimchi));
    let client = Client::of(&service, "anna");
    (service, client)
}

async fn ask(client: &Client, method: Method, path: &str, body: Value) -> (u16, Value) {
    let mut request = Request::builder().method(method).uri(path);
    if !body.is_null() {
        request = request.header("content-type", "application/json");
    }
    let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
    let answer = client.send(request.body(body).unwrap()).await;
    answer.expect(answer.status.as_u16());
    (answer.status.as_u16(), answer.body)
}

async fn get(client: &Client, path: &str) -> Value {
    let (status, body) = ask(client, Method::GET, path, Value::Null).await;
    assert_eq!(status, 200, "{body}");
    body
}

async fn migrate(client: &Client, path: &str, body: Value) -> Value {
    let (status, task) = ask(client, Method::POST, path, body).await;
    assert_eq!(status, 202, "{task}");
    task
}

/// Insists on a refusal as Kimchi's clients read it.
fn refused((status, body): &(u16, Value), expected: u16, code: &str) -> String {
    assert_eq!(*status, expected, "{body}");
    let keys: Vec<&String> = body.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["code", "reason"]);
    let phrase = StatusCode::from_u16(expected).unwrap();
    assert_eq!(body["code"], phrase.to_string());
    let reason = body["reason"].as_str().unwrap();
    assert!(reason.starts_with(&format!("{code}: ")), "{reason}");
    reason.to_owned()
}

#[test]
fn the_page_moves_a_guest_and_follows_its_task() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = serve(&site, kimchi());
        let path = format!("{PREFIX}/vms/g1/migrate");
        let asked = json!({"remote_host": "kvm2.example", "enable_rdma": false, "user": "root", "password": SECRET});
        let task = migrate(&anna, &path, asked).await;
        let keys: Vec<&String> = task.as_object().unwrap().keys().collect();
        assert_eq!(keys, ["id", "message", "status", "target_uri"]);
        assert_eq!(
            (&task["status"], &task["target_uri"]),
            (&"running".into(), &"/plugins/kimchi/vms/g1/migrate".into())
        );
        assert!(task["message"].as_str().unwrap().contains("user and password were neither used nor kept"), "{task}");
        let id = task["id"].as_str().unwrap();
        assert_eq!(get(&anna, OF_G1).await[0]["id"], *id, "as soon as it was accepted");
        anna.until(id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        let running = get(&anna, &format!("{PREFIX}/tasks/{id}")).await;
        assert_eq!(running["status"], "running");
        assert!(running["message"].as_str().unwrap().ends_with(" %)"), "{running}");
        assert_eq!(get(&anna, OF_G1).await.as_array().unwrap().len(), 1);
        // The second request for a guest that is under way.
        let again = ask(&anna, Method::POST, &path, json!({"remote_host": "b"})).await;
        assert!(refused(&again, 409, "KCHVM0058E").contains(id));
        anna.end(id).await;
        let finished = get(&anna, &format!("{PREFIX}/tasks/{id}")).await;
        assert_eq!((&finished["status"], &finished["id"]), (&"finished".into(), &id.into()), "{finished}");
        assert_eq!(get(&anna, OF_G1).await, json!([]));
        assert_eq!(get(&anna, "/tasks?status=finished").await[0], finished);
        let domains = anna.get("/hosts/b/domains").await;
        assert_eq!(domains.expect(200)["domains"][0]["name"], "g1");
    });
}

#[test]
fn old_spellings_work_and_the_settings_of_the_site_hold() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, kimchi());
        for (name, to, body) in [
            ("g1", "b", json!({"remote_host": "b", "user": "root"})),
            ("g2", "b", json!({"remoteHost": "KVM2.example", "user": "root", "passwd": SECRET})),
            ("off", "b", json!({"host": "b"})),
            ("g1", "a", json!({"host": "10.0.0.1", "remote_host": "10.0.0.1"})),
        ] {
            let task = migrate(&anna, &format!("/vms/{name}/migrate"), body).await;
            assert_eq!(task["target_uri"], format!("{PREFIX}/vms/{name}/migrate"));
            let id = task["id"].as_str().unwrap();
            let ended = anna.end(id).await;
            assert_eq!((&ended["status"], &ended["destination"]), (&"completed".into(), &to.into()), "{ended}");
            let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
            let options = &records["journal"][0]["details"]["options"];
            for (key, value) in [("timeout_s", 21_600), ("bandwidth_mib_s", 52), ("max_downtime_ms", 500)] {
                assert_eq!(options[key], value, "{key}: {records}");
            }
            assert_eq!(ended["requested_by"], "anna");
        }
        let unlimited = Kimchi { migration_max_bandwidth: 0, migration_downtime: 900, ..kimchi() };
        let (_service, anna) = serve(&site, unlimited);
        let task = migrate(&anna, "/vms/g2/migrate", json!({"remote_host": "a"})).await;
        let id = task["id"].as_str().unwrap();
        anna.end(id).await;
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let options = &records["journal"][0]["details"]["options"];
        assert_eq!(
            (&options["bandwidth_mib_s"], &options["max_downtime_ms"]),
            (&Value::Null, &900.into()),
            "{records}"
        );
    });
}

#[test]
fn what_is_wrong_is_said_as_kimchi_says_it_and_makes_no_task() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, kimchi());
        for (name, body, status, code) in [
            ("g1", Value::Null, 400, "WOKAPI0008E"),
            ("g1", json!([SECRET]), 400, "WOKAPI0008E"),
            ("g1", json!({}), 400, "WOKAPI0008E"),
            ("g1", json!({"remote_host": ""}), 400, "KCHVM0060E"),
            ("g1", json!({"remote_host": 1}), 400, "KCHVM0060E"),
            ("g1", json!({"remote_host": "b", "host": "a"}), 400, "WOKAPI0008E"),
            ("g1", json!({"remote_host": "b", "user": 1}), 400, "KCHVM0059E"),
            ("g1", json!({"remote_host": "b", "user": "root", "password": [SECRET]}), 400, "KCHVM0069E"),
            ("g1", json!({"remote_host": "b", "enable_rdma": SECRET}), 400, "KCHVM0091E"),
            ("g1", json!({"remote_host": "b", "pasword": SECRET}), 400, "WOKAPI0008E"),
            ("g1", json!({"remote_host": "127.0.0.1", "password": SECRET}), 500, "KCHVM0055E"),
            ("g1", json!({"remote_host": "localhost"}), 500, "KCHVM0055E"),
            ("g1", json!({"remote_host": "a"}), 500, "KCHVM0055E"),
            ("g1", json!({"remote_host": "this_is_a_fake_remote_host", "password": SECRET}), 400, "KCHVM0090E"),
            ("g1", json!({"remote_host": "b", "enable_rdma": true}), 400, "KCHVM0091E"),
            ("nobody", json!({"remote_host": "b"}), 404, "KCHVM0002E"),
            ("%3Cimg%20src=x%3E", json!({"remote_host": "b"}), 404, "KCHVM0002E"),
        ] {
            for prefix in ["", PREFIX] {
                let path = format!("{prefix}/vms/{name}/migrate");
                let answer = ask(&anna, Method::POST, &path, body.clone()).await;
                let reason = refused(&answer, status, code);
                assert!(!reason.contains(SECRET) && !reason.contains('<'), "{reason}");
            }
        }
        let unknown = json!({"remote_host": "kvm9.example"});
        let reason = refused(&ask(&anna, Method::POST, "/vms/g1/migrate", unknown).await, 400, "KCHVM0090E");
        assert!(
            reason.contains("none of the configured hosts (a, b)") && reason.contains("add a [[host]]"),
            "{reason}"
        );

        let send = async |kind: Option<&str>, body: String| {
            let mut request = Request::post("/vms/g1/migrate");
            if let Some(kind) = kind {
                request = request.header("content-type", kind);
            }
            let answer = anna.send(request.body(body.into()).unwrap()).await;
            (answer.status.as_u16(), answer.body)
        };
        refused(&send(Some("application/json"), "{".to_owned()).await, 400, "WOKAPI0006E");
        // A page of another origin can send these without being asked whether it may.
        refused(&send(Some("text/plain"), r#"{"remote_host": "b"}"#.to_owned()).await, 415, "WOKAPI0007E");
        refused(&send(None, r#"{"remote_host": "b"}"#.to_owned()).await, 415, "WOKAPI0007E");
        let large = format!("{{\"remote_host\": \"{}\"}}", "x".repeat(site.limits.body_bytes));
        refused(&send(Some("application/json"), large).await, 413, "too-large");

        for (method, path, status, code) in [
            (Method::GET, "/tasks/1", 404, "WOKASYNC0001E"),
            (Method::DELETE, "/plugins/kimchi/tasks/01890000-0000-7000-8000-000000000000", 404, "WOKASYNC0001E"),
            (Method::GET, "/vms/g1/migrate", 405, "wrong-method"),
            (Method::GET, "/plugins/kimchi/vms", 404, "no-such-route"),
            (Method::GET, "/plugins/kimchi/config/capabilities", 404, "no-such-route"),
        ] {
            refused(&ask(&anna, method, path, Value::Null).await, status, code);
        }
        let nobody = anna.named(None);
        refused(&ask(&nobody, Method::GET, "/tasks", Value::Null).await, 401, "WOKAUTH0002E");
        assert!(site.store_is_empty(), "none of this made a task");
    });
}

#[test]
fn a_host_that_is_down_is_said_before_there_is_a_task() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (service, anna) = serve(&site, kimchi());
        site.world.strike(&What::Unreachable(Who::Host("b".into()), Lasting::Forever));
        let answer = ask(&anna, Method::POST, "/vms/g1/migrate", json!({"remote_host": "b"})).await;
        let reason = refused(&answer, 500, "KCHVM0090E");
        assert!(reason.contains("destination-unreachable"), "{reason}");
        assert!(site.store_is_empty());
        service.drain(std::time::Duration::from_secs(1)).await;
        let answer = ask(&anna, Method::POST, "/vms/g1/migrate", json!({"remote_host": "b"})).await;
        refused(&answer, 503, "draining");
    });
}

#[test]
fn a_request_that_finds_no_place_is_told_so_in_the_same_shape() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS).with_limits(Limits { requests: 0, ..Limits::default() });
        let (_service, anna) = serve(&site, kimchi());
        let answer = anna.send(Request::get("/tasks").body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers["retry-after"], "1");
        assert_eq!(answer.headers["content-type"], "application/json");
        refused(&(answer.status.as_u16(), answer.body), 503, "busy");
    });
}

#[test]
fn a_task_is_cancelled_and_outlives_the_service() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (service, anna) = serve(&site, kimchi());
        let task = migrate(&anna, "/vms/g1/migrate", json!({"remote_host": "b"})).await;
        let id = task["id"].as_str().unwrap();
        anna.until(id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        let path = format!("{PREFIX}/tasks/{id}");
        assert_eq!(ask(&anna, Method::DELETE, &path, Value::Null).await, (204, Value::Null));
        anna.end(id).await;
        let killed = get(&anna, &path).await;
        assert_eq!(killed["status"], "killed");
        assert!(killed["message"].as_str().unwrap().contains("g1 is running on a"), "{killed}");
        assert_eq!(ask(&anna, Method::DELETE, &path, Value::Null).await.0, 204, "it is over, and stays as it is");
        service.drain(std::time::Duration::from_secs(1)).await;
        drop((service, anna));
        let (_service, anna) = serve(&site, kimchi());
        assert_eq!(get(&anna, &path).await, killed);
    });
}

#[test]
fn rdma_is_asked_for_where_the_site_allows_it() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, Kimchi { rdma: true, ..kimchi() });
        let task = migrate(&anna, "/vms/g1/migrate", json!({"remote_host": "b", "enable_rdma": true})).await;
        let id = task["id"].as_str().unwrap();
        anna.end(id).await;
        let records = anna.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
        let options = &records["journal"][0]["details"]["options"];
        assert_eq!(options["migrate_uri"], "rdma://kvm2.example", "{records}");
        // Simulated hosts have no such interface.
        let told = get(&anna, &format!("/tasks/{id}")).await;
        assert_eq!(told["status"], "failed", "{told}");
        assert!(told["message"].as_str().unwrap().starts_with("KCHVM0058E: "), "{told}");
    });
}

#[test]
fn the_routes_are_there_only_where_they_are_wanted_and_under_any_path() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (service, anna) = site.serve();
        let asked = Request::get("/plugins/kimchi/tasks").body(Body::empty()).unwrap();
        anna.send(asked).await.problem(404, "no-such-route");
        let api = service.with_kimchi(Some(kimchi())).router().layer(axum::Extension(Caller::named("carla")));
        let theirs = Client::over(axum::Router::new().nest("/waypost", api));
        let task = migrate(&theirs, "/waypost/plugins/kimchi/vms/g1/migrate", json!({"remote_host": "b"})).await;
        let id = task["id"].as_str().unwrap();
        assert_eq!(task["target_uri"], "/plugins/kimchi/vms/g1/migrate", "what its page looks for");
        assert_eq!(anna.end(id).await["requested_by"], "carla");
    });
}

/// The program, killed if the test ends first.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn over(socket: &Path, method: &str, path: &str, body: &Value) -> (u16, Value) {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut stream = UnixStream::connect(socket).unwrap();
    let length = body.len();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

fn holds(file: &Path, text: &str) -> bool {
    String::from_utf8_lossy(&fs::read(file).unwrap()).contains(text)
}

#[test]
fn over_the_real_socket_a_password_leaves_no_trace() {
    let site = command::Site::with(command::TWO_HOSTS, "[service.kimchi]\nenabled = true\n");
    let mut program = site.command(&["--json", "serve", "--socket", "waypost.sock"]);
    program.env("WAYPOST_LOG", "trace").stdout(Stdio::piped()).stderr(File::create(site.path("log")).unwrap());
    let mut program = Serving(program.spawn().unwrap());
    let mut serving = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut serving).unwrap();
    assert!(serving.contains("serving"), "{serving}");
    let socket = site.path("waypost.sock");

    let login = |to: &str| json!({"remote_host": to, "user": "carla-the-admin", "password": SECRET});
    let (status, task) = over(&socket, "POST", "/plugins/kimchi/vms/g1/migrate", &login("b"));
    assert_eq!(status, 202, "{task}");
    let id = task["id"].as_str().unwrap();
    // All that was said before is heard again, and then the end is waited for.
    let mut path = format!("/api/v1/tasks/{id}");
    while over(&socket, "GET", &format!("/plugins/kimchi/tasks/{id}"), &Value::Null).1["status"] == "running" {
        let (_, now) = over(&socket, "GET", &path, &Value::Null);
        path = format!("/api/v1/tasks/{id}?since={}&wait=30", now["sequence"]);
    }
    let (_, told) = over(&socket, "GET", &format!("/tasks/{id}"), &Value::Null);
    assert_eq!(told["status"], "finished", "{told}");

    let answer = over(&socket, "POST", "/plugins/kimchi/vms/pinned/migrate", &login("b"));
    assert!(refused(&answer, 400, "KCHVM0058E").contains("(host-device)"), "{answer:?}");
    refused(&over(&socket, "POST", "/vms/g1/migrate", &login("elsewhere")), 400, "KCHVM0090E");
    let wrong = json!({"remote_host": "b", "user": "carla-the-admin", "password": {"is": SECRET}});
    refused(&over(&socket, "POST", "/vms/g1/migrate", &wrong), 400, "KCHVM0069E");
    // Also one that goes on in the middle, and ends as no JSON.
    let mut stream = UnixStream::connect(&socket).unwrap();
    let head =
        "POST /vms/g1/migrate HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json";
    let cut = format!("{{\"remote_host\": \"b\", \"password\": \"{SECRET}\", ");
    write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{cut}", cut.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("WOKAPI0006E") && !answer.contains(SECRET), "{answer}");

    let (_, records) = over(&socket, "GET", &format!("/api/v1/tasks/{id}/records"), &Value::Null);
    let page = over(&socket, "GET", "/tasks", &Value::Null).1;
    let mut events = UnixStream::connect(&socket).unwrap();
    write!(events, "GET /api/v1/tasks/{id}/events HTTP/1.1\r\nHost: localhost\r\n\r\n").unwrap();
    let mut heard = String::new();
    let mut events = BufReader::new(events);
    while !heard.contains("\"record\":\"ended\"") {
        assert!(events.read_line(&mut heard).unwrap() > 0, "{heard}");
    }
    drop(events);
    assert!(Command::new("kill").arg(program.0.id().to_string()).status().unwrap().success());
    program.0.wait().unwrap();

    for text in [records.to_string(), page.to_string(), heard] {
        assert!(text.contains(id) && !text.contains(SECRET) && !text.contains("carla-the-admin"), "{text}");
    }
    let kept = files(&site.path("state"));
    assert!(kept.iter().any(|file| holds(file, id)), "this would find it: {kept:?}");
    assert!(holds(&site.path("log"), "a task ended"), "the log says everything");
    for file in kept.iter().chain([&site.path("log")]) {
        assert!(!holds(file, SECRET) && !holds(file, "carla-the-admin"), "{}", file.display());
    }
}

/// Hosts that differ as Kimchi looks for it, and a guest that is in the middle of something: found by the shipped rules.
const DIFFERENT: &str = r#"
host = [
    { name = "a" }, { name = "b" }, { name = "arm", architecture = "aarch64" }, { name = "xen", hypervisor = "Xen" },
    { name = "bare", pools = [] }, { name = "stopped", pools = [{ active = false }] },
]
domain = [{ name = "g1", host = "a" }, { name = "busy", host = "a", state = "in-snapshot" }]
"#;

#[test]
fn what_the_shipped_rules_find_has_kimchis_code_and_no_task_is_made() {
    let site = command::Site::with(DIFFERENT, "[service.kimchi]\nenabled = true\n");
    let program = Program::start(&site);
    let migrate = |name: &str, to: &str| {
        over(&program.socket, "POST", &format!("{PREFIX}/vms/{name}/migrate"), &json!({ "remote_host": to }))
    };
    for (name, to, status, code, finding) in [
        ("g1", "arm", 500, "KCHVM0064E", "(architecture-differs)"),
        ("g1", "xen", 500, "KCHVM0065E", "(hypervisor-differs)"),
        ("g1", "bare", 400, "KCHVM0062E", "(storage-unproven)"),
        ("g1", "stopped", 400, "KCHVM0063E", "(storage-pool-inactive)"),
        ("busy", "b", 400, "KCHVM0057E", "(state-in-transition)"),
    ] {
        let reason = refused(&migrate(name, to), status, code);
        assert!(reason.contains(finding), "{reason}");
    }
    // Kimchi takes the last of these on and has its task fail; here nothing was taken on.
    assert_eq!(program.get("/tasks")["tasks"], json!([]));
    assert_eq!(migrate("g1", "b").0, 202, "what nothing speaks against goes");
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn roles_and_scopes_hold_for_kimchis_clients_too() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, kimchi());
        let made = migrate(&anna, "/vms/g1/migrate", json!({"remote_host": "b", "password": SECRET})).await;
        let id = made["id"].as_str().unwrap().to_owned();
        anna.end(&id).await;
        let (of_task, to_b) = (format!("{PREFIX}/tasks/{id}"), json!({"remote_host": "b"}));
        let caller = |role, domains: &[&str]| {
            let domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
            anna.by(Caller::named("x").with(role, Scope { domains, ..Scope::default() }))
        };
        let viewer = caller(Role::Viewer, &[]);
        assert_eq!(get(&viewer, &of_task).await["status"], "finished");
        refused(&ask(&viewer, Method::POST, "/vms/g2/migrate", to_b.clone()).await, 403, "role-missing");
        refused(&ask(&viewer, Method::DELETE, &of_task, Value::Null).await, 403, "role-missing");
        let narrow = caller(Role::Operator, &["g2"]);
        assert_eq!(get(&narrow, "/tasks").await, json!([]));
        refused(&ask(&narrow, Method::GET, &of_task, Value::Null).await, 403, "out-of-scope");
        refused(&ask(&narrow, Method::DELETE, &of_task, Value::Null).await, 403, "out-of-scope");
        refused(&ask(&narrow, Method::POST, "/vms/g1/migrate", to_b.clone()).await, 403, "out-of-scope");
        migrate(&narrow, "/plugins/kimchi/vms/g2/migrate", to_b).await;
        // On record, without the body: there may be a password in it.
        let audit = anna.get("/audit").await.expect(200).clone();
        let entries = audit["entries"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[1]["task"]), (2, &json!(id)), "{audit}");
        assert!(
            entries.iter().all(|entry| entry["details"].is_null()) && !audit.to_string().contains(SECRET),
            "{audit}"
        );
    });
}
