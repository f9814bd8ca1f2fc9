//! A certificate authority for one lab, a certificate for every host (both as server and as client) and one for the
//! controller. RSA, because libvirt 9.0 refuses elliptic curves ("usage does not permit key encipherment").

use std::{fs, path::Path};

use crate::{
    error::{Attempt, Result},
    layout::{Layout, Link, host_name},
    process::run,
    requirements::program,
};

/// The authority; everything else needs it.
pub(crate) fn make_authority(layout: &Layout) -> Result<()> {
    let pki = layout.pki();
    key(&pki.join("ca-key.pem"))?;
    let template = pki.join("ca.tmpl");
    write(&template, "cn = waypost-lab\nca\ncert_signing_key\nexpiration_days = 365\n")?;
    let mut certtool = program("certtool");
    certtool.args(["--generate-self-signed", "--load-privkey"]).arg(pki.join("ca-key.pem"));
    certtool.arg("--template").arg(&template).arg("--outfile").arg(pki.join("ca.pem"));
    run(&mut certtool).map(drop)
}

/// The certificate of one host, where its libvirtd and its QEMU look for it.
pub(crate) fn equip_host(layout: &Layout, index: u32) -> Result<()> {
    let name = host_name(index);
    let addresses = Link::BOTH.map(|link| format!("ip_address = {}\n", link.address(index))).concat();
    let (certificate, key) = certify(layout, &name, &addresses)?;
    let (ca, etc) = (layout.pki().join("ca.pem"), layout.host(&name).etc_pki());
    copy(&ca, &etc.join("CA/cacert.pem"))?;
    copy(&ca, &etc.join("qemu/ca-cert.pem"))?;
    for role in ["server", "client"] {
        copy(&certificate, &etc.join(format!("libvirt/{role}cert.pem")))?;
        copy(&key, &etc.join(format!("libvirt/private/{role}key.pem")))?;
        copy(&certificate, &etc.join(format!("qemu/{role}-cert.pem")))?;
        copy(&key, &etc.join(format!("qemu/{role}-key.pem")))?;
    }
    Ok(())
}

/// The controller's certificate, laid out flat for libvirt's `?pkipath=`.
pub(crate) fn equip_controller(layout: &Layout) -> Result<()> {
    let (certificate, key) = certify(layout, "controller", "")?;
    let client = layout.pki().join("client");
    fs::create_dir_all(&client).attempt(|| format!("create {}", client.display()))?;
    copy(&layout.pki().join("ca.pem"), &client.join("cacert.pem"))?;
    copy(&certificate, &client.join("clientcert.pem"))?;
    copy(&key, &client.join("clientkey.pem"))
}

fn certify(layout: &Layout, name: &str, addresses: &str) -> Result<(std::path::PathBuf, std::path::PathBuf)> {
    let pki = layout.pki();
    let file = |extension: &str| pki.join(format!("{name}{extension}"));
    key(&file("-key.pem"))?;
    let usage = "tls_www_server\ntls_www_client\nsigning_key\nencryption_key\nexpiration_days = 365\n";
    write(&file(".tmpl"), &format!("organization = waypost-lab\ncn = {name}\ndns_name = {name}\n{addresses}{usage}"))?;
    let mut certtool = program("certtool");
    certtool.arg("--generate-certificate").arg("--load-privkey").arg(file("-key.pem"));
    certtool.arg("--load-ca-certificate").arg(pki.join("ca.pem"));
    certtool.arg("--load-ca-privkey").arg(pki.join("ca-key.pem"));
    certtool.arg("--template").arg(file(".tmpl")).arg("--outfile").arg(file(".pem"));
    run(&mut certtool)?;
    Ok((file(".pem"), file("-key.pem")))
}

fn key(file: &Path) -> Result<()> {
    let mut certtool = program("certtool");
    certtool.args(["--generate-privkey", "--key-type", "rsa", "--bits", "2048", "--outfile"]).arg(file);
    run(&mut certtool).map(drop)
}

fn write(file: &Path, text: &str) -> Result<()> {
    fs::write(file, text).attempt(|| format!("write {}", file.display()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to).map(drop).attempt(|| format!("copy {} to {}", from.display(), to.display()))
}
