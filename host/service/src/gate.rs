//! What every request passes, in this one place: is it known who asks, is there room for one more, does it end in time, and
//! does even a defect end as a problem and not as a connection that breaks. Roles and scopes belong here when they come:
//! what follows the gate asks nobody again.

use std::panic::AssertUnwindSafe;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, header};
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
