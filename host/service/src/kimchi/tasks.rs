//! Tasks as Kimchi tells of them: four texts. The id is the one of `/api/v1`, so it outlives a restart of the service; Kimchi's
//! own clients only repeat it.

use std::cmp::Reverse;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use regex::RegexBuilder;
use serde::Serialize;
use waypost_api::v1;
use waypost_core::feed::{Feed, Place, TaskQuery, TaskState};
use waypost_core::ids::{Moment, TaskId};
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{StoreFault, TaskBrief};

use super::refusal::{FAILED, for_a_page};
use super::{Here, PLUGIN};
use crate::caller::Caller;
use crate::documents::status;
use crate::input::{OfTask, Params};
use crate::problem::{Code, Failed};
use crate::routes::tasks::status_of;
use crate::service::Service;

/// A task that is over is listed for so long, as in Kimchi.
const LISTED_MS: u64 = 12 * 3600 * 1000;

/// So many ended tasks are read at once.
const PAGE: u32 = 500;

/// Most filters in one request. Kimchi's page sends two, and there are four fields to filter by.
const FILTERS: usize = 8;

/// Room for a filter that a client sends, bytes.
const FILTER: usize = 64 << 10;

/// The word of a task that is not over.
pub(super) const RUNNING: &str = "running";

/// A task in Kimchi's shape.
#[derive(Debug, Serialize)]
pub(super) struct Task {
    pub(super) id: String,
    pub(super) status: &'static str,
    pub(super) message: String,
    pub(super) target_uri: String,
}

/// Where Kimchi's clients look for the migration of a guest, whatever stands before these routes here. The name stands in it as
/// it is, as in Kimchi, but for what would be markup: the page takes the name from here, and puts it into its document.
pub(super) fn target(name: &str) -> String {
    format!("{PLUGIN}/vms/{}/migrate", name.replace('<', "%3C").replace('>', "%3E"))
}

/// Tasks that are not over, and those that ended in the last twelve hours.
pub(super) async fn list(
    State(Here { service, .. }): State<Here>,
    caller: Caller,
    Params(query): Params<Vec<(String, String)>>,
) -> Result<Json<Vec<Task>>, Failed> {
    if query.len() > FILTERS {
        let detail = format!("there are {} filters, and at most {FILTERS} are taken", query.len());
        return Err(Failed::new(Code::BadRequest, detail).remedy(
            "leave some out: of several for one field one must match, which a regular expression says as well",
        ));
    }
    service
        .blocking(move |service| {
            // What a client wrote may take a while to read as an expression.
            let filters: Vec<Filter> = query.into_iter().map(|(key, wanted)| Filter::new(key, wanted)).collect();
            Ok(Json(listed(service, &caller, &filters)?))
        })
        .await
}

fn listed(service: &Service, caller: &Caller, filters: &[Filter]) -> Result<Vec<Task>, Failed> {
    if !filters.iter().all(Filter::is_of_a_task) {
        return Ok(Vec::new());
    }
    let parts = &service.shared.parts;
    let since = Moment(parts.clock.now().0.saturating_sub(LISTED_MS));
    // What costs nothing to know is looked at before a journal is read.
    let may_pass = |brief: &TaskBrief| {
        caller.scopes().sees(brief)
            && passes(filters, "status", word(brief.outcome))
            && passes(filters, "target_uri", &target_of(brief))
    };
    let mut found = Vec::new();
    for brief in recent(parts.feed.as_ref(), since, may_pass)? {
        if let Some(status) = status(&parts.engine, parts.feed.as_ref(), brief.id)? {
            let task = told(&status);
            if ["id", "status", "message", "target_uri"].into_iter().all(|key| passes(filters, key, task.field(key))) {
                found.push(task);
            }
        }
    }
    Ok(found)
}

/// Every task that is not over, and every one that ended since then, as far as wanted: newest first, as they were made. How many
/// others there are makes none of them disappear.
fn recent(feed: &dyn Feed, since: Moment, wanted: impl Fn(&TaskBrief) -> bool) -> Result<Vec<TaskBrief>, StoreFault> {
    let unfinished = TaskQuery { states: vec![TaskState::Unfinished], ..TaskQuery::default() };
    // First, so that one that ends meanwhile is still found among the others.
    let mut found = feed.page(&unfinished, u32::MAX)?;
    found.retain(&wanted);
    let states = OutcomeKind::ALL.iter().map(|kind| TaskState::Ended(*kind)).collect();
    let mut ended = TaskQuery { states, changed_since: Some(since), ..TaskQuery::default() };
    loop {
        let page = feed.page(&ended, PAGE)?;
        let Some(last) = page.last() else { break };
        ended.after = Some(Place { created_at: last.created_at, task: last.id });
        found.extend(page.into_iter().filter(&wanted));
    }
    found.sort_by_key(|brief| Reverse((brief.created_at, brief.id)));
    found.dedup_by_key(|brief| brief.id);
    Ok(found)
}

/// One task.
pub(super) async fn one(State(Here { service, .. }): State<Here>, OfTask(id): OfTask) -> Result<Json<Task>, Failed> {
    Ok(Json(told(&status_of(&service, id).await?)))
}

/// Cancels a task, or leaves one that is over as it is. It is `killed` once it is known where the guest is.
pub(super) async fn cancel(
    State(Here { service, .. }): State<Here>,
    caller: Caller,
    OfTask(id): OfTask,
) -> Result<StatusCode, Failed> {
    service.blocking(move |service| cancel_unfinished(service, &caller, id)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn cancel_unfinished(service: &Service, caller: &Caller, id: TaskId) -> Result<(), Failed> {
    let parts = &service.shared.parts;
    let is_over =
        || -> Result<bool, Failed> { Ok(parts.feed.brief(id)?.ok_or_else(|| Failed::no_task(id))?.outcome.is_some()) };
    if is_over()? {
        return Ok(());
    }
    match parts.engine.request_cancel(id, caller.name()) {
        Ok(()) => {
            service.shared.desk.cancel(id, caller.name());
            Ok(())
        }
        // It may have come to its end in between.
        Err(error) => {
            if is_over()? {
                Ok(())
            } else {
                Err(error.into())
            }
        }
    }
}

fn target_of(brief: &TaskBrief) -> String {
    target(&brief.domain_name)
}

/// Kimchi's word for how a task stands.
fn word(outcome: Option<OutcomeKind>) -> &'static str {
    match outcome {
        None => RUNNING,
        Some(OutcomeKind::Completed) => "finished",
        Some(OutcomeKind::Cancelled) => "killed",
        Some(OutcomeKind::Refused | OutcomeKind::RolledBack | OutcomeKind::Stuck | OutcomeKind::Lost) => "failed",
    }
}

fn told(status: &v1::TaskStatus) -> Task {
    let outcome = status.outcome.as_ref().and_then(|outcome| OutcomeKind::parse(&outcome.kind));
    let word = word(outcome);
    let message = match word {
        RUNNING if status.progress > v1::Percent::default() => format!("{} ({} %)", status.message, status.progress),
        "failed" => format!("{FAILED}: {}", status.message),
        _ => status.message.clone(),
    };
    Task { id: status.id.clone(), status: word, message: for_a_page(&message), target_uri: target(&status.domain) }
}

impl Task {
    fn field(&self, key: &str) -> &str {
        match key {
            "id" => &self.id,
            "status" => self.status,
            "message" => &self.message,
            _ => &self.target_uri,
        }
    }
}

/// One field that a client wants to be so: the very text, or a regular expression that matches its beginning.
struct Filter {
    key: String,
    wanted: String,
    pattern: Option<regex::Regex>,
}

impl Filter {
    fn new(key: String, wanted: String) -> Self {
        // A text that is no expression may still be what a field is.
        let pattern = RegexBuilder::new(&wanted).size_limit(FILTER).build().ok();
        Self { key, wanted, pattern }
    }

    fn is_of_a_task(&self) -> bool {
        ["id", "status", "message", "target_uri"].contains(&self.key.as_str()) || self.key.starts_with('_')
    }

    fn matches(&self, text: &str) -> bool {
        // The page puts a guest's name into the expression as it is.
        let literal = self.wanted.strip_prefix('^').unwrap_or(&self.wanted);
        let matches = |pattern: &regex::Regex| pattern.find(text).is_some_and(|found| found.start() == 0);
        text == literal || self.pattern.as_ref().is_some_and(matches)
    }
}

fn passes(filters: &[Filter], key: &str, text: &str) -> bool {
    // Of several for one field one must match, as in Kimchi.
    let mut of_key = filters.iter().filter(|filter| filter.key == key).peekable();
    of_key.peek().is_none() || of_key.any(|filter| filter.matches(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_is_the_very_text_or_matches_its_beginning() {
        let matches = |wanted: &str, text: &str| Filter::new("target_uri".into(), wanted.into()).matches(text);
        let of = |name: &str| target(name);
        assert!(matches("^/plugins/kimchi/vms/.+/migrate", &of("g1")));
        assert!(matches("/plugins/kimchi/vms/g1", &of("g1")));
        assert!(!matches("^/plugins/kimchi/vms/[^/]+$", &of("g1")));
        assert!(!matches("vms/g1/migrate", &of("g1")));
        // Names that mean something else as an expression, or are none.
        assert!(matches("^/plugins/kimchi/vms/a+b(/migrate", &of("a+b(")));
        assert!(matches("^/plugins/kimchi/vms/a+b/migrate", &of("a+b")));
        assert!(!matches("(", &of("g1")));
    }

    #[test]
    fn a_name_that_is_markup_is_none_in_a_target() {
        assert_eq!(target("<b>"), "/plugins/kimchi/vms/%3Cb%3E/migrate");
    }
}
