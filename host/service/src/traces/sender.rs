//! One request to the collector: http, or https by the same library and authorities as everything else here. No redirects, no
//! proxies, a bound on the answer's size; the time is bounded by whoever asks.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, header};
use http_body_util::{BodyExt as _, Limited};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio_rustls::TlsConnector;

use crate::dial::dial;

/// Of an answer, which says next to nothing.
const MOST_BYTES: usize = 64 << 10;

/// What the last request came to. The exporter tells only that it failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Last>>);

/// The last request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Last {
    /// It was never made, or nobody was reached.
    #[default]
    Nothing,
    /// Somebody was reached, and has not answered.
    Reached,
    /// It was answered with this status.
    Status(u16),
    /// Nobody could be reached, and why.
    Failed(String),
    /// Somebody was reached and did not answer, and why.
    Broken(String),
}

impl Heard {
    /// Takes what was heard, so that it is of one request only.
    pub(super) fn take(&self) -> Last {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, last: Last) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }

    fn fail(&self, why: String) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *last = if *last == Last::Reached { Last::Broken(why) } else { Last::Failed(why) };
    }
}

/// Sends requests.
pub(super) struct Sender {
    tls: Option<TlsConnector>,
    /// Those of the site. Others that the library finds in the environment were not looked at by anybody, and are not sent.
    headers: HeaderMap,
    heard: Heard,
}

impl Sender {
    /// Over TLS, or without.
    pub(super) fn new(tls: Option<TlsConnector>, headers: HeaderMap) -> (Self, Heard) {
        let heard = Heard::default();
        (Self { tls, headers, heard: heard.clone() }, heard)
    }

    async fn send(&self, mut request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        self.heard.note(Last::Nothing);
        let kind = request.headers_mut().remove(header::CONTENT_TYPE);
        *request.headers_mut() = self.headers.clone();
        if let Some(kind) = kind {
            request.headers_mut().insert(header::CONTENT_TYPE, kind);
        }
        let uri = request.uri().clone();
        let mut sender = dial(&uri, self.tls.as_ref()).await?;
        self.heard.note(Last::Reached);
        let (mut parts, body) = request.into_parts();
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        let authority = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
        parts.headers.insert(header::HOST, authority);
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        parts.uri = path.parse().map_err(|error| format!("{path} is no path: {error}"))?;
        let request = Request::from_parts(parts, Body::from(body));
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        let (parts, body) = response.into_parts();
        // It is said by now whether it was taken, whatever comes of the rest.
        self.heard.note(Last::Status(parts.status.as_u16()));
        let body = Limited::new(body, MOST_BYTES).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        Ok(Response::from_parts(parts, body))
    }
}

impl HttpClient for Sender {
    // What the macro of the trait makes of an async function.
    fn send_bytes<'a, 'b>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'b>>
    where
        'a: 'b,
        Self: 'b,
    {
        Box::pin(async move {
            let sent = self.send(request).await;
            if let Err(why) = &sent {
                self.heard.fail(why.clone());
            }
            sent.map_err(HttpError::from)
        })
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}
