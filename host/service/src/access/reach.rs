//! How far a caller reaches, where only hosts can tell. A page names a domain by its UUID, because names are unique on one host only;
//! a scope mostly has patterns for names. Which goes with which says the host that has the domain.
//!
//! Nobody learns from a refusal whether there is a domain that is outside: one that is not there is refused in the same words, after
//! the same look, and where a host did not answer that is said of both.

use futures_util::future::join_all;
use waypost_core::access::Scopes;
use waypost_core::facts::DomainBrief;
use waypost_core::ids::{DomainKey, HostName};
use waypost_core::ports::Fault;

use super::permit::outside;
use crate::caller::Caller;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// A domain with the host that has it, as the host tells it; none: nobody had to be asked.
pub(crate) type Told = Option<(HostName, DomainBrief)>;

impl Caller {
    /// Refuses to move a domain, or to ask about it, where that is outside: one scope has to have all that is named.
    /// Whoever is limited to hosts has to say from where it comes, because that must be one of them.
    pub(crate) async fn may_ask(
        &self,
        service: &Service,
        domain: &str,
        from: Option<&str>,
        to: &[&str],
    ) -> Result<Told, Failed> {
        // Before a host is asked anything.
        self.could_reach_domain(domain)?;
        let mut near = self.clone();
        for host in to {
            near = near.on(host)?;
        }
        near = match from {
            Some(host) => near.on(host)?,
            None => {
                let scopes = near.scopes().on_all_hosts();
                if scopes.is_empty() {
                    return Err(outside(&near, "a source that is not named").remedy("name the source with `from`"));
                }
                near.within(scopes)
            }
        };
        near.may_reach_domain(service, from, domain).await
    }

    /// Refuses a domain that is outside by its name and by its UUID: by what is asked for where that settles it, else by what the
    /// host says that it is on; none: by what all of them say.
    pub(crate) async fn may_reach_domain(
        &self,
        service: &Service,
        on: Option<&str>,
        domain: &str,
    ) -> Result<Told, Failed> {
        let near = on.map_or_else(|| Ok(self.clone()), |host| self.on(host))?;
        if !near.scopes().leaves_open(domain) {
            return near.could_reach_domain(domain).map(|()| None);
        }
        let mut hosts = service.shared.parts.hypervisor.hosts();
        hosts.retain(|host| on.is_none_or(|on| host.as_str() == on));
        let (found, silent) = find(service, hosts, &DomainKey::parse(domain)).await;
        // One that is silent may have another domain of that name, which would be the one that is moved when it is back.
        if let Some(fault) = silent.into_iter().next() {
            return Err(fault.into());
        }
        if found.is_empty() || !found.iter().all(|(host, brief)| near.reaches(host, brief)) {
            return Err(outside(self, &format!("domain {domain}, if it is there at all,")));
        }
        Ok(found.into_iter().next())
    }

    /// Whether a domain of that host is in a scope, by its name or by its UUID.
    pub(crate) fn reaches(&self, host: &HostName, domain: &DomainBrief) -> bool {
        self.scopes().has(host.as_str(), &[domain.name.as_str(), &domain.id.to_string()])
    }

    /// Whether it may reach that domain on whatever host it is.
    pub(crate) fn reaches_anywhere(&self, domain: &str) -> bool {
        self.within(self.scopes().on_all_hosts()).could_reach_domain(domain).is_ok()
    }

    /// The scopes with a domain that it may ask about, and with its source, if that is named.
    pub(crate) fn around(&self, domain: &str, from: Option<&str>, told: &Told) -> Scopes {
        let id = told.as_ref().map(|(_, brief)| brief.id.to_string());
        let name = told.as_ref().map(|(_, brief)| brief.name.as_str());
        let names: Vec<&str> = [Some(domain), name, id.as_deref()].into_iter().flatten().collect();
        from.map_or_else(|| self.scopes().on_all_hosts(), |host| self.scopes().on(host)).of(&names)
    }

    /// Which host of those in reach has a domain, for a request that can't name one, of a caller who is limited to hosts. Hosts that
    /// are out of reach are not named, but asked where the domain is shut off: it may be a definition that was kept, and the domain
    /// run elsewhere.
    pub(crate) async fn source_in_reach(&self, service: &Service, domain: &str) -> Result<HostName, Failed> {
        self.could_reach_domain(domain)?;
        let hosts = service.shared.parts.hypervisor.hosts();
        let (found, silent) = find(service, hosts, &DomainKey::parse(domain)).await;
        let is_near = |host: &HostName| self.scopes().has_host(host.as_str());
        let mut near: Vec<&(HostName, DomainBrief)> =
            found.iter().filter(|(host, brief)| self.reaches(host, brief)).collect();
        if near.iter().any(|(_, brief)| brief.state.is_active()) {
            near.retain(|(_, brief)| brief.state.is_active());
        }
        let unclear = |why: String| Err(Failed::new(Code::DomainUnclear, why));
        match near.as_slice() {
            [(host, brief)] if brief.state.is_active() => Ok(host.clone()),
            [(host, brief)] => {
                if found.iter().any(|(_, other)| other.id == brief.id && other.state.is_active()) {
                    return unclear(format!("{domain} is shut off on {host}, and runs on another host"));
                }
                if !silent.is_empty() {
                    return unclear(format!(
                        "{domain} is shut off on {host}, and may be running on a host that does not answer"
                    ));
                }
                Ok(host.clone())
            }
            [] => match silent.into_iter().find(|fault| is_near(&fault.host)) {
                Some(fault) => Err(fault.into()),
                None => {
                    let words = format!("none of the hosts that {} may reach has a domain {domain}", self.name());
                    Err(Failed::new(Code::NoSuchDomain, words))
                }
            },
            several => {
                let hosts: Vec<&str> = several.iter().map(|(host, _)| host.as_str()).collect();
                unclear(format!("there is a domain {domain} on several hosts: {}", hosts.join(", ")))
            }
        }
    }
}

/// The hosts of these that have a domain, and why others did not answer. They are asked at the same time.
async fn find(
    service: &Service,
    hosts: Vec<HostName>,
    domain: &DomainKey,
) -> (Vec<(HostName, DomainBrief)>, Vec<Fault>) {
    let hypervisor = service.shared.parts.hypervisor.as_ref();
    let asked = hosts.into_iter().map(|host| async move {
        let answer = hypervisor.domains(&host).await;
        (host, answer)
    });
    let answers = join_all(asked).await;
    let is_meant = |brief: &DomainBrief| match domain {
        DomainKey::Id(id) => brief.id == *id,
        DomainKey::Name(name) => brief.name == *name,
    };
    let (mut found, mut silent) = (Vec::new(), Vec::new());
    for (host, answer) in answers {
        match answer {
            Ok(briefs) => found.extend(briefs.into_iter().find(is_meant).map(|brief| (host, brief))),
            Err(fault) => silent.push(fault),
        }
    }
    (found, silent)
}
