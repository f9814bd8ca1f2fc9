//! How far a caller reaches by the other name of a domain: pages ask by UUID, scopes have names, and only a host knows which goes with
//! which.

use serde_json::{Value, json};
use waypost::core::access::{Role, Scope};
use waypost::core::ids::HostName;
use waypost::core::ports::FaultKind;
use waypost::service::Caller;
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use super::support::{Client, Site, in_virtual_time};

const FLEET: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[domain]]
name = "web-1"
host = "a"
[[domain]]
name = "web-2"
host = "a"
[[domain]]
name = "db-1"
host = "a"
"#;

/// A UUID that no domain has.
const NOBODY: &str = "8a1b0000-0000-4000-8000-000000000000";

/// An operator of that name, who reaches so far.
fn operator(anna: &Client, name: &str, hosts: &[&str], domains: &[&str]) -> Client {
    let scope = Scope {
        hosts: hosts.iter().map(|host| HostName::new(*host)).collect(),
        domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
    };
    anna.by(Caller::named(name).with(Role::Operator, scope))
}

fn id(site: &Site, name: &str) -> String {
    site.world.domain(name).expect("it is in the fleet").to_string()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

#[test]
fn what_the_dashboard_asks_by_uuid_is_held_to_the_names_of_a_scope() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let web = id(&site, "web-1");
        let asked = json!({"domain": web, "from": "a", "to": "b"});
        let everywhere: &[&str] = &[];
        for hosts in [everywhere, &["a", "b"]] {
            let ours = operator(&anna, "ours", hosts, &["web-*"]);
            let check = json!({"domain": web, "from": "a", "to": ["b"]});
            ours.post("/checks", check).await.expect(200);
            ours.post("/dry-runs", asked.clone()).await.expect(200);
            ours.get(&format!("/hosts/a/domains/{web}/facts")).await.expect(200);
        }
        let ours = operator(&anna, "ours", &[], &["web-*"]);
        ours.post("/checks", json!({"domain": web})).await.expect(200);
        // It is not there, and neither is it on a host of another scope.
        ours.post("/checks", json!({"domain": web, "from": "b"})).await.problem(403, "out-of-scope");
        let far = operator(&anna, "far", &["b"], &["web-*"]);
        far.post("/checks", json!({"domain": web, "from": "a"})).await.problem(403, "out-of-scope");

        // A task that ends before its domain was ever read is seen by who made it, and repeated by a colleague.
        site.world.script([Scripted::at(Step::DomainFacts, What::Error(FaultKind::Other))]);
        let made = text(&ours.post("/tasks", asked).await.expect(202)["id"]);
        let ended = ours.end(&made).await;
        assert_eq!((&ended["status"], &ended["source"]), (&json!("rolled-back"), &json!("a")), "{ended}");
        assert!(site.world.unspent().is_empty());
        let colleague = operator(&anna, "colleague", &["a", "b"], &["web-*"]);
        let again = text(&colleague.post(&format!("/tasks/{made}/retry"), Value::Null).await.expect(202)["id"]);
        assert_eq!(colleague.end(&again).await["status"], "completed");
        ours.get(&format!("/tasks/{again}")).await.expect(200);
    });
}

#[test]
fn nobody_is_told_whether_a_domain_is_there_that_is_outside() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let (ours, db) = (operator(&anna, "ours", &[], &["web-*"]), id(&site, "db-1"));
        let told = async |domain: &str, status: u16, code: &str| {
            let mut said = Vec::new();
            for from in [json!("a"), Value::Null] {
                let check = json!({"domain": domain, "from": from});
                let new = json!({"domain": domain, "from": from, "to": "b"});
                for (path, body) in [("/checks", check), ("/dry-runs", new.clone()), ("/tasks", new)] {
                    let answer = ours.post(path, body).await;
                    said.push(answer.problem(status, code).to_string().replace(domain, "THAT"));
                }
            }
            let facts = ours.get(&format!("/hosts/a/domains/{domain}/facts")).await;
            said.push(facts.problem(status, code).to_string().replace(domain, "THAT"));
            said
        };
        assert_eq!(told(&db, 403, "out-of-scope").await, told(NOBODY, 403, "out-of-scope").await);
        // Nor where its host does not answer.
        site.world.strike(&What::Unreachable(Who::Host("a".into()), Lasting::Forever));
        assert_eq!(told(&db, 502, "host-failed").await, told(NOBODY, 502, "host-failed").await);
        assert!(site.store_is_empty());
        // What no host has to be asked for is refused without one.
        ours.post("/tasks", json!({"domain": "db-1", "from": "a", "to": "b"})).await.problem(403, "out-of-scope");
    });
}

#[test]
fn a_scope_of_uuids_has_their_domains_by_name() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let web = id(&site, "web-2");
        let one = operator(&anna, "one", &[], &[web.as_str()]);
        let made = one.migrate("web-2", "b").await;
        assert_eq!(one.end(&made).await["status"], "completed");
        one.post("/tasks", json!({"domain": "web-1", "to": "b"})).await.problem(403, "out-of-scope");
    });
}

#[test]
fn a_repeated_request_finds_its_task_also_where_the_domain_has_moved_on() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let (ours, web) = (operator(&anna, "ours", &["a", "b"], &["web-*"]), id(&site, "web-1"));
        let new = json!({"domain": web, "from": "a", "to": "b"});
        let first = text(&ours.post_with("/tasks", &[("Idempotency-Key", "1")], new.clone()).await.expect(202)["id"]);
        assert_eq!(ours.end(&first).await["status"], "completed");
        let repeated = ours.post_with("/tasks", &[("Idempotency-Key", "1")], new.clone()).await;
        assert_eq!(repeated.expect(202)["id"], *first);
        // A key that is new makes nothing of it, and is free for what is mended.
        let other = [("Idempotency-Key", "2")];
        ours.post_with("/tasks", &other, new.clone()).await.problem(403, "out-of-scope");
        let back = json!({"domain": web, "from": "b", "to": "a"});
        let second = text(&ours.post_with("/tasks", &other, back).await.expect(202)["id"]);
        assert_eq!(ours.end(&second).await["status"], "completed");
        // Somebody's key finds nothing for somebody else.
        let theirs = operator(&anna, "theirs", &["a", "b"], &["web-*"]);
        let away = json!({"domain": web, "from": "b", "to": "a"});
        theirs.post_with("/tasks", &other, away).await.problem(403, "out-of-scope");
    });
}
