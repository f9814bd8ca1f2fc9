//! Every route of the description, asked so that it succeeds.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::support::{Client, SLOW, Site, TWO_HOSTS, in_virtual_time};

/// Asks routes, and remembers by the description which they were.
struct Asked {
    client: Client,
    seen: BTreeSet<String>,
}

impl Asked {
    async fn get(&mut self, operation: &str, path: &str) -> Value {
        self.seen.insert(operation.to_owned());
        self.client.get(path).await.expect(200).clone()
    }

    async fn post(&mut self, operation: &str, status: u16, path: &str, body: Value) -> Value {
        self.seen.insert(operation.to_owned());
        self.client.post(path, body).await.expect(status).clone()
    }
}

fn operations() -> BTreeSet<String> {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    let mut found = BTreeSet::new();
    for path in document["paths"].as_object().unwrap().values() {
        for operation in path.as_object().unwrap().values() {
            let id = operation["operationId"].as_str().unwrap();
            assert!(found.insert(id.to_owned()), "{id} twice");
        }
    }
    found
}

#[test]
fn every_route_succeeds() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, client) = site.serve();
        let mut asked = Asked { client: client.clone(), seen: BTreeSet::new() };
        assert_eq!(asked.get("version", "/system/version").await["api"], "v1");
        let described = asked.get("openapi", "/openapi.json").await;
        assert_eq!(described, serde_json::to_value(waypost::service::openapi()).unwrap());
        assert_eq!(asked.get("health", "/system/health").await["ok"], true);
        assert_eq!(asked.get("ready", "/system/ready").await["problems"], json!([]));
        assert_eq!(asked.get("plugins", "/plugins").await["folders"][0], "plugins");
        assert_eq!(asked.get("hosts", "/hosts").await["hosts"][1]["name"], "b");
        assert_eq!(asked.get("host", "/hosts/a").await["active_domains"], 2);
        assert_eq!(asked.get("hostFacts", "/hosts/a/facts").await["name"], "a");
        assert_eq!(asked.get("domainsOfHost", "/hosts/a/domains").await["domains"][0]["name"], "g1");
        assert_eq!(asked.get("domainFacts", "/hosts/a/domains/g1/facts").await["name"], "g1");
        assert_eq!(asked.get("domains", "/domains").await["domains"].as_array().unwrap().len(), 3);
        assert_eq!(asked.get("queue", "/queue").await["outgoing_per_host"], 2);
        let readiness = asked.get("readiness", "/readiness").await;
        assert_eq!(readiness["rows"][0]["verdicts"][0]["decision"], "allowed", "{readiness}");

        let check = asked.post("check", 200, "/checks", json!({"domain": "g1"})).await;
        assert_eq!(check["verdicts"][0]["plan"]["domain"], "g1", "{check}");
        let new = json!({"domain": "g1", "from": "a", "to": "b", "options": {"bandwidth_mib_s": 100}});
        let dry_run = asked.post("dryRun", 200, "/dry-runs", new.clone()).await;
        assert_eq!(dry_run["plan"]["bandwidth_mib_s"], 100);
        assert_eq!(dry_run["choices"][0]["choice"], "move");
        assert!(site.store_is_empty(), "nothing was touched");

        let id = asked.post("createTask", 202, "/tasks", new).await["id"].as_str().unwrap().to_owned();
        client.end(&id).await;
        assert_eq!(asked.get("getTask", &format!("/tasks/{id}")).await["status"], "completed");
        assert_eq!(asked.get("listTasks", "/tasks").await["tasks"][0]["id"], *id);
        assert_eq!(asked.get("top", "/top").await["finished"][0]["task"], *id);
        assert_eq!(asked.get("taskRecords", &format!("/tasks/{id}/records")).await["id"], *id);
        assert_eq!(asked.get("taskSamples", &format!("/tasks/{id}/samples")).await["task"], *id);
        assert_eq!(asked.get("decisions", "/decisions").await["decisions"][0]["task"], *id);
        assert_eq!(asked.get("taskSituation", &format!("/tasks/{id}/situation")).await["task"], *id);
        let mut stream = client.listen("/events?after=0", None).await;
        assert_eq!(stream.record().await.unwrap().id, Some(1));
        let mut stream = client.listen(&format!("/tasks/{id}/events"), None).await;
        assert_eq!(stream.record().await.unwrap().data["task"], *id);
        asked.seen.extend(["events".to_owned(), "taskEvents".to_owned()]);
        assert_eq!(asked.get("changes", "/changes?after=0").await["records"][0]["task"], *id);
        assert_eq!(asked.get("whoAmI", "/session").await["role"], "admin");
        assert_eq!(asked.get("audit", "/audit").await["entries"][0]["who"], "anna");
        asked.seen.extend(["beginSession", "endSession"].map(str::to_owned));
        // Each in a test of its own.
        asked.seen.extend(["cancelTask", "retryTask", "steerTask", "actOnTask"].map(str::to_owned));
        let of_policies = ["plugin", "putPlugin", "deletePlugin", "enablePlugin", "disablePlugin", "pluginSettings"];
        asked.seen.extend(of_policies.map(str::to_owned));
        let of_settings = ["putPluginSettings", "patchPluginSettings", "forgetPluginSettings"];
        asked.seen.extend(of_settings.map(str::to_owned));
        assert_eq!(asked.seen, operations());
    });
}

#[test]
fn the_queue_tells_who_holds_a_slot_and_who_waits_for_what() {
    in_virtual_time(async {
        let mut fleet = SLOW.to_owned();
        for n in 2..=4 {
            fleet.push_str(&format!("[[domain]]\nname = \"g{n}\"\nhost = \"a\"\nmemory_mib = 4096\n"));
        }
        let site = Site::new(&fleet);
        let (_service, anna) = site.serve();
        let mut ids = Vec::new();
        for n in 1..=4 {
            ids.push(anna.migrate(&format!("g{n}"), "b").await);
            if n <= 2 {
                anna.until(&ids[n - 1], |status| status["phase"] == "performing").await;
            }
        }
        let waiting = anna.until(&ids[3], |status| status["status"] == "queued").await;
        assert!(waiting["message"].as_str().unwrap().starts_with("waiting for a slot: "), "{waiting}");
        let queue = anna.get("/queue").await.expect(200).clone();
        let entries = queue["entries"].as_array().unwrap();
        let told: Vec<_> = entries.iter().map(|e| (e["holds"].as_bool().unwrap(), e["waits"].is_string())).collect();
        assert_eq!(told, [(true, false), (true, false), (false, true), (false, true)], "{queue}");
        assert!(entries[2]["waits"].as_str().unwrap().contains("1st"), "{queue}");
        let listed = anna.get("/tasks?state=unfinished").await.expect(200).clone();
        let places = ids.iter().map(|id| {
            let tasks = listed["tasks"].as_array().unwrap();
            let task = tasks.iter().find(|task| task["id"] == **id).unwrap();
            (task["status"].as_str().unwrap(), task["place"].as_u64())
        });
        let expected = [("running", None), ("running", None), ("queued", Some(1)), ("queued", Some(2))];
        assert_eq!(places.collect::<Vec<_>>(), expected, "{listed}");
    });
}

/// A check that no plan can be made of says so, here as in the command.
#[test]
fn a_dry_run_that_comes_to_no_plan_says_why() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let live = json!({"domain": "off", "to": "b", "options": {"mode": "live"}});
        let answer = anna.post("/dry-runs", live).await.expect(200).clone();
        assert_eq!((&answer["plan"], &answer["choices"]), (&Value::Null, &json!([])), "{answer}");
        assert!(answer["plan_error"].is_string(), "{answer}");
    });
}
