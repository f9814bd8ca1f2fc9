//! Who asks.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;

use crate::problem::{Code, Failed};

/// Whoever made a request, proven to whoever put this into the request: the socket by the peer's credentials, another
/// program by its own means. Nothing is answered without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: String,
}

impl Caller {
    /// A caller of that name. It stands in records and is shown to policies, as the user's name is for a command.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let nobody = || Failed::new(Code::NoCaller, "nothing says who asks");
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}
