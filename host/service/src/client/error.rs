//! What can go wrong between a client and its service, each told apart by whether something can be done about it, and by whom.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;
use tokio_rustls::rustls::{self, CertificateError};
use waypost_api::v1::Problem;

use super::address::Address;
use super::alert::NotLetIn;

/// A client's error.
#[derive(Debug, Error)]
pub enum ClientError {
    /// A text that is no address.
    #[error("{} is no address of a service: {why}", repeated(.text.as_deref()))]
    Address {
        /// The text; none where it may hold a secret.
        text: Option<String>,
        /// Why not.
        why: &'static str,
    },
    /// A file with a token, a certificate, a key or authorities.
    #[error("can't use {what} {path}: {why}", path = .path.display())]
    File {
        /// What it is.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not, and what to do.
        why: String,
    },
    /// There is no connection.
    #[error("can't connect to the service at {address}")]
    Connect {
        /// Where.
        address: Address,
        /// Why not; its kind tells a socket that is not there from one that is closed to us.
        source: io::Error,
    },
    /// It can't be told who is at the other end.
    #[error("the service at {address} can't be trusted: {why}")]
    Untrusted {
        /// Where.
        address: Address,
        /// Why not.
        why: Distrust,
    },
    /// It looks at certificates of clients.
    #[error("the service at {address} does not let this client in: {why}")]
    NotLetIn {
        /// Where.
        address: Address,
        /// Why not.
        why: NotLetIn,
    },
    /// It takes too long.
    #[error("the service at {address} did not {what} within {} s", .within.as_secs())]
    Late {
        /// Where.
        address: Address,
        /// What was waited for.
        what: &'static str,
        /// For so long.
        within: Duration,
    },
    /// The connection ended before the answer did. Whether what was asked for is done is not known.
    #[error("the connection to the service at {address} was lost: {why}")]
    Lost {
        /// Where.
        address: Address,
        /// In the words of whoever noticed.
        why: String,
    },
    /// The service says no.
    #[error("{}", .problem.detail)]
    Problem {
        /// What it says.
        problem: Box<Problem>,
        /// What is behind it.
        #[source]
        cause: Option<Cause>,
    },
    /// Something on the way answers in its place, as a proxy does that can't reach it.
    #[error("what stands before the service at {address} answers {status} in its place")]
    Between {
        /// Where.
        address: Address,
        /// The HTTP status: 429, 502, 503 or 504.
        status: u16,
    },
    /// It speaks another version.
    #[error("the service at {address} (Waypost {version}) speaks version {api} of the API, and this program v1")]
    Version {
        /// Where.
        address: Address,
        /// The service's version.
        version: String,
        /// That of its API.
        api: String,
    },
    /// It lacks a route.
    #[error(
        "the service at {address} does not know {route}: it is older than this program, or there is a proxy before it"
    )]
    NoRoute {
        /// Where.
        address: Address,
        /// Which.
        route: String,
    },
    /// It answers what no service answers.
    #[error("what answers at {address} makes no sense as a Waypost service: {why}")]
    Unclear {
        /// Where.
        address: Address,
        /// What makes no sense.
        why: String,
    },
}

/// What is behind a problem, in the words of whoever failed.
#[derive(Debug, Error)]
#[error("{0}")]
pub struct Cause(String);

/// Why nobody knows who is at the other end of a TLS connection.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Distrust {
    /// Somebody else's certificate.
    #[error("its certificate is for another name")]
    OtherName,
    /// Nobody vouches for it.
    #[error("no authority that is trusted here vouches for its certificate")]
    UnknownAuthority,
    /// It is over, or has not begun.
    #[error("its certificate is not valid at this time")]
    OutOfTime,
    /// It is no TLS at all.
    #[error("it does not speak TLS")]
    NoTls,
    /// In the words of the TLS library.
    #[error("{0}")]
    Other(String),
}

impl ClientError {
    pub(super) fn problem(problem: Problem) -> Self {
        let cause = problem.cause.clone().map(Cause);
        Self::Problem { problem: Box::new(problem), cause }
    }

    /// The code of the problem that the service told, if it told one: one of [`Code`](crate::Code)'s words, or a newer one.
    pub fn code(&self) -> Option<&str> {
        match self {
            Self::Problem { problem, .. } => Some(&problem.code),
            _ => None,
        }
    }

    /// Whether the same may go well a little later: the service is away, is being started anew, or has too much to do.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect { source, .. } => source.kind() != io::ErrorKind::PermissionDenied,
            Self::Late { .. } | Self::Lost { .. } | Self::Between { .. } => true,
            // Who is locked out makes it worse by asking.
            Self::Problem { problem, .. } => problem.status == 503 || problem.code == crate::Code::TooOften.as_str(),
            _ => false,
        }
    }

    /// Whether the service, or what stands before it, answers that it has too much to do, or is just being started or stopped.
    pub(super) fn is_busy(&self) -> bool {
        match self {
            Self::Problem { .. } => self.may_pass(),
            Self::Between { status, .. } => matches!(status, 429 | 503),
            _ => false,
        }
    }

    /// A handshake that failed.
    pub(super) fn handshake(address: &Address, error: io::Error) -> Self {
        if let Some(why) = NotLetIn::of(&error) {
            return Self::NotLetIn { address: address.clone(), why };
        }
        let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
        let why = match inner {
            None => return Self::Connect { address: address.clone(), source: error },
            Some(rustls::Error::InvalidCertificate(certificate)) => match certificate {
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                    Distrust::OtherName
                }
                // Another authority of the same name has another key.
                CertificateError::UnknownIssuer | CertificateError::BadSignature => Distrust::UnknownAuthority,
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. } => Distrust::OutOfTime,
                other => Distrust::Other(other.to_string()),
            },
            Some(rustls::Error::InvalidMessage(_)) => Distrust::NoTls,
            Some(other) => Distrust::Other(other.to_string()),
        };
        Self::Untrusted { address: address.clone(), why }
    }
}

/// A text as an error may repeat it.
fn repeated(text: Option<&str>) -> String {
    text.map_or_else(
        || "what was given, which is not repeated here because it may hold a secret,".to_owned(),
        |text| format!("{text:?}"),
    )
}
