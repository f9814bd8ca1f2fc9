//! Everything one decision is made on.

use std::sync::Arc;

use super::{DiskView, DomainFacts, HostFacts, StorageProof};
use crate::digest::sha256;
use crate::ids::Moment;
use crate::tree::{Shape, Tree};
use crate::{facts, words};

words! {
    /// What a destination's hypervisor says of the guest's CPU.
    pub enum CpuComparison {
        /// It can't run it.
        Incompatible = "incompatible",
        /// It is the same CPU.
        Identical = "identical",
        /// It can run it, and more.
        Superset = "superset",
        /// The host's driver doesn't answer the question; the pair's `cpu_message` says why.
        Unknown = "unknown",
    }
}

words! {
    /// What became of a connection that the source's machine was asked to open.
    pub enum Answer {
        /// Something took it.
        Taken = "taken",
        /// The destination answered that nothing listens there, which is how a port answers before a transfer.
        Refused = "refused",
        /// No way leads there.
        NoWay = "no-way",
        /// Nothing came back in time.
        Silent = "silent",
        /// It was not tried, or the machine could not be asked.
        Untried = "untried",
    }
}

facts! {
    /// A connection from the source's machine towards the destination's, tried before anything moves.
    pub struct WayTried {
        /// Address or name of the destination, as the transfer would be given it.
        pub to: String,
        /// TCP port; none where none was tried.
        pub port: Option<u16>,
        /// What became of it.
        pub answer: Answer,
        /// The machine's own words, or why it was not tried.
        pub message: Option<String>,
    }
}

facts! {
    /// What depends on the domain *and* on one destination.
    pub struct PairFacts {
        /// The guest's CPU on that hypervisor.
        pub cpu: CpuComparison,
        /// libvirt's words on it: missing features, or why it can't tell.
        pub cpu_message: Option<String>,
        /// What the destination sees at the path of each disk.
        pub destination_disks: Vec<DiskView>,
        /// Proofs of the shared-storage probe that hold for this pair.
        pub storage_proofs: Vec<StorageProof>,
        /// The ways that the memory and the disks may take, tried from the source; empty: nobody is configured to try them.
        pub ways_tried: Vec<WayTried>,
    }
}

/// A candidate destination: the host, and what it makes of this domain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The host.
    pub host: Arc<HostFacts>,
    /// The pair.
    pub pair: PairFacts,
}

/// One domain, its source and all candidates, as read at one moment. It never changes during a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// When the reading began.
    pub taken_at: Moment,
    /// The domain.
    pub domain: Arc<DomainFacts>,
    /// The host it is on.
    pub source: Arc<HostFacts>,
    /// What the source sees at the path of each disk.
    pub source_disks: Vec<DiskView>,
    /// The same, read again after the destinations were: what a destination saw of one and the same file lies between
    /// the two, however busily the guest writes to it.
    pub source_disks_again: Vec<DiskView>,
    /// Where it may go.
    pub candidates: Vec<Candidate>,
}

impl Snapshot {
    /// The canonical text and its SHA-256, hexadecimal. Costs in proportion to what the hosts hold: only what is put on
    /// record needs it.
    pub fn canonical(&self) -> (String, String) {
        let text = self.to_tree().canonical();
        (sha256(text.as_bytes()), text)
    }
}

impl Shape for Candidate {
    fn to_tree(&self) -> Tree {
        Tree::Map(vec![("host".into(), self.host.to_tree()), ("pair".into(), self.pair.to_tree())])
    }
    fn from_tree(tree: &Tree) -> Result<Self, crate::tree::ShapeError> {
        Ok(Self { host: Arc::new(crate::tree::field(tree, "host")?), pair: crate::tree::field(tree, "pair")? })
    }
}

impl Shape for Snapshot {
    fn to_tree(&self) -> Tree {
        Tree::Map(vec![
            ("taken_at".into(), self.taken_at.to_tree()),
            ("domain".into(), self.domain.to_tree()),
            ("source".into(), self.source.to_tree()),
            ("source_disks".into(), self.source_disks.to_tree()),
            ("source_disks_again".into(), self.source_disks_again.to_tree()),
            ("candidates".into(), self.candidates.to_tree()),
        ])
    }
    fn from_tree(tree: &Tree) -> Result<Self, crate::tree::ShapeError> {
        use crate::tree::field;
        Ok(Self {
            taken_at: field(tree, "taken_at")?,
            domain: Arc::new(field(tree, "domain")?),
            source: Arc::new(field(tree, "source")?),
            source_disks: field(tree, "source_disks")?,
            source_disks_again: field(tree, "source_disks_again")?,
            candidates: field(tree, "candidates")?,
        })
    }
}
