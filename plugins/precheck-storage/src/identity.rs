//! Whether two views are of one store.

use waypost_plugin::HostFacts;
use waypost_plugin::types::{DiskView, Pool, Volume};

use crate::Case;

/// How sure it is that both sides see the same.
pub enum Sameness {
    /// By a probe, by name, or observed.
    Proven,
    /// The time of change that the destination saw lies between two that the source saw; all three, in this order.
    WrittenMeanwhile([String; 3]),
    /// Nothing speaks for or against it.
    Unproven,
    /// It is not the same; why.
    Different(String),
}

pub fn sameness(
    case: &Case<'_>,
    [path, path_there]: [&str; 2],
    target: &str,
    here: Option<&DiskView>,
    our_pool: Option<&Pool>,
    there: Option<&DiskView>,
    their_pool: &Pool,
) -> Sameness {
    if let Some(our_pool) = our_pool {
        match case.destination.storage_proof(&our_pool.name, &their_pool.name) {
            // One store, and one place in it: a domain that is edited on its way may name another path there.
            Some(true) if path == path_there || below(our_pool, path) == below(their_pool, path_there) => {
                return Sameness::Proven;
            }
            Some(true) => {}
            Some(false) => {
                let why = format!("a probe of {} and {} showed two stores", our_pool.name, their_pool.name);
                return Sameness::Different(why);
            }
            None => {}
        }
        if named_alike([path, path_there], our_pool, their_pool) {
            return Sameness::Proven;
        }
    }
    let volumes = (here.and_then(|view| view.volume.as_ref()), there.and_then(|view| view.volume.as_ref()));
    let (Some(ours), Some(theirs)) = volumes else { return Sameness::Unproven };
    let again = case.source.disk_view_again(target).and_then(|view| view.volume.as_ref());
    observed(ours, theirs, again)
}

/// A path below the folder of a pool.
fn below<'a>(pool: &Pool, path: &'a str) -> &'a str {
    let target = pool.target.as_deref().unwrap_or_default().trim_end_matches('/');
    path.strip_prefix(target).unwrap_or(path).trim_start_matches('/')
}

/// Whether the source's path and the destination's lie on one store that both pools name: same kind, same servers, and
/// the same place on them. A mount one directory higher is the same store.
pub fn named_alike([path, path_there]: [&str; 2], ours: &Pool, theirs: &Pool) -> bool {
    fn place(pool: &Pool, path: &str) -> String {
        let export = pool.source.dir.as_deref().unwrap_or_default().trim_end_matches('/');
        format!("{export}/{}", below(pool, path))
    }
    // The order of servers means nothing; a list names none twice.
    let same_servers = |ours: &[String], theirs: &[String]| {
        ours.len() == theirs.len() && ours.iter().all(|server| theirs.contains(server))
    };
    ours.kind == theirs.kind
        && names_a_store(ours)
        && same_servers(&ours.source.hosts, &theirs.source.hosts)
        && ours.source.name == theirs.source.name
        && ours.source.devices == theirs.source.devices
        // Mounted alike, as nearly always, one path is one place.
        && ((path == path_there && ours.source.dir == theirs.source.dir && ours.target == theirs.target)
            || place(ours, path) == place(theirs, path_there))
}

/// Whether the pool's source means the same on every host.
fn names_a_store(pool: &Pool) -> bool {
    !pool.source.hosts.is_empty() && !pool.source.hosts.iter().any(|server| is_local(server))
}

/// Whether a server's name means another machine on every host.
pub fn is_local(server: &str) -> bool {
    let name = server.strip_prefix('[').map_or_else(
        // One colon parts name and port; several are an IPv6 address without a port.
        || if server.matches(':').count() == 1 { server.split(':').next().unwrap_or(server) } else { server },
        |bracketed| bracketed.split(']').next().unwrap_or(bracketed),
    );
    name.is_empty()
        || name.starts_with('/')
        || name == "localhost"
        || name.starts_with("localhost.")
        || name.starts_with("127.")
        || name == "::1"
}

fn observed(ours: &Volume, theirs: &Volume, again: Option<&Volume>) -> Sameness {
    if ours.capacity_bytes != theirs.capacity_bytes {
        return Sameness::Different(format!(
            "its size is {} here and {} there",
            ours.capacity_bytes, theirs.capacity_bytes
        ));
    }
    // A path is a key, too, and says nothing; a serial number or a logical volume's UUID is unique.
    let unique = |key: &str| !key.is_empty() && !key.starts_with('/');
    if ours.kind == "block" && unique(&ours.key) && unique(&theirs.key) {
        return if ours.key == theirs.key {
            Sameness::Proven
        } else {
            Sameness::Different(format!("its key is {} here and {} there", ours.key, theirs.key))
        };
    }
    // Nodes of a block device are made by each host, so their times say nothing.
    if ours.kind == "block" {
        return Sameness::Unproven;
    }
    match (ours.changed.as_deref(), theirs.changed.as_deref()) {
        (Some(here), Some(there)) if here == there => Sameness::Proven,
        (Some(here), Some(there)) => match again.and_then(|volume| volume.changed.as_deref()) {
            Some(again) if between(here, there, again) => {
                Sameness::WrittenMeanwhile([here, there, again].map(str::to_owned))
            }
            _ => Sameness::Different(format!("its inode changed at {here} here and at {there} there")),
        },
        _ => Sameness::Unproven,
    }
}

/// Whether the destination saw it between the source's two looks. No tolerance: two copies of one file, made one after
/// the other, are as close as any.
fn between(before: &str, there: &str, again: &str) -> bool {
    let moment = |time: &str| {
        let (whole, part) = time.split_once('.').unwrap_or((time, "0"));
        Some((whole.parse::<u64>().ok()?, format!("{part:0<9}").parse::<u64>().ok()?))
    };
    match (moment(before), moment(there), moment(again)) {
        (Some(before), Some(there), Some(again)) => before <= there && there <= again,
        _ => false,
    }
}

/// The pools of both hosts that hold a path, if it is one store by name or by proof.
pub fn same_pool(source: &HostFacts, destination: &HostFacts, path: &str) -> bool {
    let (Some(ours), Some(theirs)) = (source.pool_of_path(path), destination.pool_of_path(path)) else { return false };
    theirs.active
        && (destination.storage_proof(&ours.name, &theirs.name) == Some(true)
            || named_alike([path, path], ours, theirs))
}
