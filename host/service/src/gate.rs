//! What every request passes, in this one place: is it known who asks, is there room for one more, does it end in time, and
//! does even a defect end as a problem and not as a connection that breaks; and is it a page of ours that has a browser change
//! something, for a browser lends whoever it serves to any page. Roles and scopes belong here when they come:
//! what follows the gate asks nobody again.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;

use crate::caller::Caller;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// The gate.
pub(crate) async fn pass(State(service): State<Service>, request: Request, next: Next) -> Response {
    let mut response = match admit(&service, request, next).await {
        Ok(response) => response,
        Err(failed) => failed.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Everything here is of the moment.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn admit(service: &Service, request: Request, next: Next) -> Result<Response, Failed> {
    if request.extensions().get::<Caller>().is_none() {
        return Err(Failed::new(Code::NoCaller, "nothing says who asks"));
    }
    if service.is_draining() && request.method() != Method::GET {
        return Err(Failed::new(Code::Draining, "the service is being stopped and takes on nothing new"));
    }
    if is_from_elsewhere(request.method(), request.headers()) {
        return Err(Failed::new(Code::OtherOrigin, "only a page of this service may have a browser change something"));
    }
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let listens = path.ends_with("/events") || request.uri().query().is_some_and(|query| query.contains("wait="));
    let answer = AssertUnwindSafe(next.run(request)).catch_unwind();
    let answer = async {
        answer.await.map_err(|_| {
            tracing::error!(%method, path, "a request came upon a defect");
            Failed::new(Code::Defect, "a defect in the service; its log has more")
        })
    };
    // Who listens waits on purpose, and takes a place of another kind.
    if listens {
        return answer.await;
    }
    let limits = &service.shared.limits;
    let Ok(_place) = service.shared.requests.try_acquire() else {
        return Err(Failed::new(Code::Busy, format!("{} requests are being worked on already", limits.requests)));
    };
    match tokio::time::timeout(limits.request_time, answer).await {
        Ok(answer) => answer,
        Err(_) => {
            Err(Failed::new(Code::TooSlow, format!("there is no answer after {} s", limits.request_time.as_secs())))
        }
    }
}

/// Whether a browser asks for a change on behalf of a page of another origin. Where a browser says it itself, its word counts;
/// an older one names the page's origin, which must be where the request went. Programs say neither.
fn is_from_elsewhere(method: &Method, headers: &HeaderMap) -> bool {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if method.is_safe() {
        return false;
    }
    match (said("sec-fetch-site"), said("origin")) {
        (Some(site), _) => !matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let host = origin.split_once("://").map(|(_, host)| host);
            host.is_none() || host != said("host")
        }
        (None, None) => false,
    }
}
