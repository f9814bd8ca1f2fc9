//! A call of the store while it is being tried: which connection it takes, what its end promises, and how it says what failed.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::{Connection, Transaction, TransactionBehavior};
use waypost_core::ports::StoreFault;

use super::Inner;
use crate::fault;
use crate::records::Misfit;
use crate::schema::{self, Promise};

pub(super) const NO_TASK: &str = "there is no such task: `waypost tasks` lists them";

/// What is being tried, so that whatever fails on the way can say so.
pub(super) struct Trying<'a> {
    pub(super) inner: &'a Arc<Inner>,
    pub(super) what: String,
}

impl Inner {
    pub(super) fn trying(self: &Arc<Self>, what: String) -> Trying<'_> {
        Trying { inner: self, what }
    }
}

impl Trying<'_> {
    pub(super) fn sql(&self) -> impl Fn(rusqlite::Error) -> StoreFault + Copy + '_ {
        |error| fault::sqlite(&self.what, &self.inner.database, &error)
    }

    pub(super) fn refused(&self, why: impl Into<String>) -> StoreFault {
        fault::plain(&self.what, why)
    }

    pub(super) fn unreadable(&self, what: &str, misfit: &Misfit) -> StoreFault {
        self.refused(format!("{what} can't be read: {misfit}"))
    }

    /// Runs a transaction whose effect is on the disk when this returns.
    pub(super) fn durably<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let mut connection = held(&self.inner.durable);
        // Immediate: what the transaction reads is still true when it writes, whatever other processes do.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(self.sql())?;
        let made = work(&transaction)?;
        transaction.commit().map_err(self.sql())?;
        Ok(made)
    }

    /// Runs statements that read, or that may be lost with the machine.
    pub(super) fn visibly<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        self.on(&self.inner.visible, work)
    }

    /// Runs statements of the feed, which only read.
    pub(super) fn watching<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        self.on(&self.inner.watching, work)
    }

    fn on<T>(
        &self,
        place: &OnceLock<Mutex<Connection>>,
        work: impl FnOnce(&Connection) -> Result<T, StoreFault>,
    ) -> Result<T, StoreFault> {
        let connection = match place.get() {
            Some(connection) => connection,
            None => {
                let fresh = schema::connect(&self.inner.database, Promise::Visible)?;
                // Another thread may have been faster; then its connection is used and this one is closed.
                place.get_or_init(|| Mutex::new(fresh))
            }
        };
        work(&held(connection))
    }
}

pub(super) fn held(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    // A panic in the middle of a transaction has rolled it back, so the connection is sound.
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
