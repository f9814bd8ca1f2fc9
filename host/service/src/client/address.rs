//! Where a service is: a socket of this machine, or a port that speaks TLS. There is no third way: over plain HTTP a token
//! would be everybody's.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use axum::http::Uri;

use super::error::ClientError;

/// Where a service is. As text `unix:/run/waypost/waypost.sock`, or `https://waypost.example:8443`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// A Unix socket: the kernel says who connects.
    Socket(PathBuf),
    /// A port, over TLS.
    Port {
        /// Name or address, an IPv6 address without its brackets.
        host: String,
        /// Port, 1 to 65535.
        port: u16,
    },
}

impl Address {
    /// What stands in the `Host` header.
    pub(super) fn authority(&self) -> String {
        match self {
            // A name without a dot: a service on its socket answers no page of another name.
            Self::Socket(_) => "waypost".to_owned(),
            Self::Port { host, port } if host.contains(':') => format!("[{host}]:{port}"),
            Self::Port { host, port } => format!("{host}:{port}"),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Socket(path) => write!(f, "unix:{}", path.display()),
            Self::Port { .. } => write!(f, "https://{}", self.authority()),
        }
    }
}

impl FromStr for Address {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Self, ClientError> {
        // What stands before `@` or after `?` may be a password or a token.
        let repeated = || (!text.contains(['@', '?'])).then(|| text.to_owned());
        let wrong = |why: &'static str| ClientError::Address { text: repeated(), why };
        if let Some(path) = text.strip_prefix("unix:") {
            // `unix:///path` is as well known as `unix:/path`.
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Socket(PathBuf::from(path)))
            } else {
                Err(wrong("the path of a socket is absolute, as unix:/run/waypost/waypost.sock"))
            };
        }
        if text.starts_with("http://") {
            return Err(wrong("over plain HTTP everybody on the way could read the token: use https"));
        }
        let uri: Uri = text.parse().map_err(|_| wrong("it is unix:/PATH or https://HOST:PORT"))?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong("it is unix:/PATH or https://HOST:PORT"));
        };
        if authority.as_str().contains('@') {
            return Err(wrong("a name or password has no place in it"));
        }
        if uri.path_and_query().is_some_and(|rest| rest.as_str() != "/") {
            return Err(wrong("nothing may come after the port"));
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        match (host.is_empty(), authority.port_u16(), authority.port().is_some()) {
            (true, ..) => Err(wrong("it names no host")),
            (_, Some(0), _) | (_, None, true) => Err(wrong("a port is 1 to 65535")),
            (_, port, _) => Ok(Self::Port { host: host.to_owned(), port: port.unwrap_or(443) }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_written_alike() {
        for text in ["unix:/run/waypost/waypost.sock", "https://waypost.example:8443", "https://[::1]:8443"] {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), text);
        }
        let same = [("unix:///s", "unix:/s"), ("https://h", "https://h:443"), ("https://h:1/", "https://h:1")];
        for (text, written) in same {
            assert_eq!(text.parse::<Address>().unwrap().to_string(), written);
        }
    }

    #[test]
    fn what_is_none_says_why() {
        for (text, why) in [
            ("http://h:80", "plain HTTP"),
            ("unix:waypost.sock", "absolute"),
            ("h:8443", "unix:/PATH or https://HOST:PORT"),
            ("/run/waypost.sock", "unix:/PATH or https://HOST:PORT"),
            ("https://anna:secret@h", "no place"),
            ("https://h/api/v1", "after the port"),
            ("https://h?token=x", "after the port"),
            ("https://h:0", "1 to 65535"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
            assert_eq!(error.contains(text), !text.contains(['@', '?']), "{text}: {error}");
        }
    }
}
