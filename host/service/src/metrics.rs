//! Figures for whoever watches many services at once: `GET /metrics`, as Prometheus and OpenMetrics have it.
//!
//! Nothing here is a second truth. How tasks stand, what is queued and which transfers run is read from the store and the hosts
//! when somebody asks; what is counted - ends, failures, bytes - is counted by `tally` from the one order of all records, so
//! each counts once, whichever process wrote it; and what leaves no record is counted where it happens: requests in `http`,
//! calls of policies by whoever asks them ([`Site::plugin_calls`](crate::Site::plugin_calls)). Who is never asked pays nothing:
//! there is no thread behind this. Counters begin with the service, as Prometheus expects of a process.
//!
//! A label is only ever something of which there are few: words of this program, hosts of the configuration, policies in a
//! folder. The one exception are the gauges of running transfers, of which [`TRANSFERS`] are shown at most, and which go with
//! their transfer. `docs/service.md` lists them all, and a test compares.

mod exposition;
pub(crate) mod http;
mod tally;

use std::sync::atomic::AtomicU64;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use waypost_api::v1;
use waypost_core::feed::{Feed, Moving};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::{Connection, StoreFault};

use crate::problem::Failed;
use crate::service::{Service, Shared};
use crate::traces;
use exposition::Form;
use http::Http;
use tally::Tally;

/// Running transfers that are shown one by one, the oldest first; there are rarely more than a few per host.
const TRANSFERS: usize = 200;

/// Names and values.
pub(crate) type Labels = Vec<(&'static str, String)>;
pub(crate) type Counts = Family<Labels, Counter>;
type Wholes = Family<Labels, Gauge<u64, AtomicU64>>;
type Reals = Family<Labels, Gauge<f64, AtomicU64>>;

pub(crate) fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

/// What is counted from the start of a service on.
pub(crate) struct Metrics {
    started: SystemTime,
    pub(crate) http: Http,
    /// What came of traces.
    pub(crate) traced: Counts,
    tally: Tally,
}

impl Metrics {
    /// Begins to count.
    pub(crate) fn begin(feed: &dyn Feed) -> Self {
        let traced = Counts::default();
        for result in traces::RESULTS {
            drop(traced.get_or_create(&labels([("result", result)])));
        }
        Self { started: SystemTime::now(), http: Http::default(), traced, tally: Tally::begin(feed) }
    }

    /// Everything there is to tell right now. Reads the store.
    fn text(&self, service: &Service, form: Form) -> Result<String, Failed> {
        let mut registry = Registry::with_prefix("waypost");
        let shared = service.shared.as_ref();
        self.process(&mut registry, service);
        tasks(&mut registry, shared)?;
        self.tally.refresh(shared.parts.feed.as_ref(), shared.parts.store.as_ref())?;
        self.tally.register(&mut registry);
        transfers(&mut registry, &shared.parts.feed.moving()?);
        hosts(&mut registry, shared)?;
        plugins(&mut registry, shared);
        listeners(&mut registry, shared);
        self.http.register(&mut registry);
        let help = "Traces that were sent to the collector, that it refused, and tries that failed and are made again";
        registry.register("trace_exports", help, self.traced.clone());
        exposition::text(&registry, form)
    }

    fn process(&self, registry: &mut Registry, service: &Service) {
        let build = labels([("version", env!("CARGO_PKG_VERSION")), ("api", v1::VERSION)]);
        registry.register("build", "The program", Info::new(build));
        let started: Gauge<f64, AtomicU64> = Gauge::default();
        started.set(self.started.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64());
        let help = "When this service was started, since 1970";
        registry.register_with_unit("start_time", help, Unit::Seconds, started);
        let driven: Gauge<u64, AtomicU64> = Gauge::default();
        driven.set(service.driven() as u64);
        registry.register("tasks_driven", "Tasks that this service drives", driven);
    }
}

/// How all tasks on record stand.
fn tasks(registry: &mut Registry, shared: &Shared) -> Result<(), StoreFault> {
    let standings = shared.parts.feed.standings()?;
    let tasks = Wholes::default();
    let unfinished = Phase::ALL.iter().filter(|phase| **phase != Phase::Ended).map(|phase| phase.as_str());
    for state in unfinished.chain(OutcomeKind::ALL.iter().map(|kind| kind.as_str())) {
        tasks.get_or_create(&labels([("state", state)])).set(0);
    }
    let counted = standings.unfinished.iter().map(|(phase, count)| (phase.as_str(), *count));
    for (state, count) in counted.chain(standings.ended.iter().map(|(kind, count)| (kind.as_str(), *count))) {
        tasks.get_or_create(&labels([("state", state)])).set(count);
    }
    registry.register("tasks", "Tasks on record, by phase, and those that are over by outcome", tasks);
    Ok(())
}

/// The running transfers, one by one.
fn transfers(registry: &mut Registry, moving: &[Moving]) {
    let running: Gauge<u64, AtomicU64> = Gauge::default();
    running.set(moving.len() as u64);
    registry.register("transfers_running", "Unfinished tasks whose transfer was read in this attempt", running);
    let (progress, remaining) = (Reals::default(), Wholes::default());
    let (throughput, dirty) = (Wholes::default(), Wholes::default());
    for Moving { brief, reading, .. } in moving.iter().take(TRANSFERS) {
        let of = labels([
            ("task", &brief.id.to_string()),
            ("domain", &brief.domain_name),
            ("source", brief.source.as_ref().map_or("", |host| host.as_str())),
            ("destination", brief.destination.as_str()),
        ]);
        let sample = &reading.sample;
        progress.get_or_create(&of).set(f64::from(reading.permille) / 1000.0);
        remaining.get_or_create(&of).set(sample.remaining_bytes);
        // What the hypervisor doesn't report is left out, never zero.
        if let Some(rate) = sample.bytes_per_s {
            throughput.get_or_create(&of).set(rate);
        }
        if let Some(rate) = sample.dirty_bytes_per_s() {
            dirty.get_or_create(&of).set(rate);
        }
    }
    let per_second = || Unit::Other("bytes_per_second".to_owned());
    registry.register("transfer_progress_ratio", "Progress of a running task, 0 to 1", progress);
    registry.register_with_unit("transfer_remaining", "Bytes that are still to be moved", Unit::Bytes, remaining);
    registry.register_with_unit("transfer_throughput", "What the transfer moves", per_second(), throughput);
    registry.register_with_unit("transfer_dirty", "What the guest writes meanwhile", per_second(), dirty);
}

/// What runs and waits on each host, and whether it is connected.
fn hosts(registry: &mut Registry, shared: &Shared) -> Result<(), StoreFault> {
    let known = shared.parts.hypervisor.hosts();
    let (migrations, connected) = (Wholes::default(), Wholes::default());
    let of = |host: &str, direction, state| labels([("host", host), ("direction", direction), ("state", state)]);
    for host in &known {
        for direction in ["out", "in"] {
            for state in ["running", "queued"] {
                migrations.get_or_create(&of(host.as_str(), direction, state)).set(0);
            }
        }
        let up = match shared.parts.hypervisor.connection(host) {
            Connection::Up | Connection::Lent(_) => 1,
            Connection::Down => 0,
            Connection::Unknown => continue,
        };
        connected.get_or_create(&labels([("host", host.as_str())])).set(up);
    }
    for entry in shared.parts.store.queue()? {
        let state = if entry.holds { "running" } else { "queued" };
        for (host, direction) in [(&entry.wish.source, "out"), (&entry.wish.destination, "in")] {
            // A host that has left the configuration is nobody's to watch.
            if known.contains(host) {
                migrations.get_or_create(&of(host.as_str(), direction, state)).inc();
            }
        }
    }
    let help = "Migrations that hold a slot of a host, or wait for one; a definition that travels alone needs none";
    registry.register("host_migrations", help, migrations);
    let help = "Whether the connection to the host is open; nothing is said of a host that nobody asked yet";
    registry.register("host_connected", help, connected);
    Ok(())
}

/// The policies, and what their calls came to.
fn plugins(registry: &mut Registry, shared: &Shared) {
    let (calls, failures, fuel) = (Counts::default(), Counts::default(), Counts::default());
    let time: Family<Labels, Counter<f64, AtomicU64>> = Family::default();
    for made in shared.parts.site.plugin_calls() {
        let of = labels([("plugin", &made.plugin), ("hook", &made.hook)]);
        calls.get_or_create(&of).inc_by(made.calls);
        fuel.get_or_create(&of).inc_by(made.fuel);
        time.get_or_create(&of).inc_by(made.micros as f64 / 1e6);
        for (failure, count) in &made.failures {
            let of = labels([("plugin", &made.plugin), ("hook", &made.hook), ("failure", failure)]);
            failures.get_or_create(&of).inc_by(*count);
        }
    }
    registry.register("plugin_calls", "How often a policy was asked, checks included", calls);
    registry.register(
        "plugin_failures",
        "How often a policy gave no usable answer, by the code of the finding",
        failures,
    );
    registry.register_with_unit("plugin_time", "Time that policies took", Unit::Seconds, time);
    registry.register("plugin_fuel", "Fuel that policies used", fuel);
    let states = Wholes::default();
    for state in ["ready", "last-good", "broken", "settings-refused", "missing", "ignored"] {
        states.get_or_create(&labels([("state", state)])).set(0);
    }
    for plugin in shared.parts.site.plugins().plugins {
        states.get_or_create(&labels([("state", &plugin.state)])).inc();
    }
    registry.register("plugins", "Policies, by how they stand", states);
}

/// Who listens.
fn listeners(registry: &mut Registry, shared: &Shared) {
    let (streams, all) = shared.hub.counts();
    let listeners = Wholes::default();
    listeners.get_or_create(&labels([("kind", "stream")])).set(streams as u64);
    listeners.get_or_create(&labels([("kind", "poll")])).set(all.saturating_sub(streams) as u64);
    registry.register("event_listeners", "Clients that listen to events or wait for news", listeners);
}

/// The route. It is not part of the versioned API: its form is Prometheus's.
pub(crate) fn routes() -> Router<Service> {
    Router::new().route("/metrics", get(metrics))
}

async fn metrics(State(service): State<Service>, headers: HeaderMap) -> Result<Response, Failed> {
    let form = Form::wanted(headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok()));
    let text = service.blocking(move |service| service.shared.metrics.text(service, form)).await?;
    let mut response = text.into_response();
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form.content_type()));
    Ok(response)
}
