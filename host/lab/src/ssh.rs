//! Logins by key: a key for the controller, and for every host an sshd of its own that accepts that key and nothing else.
//! The machine's own sshd, its keys and root's home directory stay out of it.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use crate::{
    error::{Attempt, Result},
    layout::{Layout, Link, host_name},
    process::run,
    requirements::program,
};

/// The controller's key.
pub(crate) fn equip_controller(layout: &Layout) -> Result<()> {
    let folder = layout.ssh();
    fs::create_dir(&folder).attempt(|| format!("create {}", folder.display()))?;
    make_key(&layout.ssh_key(), "controller")
}

/// Key and configuration of one host's sshd, as it finds them in /etc/ssh. Accepting the controller's key needs that key:
/// call this after [`equip_controller`].
pub(crate) fn equip_host(layout: &Layout, index: u32) -> Result<()> {
    let name = host_name(index);
    let host = layout.host(&name);
    let etc = host.etc_ssh();
    fs::create_dir_all(&etc).attempt(|| format!("create {}", etc.display()))?;
    make_key(&etc.join("host_key"), &name)?;
    let accepted = etc.join("authorized_keys");
    let key = layout.ssh_key().with_extension("pub");
    fs::copy(&key, &accepted).attempt(|| format!("copy {} to {}", key.display(), accepted.display()))?;
    write(&etc.join("sshd_config"), &sshd_config(index))?;
    let accounts = fs::read_to_string("/etc/passwd").attempt(|| "read /etc/passwd".to_owned())?;
    write(&host.etc_passwd(), &with_plain_root(&accounts))?;
    write(&host.etc_shadow(), "root:*:1::::::\n")?;
    let private = fs::Permissions::from_mode(0o600);
    fs::set_permissions(host.etc_shadow(), private).attempt(|| format!("protect {}", host.etc_shadow().display()))
}

/// What ssh has to know of the hosts, once all of them have their keys.
pub(crate) fn introduce_hosts(layout: &Layout, hosts: u32) -> Result<()> {
    let mut known = String::new();
    for index in 1..=hosts {
        let name = host_name(index);
        let file = layout.host(&name).etc_ssh().join("host_key.pub");
        let key = fs::read_to_string(&file).attempt(|| format!("read {}", file.display()))?;
        known += &format!("{name},{} {key}", Link::Management.address(index));
    }
    write(&layout.ssh_known_hosts(), &known)
}

/// The lab's directory may belong to anybody, hence no strict modes; PAM would ask the machine's own modules.
fn sshd_config(index: u32) -> String {
    format!(
        "ListenAddress {}\nHostKey /etc/ssh/host_key\nAuthorizedKeysFile /etc/ssh/authorized_keys\nPidFile /run/sshd.pid\n\
         StrictModes no\nUsePAM no\nPermitRootLogin prohibit-password\nAuthenticationMethods publickey\n",
        Link::Management.address(index)
    )
}

/// The machine's accounts, but root with a plain shell and an empty home: what is in its own, a `.bashrc` that prints
/// something for instance, is none of a lab's business.
fn with_plain_root(accounts: &str) -> String {
    let others = accounts.lines().filter(|line| !line.starts_with("root:"));
    ["root:x:0:0:root:/run:/bin/sh"].into_iter().chain(others).map(|line| format!("{line}\n")).collect()
}

fn make_key(file: &Path, comment: &str) -> Result<()> {
    run(program("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f"]).arg(file)).map(drop)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).attempt(|| format!("write {}", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_gets_a_plain_shell_and_everybody_else_stays() {
        let accounts = "root:x:0:0:root:/root:/bin/bash\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n";
        assert_eq!(
            with_plain_root(accounts),
            "root:x:0:0:root:/run:/bin/sh\nsshd:x:105:65534::/run/sshd:/usr/sbin/nologin\n"
        );
    }
}
