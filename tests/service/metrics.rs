//! The figures: each is what the journals, the queue and the hosts say, and none counts anything twice.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use waypost::{DomainKey, HostName, MigrationRequest, Options};
use waypost_sim::{Scripted, Step, What, Who};

use super::support::command;
use super::support::exposition::{Exposition, Format};
use super::support::{Client, Program, SLOW, Site, TWO_HOSTS, in_virtual_time};

const OPEN: &str = "application/openmetrics-text; version=1.0.0; q=0.7, text/plain; version=0.0.4; q=0.3";

async fn text(client: &Client, accept: &str) -> (String, String) {
    let request = Request::get("/metrics").header("accept", accept).body(Body::empty()).unwrap();
    let response = client.raw(request).await;
    assert_eq!(response.status(), 200);
    let kind = response.headers()["content-type"].to_str().unwrap().to_owned();
    let bytes = response.into_body().collect().await.unwrap().to_bytes();
    (kind, String::from_utf8(bytes.to_vec()).unwrap())
}

async fn figures(client: &Client) -> Exposition {
    Exposition::parse(&text(client, OPEN).await.1, Format::OpenMetrics)
}

/// What the figures must say of tasks that are over, worked out from what else the service tells of them.
async fn expected(client: &Client) -> (BTreeMap<String, f64>, f64, Vec<f64>) {
    let (mut outcomes, mut bytes, mut downtimes) = (BTreeMap::new(), 0.0, Vec::new());
    for task in client.get("/tasks").await.expect(200)["tasks"].as_array().unwrap() {
        let id = task["id"].as_str().unwrap();
        *outcomes.entry(task["outcome"].as_str().unwrap().to_owned()).or_default() += 1.0;
        let mut most: BTreeMap<u64, f64> = BTreeMap::new();
        let samples = client.get(&format!("/tasks/{id}/samples")).await.expect(200).clone();
        for past in samples["samples"].as_array().unwrap() {
            let moved = most.entry(past["attempt"].as_u64().unwrap()).or_default();
            *moved = moved.max(past["sample"]["processed_bytes"].as_f64().unwrap());
        }
        bytes += most.values().sum::<f64>();
        let status = client.get(&format!("/tasks/{id}")).await.expect(200).clone();
        if status["sample"]["stage"] == "final" {
            downtimes.push(status["sample"]["downtime_ms"].as_f64().unwrap() / 1000.0);
        }
    }
    (outcomes, bytes, downtimes)
}

#[test]
fn ends_bytes_and_downtimes_are_those_on_record() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        for (domain, to) in [("g1", "b"), ("g2", "b"), ("off", "b"), ("nobody", "b")] {
            let id = anna.migrate(domain, to).await;
            anna.end(&id).await;
        }
        site.world.script([Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)).permille(500)]);
        let failed = anna.migrate("g1", "a").await;
        let ended = anna.end(&failed).await;
        let records = anna.get(&format!("/tasks/{failed}/records")).await.expect(200).clone();
        let returned =
            records["journal"].as_array().unwrap().iter().find(|r| r["record"] == "perform-returned").unwrap();
        let class = returned["details"]["class"].as_str().unwrap();

        let (outcomes, bytes, downtimes) = expected(&anna).await;
        let now = figures(&anna).await;
        assert_eq!(outcomes["completed"], 3.0, "{outcomes:?}");
        for (outcome, count) in &outcomes {
            let total: f64 = now.families["waypost_migrations_ended"]
                .samples
                .iter()
                .filter(|(_, labels, _)| labels["outcome"] == *outcome)
                .map(|(.., value)| value)
                .sum();
            assert_eq!(total, *count, "{outcome}");
            assert_eq!(now.value("waypost_tasks", &[("state", outcome)]), *count);
            assert_eq!(now.value("waypost_migration_duration_seconds_count", &[("outcome", outcome)]), *count);
        }
        let failure = [("outcome", ended["status"].as_str().unwrap()), ("failure", class)];
        assert_eq!(now.value("waypost_migrations_ended_total", &failure), 1.0);
        assert_eq!(now.value("waypost_migrations_ended_total", &[("outcome", "completed"), ("failure", "none")]), 3.0);
        assert_eq!(now.value("waypost_migration_attempts_failed_total", &[("failure", class)]), 1.0);
        assert_eq!(now.sum("waypost_migration_attempts_failed_total"), 1.0);
        assert_eq!(now.value("waypost_tasks_accepted_total", &[]), 5.0);
        assert_eq!(now.value("waypost_transferred_bytes_total", &[]), bytes);
        assert_eq!(downtimes.len(), 2, "of the definition that travelled alone there is none");
        assert_eq!(now.value("waypost_migration_downtime_seconds_count", &[]), 2.0);
        let sum = now.value("waypost_migration_downtime_seconds_sum", &[]);
        assert!((sum - downtimes.iter().sum::<f64>()).abs() < 1e-9, "{sum} {downtimes:?}");
        assert_eq!(now.value("waypost_records_total", &[]), written(&site));

        // Asked again, nothing counts again.
        let again = figures(&anna).await;
        for name in ["waypost_migrations_ended_total", "waypost_transferred_bytes_total", "waypost_records_total"] {
            assert_eq!(again.sum(name), now.sum(name), "{name}");
        }
    });
}

fn written(site: &Site) -> f64 {
    use waypost::core::feed::Feed as _;
    site.store().changes(None, 0, 100_000).unwrap().len() as f64
}

#[test]
fn an_end_counts_once_whoever_drove_the_task_to_it() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 20.0).await;
        let before = figures(&anna).await;
        let moved = before.value("waypost_transferred_bytes_total", &[]);
        assert!(moved > 0.0 && before.sum("waypost_migrations_ended_total") == 0.0);
        service.drain(Duration::from_secs(30)).await;

        // Two services over one store: one adopts it, both tell the same of its end.
        let ((_one, anna), (_two, bert)) = (site.serve(), site.serve());
        let at_start = figures(&anna).await;
        anna.end(&id).await;
        for client in [&anna, &bert] {
            let after = figures(client).await;
            let completed = [("outcome", "completed"), ("failure", "none")];
            assert_eq!(after.value("waypost_migrations_ended_total", &completed), 1.0);
            assert_eq!(after.value("waypost_migration_duration_seconds_count", &[("outcome", "completed")]), 1.0);
            assert_eq!(after.value("waypost_migration_downtime_seconds_count", &[]), 1.0);
            assert_eq!(after.value("waypost_tasks_adopted_total", &[]), 1.0);
            assert_eq!(after.value("waypost_tasks_accepted_total", &[]), 0.0, "by the service before");
            // What was moved before a service began is not its own.
            let all = anna.get(&format!("/tasks/{id}")).await.body["sample"]["processed_bytes"].as_f64().unwrap();
            let own = after.value("waypost_transferred_bytes_total", &[]);
            assert!(own > 0.0 && own <= all - moved, "{own} of {all}, {moved} before");
            // From the request on, also where another service took it.
            let took = after.value("waypost_migration_duration_seconds_sum", &[("outcome", "completed")]);
            assert!(took > 300.0, "{took}");
        }
        assert_eq!(at_start.sum("waypost_migrations_ended_total"), 0.0);

        // And one that a command drives beside them.
        let request = MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: HostName::new("a"),
            options: Options::default(),
            requester: "command".into(),
        };
        site.engine().accept(request).unwrap().drive().await.unwrap();
        let after = figures(&anna).await;
        let completed = [("outcome", "completed"), ("failure", "none")];
        assert_eq!(after.value("waypost_migrations_ended_total", &completed), 2.0);
        assert_eq!(after.value("waypost_tasks_accepted_total", &[]), 1.0);
    });
}

#[test]
fn what_runs_and_waits_is_shown_while_it_does_and_goes_with_it() {
    in_virtual_time(async {
        let mut fleet = SLOW.to_owned();
        for n in 2..=4 {
            fleet.push_str(&format!("[[domain]]\nname = \"g{n}\"\nhost = \"a\"\nmemory_mib = 1024\n"));
        }
        let site = Site::new(&fleet);
        let (_service, anna) = site.serve();
        let mut ids = Vec::new();
        for n in 1..=4 {
            ids.push(anna.migrate(&format!("g{n}"), "b").await);
        }
        anna.until(&ids[3], |status| status["status"] == "queued").await;
        let status = anna.until(&ids[0], |status| status["progress"].as_f64().unwrap() > 10.0).await;
        let _stream = anna.listen("/events", None).await;
        let now = figures(&anna).await;
        let host = |host, direction, state| {
            now.value("waypost_host_migrations", &[("host", host), ("direction", direction), ("state", state)])
        };
        assert_eq!((host("a", "out", "running"), host("a", "out", "queued")), (2.0, 2.0));
        assert_eq!((host("b", "in", "running"), host("b", "in", "queued")), (2.0, 2.0));
        assert_eq!((host("a", "in", "running"), host("b", "out", "queued")), (0.0, 0.0));
        assert_eq!(now.value("waypost_transfers_running", &[]), 2.0);
        assert_eq!(now.value("waypost_tasks", &[("state", "performing")]), 2.0);
        assert_eq!(now.value("waypost_tasks_driven", &[]), 4.0);
        assert_eq!(now.value("waypost_host_connected", &[("host", "a")]), 1.0);
        assert_eq!(now.value("waypost_event_listeners", &[("kind", "stream")]), 1.0);
        let of = [("task", &*ids[0]), ("domain", "g1"), ("source", "a"), ("destination", "b")];
        let sample = &status["sample"];
        assert_eq!(now.value("waypost_transfer_remaining_bytes", &of), sample["remaining_bytes"].as_f64().unwrap());
        let rate = now.value("waypost_transfer_throughput_bytes_per_second", &of);
        assert_eq!(rate, sample["bytes_per_s"].as_f64().unwrap());
        let dirty = now.value("waypost_transfer_dirty_bytes_per_second", &of);
        assert_eq!(dirty, sample["dirty_bytes_per_s"].as_f64().unwrap());
        // The percentage is whole in thousandths.
        let permille = (status["progress"].as_f64().unwrap() * 10.0).round();
        assert_eq!(now.value("waypost_transfer_progress_ratio", &of), permille / 1000.0);

        for id in &ids {
            anna.end(id).await;
        }
        let after = figures(&anna).await;
        assert_eq!(after.value("waypost_transfers_running", &[]), 0.0);
        assert!(!after.families.contains_key("waypost_transfer_remaining_bytes"), "it went with the transfers");
        assert_eq!(after.sum("waypost_host_migrations"), 0.0);
        assert_eq!(after.value("waypost_tasks", &[("state", "completed")]), 4.0);
    });
}

#[test]
fn a_host_that_can_not_be_reached_is_shown_as_such() {
    in_virtual_time(async {
        let site = Site::new("[[host]]\nname = \"a\"\n[[host]]\nname = \"b\"\nreachable = false\n");
        let (_service, anna) = site.serve();
        let now = figures(&anna).await;
        assert_eq!(now.value("waypost_host_connected", &[("host", "a")]), 1.0);
        assert_eq!(now.value("waypost_host_connected", &[("host", "b")]), 0.0);
    });
}

#[test]
fn requests_are_counted_by_route_and_a_path_is_never_a_label() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let none = "00000000-0000-7000-8000-000000000000";
        anna.get("/hosts").await.expect(200);
        anna.get(&format!("/tasks/{none}")).await.problem(404, "no-such-task");
        anna.get("/tasks/not-even-an-id").await.problem(404, "no-such-task");
        anna.get("/a-path-of-somebody-else").await.problem(404, "no-such-route");
        anna.post("/hosts", json!({})).await.problem(405, "wrong-method");
        anna.named(None).get("/hosts").await.problem(401, "no-caller");
        let brew = Request::builder().method("BREW").uri("/api/v1/hosts").body(Body::empty()).unwrap();
        anna.send(brew).await.problem(405, "wrong-method");
        let (_, text) = text(&anna, OPEN).await;
        for raw in [none, "not-even-an-id", "somebody-else", "BREW"] {
            assert!(!text.contains(raw), "{raw}");
        }
        let now = Exposition::parse(&text, Format::OpenMetrics);
        let count = |method, route, status| {
            now.get("waypost_http_requests_total", &[("method", method), ("route", route), ("status", status)])
        };
        assert_eq!(count("GET", "/api/v1/hosts", "200"), Some(1.0));
        assert_eq!(count("GET", "/api/v1/hosts", "401"), Some(1.0), "a refusal at the gate counts too");
        assert_eq!(count("POST", "/api/v1/hosts", "405"), Some(1.0));
        assert_eq!(count("other", "/api/v1/hosts", "405"), Some(1.0));
        assert_eq!(count("GET", "/api/v1/tasks/{task}", "404"), Some(2.0));
        assert_eq!(count("GET", "unmatched", "404"), Some(1.0));
        assert_eq!(now.sum("waypost_http_requests_total"), 7.0, "this one is counted once it is answered");
        let times = [("method", "GET"), ("route", "/api/v1/tasks/{task}")];
        assert_eq!(now.value("waypost_http_request_duration_seconds_count", &times), 2.0);
        assert_eq!(now.value("waypost_http_requests_in_flight", &[]), 1.0, "this one");
    });
}

#[test]
fn both_forms_are_strictly_what_they_say_and_tell_the_same() {
    in_virtual_time(async {
        // What a name may hold must not break a line.
        let fleet = TWO_HOSTS.replace("name = \"g2\"", "name = 'g\"2\\ '");
        let site = Site::new(&fleet);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.end(&id).await;
        let id = anna.migrate("g\"2\\ ", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        let (kind, open) = text(&anna, OPEN).await;
        assert_eq!(kind, "application/openmetrics-text; version=1.0.0; charset=utf-8");
        let (kind, plain) = text(&anna, "*/*").await;
        assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
        let (open, plain) = (Exposition::parse(&open, Format::OpenMetrics), Exposition::parse(&plain, Format::Plain));
        let names = |all: &Exposition| -> BTreeSet<String> {
            all.families.values().flat_map(|family| &family.samples).map(|(name, ..)| name.clone()).collect()
        };
        assert_eq!(names(&open), names(&plain));
        let progress = &open.families["waypost_transfer_progress_ratio"].samples;
        assert_eq!(progress[0].1["domain"], "g\"2\\ ");
        assert!(open.value("waypost_build_info", &[("version", env!("CARGO_PKG_VERSION")), ("api", "v1")]) == 1.0);
        assert_eq!(open.families["waypost_migration_downtime_seconds"].unit.as_deref(), Some("seconds"));
        anna.end(&id).await;
    });
}

/// The families that the page about the service lists, with their labels.
fn documented() -> BTreeMap<String, BTreeSet<String>> {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/service.md")).unwrap();
    let section = page.split("\n## Metrics\n").nth(1).expect("a section about metrics").split("\n## ").next().unwrap();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| `waypost_"));
    rows.map(|row| {
        let (name, rest) = row.split_once('`').unwrap();
        let labels = rest.split('|').nth(1).unwrap();
        let labels = labels.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        (format!("waypost_{name}"), labels)
    })
    .collect()
}

/// The families of these figures by the names that a query uses, with their labels.
fn exported(figures: &[Exposition]) -> BTreeMap<String, BTreeSet<String>> {
    let mut all: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, family) in figures.iter().flat_map(|figures| &figures.families) {
        let name = match family.kind.as_str() {
            "counter" => format!("{name}_total"),
            "info" => format!("{name}_info"),
            _ => name.clone(),
        };
        let labels = family.samples.iter().flat_map(|(_, labels, _)| labels.keys()).filter(|key| *key != "le");
        all.entry(name).or_default().extend(labels.cloned());
    }
    all
}

/// Figures with every family there is: of the simulated site while something runs, and of the program with real policies.
fn every_family() -> BTreeMap<String, BTreeSet<String>> {
    let running = in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 1.0).await;
        anna.post(&format!("/tasks/{id}/cancel"), Value::Null).await.expect(202);
        let running = figures(&anna).await;
        anna.end(&id).await;
        [running, figures(&anna).await]
    });
    // A policy that is there and can't be loaded.
    let site = command::Site::with(TWO_HOSTS, "[plugins]\nfolders = [\"plugins\"]\n");
    site.write("plugins/broken.wasm", "this is none");
    let program = Program::start(&site);
    program.ask("POST", "/checks", &json!({"domain": "g1"}));
    let policies = Exposition::parse(&program.text("/metrics", OPEN), Format::OpenMetrics);
    program.end("TERM");
    let [one, two] = running;
    exported(&[one, two, policies])
}

#[test]
fn the_page_lists_every_family_with_its_labels_and_no_other() {
    assert_eq!(documented(), every_family());
}

#[test]
fn the_dashboard_asks_for_all_that_is_there_and_for_nothing_else() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/grafana/waypost.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut expressions = Vec::new();
    collect(&dashboard, &mut expressions);
    assert!(expressions.len() > 15, "{expressions:?}");
    let exported = every_family();
    let mut used = BTreeSet::new();
    for expression in &expressions {
        used.extend(check_expression(expression, &exported));
    }
    let unseen: Vec<_> = exported.keys().filter(|family| !used.contains(*family)).collect();
    assert!(unseen.is_empty(), "no panel shows {unseen:?}");
    let panels = dashboard["panels"].as_array().unwrap();
    let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
    assert_eq!(ids.len(), panels.len(), "each has an id of its own");
    for (nth, one) in panels.iter().enumerate() {
        for other in &panels[nth + 1..] {
            assert!(!overlap(one, other), "{} lies over {}", one["title"], other["title"]);
        }
    }
    read_by_promtool(&expressions);
    // A panel knows its data source by the variable alone, so that the file fits every Grafana.
    let variables = dashboard["templating"]["list"].as_array().unwrap();
    assert!(variables.iter().any(|variable| variable["type"] == "datasource" && variable["name"] == "datasource"));
    let text = dashboard.to_string();
    assert_eq!(text.matches("\"uid\":").count(), text.matches("\"uid\":\"${datasource}\"").count() + 1, "its own uid");
}

/// Whether two panels share a cell of the grid.
fn overlap(one: &Value, other: &Value) -> bool {
    let of = |panel: &Value, key: &str| panel["gridPos"][key].as_u64().expect("a place in the grid");
    let begins = |one, other, from: &str, size: &str| of(one, from) < of(other, from) + of(other, size);
    let meet = |from, size| begins(one, other, from, size) && begins(other, one, from, size);
    meet("x", "w") && meet("y", "h")
}

/// Has Prometheus' own tool read the queries as rules, where it is installed; elsewhere their words are all that is known of them.
fn read_by_promtool(expressions: &[String]) {
    if Command::new("promtool").arg("--version").output().is_err() {
        // Past the test's own output, which nobody sees of one that passes.
        writeln!(std::io::stderr(), "not proven here: that Prometheus reads the dashboard's queries (no promtool)")
            .expect("standard error takes it");
        return;
    }
    // What Grafana puts in. A variable of a dashboard's own is asked for in a language of Grafana's.
    let queries = expressions.iter().filter(|expression| !expression.starts_with("label_values("));
    let rules: Vec<Value> = queries
        .enumerate()
        .map(|(number, query)| {
            let query = query.replace("$__rate_interval", "5m").replace("$__range", "1h").replace("$__interval", "1m");
            json!({"record": format!("waypost:query:{number}"), "expr": query})
        })
        .collect();
    assert!(rules.len() > 15, "{rules:?}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.json");
    // JSON is YAML.
    std::fs::write(&file, json!({"groups": [{"name": "dashboard", "rules": rules}]}).to_string()).unwrap();
    let output = Command::new("promtool").args(["check", "rules"]).arg(&file).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

/// Every expression of a document: of panels, and of variables.
fn collect(value: &Value, expressions: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "expr" || (key == "query" && text.contains("waypost_")) => {
                        expressions.push(text.clone());
                    }
                    value => collect(value, expressions),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, expressions)),
        _ => {}
    }
}

/// Reads the words of a query: each is a family, a label, or of the language. Answers the families.
fn check_expression(expression: &str, exported: &BTreeMap<String, BTreeSet<String>>) -> BTreeSet<String> {
    const LANGUAGE: [&str; 16] = [
        "sum",
        "rate",
        "increase",
        "histogram_quantile",
        "by",
        "max",
        "min",
        "on",
        "ignoring",
        "group_left",
        "or",
        "and",
        "label_values",
        "le",
        "time",
        "unless",
    ];
    let mut families = BTreeSet::new();
    let mut labels = BTreeSet::new();
    // What stands in quotes and in brackets of a range is no name.
    let quoted = expression.split('"').step_by(2).collect::<Vec<_>>().join("\"\"");
    let ranges = quoted.split('[').map(|part| part.split_once(']').map_or(part, |(_, rest)| rest)).collect::<String>();
    for word in ranges.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_')) {
        if word.is_empty() || word.starts_with(|c: char| c.is_ascii_digit()) || LANGUAGE.contains(&word) {
            continue;
        }
        if !word.starts_with("waypost_") {
            labels.insert(word.to_owned());
            continue;
        }
        let of_histogram = ["_bucket", "_sum", "_count"].iter().find_map(|suffix| word.strip_suffix(suffix));
        let family = of_histogram.filter(|name| exported.contains_key(*name)).unwrap_or(word);
        assert!(exported.contains_key(family), "{word} of {expression} is nothing that the service tells");
        families.insert(family.to_owned());
    }
    assert!(!families.is_empty(), "{expression} asks for nothing");
    let known: BTreeSet<&String> = families.iter().flat_map(|family| &exported[family]).collect();
    for label in &labels {
        // What Prometheus itself adds to every figure.
        assert!(known.contains(label) || ["instance", "job"].contains(&label.as_str()), "{label} in {expression}");
    }
    families
}

#[test]
fn calls_of_policies_are_those_that_the_decision_records_tell_and_checks_besides() {
    let site = command::Site::new(TWO_HOSTS);
    let program = Program::start(&site);
    let id = program.migrate("g1", "b");
    program.until(&id, |status| status["phase"] == "ended");
    let figures = || Exposition::parse(&program.text("/metrics", "text/plain"), Format::Plain);
    let now = figures();
    let of = [("plugin", "precheck-cpu"), ("hook", "precheck")];
    let page = program.get("/decisions?plugin=precheck-cpu&hook=precheck");
    let records = page["decisions"].as_array().unwrap();
    assert_eq!(records.len(), 1, "{page}");
    assert_eq!(now.value("waypost_plugin_calls_total", &of), 1.0);
    let decision = &records[0]["decision"];
    assert_eq!(now.value("waypost_plugin_fuel_total", &of), decision["fuel"].as_f64().unwrap());
    let seconds = now.value("waypost_plugin_time_seconds_total", &of);
    assert!((seconds - decision["micros"].as_f64().unwrap() / 1e6).abs() < 1e-9);
    assert_eq!(now.sum("waypost_plugin_failures_total"), 0.0);
    let (status, _) = program.ask("POST", "/checks", &json!({"domain": "g1"}));
    assert_eq!(status, 200);
    assert_eq!(figures().value("waypost_plugin_calls_total", &of), 2.0);
    assert!(now.value("waypost_plugins", &[("state", "ready")]) > 10.0);
    program.end("TERM");
}
