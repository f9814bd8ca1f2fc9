//! One request to the collector: http, or https by the same library and authorities as everything else here. No redirects, no
//! proxies, a bound on the answer's size; the time is bounded by whoever asks.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderValue, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Of an answer, which says next to nothing.
const MOST_BYTES: usize = 64 << 10;

/// What the last request came to. The exporter tells only that it failed.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Last>>);

/// The last request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Last {
    /// It was never made.
    #[default]
    Nothing,
    /// It was answered with this status.
    Status(u16),
    /// It was not answered, and why.
    Failed(String),
}

impl Heard {
    /// Takes what was heard, so that it is of one request only.
    pub(super) fn take(&self) -> Last {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn note(&self, last: Last) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = last;
    }
}

/// Sends requests.
pub(super) struct Sender {
    tls: Option<TlsConnector>,
    heard: Heard,
}

impl Sender {
    /// Over TLS, or without.
    pub(super) fn new(tls: Option<TlsConnector>) -> (Self, Heard) {
        let heard = Heard::default();
        (Self { tls, heard: heard.clone() }, heard)
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, String> {
        let uri = request.uri().clone();
        let host = uri.host().ok_or("the URL names no host")?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = uri.port_u16().unwrap_or(if self.tls.is_some() { 443 } else { 80 });
        let stream = TcpStream::connect((bare, port)).await.map_err(|error| format!("can't connect: {error}"))?;
        match &self.tls {
            None => talk(stream, &uri, request).await,
            Some(tls) => {
                let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
                let stream = tls.connect(name, stream).await.map_err(|error| format!("no TLS: {error}"))?;
                talk(stream, &uri, request).await
            }
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    uri: &Uri,
    request: Request<Bytes>,
) -> Result<Response<Bytes>, String> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with the sender.
    tokio::spawn(connection);
    let (mut parts, body) = request.into_parts();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let authority = HeaderValue::try_from(authority).map_err(|error| error.to_string())?;
    parts.headers.insert(header::HOST, authority);
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    parts.uri = path.parse().map_err(|error| format!("{path} is no path: {error}"))?;
    let request = Request::from_parts(parts, Body::from(body));
    let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
    let (parts, body) = response.into_parts();
    let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
    Ok(Response::from_parts(parts, body.to_bytes()))
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
            self.heard.note(match &sent {
                Ok(response) => Last::Status(response.status().as_u16()),
                Err(why) => Last::Failed(why.clone()),
            });
            sent.map_err(HttpError::from)
        })
    }
}

impl std::fmt::Debug for Sender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sender").field("tls", &self.tls.is_some()).finish_non_exhaustive()
    }
}
