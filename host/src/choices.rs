//! A plan in words, one line per choice, each with where the choice comes from: what nobody asked for is said to be the
//! default, so that a dry run hides nothing. The same for the command and for the service.

mod around;
mod stream;

use std::fmt;

use waypost_api::v1;
use waypost_core::copies::CopiedDisk;
use waypost_core::facts::Disk;
use waypost_core::network::{Detour, MANAGEMENT};
use waypost_core::plan::{Autostart, Before, DestinationFate, Plan, RunState, SourceFate, TransferMode};
use waypost_core::request::{AfterMove, DEFAULT_TIMEOUT_S, Options, Persistence, SourceDefinition, StorageSafety};
use waypost_core::stream::{DiskCopy, Transport};
use waypost_policy::PolicyRuntime;

pub use around::around;

use crate::amounts::duration;
use crate::config::Config;

/// One choice.
pub struct Choice {
    /// A stable word for what is chosen.
    name: &'static str,
    words: String,
    origin: Origin,
}

/// Where a choice comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// The request.
    Asked,
    /// Nobody said anything.
    Default,
    /// The network of the configuration.
    Network,
    /// The convergence policy.
    Policy,
    /// The configuration.
    Site,
    /// It follows from the facts.
    Facts,
}

impl Origin {
    /// Asked for, or the default.
    pub fn asked(asked: bool) -> Self {
        Self::asked_or(asked, Self::Default)
    }

    /// Asked for, or from elsewhere.
    pub fn asked_or(asked: bool, elsewhere: Self) -> Self {
        if asked { Self::Asked } else { elsewhere }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Default => "default",
            Self::Network => "network",
            Self::Policy => "convergence-policy",
            Self::Site => "configuration",
            Self::Facts => "facts",
        }
    }
}

impl Choice {
    /// A choice, the words for it, and where it comes from.
    pub fn new(name: &'static str, origin: Origin, words: impl Into<String>) -> Self {
        Self { name, words: words.into(), origin }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        v1::Choice::from(self).fmt(f)
    }
}

impl From<&Choice> for v1::Choice {
    fn from(choice: &Choice) -> Self {
        Self {
            choice: choice.name.to_owned(),
            words: choice.words.clone(),
            from: choice.origin.as_str().to_owned(),
            around: false,
        }
    }
}

/// A plan that was just made, and what stands around it.
pub fn planned_choices(
    config: &Config,
    policies: &PolicyRuntime,
    plan: &Plan,
    asked: &Options,
    disks: &[Disk],
) -> Vec<v1::Choice> {
    let beside = around(config, policies, asked, plan);
    let beside = beside.iter().map(|choice| v1::Choice { around: true, ..v1::Choice::from(choice) });
    choices(plan, asked, Some(disks)).iter().map(v1::Choice::from).chain(beside).collect()
}

/// The plan of a task: the disks that stay are on no record.
pub fn recorded_choices(plan: &Plan, asked: &Options) -> Vec<v1::Choice> {
    choices(plan, asked, None).iter().map(v1::Choice::from).collect()
}

/// Every choice of a plan; `asked` is the request's, and `disks` are the domain's where they are known.
pub fn choices(plan: &Plan, asked: &Options, disks: Option<&[Disk]>) -> Vec<Choice> {
    let mut choices = vec![Choice::new("move", Origin::Facts, travel(plan)), transport(plan)];
    definitions(plan, asked, &mut choices);
    if plan.mode == TransferMode::Live {
        way(plan, asked, &mut choices);
        stream::choices(plan, &asked.stream, &mut choices);
    }
    choices.extend(disks.into_iter().flatten().filter(|disk| copied(plan, &disk.target).is_none()).map(stays));
    choices.extend(plan.copies.0.iter().map(|disk| copy(plan, disk)));
    if plan.disks.copy != DiskCopy::No {
        choices.push(writes(plan, asked));
    }
    choices.push(Choice::new(
        "timeout",
        Origin::asked(asked.timeout_s != DEFAULT_TIMEOUT_S),
        format!("abort if it takes longer than {}", duration(plan.timeout_s.saturating_mul(1000))),
    ));
    choices
}

fn travel(plan: &Plan) -> String {
    let how = match (plan.mode, plan.initially) {
        (TransferMode::Live, RunState::Paused) => "with its memory, paused",
        (TransferMode::Live, _) => "live, with its memory",
        (TransferMode::Offline, _) => "as a definition; it is shut off",
    };
    format!("move {} from {} to {}, {how}", plan.name, plan.source.host, plan.destination.host)
}

fn transport(plan: &Plan) -> Choice {
    let uri = &plan.peer_uri;
    let words = match plan.transport {
        Transport::PeerToPeer => format!("peer to peer: the source's libvirt connects to {uri}"),
        Transport::Direct => format!("direct: this program drives both libvirt daemons, there {uri}"),
        Transport::Tunnelled => format!("tunnelled: the memory goes through the source libvirt's connection to {uri}"),
    };
    Choice::new("transport", Origin::asked(plan.transport != Transport::PeerToPeer), words)
}

fn definitions(plan: &Plan, asked: &Options, choices: &mut Vec<Choice>) {
    let there = &plan.destination.host;
    if plan.destination_name != plan.name {
        choices.push(Choice::new("name", Origin::Asked, format!("name it {} on {there}", plan.destination_name)));
    }
    let finally = match (plan.mode, plan.finally) {
        (TransferMode::Offline, _) => None,
        (_, state) if state == plan.initially => Some(format!("it stays {state}")),
        (_, state) => Some(format!("leave it {state} there")),
    };
    let origin = Origin::asked(asked.after != AfterMove::AsBefore);
    choices.extend(finally.map(|words| Choice::new("afterwards", origin, words)));
    choices.push(Choice::new(
        "destination-definition",
        Origin::asked(asked.persistence != Persistence::AsSource),
        match plan.destination_fate {
            DestinationFate::Define => format!(
                "define it on {there}{}",
                if plan.autostart == Autostart::On { ", started with the host" } else { "" }
            ),
            DestinationFate::TransientOnly => format!("only run it on {there}, without a definition"),
        },
    ));
    let here = &plan.source.host;
    let (origin, words) = match plan.source_fate {
        SourceFate::Undefine => (Origin::Default, format!("remove its definition from {here}")),
        SourceFate::KeepWithoutAutostart => (
            Origin::asked(asked.source_definition == SourceDefinition::Keep),
            format!("keep its definition on {here}, without autostart"),
        ),
        SourceFate::None => (Origin::Facts, format!("nothing stays on {here}: it is not defined there")),
    };
    choices.push(Choice::new("source-definition", origin, words));
    if plan.destination_before == Before::Defined {
        let words = format!("a shut-off definition of it on {there} is replaced");
        choices.push(Choice::new("destination-before", Origin::Facts, words));
    }
    choices.push(match plan.storage {
        StorageSafety::Unsafe => {
            Choice::new("storage-check", Origin::Asked, "libvirt's storage check is skipped, as asked for by name")
        }
        StorageSafety::Checked => {
            Choice::new("storage-check", Origin::Default, "libvirt checks that the storage is safe to migrate")
        }
    });
}

/// Which way the memory takes, and how much of it.
fn way(plan: &Plan, asked: &Options, choices: &mut Vec<Choice>) {
    let tunnelled = plan.transport == Transport::Tunnelled;
    choices.push(match &plan.network {
        Some(network) => {
            let origin = Origin::asked_or(asked.network.is_some(), Origin::Site);
            Choice::new("network", origin, format!("take the network {network}"))
        }
        None if asked.network.as_deref() == Some(MANAGEMENT) => {
            Choice::new("network", Origin::Asked, format!("take the network {MANAGEMENT}"))
        }
        None => Choice::new("network", Origin::Default, "take no migration network of the configuration"),
    });
    if !plan.detours.0.is_empty() {
        let other = |other: &Detour| {
            let limit = other.bandwidth_mib_s.map(|limit| format!(", at most {limit} MiB/s"));
            format!("{}{}", other.network.as_deref().unwrap_or(MANAGEMENT), limit.unwrap_or_default())
        };
        let others: Vec<_> = plan.detours.0.iter().map(other).collect();
        let words = format!("a post-copy that breaks goes on over network {}", others.join(", or "));
        choices.push(Choice::new("post-copy-networks", Origin::Network, words));
    }
    if !tunnelled {
        choices.push(match &plan.migrate_uri {
            Some(uri) => {
                let origin = Origin::asked_or(asked.migrate_uri.is_some(), Origin::Network);
                Choice::new("migrate-uri", origin, format!("send the memory to {uri}"))
            }
            None => {
                Choice::new("migrate-uri", Origin::Default, "send the memory where libvirt on the destination says")
            }
        });
        choices.push(match &plan.listen_address {
            Some(address) => {
                let origin = Origin::asked_or(asked.listen_address.is_some(), Origin::Network);
                Choice::new("listen-address", origin, format!("listen on {address}"))
            }
            None => Choice::new("listen-address", Origin::Default, "listen on every address of the destination"),
        });
    }
    choices.push(match plan.bandwidth_mib_s {
        Some(limit) => {
            let origin = Origin::asked_or(asked.bandwidth_mib_s.is_some(), Origin::Network);
            Choice::new("bandwidth", origin, format!("at most {limit} MiB/s"))
        }
        None => Choice::new("bandwidth", Origin::Default, "no bandwidth limit"),
    });
    choices.push(match plan.max_downtime_ms {
        Some(ms) => {
            let origin = Origin::asked_or(asked.max_downtime_ms.is_some(), Origin::Policy);
            Choice::new("max-downtime", origin, format!("switch over when that takes at most {ms} ms"))
        }
        None => Choice::new("max-downtime", Origin::Default, "switch over within the hypervisor's own downtime limit"),
    });
}

fn copied<'p>(plan: &'p Plan, target: &str) -> Option<&'p CopiedDisk> {
    plan.copies.0.iter().find(|disk| disk.target == target)
}

fn stays(disk: &Disk) -> Choice {
    let target = &disk.target;
    let words = match &disk.source {
        None => format!("disk {target}: an empty drive"),
        Some(source) => format!("disk {target}: not copied, the destination uses {source} as well"),
    };
    Choice::new("disk", Origin::Default, words)
}

fn copy(plan: &Plan, disk: &CopiedDisk) -> Choice {
    let CopiedDisk { target, path, pool, volume, .. } = disk;
    let words = match &disk.backing {
        None => format!("disk {target}: copied whole, to a new volume {volume} in pool {pool} there ({path})"),
        Some(backing) => {
            format!("disk {target}: copied as far as it differs from {backing}, to {volume} in pool {pool} there")
        }
    };
    let to = match (&plan.disks.uri, plan.disks.port) {
        (Some(uri), _) => format!(", sent to {uri}"),
        (None, Some(port)) => format!(", sent to port {port}"),
        (None, None) => ", sent the way of the memory".to_owned(),
    };
    Choice::new("disk", Origin::Asked, words + &to)
}

fn writes(plan: &Plan, asked: &Options) -> Choice {
    let words = if plan.disks.synchronous_writes {
        "the guest's writes wait for the copies"
    } else {
        "the guest's writes do not wait for the copies"
    };
    Choice::new("disk-writes", Origin::asked(asked.disks.synchronous_writes), words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_says_where_it_comes_from() {
        let told = |origin| Choice::new("bandwidth", origin, "at most 5 MiB/s").to_string();
        assert_eq!(told(Origin::Asked), "at most 5 MiB/s");
        assert_eq!(told(Origin::Default), "at most 5 MiB/s (default)");
        assert_eq!(told(Origin::Network), "at most 5 MiB/s (as its network has it)");
        let shape = v1::Choice::from(&Choice::new("bandwidth", Origin::Network, "at most 5 MiB/s"));
        assert_eq!((shape.choice.as_str(), shape.from.as_str()), ("bandwidth", "network"));
    }

    #[test]
    fn the_limit_of_a_post_copy_is_the_networks_where_nobody_asked_for_it() {
        use waypost_core::network::Detours;
        use waypost_core::stream::Stream;
        let post_copy = |limit| Stream { post_copy: true, post_copy_bandwidth_mib_s: limit, ..Stream::default() };
        let detour = |network: Option<&str>, bandwidth_mib_s| Detour {
            network: network.map(str::to_owned),
            migrate_uri: None,
            listen_address: None,
            bandwidth_mib_s,
        };
        let told = |planned: Option<u64>, asked: Option<u64>, name: &str| {
            let detours = Detours(vec![detour(Some("six"), Some(20)), detour(None, None)]);
            let plan = Plan { stream: post_copy(planned), detours, ..waypost_core::testing::plan() };
            let asked = Options { stream: post_copy(asked), ..Options::default() };
            let all = choices(&plan, &asked, None);
            all.iter().find(|choice| choice.name == name).map(ToString::to_string)
        };
        let limited = "the switch to post-copy is allowed, then at most 60 MiB/s";
        assert_eq!(told(Some(60), Some(60), "postcopy").as_deref(), Some(limited));
        assert_eq!(told(Some(60), None, "postcopy"), Some(format!("{limited} (as its network has it)")));
        let free = "the switch to post-copy is allowed, then without a bandwidth limit of its own";
        assert_eq!(told(None, None, "postcopy").as_deref(), Some(free));
        let others = told(Some(60), None, "post-copy-networks");
        let words = "a post-copy that breaks goes on over network six, at most 20 MiB/s, or management";
        assert_eq!(others, Some(format!("{words} (as its network has it)")));
    }
}
