//! Hosts that let nobody in by what is configured for them, and the connections that a login opened: each lasts while somebody
//! holds its host, and is not opened again by itself once it broke.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use waypost_core::ids::HostName;
use waypost_core::login::{Admitted, Hold, Login, PeerWay};
use waypost_core::ports::{Connection, Fault, FaultKind};

use crate::fleet::{HostSpec, LoginSpec};
use crate::state::State;
use crate::words;

/// What is attempted where a login is given.
pub(crate) const OPEN: &str = "open a connection";

/// The way into a host.
pub(crate) struct Door {
    wants: Option<LoginSpec>,
    stay: Weak<Stay>,
}

/// What whoever holds the host shares.
struct Stay(Mutex<Lent>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lent {
    Never,
    Open,
    Broken,
}

impl Stay {
    fn lent(&self) -> MutexGuard<'_, Lent> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Door {
    pub(crate) fn of(spec: &HostSpec) -> Self {
        Self { wants: spec.login.clone(), stay: Weak::new() }
    }

    fn lent(&self) -> Lent {
        self.stay.upgrade().map_or(Lent::Never, |stay| *stay.lent())
    }

    fn is_shut(&self) -> bool {
        self.wants.is_some() && self.lent() != Lent::Open
    }

    pub(crate) fn connection(&self) -> Connection {
        match &self.wants {
            None => Connection::Up,
            Some(_) if self.is_shut() => Connection::Down,
            Some(wanted) if wanted.peers => Connection::Lent(PeerWay::Own),
            Some(_) => Connection::Lent(PeerWay::Shut),
        }
    }

    pub(crate) fn hold(&mut self) -> Hold {
        let stay = self.stay.upgrade().unwrap_or_else(|| {
            let stay = Arc::new(Stay(Mutex::new(Lent::Never)));
            self.stay = Arc::downgrade(&stay);
            stay
        });
        Hold::new(stay)
    }

    /// The connection ends, whoever holds the host.
    pub(crate) fn break_off(&self) {
        if let Some(stay) = self.stay.upgrade() {
            let mut lent = stay.lent();
            if *lent == Lent::Open {
                *lent = Lent::Broken;
            }
        }
    }
}

impl State {
    /// Whether the controller is let in.
    pub(crate) fn lets_in(&self, host: &HostName, attempted: &str) -> Result<(), Fault> {
        match self.host(host).map(|there| &there.door) {
            Some(door) if door.is_shut() => {
                let again = match door.lent() {
                    Lent::Broken => {
                        "; the connection that a login opened is gone, and the login was not kept: give it again"
                    }
                    Lent::Never | Lent::Open => "",
                };
                let why = format!("{}{again}", words::NOBODY_IN);
                Err(words::fault(FaultKind::Authentication, host, attempted, why))
            }
            _ => Ok(()),
        }
    }

    /// Whether a daemon of another host is.
    pub(crate) fn lets_peers_in(&self, host: &HostName, peer: &HostName) -> Result<(), Fault> {
        let wanted = self.host(host).and_then(|there| there.door.wants.as_ref());
        match wanted {
            Some(login) if !login.peers => {
                let why = words::scripted(FaultKind::Authentication);
                Err(words::fault(FaultKind::Authentication, peer, "migrate", why))
            }
            _ => Ok(()),
        }
    }

    /// Somebody gives a login. What it opens lasts no longer than somebody holds the host.
    pub(crate) fn admit(&mut self, host: &HostName, login: Login) -> Result<Admitted, Fault> {
        let Some(there) = self.host(host) else { return Ok(Admitted::Unneeded) };
        let Some(wanted) = there.door.wants.as_ref().filter(|_| there.door.is_shut()) else {
            return Ok(Admitted::Unneeded);
        };
        let (user, password) = login.into_parts();
        if user.text() != wanted.user || password.text() != wanted.password {
            let why = "authentication failed: authentication failed; the login that was given is not one of this host";
            return Err(words::fault(FaultKind::Authentication, host, OPEN, why));
        }
        if let Some(stay) = there.door.stay.upgrade() {
            *stay.lent() = Lent::Open;
        }
        self.log.note(host, "a login opens the connection");
        Ok(Admitted::Opened)
    }
}
