//! Closes the connections over which a running migration copies disks.
//!
//! libvirt's abort has the hypervisor cancel the copies, and that waits for the answers to the blocks that are on their way.
//! Where the network carries nothing no answer comes; QEMU sets no time limit on these connections and asks for no keepalive, so
//! that where it has nothing left to send again (the destination lost its power with everything acknowledged) it waits for ever.
//! No call of libvirt's ends that. QEMU itself has a command for just this, `yank`, and libvirt a way to it, whose use it notes on
//! the domain (`tainted: custom monitor control commands issued`) until its process ends. A mark on a guest that runs is the lesser
//! evil beside a migration that can't be ended.
//!
//! Only the connections are closed that libvirt itself opened for the copies of a migration, by the names that it gives them.
//! The copies fail by that, and libvirt ends the migration as it does for any failed copy: the guest stays on the source.

use serde_json::{Value, json};
use virt::domain::Domain;

use crate::error::Failure;
use crate::monitor::ask;

/// How libvirt calls the block nodes that it connects to the destination for a migration: `migration-vda-storage`.
const OURS: &str = "migration-";

/// Closes them. An error where none is open.
pub(crate) fn sever(domain: &Domain) -> Result<(), Failure> {
    let open = copies(&ask(domain, &json!({"execute": "query-yank"}))?);
    if open.is_empty() {
        return Err(Failure::refused("no connection of a disk's copy is open".to_owned()));
    }
    ask(domain, &json!({"execute": "yank", "arguments": {"instances": open}})).map(drop)
}

/// What can be closed that belongs to the copies of a migration. The migration's own stream is none of it: an abort ends that.
fn copies(answer: &Value) -> Vec<Value> {
    let all = answer["return"].as_array().into_iter().flatten();
    let ours = |instance: &&Value| {
        instance["type"] == "block-node" && instance["node-name"].as_str().is_some_and(|name| name.starts_with(OURS))
    };
    all.filter(ours).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_connections_of_a_migrations_copies_are_closed() {
        let copy = json!({"type": "block-node", "node-name": "migration-vda-storage"});
        let answer = json!({"return": [
            {"type": "chardev", "id": "charmonitor"},
            {"type": "migration"},
            {"type": "block-node", "node-name": "libvirt-1-storage"},
            copy,
        ], "id": "libvirt-422"});
        assert_eq!(copies(&answer), [copy]);
        assert_eq!(copies(&json!({"return": []})), Vec::<Value>::new());
        assert_eq!(copies(&json!({"error": {"desc": "no"}})), Vec::<Value>::new());
    }
}
