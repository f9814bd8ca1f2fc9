//! Changes of policies as the service takes them on: what may be asked for, on which condition, and why it is not done. Who holds
//! the policies makes the change ([`Site::change_plugin`](crate::Site::change_plugin)); here nothing knows what a policy is.

use bytes::Bytes;
use serde::Serialize;
use serde_json::{Map, Value};
use waypost_core::digest::sha256;
use waypost_core::ids::PluginName;

/// What is to be done with one policy.
#[derive(Debug, Clone, PartialEq)]
pub enum PluginChange {
    /// Put this file down under its name.
    Put {
        /// The file.
        file: Bytes,
        /// Whether it is asked from then on; none: as before, and a new one is.
        enabled: Option<bool>,
    },
    /// Take its uploaded file away, and whatever else was said of it over the service.
    Delete,
    /// Ask it, or ask it no more.
    Enable(bool),
    /// These are its settings.
    Settings(Map<String, Value>),
    /// These of its settings are changed, null takes one away (RFC 7396).
    Merge(Map<String, Value>),
    /// Its settings are those of the configuration again.
    ForgetSettings,
}

/// On which condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// On none.
    None,
    /// That there is nothing of that name (`If-None-Match: *`).
    Absent,
    /// That there is something, whatever it is (`If-Match: *`).
    Present,
    /// That it still is one of these (`If-Match`).
    OneOf(Vec<String>),
}

impl Condition {
    /// Whether it holds of what is there: its tag, or that there is nothing.
    pub fn holds(&self, now: Option<&str>) -> bool {
        match (self, now) {
            (Self::None, _) | (Self::Absent, None) | (Self::Present, Some(_)) => true,
            (Self::Absent, Some(_)) | (Self::Present | Self::OneOf(_), None) => false,
            (Self::OneOf(tags), Some(now)) => tags.iter().any(|tag| tag == now),
        }
    }
}

/// What kind of reason there is against a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Against {
    /// There is no such policy.
    NoSuchPlugin,
    /// It is another one by now.
    Changed,
    /// The file is no policy that could be asked.
    Unusable,
    /// What has to be compiled for it takes long, and goes on: it may be asked for again.
    Compiling,
    /// The policy refuses the settings.
    SettingsRefused,
    /// The configuration, or a file that was not uploaded, settles it.
    Fixed,
    /// It can't be read or written.
    Failed,
}

/// Why a change is not made. Everything is as it was, but where it could not be written as a whole: then the detail says what is in
/// force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotChanged {
    /// The kind of reason.
    pub against: Against,
    /// What happened.
    pub detail: String,
    /// In the words of whoever failed.
    pub cause: Option<String>,
    /// What to do.
    pub remedy: Option<String>,
}

impl NotChanged {
    /// Without a cause of its own.
    pub fn new(against: Against, detail: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { against, detail: detail.into(), cause: None, remedy: Some(remedy.into()) }
    }

    /// The same with a cause.
    #[must_use]
    pub fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }
}

/// The tag of a document: another one as soon as anything in it is.
pub fn tag_of(document: &impl Serialize) -> String {
    let text = serde_json::to_vec(document).unwrap_or_default();
    let digest = sha256(&text);
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

/// Longest name.
pub(crate) const NAME_BYTES: usize = 64;

/// What a name is, besides its length, as the description has it: what [`plugin_name`] takes.
pub(crate) const NAME_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9_-]*$";

/// The name of a policy as it may be given in a path. It becomes the name of a file, so it is short and plain: nothing in it could
/// lead anywhere else, whoever reads it.
pub(crate) fn plugin_name(text: &str) -> Option<PluginName> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
    (begins && text.len() <= NAME_BYTES && text.bytes().all(plain)).then(|| PluginName::new(text))
}

/// The kind of an archive or a compressed file, by how it begins.
pub(crate) fn archive(bytes: &[u8]) -> Option<&'static str> {
    const BEGINS: [(&[u8], &str); 10] = [
        (b"PK\x03\x04", "zip"),
        (b"PK\x05\x06", "zip"),
        (b"PK\x07\x08", "zip"),
        (b"\x1f\x8b", "gzip"),
        (b"BZh", "bzip2"),
        (b"\xfd7zXZ\0", "xz"),
        (b"\x28\xb5\x2f\xfd", "zstd"),
        (b"7z\xbc\xaf\x27\x1c", "7z"),
        (b"\x04\x22\x4d\x18", "lz4"),
        (b"!<arch>\n", "ar"),
    ];
    let begins = BEGINS.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|(_, name)| *name);
    begins.or_else(|| bytes.get(257..262).filter(|magic| *magic == b"ustar").map(|_| "tar"))
}

#[cfg(test)]
mod tests {
    use waypost_api::v1;

    use super::*;

    #[test]
    fn a_name_is_plain_and_short() {
        // The description says the same.
        let pattern = regex::Regex::new(NAME_PATTERN).unwrap();
        let described = |name: &str| pattern.is_match(name) && name.chars().count() <= NAME_BYTES;
        for name in ["a", "precheck-cpu", "stay_here", "X9", &"x".repeat(64)] {
            assert_eq!(plugin_name(name), Some(PluginName::new(name)), "{name}");
            assert!(described(name), "{name}");
        }
        let long = "x".repeat(65);
        for name in [
            "",
            ".",
            "..",
            "../x",
            "..\\x",
            "/etc/passwd",
            "a/b",
            "a.b",
            ".hidden",
            "-x",
            "_x",
            "a b",
            "a\0",
            "a\n",
            "ä",
            "%2e%2e",
            "a:b",
            "\u{202e}a",
            "\u{2024}\u{2024}",
            &long,
        ] {
            assert_eq!(plugin_name(name), None, "{name:?}");
            assert!(!described(name), "{name:?}");
        }
    }

    #[test]
    fn archives_are_known_by_how_they_begin() {
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        for (bytes, kind) in [
            (&b"PK\x03\x04rest"[..], Some("zip")),
            (b"\x1f\x8b\x08", Some("gzip")),
            (&tar, Some("tar")),
            (b"\0asm\x0d\0\x01\0", None),
            (b"PK", None),
            (b"", None),
        ] {
            assert_eq!(archive(bytes), kind, "{bytes:?}");
        }
    }

    #[test]
    fn a_condition_holds_of_what_is_there() {
        let tags = Condition::OneOf(vec!["a".into(), "b".into()]);
        for (condition, nothing, b, c) in [
            (Condition::None, true, true, true),
            (Condition::Absent, true, false, false),
            (Condition::Present, false, true, true),
            (tags, false, true, false),
        ] {
            assert_eq!(
                (condition.holds(None), condition.holds(Some("b")), condition.holds(Some("c"))),
                (nothing, b, c),
                "{condition:?}"
            );
        }
    }

    #[test]
    fn a_tag_is_another_one_as_soon_as_anything_differs() {
        let plugin = v1::Plugin { name: "a".into(), ..v1::Plugin::default() };
        let other = v1::Plugin { enabled: true, ..plugin.clone() };
        assert_eq!(tag_of(&plugin), tag_of(&plugin.clone()));
        assert_ne!(tag_of(&plugin), tag_of(&other));
        assert_eq!(tag_of(&plugin).len(), 34);
    }
}
