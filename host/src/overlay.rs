//! What was made of the policies over the service, on disk: a folder of the state with the files that were uploaded
//! (`plugins/NAME.wasm`) and what was said of a policy (`plugins/NAME.json`). The configuration is a person's file and is never
//! written; what is here goes before its settings, and whatever gives a policy rights or makes it necessary is the
//! configuration's alone. Every program that works over the same state reads the same when it starts, so all of them judge alike;
//! the service itself goes on with each change, and a command that was started before goes on with what it began with.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use thiserror::Error;
use waypost_core::ids::PluginName;
use waypost_policy::{PluginConfig, Presence};

use crate::config::Config;

/// Most bytes of what is said of one policy, as it is written down.
const SAID_BYTES: usize = 64 << 10;

/// What was said of one policy.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Said {
    /// It is not asked, unless the configuration requires it.
    pub disabled: bool,
    /// Its settings, in the place of all those of the configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub settings: Option<Map<String, Value>>,
    /// It goes with the file that was uploaded, which is being removed: once that is gone, nothing of this is said any more, also
    /// where another folder has a file of the name.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// The folder, and what was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overlay {
    /// Folder.
    pub folder: PathBuf,
    /// What was said, by policy.
    pub said: BTreeMap<PluginName, Said>,
    /// Those that are not asked because it was said here.
    pub switched: BTreeSet<PluginName>,
    /// Those of which the configuration says nothing.
    pub only_here: BTreeSet<PluginName>,
}

/// Why it can't be used.
#[derive(Debug, Error)]
#[error("what was said of policies over the service can't be read: {}", path.display())]
pub struct OverlayError {
    path: PathBuf,
    #[source]
    source: io::Error,
}

impl OverlayError {
    /// Whether it is closed to whoever runs this, who is not its owner then.
    pub fn is_closed(&self) -> bool {
        self.source.kind() == io::ErrorKind::PermissionDenied
    }
}

impl Overlay {
    /// Reads a folder. One that isn't there says nothing.
    pub fn read(folder: PathBuf) -> Result<Self, OverlayError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| OverlayError { path, source }
        };
        let entries = match fs::read_dir(&folder) {
            Ok(entries) => entries.collect::<io::Result<Vec<_>>>().map_err(failed(&folder))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(failed(&folder)(error)),
        };
        let mut said = BTreeMap::new();
        for path in entries.into_iter().map(|entry| entry.path()) {
            let hidden = path.file_name().is_none_or(|name| name.as_encoded_bytes().starts_with(b"."));
            let (false, Some(true), Some(stem)) =
                (hidden, path.extension().map(|ending| ending == "json"), path.file_stem())
            else {
                continue;
            };
            let name = PluginName::new(stem.to_string_lossy());
            if let Some(one) = said_in(&folder, &name, &path).map_err(failed(&path))? {
                said.insert(name, one);
            }
        }
        Ok(Self { folder, said, switched: BTreeSet::new(), only_here: BTreeSet::new() })
    }

    /// A configuration with this before it. It must be one as a person wrote it.
    pub fn over(mut self, written: &Config) -> Config {
        let mut config = written.clone();
        self.switched.clear();
        self.only_here.clear();
        for (name, said) in &self.said {
            if !config.policies.plugins.contains_key(name) {
                self.only_here.insert(name.clone());
            }
            let plugin = config.policies.plugins.entry(name.clone()).or_default();
            if said.apply(plugin) {
                self.switched.insert(name.clone());
            }
        }
        config.plugin_folders.push(self.folder.clone());
        config.overlay = Some(self);
        config
    }

    /// The same, with something else said of one policy.
    #[must_use]
    pub fn with(&self, name: &PluginName, said: Said) -> Self {
        let mut other = self.clone();
        if said == Said::default() {
            other.said.remove(name);
        } else {
            other.said.insert(name.clone(), said);
        }
        other
    }

    /// Where the file of a policy is put.
    pub fn file(&self, name: &PluginName) -> PathBuf {
        self.folder.join(format!("{name}.wasm"))
    }

    /// Where is written down what is said of it.
    fn note(&self, name: &PluginName) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    /// Writes down what is said of one policy.
    pub fn write(&self, name: &PluginName) -> io::Result<()> {
        match self.said.get(name) {
            Some(said) => said.write(self.note(name)),
            None => remove(&self.note(name)),
        }
    }

    /// Writes down that what is said of a policy goes with its file, which is to be removed next. Whatever then ends this process,
    /// no other file of that name is judged to be meant.
    pub fn write_leaving(&self, name: &PluginName) -> io::Result<()> {
        match self.said.get(name) {
            Some(said) => Said { leaving: true, ..said.clone() }.write(self.note(name)),
            None => Ok(()),
        }
    }

    /// Removes what was said of a file that is gone: it must not come to be said of the next one that is uploaded.
    pub fn forget_left(&self, name: &PluginName) -> io::Result<()> {
        match said_in(&self.folder, name, &self.note(name))? {
            Some(_) => Ok(()),
            None => remove(&self.note(name)),
        }
    }
}

/// What is said in a file; none: nothing, or nothing any more.
fn said_in(folder: &Path, name: &PluginName, file: &Path) -> io::Result<Option<Said>> {
    let text = match fs::read(file) {
        // It was removed since it was listed.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        text => text?,
    };
    let said: Said = serde_json::from_slice(&text)?;
    let is_left = said.leaving && !folder.join(format!("{name}.wasm")).try_exists()?;
    Ok((!is_left).then_some(said))
}

impl Said {
    /// As it is written down; else why it can't be: every program over this state has to read it again.
    pub fn text(&self) -> Result<String, String> {
        let text = serde_json::to_string_pretty(self).map_err(|error| error.to_string())?;
        if text.len() > SAID_BYTES {
            return Err(format!("written down it has {} bytes; at most {SAID_BYTES} are kept", text.len()));
        }
        match serde_json::from_str::<Self>(&text) {
            Ok(_) => Ok(text),
            Err(error) => Err(format!("written down it could not be read again: {error}")),
        }
    }

    fn write(&self, path: PathBuf) -> io::Result<()> {
        Pending::write(path, self.text().map_err(io::Error::other)?.as_bytes())?.put()
    }

    /// Puts it before what the configuration says; answers whether it has switched the policy off. What a person requires stays
    /// required.
    pub fn apply(&self, plugin: &mut PluginConfig) -> bool {
        if let Some(settings) = &self.settings {
            plugin.settings = Value::Object(settings.clone()).to_string();
        }
        let switches = self.disabled && plugin.presence == Presence::Optional;
        if switches {
            plugin.presence = Presence::Never;
        }
        switches
    }
}

/// Makes the folder, which only its owner can reach. The folder above it must be there and ours.
pub(crate) fn prepare(folder: &Path) -> Result<(), OverlayError> {
    let made = DirBuilder::new().mode(0o700).recursive(true).create(folder);
    made.map_err(|source| OverlayError { path: folder.to_owned(), source })
}

/// A file that is written and on the disk, and has no name yet that anybody looks for.
pub(crate) struct Pending {
    path: PathBuf,
    meant: PathBuf,
    put: bool,
}

impl Pending {
    /// Writes what is to be at that place.
    pub fn write(meant: PathBuf, bytes: &[u8]) -> io::Result<Self> {
        // Hidden, and without the ending of a policy: nobody takes it for one, also where this process ends in the middle.
        let name = meant.file_name().unwrap_or_default().to_string_lossy();
        let path = meant.with_file_name(format!(".{name}.incoming"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        let pending = Self { path, meant, put: false };
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(pending)
    }

    /// Gives it its name, in the place of what has it.
    pub fn put(mut self) -> io::Result<()> {
        fs::rename(&self.path, &self.meant)?;
        self.put = true;
        sync_folder(&self.meant)
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        if !self.put {
            // It is overwritten by the next one otherwise.
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Removes a file; one that isn't there is removed already.
pub(crate) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Ok(()) => sync_folder(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// What a folder lists is on the disk.
fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        Config::parse(text, Path::new("/etc/waypost/waypost.toml")).unwrap()
    }

    fn name(text: &str) -> PluginName {
        PluginName::new(text)
    }

    #[test]
    fn what_is_said_is_kept_and_goes_before_the_configuration() {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join("plugins");
        assert!(Overlay::read(folder.clone()).unwrap().said.is_empty());
        prepare(&folder).unwrap();
        let settings = serde_json::from_str(r#"{"limit": 5}"#).unwrap();
        let overlay = Overlay::read(folder.clone()).unwrap();
        let overlay = overlay.with(&name("a"), Said { disabled: true, settings: Some(settings), leaving: false });
        let overlay = overlay.with(&name("b"), Said { disabled: true, ..Said::default() });
        for name in [name("a"), name("b")] {
            overlay.write(&name).unwrap();
        }
        let read = Overlay::read(folder.clone()).unwrap();
        assert_eq!(read.said, overlay.said);

        let written = config(
            "[plugin.a]\ngrants = ['volumes']\nsettings = { limit = 1, other = 2 }\n[plugin.b]\npresence = 'required'\n",
        );
        let now = read.clone().over(&written);
        let a = &now.policies.plugins[&name("a")];
        assert_eq!((a.settings.as_str(), a.presence, a.grants.len()), (r#"{"limit":5}"#, Presence::Never, 1));
        assert_eq!(now.policies.plugins[&name("b")].presence, Presence::Required, "a person requires it");
        assert_eq!(now.plugin_folders.last(), Some(&folder));
        let overlay = now.overlay.as_ref().unwrap();
        assert_eq!((overlay.switched.len(), overlay.only_here.len()), (1, 0));
        let alone = read.over(&config("")).overlay.unwrap();
        assert_eq!((alone.switched.len(), alone.only_here.len()), (2, 2));

        let none = alone.with(&name("a"), Said::default());
        none.write(&name("a")).unwrap();
        assert_eq!(Overlay::read(folder.clone()).unwrap().said.len(), 1);
        let left: Vec<_> = fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["b.json"], "nothing half-written is left");
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let said = |value: Value| Said { settings: Some(Map::from_iter([("a".to_owned(), value)])), ..Said::default() };
        let nested = |levels: usize| (0..levels).fold(Value::from(1), |inner, _| Value::Array(vec![inner]));
        let dir = tempfile::tempdir().unwrap();
        let empty = Overlay::read(dir.path().to_owned()).unwrap();
        for (value, why) in [(nested(126), "recursion limit"), (Value::from("x".repeat(SAID_BYTES)), "at most 65536")] {
            let said = said(value);
            assert!(said.text().unwrap_err().contains(why), "{why}");
            let error = empty.with(&name("a"), said).write(&name("a")).unwrap_err();
            assert!(error.to_string().contains(why), "{error}");
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        }
        for value in [nested(120), Value::from("x".repeat(SAID_BYTES / 2))] {
            let overlay = empty.with(&name("a"), said(value));
            overlay.write(&name("a")).unwrap();
            assert_eq!(Overlay::read(dir.path().to_owned()).unwrap().said, overlay.said);
        }
    }

    #[test]
    fn what_was_said_of_an_upload_ends_with_its_file_wherever_its_removal_stops() {
        let dir = tempfile::tempdir().unwrap();
        let read = || Overlay::read(dir.path().to_owned()).unwrap();
        let said = Said { disabled: true, settings: Some(Map::new()), leaving: false };
        let before = read().with(&name("a"), said.clone());
        before.write(&name("a")).unwrap();
        fs::write(before.file(&name("a")), "a").unwrap();
        // Stopped before the file is removed: all of it is as it was.
        before.write_leaving(&name("a")).unwrap();
        assert_eq!(read().said[&name("a")], Said { leaving: true, ..said.clone() });
        assert!(read().over(&config("")).overlay.unwrap().switched.contains(&name("a")));
        before.forget_left(&name("a")).unwrap();
        assert_eq!(read().said.len(), 1, "it is still said");
        // Stopped after it: nothing is said, and nothing is left for the next file of the name.
        remove(&before.file(&name("a"))).unwrap();
        assert_eq!(read().said, BTreeMap::new());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        read().forget_left(&name("a")).unwrap();
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
        // What is said of a policy in another folder needs no file here.
        let other = read().with(&name("b"), said.clone());
        other.write(&name("b")).unwrap();
        other.forget_left(&name("b")).unwrap();
        assert_eq!(read().said[&name("b")], said);
        // Of one of which nothing was said there is nothing to write.
        other.write_leaving(&name("c")).unwrap();
        assert_eq!(read().said.len(), 1);
    }

    #[test]
    fn what_can_not_be_read_is_an_error_and_not_nothing() {
        let dir = tempfile::tempdir().unwrap();
        for (text, why) in [("{", "EOF"), (r#"{"enabled": 1}"#, "unknown field"), (r#"{"settings": 1}"#, "map")] {
            fs::write(dir.path().join("a.json"), text).unwrap();
            let error = Overlay::read(dir.path().to_owned()).unwrap_err();
            let source = std::error::Error::source(&error).unwrap().to_string();
            assert!(error.to_string().contains("a.json") && source.contains(why), "{error}: {source}");
        }
    }
}
