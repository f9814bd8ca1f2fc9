//! The service itself.

use std::sync::LazyLock;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use tokio::time::Instant;
use utoipa::openapi::OpenApi;
use waypost_api::v1;

use crate::openapi::{Problems, openapi};
use crate::problem::Failed;
use crate::service::Service;

/// Which program this is.
#[utoipa::path(get, path = "/api/v1/system/version", tag = "system", operation_id = "version",
    responses((status = 200, body = v1::Version, description = "The program"), Problems))]
pub(crate) async fn version() -> Json<v1::Version> {
    Json(v1::Version {
        name: "waypost".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        api: v1::VERSION.to_owned(),
    })
}

/// This description.
#[utoipa::path(get, path = "/api/v1/openapi.json", tag = "system", operation_id = "openapi",
    responses((status = 200, body = Object, description = "An OpenAPI 3.1 document"), Problems))]
pub(crate) async fn description() -> Json<OpenApi> {
    static MADE: LazyLock<OpenApi> = LazyLock::new(openapi);
    Json(MADE.clone())
}

/// Whether the program is alive: it answers. For whoever restarts it when it doesn't.
#[utoipa::path(get, path = "/api/v1/system/health", tag = "system", operation_id = "health",
    responses((status = 200, body = v1::Health, description = "It is alive"), Problems))]
pub(crate) async fn health(State(service): State<Service>) -> Json<v1::Health> {
    Json(v1::Health { ok: true, problems: Vec::new(), driven: service.driven() })
}

/// Whether it can do its work: the store can be read, the policies that it asks are there, and it is not being stopped. Hosts
/// are not asked: one that is down is no reason to send nobody here. It may be asked without end, and is looked at once a second.
#[utoipa::path(get, path = "/api/v1/system/ready", tag = "system", operation_id = "ready",
    responses(
        (status = 200, body = v1::Health, description = "It can"),
        (status = 503, body = v1::Health, description = "It can't, and why"),
        Problems
    ))]
pub(crate) async fn ready(State(service): State<Service>) -> Result<(StatusCode, Json<v1::Health>), Failed> {
    let mut problems = Vec::new();
    if service.is_draining() {
        problems.push("it is being stopped".to_owned());
    }
    problems.extend(in_the_way(&service).await?);
    let ok = problems.is_empty();
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    Ok((status, Json(v1::Health { ok, problems, driven: service.driven() })))
}

/// What is found is as good as new for so long: nobody is kept from asking, so asking must cost nothing.
const FRESH: Duration = Duration::from_secs(1);

/// What is in the way of the service's work, looked at once for all who ask at the same time.
async fn in_the_way(service: &Service) -> Result<Vec<String>, Failed> {
    let mut kept = service.shared.ready.lock().await;
    if let Some((looked, found)) = kept.as_ref()
        && looked.elapsed() < FRESH
    {
        return Ok(found.clone());
    }
    let looked = Instant::now();
    let found = service
        .blocking(|service| {
            let mut found = Vec::new();
            if let Err(fault) = service.shared.parts.feed.last_change() {
                found.push(fault.to_string());
            }
            let plugins = service.shared.parts.site.standing();
            for plugin in plugins.iter().filter(|plugin| !matches!(plugin.state.as_str(), "ready" | "ignored")) {
                let why = plugin.reason.as_deref().unwrap_or_default();
                found.push(format!("plugin {} is {}: {why}", plugin.name, plugin.state));
            }
            Ok(found)
        })
        .await?;
    *kept = Some((looked, found.clone()));
    Ok(found)
}
