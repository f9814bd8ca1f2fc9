//! What a client asks for, read by Kimchi's own description of the request (`vm_migrate` in its `API.json`).
//!
//! User and password are read straight into texts that nothing shows and that are overwritten when they are done with; they leave
//! this module as a login that can be used once. No value of a request is ever repeated in what is said about it but the name of
//! the host, because whoever mistypes a key may have written a password anywhere.

use std::fmt;

use axum::body::Bytes;
use axum::http::{HeaderMap, StatusCode, header};
use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use waypost_core::login::{Login, Secret};

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
    /// Both of them.
    pub login: Option<Login>,
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
    users: Vec<Unshown>,
    passwords: Vec<Unshown>,
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
        let user = match only(self.users) {
            Ok(user) if user.as_ref().is_none_or(|user| is_text(user) && !user.text().is_empty()) => user,
            Ok(_) | Err(Several::NoText) => return wrong("KCHVM0059E", "user must be a text, and not empty"),
            Err(Several::Differ) => return Err(shape("user is given several times, and not as the same")),
        };
        let password = match only(self.passwords) {
            Ok(password) if password.as_ref().is_none_or(is_text) => password,
            Ok(_) | Err(Several::NoText) => return wrong("KCHVM0069E", "password must be a text"),
            Err(Several::Differ) => return Err(shape("password is given in several spellings, and not as the same")),
        };
        let rdma = match self.rdma {
            None => false,
            Some(Value::Bool(wanted)) => wanted,
            Some(_) => return wrong("KCHVM0091E", "enable_rdma must be true or false"),
        };
        if self.unknown {
            return Err(shape("there are remote_host, user, password and enable_rdma, and there is no other key"));
        }
        let credentials = user.is_some() || password.is_some();
        let login = user.zip(password).and_then(|(user, password)| Login::new(user, password));
        Ok(Asked { remote_host, rdma, credentials, login })
    }
}

/// Why several values for one thing are none.
enum Several {
    NoText,
    Differ,
}

/// What all that was given for one thing says; none where nothing was.
fn only(given: Vec<Unshown>) -> Result<Option<Secret>, Several> {
    let mut only = None;
    for Unshown(text) in given {
        let text = text.ok_or(Several::NoText)?;
        if only.as_ref().is_some_and(|first| *first != text) {
            return Err(Several::Differ);
        }
        only = Some(text);
    }
    Ok(only)
}

/// Whether a host could take it.
fn is_text(secret: &Secret) -> bool {
    !secret.text().contains('\0')
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

/// A text that is shown nowhere; none for anything else, of which nothing is kept.
struct Unshown(Option<Secret>);

impl<'de> Deserialize<'de> for Unshown {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Kind;
        impl<'de> Visitor<'de> for Kind {
            type Value = Unshown;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text")
            }
            fn visit_str<E>(self, text: &str) -> Result<Unshown, E> {
                Ok(Unshown(Some(Secret::new(text.to_owned()))))
            }
            fn visit_string<E>(self, text: String) -> Result<Unshown, E> {
                Ok(Unshown(Some(Secret::new(text))))
            }
            fn visit_bool<E>(self, _: bool) -> Result<Unshown, E> {
                Ok(Unshown(None))
            }
            fn visit_i64<E>(self, _: i64) -> Result<Unshown, E> {
                Ok(Unshown(None))
            }
            fn visit_u64<E>(self, _: u64) -> Result<Unshown, E> {
                Ok(Unshown(None))
            }
            fn visit_f64<E>(self, _: f64) -> Result<Unshown, E> {
                Ok(Unshown(None))
            }
            fn visit_unit<E>(self) -> Result<Unshown, E> {
                Ok(Unshown(None))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unshown, A::Error> {
                while items.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Unshown(None))
            }
            fn visit_map<A: MapAccess<'de>>(self, mut items: A) -> Result<Unshown, A::Error> {
                while items.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Unshown(None))
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
        let secret = |text: &str| Secret::new(text.to_owned());
        let asked = |login: Option<(&str, &str)>| {
            let login = login.and_then(|(user, password)| Login::new(secret(user), secret(password)));
            Asked { remote_host: "b".into(), rdma: false, credentials: true, login }
        };
        for body in [
            r#"{"remote_host": "b", "user": "root", "password": "p\u00f6o"}"#,
            r#"{"remoteHost": "b", "user": "root", "passwd": "pöo"}"#,
            r#"{"host": "b", "remote_host": "b", "user": "root", "password": "pöo", "passwd": "pöo", "enable_rdma": false}"#,
        ] {
            assert_eq!(read(body).unwrap(), asked(Some(("root", "pöo"))), "{body}");
        }
        for half in [
            r#"{"host": "b", "user": "root"}"#,
            r#"{"host": "b", "password": "p"}"#,
            r#"{"host": "b", "user": "root", "passwd": ""}"#,
        ] {
            assert_eq!(read(half).unwrap(), asked(None), "{half}");
        }
        let plain = read(r#"{"remote_host": "b", "enable_rdma": true}"#).unwrap();
        assert_eq!(plain, Asked { remote_host: "b".into(), rdma: true, credentials: false, login: None });
        assert!(!format!("{:?}", asked(Some(("carla", "s3cret")))).contains("s3cret"));
        for differs in [
            r#"{"host": "b", "remote_host": "c"}"#,
            r#"{"host": "b", "password": "", "passwd": "s3cret"}"#,
            r#"{"host": "b", "user": "s3cret", "user": "root"}"#,
        ] {
            let reason = read(differs).unwrap_err();
            assert!(reason.starts_with("WOKAPI0008E: ") && !reason.contains("s3cret"), "{reason}");
        }
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
            (r#"{"remote_host": "b", "user": "u", "password": "s3cret\u0000"}"#, "KCHVM0069E"),
            (r#"{"remote_host": "b", "user": "s3cret\u0000", "password": "p"}"#, "KCHVM0059E"),
            (r#"{"remote_host": "b", "password": "s3cret", "passwd": 7}"#, "KCHVM0069E"),
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
