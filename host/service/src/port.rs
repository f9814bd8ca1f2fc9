//! The way in over the network: a TCP port that speaks TLS and nothing else. There is no listener without it.
//!
//! A connection that does not come through with its handshake in time is let go, as is one that asks in plain HTTP, which is told
//! so. Who asks is said by a token in each request, or by a client certificate that an authority of the site vouches for and
//! that the configuration gives a name and a role.

mod certificate;
mod identity;
mod shown;

pub use identity::Identity;
pub(crate) use shown::Shown;

use std::io;
use std::net::{Shutdown, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hyper_util::server::graceful::GracefulShutdown;
use thiserror::Error;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::access::Keeper;
use crate::caller::{Origin, Peer};
use crate::limits::Limits;
use crate::places::Places;
use crate::problem::{Code, Failed};
use crate::service::Service;
use crate::wire::{self, Bounded};

/// Bytes that are read of whoever is not let in.
const MOST_PLAIN: usize = 64 << 10;

/// Where to listen, and as whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listen {
    /// Address and port.
    pub address: SocketAddr,
    /// Certificates, the own first, PEM.
    pub certificate: PathBuf,
    /// Its key, PEM; others must not be able to read it.
    pub key: PathBuf,
    /// Who vouches for clients, PEM; none: clients are not asked for certificates.
    pub client_ca: Option<PathBuf>,
    /// What the authorities of clients have taken back, PEM; one list per authority. None: nothing is looked up. With it each
    /// certificate of a client must be of an authority that has a list here.
    pub client_crl: Option<PathBuf>,
    /// Whether a client without a certificate is let in, and has to show a token.
    pub clients: ClientCertificates,
}

/// Whether clients need a certificate, where there is an authority that vouches for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientCertificates {
    /// One that is shown must be good; one that is not shown is not missed.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// Why there is no port.
#[derive(Debug, Error)]
pub enum PortError {
    /// The system does not let it be.
    #[error("can't listen on {address}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// A file.
    #[error("can't read {what} {path}: {why}")]
    File {
        /// What it is.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
    /// A key that is no secret.
    #[error("others can read or change the key {path} (mode {mode:04o}): run `chmod 600 {path}`", path = .path.display())]
    Open {
        /// File.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// They don't belong together, or can't be used.
    #[error("the certificate {certificate} and the key {key} can't be used: {why}")]
    Pair {
        /// Certificate.
        certificate: PathBuf,
        /// Key.
        key: PathBuf,
        /// Why.
        why: String,
    },
}

/// A port that listens.
pub struct Port {
    listener: TcpListener,
    identity: Identity,
    address: SocketAddr,
}

/// Whether a port could be had with these files. Listens nowhere.
pub fn probe(listen: &Listen) -> Result<(), PortError> {
    Identity::read(listen).map(drop)
}

impl Port {
    /// Listens. Must be called inside a tokio runtime.
    pub fn bind(listen: &Listen) -> Result<Self, PortError> {
        let identity = Identity::read(listen)?;
        let failed = |source| PortError::Bind { address: listen.address, source };
        let listener = std::net::TcpListener::bind(listen.address).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let listener = TcpListener::from_std(listener).map_err(failed)?;
        Ok(Self { listener, identity, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As whom it answers: to renew it while the port is open.
    pub fn identity(&self) -> Identity {
        self.identity.clone()
    }

    /// Serves until `stop` ends. Then nothing new is taken on, streams end, and answers that are on their way have a few
    /// seconds. The tasks are left to [`Service::drain`].
    pub async fn serve(self, service: &Service, limits: &Limits, stop: impl Future<Output = ()>) {
        let Self { listener, identity, .. } = self;
        let router = service.router();
        let places = Places::new(limits.connections);
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut stop => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, from) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    wire::not_accepted(error).await;
                    continue;
                }
            };
            let Some(place) = places.place(Origin::Address(from.ip()), limits.connections_of_one) else { continue };
            let (router, identity, watcher) = (router.clone(), identity.clone(), graceful.watcher());
            let keeper = Arc::clone(service.keeper());
            let (head_time, write_time) = (limits.head_time, limits.write_time);
            tokio::spawn(async move {
                let greeted = tokio::time::timeout(head_time, greet(stream, &identity.acceptor(), write_time)).await;
                if let Ok(Some(stream)) = greeted {
                    let peer = peer(&keeper, &stream, from, identity);
                    wire::converse(stream, router, peer, head_time, watcher).await;
                }
                drop(place);
            });
        }
        service.begin_draining();
        // Gone before the last answers are, so that nobody comes to a server that leaves.
        drop(listener);
        wire::farewell(graceful).await;
    }
}

/// The handshake. Whoever begins with something else than TLS is told so, in what it most likely speaks.
async fn greet(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    write_time: Duration,
) -> Option<TlsStream<Bounded<TcpStream>>> {
    // Answers go out as they are written.
    let _ = stream.set_nodelay(true);
    let mut first = [0];
    match stream.peek(&mut first).await {
        Ok(1) if first[0] == 0x16 => {}
        Ok(1) => {
            if let Err(error) = refuse_plain(stream).await {
                tracing::debug!(%error, "whoever asked in plain HTTP is gone");
            }
            return None;
        }
        Ok(_) | Err(_) => return None,
    }
    match acceptor.accept(Bounded::new(stream, write_time)).into_fallible().await {
        Ok(stream) => Some(stream),
        Err((error, stream)) => {
            tracing::debug!(%error, "a handshake failed");
            // It was told why, as that it has to show a certificate.
            if let Err(error) = hear_out(stream.into_inner()).await {
                tracing::debug!(%error, "whoever was not let in is gone");
            }
            None
        }
    }
}

async fn refuse_plain(stream: TcpStream) -> io::Result<()> {
    stream.writable().await?;
    // So little fits into any buffer.
    stream.try_write(plain_refusal().as_bytes())?;
    hear_out(stream).await
}

/// Lets somebody go to whom all was said: closing with unread bytes would reset the connection and take the answer with it.
async fn hear_out(stream: TcpStream) -> io::Result<()> {
    let stream = stream.into_std()?;
    stream.shutdown(Shutdown::Write)?;
    let stream = TcpStream::from_std(stream)?;
    let (mut read, mut piece) = (0, [0; 4096]);
    while read < MOST_PLAIN {
        stream.readable().await?;
        match stream.try_read(&mut piece) {
            Ok(0) => break,
            Ok(more) => read += more,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn plain_refusal() -> String {
    let failed = Failed::new(Code::TlsRequired, "this port speaks https").remedy("begin the URL with https://");
    let body = serde_json::to_string(failed.problem()).unwrap_or_default();
    format!(
        "HTTP/1.1 400 Bad Request\r\ncontent-type: {}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        waypost_api::v1::PROBLEM_JSON,
        body.len()
    )
}

fn peer(keeper: &Keeper, stream: &TlsStream<Bounded<TcpStream>>, from: SocketAddr, identity: Identity) -> Peer {
    let chain = stream.get_ref().1.peer_certificates().unwrap_or_default();
    let (caller, unclear) = match chain.first().map(|shown| keeper.by_certificate(&certificate::names(shown))) {
        Some(Ok(caller)) => (caller, None),
        Some(Err(why)) => (None, Some(why)),
        None => (None, None),
    };
    let shown = Shown::new(chain, identity).map(Arc::new);
    Peer { origin: Origin::Address(from.ip().to_canonical()), caller, unclear, shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_refused_as_a_problem() {
        let answer = plain_refusal();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 400 ") && head.contains(&format!("content-length: {}\r\n", body.len())));
        let problem: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(problem["code"], "tls-required");
    }
}
