//! How a program says which Waypost it wants.

use std::path::PathBuf;

use crate::config::Config;
use crate::facade::Waypost;
use crate::wiring::{OpenError, Pace, Watching, World};

/// What a [`Waypost`] is to be opened over. Without a word: the hosts of an empty configuration over libvirt, with the plugin
/// folders followed.
#[derive(Debug, Clone)]
pub struct Builder {
    config: Config,
    world: World,
    watching: Watching,
}

impl Default for Builder {
    fn default() -> Self {
        Self { config: Config::default(), world: World::Libvirt, watching: Watching::On }
    }
}

impl Builder {
    /// Hosts, policies, folders, limits. Two of them that are open at once must not share a `state_dir` unless they are meant to
    /// share their tasks.
    #[must_use]
    pub fn config(self, config: Config) -> Self {
        Self { config, ..self }
    }

    /// Over simulated hosts, described in a TOML file, instead of those of the configuration.
    #[must_use]
    pub fn simulated(self, fleet: impl Into<PathBuf>, pace: Pace) -> Self {
        Self { world: World::Simulated { fleet: fleet.into(), pace }, ..self }
    }

    /// Whether a change in the plugin folders takes effect for the next decision, for which a thread watches them; or only when
    /// it is opened again.
    #[must_use]
    pub fn watching(self, watching: Watching) -> Self {
        Self { watching, ..self }
    }

    /// Opens the store and loads the policies, which reads the disk and may compile. Hosts are connected to when they are first
    /// asked something. Must be called inside a tokio runtime, which is the one that everything runs in from here on.
    pub fn open(self) -> Result<Waypost, OpenError> {
        Waypost::assemble(&self.config, &self.world, self.watching)
    }
}
