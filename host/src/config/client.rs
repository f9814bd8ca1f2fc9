//! `[client]`: a service that commands ask instead of working alone. A machine that only asks has this and nothing else.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use waypost_service::client::Address;

use super::ConfigError;

/// A service that commands ask, and what they show there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remote {
    /// Where it is.
    pub service: Address,
    /// File with a token; nobody else may be able to read it.
    pub token_file: Option<PathBuf>,
    /// PEM file with the authorities that are believed; none: those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// PEM files of a client certificate and of its key.
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// The table as a person writes it.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct WrittenRemote {
    service: Option<String>,
    token_file: Option<PathBuf>,
    ca_file: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl WrittenRemote {
    pub(super) fn resolve(
        self,
        folder: &Path,
        wrong: &impl Fn(String, String) -> ConfigError,
    ) -> Result<Option<Remote>, ConfigError> {
        let Self { service, token_file, ca_file, certificate, key } = self;
        let Some(service) = service else {
            let said = [
                (token_file.is_some(), "token_file"),
                (ca_file.is_some(), "ca_file"),
                (certificate.is_some(), "certificate"),
                (key.is_some(), "key"),
            ];
            // What is shown is shown to that one service; without it, it would be shown to any.
            return match said.into_iter().find(|(said, _)| *said) {
                Some((_, name)) => Err(wrong(format!("client.{name}"), "name the service in client.service".into())),
                None => Ok(None),
            };
        };
        let service = service.parse::<Address>().map_err(|error| wrong("client.service".into(), format!("{error}")))?;
        let certificate = match (certificate, key) {
            (Some(certificate), Some(key)) => Some((folder.join(certificate), folder.join(key))),
            (None, None) => None,
            (Some(_), None) => return Err(wrong("client.certificate".into(), "it needs client.key".into())),
            (None, Some(_)) => return Err(wrong("client.key".into(), "it needs client.certificate".into())),
        };
        let below = |file: Option<PathBuf>| file.map(|file| folder.join(file));
        Ok(Some(Remote { service, token_file: below(token_file), ca_file: below(ca_file), certificate }))
    }
}
