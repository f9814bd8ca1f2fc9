//! What a file states of itself, for people and pages: its version, and a JSON Schema of its settings. Words of the policy's
//! author, in custom sections: they are shown and decide nothing.

use serde_json::Value;
use wasmparser::{Parser, Payload};

use crate::text;

/// The section with a version, as other tools of WebAssembly write it.
const VERSION: &str = "version";
/// The section with a JSON Schema of the settings.
const SCHEMA: &str = "waypost:settings-schema";
/// Bytes of a version, and of a schema; one that is longer is not shown.
const VERSION_BYTES: usize = 64;
const SCHEMA_BYTES: usize = 64 << 10;

/// What was stated. What can't be read was not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stated {
    pub version: Option<String>,
    pub schema: Option<Value>,
}

impl Stated {
    /// Reads the sections of a file, and of the modules in it; the outermost counts.
    pub fn of(bytes: &[u8]) -> Self {
        let mut stated = Self::default();
        let (mut depth, mut version_at, mut schema_at) = (0_u32, u32::MAX, u32::MAX);
        for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::CustomSection(section) if section.name() == VERSION && depth < version_at => {
                    if let Ok(version) = std::str::from_utf8(section.data()) {
                        (stated.version, version_at) = (Some(text::line(version.trim(), VERSION_BYTES)), depth);
                    }
                }
                Payload::CustomSection(section) if section.name() == SCHEMA && depth < schema_at => {
                    let schema = Some(section.data()).filter(|data| data.len() <= SCHEMA_BYTES);
                    let schema = schema.and_then(|data| serde_json::from_slice::<Value>(data).ok());
                    if let Some(schema) = schema.filter(Value::is_object) {
                        (stated.schema, schema_at) = (Some(schema), depth);
                    }
                }
                _ => {}
            }
        }
        stated
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_and_a_schema_are_read_wherever_they_stand() {
        let sections = r#"(@custom "version" "1.4.0") (@custom "waypost:settings-schema" "{\"type\":\"object\"}")"#;
        let expected = Stated { version: Some("1.4.0".into()), schema: Some(serde_json::json!({"type": "object"})) };
        for file in [format!("(module {sections})"), format!("(component (core module {sections}))")] {
            assert_eq!(Stated::of(&wat::parse_str(&file).unwrap()), expected, "{file}");
        }
        let outer = r#"(component (core module (@custom "version" "inner")) (@custom "version" "outer"))"#;
        assert_eq!(Stated::of(&wat::parse_str(outer).unwrap()).version.as_deref(), Some("outer"));
    }

    #[test]
    fn what_is_no_schema_was_not_stated_and_a_version_steers_no_terminal() {
        for (text, version) in [
            (r#"(module (@custom "waypost:settings-schema" "{"))"#, None),
            (r#"(module (@custom "waypost:settings-schema" "1"))"#, None),
            (r#"(module (@custom "version" "1\1b[31m"))"#, Some("1 [31m")),
            (r#"(module (@custom "version" "\ff"))"#, None),
        ] {
            let stated = Stated::of(&wat::parse_str(text).unwrap());
            assert_eq!((stated.version.as_deref(), stated.schema), (version, None), "{text}");
        }
        assert_eq!(Stated::of(b"text"), Stated::default());
    }
}
