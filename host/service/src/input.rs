//! What comes in, read so that whatever is wrong with it is a problem that says what.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;
use waypost_core::ids::TaskId;

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

/// The task of the path. A text that is no id names no task.
pub(crate) struct OfTask(pub(crate) TaskId);

impl<S: Send + Sync> FromRequestParts<S> for OfTask {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failed> {
        let Named(text) = Named::from_request_parts(parts, state).await?;
        text.parse().map(Self).map_err(|_| Failed::no_task(format!("{text:?}")))
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
