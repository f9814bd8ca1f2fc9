//! The way into the destination, and what user and password of a request are for.
//!
//! As in Kimchi what needs no password is tried first. Where it is refused the connection is opened once with what the request
//! gives, and what it gives is gone. The connection is held here until the task does, so that nothing closes it in between; it
//! stays until the last task is over that needs the host, and whoever may ask for tasks there uses it meanwhile.
//!
//! The source's libvirt knows no such password. Where the configuration has no other way for it the move is driven from here.

use axum::http::StatusCode;
use tokio::time::Instant;
use waypost_core::ids::HostName;
use waypost_core::login::{Admitted, Hold, Login, PeerWay};
use waypost_core::ports::{Connection, Fault, FaultKind};

use super::refusal::Refusal;
use crate::caller::Caller;
use crate::service::Service;

/// How the destination is open while a request is answered.
pub(super) struct Entrance {
    to: HostName,
    admitted: Option<Admitted>,
    connection: Connection,
    _hold: Hold,
}

impl Entrance {
    /// Sees to it that the destination can be asked, if a login is there to do so.
    pub(super) async fn open(
        service: &Service,
        caller: &Caller,
        to: HostName,
        login: Option<Login>,
    ) -> Result<Self, Refusal> {
        let hypervisor = &service.shared.parts.hypervisor;
        // First, so that what is opened stays.
        let hold = hypervisor.hold(&to);
        let admitted = match login {
            None => None,
            // Nothing of it would be looked at, so nobody has to wait for having guessed.
            Some(_) if is_open(hypervisor.connection(&to)) => Some(Admitted::Unneeded),
            Some(login) => Some(admit(service, caller, &to, login).await?),
        };
        let connection = hypervisor.connection(&to);
        Ok(Self { to, admitted, connection, _hold: hold })
    }

    /// Whether nobody but this program gets in there.
    pub(super) fn is_ours_alone(&self) -> bool {
        self.connection == Connection::Lent(PeerWay::Shut)
    }

    /// What became of the user or the password that somebody gave.
    pub(super) fn told(&self) -> String {
        let to = &self.to;
        let unused = "user and password were neither used nor kept, because";
        match (self.admitted, self.connection) {
            (Some(Admitted::Opened), _) => {
                format!(
                    "user and password opened the connection to {to}, which stays while a task needs it, and were not kept"
                )
            }
            (_, Connection::Lent(_)) => {
                format!("{unused} the connection to {to} is open by those that were given before")
            }
            _ => format!("{unused} the configured connection is used"),
        }
    }

    /// The same, where a connection was opened and yet no task was made.
    pub(super) fn told_with(&self, refusal: Refusal) -> Refusal {
        match self.admitted {
            Some(Admitted::Opened) => refusal.and(&self.told()),
            _ => refusal,
        }
    }
}

/// Whether the host can be asked as things stand.
fn is_open(connection: Connection) -> bool {
    matches!(connection, Connection::Up | Connection::Lent(_))
}

/// Opens the host with a login, unless this caller gave so many wrong ones for it that none of theirs is tried for a while: libvirt
/// counts no wrong passwords, and PAM may lock whom they are of.
async fn admit(service: &Service, caller: &Caller, to: &HostName, login: Login) -> Result<Admitted, Refusal> {
    let guesser = (caller.identity(), to.clone());
    let turn = service.shared.login_turns.of(guesser.clone());
    let _turn = turn.lock().await;
    let guesses = &service.shared.host_logins;
    if let Some(wait) = guesses.left(&guesser, Instant::now()) {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        let words = format!("too many wrong passwords of {to}; none of {} is tried for {seconds} s", caller.name());
        return Err(Refusal::new(StatusCode::TOO_MANY_REQUESTS, "KCHVM0068E", &words).retry_after(seconds));
    }
    // Whoever does not stay for the answer hears nothing of it, so it is no guess.
    let admitted = service.shared.parts.hypervisor.admit(to, login).await;
    admitted.map_err(|fault| {
        if fault.kind == FaultKind::Authentication
            && let Some((wrong, wait)) = guesses.count(guesser, Instant::now())
        {
            let (by, seconds) = (caller.name(), wait.as_secs());
            tracing::warn!(host = %to, by, wrong, seconds, "wrong passwords of a host: none of this caller is tried for a while");
        }
        refused(caller, to, &fault)
    })
}

fn refused(caller: &Caller, to: &HostName, fault: &Fault) -> Refusal {
    if fault.kind != FaultKind::Authentication {
        let words = format!("{to} can't be reached, so user and password were not used: {fault}");
        return Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0090E", &words);
    }
    // Somebody may be guessing.
    tracing::warn!(host = %to, by = caller.name(), %fault, "a login that was given with a request opened nothing");
    let words = format!(
        "{to} lets nobody in with what is configured for it, nor with this user and password: {}",
        fault.message
    );
    Refusal::new(StatusCode::BAD_REQUEST, "KCHVM0068E", &words)
}
