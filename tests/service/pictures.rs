//! The readiness of a fleet, told to whom it may be told.

use serde_json::{Value, json};
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
