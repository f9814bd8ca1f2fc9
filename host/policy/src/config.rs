//! What a site says about its policies: plain values, handed in by the caller. Nothing here reads a file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use waypost_core::ids::PluginName;
use waypost_core::verdict::PolicyMode;
use waypost_core::words;

words! {
    /// A look-up beyond the plain facts, which exists only for a policy that the site granted it.
    pub enum Grant {
        /// The volumes of every pool.
        Volumes = "volumes",
        /// Raw XML of the domain.
        Documents = "documents",
        /// Node devices of the hosts.
        NodeDevices = "node-devices",
        /// The shared-storage probe: the one look-up that touches a host.
        StorageProbe = "storage-probe",
    }
    /// Whether a policy has to be there.
    pub enum Presence {
        /// Used if its file is there.
        Optional = "optional",
        /// Its absence blocks every migration.
        Required = "required",
        /// Ignored even if its file is there.
        Never = "never",
    }
}

impl Grant {
    /// The interface that it makes available.
    pub fn interface(self) -> &'static str {
        match self {
            Self::Volumes => "waypost:facts/volumes",
            Self::Documents => "waypost:facts/documents",
            Self::NodeDevices => "waypost:facts/node-devices",
            Self::StorageProbe => "waypost:facts/storage-probe",
        }
    }
}

/// The bounds of one call. Each is far above what the shipped policies use and far below what would be felt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// WebAssembly instructions, roughly. The bound that decides: it hits at the same place on every machine. The
    /// default, 500 million, is about half a second of computing.
    pub fuel: u64,
    /// Time, ms, without the time that a granted storage probe takes. A backstop behind the fuel. Default 5000.
    pub deadline_ms: u64,
    /// Linear memory. Default 32 MiB; never more than 64 MiB, the size of a slot in the pool.
    pub memory_bytes: usize,
    /// Calls of host functions. Default 1 million: 1000 look-ups for each of 1000 destinations.
    pub host_calls: u64,
    /// What one host call or one answer may bring into the host, and what all keys of look-ups may come to. Default 4 MiB.
    pub lifted_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            fuel: 500_000_000,
            deadline_ms: 5000,
            memory_bytes: 32 << 20,
            host_calls: 1_000_000,
            lifted_bytes: 4 << 20,
        }
    }
}

/// What a site says about one policy. The default is what a policy gets that nobody configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PluginConfig {
    /// Whether it has to be there.
    pub presence: Presence,
    /// How far it is obeyed.
    pub mode: PolicyMode,
    /// Its settings, JSON text; the policy itself checks them.
    pub settings: String,
    /// What it may look up beyond the plain facts.
    pub grants: BTreeSet<Grant>,
    /// The bounds of one call.
    pub limits: Limits,
}

impl Default for PluginConfig {
    fn default() -> Self {
        Self {
            presence: Presence::Optional,
            mode: PolicyMode::Enforce,
            settings: "{}".to_owned(),
            grants: BTreeSet::new(),
            limits: Limits::default(),
        }
    }
}

/// The shipped recovery policy that is asked where the site names none.
pub const RECOVERY: &str = "recovery-conservative";
/// The shipped convergence policy that is asked where the site names none.
pub const CONVERGENCE: &str = "convergence-adaptive";

/// What a site says about the policies as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PolicyConfig {
    /// What is said of single policies.
    pub plugins: BTreeMap<PluginName, PluginConfig>,
    /// Who is asked about recovery; none: the only recovery policy that is there, of several [`RECOVERY`].
    pub recovery: Option<PluginName>,
    /// Who is asked about convergence; none: the only convergence policy that is there, of several [`CONVERGENCE`].
    pub convergence: Option<PluginName>,
}

impl PolicyConfig {
    /// What is said of one policy.
    pub fn plugin(&self, name: &PluginName) -> PluginConfig {
        self.plugins.get(name).cloned().unwrap_or_default()
    }

    /// Everything that is granted to anybody: what the hosts must be read for (`volumes`, `node-devices`).
    pub fn granted(&self) -> BTreeSet<Grant> {
        self.plugins
            .values()
            .filter(|plugin| plugin.presence != Presence::Never)
            .flat_map(|p| p.grants.iter().copied())
            .collect()
    }
}

/// Where policies are found and kept, and whether the folders are watched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places {
    /// Plugin folders. A file of a later folder replaces the one of the same name in an earlier folder.
    pub folders: Vec<PathBuf>,
    /// Private folder for compiled plugins; none: compile at every start.
    pub cache: Option<PathBuf>,
    /// Whether changes of the folders are followed.
    pub watch: Watch,
}

/// Whether the plugin folders are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watch {
    /// Read once, at the start: a single command.
    Off,
    /// Changes take effect for the next decision.
    On,
}
