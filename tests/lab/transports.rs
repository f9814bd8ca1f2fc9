//! Every way to reach a host: with a password over TCP, with a certificate over TLS, with a key through ssh. The command
//! runs in the network in which the hosts' addresses exist, as a controller on another machine would.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use waypost_lab::{Host, Link, SshAccess, TcpAuth};

use crate::site::{Ran, Site};

#[test]
fn a_password_over_tcp_comes_from_a_file_that_nobody_else_reads() {
    let site = Site::in_lab(|spec| spec.tcp_auth = password("s3cret"), "");
    site.guest("g1");
    let file = put(&site, "auth.conf", &credentials("s3cret"), 0o644);
    reach(&site, |host| ways(&host.uri_peer(), &host.uri_peer()) + &format!("auth_file = {file:?}\n"));
    let path = file.display().to_string();

    refused(&site, &[&format!("chmod 0600 {path}"), "0644"]);
    put(&site, "auth.conf", &credentials("guess"), 0o600);
    refused(&site, &["authentication failed", &path]);
    put(&site, "auth.conf", &credentials("s3cret"), 0o600);
    moves(&site);
    assert!(waypost(&site, &["hosts"]).expect_code(0).out.contains("qemu+tcp://10.77.0.2/system"));
}

#[test]
fn without_a_password_a_host_that_wants_one_says_where_to_put_it() {
    let site = Site::in_lab(|spec| spec.tcp_auth = password("s3cret"), "");
    site.guest("g1");
    reach(&site, |host| ways(&host.uri_peer(), &host.uri_peer()));
    refused(&site, &["auth_file"]);
}

#[test]
fn certificates_over_tls_lead_to_the_hosts_and_from_one_to_the_other() {
    // The hosts forget their passwords for each other's TCP port, which leaves TLS as the only way between them.
    let site = Site::in_lab(|spec| spec.tcp_auth = password("s3cret"), "");
    for host in site.lab.hosts() {
        let forgot = host.run(&["rm", "/etc/libvirt/auth.conf"]).expect("the host has power");
        assert!(forgot.status.success(), "{forgot:?}");
    }
    site.guest("g1");
    let by = |pki: &Path| {
        reach(&site, |host| ways(&format!("{}?pkipath={}", host.uri_peer_tls(), pki.display()), &host.uri_peer_tls()));
    };

    let pki = site.config().with_file_name("pki");
    by(&pki);
    refused(&site, &["cacert.pem"]);
    fs::create_dir(&pki).expect("a folder for certificates");
    fs::copy(site.lab.client_pki().join("cacert.pem"), pki.join("cacert.pem")).expect("the authority's certificate");
    // It knows the hosts now, but they don't know it.
    refused(&site, &["client certificate", &format!("clientcert.pem in {}", pki.display())]);
    by(&site.lab.client_pki());
    moves(&site);
}

#[test]
fn addresses_of_ipv6_lead_to_the_hosts_and_from_one_to_the_other() {
    let site = crate::ipv6::site(Link::Management);
    site.guest("g1");
    let uri = |host: &Host| format!("qemu+tcp://[{}]/system", host.ipv6(Link::Management));
    reach(&site, |host| ways(&uri(host), &uri(host)));
    let there = site.lab.host("kvm2").expect("kvm2").ipv6(Link::Management);
    let arrives = ["--migrate-uri", &format!("tcp://[{there}]"), "--listen-address", &there];
    waypost(&site, &[&["migrate", "g1", "--to", "kvm2"][..], &arrives].concat()).expect_code(0);
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    assert!(waypost(&site, &["hosts"]).expect_code(0).out.contains("qemu+tcp://[fd00:77::2]/system"));
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_key_leads_through_ssh_to_a_host_whose_key_is_known() {
    let site = Site::in_lab(|spec| spec.ssh = SshAccess::ControllerKey, "");
    site.guest("g1");
    through_ssh(&site, &site.lab.ssh_key(), &site.lab.ssh_known_hosts());
    let trap = AskingTrap::set(&site);
    moves(&site);
    trap.assert_nobody_was_asked();
}

#[test]
fn a_host_key_is_never_accepted_unseen_and_nobody_is_ever_asked() {
    let site = Site::in_lab(|spec| spec.ssh = SshAccess::ControllerKey, "");
    site.guest("g1");
    let trap = AskingTrap::set(&site);
    let known = fs::read_to_string(site.lab.ssh_known_hosts()).expect("the hosts' keys");

    // The trap is one: ssh itself falls into it, and believes the host after somebody has said yes.
    let learned = put(&site, "learned", "", 0o600);
    let ssh = ssh_command(&site, &learned);
    let output = alone(&site, &ssh).arg("-i").arg(site.lab.ssh_key()).args(["root@10.77.0.1", "true"]).output();
    let output = output.expect("ssh runs");
    assert!(output.status.success() && trap.spring(), "{output:?}");
    assert!(!fs::read_to_string(&learned).expect("what it learned").is_empty());

    for (name, keys, says) in [("none", String::new(), "known_hosts"), ("changed", swapped(&known), "HAS CHANGED")] {
        let file = put(&site, name, &keys, 0o600);
        through_ssh(&site, &site.lab.ssh_key(), &file);
        refused(&site, &["Host key verification failed", "no host key is accepted unseen", says]);
        assert_eq!(fs::read_to_string(&file).expect("the known hosts"), keys, "a host's key was learned");
    }

    let locked = site.config().with_file_name("locked");
    fs::copy(site.lab.ssh_key(), &locked).expect("a copy of the key");
    let mut lock = Command::new("ssh-keygen");
    let locking = lock.args(["-q", "-p", "-P", "", "-N", "secret", "-f"]).arg(&locked).output();
    assert!(locking.expect("ssh-keygen runs").status.success());
    through_ssh(&site, &locked, &site.lab.ssh_known_hosts());
    refused(&site, &["Permission denied (publickey)", "nobody is asked for a password"]);
    trap.assert_nobody_was_asked();
}

/// Everything is in place: the guest moves.
fn moves(site: &Site) {
    waypost(site, &["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    assert_eq!(site.state("kvm2", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm1", "g1"), None);
    site.assert_one_counting_guest("g1");
}

/// Neither host can be reached, which is said of both with all these words; nothing happens to the guest.
fn refused(site: &Site, words: &[&str]) {
    let ran = waypost(site, &["hosts"]).expect_code(1);
    for host in ["kvm1", "kvm2"] {
        assert!(
            ran.err.contains("open a connection to qemu") && ran.err.contains(&format!(" on {host}: ")),
            "{}",
            ran.err
        );
    }
    for word in words {
        assert!(ran.err.contains(word), "not said: {word}\n{}", ran.err);
    }
    let from_kvm1 = waypost(site, &["migrate", "g1", "--from", "kvm1", "--to", "kvm2"]).expect_code(1);
    let told = format!("{}{}", from_kvm1.out, from_kvm1.err);
    assert!(told.contains("open a connection to qemu") && told.contains(" on kvm1: "), "{told}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
}

fn password(password: &str) -> TcpAuth {
    TcpAuth::DigestMd5 { user: "lab".to_owned(), password: password.to_owned() }
}

fn credentials(password: &str) -> String {
    format!("[credentials-lab]\nauthname=lab\npassword={password}\n\n[auth-libvirt-default]\ncredentials=lab\n")
}

fn through_ssh(site: &Site, key: &Path, known_hosts: &Path) {
    let ssh = ssh_command(site, known_hosts);
    let options = format!("?keyfile={}&command={}", key.display(), ssh.display());
    reach(site, |host| ways(&(host.uri_ssh() + &options), &host.uri_peer()));
}

/// An ssh that knows the hosts in this file and no others, whatever the configuration of whoever runs the tests says.
fn ssh_command(site: &Site, known_hosts: &Path) -> PathBuf {
    let known_hosts = known_hosts.display();
    let config = format!("UserKnownHostsFile {known_hosts}\nGlobalKnownHostsFile /dev/null\nIdentitiesOnly yes\n");
    let config = put(site, "ssh_config", &config, 0o600);
    put(site, "ssh", &format!("#!/bin/sh\nexec ssh -F {} \"$@\"\n", config.display()), 0o700)
}

/// The same hosts with each other's keys.
fn swapped(known_hosts: &str) -> String {
    let (names, mut keys): (Vec<&str>, Vec<&str>) = known_hosts.lines().filter_map(|line| line.split_once(' ')).unzip();
    keys.rotate_left(1);
    names.iter().zip(keys).map(|(name, key)| format!("{name} {key}\n")).collect()
}

/// Somebody who says yes to whatever ssh asks where it has no terminal, and leaves a mark.
struct AskingTrap {
    mark: PathBuf,
}

impl AskingTrap {
    fn set(site: &Site) -> Self {
        let mark = site.config().with_file_name("asked");
        put(site, "askpass", &format!("#!/bin/sh\necho \"$*\" >>{}\necho yes\n", mark.display()), 0o700);
        Self { mark }
    }

    /// Whether somebody was asked since the last time.
    fn spring(&self) -> bool {
        fs::remove_file(&self.mark).is_ok()
    }

    fn assert_nobody_was_asked(&self) {
        assert!(!self.mark.exists(), "asked: {}", fs::read_to_string(&self.mark).unwrap_or_default());
    }
}

fn put(site: &Site, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = site.config().with_file_name(name);
    fs::write(&path, text).expect("the file is written");
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("its mode is set");
    path
}

/// A host's lines in the configuration: how the command reaches it, and how the other host does.
fn ways(uri: &str, peer_uri: &str) -> String {
    format!("uri = {uri:?}\npeer_uri = {peer_uri:?}\n")
}

/// Rewrites the configuration: the same hosts, reached in another way.
fn reach(site: &Site, by: impl Fn(&Host) -> String) {
    let text = fs::read_to_string(site.config()).expect("the configuration");
    let general = text.split("\n[[host]]").next().expect("what comes before the hosts");
    let hosts = site.lab.hosts().into_iter().map(|host| format!("\n[[host]]\nname = {:?}\n{}", host.name(), by(&host)));
    fs::write(site.config(), format!("{general}{}", hosts.collect::<String>())).expect("the configuration is written");
}

/// A program where the hosts have addresses, without a terminal and with the trap for whoever asks.
fn alone(site: &Site, program: &Path) -> Command {
    let mut command = site.lab.controller_command("setsid").expect("the lab is up");
    command.arg("--wait").arg(program);
    command.env("DISPLAY", ":0").env("SSH_ASKPASS", site.config().with_file_name("askpass"));
    command.env_remove("SSH_AUTH_SOCK").env_remove("LIBVIRT_AUTH_FILE").env("NO_COLOR", "1");
    command
}

fn waypost(site: &Site, arguments: &[&str]) -> Ran {
    let mut command = alone(site, Path::new(env!("CARGO_BIN_EXE_waypost")));
    let Output { status, stdout, stderr } =
        command.arg("--config").arg(site.config()).args(arguments).output().expect("the command runs");
    Ran {
        code: status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&stdout).into_owned(),
        err: String::from_utf8_lossy(&stderr).into_owned(),
    }
}
