//! What URIs say, of daemons and of streams.

use std::borrow::Cow;

/// The port in a URI, if it names one.
pub fn port_in(uri: &str) -> Option<u16> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (_, port) = authority.rsplit_once(']').unwrap_or(("", authority)).1.rsplit_once(':')?;
    port.parse().ok()
}

/// The host in a URI, if it has one: `kvm2` of `tcp://root@kvm2:22/system`, `fd00::1` of `tcp://[fd00::1]`.
pub fn host_in(uri: &str) -> Option<&str> {
    let (_, rest) = uri.split_once("://")?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let host = match place.strip_prefix('[') {
        Some(rest) => rest.split(']').next(),
        None => place.split(':').next(),
    };
    host.filter(|host| !host.is_empty())
}

/// The host in a URI as a program is given it that takes addresses: the zone of a link-local address stands behind `%25` in a
/// URI (RFC 6874), and behind `%` in an address. `fe80::1%eth0` of `tcp://[fe80::1%25eth0]`.
pub fn address_in(uri: &str) -> Option<Cow<'_, str>> {
    let host = host_in(uri)?;
    Some(match host.split_once("%25") {
        Some((address, zone)) if address.contains(':') && !zone.is_empty() => Cow::Owned(format!("{address}%{zone}")),
        _ => Cow::Borrowed(host),
    })
}

/// Whether what goes over a connection to a libvirt daemon can't be read on the way, as far as its URI tells: by TLS, which is
/// also what libvirt takes where a URI names a host and no transport, or through one of its ways over ssh. What the program
/// of an `ext` does nobody knows.
pub fn is_encrypted(uri: &str) -> bool {
    let Some((scheme, _)) = uri.split_once("://") else { return false };
    match scheme.split_once('+') {
        None => host_in(uri).is_some(),
        Some((_, transport)) => matches!(transport.to_ascii_lowercase().as_str(), "tls" | "ssh" | "libssh" | "libssh2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_encrypted_where_its_transport_is() {
        for encrypted in [
            "qemu+tls://kvm2/system",
            "qemu+TLS://kvm2/system",
            "qemu://kvm2/system",
            "qemu+ssh://root@kvm2:2222/system",
            "qemu+libssh://kvm2/system",
            "qemu+libssh2://[fd00::2]/system",
        ] {
            assert!(is_encrypted(encrypted), "{encrypted}");
        }
        for plain in [
            "qemu+tcp://kvm2/system",
            "qemu+unix:///system",
            "qemu+ext://kvm2/system",
            "qemu:///system",
            "kvm2/system",
            "",
        ] {
            assert!(!is_encrypted(plain), "{plain}");
        }
    }

    #[test]
    fn the_zone_of_an_address_is_told_as_an_address_has_it() {
        for (uri, address) in [
            ("tcp://[fe80::1%25eth0]:49200", Some("fe80::1%eth0")),
            ("qemu+tcp://root@[fe80::1%25bond0.7]/system", Some("fe80::1%bond0.7")),
            ("tcp://[fe80::1%2525]", Some("fe80::1%25")),
            ("tcp://[fe80::1%eth0]", Some("fe80::1%eth0")),
            ("tcp://[fe80::1%25]", Some("fe80::1%25")),
            ("tcp://[fd00::2]", Some("fd00::2")),
            ("tcp://kvm2%25x", Some("kvm2%25x")),
            ("unix:///run/socket", None),
        ] {
            assert_eq!(address_in(uri).as_deref(), address, "{uri}");
        }
    }

    #[test]
    fn host_and_port_of_a_uri() {
        for (uri, host, port) in [
            ("tcp://10.0.0.2", Some("10.0.0.2"), None),
            ("tcp://10.0.0.2:49152", Some("10.0.0.2"), Some(49152)),
            ("tcp://[fd00::2]:49152", Some("fd00::2"), Some(49152)),
            ("tcp://[fd00::2]", Some("fd00::2"), None),
            ("qemu+ssh://root@kvm2:22/system?x=a:b", Some("kvm2"), Some(22)),
            ("tcp://kvm2:none", Some("kvm2"), None),
            ("unix:///run/socket", None, None),
            ("kvm2:49152", None, None),
        ] {
            assert_eq!((host_in(uri), port_in(uri)), (host, port), "{uri}");
        }
    }
}
