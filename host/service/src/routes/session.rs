//! Who the caller is, and sessions of browsers: a token is shown once, and a cookie that no script can read stands for it.

use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use waypost_api::v1;

use crate::access::ByCookie;
use crate::access::sessions::{LASTS, set_cookie};
use crate::caller::{Caller, Proof};
use crate::openapi::Problems;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// Who the caller is here, and what that permits.
#[utoipa::path(get, path = "/api/v1/session", tag = "access", operation_id = "whoAmI",
    responses((status = 200, body = v1::Whoami, description = "Name, roles, permissions, scopes"), Problems))]
pub(crate) async fn get(caller: Caller, by_cookie: Option<Extension<ByCookie>>) -> Json<v1::Whoami> {
    Json(whoami(&caller, by_cookie.is_some()))
}

/// Begins a session for whoever shows a token in this request: the answer sets a cookie that a browser sends from then on, to
/// this origin alone. It lasts twelve hours, or as long as the token. A session that the browser had before is over; of one caller
/// the sixteen newest go on. Who has only a cookie begins none with it.
#[utoipa::path(post, path = "/api/v1/session", tag = "access", operation_id = "beginSession",
    responses(
        (status = 201, body = v1::Whoami, description = "Begun",
            headers(("Set-Cookie" = String, description = "HttpOnly, Secure, SameSite=Strict"))),
        Problems
    ))]
pub(crate) async fn begin(
    State(service): State<Service>,
    headers: HeaderMap,
    by_cookie: Option<Extension<ByCookie>>,
    caller: Caller,
) -> Result<Response, Failed> {
    if by_cookie.is_some() {
        return Err(Failed::new(Code::Refused, "a session is begun with a token, and not with another session")
            .remedy("send the header Authorization: Bearer TOKEN"));
    }
    if !matches!(caller.proof(), Proof::Token(_) | Proof::Issuer { .. }) {
        return Err(Failed::new(Code::Refused, "a session is begun with a token; this connection needs none")
            .remedy("send the header Authorization: Bearer TOKEN"));
    }
    let answer = (StatusCode::CREATED, Json(whoami(&caller, true)));
    service.keeper().end_session(&headers);
    let secret = service.keeper().begin_session(caller)?;
    Ok(with_cookie(answer.into_response(), &secret, LASTS))
}

/// Ends the session.
#[utoipa::path(delete, path = "/api/v1/session", tag = "access", operation_id = "endSession",
    responses((status = 204, description = "There is none any more"), Problems))]
pub(crate) async fn end(State(service): State<Service>, headers: HeaderMap) -> Response {
    service.keeper().end_session(&headers);
    with_cookie(StatusCode::NO_CONTENT.into_response(), "", Duration::ZERO)
}

fn with_cookie(mut response: Response, secret: &str, lasts: Duration) -> Response {
    // Base64 can stand in a header.
    if let Some(cookie) = set_cookie(secret, lasts) {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    response
}

fn whoami(caller: &Caller, session: bool) -> v1::Whoami {
    v1::Whoami::new(caller.name(), caller.grants(), session)
}
