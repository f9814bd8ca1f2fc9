//! A guest is to move: the rules are asked, and what they let pass becomes a task.
//!
//! Kimchi tells what it finds against a migration in the answer to the request, and only what comes later in the task; its page
//! shows the one at once and the other where somebody looks. So the rules are asked here first, for a bounded time, and the
//! task asks them again before anything is touched.

use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use waypost_api::v1;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::verdict::Decision;

use super::asked::Asked;
use super::entrance::Entrance;
use super::refusal::{Refusal, for_a_page};
use super::{Here, Kimchi, hosts, tasks};
use crate::access::audit::About;
use crate::caller::Caller;
use crate::input::Named;
use crate::problem::{Code, Failed};
use crate::routes::tasks::making;
use crate::service::Service;

/// How long an answer waits for the rules. Where hosts take longer the task is made, and says itself what comes of it.
const CHECK: Duration = Duration::from_secs(30);

/// Takes a migration on.
pub(super) async fn migrate(
    State(Here { service, kimchi }): State<Here>,
    Named(name): Named,
    caller: Caller,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Refusal> {
    let mut asked = Asked::read(&headers, &whole(body)?)?;
    let mut new = wanted(&service, &caller, &kimchi, &name, &asked)?;
    if !caller.reaches_anywhere(&new.domain) {
        // A request of Kimchi's has no word for the source, and whoever is limited to hosts moves nothing from others.
        new.from = Some(caller.source_in_reach(&service, &new.domain).await?.to_string());
    }
    let told = caller.may_ask(&service, &new.domain, new.from.as_deref(), &[new.to.as_str()]).await?;
    let entrance = Entrance::open(&service, &caller, HostName::new(new.to.as_str()), asked.login.take()).await?;
    if entrance.is_ours_alone() {
        new.options.transport = v1::Transport::Direct;
    }
    check(&service, &caller, &new).await.map_err(|refusal| entrance.told_with(refusal))?;
    let to = new.to.clone();
    let within = service.asked_within(&headers);
    let request = new.request(caller.name());
    let id =
        service.blocking(move |service| making::make(service, &caller, request, None, told, within.as_deref())).await?;
    let mut message = format!("{name} is to move to {to}");
    if asked.credentials {
        message += &format!("; {}", entrance.told());
    }
    let task = tasks::Task {
        id: id.to_string(),
        status: tasks::RUNNING,
        message: for_a_page(&message),
        target_uri: tasks::target(&name),
    };
    let mut response = (StatusCode::ACCEPTED, Json(task)).into_response();
    response.extensions_mut().insert(About(id));
    Ok(response)
}

fn whole(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Failed> {
    body.map_err(|rejection| {
        let code = match rejection.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
            _ => Code::BadRequest,
        };
        Failed::new(code, rejection.body_text())
    })
}

/// The request in our own words.
fn wanted(
    service: &Service,
    caller: &Caller,
    kimchi: &Kimchi,
    name: &str,
    asked: &Asked,
) -> Result<v1::NewTask, Refusal> {
    // Hosts outside of the scope are not even named.
    let there = caller.hosts_in_reach(service.shared.parts.hypervisor.hosts());
    let known = service.shared.parts.site.known_hosts();
    let to = hosts::meant(&asked.remote_host, &there, &known)?;
    let mut options = v1::Options {
        timeout_s: kimchi.migration_destination_timeout,
        bandwidth_mib_s: Some(kimchi.migration_max_bandwidth).filter(|limit| *limit > 0),
        max_downtime_ms: Some(kimchi.migration_downtime),
        ..v1::Options::default()
    };
    if asked.rdma {
        if !kimchi.rdma {
            return Err(Refusal::new(
                StatusCode::BAD_REQUEST,
                "KCHVM0091E",
                "memory goes in plain text over RDMA, which this site does not allow: leave enable_rdma out, or say rdma = true in \
                 [service.kimchi] of the configuration",
            ));
        }
        options.migrate_uri = Some(rdma_uri(hosts::rdma_address(&asked.remote_host, &to, &known)));
        options.stream.encryption = v1::Encryption::Off;
    }
    Ok(v1::NewTask { domain: name.to_owned(), from: None, to: to.to_string(), options })
}

fn rdma_uri(address: &str) -> String {
    match address.parse::<std::net::Ipv6Addr>() {
        Ok(address) => format!("rdma://[{address}]"),
        Err(_) => format!("rdma://{address}"),
    }
}

/// Asks the rules, for a time.
async fn check(service: &Service, caller: &Caller, new: &v1::NewTask) -> Result<(), Refusal> {
    let request = new.clone().request(caller.name());
    let destination = request.destination.clone();
    let question = request.into();
    let Ok(report) = tokio::time::timeout(CHECK, service.shared.parts.engine.check(&question)).await else {
        return Ok(());
    };
    let report = report.map_err(Failed::from)?;
    if report.facts.source.name == destination {
        return Err(there_already(&new.domain, &destination));
    }
    let domain = DomainKey::Id(report.facts.domain.id);
    if let Some(busy) = service.blocking(move |service| making::busy(service, &domain)).await? {
        return Err(busy.into());
    }
    match report.verdicts.iter().find(|verdict| verdict.decision() == Decision::Refused) {
        Some(verdict) => Err(Refusal::of(&new.domain, verdict)),
        None => Ok(()),
    }
}

fn there_already(name: &str, host: &HostName) -> Refusal {
    let words = format!("{name} is on {host} already: name another host");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0055E", &words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_ipv6_is_put_into_brackets() {
        assert_eq!(rdma_uri("fd00::2"), "rdma://[fd00::2]");
        assert_eq!(rdma_uri("kvm2"), "rdma://kvm2");
    }
}
