//! What the rules say, and what would be done. Nothing is touched.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use waypost_api::v1;
use waypost_core::access::Scopes;
use waypost_core::admission::{admit, within_attempts};
use waypost_core::ids::{DomainKey, HostName};
use waypost_engine::{EngineError, Question, Targets};

use crate::caller::Caller;
use crate::documents;
use crate::input::Body;
use crate::openapi::Problems;
use crate::problem::Failed;
use crate::service::Service;

/// What the rules say of moving a domain to one, several or all other hosts.
#[utoipa::path(post, path = "/api/v1/checks", tag = "checks", operation_id = "check", request_body = v1::NewCheck,
    responses((status = 200, body = v1::Check, description = "All findings about every destination, and the plan for those that are open"), Problems))]
pub(crate) async fn check(
    State(service): State<Service>,
    caller: Caller,
    Body(asked): Body<v1::NewCheck>,
) -> Result<Json<v1::Check>, Failed> {
    let to: Vec<&str> = asked.to.iter().map(String::as_str).collect();
    let told = caller.may_ask(&service, &asked.domain, asked.from.as_deref(), &to).await?;
    let near = caller.around(&asked.domain, asked.from.as_deref(), &told);
    let targets = targets(&service, &near, &asked);
    let question = Question {
        domain: DomainKey::parse(&asked.domain),
        source: asked.from.map(HostName::new),
        targets,
        options: asked.options.into(),
        requester: caller.name().to_owned(),
    };
    let report = service.shared.parts.engine.check(&question).await?;
    let mut check = documents::check(&report);
    caller.keep_settings(&mut check.decisions);
    Ok(Json(check))
}

/// The hosts that are named; with none, all others that these scopes have, which are those with the domain.
fn targets(service: &Service, near: &Scopes, asked: &v1::NewCheck) -> Targets {
    let named = || asked.to.iter().map(HostName::new).collect();
    match (asked.to.is_empty(), near.on_all_hosts().is_empty()) {
        (false, _) => Targets::These(named()),
        (true, false) => Targets::All,
        (true, true) => {
            let mut hosts = service.shared.parts.hypervisor.hosts();
            hosts.retain(|host| near.has_host(host.as_str()) && Some(host.as_str()) != asked.from.as_deref());
            Targets::These(hosts)
        }
    }
}

/// Every choice of a migration, before it is made.
#[utoipa::path(post, path = "/api/v1/dry-runs", tag = "checks", operation_id = "dryRun", request_body = v1::NewTask,
    responses((status = 200, body = v1::DryRun, description = "The plan, or why there is none"), Problems))]
pub(crate) async fn dry_run(
    State(service): State<Service>,
    caller: Caller,
    Body(asked): Body<v1::NewTask>,
) -> Result<Json<v1::DryRun>, Failed> {
    caller.may_ask(&service, &asked.domain, asked.from.as_deref(), &[asked.to.as_str()]).await?;
    let request = asked.request(caller.name());
    let engine = &service.shared.parts.engine;
    admit(&request).map_err(EngineError::Refused)?;
    within_attempts(&request.options, engine.max_attempts()).map_err(EngineError::Refused)?;
    let destination = request.destination.clone();
    let report = engine.check(&request.into()).await?;
    let planned = engine.dry_run(&report, &destination).await?;
    let site = Arc::clone(&service.shared.parts.site);
    let choices = match &planned {
        Some(Ok(planned)) => site.choices(&planned.plan, report.options(), &report.facts.domain.disks),
        Some(Err(_)) | None => Vec::new(),
    };
    let mut dry_run = documents::dry_run(&report, planned.as_ref(), choices);
    caller.keep_settings(&mut dry_run.check.decisions);
    Ok(Json(dry_run))
}
