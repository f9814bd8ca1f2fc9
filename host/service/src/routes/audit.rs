//! Who changed what.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use waypost_api::v1;
use waypost_core::access::AuditQuery;

use crate::access::table::is_of_settings;
use crate::caller::Caller;
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

/// Every change that anybody asked for, newest first: who, how that was proven, from where, what, why, and what came of it. What
/// settings of policies were made is in the details for whoever may change policies.
#[utoipa::path(get, path = "/api/v1/audit", tag = "access", operation_id = "audit", params(Listing),
    responses((status = 200, body = v1::AuditPage, description = "A page of entries"), Problems))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Json<v1::AuditPage>, Failed> {
    let size = PageSize::of(listing.limit)?;
    let task = listing.task.map(|text| text.parse().map_err(|_| Failed::no_task(format!("{text:?}")))).transpose()?;
    let query = AuditQuery { before: listing.before, who: listing.who, task };
    let ask = move |service: &Service| Ok(service.shared.parts.ledger.audit(&query, size.and_one())?);
    let mut found = service.blocking(ask).await?;
    let next = size.cut(&mut found).map(|last| last.number);
    let mut entries: Vec<_> = found.iter().map(v1::AuditEntry::from).collect();
    for entry in entries.iter_mut().filter(|entry| !caller.sees_settings() && is_of_settings(&entry.what)) {
        entry.details = None;
    }
    Ok(Json(v1::AuditPage { entries, next }))
}
