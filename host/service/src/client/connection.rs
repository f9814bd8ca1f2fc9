//! One connection and the next: HTTP/1.1 over a Unix socket or TLS, kept for the next request, and with a bound on every wait.

use std::io;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, Method, Request, Response, header};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use waypost_core::causes::told;

use super::address::Address;
use super::alert::{Heard, Listening};
use super::error::{ClientError, Distrust};

/// From the name to the end of the TLS handshake.
const CONNECT: Duration = Duration::from_secs(10);

/// From a request to the last byte of its answer; more than a service takes before it gives up itself.
const ANSWER: Duration = Duration::from_secs(150);

/// Of an answer's body.
const MOST_BYTES: usize = 64 << 20;

/// Connections that are kept for later.
const KEPT: usize = 4;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub(super) method: Method,
    /// With its query.
    pub(super) path: String,
    pub(super) headers: Vec<(&'static str, HeaderValue)>,
    pub(super) body: Bytes,
    /// Whether it may be asked twice where the answer to the first got lost.
    pub(super) again: Again,
}

/// Whether a request may be repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It asks for nothing, or for the same thing however often.
    May,
    /// Twice is something else than once.
    MayNot,
}

/// A connection on which nothing is on its way.
pub(super) type Idle = SendRequest<Full<Bytes>>;

/// The way to one service.
pub(super) struct Wire {
    pub(super) address: Address,
    tls: Option<TlsConnector>,
    token: Option<HeaderValue>,
    idle: Mutex<Vec<Idle>>,
    /// What the service said against the client itself.
    heard: Heard,
}

impl Wire {
    pub(super) fn new(address: Address, tls: Option<TlsConnector>, token: Option<HeaderValue>) -> Self {
        Self { address, tls, token, idle: Mutex::default(), heard: Heard::default() }
    }

    /// The whole answer.
    pub(super) async fn ask(&self, asked: &Asked) -> Result<Response<Bytes>, ClientError> {
        let late = |_| ClientError::Late { address: self.address.clone(), what: "answer", within: ANSWER };
        timeout(ANSWER, self.answered(asked)).await.map_err(late)?
    }

    async fn answered(&self, asked: &Asked) -> Result<Response<Bytes>, ClientError> {
        let (response, connection) = self.begin(asked).await?;
        let (parts, body) = response.into_parts();
        let body = Limited::new(body, MOST_BYTES).collect().await.map_err(|error| self.lost(&*error))?;
        self.keep(connection);
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    /// The head of an answer, within the time for all of it, and the connection that the rest comes over.
    pub(super) async fn open(&self, asked: &Asked) -> Result<(Response<Incoming>, Idle), ClientError> {
        let late = |_| ClientError::Late { address: self.address.clone(), what: "answer", within: ANSWER };
        timeout(ANSWER, self.begin(asked)).await.map_err(late)?
    }

    /// A kept connection may have been closed meanwhile by the other end, which is seen only when it is used: a request that
    /// was not sent is sent over another one, and one that may be repeated is.
    async fn begin(&self, asked: &Asked) -> Result<(Response<Incoming>, Idle), ClientError> {
        let mut repeated = false;
        loop {
            let (mut connection, is_new) = match self.kept().await {
                Some(connection) => (connection, false),
                None => (self.connect().await?, true),
            };
            let request = self.request(asked)?;
            let mut failed = match connection.try_send_request(request).await {
                Ok(response) => {
                    // Whatever was said before: it does let this client in.
                    self.heard.take();
                    return Ok((response, connection));
                }
                Err(failed) => failed,
            };
            let unsent = failed.take_message().is_some() && !is_new;
            let again = asked.again == Again::May && !repeated;
            if !unsent && !again {
                return Err(self.lost(&failed.into_error()));
            }
            repeated |= !unsent;
        }
    }

    fn request(&self, asked: &Asked) -> Result<Request<Full<Bytes>>, ClientError> {
        let mut request = Request::builder()
            .method(asked.method.clone())
            .uri(&asked.path)
            .header(header::HOST, self.address.authority())
            .header(header::USER_AGENT, concat!("waypost/", env!("CARGO_PKG_VERSION")));
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, token);
        }
        if !asked.body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        for (name, value) in &asked.headers {
            request = request.header(*name, value);
        }
        let unclear = |error: axum::http::Error| self.unclear(format!("{} can't be asked for: {error}", asked.path));
        request.body(Full::new(asked.body.clone())).map_err(unclear)
    }

    /// A connection that is still open.
    async fn kept(&self) -> Option<Idle> {
        loop {
            let mut connection = self.idle().pop()?;
            if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    fn keep(&self, connection: Idle) {
        let mut idle = self.idle();
        if !connection.is_closed() && idle.len() < KEPT {
            idle.push(connection);
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn connect(&self) -> Result<Idle, ClientError> {
        let late = |_| ClientError::Late { address: self.address.clone(), what: "take a connection", within: CONNECT };
        timeout(CONNECT, self.connected()).await.map_err(late)?
    }

    async fn connected(&self) -> Result<Idle, ClientError> {
        let failed = |source: io::Error| ClientError::Connect { address: self.address.clone(), source };
        match &self.address {
            Address::Socket(path) => self.spoken(UnixStream::connect(path).await.map_err(failed)?).await,
            Address::Port { host, port } => {
                let Some(tls) = &self.tls else { return Err(self.distrusted("TLS was not made ready")) };
                let name = ServerName::try_from(host.clone()).map_err(|error| self.distrusted(&error.to_string()))?;
                let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
                // Requests are small, and each waits for its answer.
                stream.set_nodelay(true).map_err(failed)?;
                let secured = tls.connect(name, stream).await;
                let secured = secured.map_err(|error| ClientError::handshake(&self.address, error))?;
                self.spoken(Listening::new(secured, self.heard.clone())).await
            }
        }
    }

    async fn spoken(&self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<Idle, ClientError> {
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| self.lost(&error))?;
        // Ends with the sender and what it was asked for.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to a service ended early");
            }
        });
        Ok(sender)
    }

    pub(super) fn lost(&self, error: &(dyn std::error::Error + 'static)) -> ClientError {
        if let Some(why) = self.heard.take() {
            return ClientError::NotLetIn { address: self.address.clone(), why };
        }
        ClientError::Lost { address: self.address.clone(), why: told(error) }
    }

    pub(super) fn unclear(&self, why: String) -> ClientError {
        ClientError::Unclear { address: self.address.clone(), why }
    }

    fn distrusted(&self, why: &str) -> ClientError {
        ClientError::Untrusted { address: self.address.clone(), why: Distrust::Other(why.to_owned()) }
    }
}
