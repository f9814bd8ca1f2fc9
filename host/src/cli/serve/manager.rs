//! What whoever started the service is told of it (`sd_notify(3)`): that it listens, that it reads its configuration again, that
//! it is being stopped, and, as long as it really answers, that it is alive.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sd_notify::NotifyState;
use tokio::net::UnixStream;
use waypost::service::Service;

/// Asks for next to nothing, by the way that every client takes.
const QUESTION: &[u8] = b"GET /api/v1/system/health HTTP/1.1\r\nHost: waypost\r\nConnection: close\r\n\r\n";

/// Whoever started this process, if they want to be told.
#[derive(Clone)]
pub struct Manager {
    address: Option<Arc<SocketAddr>>,
}

impl Manager {
    /// As `NOTIFY_SOCKET` says.
    pub fn of_this_process() -> Self {
        let address = std::env::var_os("NOTIFY_SOCKET").filter(|name| !name.is_empty()).and_then(|name| {
            let address = match name.as_bytes().strip_prefix(b"@") {
                Some(name) => SocketAddr::from_abstract_name(name),
                None => SocketAddr::from_pathname(&name),
            };
            address
                .inspect_err(|error| tracing::warn!(%error, "NOTIFY_SOCKET names no socket; nobody is told anything"))
                .ok()
        });
        Self { address: address.map(Arc::new) }
    }

    /// Tells it, if anybody wants to know. What they don't hear is no reason not to serve.
    pub fn tell(&self, states: &[NotifyState<'_>]) {
        let Some(address) = &self.address else { return };
        let text: String = states.iter().map(|state| state.to_string().replace('\n', " ") + "\n").collect();
        let sent = UnixDatagram::unbound().and_then(|socket| socket.send_to_addr(text.as_bytes(), address));
        if let Err(error) = sent {
            tracing::warn!(%error, "whoever started this can't be told how it stands");
        }
    }

    /// Feeds the watchdog, which starts the service anew if it hears nothing for so long. It is fed when a client would be
    /// answered and when everything behind the answers has turned since the last time, and not because a timer ran.
    pub async fn feed_watchdog(self, within: Duration, service: Service, socket: PathBuf) {
        // A turn and the wait for it together stay below the limit.
        let turn = within / 3;
        let mut answers = true;
        loop {
            let answered = tokio::time::timeout(turn, async {
                service.pulse().await;
                // There is no way in any more while it is being stopped.
                if service.is_draining() { Ok(()) } else { knock(&socket).await }
            });
            let why = match answered.await {
                Ok(Ok(())) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(_) => Some(format!("not within {turn:?}")),
            };
            match &why {
                None => self.tell(&[NotifyState::Watchdog]),
                Some(why) if answers => tracing::error!(why, "the service does not answer; its watchdog is not fed"),
                Some(_) => {}
            }
            answers = why.is_none();
            tokio::time::sleep(turn).await;
        }
    }
}

/// Comes as a client does. Whatever is answered is an answer; so is a connection that is closed because there are too many.
async fn knock(socket: &Path) -> io::Result<()> {
    if socket.as_os_str().is_empty() {
        return Ok(());
    }
    let stream = UnixStream::connect(socket).await?;
    let mut rest = QUESTION;
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(sent) => rest = &rest[sent..],
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    let mut answer = [0; 512];
    loop {
        stream.readable().await?;
        match stream.try_read(&mut answer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            read => return read.map(drop),
        }
    }
}
