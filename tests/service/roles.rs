//! Who may do what, for every route of the description: by role, and by what a scope has.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::{Method, Request, StatusCode};
use serde_json::{Value, json};
use waypost::core::access::{AuditQuery, Ledger as _, Role, Scope};
use waypost::core::ids::HostName;
use waypost::service::Caller;

use super::support::{Client, Site, in_virtual_time};

const FLEET: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[host]]
name = "c"
[[domain]]
name = "web-1"
host = "a"
[[domain]]
name = "web-2"
host = "a"
[[domain]]
name = "db-1"
host = "a"
[[domain]]
name = "db-2"
host = "c"
"#;

fn scope(hosts: &[&str], domains: &[&str]) -> Scope {
    Scope {
        hosts: hosts.iter().map(|host| HostName::new(*host)).collect(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
    }
}

/// The permission that each operation needs, in words of its own, so that a slip in the table is found.
fn needed() -> BTreeMap<&'static str, &'static str> {
    let look = [
        "version",
        "openapi",
        "health",
        "ready",
        "plugins",
        "plugin",
        "pluginSettings",
        "hosts",
        "host",
        "hostFacts",
        "domainsOfHost",
        "domainFacts",
        "domains",
        "queue",
        "readiness",
        "check",
        "dryRun",
        "listTasks",
        "top",
        "getTask",
        "taskRecords",
        "taskSamples",
        "decisions",
        "taskSituation",
        "events",
        "taskEvents",
        "changes",
    ];
    let act = ["createTask", "cancelTask", "retryTask", "steerTask", "actOnTask"];
    let change = [
        "putPlugin",
        "deletePlugin",
        "enablePlugin",
        "disablePlugin",
        "putPluginSettings",
        "patchPluginSettings",
        "forgetPluginSettings",
    ];
    let all = look.into_iter().map(|operation| (operation, "look"));
    let all = all.chain(act.into_iter().map(|operation| (operation, "move"))).chain([("audit", "audit")]);
    let all = all.chain(change.into_iter().map(|operation| (operation, "change-policies")));
    all.chain(["whoAmI", "beginSession", "endSession"].map(|operation| (operation, ""))).collect()
}

/// Every operation of the description: its name, method and path.
fn operations() -> Vec<(String, Method, String)> {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            found.push((operation["operationId"].as_str().unwrap().to_owned(), method, path.clone()));
        }
    }
    found
}

/// Asks without reading the answer, which for events never ends.
async fn status(client: &Client, method: &Method, path: &str, task: &str) -> StatusCode {
    let path = path.replace("{task}", task).replace("{host}", "a").replace("{domain}", "web-1");
    let path = path.replace("{plugin}", "mine");
    let mut request = Request::builder().method(method.clone()).uri(path);
    let mut body = Body::empty();
    if *method == Method::POST {
        request = request.header("content-type", "application/json");
        body = Body::from("{}");
    }
    client.raw(request.body(body).unwrap()).await.status()
}

#[test]
fn each_role_may_do_what_it_says_on_every_route_and_nothing_else() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let task = anna.migrate("web-1", "b").await;
        anna.end(&task).await;
        let needed = needed();
        let described: BTreeSet<String> = operations().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(described, needed.keys().map(|name| (*name).to_owned()).collect(), "an operation of no permission");
        for role in Role::ALL {
            let client = anna.by(Caller::named("x").with(*role, Scope::default()));
            let permits = match role {
                Role::Viewer => vec!["", "look"],
                Role::Operator => vec!["", "look", "move"],
                Role::PolicyAdmin => vec!["", "look", "change-policies"],
                Role::Admin => vec!["", "look", "move", "change-policies", "audit"],
            };
            for (name, method, path) in operations() {
                let refused = status(&client, &method, &path, &task).await == StatusCode::FORBIDDEN;
                assert_eq!(!refused, permits.contains(&needed[name.as_str()]), "{role} {name}");
            }
        }
        let viewer = anna.by(Caller::named("x").with(Role::Viewer, Scope::default()));
        let told = viewer.post("/tasks", json!({"domain": "web-2", "to": "b"})).await;
        let problem = told.problem(403, "role-missing");
        assert!(problem["detail"].as_str().unwrap().contains("x is viewer here, and this needs the permission move"));
        assert!(problem["remedy"].as_str().unwrap().contains("operator"), "{problem}");
    });
}

#[test]
fn a_scope_narrows_every_route_that_tells_or_does_something() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let (theirs, ours) = (anna.migrate("db-1", "b").await, anna.migrate("web-1", "b").await);
        let far = anna.migrate("db-2", "a").await;
        for task in [&theirs, &ours, &far] {
            anna.end(task).await;
        }
        // The role permits everything, so whatever is refused is refused by the scope.
        let web = anna.by(Caller::named("web-team").with(Role::Admin, scope(&["a", "b"], &["web-*"])));

        let outside = async |method: &str, path: &str, body: Value| {
            let answer = match method {
                "GET" => web.get(path).await,
                _ => web.post(path, body).await,
            };
            answer.problem(403, "out-of-scope");
        };
        let null = Value::Null;
        for path in ["/hosts/c", "/hosts/c/domains", "/hosts/c/domains/web-1/facts", "/hosts/a/domains/db-1/facts"] {
            outside("GET", path, null.clone()).await;
        }
        // The facts of a host name all its domains.
        outside("GET", "/hosts/a/facts", null.clone()).await;
        for rest in ["", "/records", "/situation", "/events", "/samples", "?wait=1"] {
            outside("GET", &format!("/tasks/{theirs}{rest}"), null.clone()).await;
        }
        for rest in ["/cancel", "/retry"] {
            outside("POST", &format!("/tasks/{theirs}{rest}"), null.clone()).await;
        }
        outside("POST", &format!("/tasks/{theirs}/steer"), json!({"suspend": true})).await;
        outside("POST", &format!("/tasks/{theirs}/actions"), json!({"action": "wait"})).await;
        for path in ["/tasks", "/dry-runs"] {
            for wrong in [
                json!({"domain": "db-1", "from": "a", "to": "b"}),
                json!({"domain": "web-2", "from": "a", "to": "c"}),
                json!({"domain": "web-2", "from": "c", "to": "a"}),
                json!({"domain": "web-2", "to": "b"}),
                json!({"domain": "8a1b0000-0000-0000-0000-000000000000", "from": "a", "to": "b"}),
                json!({"domain": "urn:uuid:8a1b0000-0000-0000-0000-000000000000", "from": "a", "to": "b"}),
            ] {
                outside("POST", path, wrong).await;
            }
        }
        for wrong in [
            json!({"domain": "db-1", "from": "a"}),
            json!({"domain": "web-2", "from": "a", "to": ["b", "c"]}),
            json!({"domain": "web-2"}),
        ] {
            outside("POST", "/checks", wrong).await;
        }

        let names = |answer: &Value, list: &str, key: &str| -> Vec<String> {
            answer[list].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
        };
        let get = async |path: &str| web.get(path).await.expect(200).clone();
        assert_eq!(names(&get("/hosts").await, "hosts", "name"), ["a", "b"]);
        assert_eq!(names(&get("/domains").await, "domains", "name"), ["web-2", "web-1"]);
        assert_eq!(names(&get("/hosts/a/domains").await, "domains", "name"), ["web-2"]);
        assert_eq!(names(&get("/tasks").await, "tasks", "id"), std::slice::from_ref(&ours));
        let decided = names(&get("/decisions").await, "decisions", "task");
        assert!(!decided.is_empty() && decided.iter().all(|task| *task == ours), "{decided:?}");
        // Figures are of everything, and so is the audit log.
        let request = Request::get("/metrics").body(Body::empty()).unwrap();
        web.send(request).await.problem(403, "out-of-scope");
        for rest in ["", "?who=web-team", &format!("?task={ours}")] {
            outside("GET", &format!("/audit{rest}"), null.clone()).await;
        }
        for path in ["/top", "/queue", "/changes?after=0"] {
            let told = get(path).await.to_string();
            assert!(![&theirs, &far].iter().any(|task| told.contains(task.as_str())), "{path}: {told}");
            assert!(!told.contains("db-"), "{path}: {told}");
        }
        assert_eq!(names(&get("/top").await, "finished", "task"), std::slice::from_ref(&ours));
        let changed = names(&get("/changes?after=0").await, "records", "task");
        assert!(!changed.is_empty() && changed.iter().all(|task| *task == ours), "{changed:?}");
        assert_eq!(get(&format!("/tasks/{ours}")).await["id"], *ours);
        policies_are_of_everybody(&web).await;
        let readiness = get("/readiness").await;
        let rows = readiness["rows"].as_array().unwrap();
        assert_eq!(rows.len(), 2, "{readiness}");
        for row in rows {
            assert!(row["domain"]["name"].as_str().unwrap().starts_with("web-"), "{row}");
            assert!(row["verdicts"].as_array().unwrap().iter().all(|verdict| verdict["destination"] != "c"), "{row}");
        }
        let checked = web.post("/checks", json!({"domain": "web-2", "from": "a"})).await.expect(200).clone();
        assert_eq!(names(&checked, "verdicts", "destination"), ["b"]);
        // Pages go on behind what is left out.
        let mut seen = Vec::new();
        let mut path = "/tasks?limit=1".to_owned();
        loop {
            let page = get(&path).await;
            seen.extend(names(&page, "tasks", "id"));
            match page["next"].as_str() {
                Some(next) => path = format!("/tasks?limit=1&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen, std::slice::from_ref(&ours));

        let mut all = web.listen("/events?after=0", None).await;
        let heard = all.until(|heard| heard.ends(&ours)).await;
        assert!(heard.iter().all(|heard| heard.data["task"] == *ours), "{heard:?}");
        let new = json!({"domain": "web-2", "from": "a", "to": "b"});
        let made = web.post("/tasks", new).await.expect(202)["id"].as_str().unwrap().to_owned();
        let heard = all.until(|heard| heard.ends(&made)).await;
        assert!(heard.iter().all(|heard| [&ours, &made].iter().any(|id| heard.data["task"] == **id)), "{heard:?}");
        assert!(heard.iter().any(|heard| heard.kind == "record"), "{heard:?}");

        // A host of the scope is enough to see a task, and not to do anything about it.
        let near = anna.by(Caller::named("near").with(Role::Operator, scope(&["c"], &[])));
        near.get(&format!("/tasks/{far}")).await.expect(200);
        near.post(&format!("/tasks/{far}/retry"), null.clone()).await.problem(403, "out-of-scope");
        // Nor is one that named no source: begun again it would take the domain from any host.
        let nowhere = anna.post("/tasks", json!({"domain": "web-9", "to": "c"})).await.expect(202)["id"].clone();
        let nowhere = nowhere.as_str().unwrap();
        anna.end(nowhere).await;
        near.get(&format!("/tasks/{nowhere}")).await.expect(200);
        for rest in ["/retry", "/cancel"] {
            near.post(&format!("/tasks/{nowhere}{rest}"), null.clone()).await.problem(403, "out-of-scope");
        }

        // Whatever else there is has to be tried here, or to tell nothing of any host or domain.
        let harmless = ["version", "openapi", "health", "ready", "plugins", "plugin", "pluginSettings"];
        let own = ["whoAmI", "beginSession", "endSession"];
        let asked = web.asked();
        let missed: Vec<String> = operations()
            .into_iter()
            .map(|(name, ..)| name)
            .filter(|name| !harmless.iter().chain(&own).any(|known| known == name) && !asked.contains(name.as_str()))
            .collect();
        assert_eq!(missed, [] as [String; 0], "a scope was never tried on these");
    });
}

#[test]
fn each_of_several_roles_reaches_as_far_as_its_own_scope() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let theirs = anna.migrate("db-1", "b").await;
        anna.end(&theirs).await;
        let both = Caller::named("both").with(Role::Viewer, Scope::default());
        let both = anna.by(both.also(Role::Operator, scope(&["a", "b"], &["web-*"])));

        both.get(&format!("/tasks/{theirs}")).await.expect(200);
        both.get("/hosts/c/facts").await.expect(200);
        let figures = both.raw(Request::get("/metrics").body(Body::empty()).unwrap()).await;
        assert_eq!(figures.status(), StatusCode::OK);
        both.post("/checks", json!({"domain": "db-2", "to": ["b"]})).await.expect(200);
        both.post(&format!("/tasks/{theirs}/retry"), Value::Null).await.problem(403, "out-of-scope");
        for wrong in [
            json!({"domain": "db-2", "from": "c", "to": "b"}),
            json!({"domain": "web-1", "from": "a", "to": "c"}),
            json!({"domain": "web-1", "to": "b"}),
        ] {
            let refused = both.post("/tasks", wrong).await.problem(403, "out-of-scope").clone();
            let why = refused["detail"].as_str().unwrap();
            assert!(why.ends_with("what both may reach with this: hosts a, b; domains web-*"), "{why}");
        }
        let new = json!({"domain": "web-1", "from": "a", "to": "b"});
        let ours = both.post("/tasks", new).await.expect(202)["id"].as_str().unwrap().to_owned();
        let mut all = both.listen("/events?after=0", None).await;
        let heard = all.until(|heard| heard.ends(&ours)).await;
        assert!(heard.iter().any(|heard| heard.data["task"] == *theirs), "{heard:?}");
        let refused = both.get("/audit").await.problem(403, "role-missing").clone();
        assert!(refused["detail"].as_str().unwrap().contains("both is operator and viewer here"), "{refused}");
        let me = both.get("/session").await.expect(200).clone();
        assert_eq!((&me["role"], &me["permissions"]), (&json!("operator"), &json!(["look", "move"])));
        let operator =
            json!({"role": "operator", "permissions": ["look", "move"], "hosts": ["a", "b"], "domains": ["web-*"]});
        let viewer = json!({"role": "viewer", "permissions": ["look"], "hosts": [], "domains": []});
        assert_eq!(me["grants"], json!([operator, viewer]));

        // A policy is changed by who reaches everything with a role for that, and not with another one.
        let narrow = Caller::named("narrow").with(Role::Admin, scope(&["a"], &[]));
        let narrow = anna.by(narrow.also(Role::Viewer, Scope::default()));
        policies_are_of_everybody(&narrow).await;
        narrow.get("/audit").await.problem(403, "out-of-scope");
    });
}

#[test]
fn a_host_of_one_scope_and_a_domain_of_another_make_no_pair() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let crossed = Caller::named("crossed").with(Role::Operator, scope(&["a", "b"], &["web-*"]));
        let crossed = anna.by(crossed.also(Role::Operator, scope(&["b", "c"], &["db-*"])));
        let names = |answer: &Value, list: &str, key: &str| -> Vec<String> {
            answer[list].as_array().unwrap().iter().map(|item| item[key].as_str().unwrap().to_owned()).collect()
        };
        let get = async |path: &str| crossed.get(path).await.expect(200).clone();
        assert_eq!(names(&get("/hosts").await, "hosts", "name"), ["a", "b", "c"]);
        assert_eq!(names(&get("/domains").await, "domains", "name"), ["web-1", "web-2", "db-2"]);
        assert_eq!(names(&get("/hosts/a/domains").await, "domains", "name"), ["web-1", "web-2"]);
        let readiness = get("/readiness").await;
        let mut cells = Vec::new();
        for row in readiness["rows"].as_array().unwrap() {
            for destination in names(row, "verdicts", "destination") {
                cells.push(format!("{} {destination}", row["domain"]["name"].as_str().unwrap()));
            }
        }
        cells.sort();
        assert_eq!(cells, ["db-2 b", "web-1 b", "web-2 b"]);
        let checked = crossed.post("/checks", json!({"domain": "db-2", "from": "c"})).await.expect(200).clone();
        assert_eq!(names(&checked, "verdicts", "destination"), ["b"]);
        for path in ["/hosts/a/domains/db-1/facts", "/hosts/c/domains/web-1/facts", "/hosts/a/facts"] {
            crossed.get(path).await.problem(403, "out-of-scope");
        }
        for path in ["/tasks", "/dry-runs"] {
            for wrong in [
                json!({"domain": "db-1", "from": "a", "to": "b"}),
                json!({"domain": "web-2", "from": "a", "to": "c"}),
                json!({"domain": "db-2", "from": "c", "to": "a"}),
            ] {
                crossed.post(path, wrong).await.problem(403, "out-of-scope");
            }
        }
        let theirs = anna.migrate("db-1", "c").await;
        anna.end(&theirs).await;
        // Seen from the end that is in the scope of its domain, and not commanded.
        crossed.get(&format!("/tasks/{theirs}")).await.expect(200);
        crossed.post(&format!("/tasks/{theirs}/retry"), Value::Null).await.problem(403, "out-of-scope");
        for new in
            [json!({"domain": "web-1", "from": "a", "to": "b"}), json!({"domain": "db-2", "from": "c", "to": "b"})]
        {
            crossed.post("/tasks", new).await.expect(202);
        }
    });
}

/// No change of a policy is for whoever has a scope: policies judge the domains of everybody.
async fn policies_are_of_everybody(scoped: &Client) {
    for (method, rest) in [
        (Method::PUT, ""),
        (Method::DELETE, ""),
        (Method::POST, "/enable"),
        (Method::POST, "/disable"),
        (Method::PUT, "/settings"),
        (Method::PATCH, "/settings"),
        (Method::DELETE, "/settings"),
    ] {
        let request = Request::builder().method(method).uri(format!("/api/v1/plugins/mine{rest}"));
        scoped.send(request.body(Body::empty()).unwrap()).await.problem(403, "out-of-scope");
    }
}

#[test]
fn the_queue_shows_only_what_may_be_seen() {
    in_virtual_time(async {
        let mut fleet = FLEET.to_owned();
        fleet.push_str("[[link]]\nbetween = [\"a\", \"b\"]\nbandwidth_mib_s = 1\n");
        let site = Site::new(&fleet);
        let (_service, anna) = site.serve();
        let (theirs, ours) = (anna.migrate("db-1", "b").await, anna.migrate("web-1", "b").await);
        for task in [&theirs, &ours] {
            anna.until(task, |status| status["phase"] == "performing").await;
        }
        let web = anna.by(Caller::named("web-team").with(Role::Viewer, scope(&[], &["web-*"])));
        let queue = web.get("/queue").await.expect(200).clone();
        let entries = queue["entries"].as_array().unwrap();
        assert_eq!((entries.len(), &entries[0]["task"]), (1, &Value::from(ours)), "{queue}");
    });
}

#[test]
fn every_change_is_on_record_with_who_what_why_and_what_came_of_it() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let why = [("Waypost-Reason", "rack 7 is moved")];
        let new = json!({"domain": "web-1", "to": "b", "options": {"bandwidth_mib_s": 100}});
        let made = anna.post_with("/tasks", &why, new).await.expect(202)["id"].as_str().unwrap().to_owned();
        anna.end(&made).await;
        let bert = anna.named(Some("bert"));
        bert.post(&format!("/tasks/{made}/cancel"), Value::Null).await.problem(409, "task-over");
        bert.post("/tasks", json!({"domain": "web-1"})).await.problem(422, "wrong-shape");
        anna.get("/tasks").await.expect(200);
        bert.post("/checks", json!({"domain": "web-2"})).await.expect(200);

        let page = anna.get("/audit").await.expect(200).clone();
        let entries = page["entries"].as_array().unwrap();
        let told: Vec<_> = entries
            .iter()
            .map(|entry| ["who", "what", "outcome"].map(|key| entry[key].as_str().unwrap().to_owned()).join(" "))
            .collect();
        assert_eq!(
            told,
            [
                "bert POST /api/v1/tasks wrong-shape",
                "bert POST /api/v1/tasks/{task}/cancel task-over",
                "anna POST /api/v1/tasks done",
            ]
        );
        let first = &entries[2];
        assert_eq!((&first["task"], &first["domain"], &first["host"]), (&json!(made), &json!("web-1"), &json!("b")));
        assert_eq!((&first["reason"], &first["proof"]), (&json!("rack 7 is moved"), &json!("embedding program")));
        assert!(first["details"].as_str().unwrap().contains("\"bandwidth_mib_s\":100"), "{first}");
        assert_eq!((&entries[1]["task"], &entries[1]["domain"]), (&json!(made), &json!("web-1")));

        let numbers = async |path: &str| -> (Vec<u64>, Value) {
            let page = anna.get(path).await.expect(200).clone();
            (
                page["entries"].as_array().unwrap().iter().map(|e| e["number"].as_u64().unwrap()).collect(),
                page["next"].clone(),
            )
        };
        assert_eq!(numbers("/audit?limit=2").await, (vec![3, 2], json!(2)));
        assert_eq!(numbers("/audit?limit=2&before=2").await, (vec![1], Value::Null));
        assert_eq!(numbers("/audit?who=anna").await.0, [1]);
        assert_eq!(numbers(&format!("/audit?task={made}")).await.0, [2, 1]);
        for wrong in ["/audit?limit=0", "/audit?limit=501", "/audit?colour=red", "/audit?before=x"] {
            anna.get(wrong).await.problem(400, "bad-request");
        }
        anna.get("/audit?task=x").await.problem(404, "no-such-task");
    });
}

#[test]
fn a_change_that_nobody_waited_for_is_on_record_all_the_same() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (service, anna) = site.serve();
        tokio::select! {
            biased;
            answer = anna.post("/tasks", json!({"domain": "web-1", "to": "b"})) => panic!("it was too fast: {answer:?}"),
            () = std::future::ready(()) => {}
        }
        while service.driven() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let entries = loop {
            let entries = site.store().audit(&AuditQuery::default(), 10).unwrap();
            if entries[0].outcome.is_some() {
                break entries;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_eq!((entries.len(), entries[0].outcome.as_deref()), (1, Some("done")));
        assert!(entries[0].asked.task.is_some());
    });
}
