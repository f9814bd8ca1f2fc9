//! Pages of other origins. A browser lets them read an answer only where the service says so, and asks beforehand for what no plain
//! form could send. The site lists the origins whose pages may. They ask for nobody but whom a bearer token proves: what a
//! browser or a connection adds by itself (cookies, client certificates, the user of a socket, the word of a program that embeds the
//! service) it would add for any page.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::access::Keeper;
use crate::caller::{Caller, Peer};
use crate::problem::{Code, Failed};

/// Methods that a page may use.
const METHODS: &str = "GET, HEAD, POST, PUT, PATCH, DELETE";
/// Headers that it may send.
const SENT: &str =
    "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Last-Event-ID, Waypost-Reason";
/// Headers that it may read.
const READ: &str = "ETag, Location, Retry-After, RateLimit, RateLimit-Policy";
/// How long a browser need not ask again, seconds.
const KEPT: &str = "600";

/// A page of another origin, for which a browser asks.
#[derive(Debug, Clone)]
pub(crate) struct Elsewhere {
    origin: HeaderValue,
    listed: bool,
}

impl Elsewhere {
    /// The page that a request is made for; none: one of ours, or nothing says so. Where a browser says itself that page and service
    /// have one origin, its word counts; an older one names the page's origin, which must be where the request went.
    pub(crate) fn of(headers: &HeaderMap, keeper: &Keeper) -> Option<Self> {
        let mut named = headers.get_all(header::ORIGIN).iter();
        let origin = named.next()?;
        let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let ours = match said("sec-fetch-site") {
            Some(site) => matches!(site, "same-origin" | "none"),
            None => origin
                .to_str()
                .ok()
                .and_then(|origin| origin.split_once("://"))
                .is_some_and(|(_, host)| said("host").is_some_and(|asked| asked.eq_ignore_ascii_case(host))),
        };
        if ours {
            return None;
        }
        let listed = named.next().is_none() && origin.to_str().is_ok_and(|origin| keeper.lists(origin));
        Some(Self { origin: origin.clone(), listed })
    }

    /// Whether its origin is listed.
    pub(crate) fn is_listed(&self) -> bool {
        self.listed
    }

    /// Whether a browser asks what the page may send, before it sends that.
    pub(crate) fn asks_beforehand(parts: &Parts) -> bool {
        parts.method == Method::OPTIONS && parts.headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
    }

    /// What a browser is told that asks beforehand: the same of every path, whether there is something at it or not.
    pub(crate) fn permission(&self) -> Result<Response, Failed> {
        if !self.listed {
            let remedy = "list it in service.origins, if its pages may ask here with a token";
            return Err(Failed::new(Code::OtherOrigin, "the origin of this page is not listed").remedy(remedy));
        }
        let headers = [
            (header::ACCESS_CONTROL_ALLOW_METHODS, METHODS),
            (header::ACCESS_CONTROL_ALLOW_HEADERS, SENT),
            (header::ACCESS_CONTROL_MAX_AGE, KEPT),
        ];
        Ok((StatusCode::NO_CONTENT, headers).into_response())
    }

    /// Takes from its request whatever says who asks, but for a bearer token.
    pub(crate) fn takes_a_token_alone(parts: &mut Parts) {
        parts.headers.remove(header::COOKIE);
        parts.extensions.remove::<Caller>();
        if let Some(peer) = parts.extensions.get_mut::<Peer>() {
            peer.caller = None;
            peer.unclear = None;
        }
    }
}

/// What a page is told that is listed and sends no token.
pub(crate) fn no_token() -> Failed {
    let detail = "no bearer token says who asks, and for a page of another origin nothing else does";
    Failed::new(Code::NoCaller, detail).remedy("have the page send a token, or show it under the service's own origin")
}

/// Says who may read an answer; what is for everybody has said so already.
pub(crate) fn tell(keeper: &Keeper, page: Option<&Elsewhere>, headers: &mut HeaderMap) {
    if !keeper.lists_any() || headers.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
        return;
    }
    // Whoever keeps answers must not give one origin's to another.
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    if let Some(page) = page.filter(|page| page.listed) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, page.origin.clone());
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(READ));
    }
}
