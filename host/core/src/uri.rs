//! What URIs say, of daemons and of streams.

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

#[cfg(test)]
mod tests {
    use super::*;

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
