//! `service.origins`: pages of which origins may ask with a token.

use std::net::Ipv6Addr;

use super::ConfigError;
use super::access::is_host_name;

/// An origin as browsers write it: in lower case, without the port that its scheme has anyway.
pub(super) fn read(origin: &str, wrong: &impl Fn(String, String) -> ConfigError) -> Result<String, ConfigError> {
    as_browsers_write_it(&origin.to_ascii_lowercase()).ok_or_else(|| {
        let why = format!(
            "{origin:?} is no origin, as https://dash.example or https://dash.example:8443: scheme, host and where it has one \
             the port, without path and wildcards"
        );
        wrong("service.origins".into(), why)
    })
}

fn as_browsers_write_it(text: &str) -> Option<String> {
    let (scheme, place) = text.split_once("://")?;
    let usual = match scheme {
        "https" => 443,
        "http" => 80,
        _ => return None,
    };
    let (host, port) = match place.strip_prefix('[') {
        // An address of IPv6 has colons of its own.
        Some(rest) => {
            let (address, port) = rest.split_once(']')?;
            (format!("[{}]", address.parse::<Ipv6Addr>().ok()?), port)
        }
        None => {
            let (host, port) = place.split_at(place.find(':').unwrap_or(place.len()));
            (is_host_name(host).then(|| host.to_owned())?, port)
        }
    };
    match port {
        "" => Some(format!("{scheme}://{host}")),
        port => match number(port.strip_prefix(':')?)? {
            port if port == usual => Some(format!("{scheme}://{host}")),
            port => Some(format!("{scheme}://{host}:{port}")),
        },
    }
}

/// The number of a port, of digits alone.
fn number(text: &str) -> Option<u16> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number != 0)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::super::Config;

    #[test]
    fn an_origin_is_read_as_browsers_write_it_and_nothing_is_left_open() {
        let read = |origin: &str| {
            let text = format!("[service]\norigins = ['{origin}']");
            Config::parse(&text, Path::new("/etc/waypost/waypost.toml"))
                .map(|config| config.access.origins)
                .map_err(|error| error.to_string())
        };
        for (written, origin) in [
            ("https://dash.example", "https://dash.example"),
            ("HTTPS://Dash.Example:443", "https://dash.example"),
            ("https://dash.example:8443", "https://dash.example:8443"),
            ("http://localhost:80", "http://localhost"),
            ("http://10.0.0.1:443", "http://10.0.0.1:443"),
            ("https://[2001:DB8:0::1]:8443", "https://[2001:db8::1]:8443"),
            ("https://[::1]", "https://[::1]"),
        ] {
            assert_eq!(read(written).unwrap(), [origin], "{written}");
        }
        for origin in [
            "",
            "*",
            "null",
            "dash.example",
            "https://",
            "https://*",
            "https://*.example",
            "https://dash.example/",
            "https://dash.example/path",
            "https://anna@dash.example",
            "https://dash.example:",
            "https://dash.example:0",
            "https://dash.example:+1",
            "https://dash.example:65536",
            "https://dash.example.",
            "https://[::1",
            "https://[::1]8443",
            "https://[dash]",
            "file://dash.example",
            "https://a b",
        ] {
            let error = read(origin).unwrap_err();
            assert!(error.contains("service.origins") && error.contains("is no origin"), "{origin:?}: {error}");
        }
    }
}
