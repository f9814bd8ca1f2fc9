//! What a service says against a client's certificate, or to who shows none. Since TLS 1.3 it looks at that when the client's half of
//! the handshake is over already: so it comes as an alert in the place of the first answer, which HTTP takes for a lost
//! connection. It is heard where it passes, and kept for whoever tells of the loss.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use thiserror::Error;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::rustls::{self, AlertDescription};

/// Why a service does not let a client in that asks over TLS, as far as it says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NotLetIn {
    /// It wants a certificate.
    #[error("it asks for a client certificate, and none was shown")]
    NoCertificate,
    /// The certificate is over.
    #[error("the client certificate has expired")]
    Expired,
    /// It is on a list.
    #[error("the client certificate was taken back by its authority")]
    Revoked,
    /// Nobody whom the service knows signed it, or it can't tell whether it was taken back.
    #[error("no authority that it trusts vouches for the client certificate")]
    UnknownAuthority,
    /// It is none that the service can use.
    #[error("it can't use the client certificate")]
    Unusable,
}

impl NotLetIn {
    /// What an error of a TLS connection says of that.
    pub(super) fn of(error: &io::Error) -> Option<Self> {
        let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
        let rustls::Error::AlertReceived(alert) = inner else { return None };
        Some(match alert {
            AlertDescription::CertificateRequired => Self::NoCertificate,
            AlertDescription::CertificateExpired => Self::Expired,
            AlertDescription::CertificateRevoked => Self::Revoked,
            AlertDescription::UnknownCA => Self::UnknownAuthority,
            // The last one of a certificate that another authority of the same name signed.
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateUnknown
            | AlertDescription::DecryptError => Self::Unusable,
            _ => return None,
        })
    }
}

/// What was heard last over the connections to one service.
#[derive(Debug, Clone, Default)]
pub(super) struct Heard(Arc<Mutex<Option<NotLetIn>>>);

impl Heard {
    pub(super) fn take(&self) -> Option<NotLetIn> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// A connection over TLS, whose alerts are heard.
pub(super) struct Listening<S> {
    stream: S,
    heard: Heard,
}

impl<S> Listening<S> {
    pub(super) fn new(stream: S, heard: Heard) -> Self {
        Self { stream, heard }
    }

    fn hear<T>(&self, passed: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if let Poll::Ready(Err(error)) = &passed
            && let Some(why) = NotLetIn::of(error)
        {
            *self.heard.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
        }
        passed
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Listening<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.hear(read)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Listening<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.hear(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(context);
        self.hear(flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(context);
        self.hear(shut)
    }
}
