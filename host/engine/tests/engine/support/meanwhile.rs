//! Lets something happen at the very moment in which a spy sees something: between a look and the order that it was for.

use std::sync::OnceLock;

use waypost_core::ids::HostName;
use waypost_core::journal::Record;
use waypost_core::ports::Command;

/// What a spy sees.
pub enum Sight<'a> {
    /// A record was written.
    Written(&'a Record),
    /// An order is on its way to a host.
    Ordered(&'a HostName, Command),
    /// A host is asked which volume is at a path.
    Sought(&'a str),
}

type Act = dyn Fn(&Sight<'_>) + Send + Sync;

/// What a test does then; nothing unless it is set.
#[derive(Default)]
pub struct Meanwhile(OnceLock<Box<Act>>);

impl Meanwhile {
    /// From now on. It may change the world, and must not ask the ledger.
    pub fn set(&self, act: impl Fn(&Sight<'_>) + Send + Sync + 'static) {
        assert!(self.0.set(Box::new(act)).is_ok(), "one thing at a time");
    }
    /// The moment has come.
    pub fn comes(&self, sight: &Sight<'_>) {
        if let Some(act) = self.0.get() {
            act(sight);
        }
    }
}
