//! From a configured URI to one that is safe to open: no unseen host keys, no readable credentials, no prompts.

mod login;

pub(crate) use login::{explained_after_login, explained_with_login, for_login, not_asked_for, peer_way, wants_login};

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use waypost_core::secrecy::{Exposed, Readers, Seen};

use crate::config::{HostConfig, Unverified};
use crate::error::{Cause, Failure, HOST_KEY, NO_CONFIRMATION, NO_LOGIN};

/// A URI in its parts. libvirt's URIs are simple enough: the scheme says driver and transport, the query is options.
struct Parts<'a> {
    base: &'a str,
    transport: &'a str,
    query: Vec<(&'a str, &'a str)>,
}

impl<'a> Parts<'a> {
    fn of(uri: &'a str) -> Result<Self, Cause> {
        let wrong = |why| Cause::Uri { uri: without_secrets(uri), why };
        if uri.contains(['\0', '\n', ' ']) {
            return Err(wrong("it holds a blank or a control character"));
        }
        let (base, query) = uri.split_once('?').unwrap_or((uri, ""));
        let (scheme, _) =
            base.split_once("://").ok_or_else(|| wrong("it has no scheme, as qemu+tls://host/system has"))?;
        if scheme.is_empty() {
            return Err(wrong("its scheme is empty"));
        }
        let transport = scheme.split_once('+').map_or("", |(_, transport)| transport);
        let query = query
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .collect();
        Ok(Self { base, transport, query })
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.query.iter().find(|(k, _)| *k == key).map(|(_, value)| *value)
    }
}

/// The URI to open for a host, after every check that doesn't need the host.
pub(crate) fn checked(host: &HostConfig) -> Result<String, Cause> {
    let parts = Parts::of(&host.uri)?;
    if host.unverified == Unverified::Refused {
        refuse_blind_trust("uri", &parts)?;
        // The source's daemon would be the one that trusts blindly, on this program's order.
        if let Some(peer) = &host.peer_uri {
            refuse_blind_trust("peer_uri", &Parts::of(peer)?)?;
        }
    }
    let mut query: Vec<String> = parts.query.iter().map(|(key, value)| format!("{key}={value}")).collect();
    match (&host.auth_file, parts.get("authfile")) {
        (Some(path), None) => {
            check_auth_file(path)?;
            query.push(format!("authfile={}", escaped(&path.to_string_lossy())));
        }
        (None, Some(named)) => check_auth_file(Path::new(&unescaped(named)))?,
        (Some(_), Some(_)) => {
            return Err(Cause::Uri {
                uri: without_secrets(&host.uri),
                why: "it names an auth file and the configuration names one, too: keep one",
            });
        }
        (None, None) => {}
    }
    if parts.transport == "ssh" {
        let wrong = |why| Cause::Uri { uri: without_secrets(&host.uri), why };
        match parts.get("no_tty") {
            // ssh would ask on the terminal, for a password or whether an unknown host key is fine.
            None => query.push("no_tty=1".to_owned()),
            Some("1") => {}
            Some(_) => return Err(wrong("nobody is there to answer what ssh asks: remove no_tty")),
        }
        // libvirt would drop it without a word, and ssh go by its own file.
        if parts.get("known_hosts").is_some() {
            return Err(wrong(
                "ssh takes no known_hosts from a URI: name the file in ssh's own configuration, as UserKnownHostsFile",
            ));
        }
    }
    Ok(if query.is_empty() { parts.base.to_owned() } else { format!("{}?{}", parts.base, query.join("&")) })
}

/// Refuses the transports under which libvirt's client itself crashes, and this program with it: before 10.4.0 a source
/// on the stack of one thread is left for another to fall over (CVE-2024-4418). Only those that hold back data of their
/// own are seen to hit it; there it takes a handful of connections.
pub(crate) fn refuse_crashes(host: &HostConfig, client_version: u64) -> Result<(), Cause> {
    let transport = Parts::of(&host.uri)?.transport;
    if client_version >= 10_004_000 || !matches!(transport, "libssh" | "libssh2") {
        return Ok(());
    }
    Err(Cause::Uri {
        uri: without_secrets(&host.uri),
        why: "a libvirt client older than 10.4.0 crashes over this transport: say qemu+ssh",
    })
}

/// Why a connection can't be opened, with what libvirt can't tell: which of the configured credentials it was about.
pub(crate) fn explained(host: &HostConfig, failure: Failure) -> Cause {
    let Ok(parts) = Parts::of(&host.uri) else { return failure.into() };
    let says = |words: &str| failure.message.contains(words);
    let auth_file = host.auth_file.as_ref().map(|path| path.to_string_lossy().into_owned());
    let hint = if says(HOST_KEY) {
        "no host key is accepted unseen: compare the host's key with the one in known_hosts, and if it is new add it there"
            .to_owned()
    } else if says(NO_LOGIN) {
        "nobody is asked for a password: name a key that the host accepts, as keyfile= in the URI or in ssh's own \
         configuration"
            .to_owned()
    } else if says(NO_CONFIRMATION) {
        let place = parts.get("pkipath").map_or("libvirt's pki folders".to_owned(), unescaped);
        format!("the host wants a client certificate of an authority that it knows: see clientcert.pem in {place}")
    } else if !failure.is_refused_login() || parts.transport.contains("ssh") {
        return failure.into();
    } else if let Some(file) = auth_file.or_else(|| parts.get("authfile").map(unescaped)) {
        format!("name and password are those in {file}")
    } else {
        "the host wants name and password: put them into a file and name it as this host's auth_file, or give them with the \
         request where it takes them"
            .to_owned()
    };
    Cause::Opening { failure, hint }
}

/// The URI as it may be shown: without a password, without the paths of credentials.
pub(crate) fn without_secrets(uri: &str) -> String {
    let (base, query) = uri.split_once('?').unwrap_or((uri, ""));
    let base = match base.split_once("://").and_then(|(scheme, rest)| Some((scheme, rest.split_once('@')?))) {
        Some((scheme, (user, rest))) => {
            let user = user.split(':').next().unwrap_or_default();
            format!("{scheme}://{user}@{rest}")
        }
        None => base.to_owned(),
    };
    let secret = ["authfile", "keyfile", "pkipath", "sshauth"];
    let shown: Vec<&str> = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !secret.contains(&pair.split('=').next().unwrap_or_default()))
        .collect();
    if shown.is_empty() { base } else { format!("{base}?{}", shown.join("&")) }
}

fn refuse_blind_trust(place: &'static str, parts: &Parts<'_>) -> Result<(), Cause> {
    for (key, value) in &parts.query {
        let blind = match *key {
            "no_verify" => *value != "0",
            // What the libssh transports call it: anything but a look at known_hosts.
            "known_hosts_verify" => *value != "normal",
            _ => false,
        };
        if blind {
            return Err(Cause::Unverified { place, parameter: format!("{key}={value}") });
        }
    }
    Ok(())
}

fn check_auth_file(path: &Path) -> Result<(), Cause> {
    // Which of its files a service manager has put there for this program, it says in the environment.
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY");
    check_auth_file_beside(path, credentials.as_deref().map(Path::new))
}

fn check_auth_file_beside(path: &Path, credentials: Option<&Path>) -> Result<(), Cause> {
    let cant = |why: String| Cause::AuthFile { path: path.to_owned(), why };
    if !path.is_absolute() {
        return Err(cant("libvirt needs an absolute path".to_owned()));
    }
    let real = fs::canonicalize(path).map_err(|error| cant(error.to_string()))?;
    let metadata = fs::metadata(&real).map_err(|error| cant(error.to_string()))?;
    if !metadata.is_file() {
        return Err(cant("it is not a file".to_owned()));
    }
    let credentials = credentials.and_then(|folder| fs::canonicalize(folder).ok());
    let seen = Seen {
        path: &real,
        mode: metadata.mode(),
        owner: metadata.uid(),
        reader: fs::metadata("/proc/self").map_or(u32::MAX, |me| me.uid()),
        credentials: credentials.as_deref(),
    };
    seen.judged(Readers::Owner).map_err(|exposed| {
        cant(match exposed {
            Exposed::Mode(mode) => {
                format!("its mode is {mode:04o}, so others can read it: chmod 0600 {}", path.display())
            }
            Exposed::Owner => "it belongs to another user: make it your own".to_owned(),
        })
    })
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

fn unescaped(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let code = (bytes[at] == b'%').then(|| text.get(at + 1..at + 3)).flatten();
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 3;
            }
            None => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn uri(text: &str) -> Result<String, Cause> {
        checked(&HostConfig::new("h", text))
    }

    #[test]
    fn an_unseen_host_key_is_refused_unless_the_configuration_says_so() {
        for bad in [
            "qemu+ssh://root@h/system?no_verify=1",
            "qemu+tls://h/system?socket=x&no_verify=1",
            "qemu+libssh2://h/system?known_hosts_verify=auto",
            "qemu+libssh://h/system?known_hosts_verify=ignore",
        ] {
            assert!(matches!(uri(bad), Err(Cause::Unverified { .. })), "{bad}");
            let host = HostConfig { unverified: Unverified::Accepted, ..HostConfig::new("h", bad) };
            assert!(checked(&host).is_ok(), "{bad}");
            let peer = HostConfig { peer_uri: Some(bad.to_owned()), ..HostConfig::new("h", "qemu+tls://h/system") };
            assert!(checked(&peer).unwrap_err().to_string().contains("peer_uri"), "{bad}");
            assert!(checked(&HostConfig { unverified: Unverified::Accepted, ..peer }).is_ok(), "{bad}");
        }
        assert_eq!(
            uri("qemu+libssh2://h/system?known_hosts_verify=normal").unwrap(),
            "qemu+libssh2://h/system?known_hosts_verify=normal"
        );
    }

    #[test]
    fn ssh_never_asks_on_a_terminal() {
        assert_eq!(uri("qemu+ssh://root@h/system").unwrap(), "qemu+ssh://root@h/system?no_tty=1");
        assert_eq!(uri("qemu+ssh://h/system?no_tty=1").unwrap(), "qemu+ssh://h/system?no_tty=1");
        assert!(matches!(uri("qemu+ssh://h/system?no_tty=0"), Err(Cause::Uri { .. })));
        assert_eq!(uri("qemu+tls://h/system").unwrap(), "qemu+tls://h/system");
    }

    #[test]
    fn a_transport_that_crashes_old_clients_is_refused_there() {
        let refused = |text: &str, version| refuse_crashes(&HostConfig::new("h", text), version).is_err();
        assert!(refused("qemu+libssh://h/system", 9_000_000));
        assert!(refused("qemu+libssh2://h/system", 10_003_000));
        assert!(!refused("qemu+libssh://h/system", 10_004_000));
        assert!(!refused("qemu+ssh://h/system", 9_000_000));
    }

    #[test]
    fn known_hosts_is_not_said_in_vain() {
        assert!(matches!(uri("qemu+ssh://h/system?known_hosts=/k"), Err(Cause::Uri { .. })));
        assert!(uri("qemu+libssh://h/system?known_hosts=/k").is_ok());
    }

    #[test]
    fn a_refused_connection_is_told_with_the_credentials_that_it_is_about() {
        use virt_sys::{VIR_ERR_AUTH_FAILED, VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC};
        let tcp = HostConfig::new("h", "qemu+tcp://h/system?authfile=/a%20b");
        let named = HostConfig { auth_file: Some("/c".into()), ..HostConfig::new("h", "qemu+tcp://h/system") };
        let tls = HostConfig::new("h", "qemu+tls://h/system?pkipath=/p");
        let ssh = HostConfig::new("h", "qemu+ssh://h/system");
        for (host, code, message, expected) in [
            (&tcp, VIR_ERR_AUTH_FAILED, "authentication failed", Some("those in /a b")),
            (&named, VIR_ERR_AUTH_FAILED, "authentication failed", Some("those in /c")),
            (&tls, VIR_ERR_SYSTEM_ERROR, "Unable to read TLS confirmation: ...", Some("clientcert.pem in /p")),
            (&ssh, VIR_ERR_SYSTEM_ERROR, "Host key verification failed.", Some("known_hosts")),
            (&ssh, VIR_ERR_SYSTEM_ERROR, "h: Permission denied (publickey).", Some("keyfile=")),
            (&tls, VIR_ERR_SYSTEM_ERROR, "unable to connect to server", None),
        ] {
            let failure = Failure { code, domain: VIR_FROM_RPC, message: message.to_owned() };
            let cause = explained(host, failure.clone());
            assert_eq!(cause.failure(), Some(&failure));
            let told = cause.to_string();
            assert!(told.starts_with(message) && told.contains(expected.unwrap_or(message)), "{told}");
            assert_eq!(matches!(cause, Cause::Libvirt(_)), expected.is_none(), "{told}");
        }
    }

    #[test]
    fn credentials_that_others_can_read_are_refused_with_the_fix() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("auth one.conf");
        fs::write(&path, "[credentials-lab]\n").unwrap();
        let host = HostConfig { auth_file: Some(path.clone()), ..HostConfig::new("h", "qemu+tcp://h/system") };
        for (mode, fine) in [(0o644, false), (0o640, false), (0o601, false), (0o600, true), (0o400, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match checked(&host) {
                Ok(uri) => {
                    assert!(fine, "{mode:o}");
                    assert!(uri.ends_with("/auth%20one.conf"), "{uri}");
                    // The same file, named in the URI itself, is looked at just so.
                    assert_eq!(checked(&HostConfig::new("h", &*uri)).unwrap(), uri);
                }
                Err(error) => {
                    assert!(!fine, "{mode:o}");
                    assert!(error.to_string().contains("chmod 0600 "), "{error}");
                }
            }
        }
        let missing = HostConfig { auth_file: Some("/nowhere/auth.conf".into()), ..host };
        assert!(matches!(checked(&missing), Err(Cause::AuthFile { .. })));
    }

    #[test]
    fn a_credential_that_systemd_made_is_taken_from_its_folder_alone() {
        let (made, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let put = |folder: &Path, mode| {
            let path = folder.join("kvm2.auth");
            fs::write(&path, "[credentials-lab]\n").unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let inside = put(made.path(), 0o440);
        let outside = put(other.path(), 0o440);
        let is_root = fs::metadata(&inside).unwrap().uid() == 0;
        // systemd's are root's. Where the tests run as somebody else, the file is not one of systemd's, and is refused.
        assert_eq!(check_auth_file_beside(&inside, Some(made.path())).is_ok(), is_root);
        let linked = other.path().join("linked");
        std::os::unix::fs::symlink(&inside, &linked).unwrap();
        assert_eq!(check_auth_file_beside(&linked, Some(made.path())).is_ok(), is_root);
        for (path, credentials) in [
            (&outside, Some(made.path())),
            (&inside, None),
            (&inside, Some(Path::new("/nowhere"))),
            // A path that only looks like one of that folder.
            (&made.path().join("..").join(other.path().file_name().unwrap()).join("kvm2.auth"), Some(made.path())),
        ] {
            let error = check_auth_file_beside(path, credentials).unwrap_err();
            assert!(error.to_string().contains("0440, so others can read it"), "{error}");
        }
        put(made.path(), 0o444);
        assert!(check_auth_file_beside(&inside, Some(made.path())).is_err());
    }

    #[test]
    fn what_is_shown_holds_no_secret() {
        assert_eq!(
            without_secrets("qemu+ssh://root:pw@h:22/system?keyfile=/k&socket=/s&authfile=/a"),
            "qemu+ssh://root@h:22/system?socket=/s"
        );
        assert_eq!(without_secrets("test:///default"), "test:///default");
    }

    #[test]
    fn what_is_no_uri_is_refused() {
        for bad in ["", "qemu", "://h", "qemu+tls://h /system", "qemu+tls://h/\0"] {
            assert!(matches!(uri(bad), Err(Cause::Uri { .. })), "{bad:?}");
        }
    }
}
