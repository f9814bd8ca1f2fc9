//! What a client asks for, read by Kimchi's own description of the request (`vm_migrate` in its `API.json`).
//!
//! A password is never taken in: its place in the request is read by a type that keeps whether it was a text, and nothing of
//! the text. So there is nothing to store, to log or to show, also not in what is said about a request that is wrong; for the
//! same reason no value of a request is ever repeated there but the name of the host.

use std::fmt;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;

use super::refusal::Refusal;

/// A request that has the right shape.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Where to.
    pub remote_host: String,
    /// Whether over RDMA.
    pub rdma: bool,
    /// Whether somebody gave a user or a password.
    pub credentials: bool,
}

impl Asked {
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Refusal> {
        if body.is_empty() {
            return Written::default().asked();
        }
        // Only a request of the same origin can declare this: also where Kimchi would take a body of no kind, we don't.
        let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/json") {
            return Err(Refusal::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "WOKAPI0007E",
                "the body must be JSON, and declared as application/json",
            ));
        }
        match serde_json::from_slice::<Written>(body) {
            Ok(written) => written.asked(),
            // The error's own words may hold a piece of the request.
            Err(error) if error.is_data() => Err(shape("it must be a JSON object")),
            Err(_) => Err(Refusal::new(StatusCode::BAD_REQUEST, "WOKAPI0006E", "the body is no JSON")),
        }
    }
}

fn shape(why: &str) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, "WOKAPI0008E", &format!("the request does not have the right shape: {why}"))
}

/// A request as it was written: each key with what is needed of its value, in the order in which they came.
#[derive(Default)]
struct Written {
    hosts: Vec<Value>,
    users: Vec<Unseen>,
    passwords: Vec<Unseen>,
    rdma: Option<Value>,
    unknown: bool,
}

impl Written {
    /// The first thing that is wrong, in the order of Kimchi's description.
    fn asked(self) -> Result<Asked, Refusal> {
        let wrong = |code, what: &str| Err(Refusal::new(StatusCode::BAD_REQUEST, code, what));
        let Some(first) = self.hosts.first() else { return Err(shape("remote_host is missing")) };
        let remote_host = match first {
            Value::String(host) if !host.is_empty() => host.clone(),
            _ => return wrong("KCHVM0060E", "remote_host must be a text, and not empty"),
        };
        if self.hosts.iter().any(|other| other != first) {
            return Err(shape("remote_host is given in several spellings, and they name different hosts"));
        }
        if self.users.iter().any(|user| *user != Unseen::Text) {
            return wrong("KCHVM0059E", "user must be a text, and not empty");
        }
        if self.passwords.contains(&Unseen::NoText) {
            return wrong("KCHVM0069E", "password must be a text");
        }
        let rdma = match self.rdma {
            None => false,
            Some(Value::Bool(wanted)) => wanted,
            Some(_) => return wrong("KCHVM0091E", "enable_rdma must be true or false"),
        };
        if self.unknown {
            return Err(shape("there are remote_host, user, password and enable_rdma, and there is no other key"));
        }
        Ok(Asked { remote_host, rdma, credentials: !self.users.is_empty() || !self.passwords.is_empty() })
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Keys;
        impl<'de> Visitor<'de> for Keys {
            type Value = Written;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
                let mut written = Written::default();
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "remote_host" | "remoteHost" | "host" => written.hosts.push(map.next_value()?),
                        "user" => written.users.push(map.next_value()?),
                        "password" | "passwd" => written.passwords.push(map.next_value()?),
                        "enable_rdma" => written.rdma = Some(map.next_value()?),
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                            written.unknown = true;
                        }
                    }
                }
                Ok(written)
            }
        }
        from.deserialize_map(Keys)
    }
}

/// A value of which nothing is kept but what kind it was.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Unseen {
    Text,
    EmptyText,
    NoText,
}

impl<'de> Deserialize<'de> for Unseen {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Kind;
        impl<'de> Visitor<'de> for Kind {
            type Value = Unseen;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Unseen, E> {
                Ok(if text.is_empty() { Unseen::EmptyText } else { Unseen::Text })
            }
            fn visit_bool<E>(self, _: bool) -> Result<Unseen, E> {
                Ok(Unseen::NoText)
            }
            fn visit_i64<E>(self, _: i64) -> Result<Unseen, E> {
                Ok(Unseen::NoText)
            }
            fn visit_u64<E>(self, _: u64) -> Result<Unseen, E> {
                Ok(Unseen::NoText)
            }
            fn visit_f64<E>(self, _: f64) -> Result<Unseen, E> {
                Ok(Unseen::NoText)
            }
            fn visit_unit<E>(self) -> Result<Unseen, E> {
                Ok(Unseen::NoText)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unseen, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Unseen::NoText)
            }
            fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Unseen, A::Error> {
                while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Unseen::NoText)
            }
        }
        from.deserialize_any(Kind)
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn read(body: &'static str) -> Result<Asked, String> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
        Asked::read(&headers, &Bytes::from_static(body.as_bytes())).map_err(|refusal| refusal.reason().to_owned())
    }

    #[test]
    fn old_spellings_mean_the_same() {
        let asked = Asked { remote_host: "b".into(), rdma: false, credentials: true };
        for body in [
            r#"{"remote_host": "b", "user": "root", "password": "p"}"#,
            r#"{"remoteHost": "b", "user": "root", "passwd": "p"}"#,
            r#"{"host": "b", "user": "root"}"#,
            r#"{"host": "b", "remote_host": "b", "password": "", "passwd": "p", "enable_rdma": false}"#,
        ] {
            assert_eq!(read(body).unwrap(), asked, "{body}");
        }
        let plain = read(r#"{"remote_host": "b", "enable_rdma": true}"#).unwrap();
        assert_eq!(plain, Asked { remote_host: "b".into(), rdma: true, credentials: false });
        assert!(read(r#"{"host": "b", "remote_host": "c"}"#).unwrap_err().starts_with("WOKAPI0008E: "));
    }

    #[test]
    fn what_is_wrong_has_its_code_and_repeats_no_value() {
        for (body, code) in [
            ("", "WOKAPI0008E"),
            ("{", "WOKAPI0006E"),
            (r#""s3cret""#, "WOKAPI0008E"),
            (r#"["s3cret"]"#, "WOKAPI0008E"),
            (r#"{"password": "s3cret"}"#, "WOKAPI0008E"),
            (r#"{"remote_host": ""}"#, "KCHVM0060E"),
            (r#"{"remote_host": 7}"#, "KCHVM0060E"),
            (r#"{"remote_host": "b", "user": ""}"#, "KCHVM0059E"),
            (r#"{"remote_host": "b", "user": 7, "password": 7}"#, "KCHVM0059E"),
            (r#"{"remote_host": "b", "user": ["s3cret"]}"#, "KCHVM0059E"),
            (r#"{"remote_host": "b", "passwd": {"a": "s3cret"}}"#, "KCHVM0069E"),
            (r#"{"remote_host": "b", "password": null}"#, "KCHVM0069E"),
            (r#"{"remote_host": "b", "password": 1.5}"#, "KCHVM0069E"),
            (r#"{"remote_host": "b", "enable_rdma": "s3cret"}"#, "KCHVM0091E"),
            (r#"{"remote_host": "b", "pasword": "s3cret"}"#, "WOKAPI0008E"),
            (r#"{"remote_host": "b", "s3cret": 1}"#, "WOKAPI0008E"),
            (r#"{"remote_host": "b", "password": "s3cret"#, "WOKAPI0006E"),
        ] {
            let reason = read(body).unwrap_err();
            assert!(reason.starts_with(&format!("{code}: ")), "{body}: {reason}");
            assert!(!reason.contains("s3cret"), "{reason}");
        }
    }
}
