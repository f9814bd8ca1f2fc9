//! Credentials and certificates, over TCP and TLS to a real daemon. The hosts are reached by TCP only from the lab's own
//! network, so the test runs itself a second time in there.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use waypost_core::ports::{FaultKind, Hypervisor};
use waypost_lab::{Lab, LabSpec, TcpAuth};
use waypost_libvirt::{HostConfig, Libvirt};

/// Set for the run inside: the directory with what the run outside made ready.
const INSIDE: &str = "WAYPOST_TEST_INSIDE";

#[test]
fn credentials_and_certificates_are_used_and_missing_ones_are_errors_of_that_kind() {
    if let Some(dir) = std::env::var_os(INSIDE) {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(inside(&PathBuf::from(dir)));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let tcp_auth = TcpAuth::DigestMd5 { user: "lab".to_owned(), password: "s3cret".to_owned() };
    let lab = Lab::up(&LabSpec { tcp_auth, ..LabSpec::new(1, dir.path().join("lab")) }).unwrap();
    for (file, password, mode) in
        [("auth.conf", "s3cret", 0o600), ("wrong.conf", "guess", 0o600), ("open.conf", "s3cret", 0o644)]
    {
        let path = dir.path().join(file);
        let text = format!(
            "[credentials-lab]\nauthname=lab\npassword={password}\n\n[auth-libvirt-default]\ncredentials=lab\n"
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    }
    let pki = dir.path().join("pki");
    fs::create_dir(&pki).unwrap();
    for file in fs::read_dir(lab.client_pki()).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), pki.join(file.file_name())).unwrap();
    }
    let me = std::env::current_exe().unwrap();
    let output = lab
        .controller_command(me.to_str().unwrap())
        .unwrap()
        .args([
            "--exact",
            "credentials_and_certificates_are_used_and_missing_ones_are_errors_of_that_kind",
            "--nocapture",
        ])
        .env(INSIDE, dir.path())
        .output()
        .unwrap();
    lab.down().unwrap();
    let text = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn inside(dir: &Path) {
    let address = "10.77.0.1";
    let tcp = |file: Option<&str>| {
        let auth_file = file.map(|file| dir.join(file));
        Libvirt::new([HostConfig { auth_file, ..HostConfig::new("kvm1", format!("qemu+tcp://{address}/system")) }])
    };
    let host = "kvm1".into();
    tcp(Some("auth.conf")).domains(&host).await.unwrap();
    // Named in the URI itself it is the same file.
    let uri = format!("qemu+tcp://{address}/system?authfile={}", dir.join("auth.conf").display());
    Libvirt::new([HostConfig::new("kvm1", uri)]).domains(&host).await.unwrap();

    for (file, says) in [
        (Some("wrong.conf"), "authentication failed"),
        // Nobody is asked for what isn't there.
        (None, "credentials"),
        (Some("open.conf"), "chmod 0600"),
        (Some("missing.conf"), "No such file"),
    ] {
        let fault = tcp(file).domains(&host).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Authentication, "{file:?}: {fault}");
        assert!(fault.message.contains(says), "{file:?}: {fault}");
    }

    let tls = |pki: &str| {
        let uri = format!("qemu+tls://{address}/system?pkipath={}", dir.join(pki).display());
        Libvirt::new([HostConfig::new("kvm1", uri)])
    };
    tls("pki").domains(&host).await.unwrap();
    let fault = tls("nowhere").domains(&host).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Authentication, "{fault}");
}
