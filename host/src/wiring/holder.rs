//! Who holds the hosts of a world, and what other hosts come to: the one place through which a program that runs gets others.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use waypost_core::ids::HostName;
use waypost_libvirt::{HostConfig, Libvirt};

use super::{OpenError, fleet};
use crate::config::Config;

/// The owner of the hosts.
#[derive(Clone)]
pub(crate) enum Holder {
    /// Of real ones, which the configuration names.
    Libvirt(Arc<Libvirt>),
    /// Of simulated ones, which that file names.
    Simulated {
        /// The hosts.
        world: waypost_sim::World,
        /// The file.
        file: PathBuf,
    },
}

/// Hosts that there may be instead of those that there are.
pub(crate) struct Others {
    /// Whether they differ from those in anything.
    pub differ: bool,
    /// Those that are new, or reached by another way than now.
    pub came: Vec<HostName>,
    /// Those that would be there no more, or be reached by another way: their connections are closed.
    pub leaving: BTreeSet<HostName>,
    next: Next,
}

enum Next {
    Libvirt(Vec<HostConfig>),
    Simulated(waypost_sim::OtherHosts),
}

impl Holder {
    /// What another configuration says of the hosts. Nothing is changed.
    pub fn others(&self, before: &Config, new: &Config) -> Result<Others, OpenError> {
        match self {
            Self::Libvirt(_) => {
                let (before, new) = (before.hosts.as_slice(), new.hosts.as_slice());
                let missing_in = |there: &[HostConfig], host: &HostConfig| {
                    let is_missing = !there.iter().any(|other| other.is_reached_as(host));
                    is_missing.then(|| host.name.clone())
                };
                Ok(Others {
                    differ: before != new,
                    came: new.iter().filter_map(|host| missing_in(before, host)).collect(),
                    leaving: before.iter().filter_map(|host| missing_in(new, host)).collect(),
                    next: Next::Libvirt(new.to_vec()),
                })
            }
            Self::Simulated { world, file } => {
                let failed = |source| OpenError::Fleet { path: file.clone(), source };
                let others = fleet::others(world, file).map_err(failed)?;
                Ok(Others {
                    differ: !(others.came.is_empty() && others.gone.is_empty()),
                    came: others.came.clone(),
                    leaving: others.gone.clone(),
                    next: Next::Simulated(others),
                })
            }
        }
    }

    /// Has these from now on: for the next call to a host.
    pub fn take(&self, others: Others) {
        match (self, others.next) {
            (Self::Libvirt(hosts), Next::Libvirt(next)) => hosts.take(next),
            (Self::Simulated { world, .. }, Next::Simulated(next)) => world.take(&next),
            // Others are made by who takes them.
            (Self::Libvirt(_), Next::Simulated(_)) | (Self::Simulated { .. }, Next::Libvirt(_)) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/waypost/waypost.toml")).unwrap()
    }

    fn words<'a>(names: impl Iterator<Item = &'a HostName>) -> String {
        names.map(HostName::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn a_host_leaves_where_it_goes_or_is_reached_by_another_way() {
        let holder = Holder::Libvirt(Arc::new(Libvirt::new([])));
        let host = |name: &str, more: &str| format!("[[host]]\nname = '{name}'\nuri = 'test:///{name}'\n{more}\n");
        let before = config(&(host("a", "") + &host("b", "")));
        let told = |text: String| {
            let others = holder.others(&before, &config(&text)).unwrap();
            (others.differ, words(others.came.iter()), words(others.leaving.iter()))
        };
        let said = |differ: bool, came: &str, leaving: &str| (differ, came.to_owned(), leaving.to_owned());
        assert_eq!(told(host("a", "") + &host("b", "")), said(false, "", ""));
        // Another order, other addresses, other limits: the connections stay.
        assert_eq!(told(host("b", "") + &host("a", "addresses = ['10.0.0.1']")), said(true, "", ""));
        assert_eq!(told(format!("[limits]\nread_s = 3\n{}{}", host("a", ""), host("b", ""))), said(true, "", ""));
        assert_eq!(told(host("b", "") + &host("c", "")), said(true, "c", "a"));
        for way in ["peer_uri = 'test:///peer'", "auth_file = 'auth.conf'", "accept_unverified = true"] {
            assert_eq!(told(host("a", "") + &host("b", way)), said(true, "b", "b"), "{way}");
        }
        let uri = host("b", "").replace("test:///b", "test:///other");
        assert_eq!(told(host("a", "") + &uri), said(true, "b", "b"));
    }
}
