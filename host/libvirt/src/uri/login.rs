//! The same for one open by a login that somebody gives: what the URI is then, and what an error of libvirt's has to do with it.

use waypost_core::login::PeerWay;

use super::{Parts, checked, escaped, explained, unescaped, without_secrets};
use crate::config::HostConfig;
use crate::error::{Cause, Failure, HOST_KEY};

/// The ways of ssh that take a password.
const BY_PASSWORD: &str = "password,keyboard-interactive";

/// The URI for one open by a login: the configured one, without the file that would answer in its place. The transport stays: nothing is
/// sent over another than the one that was configured.
pub(crate) fn for_login(host: &HostConfig, user: &str) -> Result<String, Cause> {
    let wrong = |why| Cause::Login { uri: without_secrets(&host.uri), why };
    let uri = checked(host)?;
    let parts = Parts::of(&uri)?;
    let (mut base, mut query) = (parts.base.to_owned(), Vec::new());
    for (key, value) in &parts.query {
        if !matches!(*key, "authfile" | "sshauth") {
            query.push(format!("{key}={value}"));
        }
    }
    match parts.transport {
        "ssh" => return Err(wrong("ssh takes no password from us: give it a key, or say qemu+libssh2")),
        "libssh" | "libssh2" => {
            let offered = parts.get("sshauth").unwrap_or(BY_PASSWORD);
            let taken: Vec<&str> = BY_PASSWORD.split(',').filter(|way| offered.split(',').any(|o| o == *way)).collect();
            if taken.is_empty() {
                return Err(wrong("its sshauth lets nobody in by a password"));
            }
            query.push(format!("sshauth={}", taken.join(",")));
            let (scheme, place) = base.split_once("://").ok_or_else(|| wrong("it has no scheme"))?;
            match place.split('/').next().and_then(|authority| authority.rsplit_once('@')) {
                // With a user in it libvirt asks for none.
                Some((named, _)) if unescaped(named) == user => {}
                Some(_) => return Err(wrong("it names another user than the one that was given")),
                None => base = format!("{scheme}://{}@{place}", escaped(user).replace('/', "%2F")),
            }
        }
        _ => {}
    }
    Ok(if query.is_empty() { base } else { format!("{base}?{}", query.join("&")) })
}

/// Why a connection that opened is not the one that was asked for: the password was not what opened it. libvirt looks into files
/// of its own before it asks, and they must not let in whoever gives a wrong one.
pub(crate) fn not_asked_for(host: &HostConfig) -> Cause {
    let why =
        "the password was not asked for: libvirt's own auth.conf has another for this host, or it wants none any more";
    Cause::Login { uri: without_secrets(&host.uri), why }
}

/// Whether a connection could not be opened only for want of a login: not of a certificate, and not for a host key.
pub(crate) fn wants_login(cause: &Cause) -> bool {
    cause.failure().is_some_and(is_about_a_login)
}

fn is_about_a_login(failure: &Failure) -> bool {
    let says = |words: &str| failure.message.contains(words);
    // A host that isn't believed, or doesn't believe us, was asked for nothing.
    let unbelieved = says("host key") || says("HOST KEY") || says(HOST_KEY) || says("ertificate");
    // What libvirt says of ssh's prompts has no number of its own.
    let asked_in_vain = says("failed to retrieve credentials") || says("failed to retrieve private key passphrase");
    !unbelieved && (failure.is_refused_login() || asked_in_vain)
}

/// Why a login opened nothing. What libvirt says of it never holds the login itself.
pub(crate) fn explained_with_login(host: &HostConfig, failure: Failure) -> Cause {
    if !is_about_a_login(&failure) {
        return explained(host, failure);
    }
    let hint = "name and password that were given are not those of anybody whom the host lets in".to_owned();
    Cause::Opening { failure, hint }
}

/// Why a host can't be asked any more that a login had opened.
pub(crate) fn explained_after_login(cause: Cause) -> Cause {
    match cause {
        Cause::Libvirt(failure) | Cause::Opening { failure, .. } if is_about_a_login(&failure) => {
            let hint = "the connection that name and password opened is gone, and they were not kept: give them again, or name \
                        a file with them as this host's auth_file";
            Cause::Opening { failure, hint: hint.to_owned() }
        }
        cause => cause,
    }
}

/// Whether other hosts' daemons get at a host without the login that we need: by another transport, which has ways of its own to
/// tell who comes. Over the same one the host would ask them the same.
pub(crate) fn peer_way(host: &HostConfig) -> PeerWay {
    let transport = |uri: &str| {
        let scheme = uri.split_once("://").map_or(uri, |(scheme, _)| scheme);
        // A host without a transport is reached by TLS.
        scheme.split_once('+').map_or("tls", |(_, transport)| transport).to_owned()
    };
    match &host.peer_uri {
        Some(peer) if transport(peer) != transport(&host.uri) => PeerWay::Own,
        _ => PeerWay::Shut,
    }
}

#[cfg(test)]
mod tests {
    use virt_sys::{VIR_ERR_AUTH_FAILED, VIR_ERR_SSH, VIR_ERR_SYSTEM_ERROR, VIR_FROM_RPC};

    use super::*;

    fn uri(text: &str, user: &str) -> Result<String, String> {
        for_login(&HostConfig::new("h", text), user).map_err(|cause| cause.to_string())
    }

    fn failure(code: u32, message: &str) -> Failure {
        Failure { code, domain: VIR_FROM_RPC, message: message.to_owned() }
    }

    #[test]
    fn a_login_goes_the_configured_way_and_nothing_answers_in_its_place() {
        let tcp = "qemu+tcp://h/system";
        assert_eq!(uri("qemu+tcp://h/system", "carla").unwrap(), tcp);
        assert_eq!(uri("qemu+tls://h/system?pkipath=/p", "carla").unwrap(), "qemu+tls://h/system?pkipath=/p");
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("auth.conf");
        std::fs::write(&file, "").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let host = HostConfig { auth_file: Some(file), ..HostConfig::new("h", "qemu+tcp://h/system") };
        assert_eq!(for_login(&host, "carla").unwrap(), tcp, "that of the file was not right");
        // What is refused is refused with a login, too.
        assert!(uri("qemu+tls://h/system?no_verify=1", "carla").unwrap_err().contains("no_verify=1"));
    }

    #[test]
    fn over_ssh_a_password_is_for_the_user_of_the_uri_and_for_nothing_but_a_login() {
        let ways = "sshauth=password,keyboard-interactive";
        for (configured, expected) in [
            ("qemu+libssh2://h:22/system", format!("qemu+libssh2://carla@h:22/system?{ways}")),
            (
                "qemu+libssh://carla@h/system?known_hosts=/k",
                format!("qemu+libssh://carla@h/system?known_hosts=/k&{ways}"),
            ),
            (
                "qemu+libssh2://h/system?sshauth=agent,password&keyfile=/k",
                "qemu+libssh2://carla@h/system?keyfile=/k&sshauth=password".to_owned(),
            ),
        ] {
            assert_eq!(uri(configured, "carla").unwrap(), expected);
        }
        assert!(
            uri("qemu+libssh2://h/system", "a/b@c:d").unwrap().starts_with("qemu+libssh2://a%2Fb%40c%3Ad@h/system?")
        );
        assert_eq!(
            uri("qemu+libssh2://a%2Fb@h/system", "a/b").unwrap(),
            format!("qemu+libssh2://a%2Fb@h/system?{ways}")
        );
        for (configured, why) in [
            ("qemu+libssh2://root@h/system", "another user"),
            ("qemu+libssh2://h/system?sshauth=agent,privkey", "sshauth"),
            ("qemu+ssh://carla@h/system", "qemu+libssh2"),
        ] {
            assert!(uri(configured, "carla").unwrap_err().contains(why), "{configured}");
        }
    }

    #[test]
    fn only_what_a_login_can_mend_asks_for_one() {
        for (code, message, wants) in [
            (VIR_ERR_AUTH_FAILED, "authentication failed: Failed to collect auth credentials", true),
            (VIR_ERR_SSH, "failed to retrieve credentials", true),
            (VIR_ERR_AUTH_FAILED, "!!! SSH HOST KEY VERIFICATION FAILED !!!: Identity of host differs", false),
            (VIR_ERR_SSH, "failed to retrieve decision to accept host key", false),
            (VIR_ERR_AUTH_FAILED, "authentication failed: Failed to verify peer's certificate", false),
            (VIR_ERR_SYSTEM_ERROR, "h: Permission denied (publickey).", false),
            (VIR_ERR_SYSTEM_ERROR, "unable to connect to server at 'h:16509': Connection refused", false),
        ] {
            let cause = Cause::Libvirt(failure(code, message));
            assert_eq!(wants_login(&cause), wants, "{message}");
            assert_eq!(
                explained_after_login(cause.clone()).to_string().contains("give them again"),
                wants,
                "{message}"
            );
            let Cause::Libvirt(failure) = cause else { unreachable!() };
            let host = HostConfig::new("h", "qemu+libssh2://h/system");
            let told = explained_with_login(&host, failure).to_string();
            assert_eq!(told.contains("that were given"), wants, "{told}");
        }
        assert!(!wants_login(&Cause::Deadline(std::time::Duration::from_secs(10))));
    }

    #[test]
    fn other_hosts_get_in_where_the_configuration_has_another_way_for_them() {
        let way = |uri: &str, peer: Option<&str>| {
            peer_way(&HostConfig { peer_uri: peer.map(str::to_owned), ..HostConfig::new("h", uri) })
        };
        assert_eq!(way("qemu+tcp://h/system", None), PeerWay::Shut);
        assert_eq!(way("qemu+tcp://h/system", Some("qemu+tcp://h.other/system")), PeerWay::Shut);
        assert_eq!(way("qemu+tcp://h/system", Some("qemu+tls://h/system")), PeerWay::Own);
        assert_eq!(way("qemu+tls://h/system", Some("qemu://h/system")), PeerWay::Shut);
        assert_eq!(way("qemu+libssh2://h/system", Some("qemu+ssh://root@h/system")), PeerWay::Own);
    }
}
