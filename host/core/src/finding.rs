//! What a rule has to say.

use crate::words;

words! {
    /// How much a finding weighs.
    pub enum Severity {
        /// Worth knowing.
        Info = "info",
        /// The migration may go on; a person should look.
        Warning = "warning",
        /// The migration must not start.
        Blocker = "blocker",
    }
}

/// One finding of one rule about one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Stable code, lower case with hyphens: `architecture-differs`. Programs match on it.
    pub code: String,
    /// Weight.
    pub severity: Severity,
    /// One sentence for people.
    pub message: String,
    /// What was compared: names and values.
    pub evidence: Vec<(String, String)>,
    /// What a person can do about it.
    pub remedy: Option<String>,
}

/// Codes of findings that the host itself makes when a policy gives no usable answer.
pub mod host_codes {
    /// The plugin trapped, panicked or aborted.
    pub const TRAPPED: &str = "plugin-trapped";
    /// It used up its fuel.
    pub const OUT_OF_FUEL: &str = "plugin-out-of-fuel";
    /// It ran longer than its time limit.
    pub const TIMED_OUT: &str = "plugin-timed-out";
    /// It asked for more memory than it may have.
    pub const OUT_OF_MEMORY: &str = "plugin-out-of-memory";
    /// It made more host calls than it may, or lifted more data.
    pub const HOST_CALL_LIMIT: &str = "plugin-host-call-limit";
    /// Its answer has the wrong shape: another number of destinations, an unknown word, too much data.
    pub const NONSENSE: &str = "plugin-answer-unusable";
    /// It can't be loaded.
    pub const NOT_LOADED: &str = "plugin-not-loaded";
    /// Its settings are refused by the plugin itself.
    pub const SETTINGS_REFUSED: &str = "plugin-settings-refused";
    /// An edit that a transform policy wants can't be made.
    pub const EDIT_UNUSABLE: &str = "edit-unusable";
    /// Two transform policies want different things of one place.
    pub const EDIT_CONFLICT: &str = "edit-conflict";
    /// What an advising transform policy would edit.
    pub const EDIT_ADVISED: &str = "edit-advised";
    /// No precheck policy is loaded at all, so nothing was judged.
    pub const NO_PRECHECK: &str = "no-precheck-loaded";
}
