//! As whom a port answers, and by what it knows its clients: read from files, which change while the port is open.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer};
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{VerifierBuilderError, WebPkiClientVerifier};
use tokio_rustls::rustls::{RootCertStore, ServerConfig};
use waypost_core::secrecy::{Exposed, Readers};

use super::{ClientCertificates, Listen, PortError};
use crate::secret;

const LISTS: &str = "the list of certificates that were taken back";

/// As whom a port answers. It may change while the port is open: certificates are renewed more often than services.
#[derive(Clone)]
pub struct Identity(Arc<RwLock<Read>>);

/// What was read of the files.
struct Read {
    acceptor: TlsAcceptor,
    /// Who says whether a client's certificate is good; none: none is asked for.
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    /// How often they were read before.
    reading: u64,
}

impl Identity {
    pub(super) fn read(listen: &Listen) -> Result<Self, PortError> {
        Ok(Self(Arc::new(RwLock::new(Read::of(listen, 0)?))))
    }

    /// Reads the files again. Connections from here on see the new certificate, and clients' certificates are held to what the
    /// files say now, also those of connections that are open. What can't be used changes nothing.
    pub fn renew(&self, listen: &Listen) -> Result<(), PortError> {
        let mut new = Read::of(listen, 0)?;
        let mut read = self.0.write().unwrap_or_else(PoisonError::into_inner);
        new.reading = read.reading + 1;
        *read = new;
        Ok(())
    }

    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.0.read().unwrap_or_else(PoisonError::into_inner).acceptor.clone()
    }

    /// Who says whether a client's certificate is good, and which reading of the files that is.
    pub(super) fn verifier(&self) -> (Option<Arc<dyn ClientCertVerifier>>, u64) {
        let read = self.0.read().unwrap_or_else(PoisonError::into_inner);
        (read.verifier.clone(), read.reading)
    }
}

impl Read {
    fn of(listen: &Listen, reading: u64) -> Result<Self, PortError> {
        let chain = certificates("the certificate", &listen.certificate)?;
        let key = key_of(&listen.key)?;
        let provider = Arc::new(ring::default_provider());
        let pair = |error: tokio_rustls::rustls::Error| PortError::Pair {
            certificate: listen.certificate.clone(),
            key: listen.key.clone(),
            why: error.to_string(),
        };
        let verifier = verifier(listen, &provider)?;
        let builder =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(pair)?;
        let builder = match &verifier {
            None => builder.with_no_client_auth(),
            Some(verifier) => builder.with_client_cert_verifier(Arc::clone(verifier)),
        };
        let mut config = builder.with_single_cert(chain, key).map_err(pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), verifier, reading })
    }
}

/// Who says whether a client's certificate is good; none where none is asked for.
fn verifier(listen: &Listen, provider: &Arc<CryptoProvider>) -> Result<Option<Arc<dyn ClientCertVerifier>>, PortError> {
    let Some(path) = &listen.client_ca else { return Ok(None) };
    let wrong = |why: String| PortError::File { what: "the clients' authority", path: path.clone(), why };
    let mut roots = RootCertStore::empty();
    for certificate in certificates("the clients' authority", path)? {
        roots.add(certificate).map_err(|error| wrong(error.to_string()))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider));
    let builder = match &listen.client_crl {
        None => builder,
        // A certificate whose list is missing, or too old to say anything, is not let in: a list that is forgotten, or that
        // somebody keeps from arriving, must not let those in who were shut out by it.
        Some(path) => builder.with_crls(revoked(path)?).enforce_revocation_expiration(),
    };
    let builder = match listen.clients {
        ClientCertificates::Optional => builder.allow_unauthenticated(),
        ClientCertificates::Required => builder,
    };
    builder.build().map(Some).map_err(|error| match (&error, &listen.client_crl) {
        (VerifierBuilderError::InvalidCrl(_), Some(path)) => {
            PortError::File { what: LISTS, path: path.clone(), why: error.to_string() }
        }
        _ => wrong(error.to_string()),
    })
}

/// The lists of a file.
fn revoked(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, PortError> {
    let wrong = |why: String| PortError::File { what: LISTS, path: path.to_owned(), why };
    let read = CertificateRevocationListDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("there is no list in it".to_owned())) } else { Ok(found) }
}

fn certificates(what: &'static str, path: &Path) -> Result<Vec<CertificateDer<'static>>, PortError> {
    let wrong = |why: String| PortError::File { what, path: path.to_owned(), why };
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = read.map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() { Err(wrong("there is no certificate in it".to_owned())) } else { Ok(found) }
}

fn key_of(path: &Path) -> Result<PrivateKeyDer<'static>, PortError> {
    let wrong = |why: String| PortError::File { what: "the key", path: path.to_owned(), why };
    let metadata = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    match secret::judged(path, &metadata, Readers::Group).map_err(|error| wrong(error.to_string()))? {
        Ok(()) => {}
        Err(Exposed::Mode(mode)) => return Err(PortError::Open { path: path.to_owned(), mode }),
        Err(Exposed::Owner) => return Err(wrong("it belongs to another user".to_owned())),
    }
    PrivateKeyDer::from_pem_file(path).map_err(|error| wrong(error.to_string()))
}
