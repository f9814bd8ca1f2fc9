//! What URIs say, of daemons and of streams.

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
