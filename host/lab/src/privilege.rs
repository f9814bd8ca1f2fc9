//! With which rights a lab is built. Root has them all; a plain user becomes root of a user namespace that holds his range
//! of subordinate ids, in which the same steps work as they stand. All ways into namespaces are here.
//!
//! What a plain user's lab lacks is post-copy: the kernel keeps userfaultfd from him.

use std::process::Command;

use nix::unistd::Uid;
use serde::{Deserialize, Serialize};

use crate::{
    process::ProcessId,
    requirements::{Missing, program},
};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Privilege {
    Root,
    UserNamespace,
}

/// Which namespaces of a process to enter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entrance {
    /// Its network alone: files stay those of the machine.
    Network,
    /// Everything that makes up a host.
    Host,
}

impl Privilege {
    pub(crate) fn of_this_process() -> Self {
        if Uid::effective().is_root() { Privilege::Root } else { Privilege::UserNamespace }
    }

    /// `unshare` with what it takes to found a lab; its child dies with it.
    pub(crate) fn found(self) -> Command {
        let mut unshare = program("unshare");
        if self == Privilege::UserNamespace {
            unshare.args(["--map-root-user", "--map-auto"]);
        }
        unshare.args(["--mount", "--net", "--pid", "--fork", "--kill-child", "--"]);
        unshare
    }

    /// `nsenter`, to which the program is to be added.
    pub(crate) fn enter(self, process: ProcessId, entrance: Entrance) -> Command {
        let mut nsenter = program("nsenter");
        nsenter.args(["--target", &process.pid.to_string()]);
        if self == Privilege::UserNamespace {
            nsenter.arg("--user");
        }
        match entrance {
            Entrance::Network => nsenter.args(["--net", "--"]),
            Entrance::Host => nsenter.args(["--mount", "--uts", "--net", "--ipc", "--pid", "--"]),
        };
        nsenter
    }

    /// Nothing if a lab can be founded, found out by trying.
    pub(crate) fn missing(self) -> Option<Missing> {
        let attempt = self.found().arg("true").output();
        let reason = match attempt {
            Ok(output) if output.status.success() => return None,
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) => error.to_string(),
        };
        let remedy = match self {
            Privilege::Root => "run where namespaces may be created, for instance in a privileged container",
            Privilege::UserNamespace => {
                "run as root; or apt-get install uidmap, give the user a range of ids (usermod --add-subuids \
                 100000-165535 --add-subgids 100000-165535 USER) and let users create namespaces (sysctl \
                 kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0)"
            }
        };
        Some(Missing { what: format!("the right to create namespaces ({reason})"), remedy: remedy.to_owned() })
    }
}
