//! Whom a client believes over TLS, and as whom it may show itself: the same for whoever fetches keys of issuers, sends
//! traces, or is a client of a service.

use std::path::Path;
use std::sync::Arc;

use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// A certificate with those that vouch for it, and its key.
pub(crate) type Shown = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// The authorities of a file, or those that this machine trusts.
pub(crate) fn authorities(ca_file: Option<&Path>) -> Result<RootCertStore, String> {
    let certificates = match ca_file {
        Some(path) => certificates(path)?,
        None => rustls_native_certs::load_native_certs().certs,
    };
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(certificates);
    if roots.is_empty() { Err("there is no certificate of an authority in it".to_owned()) } else { Ok(roots) }
}

/// All certificates of a PEM file.
pub(crate) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.map_err(|error| error.to_string())
}

/// A client that believes these authorities.
pub(crate) fn client(roots: RootCertStore, shown: Option<Shown>) -> Result<Arc<ClientConfig>, String> {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?
        .with_root_certificates(roots);
    let config = match shown {
        Some((certificates, key)) => {
            config.with_client_auth_cert(certificates, key).map_err(|error| error.to_string())?
        }
        None => config.with_no_client_auth(),
    };
    Ok(Arc::new(config))
}

/// What connects to whoever is vouched for by the authorities of a file, or by those that this machine trusts.
pub(crate) fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, String> {
    Ok(TlsConnector::from(client(authorities(ca_file)?, None)?))
}
