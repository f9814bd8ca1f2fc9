//! One connection, whatever it came over: HTTP/1.1 on it, with a bound on the time of a request's head, until it ends or the
//! service does. Who asks and never reads is let go as well ([`Bounded`]): else whatever waits to be written would be kept for ever,
//! and the connection with it.

mod late;

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;
use tower::ServiceExt as _;

use crate::caller::Peer;

/// How long connections may take to end after the service was told to stop.
const FAREWELL: Duration = Duration::from_secs(5);

/// Most bytes of a request's head.
const HEAD_BYTES: usize = 64 << 10;

/// Answers the requests of a connection, each of which carries who is at its other end. The listener has put a [`Bounded`] around
/// what it accepted, below TLS where there is any: only there is it seen that something was taken.
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
    let (stream, lender) = late::lend(stream);
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_time)
        .max_buf_size(HEAD_BYTES)
        // The buffer may grow past its bound, and a head that came at once with it.
        .max_header_size(HEAD_BYTES)
        .serve_connection(TokioIo::new(stream), service);
    let ended = watcher.watch(connection).await;
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
        if error.is_timeout() {
            lender.tell().await;
        }
    }
}

/// What a listener does when it can't accept: out of descriptors, most likely, and nothing tells when there are some again.
pub(crate) async fn not_accepted(error: io::Error) {
    tracing::warn!(%error, "a connection can't be accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

/// Waits for the last answers of a listener that takes no more connections.
pub(crate) async fn farewell(graceful: GracefulShutdown) {
    if tokio::time::timeout(FAREWELL, graceful.shutdown()).await.is_err() {
        tracing::warn!("some connections did not end in time and are cut");
    }
}

/// A stream on which a write fails that waits for too long. Where nothing is to be written nothing waits, so a silent stream of
/// events lasts; and whoever takes a little is waited for anew.
pub(crate) struct Bounded<S> {
    stream: S,
    write_time: Duration,
    /// While a write waits.
    until: Option<Pin<Box<Sleep>>>,
}

impl<S> Bounded<S> {
    pub(crate) fn new(stream: S, write_time: Duration) -> Self {
        Self { stream, write_time, until: None }
    }

    pub(crate) fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: Unpin> Bounded<S> {
    fn write<T>(
        &mut self,
        context: &mut Context<'_>,
        write: impl FnOnce(Pin<&mut S>, &mut Context<'_>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        let written = write(Pin::new(&mut self.stream), context);
        if written.is_ready() {
            self.until = None;
            return written;
        }
        let write_time = self.write_time;
        let until = self.until.get_or_insert_with(|| Box::pin(tokio::time::sleep(write_time)));
        ready!(until.as_mut().poll(context));
        self.until = None;
        let why = format!("nothing of what is written was taken for {write_time:?}");
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, why)))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Bounded<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Bounded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.write(context, |stream, context| stream.poll_write(context, bytes))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.write(context, |stream, context| stream.poll_write_vectored(context, pieces))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(context, |stream, context| stream.poll_flush(context))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.write(context, |stream, context| stream.poll_shutdown(context))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::UnixStream;

    use super::*;

    #[test]
    fn a_write_that_nobody_takes_fails_and_one_that_is_taken_does_not() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (near, far) = UnixStream::pair().unwrap();
            let mut near = Bounded::new(near, Duration::from_millis(50));
            let bytes = [0; 4096];
            let mut written = 0;
            let error = loop {
                match poll_fn(|context| Pin::new(&mut near).poll_write(context, &bytes)).await {
                    Ok(more) => written += more,
                    Err(error) => break error,
                }
            };
            assert_eq!(error.kind(), io::ErrorKind::TimedOut);
            assert!(written > 0);
            // Once something is taken, all is well again.
            let mut piece = vec![0; written];
            far.readable().await.unwrap();
            let mut taken = 0;
            while taken < written {
                taken += far.try_read(&mut piece).unwrap();
            }
            poll_fn(|context| Pin::new(&mut near).poll_write(context, &bytes)).await.unwrap();
            assert!(near.until.is_none());
        });
    }
}
