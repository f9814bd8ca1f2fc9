//! Who is limited to hosts: a request of Kimchi's has no word for where a guest is, so it is looked for on those hosts.

use super::*;

const FLEET: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[host]]
name = "kvm9"
[[domain]]
name = "g1"
host = "a"
[[domain]]
name = "off"
host = "a"
state = "shut-off"
[[domain]]
name = "kept"
host = "a"
[[domain]]
name = "far"
host = "kvm9"
"#;

#[test]
fn who_is_limited_to_hosts_moves_the_guests_that_are_on_them() {
    in_virtual_time(async {
        let site = Site::new(FLEET);
        let (_service, anna) = serve(&site, kimchi());
        let hosts = Scope { hosts: vec!["a".into(), "b".into()], ..Scope::default() };
        let near = anna.by(Caller::named("near").with(Role::Operator, hosts));
        let to_b = || json!({"remote_host": "b"});
        let asked = async |name: &str| ask(&near, Method::POST, &format!("/vms/{name}/migrate"), to_b()).await;

        let task = migrate(&near, "/plugins/kimchi/vms/g1/migrate", to_b()).await;
        let ended = near.end(task["id"].as_str().unwrap()).await;
        assert_eq!((&ended["status"], &ended["source"]), (&json!("completed"), &json!("a")), "{ended}");
        refused(&asked("g1").await, 500, "KCHVM0055E");

        // What is out of reach is as good as not there.
        let far = refused(&asked("far").await, 404, "KCHVM0002E");
        assert_eq!(far.replace("far", "nobody"), refused(&asked("nobody").await, 404, "KCHVM0002E"));
        assert!(!far.contains("kvm9") && !far.contains("`from`"), "{far}");

        // A definition that was left behind is no guest that could be moved.
        let keep = json!({"domain": "kept", "to": "kvm9", "options": {"source_definition": "keep"}});
        let kept = anna.post("/tasks", keep).await.expect(202)["id"].as_str().unwrap().to_owned();
        assert_eq!(anna.end(&kept).await["status"], "completed");
        let reason = refused(&asked("kept").await, 409, "KCHVM0058E");
        assert!(reason.contains("runs on another host") && !reason.contains("kvm9"), "{reason}");

        // One that is shut off may run where nobody answers; one that runs does not.
        site.world.strike(&What::Unreachable(Who::Host("kvm9".into()), Lasting::Forever));
        let reason = refused(&asked("off").await, 409, "KCHVM0058E");
        assert!(reason.contains("may be running on a host that does not answer"), "{reason}");
        let back = migrate(&near, "/vms/g1/migrate", json!({"remote_host": "a"})).await;
        assert_eq!(near.end(back["id"].as_str().unwrap()).await["status"], "completed");
        site.world.mend(&"kvm9".into());
        let off = migrate(&near, "/vms/off/migrate", to_b()).await;
        assert_eq!(near.end(off["id"].as_str().unwrap()).await["status"], "completed");

        // A host in reach that does not answer is said to be the reason.
        site.world.strike(&What::Unreachable(Who::Host("a".into()), Lasting::Forever));
        let reason = refused(&asked("nobody").await, 502, "KCHVM0058E");
        assert!(reason.contains(" on a"), "{reason}");
    });
}
