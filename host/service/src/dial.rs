//! A connection for one request to whoever a URL names, plain or over TLS: for what the service asks of others by itself, the keys
//! of issuers and the taking of traces. No proxies; the time is bounded by whoever asks.

use axum::body::Body;
use axum::http::Uri;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

/// Connects, over TLS where there is something that makes it.
pub(crate) async fn dial(uri: &Uri, tls: Option<&TlsConnector>) -> Result<SendRequest<Body>, String> {
    let host = uri.host().ok_or("the URL names no host")?;
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if tls.is_some() { 443 } else { 80 });
    let stream = TcpStream::connect((bare, port)).await.map_err(|error| format!("can't connect: {error}"))?;
    let Some(tls) = tls else { return spoken(stream).await };
    let name = ServerName::try_from(bare.to_owned()).map_err(|error| error.to_string())?;
    spoken(tls.connect(name, stream).await.map_err(|error| format!("no TLS: {error}"))?).await
}

async fn spoken(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Result<SendRequest<Body>, String> {
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| error.to_string())?;
    // Ends with the sender.
    tokio::spawn(connection);
    Ok(sender)
}
