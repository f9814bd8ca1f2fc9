//! What comes in, read so that whatever is wrong with it is a problem that says what.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use waypost_core::ids::{PluginName, TaskId};

use crate::policies::plugin_name;
use crate::problem::{Code, Failed};

/// A JSON body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Failed;

    async fn from_request(request: Request, state: &S) -> Result<Self, Failed> {
        match Json::<T>::from_request(request, state).await {
            Ok(Json(value)) => Ok(Self(value)),
            Err(JsonRejection::JsonDataError(error)) => Err(Failed::new(Code::WrongShape, error.body_text())),
            Err(JsonRejection::JsonSyntaxError(error)) => Err(Failed::new(Code::BadRequest, error.body_text())),
            Err(JsonRejection::MissingJsonContentType(_)) => {
                Err(Failed::new(Code::NotJson, "the body is not declared as JSON")
                    .remedy("send the header Content-Type: application/json"))
            }
            Err(other) if other.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                Err(Failed::new(Code::TooLarge, other.body_text()))
            }
            Err(other) => Err(Failed::new(Code::BadRequest, other.body_text())),
        }
    }
}

/// The query of the URI.
pub(crate) struct Params<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let wrong = |rejection: QueryRejection| Failed::new(Code::BadRequest, rejection.body_text());
        Query::<T>::from_request_parts(parts, state).await.map(|Query(value)| Self(value)).map_err(wrong)
    }
}

/// How many items a page may have.
#[derive(Clone, Copy)]
pub(crate) struct PageSize(u32);

impl PageSize {
    /// From what is asked for.
    pub(crate) fn of(asked: Option<u32>) -> Result<Self, Failed> {
        match asked.unwrap_or(100) {
            limit @ 1..=500 => Ok(Self(limit)),
            limit => Err(Failed::new(Code::BadRequest, format!("limit is {limit}, which is outside 1 to 500"))),
        }
    }

    /// How many.
    pub(crate) fn most(self) -> u32 {
        self.0
    }

    /// How many have to be looked for: one more tells whether there are more.
    pub(crate) fn and_one(self) -> u32 {
        self.0 + 1
    }

    /// Makes a page of what was found; answers the last item of it if there are more.
    pub(crate) fn cut<T>(self, found: &mut Vec<T>) -> Option<&T> {
        let more = found.len() > self.0 as usize;
        found.truncate(self.0 as usize);
        found.last().filter(|_| more)
    }
}

/// The task of the path. A text that is no id names no task.
pub(crate) struct OfTask(pub(crate) TaskId);

impl<S: Send + Sync> FromRequestParts<S> for OfTask {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let Named(text) = Named::from_request_parts(parts, state).await?;
        text.parse().map(Self).map_err(|_| Failed::no_task(format!("{text:?}")))
    }
}

/// The policy of the path. Its name is that of a file, and what could not be one is refused, however it is written.
pub(crate) struct OfPlugin(pub(crate) PluginName);

impl<S: Send + Sync> FromRequestParts<S> for OfPlugin {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let text = Path::<String>::from_request_parts(parts, state).await.ok();
        text.and_then(|Path(text)| plugin_name(&text)).map(Self).ok_or_else(|| {
            Failed::new(Code::BadName, "the path holds no name that a policy can have").remedy(
                "a name has 1 to 64 letters, digits, `-` and `_` of ASCII, and begins with a letter or a digit; it is no path",
            )
        })
    }
}

/// The one name of the path.
pub(crate) struct Named(pub(crate) String);

impl<S: Send + Sync> FromRequestParts<S> for Named {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let wrong = |_| Failed::new(Code::BadRequest, "the path holds a name that is not UTF-8");
        Path::<String>::from_request_parts(parts, state).await.map(|Path(name)| Self(name)).map_err(wrong)
    }
}
