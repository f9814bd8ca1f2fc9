//! Migrations as tasks: taken on, listed, followed, cancelled, begun again, steered.

pub(crate) mod making;

use axum::Json;
use axum::extract::{OriginalUri, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use serde::Deserialize;
use tokio::time::{Duration, Instant};
use utoipa::IntoParams;
use waypost_api::v1;
use waypost_core::feed::{Place, TaskQuery, TaskState};
use waypost_core::ids::{HostName, Moment, TaskId};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::plan::Plan;
use waypost_core::ports::{TaskBrief, Wish};
use waypost_core::request::{MigrationRequest, Options};

use crate::access::audit::About;
use crate::caller::Caller;
use crate::documents::{self, is_news, status};
use crate::hub::Waited;
use crate::input::{Body, OfTask, PageSize, Params};
use crate::openapi::{Problems, Reason};
use crate::problem::{Code, Failed};
use crate::service::Service;

/// Takes a migration on. It is driven in the background from here on, also when the answer gets lost: with an idempotency key
/// the request can be repeated, and answers with the same task.
#[utoipa::path(post, path = "/api/v1/tasks", tag = "tasks", operation_id = "createTask", request_body = v1::NewTask,
    params(("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, yours to choose; remembered for seven days",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
        Reason),
    responses(
        (status = 202, body = v1::TaskStatus, description = "Taken on, now or by an earlier request with this key",
            headers(("Location" = String, description = "Where the task is"))),
        Problems
    ))]
pub(crate) async fn create(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    headers: HeaderMap,
    Body(new): Body<v1::NewTask>,
) -> Result<Response, Failed> {
    let key = making::Keyed::new(&headers, &new)?;
    let (domain, from) = (new.domain.clone(), new.from.clone());
    let request = new.request(caller.name());
    made(&service, &uri, caller, &headers, (domain.as_str(), from.as_deref()), request, key).await
}

/// The answer to who asks for a task, by the domain and source as they were named: the task is made, or found by its key.
async fn made(
    service: &Service,
    uri: &Uri,
    caller: Caller,
    headers: &HeaderMap,
    (domain, from): (&str, Option<&str>),
    request: MigrationRequest,
    key: Option<making::Keyed>,
) -> Result<Response, Failed> {
    let told = match caller.may_ask(service, domain, from, &[request.destination.as_str()]).await {
        Ok(told) => told,
        Err(refused) => {
            // A domain that has moved is not where its UUID was looked up when the key was new.
            let before = service.blocking(move |service| making::made_before(service, &caller, key)).await?;
            return match before {
                Some(made) => accepted(service, uri, made).await,
                None => Err(refused),
            };
        }
    };
    let within = service.asked_within(headers);
    let made =
        service.blocking(move |service| making::make(service, &caller, request, key, told, within.as_deref())).await?;
    accepted(service, uri, made).await
}

/// How a list of tasks is narrowed and paged.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Listing {
    /// `unfinished`, phases and outcomes, separated by commas; without it all.
    #[param(
        pattern = "^(unfinished|accepted|planned|preparing|prepared|performing|finishing|locating|recovering|ended|completed|refused|rolled-back|cancelled|stuck|lost)(,(unfinished|accepted|planned|preparing|prepared|performing|finishing|locating|recovering|ended|completed|refused|rolled-back|cancelled|stuck|lost))*$"
    )]
    state: Option<String>,
    /// Name or UUID of the domain.
    domain: Option<String>,
    /// Host that it comes from or goes to.
    host: Option<String>,
    /// Tasks on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
    /// `next` of the page before.
    #[param(pattern = "^[0-9]{1,19}\\.[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
    cursor: Option<String>,
}

/// Tasks, newest first. Those that the caller may not see are left out, so that a page may have fewer than its limit, or none,
/// and still a next one.
#[utoipa::path(get, path = "/api/v1/tasks", tag = "tasks", operation_id = "listTasks", params(Listing),
    responses((status = 200, body = v1::TaskPage, description = "A page of them"), Problems))]
pub(crate) async fn list(
    State(service): State<Service>,
    caller: Caller,
    Params(listing): Params<Listing>,
) -> Result<Json<v1::TaskPage>, Failed> {
    let size = PageSize::of(listing.limit)?;
    let query = TaskQuery {
        states: listing.state.as_deref().map_or(Ok(Vec::new()), states)?,
        domain: listing.domain,
        host: listing.host.map(HostName::new),
        changed_since: None,
        after: listing.cursor.as_deref().map(place).transpose()?,
    };
    let mut tasks = service.read(move |feed| feed.page(&query, size.and_one())).await?;
    let next = size.cut(&mut tasks).map(|last| format!("{}.{}", last.created_at.0, last.id));
    // A page may come short of its limit for that: where it ends does not tell what others have.
    tasks.retain(|task| caller.scopes().sees(task));
    let shown = move |service: &Service| {
        let parts = &service.shared.parts;
        let standings = parts.engine.standings()?;
        Ok::<_, Failed>(documents::tasks(parts.feed.as_ref(), &tasks, &standings)?)
    };
    Ok(Json(v1::TaskPage { tasks: service.blocking(shown).await?, next }))
}

/// What goes on right now, on one page: all that runs and waits, and the last that ended, of what the caller sees.
#[utoipa::path(get, path = "/api/v1/top", tag = "tasks", operation_id = "top",
    responses((status = 200, body = v1::Top, description = "What `waypost top --json` prints"), Problems))]
pub(crate) async fn top(State(service): State<Service>, caller: Caller) -> Result<Json<v1::Top>, Failed> {
    service
        .blocking(move |service| {
            let parts = &service.shared.parts;
            let hosts: Vec<String> =
                caller.hosts_in_reach(parts.hypervisor.hosts()).iter().map(HostName::to_string).collect();
            let sees = |brief: &TaskBrief| caller.scopes().sees(brief);
            Ok(Json(documents::top(parts.store.as_ref(), parts.feed.as_ref(), &hosts, parts.clock.now(), sees)?))
        })
        .await
}

fn states(text: &str) -> Result<Vec<TaskState>, Failed> {
    let state = |word: &str| {
        let ended = OutcomeKind::parse(word).map(TaskState::Ended);
        let state = ended.or_else(|| Phase::parse(word).map(TaskState::In));
        state.or_else(|| (word == "unfinished").then_some(TaskState::Unfinished)).ok_or_else(|| {
            let phases = Phase::ALL.iter().map(|phase| phase.as_str());
            let outcomes = OutcomeKind::ALL.iter().map(|kind| kind.as_str());
            let known: Vec<_> = ["unfinished"].into_iter().chain(phases).chain(outcomes).collect();
            Failed::new(Code::BadRequest, format!("{word:?} is no state; there are: {}", known.join(", ")))
        })
    };
    text.split(',').map(|word| state(word.trim())).collect()
}

fn place(cursor: &str) -> Result<Place, Failed> {
    let parts = cursor.split_once('.').and_then(|(at, id)| Some((at.parse().ok()?, id.parse().ok()?)));
    let (at, task) = parts
        .ok_or_else(|| Failed::new(Code::BadRequest, "this cursor is none: give the `next` of the page before"))?;
    Ok(Place { created_at: Moment(at), task })
}

/// Whether, and from where on, news are waited for.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Waiting {
    /// `sequence` of the answer before: something newer is waited for.
    #[param(maximum = 18446744073709551615_u64)]
    since: Option<u64>,
    /// Seconds to wait at most, where there is nothing newer. More than 60 are 60. Without it the answer comes at once.
    #[param(maximum = 18446744073709551615_u64)]
    wait: Option<u64>,
}

/// A task as it stands. With `since` and `wait` the answer comes as soon as something was written that is newer, or the
/// progress changes: for clients that can't listen to events.
#[utoipa::path(get, path = "/api/v1/tasks/{task}", tag = "tasks", operation_id = "getTask",
    params(("task" = String, Path, description = "Task id"), Waiting),
    responses((status = 200, body = v1::TaskStatus, description = "The task"), Problems))]
pub(crate) async fn get(
    State(service): State<Service>,
    OfTask(id): OfTask,
    Params(Waiting { since, wait }): Params<Waiting>,
) -> Result<Json<v1::TaskStatus>, Failed> {
    if let Some(seconds) = wait {
        let most = Duration::from_secs(seconds).min(service.shared.limits.longest_wait);
        until_news(&service, id, since, most).await?;
    }
    status_of(&service, id).await.map(Json)
}

/// Waits until there is something new about a task, for so long at most.
async fn until_news(service: &Service, id: TaskId, since: Option<u64>, most: Duration) -> Result<(), Failed> {
    let _place = service.place_to_wait()?;
    let mut ear = service.shared.hub.listen();
    let seen = service.read(move |feed| Ok((feed.last_change_of(id)?, feed.brief(id)?))).await?;
    let (last, Some(brief)) = seen else { return Err(Failed::no_task(id)) };
    let since = since.unwrap_or(last);
    let until = Instant::now() + most;
    loop {
        ear.attend();
        if service.read(move |feed| is_news(feed, id, since, Some(brief.permille))).await? {
            return Ok(());
        }
        match ear.wait(until.saturating_duration_since(Instant::now())).await {
            Some(Waited::Published) => {}
            Some(Waited::InVain) | None => return Ok(()),
        }
    }
}

/// Everything on record of a task: its journal, and what each policy was asked and answered.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/records", tag = "tasks", operation_id = "taskRecords",
    params(("task" = String, Path, description = "Task id")),
    responses((status = 200, body = v1::Task, description = "What `waypost task ID --json` prints"), Problems))]
pub(crate) async fn records(
    State(service): State<Service>,
    caller: Caller,
    OfTask(id): OfTask,
) -> Result<Json<v1::Task>, Failed> {
    service
        .blocking(move |service| {
            brief_of(service, id)?;
            let parts = &service.shared.parts;
            let words = |plan: &Plan, asked: &Options| parts.site.recorded_choices(plan, asked);
            let mut task = documents::task(parts.store.as_ref(), id, words)?;
            caller.keep_settings(&mut task.decisions);
            Ok(Json(task))
        })
        .await
}

/// Asks for a task to be cancelled. Whether it came in time, and where the domain is, says its outcome. Asking again is no
/// error.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/cancel", tag = "tasks", operation_id = "cancelTask",
    params(
        ("task" = String, Path, description = "Task id"),
        Reason
    ),
    responses((status = 202, body = v1::TaskStatus, description = "Asked for"), Problems))]
pub(crate) async fn cancel(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    OfTask(id): OfTask,
) -> Result<Response, Failed> {
    service
        .blocking(move |service| {
            unfinished(service, id)?;
            // Through the store in any case: the wish must outlive this process.
            if let Err(error) = service.shared.parts.engine.request_cancel(id, caller.name()) {
                unfinished(service, id)?;
                return Err(error.into());
            }
            service.shared.desk.cancel(id, caller.name());
            Ok(())
        })
        .await?;
    accepted(&service, &uri, id).await
}

/// Begins again what a task that is over was to do, as a new task. For one that ended stuck or lost there are actions
/// instead, because nobody knows that its domain is where it was. With an idempotency key the request can be repeated, and
/// answers with the same new task.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/retry", tag = "tasks", operation_id = "retryTask",
    params(
        ("task" = String, Path, description = "Task id"),
        ("Idempotency-Key" = Option<String>, Header, description = "1 to 255 visible ASCII characters, yours to choose; remembered for seven days",
            min_length = 1, max_length = 255, pattern = "^[!-~]+$"),
        Reason
    ),
    responses(
        (status = 202, body = v1::TaskStatus, description = "The new task, made now or by an earlier request with this key",
            headers(("Location" = String, description = "Where the new task is"))),
        Problems
    ))]
pub(crate) async fn retry(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    OfTask(id): OfTask,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let key = making::Keyed::again(&headers, id)?;
    let request = service.blocking(move |service| making::to_repeat(service, id)).await?;
    // It is a new request: what it asks for is held to the scope as if the caller had written it.
    let (domain, from) = (request.domain.to_string(), request.source.as_ref().map(ToString::to_string));
    made(&service, &uri, caller, &headers, (domain.as_str(), from.as_deref()), request, key).await
}

/// Changes what a running transfer may do, or how it goes on: all that is asked for, or nothing where one part can't be asked
/// for. It is done within a moment, or refused; the records say. A switch to post-copy that comes before memory travels is kept until some
/// does.
#[utoipa::path(post, path = "/api/v1/tasks/{task}/steer", tag = "tasks", operation_id = "steerTask",
    request_body = v1::Steer,
    params(
        ("task" = String, Path, description = "Task id"),
        Reason
    ),
    responses((status = 202, body = v1::TaskStatus, description = "Asked for"), Problems))]
pub(crate) async fn steer(
    State(service): State<Service>,
    OriginalUri(uri): OriginalUri,
    caller: Caller,
    OfTask(id): OfTask,
    Body(steer): Body<v1::Steer>,
) -> Result<Response, Failed> {
    let wishes = making::wishes(&steer)?;
    service
        .blocking(move |service| {
            unfinished(service, id)?;
            let wish = |(action, value)| Wish { action, value, requester: caller.name().to_owned() };
            let wishes: Vec<Wish> = wishes.into_iter().map(wish).collect();
            if let Err(error) = service.shared.parts.engine.request_steering(id, &wishes) {
                unfinished(service, id)?;
                return Err(error.into());
            }
            Ok(())
        })
        .await?;
    accepted(&service, &uri, id).await
}

/// 202, where the task is, and how it stands.
pub(super) async fn accepted(service: &Service, uri: &Uri, id: TaskId) -> Result<Response, Failed> {
    let status = status_of(service, id).await?;
    let mut response = (StatusCode::ACCEPTED, Json(status)).into_response();
    response.extensions_mut().insert(About(id));
    // The path as the client sees it, also where these routes are mounted below another path.
    let path = uri.path();
    let mounted = path.rfind("/api/v1/").map_or("", |at| &path[..at]);
    if let Ok(location) = HeaderValue::from_str(&format!("{mounted}/api/v1/tasks/{id}")) {
        response.headers_mut().insert(header::LOCATION, location);
    }
    Ok(response)
}

pub(crate) async fn status_of(service: &Service, id: TaskId) -> Result<v1::TaskStatus, Failed> {
    let told = service
        .blocking(move |service| status(&service.shared.parts.engine, service.shared.parts.feed.as_ref(), id))
        .await?;
    told.ok_or_else(|| Failed::no_task(id))
}

/// The task's row, if there is such a task.
pub(super) fn brief_of(service: &Service, id: TaskId) -> Result<TaskBrief, Failed> {
    service.shared.parts.feed.brief(id)?.ok_or_else(|| Failed::no_task(id))
}

/// Refuses a task that is over.
fn unfinished(service: &Service, id: TaskId) -> Result<(), Failed> {
    let brief = brief_of(service, id)?;
    match brief.outcome {
        None => Ok(()),
        Some(kind) => Err(Failed::new(Code::TaskOver, format!("task {id} is over: {kind}"))
            .task(id)
            .phase(brief.phase)
            .remedy(format!("GET /api/v1/tasks/{id} says where the domain is"))),
    }
}

/// Places for those who wait on purpose.
impl Service {
    /// A place among those who wait, for as long as it is held.
    pub(super) fn place_to_wait(&self) -> Result<tokio::sync::OwnedSemaphorePermit, Failed> {
        let place = std::sync::Arc::clone(&self.shared.watchers).try_acquire_owned();
        let most = self.shared.limits.watchers;
        place.map_err(|_| Failed::new(Code::Busy, format!("{most} clients wait for news already")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_read_and_a_word_that_is_none_is_named() {
        let read = states("unfinished, performing,stuck").unwrap();
        let expected = [TaskState::Unfinished, TaskState::In(Phase::Performing), TaskState::Ended(OutcomeKind::Stuck)];
        assert_eq!(read, expected);
        assert!(states("unfinished,").is_err());
        assert!(place("no").is_err());
    }
}
