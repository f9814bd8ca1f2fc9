//! What every request passes, in this one place: who asks, may they, is it a page of ours that has a browser change something (for a
//! browser lends whoever it serves to any page), do they ask too often, is there room for one more, is a change on record before it is made, does it
//! end in time, and does even a defect end as a problem and not as a connection that breaks. What follows the gate asks
//! nobody again; only what a body names, and what an answer tells of, is held to the caller's scope by its handler.

use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, Uri, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use futures_util::FutureExt as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use hyper::body::Body as _;
use waypost_core::digest::sha256;

use crate::access::permit::Named;
use crate::access::table::{Listening, Route, Rule};
use crate::access::{ByCookie, Who, audit, permit};
use crate::caller::{Caller, Origin, Peer};
use crate::origins::{self, Elsewhere};
use crate::problem::{Code, Failed};
use crate::rate::{Fill, Whose};
use crate::service::Service;

/// The gate.
pub(crate) async fn pass(State(service): State<Service>, request: Request, next: Next) -> Response {
    // Shared, not copied: they are needed only of who is refused.
    let (method, uri) = (request.method().clone(), request.uri().clone());
    let origin = request.extensions().get::<Peer>().map(|peer| peer.origin);
    let page = Elsewhere::of(request.headers(), service.keeper());
    let mut standing = None;
    let mut response = match admit(&service, request, next, page.as_ref(), &mut standing).await {
        Ok(response) => response,
        Err(failed) => {
            // What is guessed and tried is seen by whoever reads the log.
            if failed.code().turns_away() {
                let (code, why) = (failed.code().as_str(), &failed.problem().detail);
                let from = origin.map(tracing::field::display);
                tracing::warn!(%method, path = uri.path(), from, code, why, "refused");
            }
            failed.into_response()
        }
    };
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Everything here is of the moment.
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    if let Some(standing) = standing {
        standing.tell(headers);
    }
    origins::tell(service.keeper(), page.as_ref(), headers);
    response
}

/// Lets a request through, or says why not. How its caller stands with the rate is noted where it is counted, whatever comes of it.
async fn admit(
    service: &Service,
    request: Request,
    next: Next,
    page: Option<&Elsewhere>,
    standing: &mut Option<Fill>,
) -> Result<Response, Failed> {
    let route = Route::of(&request);
    let (mut parts, body) = request.into_parts();
    if is_rebound(service, &parts) {
        return Err(Failed::new(Code::OtherOrigin, "whoever asks under a name with dots has no business on this socket").remedy(
            "on the socket the connection alone says who asks, and a page of any name could be led here: ask for localhost or an \
             address, open a port with TLS, or list the name of a proxy in service.names",
        ));
    }
    let unproven = parts.extensions.get::<Peer>().and_then(|peer| Whose::unproven(peer.origin));
    if let Some(page) = page.filter(|_| Elsewhere::asks_beforehand(&parts)) {
        count(service, unproven, standing)?;
        return page.permission();
    }
    let listed = page.is_some_and(Elsewhere::is_listed);
    if listed {
        Elsewhere::takes_a_token_alone(&mut parts);
    }
    let known = match tokio::time::timeout(PROVING, who(service, &parts)).await {
        // What anybody may have is not kept from a browser whose session is over: it has to log in again.
        Ok(Err(_)) if route.needs_nothing() => Ok(None),
        Ok(known) => known,
        Err(_) => Err(Failed::new(Code::TooSlow, "who asks could not be settled in time")),
    };
    let whose = match &known {
        // Whoever restarts what does not answer must not be kept from asking.
        Ok(Some(_)) if route.is_about_health() => None,
        Ok(Some(who)) => Whose::of(&who.caller),
        Ok(None) | Err(_) => unproven,
    };
    count(service, whose, standing)?;
    let Some(Who { mut caller, by_cookie }) = known? else {
        // What anybody may have, over a connection that could have shown a token.
        if route.needs_nothing() && parts.extensions.get::<Peer>().is_some() {
            // The dashboard has nothing to show to nobody.
            return Ok(match parts.uri.path() {
                "/" => Redirect::to("/login").into_response(),
                _ => next.run(Request::from_parts(parts, body)).await,
            });
        }
        return Err(match listed {
            true => origins::no_token(),
            false => Failed::new(Code::NoCaller, "nothing says who asks"),
        });
    };
    if service.is_draining() && !parts.method.is_safe() {
        return Err(Failed::new(Code::Draining, "the service is being stopped and takes on nothing new"));
    }
    // A session is for pages of this origin, so none of another begins one.
    let with_a_token = listed && parts.uri.path() != SESSION;
    if !with_a_token && is_from_elsewhere(&parts.method, &parts.headers, by_cookie) {
        return Err(Failed::new(Code::OtherOrigin, "only a page of this service may have a browser change something"));
    }
    let rule = route.rule()?;
    let mut named = Named::default();
    if let Some(rule) = rule {
        caller = permit::role(caller, rule)?;
        if rule.is_change() || !caller.scopes().is_everything() {
            named = Named::in_path(service, &mut parts).await?;
        }
        permit::scope(&caller, rule, &named)?;
    }
    parts.extensions.insert(caller.clone());
    if by_cookie {
        parts.extensions.insert(ByCookie);
    }
    let grounds = rule.is_some_and(|rule| listens(rule, &parts)).then(|| {
        let peer = parts.extensions.get::<Peer>();
        service.keeper().grounds(caller.clone(), by_cookie, &parts.headers, peer)
    });
    if let Some(grounds) = &grounds {
        parts.extensions.insert(grounds.clone());
    }
    let request = Request::from_parts(parts, body);
    let answer = async {
        match rule.filter(|rule| rule.is_change()) {
            Some(rule) => change(service, &caller, rule, &named, request, next).await,
            None => run(request, next).await,
        }
    };
    // Who listens waits on purpose, and takes a place of another kind.
    if let Some(grounds) = grounds {
        let answer = answer.await;
        // What proved the caller may have ended while it waited. That the store can't be read now says nothing of the caller.
        return match service.keeper().holds(&grounds).await {
            Ok(false) => Err(worthless()),
            Ok(true) | Err(_) => answer,
        };
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

/// Counts a request with whoever makes it, and refuses one that is too many.
fn count(service: &Service, whose: Option<Whose>, standing: &mut Option<Fill>) -> Result<(), Failed> {
    let Some(whose) = whose else { return Ok(()) };
    *standing = service.shared.rate.take(&whose);
    match standing.map(Fill::permits) {
        Some(Err(refused)) => {
            service.shared.metrics.http.limited(&whose);
            Err(refused)
        }
        Some(Ok(())) | None => Ok(()),
    }
}

/// Whether a request waits for news on purpose.
fn listens(rule: &Rule, parts: &Parts) -> bool {
    match rule.listening() {
        Listening::Always => true,
        Listening::WhereItWaits => waits(&parts.uri),
        Listening::Never => false,
    }
}

/// Whether a query has `wait`, read as the handlers read theirs: a letter of it may be written as `%61`.
fn waits(uri: &Uri) -> bool {
    Query::<Vec<(String, String)>>::try_from_uri(uri).is_ok_and(|Query(said)| said.iter().any(|(key, _)| key == "wait"))
}

/// Who asks. A program that embeds the service and says so itself is believed, and its Authorization headers are its own.
async fn who(service: &Service, parts: &Parts) -> Result<Option<Who>, Failed> {
    if let Some(caller) = parts.extensions.get::<Caller>() {
        if caller.is_over(service.shared.parts.clock.now()) {
            return Err(worthless());
        }
        return Ok(Some(Who { caller: caller.clone(), by_cookie: false }));
    }
    match parts.extensions.get::<Peer>() {
        Some(peer) => service.keeper().who(&parts.headers, peer).await,
        None => Ok(None),
    }
}

fn worthless() -> Failed {
    Failed::new(Code::NoCaller, "what said who asks is worth nothing any more")
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
    if let Some(encoding) = encoding(&parts.headers) {
        return Err(Failed::new(Code::EncodedBody, format!("the body is sent as {encoding:?}"))
            .remedy("send it as it is, without a Content-Encoding"));
    }
    let (limits, uploads) = (&service.shared.limits, &service.shared.uploads);
    let most = if rule.is_upload() { limits.upload_bytes } else { limits.body_bytes };
    // Held until it is done with: so long a file is in memory, and a thread waits for the change before it.
    let place = match rule.changes_policies() {
        false => None,
        true => match Arc::clone(uploads).try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                let detail = format!("{} changes of policies are being worked on already", limits.uploads);
                return Err(Failed::new(Code::Busy, detail));
            }
        },
    };
    let too_large = || Failed::new(Code::TooLarge, format!("the body has more than {most} bytes"));
    // Said beforehand: then nothing of it is read.
    if body.size_hint().lower() > most as u64 {
        return Err(too_large());
    }
    let body = match Limited::new(body, most).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<LengthLimitError>() => return Err(too_large()),
        Err(error) => return Err(Failed::new(Code::BadRequest, format!("the body can't be read: {error}"))),
    };
    let digest = match rule.is_upload() {
        true => {
            let file = body.clone();
            Some(service.blocking(move |_| Ok(sha256(&file))).await?)
        }
        false => None,
    };
    let request = Request::from_parts(parts, Body::from(body.clone()));
    let asked = audit::asked(service, caller, rule, named, &request, (&body, digest))?;
    let service = service.clone();
    let made = tokio::spawn(async move {
        let number = audit::note(&service, asked).await?;
        let answer = run(request, next).await;
        let came = audit::came(&answer);
        audit::settle(&service, number, came).await;
        drop(place);
        answer
    });
    made.await.unwrap_or_else(|_| Err(Failed::new(Code::Defect, "a defect in the service; its log has more")))
}

/// How a body is encoded, where it is not sent as it is.
fn encoding(headers: &HeaderMap) -> Option<String> {
    let mut all = headers.get_all(header::CONTENT_ENCODING).iter().map(|value| value.to_str().unwrap_or("?"));
    all.find(|value| !value.trim().eq_ignore_ascii_case("identity")).map(str::to_owned)
}

/// Where a session is begun and ended.
const SESSION: &str = "/api/v1/session";

/// How long it may take to settle who asks: an issuer may have to be asked for its keys.
const PROVING: Duration = Duration::from_secs(30);

/// Whether a browser may have been led to the socket under somebody else's name: through a forwarded port any page can, by a name of
/// its own that comes to mean this machine, and is then of the same origin. Names without a dot and addresses can't be given
/// to others, and what the site lists it has given itself. On the network the certificate has the names.
fn is_rebound(service: &Service, parts: &Parts) -> bool {
    let on_socket = parts.extensions.get::<Peer>().is_some_and(|peer| matches!(peer.origin, Origin::User(_)));
    let said = parts.headers.get_all(header::HOST).iter().map(|host| host.to_str().unwrap_or("."));
    let mut names = said.chain(parts.uri.authority().map(|authority| authority.as_str()));
    on_socket
        && parts.extensions.get::<Caller>().is_none()
        && names.any(|name| !is_local(name) && !service.keeper().goes_by(name))
}

/// Whether that is an address, or a name without a dot; a port may follow.
fn is_local(host: &str) -> bool {
    if host.parse::<SocketAddr>().is_ok() {
        return true;
    }
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    bare.parse::<IpAddr>().is_ok() || name.parse::<IpAddr>().is_ok() || !name.contains('.')
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_known_however_the_word_is_written() {
        for query in ["wait=60", "since=1&wait=60", "w%61it=60", "%77%61%69%74=1", "wait", "limit=1&wait=x"] {
            assert!(waits(&format!("/api/v1/changes?{query}").parse().unwrap()), "{query}");
        }
        for query in ["", "since=1", "await=1", "since=wait%3D1", "Wait=1", "w%2561it=60"] {
            assert!(!waits(&format!("/api/v1/changes?{query}").parse().unwrap()), "{query}");
        }
    }

    #[test]
    fn only_names_that_nobody_can_take_are_asked_for_on_the_socket() {
        for host in ["waypost", "localhost:8080", "127.0.0.1", "10.0.0.1:8080", "::1", "[::1]", "[::1]:8080", ""] {
            assert!(is_local(host), "{host:?}");
        }
        for host in ["evil.example", "evil.example:8080", "localhost.evil.example", "127.0.0.1.evil.example", "a.", "."]
        {
            assert!(!is_local(host), "{host:?}");
        }
    }
}
