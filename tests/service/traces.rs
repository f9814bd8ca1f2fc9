//! Traces, as a collector on this machine is sent them: the tree is the one that the journal tells, once, whatever happens to the
//! service or the collector meanwhile.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use waypost::service::{Service, Traces};
use waypost_sim::{Scripted, Step, What, Who};

use super::support::command;
use super::support::exposition::{Exposition, Format};
use super::support::{Client, Collector, Program, SOCKET, Site, TriesAgain};

/// Small guests, which are moved within a moment of real time: a collector is on the network, where time is real.
const SMALL: &str = r#"
[[host]]
name = "a"
[[host]]
name = "b"
[[domain]]
name = "g1"
host = "a"
memory_mib = 16
[[domain]]
name = "g2"
host = "a"
memory_mib = 16
"#;

fn in_real_time(play: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(play);
}

fn to(collector: &Collector) -> Traces {
    let endpoint = collector.endpoint();
    Traces { endpoint, headers_file: None, ca_file: None, service_name: "moves".into() }
}

fn traced(site: &Site, collector: &Collector) -> (Service, Client) {
    let service = site.service().with_traces(Some(&to(collector)));
    let client = Client::of(&service, "anna");
    (service, client)
}

/// A span as it was sent.
#[derive(Debug, Clone)]
struct Span {
    trace: String,
    id: String,
    parent: String,
    name: String,
    began: u64,
    ended: u64,
    status: u64,
    attributes: BTreeMap<String, String>,
    events: Vec<(String, BTreeMap<String, String>)>,
    /// Trace, span and state of each.
    links: Vec<[String; 3]>,
}

fn attributes(value: &Value) -> BTreeMap<String, String> {
    let pair = |pair: &Value| {
        let of = pair["value"].as_object().unwrap().values().next().unwrap();
        let text = of.as_str().map_or_else(|| of.to_string(), str::to_owned);
        (pair["key"].as_str().unwrap().to_owned(), text)
    };
    value.as_array().into_iter().flatten().map(pair).collect()
}

impl Span {
    fn of(span: &Value) -> Self {
        let text = |key: &str| span[key].as_str().unwrap_or_default().to_owned();
        let time = |key: &str| text(key).parse().unwrap();
        let event = |event: &Value| (event["name"].as_str().unwrap().to_owned(), attributes(&event["attributes"]));
        let link = |link: &Value| {
            ["traceId", "spanId", "traceState"].map(|key| link[key].as_str().unwrap_or_default().to_owned())
        };
        Self {
            trace: text("traceId"),
            id: text("spanId"),
            parent: text("parentSpanId"),
            name: text("name"),
            began: time("startTimeUnixNano"),
            ended: time("endTimeUnixNano"),
            status: span["status"]["code"].as_u64().unwrap_or_default(),
            attributes: attributes(&span["attributes"]),
            events: span["events"].as_array().into_iter().flatten().map(event).collect(),
            links: span["links"].as_array().into_iter().flatten().map(link).collect(),
        }
    }

    fn has_event(&self, name: &str) -> bool {
        self.events.iter().any(|(event, _)| event == name)
    }
}

const OK: u64 = 1;
const ERROR: u64 = 2;

/// All spans of a request, once what holds of every tree was seen to hold of it.
fn tree(body: &Value, task: &str) -> Vec<Span> {
    let [all] = &body["resourceSpans"].as_array().unwrap()[..] else { panic!("one resource: {body}") };
    assert_eq!(attributes(&all["resource"]["attributes"])["service.name"], "moves");
    let [scope] = &all["scopeSpans"].as_array().unwrap()[..] else { panic!("one scope: {body}") };
    let spans: Vec<Span> = scope["spans"].as_array().unwrap().iter().map(Span::of).collect();
    let by_id: BTreeMap<&str, &Span> = spans.iter().map(|span| (span.id.as_str(), span)).collect();
    assert_eq!(by_id.len(), spans.len(), "ids are unique");
    for (index, span) in spans.iter().enumerate() {
        assert_eq!(span.trace, task.replace('-', ""), "the trace is the task");
        assert_eq!(span.id.len(), 16);
        let above = match (index, span.name.as_str()) {
            (0, "migration") => continue,
            (_, "attempt") => "migration",
            _ => "attempt",
        };
        let parent = by_id[span.parent.as_str()];
        assert_eq!(parent.name, above, "{span:?}");
        assert!(parent.began <= span.began && span.began <= span.ended && span.ended <= parent.ended, "{span:?}");
    }
    spans
}

fn names<'s>(spans: &'s [Span], attempt: &Span) -> Vec<&'s str> {
    spans.iter().filter(|span| span.parent == attempt.id).map(|span| span.name.as_str()).collect()
}

async fn exports(client: &Client, result: &str) -> f64 {
    let request = Request::get("/metrics").body(Body::empty()).unwrap();
    let bytes = client.raw(request).await.into_body().collect().await.unwrap().to_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    Exposition::parse(&text, Format::Plain).value("waypost_trace_exports_total", &[("result", result)])
}

/// Waits until so many exports came to that: one is counted right after its answer.
async fn until_exports(client: &Client, result: &str, count: f64) {
    let counted = async {
        while exports(client, result).await < count {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), counted).await;
    assert!(waited.is_ok(), "after 60 s there are no {count} exports that were {result}");
}

#[test]
fn a_migration_is_a_tree_of_its_attempt_and_its_phases_sent_once() {
    in_real_time(async {
        let (site, collector) = (Site::new(SMALL), Collector::start());
        let (service, anna) = traced(&site, &collector);
        let id = anna.migrate("g1", "b").await;
        assert_eq!(anna.end(&id).await["status"], "completed");
        let sent = collector.next();
        assert!(sent.head.starts_with("post /v1/traces http/1.1\r\n"), "{}", sent.head);
        assert!(sent.head.contains("content-type: application/json\r\n"), "{}", sent.head);
        let spans = tree(&sent.body, &id);
        let root = &spans[0];
        assert_eq!((root.name.as_str(), root.parent.as_str(), root.status), ("migration", "", OK));
        for (key, value) in [
            ("waypost.task.id", id.as_str()),
            ("waypost.domain.name", "g1"),
            ("waypost.source.host", "a"),
            ("waypost.destination.host", "b"),
            ("waypost.outcome", "completed"),
            ("waypost.requester", "anna"),
            ("waypost.attempts", "1"),
        ] {
            assert_eq!(root.attributes[key], value, "{key}");
        }
        assert!(!root.attributes.contains_key("error.type"));
        let attempt = &spans[1];
        assert_eq!((attempt.name.as_str(), attempt.status), ("attempt", OK));
        let phases = names(&spans, attempt);
        assert_eq!((phases[0], *phases.last().unwrap()), ("accepted", "finishing"), "{phases:?}");
        assert!(phases.contains(&"performing") && !phases.contains(&"recovering"), "{phases:?}");
        let accepted = &spans[2];
        assert!(accepted.has_event("judged"), "{accepted:?}");
        let asked = accepted.events.iter().find(|(name, _)| name == "policy-decision").expect("a policy was asked");
        assert_eq!((asked.1["waypost.plugin"].as_str(), asked.1["waypost.hook"].as_str()), ("plain", "precheck"));

        // Another service over the same store begins after it.
        service.drain(Duration::from_secs(30)).await;
        let (service, anna) = traced(&site, &collector);
        let second = anna.migrate("g2", "b").await;
        anna.end(&second).await;
        assert_eq!(tree(&collector.next().body, &second)[0].attributes["waypost.domain.name"], "g2");
        until_exports(&anna, "sent", 1.0).await;
        service.drain(Duration::from_secs(30)).await;
        assert!(collector.is_quiet(), "each is sent once");
    });
}

#[test]
fn a_trace_has_a_link_to_the_request_that_asked_for_it_and_stays_its_own() {
    in_real_time(async {
        let (site, collector) = (Site::new(SMALL), Collector::start());
        let (_service, anna) = traced(&site, &collector);
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        let parent = format!("00-{trace}-{span}-01");
        let moved = async |domain: &str, to: &str, headers: &[(&str, &str)]| {
            let made = anna.post_with("/tasks", headers, json!({"domain": domain, "to": to})).await;
            let id = made.expect(202)["id"].as_str().unwrap().to_owned();
            assert_eq!(anna.end(&id).await["status"], "completed");
            tree(&collector.next().body, &id)
        };
        let spans = moved("g1", "b", &[("traceparent", parent.as_str()), ("tracestate", "rojo=1,congo=2")]).await;
        assert_eq!((spans[0].parent.as_str(), spans[0].trace != trace), ("", true));
        assert_eq!(spans[0].links, [[trace, span, "rojo=1,congo=2"].map(str::to_owned)]);
        assert!(spans[1..].iter().all(|span| span.links.is_empty()), "{spans:?}");
        // As if it were not there: nobody's migration fails for it, and nothing is made up.
        let (short, upper) = (&parent[..40], parent.to_uppercase());
        for headers in [&[][..], &[("traceparent", short)], &[("traceparent", upper.as_str()), ("tracestate", "a=b")]] {
            let to = if headers.len() == 1 { "a" } else { "b" };
            let domain = if headers.is_empty() { "g2" } else { "g1" };
            assert!(moved(domain, to, headers).await.iter().all(|span| span.links.is_empty()), "{headers:?}");
        }
    });
}

#[test]
fn what_failed_says_so_in_its_attempt_and_what_was_tried_again_is_whole() {
    in_real_time(async {
        let (site, collector) = (Site::new(SMALL).with_policies(TriesAgain), Collector::start());
        site.world.script([Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)).permille(500)]);
        let (_service, anna) = traced(&site, &collector);
        let id = anna.migrate("g1", "b").await;
        assert_eq!(anna.end(&id).await["status"], "completed");
        let spans = tree(&collector.next().body, &id);
        assert_eq!((spans[0].status, spans[0].attributes["waypost.attempts"].as_str()), (OK, "2"));
        let attempts: Vec<&Span> = spans.iter().filter(|span| span.name == "attempt").collect();
        let [first, second] = attempts[..] else { panic!("two attempts: {spans:?}") };
        assert_eq!((first.status, second.status), (ERROR, OK));
        assert_eq!((first.attributes["waypost.attempt"].as_str(), first.ended), ("1", second.began));
        let class = &first.attributes["error.type"];
        assert!(!class.is_empty() && !second.attributes.contains_key("error.type"), "{class}");
        let in_first = names(&spans, first);
        assert_eq!(in_first.last(), Some(&"recovering"), "{in_first:?}");
        let performing = spans.iter().find(|span| span.name == "performing").unwrap();
        assert_eq!((performing.status, &performing.attributes["error.type"]), (ERROR, class));
        let recovering = spans.iter().find(|span| span.name == "recovering").unwrap();
        for event in ["located", "policy-decision", "next-attempt"] {
            assert!(recovering.has_event(event), "{event}: {recovering:?}");
        }
        assert_eq!(names(&spans, second).last(), Some(&"finishing"));
    });
}

#[test]
fn what_was_given_up_is_an_error_of_the_whole() {
    in_real_time(async {
        let (site, collector) = (Site::new(SMALL), Collector::start());
        site.world.script([Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)).permille(500)]);
        let (_service, anna) = traced(&site, &collector);
        let id = anna.migrate("g1", "b").await;
        let ended = anna.end(&id).await;
        let root = &tree(&collector.next().body, &id)[0];
        assert_eq!(
            (root.status, &root.attributes["waypost.outcome"]),
            (ERROR, &ended["status"].as_str().unwrap().to_owned())
        );
        assert!(root.attributes.contains_key("error.type"), "{root:?}");
    });
}

#[test]
fn a_stuck_task_that_is_gone_on_with_has_a_tree_for_each_end_in_one_trace() {
    in_real_time(async {
        let (site, collector) = (Site::new(SMALL), Collector::start());
        site.world.script([Scripted::at(Step::Perform, What::LeftBehind)]);
        let (_service, anna) = traced(&site, &collector);
        let id = anna.migrate("g1", "b").await;
        assert_eq!(anna.end(&id).await["status"], "stuck");
        let first = tree(&collector.next().body, &id);
        assert_eq!((first[0].status, first[0].attributes["waypost.outcome"].as_str()), (ERROR, "stuck"));

        let action = json!({"action": "destroy-destination"});
        anna.post(&format!("/tasks/{id}/actions"), action).await.expect(202);
        anna.until(&id, |status| status["status"] == "rolled-back").await;
        let second = tree(&collector.next().body, &id);
        assert_eq!((&second[0].parent, second[0].trace.as_str()), (&first[0].id, first[0].trace.as_str()));
        assert_eq!(second[0].attributes["waypost.outcome"], "rolled-back");
        assert!(second[0].began >= first[0].ended, "each tells of its own time");
        assert_eq!(names(&second, &second[1]), ["recovering"]);
        for event in ["reopened", "action-intended", "action-done"] {
            assert!(second[2].has_event(event), "{event}: {second:?}");
        }
        assert!(second.iter().all(|span| first.iter().all(|other| other.id != span.id)), "no span comes twice");
    });
}

#[test]
fn a_collector_that_is_away_delays_nothing_and_is_sent_what_it_missed() {
    in_real_time(async {
        let site = Site::new(SMALL);
        // A port that is taken, and where nobody listens yet.
        let port = tokio::net::TcpSocket::new_v4().unwrap();
        port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let endpoint = format!("http://{}/v1/traces", port.local_addr().unwrap());
        let traces = Traces { endpoint, headers_file: None, ca_file: None, service_name: "moves".into() };
        let service = site.service().with_traces(Some(&traces));
        let anna = Client::of(&service, "anna");
        let id = anna.migrate("g1", "b").await;
        assert_eq!(anna.end(&id).await["status"], "completed");
        until_exports(&anna, "failed", 1.0).await;
        let listener = port.listen(64).unwrap().into_std().unwrap();
        listener.set_nonblocking(false).unwrap();
        let collector = Collector::on(listener);
        assert_eq!(tree(&collector.next().body, &id)[0].status, OK);
        until_exports(&anna, "sent", 1.0).await;

        // One that will never take it is not asked for ever.
        collector.status.store(400, Ordering::Release);
        let second = anna.migrate("g2", "b").await;
        anna.end(&second).await;
        tree(&collector.next().body, &second);
        until_exports(&anna, "refused", 1.0).await;
        collector.status.store(200, Ordering::Release);
        let third = anna.migrate("g1", "a").await;
        anna.end(&third).await;
        tree(&collector.next().body, &third);
        until_exports(&anna, "sent", 2.0).await;
    });
}

#[test]
fn the_program_sends_them_where_its_configuration_says_and_the_last_ones_before_it_ends() {
    let collector = Collector::start();
    let site = command::Site::with(
        SMALL,
        &format!(
            "[service.traces]\nendpoint = '{}'\nservice_name = 'moves'\nheaders_file = 'otlp'\n",
            collector.endpoint()
        ),
    );
    let wrong = site.document(1, &["serve", "--socket", SOCKET, "--check"]);
    assert!(wrong["problems"][0].as_str().unwrap().contains("the headers"), "{wrong}");
    site.write("otlp", "x-tenant: seven\n");
    std::fs::set_permissions(site.path("otlp"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    let program = Program::start(&site);
    let id = program.migrate("g1", "b");
    program.until(&id, |status| status["phase"] == "ended");
    // At once, so most often before the trace was sent.
    assert_eq!(program.end("TERM").code, 0);
    let sent = collector.next();
    assert!(sent.head.contains("x-tenant: seven\r\n"), "{}", sent.head);
    let spans = tree(&sent.body, &id);
    assert_eq!(spans[0].attributes["waypost.outcome"], "completed");
    assert!(spans.iter().any(|span| span.events.iter().any(|(_, of)| of.get("waypost.plugin").is_some())), "{spans:?}");
}
