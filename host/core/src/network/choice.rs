//! Which network: who named it, whether it is up on both sides, and what is taken instead.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;

use super::glob::fits;
use super::tried::{Found, found};
use super::{Fallback, MANAGEMENT, Network, NetworkError, Networks, Place, Role};
use crate::facts::{Candidate, HostFacts};
use crate::ids::HostName;

/// Who named a network, the strongest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Who asked for the migration.
    Request,
    /// The domain's metadata.
    Domain,
    /// A rule on the domain's name.
    Rule(String),
    /// The cluster of both hosts.
    Cluster(String),
    /// The site's default.
    Default,
    /// The site's default for disks.
    DiskDefault,
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request => f.write_str("the request"),
            Self::Domain => f.write_str("the domain's metadata"),
            Self::Rule(domains) => write!(f, "the rule for domains {domains:?}"),
            Self::Cluster(name) => write!(f, "cluster {name}"),
            Self::Default => f.write_str("`default` under [networks]"),
            Self::DiskDefault => f.write_str("`disk_copy` under [networks]"),
        }
    }
}

impl Networks {
    /// The network that is wanted for the memory, and by whom: the request's word, then the domain's metadata, the first
    /// rule that fits its name, the cluster that both hosts are in, the default. None: libvirt chooses.
    pub fn wanted(
        &self,
        request: Option<&str>,
        metadata: Option<&str>,
        domain: &str,
        source: &HostName,
        destination: &HostName,
    ) -> Option<(String, Wanted)> {
        if let Some(name) = request {
            return Some((name.to_owned(), Wanted::Request));
        }
        if let Some(name) = metadata {
            return Some((name.to_owned(), Wanted::Domain));
        }
        if let Some(rule) = self.rules.iter().find(|rule| fits(&rule.domains, domain)) {
            return Some((rule.network.clone(), Wanted::Rule(rule.domains.clone())));
        }
        let both = |hosts: &[HostName]| hosts.contains(source) && hosts.contains(destination);
        if let Some(cluster) = self.clusters.iter().find(|cluster| both(&cluster.hosts)) {
            return Some((cluster.network.clone(), Wanted::Cluster(cluster.name.clone())));
        }
        self.default.clone().map(|name| (name, Wanted::Default))
    }
}

/// What a migration takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chosen {
    /// The network; none: the management network.
    pub network: Option<String>,
    /// The destination's address on it; none: whatever libvirt takes.
    pub address: Option<IpAddr>,
    /// What it carries, MiB/s.
    pub bandwidth_mib_s: Option<u64>,
    /// Why it isn't the one that was wanted, if it isn't.
    pub stepped_back: Option<String>,
    /// What speaks against it and is no proof that it leads nowhere; the notes have it too.
    pub doubt: Option<String>,
    /// What else a person should know of the choice.
    pub notes: Vec<String>,
    /// What else may carry it, up or not at present, each with the destination's address; the next in order first.
    pub others: Vec<(Fallback, Option<IpAddr>)>,
}

/// Whether the request takes the management network on purpose. Nobody else can want it: a domain's metadata and a
/// configuration name networks that are declared.
pub(super) fn asks_management(name: &str, by: &Wanted) -> bool {
    name == MANAGEMENT && *by == Wanted::Request
}

/// The network of a name, if it is declared and may carry it.
pub(super) fn declared<'n>(
    networks: &'n Networks,
    (name, by): (&str, &Wanted),
    role: Role,
) -> Result<&'n Network, NetworkError> {
    let wanted = networks.get(name).ok_or_else(|| NetworkError::Unknown {
        name: name.to_owned(),
        by: by.clone(),
        known: networks.names(),
    })?;
    if !wanted.roles.contains(&role) {
        return Err(NetworkError::NoRole { name: name.to_owned(), by: by.clone(), role });
    }
    Ok(wanted)
}

/// Takes the wanted network if it is up on both sides as far as libvirt tells, else what its fallback says, in order. A declared
/// address that is cut is none of them; a name that nobody declared may be, with the doubt said.
pub fn choose(
    networks: &Networks,
    (name, by): (&str, &Wanted),
    role: Role,
    source: &HostFacts,
    to: &Candidate,
) -> Result<Chosen, NetworkError> {
    let (what, destination) = (role.carried(), &*to.host);
    let on_purpose = asks_management(name, by);
    let own = Fallback::of(name);
    let instead: &[Fallback] = if on_purpose { &[] } else { &declared(networks, (name, by), role)?.fallback };
    let candidates: Vec<&Fallback> = std::iter::once(&own).chain(instead).collect();
    // A name that seems cut is the last resort: whatever is declared comes before it, in order.
    let first = |proven: bool| {
        let mut why = Vec::new();
        for (at, candidate) in candidates.iter().copied().enumerate() {
            let (network, places) = match candidate {
                Fallback::Management => (None, &networks.management),
                Fallback::Network(other) => match networks.get(other).filter(|network| network.roles.contains(&role)) {
                    Some(network) => (Some(network), &network.places),
                    None => {
                        why.push(format!("{other} has not the role {role}"));
                        continue;
                    }
                },
            };
            let called = candidate.name();
            let unproven = match up(places, source, destination) {
                Ok(unproven) => unproven,
                // libvirt's own connection goes over it, so it is up; what was found of its addresses is not.
                Err(why) if network.is_none() => Some(format!("the link is unproven: {why}")),
                Err(down) => {
                    why.push(format!("{called}: {down}"));
                    continue;
                }
            };
            let address = reachable(places, &source.name, &destination.name);
            let given = places.get(&destination.name).map(|place| place.address);
            let found = match address {
                Some(address) => found(&to.pair.ways_tried, &address.to_string()),
                // libvirt takes the name that the destination gives itself.
                None if given.is_none() => found(&to.pair.ways_tried, &destination.hostname),
                None => Found::Nothing,
            };
            let doubt = match &found {
                // Something declared would have to be wrong for it to lead anywhere.
                Found::Cut(cut) if proven || given.is_some() => {
                    why.push(format!("{called}: from {} {cut}", source.name));
                    continue;
                }
                Found::Cut(cut) => Some(doubted(cut, role, source, destination)),
                _ => None,
            };
            let stepped_back = (!why.is_empty()).then(|| {
                let take = if role == Role::Migration { "takes" } else { "take" };
                format!("the {what} {take} network {called} instead of {name}: {}", why.join("; "))
            });
            let note = match (address, given) {
                (Some(address), _) => {
                    let (from, there) = (&source.name, &destination.name);
                    let link = unproven.unwrap_or_else(|| format!("its links on {from} and {there} are up"));
                    format!("network {called}: {link}; {}", reaching(&found, source, &address.to_string(), to))
                }
                (None, Some(given)) => format!(
                    "network {called}: {} has no address of the kind of {given}, so {} is left to choose where it listens",
                    source.name, destination.name
                ),
                (None, None) => {
                    let said = doubt.clone().unwrap_or_else(|| reaching(&found, source, &destination.hostname, to));
                    format!("network {called}: {said}")
                }
            };
            return Ok(Chosen {
                network: network.map(|network| network.name.clone()),
                address,
                bandwidth_mib_s: network.and_then(|network| network.bandwidth_mib_s),
                stepped_back,
                doubt,
                notes: vec![note],
                others: candidates[at + 1..]
                    .iter()
                    .chain(&candidates[..at])
                    .filter_map(|other| networks.carries(other, role, &source.name, &destination.name))
                    .collect(),
            });
        }
        Err(why)
    };
    first(true).or_else(|_| first(false)).map_err(|why| NetworkError::Down { what, name: name.to_owned(), why })
}

/// What speaks against the name that a destination gives itself, to which libvirt sends what no address is named for. Its
/// hypervisor may be set to listen elsewhere, so that it is no proof.
pub(super) fn doubted(cut: &str, role: Role, source: &HostFacts, destination: &HostFacts) -> String {
    format!(
        "from {} {cut}; libvirt sends the {} there, unless `migration_host` among the settings of libvirt on {} says otherwise, of \
         which it tells nobody",
        source.name,
        role.carried(),
        destination.name
    )
}

/// What is known of the way from the source to an address of a destination, for a note.
pub(super) fn reaching(found: &Found, source: &HostFacts, address: &str, to: &Candidate) -> String {
    let (source, ports) = (&source.name, &to.host.migration_ports);
    match found {
        Found::Reached(answered) => {
            format!("{source} reaches {address}: tried from there, its ports {answered} answered")
        }
        Found::Unknown(why) => format!("that {source} reaches {address} could not be tried: {why}"),
        Found::Nothing | Found::Cut(_) => {
            let why = match to.pair.ways_tried.is_empty() {
                true => format!("libvirt has no call that tries it and no `way_probe` is configured for {source}"),
                false => "only ways of TCP are tried".to_owned(),
            };
            format!(
                "that {source} reaches {address} is unproven, because {why}, and so are the ports {}-{} there",
                ports.first, ports.last
            )
        }
    }
}

impl Networks {
    /// A network that may carry it between two hosts, whatever their links are at present, with the destination's address.
    fn carries(
        &self,
        by: &Fallback,
        role: Role,
        source: &HostName,
        destination: &HostName,
    ) -> Option<(Fallback, Option<IpAddr>)> {
        let places = match by {
            // libvirt's own connections take it, also where its addresses are not known.
            Fallback::Management => return Some((by.clone(), reachable(&self.management, source, destination))),
            Fallback::Network(name) => &self.get(name).filter(|network| network.roles.contains(&role))?.places,
        };
        places.get(source)?;
        reachable(places, source, destination).map(|to| (by.clone(), Some(to)))
    }
}

/// The destination's address; none where the source's is of the other kind, from which no way leads there.
pub(super) fn reachable(
    places: &BTreeMap<HostName, Place>,
    source: &HostName,
    destination: &HostName,
) -> Option<IpAddr> {
    let to = places.get(destination)?.address;
    let apart = places.get(source).is_some_and(|from| from.address.is_ipv4() != to.is_ipv4());
    (!apart).then_some(to)
}

/// Whether both hosts are on a network with their links up: what is left unproven, or what is wrong.
fn up(
    places: &BTreeMap<HostName, Place>,
    source: &HostFacts,
    destination: &HostFacts,
) -> Result<Option<String>, String> {
    let mut unproven = Vec::new();
    let mut found = Vec::new();
    for host in [source, destination] {
        let place = places.get(&host.name).ok_or_else(|| format!("{} has no address on it", host.name))?;
        found.push(place);
        unproven.extend(link(place, host)?);
    }
    if let [from, to] = found[..]
        && from.address.is_ipv4() != to.address.is_ipv4()
    {
        return Err(format!("{} and {} are no addresses of one kind", from.address, to.address));
    }
    Ok((!unproven.is_empty()).then(|| unproven.join(", ")))
}

/// The state of the interface that has the address: up (none), not known (why), or down (the error).
fn link(place: &Place, host: &HostFacts) -> Result<Option<String>, String> {
    let Some(interface) = &place.interface else {
        return Ok(Some(format!(
            "the link of {} is unproven, because the configuration names no interface",
            host.name
        )));
    };
    let Some(links) = &host.links else {
        return Ok(Some(format!("the link of {} is unproven, because its libvirt lists no interfaces", host.name)));
    };
    let Some(link) = links.iter().find(|link| link.name == *interface) else {
        return Err(format!("{} has no interface {interface}", host.name));
    };
    match link.state.as_deref() {
        Some("up") => Ok(None),
        None | Some("unknown") => Ok(Some(format!("libvirt does not know the state of {interface} of {}", host.name))),
        Some(state) => Err(format!("{interface} of {} is {state}", host.name)),
    }
}
