//! What hosts and a whole fleet are like: read once for those who look at once, and told to whom it may be told.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;
use waypost::core::access::{Role, Scope};
use waypost::core::ids::HostName;
use waypost::core::ports::FaultKind;
use waypost::service::Caller;
use waypost_sim::{Scripted, Step, What};

use super::support::{Client, Site, in_virtual_time};

const FLEET: &str = r#"
host = [{ name = "a" }, { name = "b" }, { name = "c" }]
domain = [{ name = "web-1", host = "a" }, { name = "web-2", host = "b" }, { name = "db-1", host = "a" }, { name = "web-3", host = "c" }]
"#;

/// A page asks every few seconds, in every tab that is open.
#[test]
fn those_who_look_at_a_host_at_once_share_a_reading() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        // A reading asks twice: for the facts, and for the load.
        let slow = || Scripted::at(Step::HostFacts, What::Slow(Duration::from_secs(1))).on("a");
        site.world.script(vec![slow(); 40]);
        let began = Instant::now();
        let paths = ["/hosts", "/hosts/a"].into_iter().cycle().take(20);
        for answer in join_all(paths.map(|path| anna.get(path))).await {
            let told = answer.expect(200);
            let host = if told["hosts"].is_array() { &told["hosts"][0] } else { told };
            assert_eq!((&host["name"], &host["error"]), (&json!("a"), &Value::Null), "{told}");
        }
        assert_eq!(site.world.unspent().len(), 36, "the first one's, and that of all who came meanwhile");
        assert_eq!(began.elapsed().as_secs(), 4, "in virtual time");
        // It is of that moment: whoever comes later has the host read again.
        anna.get("/hosts/a").await.expect(200);
        assert_eq!(site.world.unspent().len(), 34);
    });
}

/// What is said of a domain names it.
#[test]
fn what_could_not_be_read_of_a_domain_is_told_to_whoever_may_see_that_domain() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = site.serve();
        let scope = Scope { hosts: vec![HostName::new("a"), HostName::new("b")], domains: vec!["web-*".to_owned()] };
        let web = anna.by(Caller::named("web-team").with(Role::Viewer, scope));
        let unread = async |who: &Client| {
            let lost = || Scripted::at(Step::DiskViews, What::Error(FaultKind::Other));
            // One for each domain of the fleet.
            site.world.script(vec![lost(); 4]);
            let told = who.get("/readiness").await.expect(200).clone();
            assert!(told["rows"].as_array().unwrap().is_empty(), "{told}");
            let mut names: Vec<_> =
                told["unread"].as_array().unwrap().iter().map(|one| one["domain"].clone()).collect();
            names.sort_by_key(Value::to_string);
            json!(names)
        };
        assert_eq!(unread(&anna).await, json!(["db-1", "web-1", "web-2", "web-3"]));
        assert_eq!(unread(&web).await, json!(["web-1", "web-2"]));
    });
}
