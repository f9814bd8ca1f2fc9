//! One connection, whatever it came over: HTTP/1.1 on it, with a bound on the time of a request's head, until it ends or the
//! service does.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::Watcher;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::ServiceExt as _;

use crate::caller::Peer;

/// How long connections may take to end after the service was told to stop.
pub(crate) const FAREWELL: Duration = Duration::from_secs(5);

/// Most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;

/// Answers the requests of a connection, each of which carries who is at its other end.
pub(crate) async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    router: Router,
    peer: Peer,
    head_time: Duration,
    watcher: Watcher,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "a connection ended early");
    }
}
