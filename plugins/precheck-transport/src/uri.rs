//! As much of a URI as the rules need.

/// A URI in parts.
pub struct Uri<'a> {
    /// `qemu+tls`, `tcp`, ...
    pub scheme: &'a str,
    /// Without brackets, user and port; empty if there is none.
    pub host: &'a str,
    /// Port.
    pub port: Option<u16>,
}

impl<'a> Uri<'a> {
    /// Takes a URI apart. What isn't there is empty: nothing here refuses a URI, libvirt does.
    pub fn parse(text: &'a str) -> Self {
        // libvirt takes `tcp:address` for `tcp://address`, too.
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let rest = rest.strip_prefix("//").unwrap_or(rest);
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let place = authority.rsplit('@').next().unwrap_or_default();
        let (host, port) = match place.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, port)) => (host, port.strip_prefix(':')),
            None => match place.rsplit_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (place, None),
            },
        };
        Self { scheme, host, port: port.and_then(|port| port.parse().ok()) }
    }

    /// The transport of a libvirt URI: `tls` in `qemu+tls`; none: libvirt's default.
    pub fn transport(&self) -> Option<&'a str> {
        self.scheme.split_once('+').map(|(_, transport)| transport)
    }
}

/// Whether every machine means itself by it.
pub fn is_loopback(host: &str) -> bool {
    host == "localhost" || host == "::1" || host.starts_with("127.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_are_taken_apart() {
        for (text, scheme, host, port) in [
            ("qemu+tls://kvm2.example.org/system", "qemu+tls", "kvm2.example.org", None),
            ("qemu+ssh://root@kvm2:2222/system?x=1", "qemu+ssh", "kvm2", Some(2222)),
            ("qemu:///system", "qemu", "", None),
            ("tcp://[2001:db8::1]:49152", "tcp", "2001:db8::1", Some(49152)),
            ("tcp:10.0.0.1:5000", "tcp", "10.0.0.1", Some(5000)),
            ("unix:///srv/mig.sock", "unix", "", None),
            ("nonsense", "", "nonsense", None),
        ] {
            let uri = Uri::parse(text);
            assert_eq!((uri.scheme, uri.host, uri.port), (scheme, host, port), "{text}");
        }
        assert_eq!(Uri::parse("qemu+tls://h/").transport(), Some("tls"));
        assert_eq!(Uri::parse("qemu://h/").transport(), None);
    }
}
