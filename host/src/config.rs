//! `waypost.toml`: where it is looked for, what may be in it, and what is said when it can't be used.
//!
//! [`Config`] is what the program works with: every default filled in, every path absolute. [`file`] is what a person
//! writes; an unknown key there is an error, because a misspelt limit that is silently ignored protects nobody.

mod access;
mod client;
mod error;
mod file;
mod kimchi;
mod limits;
mod networks;
mod origins;
mod places;
mod traces;

pub use client::Remote;
pub use error::ConfigError;
pub(crate) use kimchi::known;
pub use places::{SEARCHED, user_name};

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use waypost_engine::Settings;
use waypost_libvirt::HostConfig;
use waypost_policy::PolicyConfig;
use waypost_service::port::Listen;
use waypost_service::{Access, Kimchi, Limits, Traces};

use crate::overlay::Overlay;

/// The configuration, complete.
#[derive(Debug, Clone)]
pub struct Config {
    /// File that it was read from; none: there was none, all is default.
    pub file: Option<PathBuf>,
    /// Journal, locks and logs.
    pub state_dir: PathBuf,
    /// What can be made again: compiled plugins.
    pub cache_dir: PathBuf,
    /// Hosts, in their order.
    pub hosts: Vec<HostConfig>,
    /// Plugin folders; a file of a later folder replaces the one of the same name in an earlier folder.
    pub plugin_folders: Vec<PathBuf>,
    /// What is said of policies.
    pub policies: PolicyConfig,
    /// What was said of them over the service, and is in `policies` and `plugin_folders` already. None in a configuration as it is
    /// written.
    pub overlay: Option<Overlay>,
    /// Times of the engine.
    pub engine: Settings,
    /// Where the service listens.
    pub socket: PathBuf,
    /// Where it listens for the network, if it does.
    pub listen: Option<Listen>,
    /// Who may do what there.
    pub access: Access,
    /// Whether, and how, the service has the routes for Kimchi's clients.
    pub kimchi: Option<Kimchi>,
    /// What one of its clients may cost the others.
    pub limits: Limits,
    /// Where traces of its tasks go, if anywhere.
    pub traces: Option<Traces>,
    /// The service that commands ask instead of working alone, if they do.
    pub client: Option<Remote>,
}

impl Config {
    /// Reads the file that was named, else the first that is found; with none at all, all is default and there are no hosts.
    /// One that may not be looked for is an error, and not none.
    pub fn find(named: Option<&Path>) -> Result<Self, ConfigError> {
        match named {
            Some(path) => Self::read(path),
            None => match first(places::candidates())? {
                Some(path) => Self::read(&path),
                None => Ok(Self::default()),
            },
        }
    }

    /// Reads one file.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(&text, path)
    }

    /// The same from text; `path` is for messages, and relative paths in the text are relative to its folder.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        let path = std::path::absolute(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        file::File::parse(text, &path)?.resolve(&path)
    }
}

/// The first of these that is there. One of which that can't be told is an error: with all limits and rules left out, a
/// program would do what its owner has forbidden.
fn first(candidates: Vec<PathBuf>) -> Result<Option<PathBuf>, ConfigError> {
    for path in candidates {
        match path.try_exists() {
            Ok(true) => return Ok(Some(path)),
            Ok(false) => {}
            // `$HOME` of users who have none is a file.
            Err(source) if source.kind() == ErrorKind::NotADirectory => {}
            // Who is in a folder that is closed to them came there by `sudo`: it is not they who keep a file there.
            Err(source) if source.kind() == ErrorKind::PermissionDenied && path.is_relative() => {}
            Err(source) => return Err(ConfigError::Read { path, source }),
        }
    }
    Ok(None)
}

impl Default for Config {
    fn default() -> Self {
        Self {
            file: None,
            state_dir: places::state_dir(),
            cache_dir: places::cache_dir(),
            hosts: Vec::new(),
            plugin_folders: places::shipped_plugins().into_iter().collect(),
            policies: PolicyConfig::default(),
            overlay: None,
            engine: Settings::default(),
            socket: places::socket(),
            listen: None,
            access: Access::default(),
            kimchi: None,
            limits: Limits::default(),
            traces: None,
            client: None,
        }
    }
}

#[cfg(test)]
mod tests;
