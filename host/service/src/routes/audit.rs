//! Who changed what.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use waypost_api::v1;
use waypost_core::access::AuditQuery;

use crate::input::{PageSize, Params};
use crate::openapi::Problems;
use crate::problem::Failed;
use crate::service::Service;

/// How the audit log is narrowed and paged.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// Only what this caller asked for.
    who: Option<String>,
    /// Only what is about this task.
    task: Option<String>,
    /// Entries on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before: only entries before this number.
    #[param(maximum = 18446744073709551615_u64)]
    before: Option<u64>,
}

/// Every change that anybody asked for, newest first: who, how that was proven, from where, what, why, and what came of it. It is of
/// all hosts and domains, so it is told to nobody whose scope has less.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", operation_id = "audit", params(Listing),
    responses((status = 200, body = v1::AuditPage, description = "A page of entries"), Problems))]
pub(crate) async fn list(
    State(service): State<Service>,
    Params(listing): Params<Listing>,
) -> Result<Json<v1::AuditPage>, Failed> {
    let size = PageSize::of(listing.limit)?;
    let task = listing.task.map(|text| text.parse().map_err(|_| Failed::no_task(format!("{text:?}")))).transpose()?;
    let query = AuditQuery { before: listing.before, who: listing.who, task };
    let ask = move |service: &Service| Ok(service.shared.parts.ledger.audit(&query, size.and_one())?);
    let mut found = service.blocking(ask).await?;
    let next = size.cut(&mut found).map(|last| last.number);
    let entries = found.iter().map(v1::AuditEntry::from).collect();
    Ok(Json(v1::AuditPage { entries, next }))
}
