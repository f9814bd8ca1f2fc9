//! What was: readings of a transfer, so that a plot that is opened late is full, and what policies answered, over all tasks.

use axum::Json;
use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;
use waypost_api::v1;
use waypost_core::feed::DecisionQuery;
use waypost_core::ports::DecisionVerdict;

use super::tasks::brief_of;
use crate::caller::Caller;
use crate::input::{OfTask, PageSize, Params};
use crate::openapi::Problems;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// Past readings of a task's transfers, oldest first: at most 256 at even distances, and the last. `progress` events go on
/// from there.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/samples", tag = "tasks", operation_id = "taskSamples",
    params(("task" = String, Path, description = "Task id")),
    responses((status = 200, body = v1::Samples, description = "The readings"), Problems))]
pub(crate) async fn samples(State(service): State<Service>, OfTask(id): OfTask) -> Result<Json<v1::Samples>, Failed> {
    service
        .blocking(move |service| {
            brief_of(service, id)?;
            let past = service.shared.parts.feed.samples(id)?;
            let samples = past.iter().map(v1::PastSample::from).collect();
            Ok(Json(v1::Samples { task: id.to_string(), samples }))
        })
        .await
}

/// How a list of decision records is narrowed and paged.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Deciding {
    /// Name of the policy; `waypost` for what the host itself decided.
    plugin: Option<String>,
    /// `precheck`, `transform`, `recovery`, `convergence`.
    #[param(pattern = "^(precheck|transform|recovery|convergence)$")]
    hook: Option<String>,
    /// `answered`, `blocked`, `failed`.
    #[param(pattern = "^(answered|blocked|failed)$")]
    verdict: Option<String>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,18}$")]
    cursor: Option<String>,
}

/// What policies were asked and answered in all tasks, newest first. Checks and dry-runs leave no record.
#[utoipa::path(get, path = "/api/v1/decisions", tag = "plugins", operation_id = "decisions", params(Deciding),
    responses((status = 200, body = v1::DecisionPage, description = "A page of them"), Problems))]
pub(crate) async fn decisions(
    State(service): State<Service>,
    caller: Caller,
    Params(wanted): Params<Deciding>,
) -> Result<Json<v1::DecisionPage>, Failed> {
    let size = PageSize::of(wanted.limit)?;
    let query = DecisionQuery {
        hook: wanted.hook.map(|hook| known(&hook, &HOOKS, "hook")).transpose()?,
        verdict: wanted.verdict.as_deref().map(verdict).transpose()?,
        before: wanted.cursor.as_deref().map(place).transpose()?,
        plugin: wanted.plugin,
    };
    let sees = caller.clone();
    let (found, next) = service
        .read(move |feed| {
            let mut found = feed.decisions_of(&query, size.and_one())?;
            let next = size.cut(&mut found).map(|last| last.sequence.to_string());
            // A page may come short of its limit for that: where it ends does not tell what others have.
            sees.keep_seen(feed, &mut found, |decision| decision.task)?;
            Ok((found, next))
        })
        .await?;
    let mut decisions: Vec<_> = found.iter().map(v1::TaskDecision::from).collect();
    caller.keep_settings(decisions.iter_mut().map(|one| &mut one.decision));
    Ok(Json(v1::DecisionPage { decisions, next }))
}

const HOOKS: [&str; 4] = ["precheck", "transform", "recovery", "convergence"];

fn verdict(word: &str) -> Result<DecisionVerdict, Failed> {
    DecisionVerdict::parse(word).ok_or_else(|| {
        let words: Vec<_> = DecisionVerdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
        unknown(word, &words, "verdict")
    })
}

fn known(word: &str, words: &[&str], what: &str) -> Result<String, Failed> {
    if words.contains(&word) { Ok(word.to_owned()) } else { Err(unknown(word, words, what)) }
}

fn unknown(word: &str, words: &[&str], what: &str) -> Failed {
    Failed::new(Code::BadRequest, format!("{word:?} is no {what}; there are: {}", words.join(", ")))
}

fn place(cursor: &str) -> Result<u64, Failed> {
    cursor.parse().map_err(|_| Failed::new(Code::BadRequest, "this cursor is none: give the `next` of the page before"))
}
