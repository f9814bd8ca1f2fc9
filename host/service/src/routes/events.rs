//! What happens, as it happens: server-sent events, each record with its number, so that a client that comes back goes on
//! where it was.

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use axum::{Extension, Json};
use serde::Deserialize;
use tokio::time::{Duration, Instant};
use utoipa::IntoParams;
use waypost_api::v1;
use waypost_core::ids::TaskId;

use super::tasks::brief_of;
use crate::access::Grounds;
use crate::caller::Caller;
use crate::hub::{Stream, Waited};
use crate::input::{OfTask, PageSize, Params};
use crate::openapi::Problems;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// Where a stream begins.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Beginning {
    /// The same as the header `Last-Event-ID`, which goes before it: for clients that can't set it.
    #[param(maximum = 18446744073709551615_u64)]
    after: Option<u64>,
}

/// Events of all tasks, from now on or after the one that is named. `record`: a record was written; its id is its number in
/// the one order of all records. None is left out, also over a restart of the service, but for two: records of tasks that were pruned
/// meanwhile, and to a caller with a scope those from before it was known that the task is within it, which `/tasks/{task}/records`
/// has. `progress`: how far a running transfer is; without an id, because the next one says all that it said. The stream ends with
/// what proved who asks, at the next heartbeat at the latest.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "events",
    params(("Last-Event-ID" = Option<u64>, Header, description = "The last event that was seen"), Beginning),
    responses((status = 200, content_type = "text/event-stream", body = String,
        description = "`record` events hold a RecordEvent, `progress` events a Progress"), Problems))]
pub(crate) async fn all(
    State(service): State<Service>,
    caller: Caller,
    Extension(grounds): Extension<Grounds>,
    headers: HeaderMap,
    Params(from): Params<Beginning>,
) -> Result<Response, Failed> {
    let named = named(&headers, &from)?;
    let newest = service.read(|feed| feed.last_change()).await?;
    stream(&service, &caller, grounds, None, known(named.unwrap_or(newest), newest)?)
}

/// Events of one task, from its first record on or after the one that is named.
#[utoipa::path(get, path = "/api/v1/tasks/{task}/events", tag = "events", operation_id = "taskEvents",
    params(
        ("task" = String, Path, description = "Task id"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was seen"),
        Beginning
    ),
    responses((status = 200, content_type = "text/event-stream", body = String,
        description = "As those of all tasks"), Problems))]
pub(crate) async fn of_task(
    State(service): State<Service>,
    caller: Caller,
    Extension(grounds): Extension<Grounds>,
    OfTask(id): OfTask,
    headers: HeaderMap,
    Params(from): Params<Beginning>,
) -> Result<Response, Failed> {
    let named = named(&headers, &from)?;
    let newest = service
        .blocking(move |service| {
            brief_of(service, id)?;
            Ok(service.shared.parts.feed.last_change()?)
        })
        .await?;
    stream(&service, &caller, grounds, Some(id), known(named.unwrap_or(0), newest)?)
}

/// Where a page begins, how long it is waited for where there is nothing, and how long it is.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// `last` of the page before; without it, what comes from now on.
    #[param(maximum = 18446744073709551615_u64)]
    after: Option<u64>,
    /// Seconds to wait at most, where there is nothing. More than 60 are 60. Without it the answer comes at once.
    #[param(maximum = 18446744073709551615_u64)]
    wait: Option<u64>,
    /// Records on a page.
    #[param(minimum = 1, maximum = 500, default = 100)]
    limit: Option<u32>,
}

/// What happened after that number, of all tasks: the records of the stream of events, in pages, for clients that can't listen; what
/// the stream leaves out is left out here too. With `wait` the answer comes as soon as something was written.
#[utoipa::path(get, path = "/api/v1/changes", tag = "events", operation_id = "changes", params(Asked),
    responses((status = 200, body = v1::Changes, description = "A page of it"), Problems))]
pub(crate) async fn changes(
    State(service): State<Service>,
    caller: Caller,
    Params(Asked { after, wait, limit }): Params<Asked>,
) -> Result<Json<v1::Changes>, Failed> {
    let most = PageSize::of(limit)?.most();
    let _place = wait.map(|_| service.place_to_wait()).transpose()?;
    let mut ear = wait.map(|_| service.shared.hub.listen());
    let longest = service.shared.limits.longest_wait;
    let until = Instant::now() + Duration::from_secs(wait.unwrap_or_default()).min(longest);
    let newest = service.read(|feed| feed.last_change()).await?;
    let mut after = known(after.unwrap_or(newest), newest)?;
    loop {
        // Before it is read: what is written from here on ends the wait.
        if let Some(ear) = &mut ear {
            ear.attend();
        }
        let page = page(&service, &caller, after, most).await?;
        if !page.records.is_empty() {
            return Ok(Json(page));
        }
        after = page.last;
        // What the caller may not see is passed over, however much it is.
        if page.more {
            continue;
        }
        let Some(ear) = &mut ear else { return Ok(Json(page)) };
        match ear.wait(until.saturating_duration_since(Instant::now())).await {
            Some(Waited::Published) => {}
            Some(Waited::InVain) | None => return Ok(Json(page)),
        }
    }
}

async fn page(service: &Service, caller: &Caller, after: u64, most: u32) -> Result<v1::Changes, Failed> {
    let caller = caller.clone();
    service
        .blocking(move |service| {
            let feed = service.shared.parts.feed.as_ref();
            let mut found = feed.changes(None, after, most)?;
            let more = found.len() >= most as usize;
            let last = found.last().map_or(after, |change| change.sequence);
            caller.keep_seen(feed, &mut found, |change| change.task)?;
            let moving = feed.moving()?;
            let seen = moving.iter().filter(|moving| caller.scopes().sees(&moving.brief));
            let progress = seen.map(v1::Progress::from).collect();
            Ok(v1::Changes { records: found.iter().map(v1::RecordEvent::from).collect(), progress, last, more })
        })
        .await
}

/// Whether what proved the caller is still worth something: a stream ends with it. That is looked at once in a heartbeat, however
/// much or little there is to send, and when its proof is known to end.
struct StillGood {
    service: Service,
    grounds: Grounds,
    /// When it is looked at next.
    due: Instant,
}

impl StillGood {
    fn begin(service: &Service, grounds: Grounds) -> Self {
        let mut good = Self { service: service.clone(), grounds, due: Instant::now() };
        good.wait();
        good
    }

    fn wait(&mut self) {
        let heartbeat = self.service.shared.limits.heartbeat;
        let lasts = self.service.keeper().last(&self.grounds);
        self.due = Instant::now() + lasts.map_or(heartbeat, |lasts| lasts.min(heartbeat));
    }

    async fn holds(&mut self) -> bool {
        if Instant::now() < self.due {
            return true;
        }
        // That the store can't be read now says nothing of the caller.
        let holds = self.service.keeper().holds(&self.grounds).await.unwrap_or(true);
        self.wait();
        holds
    }
}

fn named(headers: &HeaderMap, from: &Beginning) -> Result<Option<u64>, Failed> {
    let Some(value) = headers.get("last-event-id") else { return Ok(from.after) };
    let number = value.to_str().ok().and_then(|text| text.trim().parse().ok());
    number.map(Some).ok_or_else(|| Failed::new(Code::BadRequest, "Last-Event-ID is not the id of an event"))
}

/// A number that was never sent is of another store: waiting for it would be waiting in vain, and silently.
fn known(after: u64, newest: u64) -> Result<u64, Failed> {
    if after <= newest {
        return Ok(after);
    }
    Err(Failed::new(Code::UnknownEvent, format!("event {after} was never sent; the last one is {newest}"))
        .remedy("the state was replaced: read the tasks again, and listen from now on"))
}

fn stream(
    service: &Service,
    caller: &Caller,
    grounds: Grounds,
    of: Option<TaskId>,
    after: u64,
) -> Result<Response, Failed> {
    let place = service.place_to_wait()?;
    let stream = Stream::new(&service.shared.hub, of, caller.scopes().clone(), after);
    let good = StillGood::begin(service, grounds);
    let pieces = futures_util::stream::unfold((stream, good, place), |(mut stream, mut good, place)| async move {
        let piece = stream.next(good.due).await?;
        good.holds().await.then_some((Ok::<_, std::convert::Infallible>(piece), (stream, good, place)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    // A proxy that gathers an answer before it passes it on would make news of it old.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}
