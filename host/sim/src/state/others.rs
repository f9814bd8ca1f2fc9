//! Other hosts in a world that goes on: whoever stays is as it is, with all that happened to it.

use std::collections::{BTreeSet, HashMap};

use waypost_core::ids::{DomainId, HostName};

use super::{Host, State};
use crate::fleet::Fleet;

impl State {
    /// The hosts of that expanded fleet in the place of these. One that is new comes with its domains, but for those that are on
    /// a host that stays; one that is gone goes with its own.
    pub(crate) fn take_hosts(&mut self, fleet: &Fleet) {
        let Self { hosts, by_name, links, .. } = Self::new(fleet);
        let gone: Vec<HostName> =
            self.hosts.iter().map(|host| host.name.clone()).filter(|name| !by_name.contains_key(name)).collect();
        for name in &gone {
            self.log.note(name, "it is no host of this world any more");
            self.lose(name, "End of file while reading data", |_| {});
        }
        let before = std::mem::take(&mut self.hosts);
        let mut before: HashMap<HostName, Host> = before.into_iter().map(|host| (host.name.clone(), host)).collect();
        before.retain(|name, _| by_name.contains_key(name));
        let there: BTreeSet<DomainId> = before.values().flat_map(|host| host.domains.keys().copied()).collect();
        for host in hosts {
            let known = before.remove(&host.name);
            let host = known.unwrap_or_else(|| self.arrives(host, &there));
            self.hosts.push(host);
        }
        (self.by_name, self.links) = (by_name, links);
        // What went with its host is missed by nobody.
        let hosts = &self.hosts;
        self.alive.retain(|id, ()| hosts.iter().any(|host| host.domains.contains_key(id)));
    }

    /// A host as its fleet describes it, without the domains that are elsewhere already.
    fn arrives(&mut self, mut host: Host, there: &BTreeSet<DomainId>) -> Host {
        host.domains.retain(|id, _| !there.contains(id));
        host.used_kib = 0;
        for (id, local) in &host.domains {
            self.stores.put_disks(&host.spec, &local.spec);
            if local.process.is_some() {
                self.alive.insert(*id, ());
                host.used_kib += local.spec.memory_mib * 1024;
            }
        }
        self.log.note(&host.name, "it is a host of this world from now on");
        host
    }
}
