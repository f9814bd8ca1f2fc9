//! What a person does about a task that ended stuck.

use serde_json::json;
use waypost_sim::{Scripted, Step, What};

use super::support::{Site, TWO_HOSTS, in_virtual_time};

#[test]
fn a_stuck_task_is_looked_at_and_brought_to_its_end_by_permitted_actions() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        // A failed migration that leaves a paused copy on the destination.
        site.world.script([Scripted::at(Step::Perform, What::LeftBehind)]);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let stuck = anna.end(&id).await;
        assert_eq!(stuck["status"], "stuck", "{stuck}");
        let retry = anna.post(&format!("/tasks/{id}/retry"), serde_json::Value::Null).await;
        retry.problem(409, "task-not-over");

        let situation = anna.get(&format!("/tasks/{id}/situation")).await.expect(200).clone();
        assert_eq!(situation["destination"]["domain"], "present", "{situation}");
        let permitted = situation["permitted"].as_array().unwrap();
        assert!(permitted.contains(&json!("destroy-destination")), "{situation}");
        assert!(!permitted.contains(&json!("destroy-source")), "{situation}");

        let act = format!("/tasks/{id}/actions");
        let refused = anna.post(&act, json!({"action": "destroy-source"})).await;
        let problem = refused.problem(409, "not-permitted");
        assert!(problem["detail"].as_str().unwrap().contains("permitted: "), "{problem}");
        assert_eq!(situation["networks"], json!([]), "no post-copy to be resumed");
        let refused = anna.post(&act, json!({"action": "destroy-destination", "network": "mig"})).await;
        let problem = refused.problem(422, "request-refused");
        assert!(problem["detail"].as_str().unwrap().ends_with("only resume-post-copy takes one"), "{problem}");
        anna.post(&act, json!({"action": "destroy-destination"})).await.expect(202);
        // From there the recovery policy goes on.
        let ended = anna.until(&id, |status| status["status"] == "rolled-back").await;
        assert!(ended["message"].as_str().unwrap().contains("g1 is running on a"), "{ended}");
        let records = anna.get(&format!("/tasks/{id}/records")).await;
        let journal = records.body["journal"].as_array().unwrap();
        let reopened = journal.iter().find(|entry| entry["record"] == "reopened").unwrap();
        assert_eq!(reopened["details"]["by"], "anna");
        assert_eq!(site.world.violations(), []);
    });
}
