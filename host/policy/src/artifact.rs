//! What a file in a plugin folder is: a component, a core module that becomes one, or nothing that can be used.
//!
//! Nothing here runs or compiles anything. Names are judged by meaning: an interface counts with any version that the
//! host's own is compatible with (`0.1.x` for `0.1.0`), as wasmtime's linker will see it too.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

use thiserror::Error;
use wasmparser::{Encoding, Parser, Payload};
use wasmtime::Engine;
use waypost_core::words;
use wit_component::ComponentEncoder;

use crate::bounds;
use crate::config::Grant;
use crate::failure::Failure;

/// A file may have so many bytes.
pub const FILE_BYTES: u64 = 64 << 20;
/// What the host speaks: the version of every package in wit/.
const VERSION: &str = "0.1.0";
const ALWAYS: [&str; 3] = ["waypost:facts/types", "waypost:facts/inventory", "waypost:facts/environment"];

words! {
    /// What a policy is asked for.
    pub enum Hook {
        /// Before anything is touched.
        Precheck = "precheck",
        /// With the prechecks: what is to be different on the destination.
        Transform = "transform",
        /// After a failure.
        Recovery = "recovery",
        /// Before a transfer begins, and while it runs.
        Convergence = "convergence",
    }
    /// How a policy was built.
    pub enum Kind {
        /// A component.
        Component = "component",
        /// A core module built with wit-bindgen for wasm32-unknown-unknown; the host makes it a component.
        CoreModule = "core module",
    }
}

impl Hook {
    /// The interface by whose export it is recognised.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Precheck => "waypost:precheck/check",
            Self::Transform => "waypost:transform/rewrite",
            Self::Recovery => "waypost:recovery/recover",
            Self::Convergence => "waypost:convergence/steer",
        }
    }
    /// The hook of an exported name.
    pub(crate) fn of_export(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|hook| spoken(name, hook.interface()) == Some(Spoken::Yes))
    }
}

/// What an imported name comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ImportStanding {
    /// Every policy may use it.
    Always,
    /// It exists for a policy that the site granted it.
    Grantable(Grant),
    /// No policy can have it; why, and what to do.
    Never(String),
}

/// An import that a file needs and doesn't get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Name.
    pub name: String,
    /// What would grant it, or why nothing does.
    pub because: String,
}

/// Why a file can't be used.
#[derive(Debug, Error)]
pub enum LoadError {
    /// It can't be read.
    #[error("read {}", file.display())]
    Read {
        /// File.
        file: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It is too large.
    #[error("it has {size} bytes, at most {FILE_BYTES} are taken")]
    TooLarge {
        /// Size.
        size: u64,
    },
    /// Compiled code.
    #[error("it is compiled code, which can't be checked")]
    Precompiled,
    /// Something else.
    #[error("it is no WebAssembly: it begins with {begins:?}")]
    NotWasm {
        /// First bytes.
        begins: String,
    },
    /// Damaged, truncated, or with a feature that is switched off.
    #[error("it is no valid WebAssembly: {why}")]
    Invalid {
        /// The validator's words.
        why: String,
    },
    /// A core module that doesn't say which interfaces it means.
    #[error("it is a core module without a description of its interfaces")]
    NotBindgen,
    /// A core module that can't be made a component.
    #[error("it can't be made a component: {why}")]
    Encode {
        /// wit-component's words.
        why: String,
    },
    /// Imports that it doesn't get.
    #[error("it imports what it doesn't get: {}", list(imports))]
    Imports {
        /// Which.
        imports: Vec<Refused>,
    },
    /// No hook.
    #[error("it exports no hook; what it exports: {}", if exports.is_empty() { "nothing".to_owned() } else { exports.join(", ") })]
    NoHook {
        /// Its exports.
        exports: Vec<String>,
    },
    /// Right names, wrong types.
    #[error("its interfaces differ from the host's: {why}")]
    Mismatch {
        /// wasmtime's words.
        why: String,
    },
    /// It needs more than the host gives.
    #[error("it needs more than a policy can have: {what}")]
    Resources {
        /// What.
        what: String,
    },
    /// The compiler refuses it.
    #[error("it can't be compiled: {why}")]
    Compile {
        /// wasmtime's words.
        why: String,
    },
    /// It failed when it was asked about its settings.
    #[error("it failed when it was asked about its settings: it {}", .0.cause)]
    Settings(Failure),
    /// Its name is taken.
    #[error("the name waypost is the host's own")]
    Name,
    /// It has to be there and isn't.
    #[error("no plugin folder holds it")]
    Missing,
    /// The whole folder can't be read, so nobody knows which rules are missing.
    #[error("read the plugin folder {}", folder.display())]
    Folder {
        /// Folder.
        folder: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl LoadError {
    /// What to do about it.
    pub fn remedy(&self) -> String {
        let build =
            "build a cdylib for wasm32-unknown-unknown with wit-bindgen against the host's wit/ and copy it whole";
        match self {
            Self::Read { .. } => "make the file readable for the user that runs waypost".to_owned(),
            Self::TooLarge { .. } => "build it for size and strip its debug information".to_owned(),
            Self::Precompiled => "give the .wasm that it was compiled from".to_owned(),
            Self::NotWasm { .. } | Self::NotBindgen | Self::Encode { .. } => build.to_owned(),
            Self::Invalid { .. } => format!("copy the file again, or {build}"),
            Self::Imports { imports } => {
                let mut remedies: Vec<&str> = imports.iter().map(|import| import.because.as_str()).collect();
                remedies.dedup();
                remedies.join("; ")
            }
            Self::NoHook { .. } => {
                let names: Vec<String> =
                    Hook::ALL.iter().map(|hook| format!("{}@{VERSION}", hook.interface())).collect();
                format!("export {}", names.join(" or "))
            }
            Self::Mismatch { .. } => format!("build it against version {VERSION} of the host's wit/"),
            Self::Resources { .. } | Self::Compile { .. } => {
                "build it smaller, without features beyond WebAssembly 2.0".to_owned()
            }
            Self::Settings(_) => "this is a fault of the policy: tell its author".to_owned(),
            Self::Name => "rename the file".to_owned(),
            Self::Missing => "put its .wasm into a plugin folder, or take it out of the configuration".to_owned(),
            Self::Folder { .. } => "make the folder readable for the user that runs waypost".to_owned(),
        }
    }

    /// The error with its sources, on one line.
    pub fn chain(&self) -> String {
        waypost_core::causes::told(self)
    }
}

fn list(imports: &[Refused]) -> String {
    imports.iter().map(|import| format!("{} ({})", import.name, import.because)).collect::<Vec<_>>().join(", ")
}

/// The component in these bytes, encoded if they are a core module. It is within the [`bounds`] of what may be compiled, and what is
/// not is refused before it is validated or encoded.
pub(crate) fn component(bytes: &[u8]) -> Result<(Kind, Cow<'_, [u8]>), LoadError> {
    if Engine::detect_precompiled(bytes).is_some() {
        return Err(LoadError::Precompiled);
    }
    if !bytes.starts_with(b"\0asm") {
        let begins = String::from_utf8_lossy(bytes.get(..16).unwrap_or(bytes)).into_owned();
        return Err(LoadError::NotWasm { begins });
    }
    bounds::check(bytes)?;
    match Parser::new(0).parse_all(bytes).next() {
        Some(Ok(Payload::Version { encoding: Encoding::Component, .. })) => Ok((Kind::Component, Cow::Borrowed(bytes))),
        Some(Ok(Payload::Version { encoding: Encoding::Module, .. })) => {
            let encoded = encode(bytes)?;
            // What describes its interfaces may have become more than it was.
            bounds::check(&encoded)?;
            Ok((Kind::CoreModule, Cow::Owned(encoded)))
        }
        Some(Err(error)) => Err(LoadError::Invalid { why: error.to_string() }),
        _ => Err(LoadError::Invalid { why: "it ends before its version".to_owned() }),
    }
}

fn encode(module: &[u8]) -> Result<Vec<u8>, LoadError> {
    wasmparser::validate(module).map_err(|error| LoadError::Invalid { why: error.to_string() })?;
    let (foreign, described) = core_imports(module)?;
    if !foreign.is_empty() {
        return Err(LoadError::Imports { imports: foreign });
    }
    if !described {
        return Err(LoadError::NotBindgen);
    }
    let encoded = ComponentEncoder::default().validate(true).module(module).and_then(|encoder| encoder.encode());
    encoded.map_err(|error| LoadError::Encode { why: format!("{error:#}") })
}

/// Imports of a core module that no interface description stands behind, and whether there is a description at all.
fn core_imports(module: &[u8]) -> Result<(Vec<Refused>, bool), LoadError> {
    let invalid = |error: wasmparser::BinaryReaderError| LoadError::Invalid { why: error.to_string() };
    let (mut foreign, mut described) = (Vec::new(), false);
    for payload in Parser::new(0).parse_all(module) {
        match payload.map_err(invalid)? {
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import.map_err(invalid)?;
                    if !import.module.contains(':') && !import.module.ends_with("$root") {
                        let name = format!("{}.{}", import.module, import.name);
                        let because = never(import.module);
                        foreign.push(Refused { name, because });
                    }
                }
            }
            Payload::CustomSection(section) => described |= section.name().starts_with("component-type"),
            _ => {}
        }
    }
    Ok((foreign, described))
}

/// What an imported name comes to.
pub fn import_standing(name: &str) -> ImportStanding {
    let grantable = Grant::ALL.iter().map(|grant| (grant.interface(), ImportStanding::Grantable(*grant)));
    let known = ALWAYS.iter().map(|interface| (*interface, ImportStanding::Always)).chain(grantable);
    for (interface, standing) in known {
        match spoken(name, interface) {
            Some(Spoken::Yes) => return standing,
            Some(Spoken::OtherVersion) => {
                return ImportStanding::Never(format!("this host speaks {interface}@{VERSION}: build against that"));
            }
            None => {}
        }
    }
    ImportStanding::Never(never(name))
}

fn never(name: &str) -> String {
    let interface = name.split(['.', '@']).next().unwrap_or(name);
    if interface.starts_with("wasi") {
        "nothing grants it, a policy has no files, clock, network or environment: build for wasm32-unknown-unknown"
            .into()
    } else if interface.starts_with("__wbindgen") {
        "nothing grants it, it belongs to wasm-bindgen: leave out crates that expect a browser".into()
    } else {
        "nothing grants it: build without it".into()
    }
}

/// Refuses imports that are not there for a policy with these grants.
pub(crate) fn check_imports<'a>(
    names: impl Iterator<Item = &'a str>,
    granted: impl Fn(Grant) -> bool,
) -> Result<(), LoadError> {
    let refused = names.filter_map(|name| {
        let because = match import_standing(name) {
            ImportStanding::Always => return None,
            ImportStanding::Grantable(grant) if granted(grant) => return None,
            ImportStanding::Grantable(grant) => format!("grant `{grant}` to this policy in the configuration"),
            ImportStanding::Never(because) => because,
        };
        Some(Refused { name: name.to_owned(), because })
    });
    let imports: Vec<Refused> = refused.collect();
    if imports.is_empty() { Ok(()) } else { Err(LoadError::Imports { imports }) }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spoken {
    Yes,
    OtherVersion,
}

/// Whether a versioned name is this interface in a version that the host speaks.
fn spoken(name: &str, interface: &str) -> Option<Spoken> {
    let rest = name.strip_prefix(interface)?;
    let track = VERSION.rsplit_once('.').map_or(VERSION, |(track, _)| track);
    let patch = match rest.strip_prefix('@') {
        None if rest.is_empty() => return Some(Spoken::OtherVersion),
        None => return None,
        Some(version) => version.strip_prefix(track).and_then(|patch| patch.strip_prefix('.')),
    };
    let numeric = |patch: &str| !patch.is_empty() && patch.bytes().all(|byte| byte.is_ascii_digit());
    Some(if patch.is_some_and(numeric) { Spoken::Yes } else { Spoken::OtherVersion })
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.name, self.because)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_with_every_compatible_version() {
        assert_eq!(Hook::of_export("waypost:precheck/check@0.1.0"), Some(Hook::Precheck));
        assert_eq!(Hook::of_export("waypost:recovery/recover@0.1.7"), Some(Hook::Recovery));
        for other in [
            "waypost:precheck/check@0.2.0",
            "waypost:precheck/check@0.1.0-rc1",
            "waypost:precheck/check",
            "waypost:precheck/checks@0.1.0",
            "waypost:precheck/check@0.10.0",
        ] {
            assert_eq!(Hook::of_export(other), None, "{other}");
        }
        assert_eq!(import_standing("waypost:facts/volumes@0.1.0"), ImportStanding::Grantable(Grant::Volumes));
        assert_eq!(import_standing("waypost:facts/inventory@0.1.3"), ImportStanding::Always);
        let ImportStanding::Never(why) = import_standing("waypost:facts/inventory@0.2.0") else { panic!("spoken") };
        assert!(why.contains("0.1.0"), "{why}");
        let ImportStanding::Never(why) = import_standing("wasi:cli/stderr@0.2.6") else { panic!("wasi") };
        assert!(why.contains("wasm32-unknown-unknown"), "{why}");
    }
}
