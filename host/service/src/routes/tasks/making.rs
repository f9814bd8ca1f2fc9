//! Making a task: once per key, however often it is asked for, and driven from the same moment on.

use std::sync::PoisonError;

use axum::http::HeaderMap;
use uuid::Uuid;
use waypost_api::v1;
use waypost_core::admission::MAX_DOWNTIME_MS;
use waypost_core::convergence::{LEAST_THROTTLE_PERCENT, MOST_THROTTLE_PERCENT, Steering};
use waypost_core::digest::sha256;
use waypost_core::feed::{KeyClaim, RequestKey, TaskQuery, TaskState};
use waypost_core::ids::{DomainKey, Moment, TaskId};
use waypost_core::outcome::OutcomeKind;
use waypost_core::request::MigrationRequest;
use waypost_engine::EngineError;

use super::brief_of;
use crate::access::reach::Told;
use crate::caller::Caller;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// The key of a request, if it has one.
pub(super) fn key(headers: &HeaderMap) -> Result<Option<String>, Failed> {
    let Some(value) = headers.get("idempotency-key") else { return Ok(None) };
    let wrong = || Failed::new(Code::BadRequest, "an Idempotency-Key is 1 to 255 visible ASCII characters");
    let text = value.to_str().map_err(|_| wrong())?;
    let fits = (1..=255).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits { Ok(Some(text.to_owned())) } else { Err(wrong()) }
}

/// A key, and what it stands for.
pub(crate) struct Keyed {
    key: String,
    digest: String,
}

impl Keyed {
    /// The key of a request for a migration.
    pub(super) fn new(headers: &HeaderMap, new: &v1::NewTask) -> Result<Option<Self>, Failed> {
        key(headers)?.map(|key| Ok(Self { key, digest: digest(new)? })).transpose()
    }

    /// The key of a request to begin a task again.
    pub(super) fn again(headers: &HeaderMap, id: TaskId) -> Result<Option<Self>, Failed> {
        Ok(key(headers)?.map(|key| Self { key, digest: sha256(format!("again: {id}").as_bytes()) }))
    }

    fn of(self, caller: &Caller) -> RequestKey {
        RequestKey { owner: caller.identity(), key: self.key, digest: self.digest }
    }
}

/// Makes the task that is asked for and drives it, or finds the one that an earlier request with the same key made. `within` is what
/// [`Service::asked_within`] says of the request.
pub(crate) fn make(
    service: &Service,
    caller: &Caller,
    request: MigrationRequest,
    key: Option<Keyed>,
    told: Told,
    within: Option<&str>,
) -> Result<TaskId, Failed> {
    let fresh = TaskId(Uuid::now_v7());
    // Also what is begun again is asked for by whoever asks now.
    let request = MigrationRequest { requester: caller.name().to_owned(), ..request };
    let Some(key) = key else { return accept(service, fresh, request, told, within) };
    let _turn = service.shared.making.lock().unwrap_or_else(PoisonError::into_inner);
    let key = key.of(caller);
    let feed = &service.shared.parts.feed;
    let id = match claim(service, &key, fresh)? {
        KeyClaim::New => fresh,
        KeyClaim::Same(made) if feed.brief(made)?.is_some() => return Ok(made),
        // The key was written, and then the program ended before the task was.
        KeyClaim::Same(chosen) => chosen,
        KeyClaim::Other(task) => {
            return Err(Failed::new(Code::KeyReused, format!("the key {:?} stands for another request", key.key))
                .task(task)
                .remedy("use a new key for a new request"));
        }
    };
    let accepted = accept(service, id, request, told, within);
    // Nothing was made, so the key may be used for a request that is mended. Where the store failed, what was made can't be
    // told, and the key stays: the same request may be repeated.
    if accepted.as_ref().is_err_and(|failed| failed.code() != Code::StoreFailed) {
        feed.release_key(&key)?;
    }
    accepted
}

/// The task that an earlier request with the same key made, for one that is not let through: where it is what the key stands for, and
/// the caller may still command it, nothing new is asked for.
pub(super) fn made_before(service: &Service, caller: &Caller, key: Option<Keyed>) -> Result<Option<TaskId>, Failed> {
    let Some(key) = key else { return Ok(None) };
    let _turn = service.shared.making.lock().unwrap_or_else(PoisonError::into_inner);
    let key = key.of(caller);
    let feed = &service.shared.parts.feed;
    match claim(service, &key, TaskId(Uuid::now_v7()))? {
        KeyClaim::New => {
            feed.release_key(&key)?;
            Ok(None)
        }
        KeyClaim::Same(made) => Ok(feed.brief(made)?.filter(|task| caller.scopes().commands(task)).map(|task| task.id)),
        KeyClaim::Other(_) => Ok(None),
    }
}

/// What a key stands for; a free one for that task from here on.
fn claim(service: &Service, key: &RequestKey, task: TaskId) -> Result<KeyClaim, Failed> {
    let now = service.shared.parts.clock.now();
    let kept = u64::try_from(service.shared.limits.keys_kept.as_millis()).unwrap_or(u64::MAX);
    Ok(service.shared.parts.feed.claim_key(key, task, now, Moment(now.0.saturating_sub(kept)))?)
}

/// What a task that is over was to do, if it can be begun again.
pub(super) fn to_repeat(service: &Service, id: TaskId) -> Result<MigrationRequest, Failed> {
    let brief = brief_of(service, id)?;
    match brief.outcome {
        Some(OutcomeKind::Refused | OutcomeKind::RolledBack | OutcomeKind::Cancelled) => {}
        Some(OutcomeKind::Completed) => {
            return Err(Failed::new(Code::TaskOver, format!("task {id} is completed: the domain has moved")).task(id));
        }
        kind => {
            let is = kind.map_or_else(|| brief.phase.to_string(), |kind| kind.to_string());
            return Err(Failed::new(Code::TaskNotOver, format!("task {id} is {is}, so it can't be begun again"))
                .task(id)
                .phase(brief.phase)
                .remedy(format!("GET /api/v1/tasks/{id}/situation says what may be done about it")));
        }
    }
    Ok(service.shared.parts.engine.read(id)?.request)
}

/// From here on it is a task, and it is driven: nothing can come between the two, also not a client that goes away.
fn accept(
    service: &Service,
    id: TaskId,
    request: MigrationRequest,
    told: Told,
    within: Option<&str>,
) -> Result<TaskId, Failed> {
    let domain = request.domain.clone();
    let (requester, wanted, to) = (request.requester.clone(), domain.to_string(), request.destination.clone());
    match service.shared.parts.engine.accept_as(id, request) {
        Ok(driver) => {
            // As text, in which what the names of others hold is escaped.
            let (requester, domain, to) = (requester.as_str(), wanted.as_str(), to.as_str());
            tracing::info!(task = %id, requester, domain, to, "a task is accepted");
            // Before it begins, because it may end at once; a migration is not given up for the sake of its trace.
            let noted = within.map_or(Ok(()), |within| service.shared.parts.feed.note_context(id, within));
            if let Err(fault) = noted {
                tracing::warn!(task = %id, %fault, "the trace of a task will not say within what it was asked for");
            }
            // Else whoever asked could not see the task before its domain was read: the scope has the domain's other name. What the
            // driver finds out itself takes the place of this, also whose the domain is.
            if let Some((host, brief)) = told {
                let named = service.shared.parts.store.claim(id, brief.id, &brief.name, &host);
                if let Err(error) = named {
                    tracing::warn!(task = %id, %error, "a task goes by what was asked for until its domain is read");
                }
            }
            service.shared.desk.take(driver);
            Ok(id)
        }
        // The store says it in words; a program is told which task it is.
        Err(error @ EngineError::Store(_)) => Err(busy(service, &domain)?.unwrap_or_else(|| error.into())),
        // In a body a host that is not there is a mistake of the body.
        Err(error @ EngineError::NoHost { .. }) => {
            Err(Failed::new(Code::Refused, error.to_string()).remedy("GET /api/v1/hosts lists the hosts"))
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether another task has the domain.
pub(crate) fn busy(service: &Service, domain: &DomainKey) -> Result<Option<Failed>, Failed> {
    let DomainKey::Id(id) = domain else { return Ok(None) };
    let query = TaskQuery { states: vec![TaskState::Unfinished], domain: Some(id.to_string()), ..TaskQuery::default() };
    let other = service.shared.parts.feed.page(&query, 1)?;
    Ok(other.first().map(|other| {
        Failed::new(Code::DomainBusy, format!("task {} is migrating this domain already", other.id))
            .task(other.id)
            .phase(other.phase)
            .remedy("wait for it, or cancel it")
    }))
}

/// What is wanted of a transfer, if it can be wanted at all.
pub(super) fn wishes(steer: &v1::Steer) -> Result<Vec<(Steering, Option<u64>)>, Failed> {
    let wrong = |why: &str| Err(Failed::new(Code::Refused, why));
    if steer.max_downtime_ms.is_some_and(|ms| !(1..=MAX_DOWNTIME_MS).contains(&ms)) {
        return wrong("max_downtime_ms is outside 1 to 2000000");
    }
    if steer.bandwidth_mib_s.is_some_and(|mib_s| !(1..=u64::from(u32::MAX)).contains(&mib_s)) {
        return wrong("bandwidth_mib_s is outside 1 to 4294967295");
    }
    let throttles = LEAST_THROTTLE_PERCENT..=MOST_THROTTLE_PERCENT;
    if steer.throttle_percent.is_some_and(|percent| !throttles.contains(&percent)) {
        return wrong("throttle_percent is outside 20 to 99");
    }
    if steer.post_copy && steer.suspend {
        return wrong("post_copy and suspend exclude each other");
    }
    let wishes = steer.wishes();
    if wishes.is_empty() { wrong("nothing is wanted: name a limit, post_copy or suspend") } else { Ok(wishes) }
}

/// The same for requests that mean the same, however they are written.
fn digest(new: &v1::NewTask) -> Result<String, Failed> {
    let text = serde_json::to_vec(new).map_err(|error| Failed::new(Code::Defect, error.to_string()))?;
    Ok(sha256(&text))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_key_is_short_and_visible() {
        let read = |value: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert("Idempotency-Key", HeaderValue::from_static(value));
            key(&headers)
        };
        assert_eq!(key(&HeaderMap::new()).unwrap(), None);
        assert_eq!(read("a-1").unwrap().as_deref(), Some("a-1"));
        for wrong in ["", "a b"] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
        let mut headers = HeaderMap::new();
        headers.insert("Idempotency-Key", HeaderValue::from_str(&"x".repeat(256)).unwrap());
        assert!(key(&headers).is_err());
    }

    #[test]
    fn requests_that_mean_the_same_have_one_digest() {
        let of = |text: &str| digest(&serde_json::from_str(text).unwrap()).unwrap();
        assert_eq!(of(r#"{"domain":"d","to":"b"}"#), of("{ \"to\": \"b\",\n\"domain\": \"d\", \"options\": {} }"));
        assert_ne!(of(r#"{"domain":"d","to":"b"}"#), of(r#"{"domain":"d","to":"c"}"#));
    }
}
