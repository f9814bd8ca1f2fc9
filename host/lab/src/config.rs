//! The files of one host: libvirt's configuration, its storage pools and the names of its peers. Nothing is taken over
//! from the machine's own /etc/libvirt: domains and networks defined there must not appear in a lab.

use std::{fs, os::unix::fs::symlink, path::Path};

use crate::{
    error::{Attempt, Result},
    layout::{HostLayout, LOCAL, Layout, Link, SHARED, host_name},
    process::run_with_input,
    requirements::program,
    spec::{LabSpec, TcpAuth},
};

/// Writes everything that a host needs before its first boot.
pub(crate) fn furnish(layout: &Layout, spec: &LabSpec, index: u32) -> Result<()> {
    let host = layout.host(&host_name(index));
    for directory in host.directories() {
        fs::create_dir_all(&directory).attempt(|| format!("create {}", directory.display()))?;
    }
    write(&host.etc_hosts(), &peers(spec.hosts))?;
    let etc = host.etc_libvirt();
    write(&etc.join("libvirtd.conf"), &libvirtd_conf(spec, index))?;
    write(&etc.join("qemu.conf"), &qemu_conf(spec))?;
    for (name, xml) in [("shared", shared_pool()), ("default", default_pool())] {
        write(&etc.join(format!("storage/{name}.xml")), &xml)?;
        let link = etc.join(format!("storage/autostart/{name}.xml"));
        symlink(format!("/etc/libvirt/storage/{name}.xml"), &link).attempt(|| format!("create {}", link.display()))?;
    }
    match &spec.tcp_auth {
        TcpAuth::None => Ok(()),
        TcpAuth::DigestMd5 { user, password } => sasl(&host, &host_name(index), user, password),
    }
}

/// What the other hosts and the controller know a host by.
pub(crate) fn host_uuid(index: u32) -> String {
    format!("7a7a7a{index:02x}-0000-4000-8000-0000000000{index:02x}")
}

fn peers(hosts: u32) -> String {
    let peers = (1..=hosts).map(|index| format!("{} {}\n", Link::Management.address(index), host_name(index)));
    format!("127.0.0.1 localhost\n{}10.77.0.254 controller\n", peers.collect::<String>())
}

fn libvirtd_conf(spec: &LabSpec, index: u32) -> String {
    let auth_tcp = match spec.tcp_auth {
        TcpAuth::None => "none",
        TcpAuth::DigestMd5 { .. } => "sasl",
    };
    format!(
        r#"host_uuid = "{uuid}"
listen_tls = 1
listen_tcp = 1
auth_tcp = "{auth_tcp}"
auth_tls = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
unix_sock_rw_perms = "0770"
unix_sock_dir = "/run/libvirt"
keepalive_interval = {interval}
keepalive_count = {count}
log_outputs = "2:file:/var/log/libvirt/libvirtd.log"
"#,
        uuid = host_uuid(index),
        interval = spec.keepalive.interval,
        count = spec.keepalive.count,
    )
}

/// QEMU runs as root because post-copy needs it (userfaultfd); libvirt finds no cgroup controllers in a lab host; files
/// instead of virtlogd, which is one daemon less; /dev is the machine's, so huge pages are left alone;
/// the attributes that remember a file's owner are for real root only.
fn qemu_conf(spec: &LabSpec) -> String {
    format!(
        r#"user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
namespaces = [ ]
cgroup_controllers = [ ]
stdio_handler = "file"
hugetlbfs_mount = [ ]
migrate_tls_x509_verify = 1
keepalive_interval = {interval}
keepalive_count = {count}
"#,
        interval = spec.keepalive.interval,
        count = spec.keepalive.count,
    )
}

/// libvirt compares `host:directory` with what is mounted at the target, finds the store there and leaves it alone; and
/// a controller sees one and the same source on every host.
fn shared_pool() -> String {
    format!(
        "<pool type='netfs'>\n  <name>shared</name>\n  <source>\n    <host name='/srv/labstore'/>\n    \
         <dir path='/vol0'/>\n    <format type='glusterfs'/>\n  </source>\n  \
         <target><path>{SHARED}</path></target>\n</pool>\n"
    )
}

fn default_pool() -> String {
    format!("<pool type='dir'>\n  <name>default</name>\n  <target><path>{LOCAL}</path></target>\n</pool>\n")
}

/// A password database for those who come in, and credentials for this host's own daemon when it visits a peer.
/// A user belongs to a realm, which for libvirtd is the name of its host.
fn sasl(host: &HostLayout, realm: &str, user: &str, password: &str) -> Result<()> {
    let etc = host.etc_sasl2();
    fs::create_dir_all(&etc).attempt(|| format!("create {}", etc.display()))?;
    write(&etc.join("libvirt.conf"), "mech_list: digest-md5\nsasldb_path: /etc/libvirt/passwd.db\n")?;
    let database = host.etc_libvirt().join("passwd.db");
    let mut saslpasswd = program("saslpasswd2");
    saslpasswd.args(["-p", "-a", "libvirt", "-u", realm, "-f"]).arg(database).arg(user);
    run_with_input(&mut saslpasswd, password)?;
    let credentials = format!("[credentials-lab]\nauthname={user}\npassword={password}\n");
    write(&host.etc_libvirt().join("auth.conf"), &format!("{credentials}\n[auth-libvirt-default]\ncredentials=lab\n"))
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).attempt(|| format!("write {}", file.display()))
}
