//! Requests, counted by route: the pattern of the path that was matched, never the path, which anybody may choose.

use std::sync::atomic::AtomicU64;

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::{Counts, Labels, labels};
use crate::rate::Whose;
use crate::service::Service;

/// Bounds of the durations, s: most answers take a millisecond, one that asks hosts takes seconds, a long poll a minute.
const SECONDS: [f64; 13] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0, 120.0];

fn durations() -> Histogram {
    Histogram::new(SECONDS)
}

/// What is counted of requests.
pub(crate) struct Http {
    requests: Counts,
    durations: Family<Labels, Histogram, fn() -> Histogram>,
    in_flight: Gauge<u64, AtomicU64>,
    limited: Counts,
}

impl Default for Http {
    fn default() -> Self {
        let limited = Counts::default();
        for word in Whose::WORDS {
            drop(limited.get_or_create(&labels([("caller", word)])));
        }
        Self {
            limited,
            requests: Counts::default(),
            durations: Family::new_with_constructor(durations as fn() -> Histogram),
            in_flight: Gauge::default(),
        }
    }
}

impl Http {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Requests that were answered";
        registry.register("http_requests", help, self.requests.clone());
        let help = "Time from the head of a request to the head of its answer; a stream goes on after it";
        registry.register_with_unit("http_request_duration", help, Unit::Seconds, self.durations.clone());
        let help = "Requests that wait for the head of their answer";
        registry.register("http_requests_in_flight", help, self.in_flight.clone());
        let help = "Requests that were refused because their caller asks too often, by what proves the caller";
        registry.register("http_requests_limited", help, self.limited.clone());
    }

    /// One request was too many.
    pub(crate) fn limited(&self, whose: &Whose) {
        self.limited.get_or_create(&labels([("caller", whose.word())])).inc();
    }
}

/// Counts a request and its answer. Outside of everything that could answer, so that a refusal counts too.
pub(crate) async fn count(State(service): State<Service>, request: Request, next: Next) -> Response {
    let http = &service.shared.metrics.http;
    let method = known(request.method());
    let route = request.extensions().get::<MatchedPath>();
    let route = route.map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let began = Instant::now();
    http.in_flight.inc();
    let gone = Gone(&http.in_flight);
    let response = next.run(request).await;
    drop(gone);
    http.durations
        .get_or_create(&labels([("method", method), ("route", &route)]))
        .observe(began.elapsed().as_secs_f64());
    let status = response.status();
    http.requests.get_or_create(&labels([("method", method), ("route", &route), ("status", status.as_str())])).inc();
    response
}

/// A client may go away before it is answered.
struct Gone<'a>(&'a Gauge<u64, AtomicU64>);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A method may be any word.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "PATCH" => "PATCH",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}
