//! The chosen network in a plan: where the memory goes, where the destination listens, which way the disks take.

use std::net::IpAddr;

use super::choice::{asks_management, declared, doubted, reaching};
use super::tried::{Found, found, found_at, peer};
use super::{Chosen, Detour, Detours, Fallback, MANAGEMENT, NetworkError, Networks, Role, Wanted, choose};
use crate::facts::{Candidate, Snapshot};
use crate::plan::{Plan, TransferMode};
use crate::request::{Mode, Options};
use crate::stream::{DiskCopy, Encryption, Transport};
use crate::uri::{address_in, is_encrypted};

/// The way of the memory for a request: the network that is wanted, or none where the request has an address of its own, which is
/// stronger, or where libvirt is left to choose. None: no memory moves on a way of its own.
pub fn memory_way(
    networks: &Networks,
    options: &Options,
    facts: &Snapshot,
    to: &Candidate,
) -> Result<Option<Chosen>, NetworkError> {
    daemon(options.transport, facts, to)?;
    let moves_memory = options.mode != Mode::Offline && facts.domain.state.is_active();
    let tunnelled = options.transport == Transport::Tunnelled;
    match wanted(networks, options, facts, to) {
        Some((name, by)) if tunnelled && (moves_memory || by == Wanted::Request) => tunnel(networks, (&name, &by)),
        Some((name, by)) if !tunnelled && moves_memory && options.migrate_uri.is_none() => {
            choose(networks, (&name, &by), Role::Migration, &facts.source, to).map(Some)
        }
        _ if !tunnelled && moves_memory => match &options.migrate_uri {
            Some(uri) => straight(uri, Role::Migration, facts, to).map(|note| Some(unchosen(note, None))),
            None => Ok(Some(by_itself(facts, to))),
        },
        _ => Ok(None),
    }
}

/// What was found of the way from the source's daemon to the destination's, for a note.
fn daemon(transport: Transport, facts: &Snapshot, to: &Candidate) -> Result<Option<String>, NetworkError> {
    let Some((name, port)) = peer(transport, &to.host) else { return Ok(None) };
    let (from, there) = (facts.source.name.clone(), to.host.name.clone());
    match found_at(&to.pair.ways_tried, &name, port) {
        Found::Cut(why) => Err(NetworkError::Cut { what: "daemons' connection", from, to: there, why }),
        Found::Reached(_) => {
            // What answers is not what it says it is: that takes a handshake, which only the daemons have the keys for.
            let unproven = match to.host.peer_uri.as_deref().is_some_and(is_encrypted) {
                true => format!("; that its certificate names {name} is unproven, and shown by the start"),
                false => String::new(),
            };
            let tried = format!("tried from there, {name} answered on port {port}");
            Ok(Some(format!("{from} reaches the daemon of {there}: {tried}{unproven}")))
        }
        Found::Unknown(why) => Ok(Some(format!("that {from} reaches the daemon of {there} could not be tried: {why}"))),
        Found::Nothing => Ok(None),
    }
}

/// The way that libvirt takes by itself: to the name that the destination gives itself.
fn by_itself(facts: &Snapshot, to: &Candidate) -> Chosen {
    let (source, name) = (&facts.source, &to.host.hostname);
    let found = found(&to.pair.ways_tried, name);
    let doubt = match &found {
        Found::Cut(cut) => Some(doubted(cut, Role::Migration, source, &to.host)),
        _ => None,
    };
    let note = doubt.clone().unwrap_or_else(|| reaching(&found, source, name, to));
    unchosen(Some(note), doubt)
}

/// A way on which the site's networks have no say.
fn unchosen(note: Option<String>, doubt: Option<String>) -> Chosen {
    Chosen {
        network: None,
        address: None,
        bandwidth_mib_s: None,
        stepped_back: None,
        doubt,
        notes: note.into_iter().collect(),
        others: Vec::new(),
    }
}

/// What was found of the way of a URI, for a note; also that nobody tried it. Nothing is said of a socket, which is no way
/// between machines.
fn straight(uri: &str, role: Role, facts: &Snapshot, to: &Candidate) -> Result<Option<String>, NetworkError> {
    let Some(name) = address_in(uri) else { return Ok(None) };
    match found(&to.pair.ways_tried, &name) {
        Found::Cut(why) => {
            let (from, to) = (facts.source.name.clone(), to.host.name.clone());
            Err(NetworkError::Cut { what: role.carried(), from, to, why })
        }
        found => Ok(Some(reaching(&found, &facts.source, &name, to))),
    }
}

/// The way through a tunnel, which is the management network's: whoever wants another network is told, and refused where that
/// one may not stand in for it.
fn tunnel(networks: &Networks, (name, by): (&str, &Wanted)) -> Result<Option<Chosen>, NetworkError> {
    if asks_management(name, by) {
        return Ok(None);
    }
    if *by == Wanted::Request {
        return Err(NetworkError::Tunnelled(name.to_owned()));
    }
    if !declared(networks, (name, by), Role::Migration)?.fallback.contains(&Fallback::Management) {
        return Err(NetworkError::TunnelAround { name: name.to_owned(), by: by.clone() });
    }
    let why = "a tunnelled migration takes the daemons' own connection";
    Ok(Some(Chosen {
        network: None,
        address: None,
        bandwidth_mib_s: None,
        stepped_back: Some(format!("the memory takes network {MANAGEMENT} instead of {name}: {why}")),
        doubt: None,
        notes: Vec::new(),
        others: Vec::new(),
    }))
}

/// The migrate URI that the site's networks make for a destination; none where they have no say.
pub fn memory_uri(networks: &Networks, options: &Options, facts: &Snapshot, to: &Candidate) -> Option<String> {
    // That there is no way at all is for the verdict to say.
    let chosen = memory_way(networks, options, facts, to).ok().flatten()?;
    chosen.address.map(|address| uri(address, None))
}

fn wanted(networks: &Networks, options: &Options, facts: &Snapshot, to: &Candidate) -> Option<(String, Wanted)> {
    let (domain, request) = (&facts.domain, options.network.as_deref());
    networks.wanted(request, domain.migration_network.as_deref(), &domain.name, &facts.source.name, &to.host.name)
}

/// Puts the networks into a plan. What the request says of addresses is stronger; a plan that moves no memory, and one
/// for a site that declares no networks, stays as it is.
pub fn route(
    mut plan: Plan,
    networks: &Networks,
    options: &Options,
    facts: &Snapshot,
    to: &Candidate,
) -> Result<Plan, NetworkError> {
    plan.notes.0.extend(daemon(plan.transport, facts, to)?);
    if plan.mode == TransferMode::Offline {
        return Ok(plan);
    }
    if plan.migrate_uri.is_some() {
        let chosen = wanted(networks, options, facts, to);
        let ignored = |(name, _)| format!("the migration URI was given, so network {name} was not chosen");
        plan.notes.0.extend(chosen.map(ignored));
    }
    if let Some(chosen) = memory_way(networks, options, facts, to)? {
        plan.notes.0.extend(chosen.stepped_back.into_iter().chain(chosen.notes));
        plan.network = chosen.network;
        if plan.stream.post_copy {
            // The other limit is over with the switch: this is one of its own.
            let asked = plan.stream.post_copy_bandwidth_mib_s;
            let limited = |network: &Fallback| asked.or_else(|| networks.get(network.name())?.bandwidth_mib_s);
            plan.stream.post_copy_bandwidth_mib_s = asked.or(chosen.bandwidth_mib_s);
            let others = chosen.others.into_iter();
            plan.detours = Detours(others.map(|(network, at)| detour(limited(&network), network, at)).collect());
        }
        plan.bandwidth_mib_s = plan.bandwidth_mib_s.or(chosen.bandwidth_mib_s);
        if let Some(address) = chosen.address {
            plan.migrate_uri = Some(uri(address, None));
            plan.listen_address.get_or_insert_with(|| address.to_string());
        }
        // libvirt would look for the address in the destination's certificate; without a network it looks for the
        // host's name, and what a certificate must say shall not depend on the network.
        let addressed = chosen.address.is_some() || !plan.detours.0.is_empty();
        if addressed && plan.stream.encryption == Encryption::Required && plan.stream.tls_destination.is_none() {
            let name = to.host.hostname.clone();
            plan.notes.0.push(format!(
                "that the hypervisor's certificate on {} names {name} is unproven: the start of the transfer shows it",
                to.host.name
            ));
            plan.stream.tls_destination = Some(name);
        }
    }
    disks(&mut plan, networks, facts, to)?;
    Ok(plan)
}

/// The way that is chosen for the disks of a plan whose request names none; none where they go with the memory, or nowhere.
pub fn disks_way(
    networks: &Networks,
    plan: &Plan,
    facts: &Snapshot,
    to: &Candidate,
) -> Result<Option<Chosen>, NetworkError> {
    let may_carry = |name: &str| networks.get(name).is_some_and(|n| n.roles.contains(&Role::DiskCopy));
    if plan.disks.copy == DiskCopy::No || plan.network.as_deref().is_some_and(may_carry) {
        return Ok(None);
    }
    match (&networks.disk_copy, &plan.network) {
        (Some(name), _) => choose(networks, (name, &Wanted::DiskDefault), Role::DiskCopy, &facts.source, to).map(Some),
        (None, Some(name)) => Err(NetworkError::NoDiskNetwork(name.clone())),
        // Nobody said anything of networks, or the memory has stepped back to the management network.
        (None, None) => Ok(None),
    }
}

/// The way of the disks: with the memory where its network may carry them, else the network that is set for them.
fn disks(plan: &mut Plan, networks: &Networks, facts: &Snapshot, to: &Candidate) -> Result<(), NetworkError> {
    if plan.disks.copy == DiskCopy::No {
        return Ok(());
    }
    if let Some(uri) = &plan.disks.uri {
        plan.notes.0.extend(straight(uri, Role::DiskCopy, facts, to)?);
        return Ok(());
    }
    if let Some(port) = plan.disks.port {
        let (from, there) = (&facts.source.name, &to.host.name);
        plan.notes.0.push(format!(
            "that {from} reaches port {port} of {there}, where the disks come in, is unproven: they would take an attempt for \
             their own"
        ));
    }
    let Some(chosen) = disks_way(networks, plan, facts, to)? else { return Ok(()) };
    plan.notes.0.extend(chosen.stepped_back.into_iter().chain(chosen.notes));
    match chosen.address {
        // libvirt takes a port or a URI, not both.
        Some(address) => plan.disks.uri = Some(uri(address, plan.disks.port.take())),
        // Without a URI they go where the memory goes; that is the management network only if the memory takes it, and the
        // request names no address.
        None if plan.network.is_none() && plan.migrate_uri.is_none() => {}
        None => return Err(NetworkError::NoManagementAddress(to.host.name.clone())),
    }
    Ok(())
}

fn detour(bandwidth_mib_s: Option<u64>, network: Fallback, address: Option<IpAddr>) -> Detour {
    Detour {
        network: match network {
            Fallback::Network(name) => Some(name),
            Fallback::Management => None,
        },
        migrate_uri: address.map(|address| uri(address, None)),
        listen_address: address.map(|address| address.to_string()),
        bandwidth_mib_s,
    }
}

fn uri(address: IpAddr, port: Option<u16>) -> String {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    match address {
        IpAddr::V4(address) => format!("tcp://{address}{port}"),
        IpAddr::V6(address) => format!("tcp://[{address}]{port}"),
    }
}
