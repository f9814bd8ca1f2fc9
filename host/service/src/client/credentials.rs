//! What a client shows, and whom it believes. All of it is in files, because what stands on a command line or in an environment
//! is read by others.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::http::HeaderValue;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use waypost_core::secrecy::{Exposed, Readers};

use super::error::ClientError;
use crate::{secret, trust};

/// Most bytes of a token: one of an issuer may have some thousand.
const MOST_BYTES: u64 = 16 << 10;

/// What a client shows to a service, and whom it believes over TLS. Nothing of it is needed on a Unix socket.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Credentials {
    /// Shown with every request.
    pub token: Option<Token>,
    /// PEM file with the authorities that are believed; none: those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM files of a client certificate and of its key, which nobody else may be able to read.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// A bearer token: of the service, or of an issuer that the service trusts.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Reads a file that holds nothing else. It must be a file that only its owner can read, and the owner must be the user of
    /// this process, or root.
    pub fn read(path: &Path) -> Result<Self, ClientError> {
        let text = read("the token file", path)?;
        Self::new(text.trim()).ok_or_else(|| {
            wrong("the token file", path, "it does not hold one token: visible characters without a blank".to_owned())
        })
    }

    /// None if it can be no token.
    pub fn new(text: &str) -> Option<Self> {
        let fits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    pub(super) fn header(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::from_str(&format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

impl Credentials {
    /// What TLS needs of them.
    pub(super) fn tls(&self) -> Result<Arc<ClientConfig>, ClientError> {
        let nowhere = Path::new("of this machine");
        let ca_file = self.ca_file.as_deref();
        let unusable = |why| wrong("the authorities", ca_file.unwrap_or(nowhere), why);
        let roots = trust::authorities(ca_file).map_err(unusable)?;
        let shown = match &self.certificate {
            None => None,
            Some((certificate, key)) => {
                let unusable = |why| wrong("the certificate", certificate, why);
                let certificates = trust::certificates(certificate).map_err(unusable)?;
                let text = read("the key", key)?;
                let parsed = PrivateKeyDer::from_pem_slice(text.as_bytes());
                Some((certificates, parsed.map_err(|error| wrong("the key", key, error.to_string()))?))
            }
        };
        let unusable = |why| match &self.certificate {
            Some((certificate, _)) => wrong("the certificate", certificate, why),
            None => wrong("the authorities", ca_file.unwrap_or(nowhere), why),
        };
        trust::client(roots, shown).map_err(unusable)
    }
}

/// The text of a file that nobody else can read. What was looked at is what is read.
fn read(what: &'static str, path: &Path) -> Result<String, ClientError> {
    let cant = |why: String| wrong(what, path, why);
    let file = File::open(path).map_err(|error| cant(error.to_string()))?;
    let metadata = file.metadata().map_err(|error| cant(error.to_string()))?;
    if !metadata.is_file() {
        return Err(cant("it is not a file".to_owned()));
    }
    let judged = secret::judged(path, &metadata, Readers::Owner).map_err(|error| cant(error.to_string()))?;
    judged.map_err(|exposed| {
        cant(match exposed {
            Exposed::Mode(mode) => {
                format!("its mode is {mode:04o}, so others can read it: chmod 0600 {}", path.display())
            }
            Exposed::Owner => "it belongs to another user: make it your own".to_owned(),
        })
    })?;
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| cant(error.to_string()))?;
    if text.len() as u64 > MOST_BYTES { Err(cant(format!("it has more than {MOST_BYTES} bytes"))) } else { Ok(text) }
}

fn wrong(what: &'static str, path: &Path, why: String) -> ClientError {
    ClientError::File { what, path: path.to_owned(), why }
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_token_is_read_from_a_file_of_ones_own_and_never_shown() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("token");
        let with = |text: &str, mode| {
            write(&path, text).unwrap();
            set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            Token::read(&path).map_err(|error| error.to_string())
        };
        let token = with("wp_0123_abc\n", 0o600).unwrap();
        assert_eq!(token, Token("wp_0123_abc".into()));
        assert_eq!(format!("{token:?}"), "Token(..)");
        assert!(token.header().unwrap().is_sensitive());
        assert!(with("wp_0123_abc", 0o640).unwrap_err().contains("mode is 0640, so others can read it"));
        for none in ["", "two tokens", "t\u{e9}"] {
            assert!(with(none, 0o600).unwrap_err().contains("does not hold one token"), "{none:?}");
        }
        assert!(with(&"x".repeat(20_000), 0o600).unwrap_err().contains("more than 16384 bytes"));
        assert!(Token::read(dir.path()).unwrap_err().to_string().contains("not a file"));
        assert!(Token::read(&dir.path().join("none")).unwrap_err().to_string().contains("No such file"));
    }
}
