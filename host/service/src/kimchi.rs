//! The same desk for clients of another program's API: Kimchi's page for virtual machines, and scripts written for it.
//!
//! Kimchi (last changed in 2020) knows a host of its own, the source, and moves a guest by `POST /vms/NAME/migrate`. Whoever has
//! such clients keeps them: these routes take the request, answer with Kimchi's task and tell its progress in Kimchi's words
//! and codes. What happens behind them is the same as behind `/api/v1`: the same rules are asked, and the same tasks made.
//! They are in the router only where a site wants them, and in no OpenAPI document: their contract is Kimchi's, with the
//! differences that `docs/kimchi.md` tells.
//!
//! In reading order: `asked` the request; `hosts` which host is meant; `entrance` what becomes of a password; `moving` the check
//! and the task; `tasks` how it stands; `refusal` what is said where it goes wrong.

mod asked;
mod entrance;
mod hosts;
mod moving;
#[cfg(test)]
mod proxied;
mod refusal;
mod tasks;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn_with_state, map_response};
use axum::routing::{get, post};

use crate::gate;
use crate::metrics;
use crate::problem::{Code, Failed};
use crate::service::Service;

pub use hosts::KnownHost;

/// What stands before the paths of a Kimchi that is a plugin of Wok, as all are since 2016.
const PLUGIN: &str = "/plugins/kimchi";

/// What a site says of the routes for Kimchi's clients, who can't say it themselves. A client of `/api/v1` says it with
/// each request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kimchi {
    /// Time for a whole transfer, s, at least 1; at its end it is aborted.
    pub migration_destination_timeout: u64,
    /// Bandwidth limit of a transfer, MiB/s; 0: none.
    pub migration_max_bandwidth: u64,
    /// Downtime allowed for the switch-over, ms, 1 to 2,000,000.
    pub migration_downtime: u64,
    /// Whether a client may ask for RDMA, over which memory goes in plain text.
    pub rdma: bool,
}

impl Default for Kimchi {
    /// The defaults that vdsm has for the settings of these names.
    fn default() -> Self {
        Self {
            migration_destination_timeout: 21_600,
            migration_max_bandwidth: 52,
            migration_downtime: 500,
            rdma: false,
        }
    }
}

/// What the routes work with.
#[derive(Clone)]
struct Here {
    service: Service,
    kimchi: Arc<Kimchi>,
}

/// The routes, at the root and behind the plugin's prefix.
pub(crate) fn routes(service: &Service, kimchi: &Arc<Kimchi>) -> Router {
    let at = |prefix: &str| {
        let path = |rest: &str| format!("{prefix}{rest}");
        Router::new()
            .route(&path("/vms/{name}/migrate"), post(moving::migrate))
            .route(&path("/tasks"), get(tasks::list))
            .route(&path("/tasks/{id}"), get(tasks::one).delete(tasks::cancel))
    };
    at("")
        .merge(at(PLUGIN))
        .route(&format!("{PLUGIN}/{{*rest}}"), axum::routing::any(nothing))
        .method_not_allowed_fallback(async || Failed::new(Code::WrongMethod, "this path has no such method"))
        .layer(DefaultBodyLimit::max(service.shared.limits.body_bytes))
        .layer(from_fn_with_state(service.clone(), gate::pass))
        .layer(map_response(refusal::in_kimchis_shape))
        .layer(from_fn_with_state(service.clone(), metrics::http::count))
        .with_state(Here { service: service.clone(), kimchi: Arc::clone(kimchi) })
}

/// The rest of what Kimchi does.
async fn nothing() -> Failed {
    Failed::new(Code::NoSuchRoute, "of Kimchi's API there are vms/NAME/migrate and tasks here; for the rest ask Kimchi")
}
