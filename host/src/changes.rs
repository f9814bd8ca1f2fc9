//! Changes of policies while the program runs, asked for over the service. Each is tried before it is made: the file is compiled,
//! the policy is asked about its settings, and what the configuration names or requires stays there. Then it is written down,
//! and in force for the next decision as after a reload; one change waits for the one before it.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

use serde_json::{Map, Value};
use waypost_api::v1;
use waypost_core::ids::PluginName;
use waypost_core::verdict::PolicyMode;
use waypost_policy::{
    CONVERGENCE, Hook, LoadedStatus, PluginConfig, PluginState, PluginStatus, Presence, RECOVERY, Unusable,
};
use waypost_service::{Against, Condition, NotChanged, PluginChange, tag_of};

use crate::config::Config;
use crate::facade::{InForce, Waypost};
use crate::overlay::{self, Overlay, Pending, Said};
use crate::wiring;

/// What is to be done with the file of a policy.
enum Files<'a> {
    Keep,
    Put(&'a [u8]),
    Remove,
}

impl Waypost {
    /// The settings of a policy, and where they come from; none: no folder holds it. Reads files.
    pub fn plugin_settings(&self, name: &PluginName) -> Option<v1::PluginSettings> {
        let InForce { written, effective, .. } = self.in_force();
        self.policies().file_of(name)?;
        let listed = wiring::plugins(&effective, self.policies()).plugins;
        let plugin = listed.into_iter().find(|plugin| plugin.name == name.as_str())?;
        let configured = written.policies.plugins.get(name).filter(|said| has_settings(said));
        let settings = settings_of(&effective.policies.plugin(name));
        Some(v1::PluginSettings {
            plugin: plugin.name,
            keys: settings.keys().cloned().collect(),
            settings: Some(Value::Object(settings)),
            by: plugin.settings_by,
            configured: configured.map(|said| Value::Object(settings_of(said))),
            schema: plugin.settings_schema,
        })
    }

    /// Changes a policy for the decisions that follow; what was decided already stays. The condition is held to the policy's tag, or
    /// where settings are changed to theirs. Where it is not made, everything is as it was, and the answer says why; where it could
    /// not be written as a whole, what is on the disk then is in force. Reads and writes files and compiles: call it where
    /// blocking is allowed.
    pub fn change_plugin(
        &self,
        name: &PluginName,
        change: PluginChange,
        condition: &Condition,
    ) -> Result<(), NotChanged> {
        // As two reloads at once: the second one sees what the first one left.
        let _turn = self.turns().lock().unwrap_or_else(PoisonError::into_inner);
        // A file may have been dropped into a folder a moment ago.
        self.policies().rescan();
        let InForce { written, effective, overlay } = self.in_force();
        let there = self.policies().file_of(name);
        if there.is_none() && !matches!(change, PluginChange::Put { .. }) {
            let detail = format!("no plugin folder holds {name}");
            return Err(NotChanged::new(Against::NoSuchPlugin, detail, "GET /api/v1/plugins lists the policies"));
        }
        self.still(name, &change, condition, &effective, there.is_some())?;

        // What is left of a policy that is gone is not said of the next one of its name.
        let before = match there {
            // Whatever was to go with its file stays with the change.
            Some(_) => Said { leaving: false, ..overlay.said.get(name).cloned().unwrap_or_default() },
            None => Said::default(),
        };
        let is_new = there.is_none();
        let trial = Trial { waypost: self, name, written: &written, effective: &effective };
        let (said, files) = match &change {
            PluginChange::Put { file, enabled } => {
                if *enabled == Some(true) {
                    trial.may_be_asked()?;
                }
                let said = Said { disabled: enabled.map_or(before.disabled, |enabled| !enabled), ..before };
                let loaded = trial.rehearse(Some(&file[..]), &said)?;
                trial.fits(Some(loaded), &said)?;
                (said, Files::Put(&file[..]))
            }
            PluginChange::Delete => {
                let uploaded = overlay.file(name);
                if there.as_ref() != Some(&uploaded) {
                    let file = there.map(|file| file.display().to_string()).unwrap_or_default();
                    let detail = format!("{name} was not uploaded: it is {file}");
                    return Err(NotChanged::new(Against::Fixed, detail, "switch it off, or take the file away"));
                }
                trial.without_upload(&uploaded)?;
                (Said::default(), Files::Remove)
            }
            PluginChange::Enable(false) => {
                trial.may_be_left_out()?;
                let said = Said { disabled: true, ..before };
                trial.fits(None, &said)?;
                (said, Files::Keep)
            }
            PluginChange::Enable(true) => {
                trial.may_be_asked()?;
                let said = Said { disabled: false, ..before };
                let loaded = trial.rehearse(None, &said)?;
                trial.leaves_somebody(&trial.others(Some(trial.status(Some(loaded), &said))))?;
                (said, Files::Keep)
            }
            PluginChange::Settings(settings) => (trial.settings(before, Some(settings.clone()))?, Files::Keep),
            PluginChange::Merge(patch) => {
                let mut settings = Value::Object(settings_of(&effective.policies.plugin(name)));
                merge(&mut settings, &Value::Object(patch.clone()));
                (trial.settings(before, settings.as_object().cloned())?, Files::Keep)
            }
            PluginChange::ForgetSettings => (trial.settings(before, None)?, Files::Keep),
        };
        let overlay = overlay.with(name, said);
        if let Err(error) = self.make(&written, &overlay, name, &files, is_new) {
            return Err(self.half_made(&written, overlay.folder, name, &error));
        }
        self.put_in_force(&written, overlay);
        tracing::info!(%name, ?condition, "a policy was changed over the service");
        Ok(())
    }

    /// Writes a change. Whatever comes between, or is the last thing that is done, leaves a policy that is switched off so: where
    /// it is to be off that comes before its file, and where it is to be on after it. What was said of a file that is removed ends with
    /// it, at the same moment.
    fn make(
        &self,
        written: &Arc<Config>,
        overlay: &Overlay,
        name: &PluginName,
        files: &Files<'_>,
        is_new: bool,
    ) -> io::Result<()> {
        overlay::prepare(&overlay.folder).map_err(|error| io::Error::other(error.to_string()))?;
        // A backup takes the file and what is said of it as they are at one moment.
        let _turn = waypost_store::policy_turn(&overlay.folder)?;
        overlay.forget_left(name)?;
        match files {
            Files::Keep => overlay.write(name),
            Files::Put(bytes) => {
                // All of it is on the disk before anything of it counts.
                let pending = Pending::write(overlay.file(name), bytes)?;
                let is_off = overlay.said.get(name).is_some_and(|said| said.disabled);
                if is_off || is_new {
                    overlay.write(name)?;
                    // Whoever follows the folder finds the file as soon as it has its name.
                    self.put_in_force(written, overlay.clone());
                    pending.put()
                } else {
                    pending.put()?;
                    overlay.write(name)
                }
            }
            Files::Remove => {
                // Another folder may have a file of that name, of which nothing of this was meant.
                self.in_force().overlay.write_leaving(name)?;
                overlay::remove(&overlay.file(name))?;
                overlay.write(name)
            }
        }
    }

    /// After a change that could not be written as a whole: what is on the disk is in force, as it would be after a new start.
    fn half_made(&self, written: &Arc<Config>, folder: PathBuf, name: &PluginName, error: &io::Error) -> NotChanged {
        let place = folder.display().to_string();
        let now = match Overlay::read(folder) {
            Ok(overlay) => {
                self.put_in_force(written, overlay);
                "what is on the disk now is in force".to_owned()
            }
            Err(unread) => format!("{unread}, so what was in force stays so until it can"),
        };
        let detail = format!("what was changed of {name} could not be written to {place} as a whole; {now}");
        let remedy = "look at the folder and the space on its disk, then GET the policy: it may be as it was, or changed in part";
        NotChanged::new(Against::Failed, detail, remedy).because(error.to_string())
    }

    /// Refuses where what is there is not what whoever asks believes it to be.
    fn still(
        &self,
        name: &PluginName,
        change: &PluginChange,
        condition: &Condition,
        effective: &Config,
        exists: bool,
    ) -> Result<(), NotChanged> {
        let of_settings =
            matches!(change, PluginChange::Settings(_) | PluginChange::Merge(_) | PluginChange::ForgetSettings);
        let now = match (exists, of_settings) {
            (false, _) => None,
            (true, true) => self.plugin_settings(name).map(|settings| tag_of(&settings)),
            (true, false) => {
                let listed = wiring::plugins(effective, self.policies()).plugins;
                listed.into_iter().find(|plugin| plugin.name == name.as_str()).and_then(|plugin| plugin.etag)
            }
        };
        if condition.holds(now.as_deref()) {
            return Ok(());
        }
        Err(match (condition, now) {
            (Condition::Absent, _) => NotChanged::new(
                Against::Changed,
                format!("there is a policy {name} already"),
                "choose another name, or replace it: send If-Match with its ETag",
            ),
            (_, None) => NotChanged::new(
                Against::Changed,
                format!("there is no policy {name}"),
                "send If-None-Match: * to make it",
            ),
            (_, Some(now)) => NotChanged::new(
                Against::Changed,
                format!(
                    "{} not what they were: the ETag is {now} now",
                    match of_settings {
                        true => format!("the settings of {name} are"),
                        false => format!("{name} and what is said of it are"),
                    }
                ),
                "GET it again, look at what was changed, and send If-Match with its ETag",
            ),
        })
    }
}

/// One policy, for which something is tried.
struct Trial<'a> {
    waypost: &'a Waypost,
    name: &'a PluginName,
    written: &'a Config,
    effective: &'a Config,
}

impl Trial<'_> {
    /// What would be said of it.
    fn config(&self, said: &Said) -> PluginConfig {
        let mut config = self.written.policies.plugin(self.name);
        said.apply(&mut config);
        config
    }

    /// What the file would come to: this one, or the one that is there.
    fn rehearse(&self, file: Option<&[u8]>, said: &Said) -> Result<LoadedStatus, NotChanged> {
        self.rehearse_with(file, &self.config(said))
    }

    fn rehearse_with(&self, file: Option<&[u8]>, config: &PluginConfig) -> Result<LoadedStatus, NotChanged> {
        let name = self.name;
        self.waypost.policies().rehearse(name, file, config).map_err(|unusable| match unusable {
            Unusable::Missing => NotChanged::new(
                Against::NoSuchPlugin,
                format!("no plugin folder holds {name}"),
                "GET /api/v1/plugins lists the policies",
            ),
            Unusable::File(error) => {
                NotChanged::new(Against::Unusable, format!("{name} can't be used as a policy"), error.remedy())
                    .because(error.chain())
            }
            Unusable::Settings(words) => NotChanged::new(
                Against::SettingsRefused,
                format!("{name} {words}"),
                "correct them; a policy that needs settings is put down with ?enabled=false, then they are made, then it is \
                 switched on",
            )
            .because(words),
            Unusable::Compiling(_) | Unusable::Busy => {
                let detail = format!("whether {name} can be used as a policy can't be told yet");
                let remedy = "ask again in a while: what is compiled goes on, and what is done then is not done again; a smaller \
                              file takes less";
                NotChanged::new(Against::Compiling, detail, remedy).because(unusable.to_string())
            }
        })
    }

    /// The policy accepts these settings, whether it is asked right now or not.
    fn settings(&self, before: Said, settings: Option<Map<String, Value>>) -> Result<Said, NotChanged> {
        let said = Said { settings, ..before };
        said.text().map_err(|why| {
            let detail = format!("these settings of {} can't be kept", self.name);
            NotChanged::new(Against::SettingsRefused, detail, "make them smaller, or nest them less").because(why)
        })?;
        let config = PluginConfig { presence: Presence::Optional, ..self.config(&said) };
        self.rehearse_with(None, &config)?;
        Ok(said)
    }

    fn fixed(&self, detail: String) -> NotChanged {
        let file = self.written.file.as_ref().map_or("the configuration".to_owned(), |file| file.display().to_string());
        NotChanged::new(Against::Fixed, detail, format!("have whoever owns {file} change that"))
    }

    fn may_be_asked(&self) -> Result<(), NotChanged> {
        match self.written.policies.plugin(self.name).presence {
            Presence::Never => Err(self.fixed(format!("[plugin.{}] presence = \"never\" switches it off", self.name))),
            Presence::Optional | Presence::Required => Ok(()),
        }
    }

    fn may_be_left_out(&self) -> Result<(), NotChanged> {
        match self.written.policies.plugin(self.name).presence {
            Presence::Required => Err(self.fixed(format!("[plugin.{}] presence = \"required\" keeps it", self.name))),
            Presence::Optional | Presence::Never => Ok(()),
        }
    }

    /// Whoever the configuration names to be asked can still be asked afterwards: else nothing could be started any more.
    fn fits(&self, loaded: Option<LoadedStatus>, said: &Said) -> Result<(), NotChanged> {
        self.fits_with(Some(self.status(loaded, said)))
    }

    fn status(&self, loaded: Option<LoadedStatus>, said: &Said) -> PluginStatus {
        let config = self.config(said);
        let state = if config.presence == Presence::Never { PluginState::Ignored } else { PluginState::Ok };
        PluginStatus {
            name: self.name.clone(),
            file: None,
            mode: config.mode,
            grants: config.grants.into_iter().collect(),
            loaded,
            state,
        }
    }

    /// All policies, with that one in its place.
    fn others(&self, status: Option<PluginStatus>) -> Vec<PluginStatus> {
        let mut list = self.waypost.policies().list();
        list.retain(|other| other.name != *self.name);
        list.extend(status);
        list
    }

    fn fits_with(&self, status: Option<PluginStatus>) -> Result<(), NotChanged> {
        let list = self.others(status);
        match wiring::unmeant(self.effective, &list) {
            Some(error) => Err(self.fixed(error)),
            None => self.leaves_somebody(&list),
        }
    }

    /// Where somebody is asked for a hook of which one policy is, somebody still is afterwards. Those that are named are looked at
    /// elsewhere.
    fn leaves_somebody(&self, after: &[PluginStatus]) -> Result<(), NotChanged> {
        let policies = &self.effective.policies;
        let before = self.waypost.policies().list();
        let hooks =
            [(Hook::Recovery, &policies.recovery, RECOVERY), (Hook::Convergence, &policies.convergence, CONVERGENCE)];
        for (hook, named, default) in hooks {
            if named.is_none() && is_anybody_asked(&before, hook, default) && !is_anybody_asked(after, hook, default) {
                let detail =
                    format!("nobody would be asked about {hook} any more: no policy for it, or several and none named");
                let remedy =
                    format!("have whoever owns the configuration name one first: {hook} = \"NAME\" in [plugins]");
                return Err(NotChanged::new(Against::Fixed, detail, remedy));
            }
        }
        Ok(())
    }

    /// What was uploaded may go: another folder has a file of the name, or nobody needs one.
    fn without_upload(&self, uploaded: &Path) -> Result<(), NotChanged> {
        let folders = &self.effective.plugin_folders;
        let name = format!("{}.wasm", self.name);
        let other = folders
            .iter()
            .rev()
            .map(|folder| folder.join(&name))
            .find(|file| file.as_path() != uploaded && file.is_file());
        let Some(other) = other else {
            self.may_be_left_out()?;
            return self.fits_with(None);
        };
        let bytes = std::fs::read(&other).map_err(|error| {
            let detail = format!("{} would be asked then, and can't be read", other.display());
            NotChanged::new(Against::Failed, detail, "make it readable").because(error.to_string())
        })?;
        let said = Said::default();
        let loaded = self.rehearse(Some(&bytes), &said)?;
        self.fits(Some(loaded), &said)
    }
}

/// Whether one of these is asked for a hook of which one policy is asked and the configuration names none: the only one that is
/// obeyed, of several the default; for convergence also one that only advises.
fn is_anybody_asked(list: &[PluginStatus], hook: Hook, default: &str) -> bool {
    let able = list.iter().filter(|status| {
        status.state != PluginState::Ignored
            && status.loaded.as_ref().is_some_and(|loaded| loaded.hooks.contains(&hook))
    });
    let (obeyed, others): (Vec<_>, Vec<_>) = able.partition(|status| status.mode == PolicyMode::Enforce);
    let asked = if obeyed.is_empty() && hook == Hook::Convergence { others } else { obeyed };
    asked.len() == 1 || asked.iter().any(|status| status.name.as_str() == default)
}

/// Settings as a table. Those of a configuration are one by its shape.
fn settings_of(config: &PluginConfig) -> Map<String, Value> {
    serde_json::from_str(&config.settings).unwrap_or_default()
}

fn has_settings(config: &PluginConfig) -> bool {
    config.settings != PluginConfig::default().settings
}

/// RFC 7396.
fn merge(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (key, value) in patch {
        if value.is_null() {
            target.remove(key);
        } else {
            merge(target.entry(key.clone()).or_insert(Value::Null), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_merge_patch_is_that_of_its_rfc() {
        for (before, patch, after) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b"}), json!({"b": "c"}), json!({"a": "b", "b": "c"})),
            (json!({"a": "b"}), json!({"a": null}), json!({})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"a": [{"b": "c"}]}), json!({"a": [1]}), json!({"a": [1]})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            let mut target = before.clone();
            merge(&mut target, &patch);
            assert_eq!(target, after, "{before} {patch}");
        }
    }
}
