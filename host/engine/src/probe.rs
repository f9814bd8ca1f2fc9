//! The shared-storage probe: a small volume is made in the destination's pool and looked for from the source's. It is
//! the only thing that a check may create, so it is journalled before and proven gone after, whoever asked.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::runtime::Handle;
use uuid::Uuid;
use waypost_core::facts::StorageProof;
use waypost_core::ids::HostName;
use waypost_core::ports::{KeptProof, ProbeVolume, StorageProbe, StoreFault};

use crate::engine::Ports;

/// A policy's way to the probe. Called on a policy's own thread, which is why it may block on the runtime.
pub(crate) struct Prober {
    ports: Arc<Ports>,
    source: HostName,
    runtime: Handle,
    made: Mutex<Vec<Probed>>,
}

/// A volume that a probe was about to make: what a check may have touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Probed {
    /// Host.
    pub host: HostName,
    /// Pool there.
    pub pool: String,
    /// The host says that it is gone.
    pub gone: bool,
}

/// What was touched, for the end of a sentence; empty: nothing was.
pub(crate) fn touched(probed: &[Probed]) -> String {
    let volumes: Vec<_> = probed
        .iter()
        .map(|Probed { host, pool, gone }| match gone {
            true => format!("a volume in pool {pool} of {host}, made and removed"),
            false => {
                format!("a volume in pool {pool} of {host}, which may still be there: `waypost recover` removes it")
            }
        })
        .collect();
    if volumes.is_empty() { String::new() } else { format!(" but for the storage probe: {}", volumes.join("; ")) }
}

impl Prober {
    pub(crate) fn new(ports: Arc<Ports>, source: HostName, runtime: Handle) -> Self {
        Self { ports, source, runtime, made: Mutex::default() }
    }

    /// What was made by it so far.
    pub(crate) fn made(&self) -> Vec<Probed> {
        self.made.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn prove(&self, destination: &HostName, from: &str, to: &str) -> Result<bool, String> {
        let store = &self.ports.store;
        let now = self.ports.clock.now();
        let known = holding(&self.ports, &self.source, destination).map_err(|e| e.to_string())?;
        if let Some(proof) = known.iter().find(|proof| proof.source_pool == from && proof.destination_pool == to) {
            return Ok(proof.shared);
        }
        let volume = format!("waypost-probe-{}", Uuid::now_v7());
        let probe = ProbeVolume { host: destination.clone(), pool: to.to_owned(), volume, at: now };
        store.intend_probe(&probe).map_err(|e| e.to_string())?;
        let hypervisor = &self.ports.hypervisor;
        let seen = match hypervisor.create_probe(destination, to, &probe.volume).await {
            Err(fault) => Err(fault.to_string()),
            Ok(()) => hypervisor.sees_probe(&self.source, from, &probe.volume).await.map_err(|f| f.to_string()),
        };
        // Also where the creation failed: a deadline leaves open whether the volume is there.
        let removed = remove(&self.ports, &probe).await;
        let probed = Probed { host: destination.clone(), pool: to.to_owned(), gone: removed.is_ok() };
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(probed);
        removed?;
        let shared = seen?;
        let proof = StorageProof { source_pool: from.to_owned(), destination_pool: to.to_owned(), shared };
        let kept = KeptProof { source: self.source.clone(), destination: destination.clone(), proof, at: now };
        store.put_proof(&kept).map_err(|e| e.to_string())?;
        Ok(shared)
    }
}

impl StorageProbe for Prober {
    fn shared(&self, destination: &HostName, source_pool: &str, destination_pool: &str) -> Result<bool, String> {
        self.runtime.block_on(self.prove(destination, source_pool, destination_pool))
    }
}

/// The proofs of a pair of hosts that are young enough to hold.
pub(crate) fn holding(
    ports: &Ports,
    source: &HostName,
    destination: &HostName,
) -> Result<Vec<StorageProof>, StoreFault> {
    let now = ports.clock.now().0;
    let holds = u64::try_from(ports.settings().proof_holds.as_millis()).unwrap_or(u64::MAX);
    let kept = ports.store.proofs(source, destination)?;
    Ok(kept.into_iter().filter(|p| now.saturating_sub(p.at.0) <= holds).map(|p| p.proof).collect())
}

/// Removes a probe's volume and settles it only when the host says that it is gone.
pub(crate) async fn remove(ports: &Ports, probe: &ProbeVolume) -> Result<(), String> {
    let hypervisor = &ports.hypervisor;
    hypervisor.remove_probe(&probe.host, &probe.pool, &probe.volume).await.map_err(|f| f.to_string())?;
    match hypervisor.sees_probe(&probe.host, &probe.pool, &probe.volume).await {
        Ok(false) => ports.store.settle_probe(probe).map_err(|e| e.to_string()),
        Ok(true) => Err(format!("volume {} is still in pool {} of {}", probe.volume, probe.pool, probe.host)),
        Err(fault) => Err(fault.to_string()),
    }
}
