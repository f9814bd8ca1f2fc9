//! A destination that lets nobody in without a login, and what a request's user and password are good for.

use std::time::Duration;

use waypost::HostName;
use waypost::core::login::PeerWay;
use waypost::core::ports::{Connection, Hypervisor as _};
use waypost_sim::{Scripted, Step};

use super::*;

const USER: &str = "carla-the-admin";

/// Two hosts, of which b lets nobody in but carla; the daemons of other hosts as said.
fn fleet(more: &str, peers: bool) -> String {
    format!(
        r#"
[[host]]
name = "a"
[[host]]
name = "b"
login = {{ user = "{USER}", password = "{SECRET}", peers = {peers} }}
[[domain]]
name = "g1"
host = "a"
{more}
"#
    )
}

/// A guest that takes minutes.
const LARGE: &str = r#"
memory_mib = 4096
[[link]]
between = ["a", "b"]
bandwidth_mib_s = 10
"#;

/// Another one.
const SECOND: &str = r#"
[[domain]]
name = "g2"
host = "a"
memory_mib = 64
"#;

fn with(password: &str) -> Value {
    json!({"remote_host": "b", "user": USER, "password": password})
}

/// How the connection to b stands.
fn stands(site: &Site) -> Connection {
    site.world.connection(&HostName::new("b"))
}

/// Waits until whoever held b is through with it.
async fn until_closed(site: &Site) {
    while stands(site) != Connection::Down {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// How often a login opened something.
fn opened(site: &Site) -> usize {
    site.world.changes().iter().filter(|change| change.what == "a login opens the connection").count()
}

async fn orders(client: &Client, id: &str) -> Value {
    let records = client.get(&format!("/tasks/{id}/records")).await.expect(200).clone();
    records["journal"][0]["details"]["options"].clone()
}

#[test]
fn a_login_opens_the_destination_once_and_for_its_task_alone() {
    in_virtual_time(async {
        let site = Site::new(&fleet("", false));
        let (_service, anna) = serve(&site, kimchi());
        let path = "/plugins/kimchi/vms/g1/migrate";
        // Not without both of them.
        for half in [json!({"remote_host": "b"}), json!({"remote_host": "b", "user": USER}), with("")] {
            let reason = refused(&ask(&anna, Method::POST, path, half).await, 500, "KCHVM0056E");
            assert!(reason.contains("destination-unreachable") && reason.contains("without a login"), "{reason}");
        }
        for (user, password) in [(USER, "guess"), ("root", SECRET)] {
            let body = json!({"remote_host": "b", "user": user, "password": password});
            let reason = refused(&ask(&anna, Method::POST, path, body).await, 400, "KCHVM0068E");
            assert!(reason.contains("authentication failed"), "{reason}");
            assert!(![USER, SECRET, "guess"].iter().any(|secret| reason.contains(secret)), "{reason}");
        }
        // Who may not ask opens nothing, whatever they know.
        let viewer = anna.by(Caller::named("x").with(Role::Viewer, Scope::default()));
        refused(&ask(&viewer, Method::POST, path, with(SECRET)).await, 403, "role-missing");
        let elsewhere = Scope { hosts: vec!["a".into()], ..Scope::default() };
        let narrow = anna.by(Caller::named("x").with(Role::Operator, elsewhere));
        refused(&ask(&narrow, Method::POST, path, with(SECRET)).await, 400, "KCHVM0090E");
        // Nor does one whose guest is not there: what was opened is closed again.
        assert_eq!((stands(&site), opened(&site)), (Connection::Down, 0));
        let reason = refused(&ask(&anna, Method::POST, "/vms/nobody/migrate", with(SECRET)).await, 404, "KCHVM0002E");
        assert!(reason.contains("opened the connection to b"), "{reason}");
        assert_eq!((stands(&site), opened(&site)), (Connection::Down, 1));
        assert!(site.store_is_empty(), "none of this made a task");

        let task = migrate(&anna, path, with(SECRET)).await;
        let told = task["message"].as_str().unwrap();
        assert!(told.contains("user and password opened the connection to b"), "{told}");
        let id = task["id"].as_str().unwrap();
        assert_eq!(anna.end(id).await["status"], "completed");
        assert_eq!(orders(&anna, id).await["transport"], "direct", "the source's daemon has no such password");
        until_closed(&site).await;
        assert_eq!(opened(&site), 2);
        // The way back needs one again.
        let away = json!({"remote_host": "a"});
        refused(&ask(&anna, Method::POST, path, away).await, 404, "KCHVM0002E");
    });
}

/// libvirt counts no wrong passwords.
#[test]
fn who_guesses_a_hosts_password_is_made_to_wait_and_nobody_else_is() {
    in_virtual_time(async {
        let site = Site::new(&fleet("", false));
        let (_service, anna) = serve(&site, kimchi());
        let (mallory, path) = (anna.named(Some("mallory")), "/vms/g1/migrate");
        for _ in 0..10 {
            refused(&ask(&mallory, Method::POST, path, with("guess")).await, 400, "KCHVM0068E");
        }
        // Not even with the right one, or guessing would go on to be worth while.
        let refused_for = async |password: &str, seconds: &str| {
            let body = Body::from(with(password).to_string());
            let request = Request::post(path).header("content-type", "application/json").body(body).unwrap();
            let answer = mallory.send(request).await;
            assert_eq!(answer.headers["retry-after"], seconds);
            let reason = refused(&(answer.status.as_u16(), answer.body), 429, "KCHVM0068E");
            assert!(reason.contains(&format!("none of mallory is tried for {seconds} s")), "{reason}");
        };
        refused_for("guess", "30").await;
        refused_for(SECRET, "30").await;
        assert_eq!((stands(&site), opened(&site)), (Connection::Down, 0));
        let task = migrate(&anna, path, with(SECRET)).await;
        assert_eq!(anna.end(task["id"].as_str().unwrap()).await["status"], "completed");
        until_closed(&site).await;
        // Later it is looked at again, and a wrong one costs twice the wait.
        tokio::time::sleep(Duration::from_secs(30)).await;
        refused(&ask(&mallory, Method::POST, path, with("guess")).await, 400, "KCHVM0068E");
        refused_for(SECRET, "60").await;
    });
}

#[test]
fn of_many_guesses_at_once_no_more_are_tried() {
    in_virtual_time(async {
        let site = Site::new(&fleet("", false));
        let (_service, anna) = serve(&site, kimchi());
        // Each takes a while there, so that all have come before the first is answered.
        let slow = || Scripted::at(Step::Connect, What::Slow(Duration::from_millis(100)));
        site.world.script(vec![slow(); 50]);
        let guesses = (0..50).map(|_| ask(&anna, Method::POST, "/vms/g1/migrate", with("guess")));
        let answers = futures_util::future::join_all(guesses).await;
        let of = |status: u16| answers.iter().filter(|answer| answer.0 == status).count();
        assert_eq!((of(400), of(429)), (10, 40), "{answers:?}");
        assert_eq!(site.world.unspent().len(), 40, "no more than ten were tried on the host");
    });
}

#[test]
fn who_has_guessed_uses_a_connection_that_is_open_as_everybody_does() {
    in_virtual_time(async {
        let other = "[[host]]\nname = \"c\"\nlogin = { user = \"root\", password = \"other\", peers = false }\n";
        let site = Site::new(&fleet(&format!("{LARGE}{SECOND}{other}"), false));
        let (_service, anna) = serve(&site, kimchi());
        let guess = async |host: &str| {
            let body = json!({"remote_host": host, "user": USER, "password": "guess"});
            ask(&anna, Method::POST, "/vms/g2/migrate", body).await
        };
        for _ in 0..10 {
            refused(&guess("b").await, 400, "KCHVM0068E");
        }
        refused(&guess("b").await, 429, "KCHVM0068E");
        // On another host nothing was wrong yet, and without a password nothing is guessed.
        refused(&guess("c").await, 400, "KCHVM0068E");
        let without = ask(&anna, Method::POST, "/vms/g2/migrate", json!({"remote_host": "b"})).await;
        refused(&without, 500, "KCHVM0056E");
        let task = migrate(&anna.named(Some("ben")), "/vms/g1/migrate", with(SECRET)).await;
        let hers = migrate(&anna, "/vms/g2/migrate", with("guess")).await;
        assert!(hers["message"].as_str().unwrap().contains("neither used nor kept"), "{hers}");
        for task in [&hers, &task] {
            assert_eq!(anna.end(task["id"].as_str().unwrap()).await["status"], "completed");
        }
        until_closed(&site).await;
        assert_eq!(opened(&site), 1);
    });
}

#[test]
fn whoever_may_use_the_host_uses_the_connection_while_it_stands() {
    in_virtual_time(async {
        let site = Site::new(&fleet(&format!("{LARGE}{SECOND}"), false));
        let (_service, anna) = serve(&site, kimchi());
        let task = migrate(&anna, "/vms/g1/migrate", with(SECRET)).await;
        assert_eq!(stands(&site), Connection::Lent(PeerWay::Shut));
        let ben = anna.named(Some("ben"));
        let without = migrate(&ben, "/vms/g2/migrate", json!({"remote_host": "b"})).await;
        let id = without["id"].as_str().unwrap();
        assert_eq!(ben.end(id).await["status"], "completed");
        assert_eq!(orders(&ben, id).await["transport"], "direct");
        // Also back, and there again: g1 is still on its way.
        let back = migrate(&ben, "/vms/g2/migrate", json!({"remote_host": "a"})).await;
        assert_eq!(ben.end(back["id"].as_str().unwrap()).await["status"], "completed");
        let again = migrate(&ben, "/vms/g2/migrate", with("guess")).await;
        let told = again["message"].as_str().unwrap();
        assert!(told.contains("neither used nor kept") && told.contains("given before"), "{told}");
        assert_eq!(opened(&site), 1);
        for task in [&again, &task] {
            assert_eq!(anna.end(task["id"].as_str().unwrap()).await["status"], "completed");
        }
        until_closed(&site).await;
    });
}

#[test]
fn where_the_daemons_have_a_way_of_their_own_they_take_it() {
    in_virtual_time(async {
        let site = Site::new(&fleet("", true));
        let (_service, anna) = serve(&site, kimchi());
        let task = migrate(&anna, "/vms/g1/migrate", with(SECRET)).await;
        let id = task["id"].as_str().unwrap();
        assert_eq!(anna.end(id).await["status"], "completed");
        assert_eq!(orders(&anna, id).await["transport"], "peer-to-peer");
    });
}

/// Takes b away from the controller for a moment, in the middle of a transfer that goes on.
async fn cut_off(site: &Site, anna: &Client) -> String {
    let task = migrate(anna, "/vms/g1/migrate", with(SECRET)).await;
    let id = task["id"].as_str().unwrap().to_owned();
    anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
    let moment = std::time::Duration::from_secs(5);
    site.world.strike(&What::Unreachable(Who::Host("b".into()), Lasting::For(moment)));
    assert_eq!(stands(site), Connection::Down);
    tokio::time::sleep(2 * moment).await;
    assert_eq!(stands(site), Connection::Down, "nothing opens it by itself");
    id
}

#[test]
fn a_connection_that_broke_is_missed_until_the_login_is_given_again() {
    in_virtual_time(async {
        let site = Site::new(&fleet(LARGE, true));
        let (_service, anna) = serve(&site, kimchi());
        let id = cut_off(&site, &anna).await;
        let wrong = ask(&anna, Method::POST, "/vms/g1/migrate", with("guess")).await;
        refused(&wrong, 400, "KCHVM0068E");
        let again = ask(&anna, Method::POST, "/vms/g1/migrate", with(SECRET)).await;
        let reason = refused(&again, 409, "KCHVM0058E");
        assert!(reason.contains(&id) && reason.contains("opened the connection to b"), "{reason}");
        assert_eq!((stands(&site), opened(&site)), (Connection::Lent(PeerWay::Own), 2), "its task holds it");
        assert_eq!(anna.end(&id).await["status"], "completed");
    });
}

#[test]
fn a_task_whose_destination_was_lost_says_that_the_login_is_needed_again() {
    in_virtual_time(async {
        let site = Site::new(&fleet(LARGE, true));
        let (_service, anna) = serve(&site, kimchi());
        let id = cut_off(&site, &anna).await;
        let ended = anna.end(&id).await;
        assert_eq!(ended["status"], "stuck", "{ended}");
        assert!(ended.to_string().contains("give it again"), "{ended}");
        until_closed(&site).await;
    });
}

#[test]
fn over_the_real_socket_a_password_that_was_used_leaves_no_trace() {
    let site = command::Site::with(&fleet("memory_mib = 64", false), "[service.kimchi]\nenabled = true\n");
    let mut program = site.command(&["--json", "serve", "--socket", "waypost.sock"]);
    program.env("WAYPOST_LOG", "trace").stdout(Stdio::piped()).stderr(File::create(site.path("log")).unwrap());
    let mut program = Serving(program.spawn().unwrap());
    let mut serving = String::new();
    BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut serving).unwrap();
    let socket = site.path("waypost.sock");

    let wrong = over(&socket, "POST", "/vms/g1/migrate", &with("guess-of-a-password"));
    refused(&wrong, 400, "KCHVM0068E");
    let (status, task) = over(&socket, "POST", "/plugins/kimchi/vms/g1/migrate", &with(SECRET));
    assert_eq!(status, 202, "{task}");
    let id = task["id"].as_str().unwrap();
    let mut path = format!("/api/v1/tasks/{id}");
    let ended = loop {
        let (_, now) = over(&socket, "GET", &path, &Value::Null);
        if now["phase"] == "ended" {
            break now;
        }
        path = format!("/api/v1/tasks/{id}?since={}&wait=30", now["sequence"]);
    };
    assert_eq!(ended["status"], "completed", "{ended}");
    let told = ["/api/v1/audit", "/tasks", "/api/v1/hosts"].map(|path| over(&socket, "GET", path, &Value::Null).1);
    let records = over(&socket, "GET", &format!("/api/v1/tasks/{id}/records"), &Value::Null).1;
    assert!(told[0].to_string().contains(id) && records["journal"].is_array(), "{told:?}");
    assert!(Command::new("kill").arg(program.0.id().to_string()).status().unwrap().success());
    program.0.wait().unwrap();

    let texts = told.iter().chain([&records, &task, &ended, &wrong.1]).map(Value::to_string);
    let kept = files(&site.path("state"));
    assert!(kept.iter().any(|file| holds(file, id)), "this would find it: {kept:?}");
    let log = site.path("log");
    assert!(holds(&log, "opened nothing") && holds(&log, "a task ended"), "the log says everything");
    let written = kept.iter().chain([&log]).map(|file| String::from_utf8_lossy(&fs::read(file).unwrap()).into_owned());
    for text in texts.chain(written) {
        for secret in [SECRET, USER, "guess-of-a-password"] {
            assert!(!text.contains(secret), "{secret} in: {}", &text[..text.len().min(2000)]);
        }
    }
}
