//! What every request passes, in this one place: who asks, may they, is it a page of ours that has a browser change something (for a
//! browser lends whoever it serves to any page), is there room for one more, is a change on record before it is made, does it
//! end in time, and does even a defect end as a problem and not as a connection that breaks. What follows the gate asks
//! nobody again; only what a body names, and what an answer tells of, is held to the caller's scope by its handler.

use std::panic::AssertUnwindSafe;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::access::permit::Named;
use crate::access::table::{Route, Rule};
use crate::access::{Who, audit, permit};
use crate::caller::{Caller, Peer};
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
    let route = Route::of(&request);
    let (mut parts, body) = request.into_parts();
    let Some(Who { caller, by_cookie }) = who(service, &parts).await? else {
        // What anybody may have, over a connection that could have shown a token.
        if route.needs_nothing() && parts.extensions.get::<Peer>().is_some() {
            // The dashboard has nothing to show to nobody.
            return Ok(match parts.uri.path() {
                "/" => Redirect::to("/login").into_response(),
                _ => next.run(Request::from_parts(parts, body)).await,
            });
        }
        return Err(Failed::new(Code::NoCaller, "nothing says who asks"));
    };
    if service.is_draining() && parts.method != Method::GET {
        return Err(Failed::new(Code::Draining, "the service is being stopped and takes on nothing new"));
    }
    if is_from_elsewhere(&parts.method, &parts.headers, by_cookie) {
        return Err(Failed::new(Code::OtherOrigin, "only a page of this service may have a browser change something"));
    }
    let rule = route.rule()?;
    let mut named = Named::default();
    if let Some(rule) = rule {
        permit::role(&caller, rule)?;
        if rule.is_change() || !caller.scope().is_everything() {
            named = Named::in_path(service, &mut parts).await?;
        }
        permit::scope(&caller, rule, &named)?;
    }
    parts.extensions.insert(caller.clone());
    let request = Request::from_parts(parts, body);
    let waits = |query: &str| query.contains("wait=");
    let listens = request.method() == Method::GET
        && (request.uri().path().ends_with("/events") || request.uri().query().is_some_and(waits));
    let answer = async {
        match rule.filter(|rule| rule.is_change()) {
            Some(rule) => change(service, &caller, rule, &named, request, next).await,
            None => run(request, next).await,
        }
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

/// Who asks. A program that embeds the service and says so itself is believed, and its Authorization headers are its own.
async fn who(service: &Service, parts: &Parts) -> Result<Option<Who>, Failed> {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        return Ok(Some(Who { caller: caller.clone(), by_cookie: false }));
    }
    match parts.extensions.get::<Peer>() {
        Some(peer) => service.keeper().who(&parts.headers, peer).await,
        None => Ok(None),
    }
}

/// Runs a request that changes nothing, or has been noted.
async fn run(request: Request, next: Next) -> Result<Response, Failed> {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    AssertUnwindSafe(next.run(request)).catch_unwind().await.map_err(|_| {
        tracing::error!(%method, path, "a request came upon a defect");
        Failed::new(Code::Defect, "a defect in the service; its log has more")
    })
}

/// Notes a change, makes it, and notes what came of it; to the end, also when the client goes away in the middle.
async fn change(
    service: &Service,
    caller: &Caller,
    rule: &Rule,
    named: &Named,
    request: Request,
    next: Next,
) -> Result<Response, Failed> {
    let (parts, body) = request.into_parts();
    let body = match Limited::new(body, service.shared.limits.body_bytes).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => {
            let most = service.shared.limits.body_bytes;
            return Err(Failed::new(Code::TooLarge, format!("the body has more than {most} bytes")));
        }
        Err(error) => return Err(Failed::new(Code::BadRequest, format!("the body can't be read: {error}"))),
    };
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let asked = audit::asked(service, caller, rule, named, &request, &body)?;
    let service = service.clone();
    let made = tokio::spawn(async move {
        let number = audit::note(&service, asked).await?;
        let answer = run(request, next).await;
        let came = audit::came(&answer);
        audit::settle(&service, number, came).await;
        answer
    });
    made.await.unwrap_or_else(|_| Err(Failed::new(Code::Defect, "a defect in the service; its log has more")))
}

/// Whether a browser asks for a change on behalf of a page of another origin. Where a browser says it itself, its word counts;
/// an older one names the page's origin, which must be where the request went. Programs say neither, and have no cookies.
fn is_from_elsewhere(method: &Method, headers: &HeaderMap, by_cookie: bool) -> bool {
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
        (None, None) => by_cookie,
    }
}
