//! The certificate that a connection showed, looked at again for as long as the connection is there.
//!
//! TLS looks at it once, and not even that where a session of TLS is gone on with. A connection lasts longer: requests follow one
//! another over it, and a stream of events is open for days. So it is verified again as it was in the handshake, with what the
//! port goes by now: its end, its authority, what the authority has taken back. Once in a second at most, because a signature costs
//! as much as a small answer.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio_rustls::rustls::pki_types::{CertificateDer, UnixTime};
use tokio_rustls::rustls::{CertificateError, Error};
use waypost_core::ids::Moment;

use super::identity::Identity;

/// What was found is as good as new for so many milliseconds.
const FRESH_MS: u64 = 1000;

/// The certificates that a client showed, its own first.
pub(crate) struct Shown {
    chain: Vec<CertificateDer<'static>>,
    identity: Identity,
    looked: Mutex<Option<Looked>>,
}

/// What the last look found.
struct Looked {
    at: Moment,
    /// Which reading of the port's files it went by.
    reading: u64,
    found: Result<(), String>,
}

impl Shown {
    /// None without a certificate.
    pub(super) fn new(chain: &[CertificateDer<'_>], identity: Identity) -> Option<Self> {
        let chain: Vec<_> = chain.iter().map(|certificate| certificate.clone().into_owned()).collect();
        (!chain.is_empty()).then(|| Self { chain, identity, looked: Mutex::default() })
    }

    /// Whether the port would still take it; the error is the rest of a sentence that says why not.
    pub(crate) fn holds(&self, now: Moment) -> Result<(), String> {
        let (verifier, reading) = self.identity.verifier();
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(looked) = looked.as_ref()
            && looked.reading == reading
            && looked.at.0.abs_diff(now.0) < FRESH_MS
        {
            return looked.found.clone();
        }
        let time = UnixTime::since_unix_epoch(Duration::from_millis(now.0));
        let found = match (verifier, self.chain.split_first()) {
            (Some(verifier), Some((own, others))) => {
                verifier.verify_client_cert(own, others, time).map(drop).map_err(|error| words(&error))
            }
            _ => Err("is one that nobody is asked for any more".to_owned()),
        };
        *looked = Some(Looked { at: now, reading, found: found.clone() });
        found
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shown").field("certificates", &self.chain.len()).finish_non_exhaustive()
    }
}

fn words(error: &Error) -> String {
    match error {
        Error::InvalidCertificate(CertificateError::Expired | CertificateError::ExpiredContext { .. }) => {
            "has expired".to_owned()
        }
        Error::InvalidCertificate(CertificateError::Revoked) => "was taken back by its authority".to_owned(),
        Error::InvalidCertificate(
            CertificateError::ExpiredRevocationList | CertificateError::ExpiredRevocationListContext { .. },
        ) => "may have been taken back: the list of its authority is too old to say".to_owned(),
        Error::InvalidCertificate(CertificateError::UnknownRevocationStatus) => {
            "may have been taken back: its authority has no list here".to_owned()
        }
        other => format!("is not good any more: {other}"),
    }
}
