//! Hosts and domains as they are right now, and the queue between them.

use axum::Json;
use axum::extract::{Path, State};
use futures_util::future::join_all;
use serde_json::Value;
use waypost_api::{json, v1};
use waypost_core::facts::DomainBrief;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::ports::Depth;
use waypost_core::queue::{Entry, SlotLimits};
use waypost_core::request::Options;
use waypost_core::tree::Shape as _;
use waypost_engine::Fleet;

use crate::caller::Caller;
use crate::documents;
use crate::input::Named;
use crate::openapi::Problems;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// All hosts, asked at the same time. One that does not answer says why.
#[utoipa::path(get, path = "/api/v1/hosts", tag = "hosts", operation_id = "hosts",
    responses((status = 200, body = v1::Hosts, description = "In the order of the configuration"), Problems))]
pub(crate) async fn hosts(State(service): State<Service>, caller: Caller) -> Json<v1::Hosts> {
    let (names, at) = (caller.hosts_in_reach(service.shared.parts.hypervisor.hosts()), &service);
    let told = join_all(names.into_iter().map(|name| async move { looked_at(at, &name).await })).await;
    let hosts = match places(&service).await {
        Some((limits, queue)) => told.into_iter().map(|host| host.with_slots(&limits, &queue)).collect(),
        None => told,
    };
    Json(v1::Hosts { hosts })
}

/// A host as it is right now, without its places. All who ask at once share a reading.
async fn looked_at(service: &Service, name: &HostName) -> v1::Host {
    let read = documents::looked_at(service.shared.parts.hypervisor.as_ref(), name);
    service.shared.readings.of(name, read).await
}

/// The places for migrations, and who has them; none where the record can't be read: hosts are shown all the same.
async fn places(service: &Service) -> Option<(SlotLimits, Vec<Entry>)> {
    service.blocking(|service| Ok(service.shared.parts.engine.queue()?)).await.ok()
}

/// One host.
#[utoipa::path(get, path = "/api/v1/hosts/{host}", tag = "hosts", operation_id = "host",
    params(("host" = String, Path, description = "Its configured name")),
    responses((status = 200, body = v1::Host, description = "The host"), Problems))]
pub(crate) async fn host(State(service): State<Service>, Named(name): Named) -> Result<Json<v1::Host>, Failed> {
    let name = known(&service, &name)?;
    let host = looked_at(&service, &name).await;
    Ok(Json(match places(&service).await {
        Some((limits, queue)) => host.with_slots(&limits, &queue),
        None => host,
    }))
}

/// Everything that policies are told of a host.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/facts", tag = "hosts", operation_id = "hostFacts",
    params(("host" = String, Path, description = "Its configured name")),
    responses((status = 200, body = Object, description = "Facts; the keys are those of the WIT package waypost:facts"), Problems))]
pub(crate) async fn facts(State(service): State<Service>, Named(name): Named) -> Result<Json<Value>, Failed> {
    let name = known(&service, &name)?;
    let facts = service.shared.parts.hypervisor.host_facts(&name, Depth::default()).await?;
    Ok(Json(json::value(&facts.to_tree())))
}

/// The domains of a host.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/domains", tag = "hosts", operation_id = "domainsOfHost",
    params(("host" = String, Path, description = "Its configured name")),
    responses((status = 200, body = v1::Domains, description = "By name"), Problems))]
pub(crate) async fn domains_of(
    State(service): State<Service>,
    caller: Caller,
    Named(name): Named,
) -> Result<Json<v1::Domains>, Failed> {
    let name = known(&service, &name)?;
    let mut briefs = service.shared.parts.hypervisor.domains(&name).await?;
    briefs.sort_by(|a, b| a.name.cmp(&b.name));
    briefs.retain(|brief| caller.reaches(&name, brief));
    let domains = briefs.iter().map(|brief| v1::Domain::new(name.as_str(), brief)).collect();
    Ok(Json(v1::Domains { domains, unread: Vec::new() }))
}

/// Everything that policies are told of a domain.
#[utoipa::path(get, path = "/api/v1/hosts/{host}/domains/{domain}/facts", tag = "hosts", operation_id = "domainFacts",
    params(
        ("host" = String, Path, description = "The host's configured name"),
        ("domain" = String, Path, description = "The domain's name or UUID")
    ),
    responses((status = 200, body = Object, description = "Facts; the keys are those of the WIT package waypost:facts"), Problems))]
pub(crate) async fn domain_facts(
    State(service): State<Service>,
    caller: Caller,
    Path((host, domain)): Path<(String, String)>,
) -> Result<Json<Value>, Failed> {
    let host = known(&service, &host)?;
    caller.may_reach_domain(&service, Some(host.as_str()), &domain).await?;
    let facts = service.shared.parts.hypervisor.domain_facts(&host, &DomainKey::parse(&domain)).await?;
    Ok(Json(json::value(&facts.to_tree())))
}

/// The domains of all hosts.
#[utoipa::path(get, path = "/api/v1/domains", tag = "hosts", operation_id = "domains",
    responses((status = 200, body = v1::Domains, description = "By host, then by name"), Problems))]
pub(crate) async fn domains(State(service): State<Service>, caller: Caller) -> Json<v1::Domains> {
    let hypervisor = &service.shared.parts.hypervisor;
    let mut listed = documents::domains(hypervisor.as_ref(), caller.hosts_in_reach(hypervisor.hosts())).await;
    listed.domains.retain(|domain| caller.scopes().has(&domain.host, &[domain.name.as_str(), &domain.id]));
    Json(listed)
}

/// How many migrations may run at once, and who waits.
#[utoipa::path(get, path = "/api/v1/queue", tag = "hosts", operation_id = "queue",
    responses((status = 200, body = v1::Queue, description = "Limits and entries"), Problems))]
pub(crate) async fn queue(State(service): State<Service>, caller: Caller) -> Result<Json<v1::Queue>, Failed> {
    service
        .blocking(move |service| {
            let parts = &service.shared.parts;
            let (limits, mut entries) = parts.engine.queue()?;
            caller.keep_seen(parts.feed.as_ref(), &mut entries, |entry| entry.task)?;
            Ok(Json(v1::Queue::new(&limits, &entries, parts.clock.now())))
        })
        .await
}

/// May every domain go to every other host? The whole fleet is read for it.
#[utoipa::path(get, path = "/api/v1/readiness", tag = "checks", operation_id = "readiness",
    responses((status = 200, body = v1::Readiness, description = "One row per domain, each cell with its findings"), Problems))]
pub(crate) async fn readiness(State(service): State<Service>, caller: Caller) -> Result<Json<v1::Readiness>, Failed> {
    let engine = &service.shared.parts.engine;
    let near = |host: &HostName, domain: &DomainBrief| {
        caller.scopes().on(host.as_str()).of(&[domain.name.as_str(), &domain.id.to_string()])
    };
    // Before anything is judged: what the caller may not see need not be asked about.
    let mut fleet = Fleet::clone(&*engine.fleet().await?);
    fleet.domains.retain(|one| !near(&one.facts.source.name, &one.domain).is_empty());
    // What is said of a domain names it.
    fleet.unread.retain(|unread| {
        let told = unread.domain.as_ref().is_none_or(|(host, domain)| !near(host, domain).is_empty());
        told && caller.scopes().has_host(unread.fault.host.as_str())
    });
    let mut readiness = engine.readiness_of(fleet, &Options::default(), caller.name()).await?;
    for row in &mut readiness.rows {
        let near = near(&row.source, &row.domain);
        row.verdicts.retain(|verdict| near.has_host(verdict.destination.as_str()));
    }
    Ok(Json(documents::readiness(&readiness)))
}

/// The host of that name, if the configuration has it.
fn known(service: &Service, name: &str) -> Result<HostName, Failed> {
    let hosts = service.shared.parts.hypervisor.hosts();
    hosts.iter().find(|host| host.as_str() == name).cloned().ok_or_else(|| {
        let there: Vec<_> = hosts.iter().map(HostName::as_str).collect();
        Failed::new(Code::NoSuchHost, format!("there is no host {name} in the configuration"))
            .remedy(format!("name one of: {}", there.join(", ")))
    })
}
