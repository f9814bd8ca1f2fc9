//! What would come of a file, or of other settings, before either is in force: for whoever must not put down what nobody could
//! use. The same code loads it that would load it from its folder, under the same bounds and grants, and what was compiled
//! is in the cache when the folder is looked at.

use std::path::{Path, PathBuf};

use thiserror::Error;
use waypost_core::digest::sha256;
use waypost_core::ids::PluginName;

use crate::artifact::{FILE_BYTES, LoadError};
use crate::config::{PluginConfig, Presence};
use crate::folders;
use crate::runtime::{LoadedStatus, PolicyRuntime, loaded};

/// Why it would not be used.
#[derive(Debug, Error)]
pub enum Unusable {
    /// No folder holds a file of that name.
    #[error("no plugin folder holds it")]
    Missing,
    /// The file.
    #[error(transparent)]
    File(LoadError),
    /// It refuses its settings; in its words.
    #[error("{0}")]
    Settings(String),
}

impl PolicyRuntime {
    /// SHA-256, hexadecimal, and size in bytes of what is in a file right now; none where it can't be read, or is larger than any
    /// policy may be. A file that is what it was is not read again.
    pub fn digest_of(&self, file: &Path) -> Option<(String, u64)> {
        self.registry.digests.of(file)
    }

    /// The file that counts for a name, whether it can be used or not.
    pub fn file_of(&self, name: &PluginName) -> Option<PathBuf> {
        self.registry.folders.iter().rev().find_map(|folder| {
            // One that can't be read is told in the list; here it holds nothing.
            let files = folders::plugin_files(folder).ok()?;
            files.into_iter().find(|(known, _)| known == name).map(|(_, file)| file)
        })
    }

    /// What a policy of that name would come to with this configuration: of these bytes, or of the file that counts for the
    /// name. One that is never asked is not asked about its settings either. Compiles, so it takes up to seconds.
    pub fn rehearse(
        &self,
        name: &PluginName,
        bytes: Option<&[u8]>,
        config: &PluginConfig,
    ) -> Result<LoadedStatus, Unusable> {
        let read;
        let (file, bytes) = match bytes {
            Some(bytes) => (PathBuf::from(format!("{name}.wasm")), bytes),
            None => {
                let file = self.file_of(name).ok_or(Unusable::Missing)?;
                read = folders::read(&file).map_err(Unusable::File)?;
                (file, read.as_slice())
            }
        };
        let size = bytes.len() as u64;
        if size > FILE_BYTES {
            return Err(Unusable::File(LoadError::TooLarge { size }));
        }
        match self.registry.load(name, &file, bytes, sha256(bytes), config) {
            Ok((plugin, Ok(()))) => Ok(loaded(&plugin)),
            Ok((plugin, Err(_))) if config.presence == Presence::Never => Ok(loaded(&plugin)),
            Ok((_, Err(failure))) => Err(Unusable::Settings(failure.cause)),
            Err(error) => Err(Unusable::File(error)),
        }
    }
}
