//! The last word to a client whose head takes too long. hyper ends the connection then and says nothing, because there is no
//! request that it could answer; so it is only lent the stream, which comes back when hyper is done with it.
//!
//! Whoever has said nothing since the last answer is told nothing: an answer that nobody asked for would be taken for the one to
//! the next request.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::oneshot;

/// All that is said.
const TOO_LATE: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

/// A stream that goes back in the middle of what a client says, when whoever has it is done with it.
pub(super) struct Lent<S> {
    /// None once it went back.
    stream: Option<S>,
    /// Whether something came since something was last said.
    heard: bool,
    back: Option<oneshot::Sender<S>>,
}

/// Where it comes back.
pub(super) struct Lender<S>(oneshot::Receiver<S>);

/// Lends a stream.
pub(super) fn lend<S>(stream: S) -> (Lent<S>, Lender<S>) {
    let (back, lender) = oneshot::channel();
    (Lent { stream: Some(stream), heard: false, back: Some(back) }, Lender(lender))
}

impl<S: AsyncWrite + Unpin> Lender<S> {
    /// Tells a client that its head came too late, and closes.
    pub(super) async fn tell(mut self) {
        let Ok(mut stream) = self.0.try_recv() else { return };
        let mut rest = TOO_LATE;
        while !rest.is_empty() {
            let written = poll_fn(|context| Pin::new(&mut stream).poll_write(context, rest)).await;
            match written {
                Ok(written) if written > 0 => rest = &rest[written..],
                // It is gone, and needs to be told nothing.
                _ => return,
            }
        }
        let _ = poll_fn(|context| Pin::new(&mut stream).poll_shutdown(context)).await;
    }
}

impl<S> Drop for Lent<S> {
    fn drop(&mut self) {
        if let (true, Some(stream), Some(back)) = (self.heard, self.stream.take(), self.back.take()) {
            // Nobody waits for it: then it is closed.
            let _ = back.send(stream);
        }
    }
}

impl<S: Unpin> Lent<S> {
    fn inner(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream.as_mut().map(Pin::new).ok_or_else(|| io::ErrorKind::NotConnected.into())
    }

    fn said<T>(&mut self, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        self.heard &= !matches!(written, Poll::Ready(Ok(_)));
        written
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lent<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = self.inner()?.poll_read(context, buffer);
        self.heard |= buffer.filled().len() > before;
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Lent<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = self.inner()?.poll_write(context, bytes);
        self.said(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = self.inner()?.poll_write_vectored(context, pieces);
        self.said(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.inner()?.poll_shutdown(context)
    }
}
