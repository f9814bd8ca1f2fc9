//! Who drives a direct migration: a client with a connection of its own to either daemon. Each step from one stage to the
//! next is one of its calls, and nobody else can make them. A daemon goes on with the call that it is in; when the client
//! goes, the destination ends a guest that hasn't begun to run, and the source is left with what it had come to. Once the
//! guest runs there in post-copy both hypervisors bring it to its end by themselves: the source says at once that its
//! post-copy failed, refuses to be joined again because nothing is broken, and lets go when the memory is there.

use std::sync::{Arc, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};
use waypost_core::ids::HostName;

use super::ending::Trouble;
use super::{HANG, KEEPALIVE, Run};
use crate::script::Step;
use crate::state::Silence;

/// The client's end. It goes when this is dropped.
pub(crate) struct Client {
    woken: Arc<Notify>,
}

/// The migration's end.
pub(crate) struct Bond {
    client: Weak<Client>,
    /// Told when the client goes.
    pub(super) woken: Arc<Notify>,
}

/// A client, and its bond with a migration.
pub(crate) fn bound() -> (Arc<Client>, Bond) {
    let woken = Arc::new(Notify::new());
    let client = Arc::new(Client { woken: Arc::clone(&woken) });
    let bond = Bond { client: Arc::downgrade(&client), woken };
    (client, bond)
}

impl Drop for Client {
    fn drop(&mut self) {
        self.woken.notify_one();
    }
}

impl Run<'_> {
    /// It has a client, or had one.
    pub(super) fn is_direct(&self) -> bool {
        self.bond.is_some()
    }

    /// Nobody makes the next call any more.
    pub(super) fn client_is_gone(&self) -> bool {
        self.bond.as_ref().is_some_and(|bond| bond.client.strong_count() == 0)
    }

    /// Waits for the client's next call, to that host: it comes when the client can reach it, unless that takes longer
    /// than the connection lives.
    pub(super) async fn hear_client(&self, host: &HostName) -> Result<(), Trouble> {
        let Some(bond) = &self.bond else { return Ok(()) };
        loop {
            if self.client_is_gone() {
                return Err(Trouble::Client);
            }
            let silence = self.world.state().silence(host);
            // A daemon that ended is noticed by itself.
            let Some(Silence::Network(outage)) = silence else { return Ok(()) };
            let notice = outage.since + KEEPALIVE;
            if Instant::now() >= notice {
                return Err(Trouble::Client);
            }
            let look = outage.until.map_or(notice, |until| until.min(notice));
            tokio::select! { () = sleep_until(look) => {} () = bond.woken.notified() => {} }
            self.check()?;
        }
    }

    /// The daemons of a direct migration have nothing to say to each other, so no keepalive of theirs fails: what the
    /// source still has to send stands still while nothing gets through, and nobody is told. Until when.
    pub(super) fn stands(&self, stage: Step) -> Option<Instant> {
        if stage != Step::SwitchOver {
            return None;
        }
        let blocked = self.world.state().impassable(self.source, self.destination, &self.plan.migrate_uri);
        blocked.map(|until| until.unwrap_or_else(|| Instant::now() + HANG))
    }
}
