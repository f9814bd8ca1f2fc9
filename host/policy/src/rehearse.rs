//! What would come of a file, or of other settings, before either is in force: for whoever must not put down what nobody could
//! use. The same code loads it that would load it from its folder, under the same bounds and grants, and what was compiled
//! is in the cache when the folder is looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;
use waypost_core::digest::sha256;
use waypost_core::ids::PluginName;

use crate::artifact::{FILE_BYTES, LoadError};
use crate::aside::Delay;
use crate::config::{PluginConfig, Presence};
use crate::folders;
use crate::runtime::{LoadedStatus, PolicyRuntime, loaded};

/// For how long whoever hands in a file waits for the compiler. The largest of the shipped policies takes it less than a second.
pub const COMPILE_TIME: Duration = Duration::from_secs(30);

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
    /// It can't be told yet: it is compiled for so long already, and that goes on.
    #[error("compiling it takes longer than {} s", .0.as_secs())]
    Compiling(Duration),
    /// It can't be told now: another file is compiled for so long already, and one is at a time.
    #[error("another file is still being compiled")]
    Busy,
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
    /// name. One that is never asked is not asked about its settings either. Compiles what is not in the cache, and waits for that
    /// up to [`COMPILE_TIME`].
    pub fn rehearse(
        &self,
        name: &PluginName,
        bytes: Option<&[u8]>,
        config: &PluginConfig,
    ) -> Result<LoadedStatus, Unusable> {
        self.rehearse_within(COMPILE_TIME, name, bytes, config)
    }

    /// The same, for whoever is more or less patient.
    pub fn rehearse_within(
        &self,
        patience: Duration,
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
        let digest = sha256(bytes);
        let found = if self.registry.cache.as_ref().is_some_and(|cache| cache.holds(&digest)) {
            self.registry.load(name, &file, bytes, digest, config)
        } else {
            let (registry, name, bytes, config) =
                (Arc::clone(&self.registry), name.clone(), bytes.to_vec(), config.clone());
            let compile = move || registry.load(&name, &file, &bytes, digest, &config);
            self.aside.run(patience, compile).map_err(|delay| match delay {
                Delay::Late => Unusable::Compiling(patience),
                Delay::Taken => Unusable::Busy,
                Delay::Failed => Unusable::File(LoadError::Compile { why: "its thread failed".to_owned() }),
            })?
        };
        match found {
            Ok((plugin, Ok(()))) => Ok(loaded(&plugin)),
            Ok((plugin, Err(_))) if config.presence == Presence::Never => Ok(loaded(&plugin)),
            Ok((_, Err(failure))) => Err(Unusable::Settings(failure.cause)),
            Err(error) => Err(Unusable::File(error)),
        }
    }
}
