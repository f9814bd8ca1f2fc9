//! Another configuration for a program that runs: what of it can be taken at once, and what only a new start can.
//!
//! Whatever is a function of the next decision can change under the program; whatever it holds open (folders, sockets) stays.
//! Connections to hosts are between the two: a host that no task needs may come, go, or be reached by another way. So are networks:
//! one that a task holds neither goes nor loses the role that it is held for. A plan that was made is never touched: it carries
//! everything that it needs in its own record.

mod needed;

use thiserror::Error;
use waypost_engine::EngineError;
use waypost_policy::{PluginState, PluginStatus, PolicyRuntime};

use crate::config::Config;
use crate::wiring::{self, OpenError, Watching};

pub use needed::{Held, Needed};
pub(crate) use needed::{holding, needed};

/// How the hosts are called in what came of a reload.
const HOSTS: &str = "the hosts, with what is said of connections to them";

/// What came of a reload. Words for a person, each a part of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reloaded {
    /// What differs and is in force now.
    pub taken: Vec<&'static str>,
    /// What differs and needs a new start.
    pub left: Vec<&'static str>,
}

/// Why a configuration is not taken. Everything stays as it was.
#[derive(Debug, Error)]
pub enum ReloadError {
    /// The policies can't be had with it, or one that it names is missing.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A policy that can be asked now could not be with it.
    #[error("policy {name} could not be asked any more: {why}")]
    Policy {
        /// Its name.
        name: String,
        /// Why not.
        why: String,
    },
    /// Hosts would go, or be reached by another way, that tasks still need.
    #[error(
        "hosts are needed that would go or be reached by another way: {}; wait for these tasks or cancel them, bring one that is stuck \
         to its end with `waypost recover`, and reload again",
        needed::listed(.0)
    )]
    Needed(Vec<Needed>),
    /// Networks would go, or lose a role, that tasks hold.
    #[error(
        "networks are held that would go or lose a role: {}; wait for these tasks or cancel them, bring one that is stuck to its end \
         with `waypost recover`, and reload again",
        needed::listed(.0)
    )]
    Held(Vec<Held>),
    /// Which tasks need a host, or hold a network, can't be told.
    #[error("what is on record of the tasks can't be read, so no host and no network can go")]
    Tasks(#[source] Box<EngineError>),
}

impl From<EngineError> for ReloadError {
    fn from(error: EngineError) -> Self {
        Self::Tasks(Box::new(error))
    }
}

impl Reloaded {
    /// The hosts differ, whether or not the configuration does: those of a simulation are in a file of their own.
    pub(crate) fn other_hosts(&mut self) {
        if !self.taken.contains(&HOSTS) {
            self.taken.insert(0, HOSTS);
        }
    }
}

/// The new configuration with what can't change as it was, and what that comes to.
pub(crate) fn merged(before: &Config, new: &Config) -> (Config, Reloaded) {
    let mut told = Reloaded::default();
    let mut left = |differs: bool, what| {
        if differs {
            told.left.push(what);
        }
    };
    // Every key is named, so that a new one can't be kept as it was without a word.
    let Config {
        file,
        state_dir,
        cache_dir,
        hosts,
        plugin_folders,
        policies,
        // What was said over the service is kept apart from what is written.
        overlay: _,
        engine,
        socket,
        kimchi,
        limits,
        traces,
        listen,
        access,
        // What commands ask is no service's concern.
        client: _,
    } = new;
    left(before.state_dir != *state_dir, "state_dir");
    left(before.cache_dir != *cache_dir, "cache_dir");
    left(before.plugin_folders != *plugin_folders, "the plugin folders");
    left(before.socket != *socket, "service.socket");
    left(before.kimchi != *kimchi, "service.kimchi");
    left(before.limits != *limits, "service.limits");
    left(before.traces != *traces, "service.traces");
    left(before.listen != *listen, "service.listen and service.tls, but for what the certificate's files hold");
    left(
        before.access != *access,
        "service.socket_role, service.names, service.origins, service.client and service.issuer",
    );
    let merged = Config {
        file: file.clone(),
        hosts: hosts.clone(),
        policies: policies.clone(),
        engine: waypost_engine::Settings { controller: before.engine.controller.clone(), ..engine.clone() },
        ..before.clone()
    };
    let (was, is) = (&before.engine, &merged.engine);
    let mut taken = |differs: bool, what| {
        if differs {
            told.taken.push(what);
        }
    };
    taken(before.hosts != merged.hosts, HOSTS);
    taken(before.policies != merged.policies, "what is said of policies");
    taken(was.networks != is.networks, "networks, clusters and rules");
    taken(was.slots != is.slots, "how many may move at once");
    taken(was.encryption != is.encryption, "transfers.encryption");
    let same_otherwise = waypost_engine::Settings {
        networks: was.networks.clone(),
        slots: was.slots.clone(),
        encryption: was.encryption,
        ..is.clone()
    };
    taken(*was != same_otherwise, "settings of the engine");
    (merged, told)
}

/// Has the policies answer for the configuration before it is in force, apart from those that are asked meanwhile. One that
/// is broken already is no reason to refuse: what mends it may be in the very same file.
pub(crate) fn rehearse(new: &Config, before: &Config, policies: &PolicyRuntime) -> Result<(), ReloadError> {
    if new.policies == before.policies {
        return Ok(());
    }
    let trial = wiring::policies_to_ask(new, Watching::Off)?;
    let now = policies.list();
    for plugin in trial.list() {
        let was = now.iter().find(|known| known.name == plugin.name);
        if let (Some(why), true) = (trouble(&plugin), was.is_none_or(|was| trouble(was).is_none())) {
            return Err(ReloadError::Policy { name: plugin.name.to_string(), why });
        }
    }
    Ok(())
}

fn trouble(plugin: &PluginStatus) -> Option<String> {
    match &plugin.state {
        PluginState::Broken { why, .. } | PluginState::SettingsRefused { why } => Some(why.clone()),
        PluginState::Ok | PluginState::LastGood { .. } | PluginState::Ignored => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/waypost/waypost.toml")).unwrap()
    }

    #[test]
    fn each_part_that_differs_is_told_once_and_taken_or_left() {
        let before = config("[[host]]\nname = 'a'\nuri = 'test:///a'\n");
        assert_eq!(merged(&before, &before).1, Reloaded::default());
        let new = config(
            "state_dir = '/elsewhere'\n[[host]]\nname = 'b'\nuri = 'test:///b'\n[engine]\nmax_attempts = 7\n\
             [migrations]\noutgoing_per_host = 5\n[transfers]\nencryption = 'required'\n[service]\nsocket = '/s'\n\
             [plugin.precheck-cpu]\nmode = 'shadow'\n[[network]]\nname = 'n'\nroles = ['migration']\n",
        );
        let (now, told) = merged(&before, &new);
        assert_eq!(
            told.taken,
            [
                HOSTS,
                "what is said of policies",
                "networks, clusters and rules",
                "how many may move at once",
                "transfers.encryption",
                "settings of the engine"
            ]
        );
        assert_eq!(told.left, ["state_dir", "service.socket"]);
        assert_eq!((now.engine.max_attempts, now.engine.slots.outgoing_per_host), (7, 5));
        assert_eq!((&now.hosts, &now.state_dir, &now.socket), (&new.hosts, &before.state_dir, &before.socket));
        assert_eq!(now.engine.controller, before.engine.controller, "what domains are marked with does not change");
        // What was left is still told by the next one.
        let mut again = merged(&now, &new).1;
        assert_eq!(again, Reloaded { taken: vec![], left: told.left });
        again.other_hosts();
        again.other_hosts();
        assert_eq!(again.taken, [HOSTS]);
    }
}
