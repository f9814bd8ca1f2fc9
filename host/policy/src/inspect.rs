//! What a file is, without putting it into force: for `plugin inspect`, and for the author of a policy.

use std::path::{Path, PathBuf};

use wasmparser::{Parser, Payload, ProducersSectionReader};

use waypost_core::digest::sha256;

use crate::artifact::{self, Hook, ImportStanding, Kind, LoadError, import_standing};
use crate::config::Grant;
use crate::engine::Machine;
use crate::folders;
use crate::plugin::Plugin;

/// A file, looked at.
#[derive(Debug)]
pub struct Inspection {
    /// File.
    pub file: PathBuf,
    /// SHA-256, hexadecimal.
    pub digest: String,
    /// Size in bytes.
    pub size: u64,
    /// How it was built; none: it is neither.
    pub kind: Option<Kind>,
    /// Hooks, with the exported names by which they are recognised.
    pub hooks: Vec<(Hook, String)>,
    /// Everything it exports.
    pub exports: Vec<String>,
    /// What it imports, and what each comes to.
    pub imports: Vec<(String, ImportStanding)>,
    /// What the site has to grant it.
    pub grants: Vec<Grant>,
    /// Custom sections, of the file and of the modules in it.
    pub sections: Vec<Section>,
    /// Who made it: field (`language`, `processed-by`, `sdk`), name, version; of the file and of the modules in it.
    pub producers: Vec<(String, String, String)>,
    /// Why it would not be loaded, with everything granted that it asks for; none: it would.
    pub trouble: Option<LoadError>,
}

/// A custom section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Name.
    pub name: String,
    /// Size in bytes.
    pub size: usize,
}

/// Looks at a file: reads its sections, and compiles and links it as if everything were granted. Only a file that can't
/// be read is an error.
pub fn inspect(file: &Path) -> Result<Inspection, LoadError> {
    let bytes = folders::read(file)?;
    let mut seen = Inspection {
        file: file.to_owned(),
        digest: sha256(&bytes),
        size: bytes.len() as u64,
        kind: None,
        hooks: Vec::new(),
        exports: Vec::new(),
        imports: Vec::new(),
        grants: Vec::new(),
        sections: Vec::new(),
        producers: Vec::new(),
        trouble: None,
    };
    seen.read_sections(&bytes);
    match artifact::component(&bytes) {
        Ok((kind, component)) => {
            seen.kind = Some(kind);
            seen.read_names(&component);
            seen.trouble = try_load(&seen, &bytes).err();
        }
        Err(trouble) => seen.trouble = Some(trouble),
    }
    Ok(seen)
}

fn try_load(seen: &Inspection, bytes: &[u8]) -> Result<Plugin, LoadError> {
    let machine = Machine::start().map_err(|error| LoadError::Compile { why: error.to_string() })?;
    let grants = Grant::ALL.iter().copied().collect();
    Plugin::load(&machine, None, seen.file.clone(), bytes, seen.digest.clone(), &grants)
}

impl Inspection {
    /// Reads as far as the file is sound; what is wrong with it is for the loader to say.
    fn read_sections(&mut self, bytes: &[u8]) {
        for payload in Parser::new(0).parse_all(bytes).map_while(Result::ok) {
            let Payload::CustomSection(section) = payload else { continue };
            self.sections.push(Section { name: section.name().to_owned(), size: section.data().len() });
            if section.name() == "producers"
                && let Ok(fields) = ProducersSectionReader::new(wasmparser::BinaryReader::new(section.data(), 0))
            {
                for field in fields.into_iter().map_while(Result::ok) {
                    let values = field.values.into_iter().map_while(Result::ok);
                    let rows =
                        values.map(|value| (field.name.to_owned(), value.name.to_owned(), value.version.to_owned()));
                    self.producers.extend(rows);
                }
            }
        }
        self.producers.sort();
        self.producers.dedup();
    }

    /// The outermost imports and exports of the component.
    fn read_names(&mut self, component: &[u8]) {
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component).map_while(Result::ok) {
            match payload {
                Payload::Version { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 1 => {
                    for import in section.into_iter().map_while(Result::ok) {
                        let name = import.name.name.to_owned();
                        let standing = import_standing(&name);
                        if let ImportStanding::Grantable(grant) = standing {
                            self.grants.push(grant);
                        }
                        self.imports.push((name, standing));
                    }
                }
                Payload::ComponentExportSection(section) if depth == 1 => {
                    for export in section.into_iter().map_while(Result::ok) {
                        let name = export.name.name.to_owned();
                        self.hooks.extend(Hook::of_export(&name).map(|hook| (hook, name.clone())));
                        self.exports.push(name);
                    }
                }
                _ => {}
            }
        }
        self.grants.sort_unstable();
        self.grants.dedup();
    }
}
