//! The way in on this machine: a Unix socket, whose peers the kernel vouches for.
//!
//! Who may connect is who may write to the socket's file (mode 0660) and pass its folder. The file appears with its mode: it
//! is made in a folder of its own and moved into place. A lock beside it says whether a server is there, so that a file that a
//! killed one left is replaced, and that of a living one never is. A socket that was made by whoever started this process
//! (systemd) is theirs: neither its file nor its mode is touched.

use std::collections::HashMap;
use std::fs::{DirBuilder, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hyper_util::server::graceful::GracefulShutdown;
use thiserror::Error;
use tokio::net::{UnixListener, UnixStream};

use crate::access::is_own;
use crate::caller::{Origin, Peer};
use crate::limits::Limits;
use crate::places::Places;
use crate::service::Service;
use crate::wire::{self, Bounded};

/// Who may connect: owner and group.
const MODE: u32 = 0o660;

/// Why there is no socket.
#[derive(Debug, Error)]
pub enum SocketError {
    /// Somebody listens there.
    #[error("another server listens on {0}: end it, or name another socket")]
    Taken(PathBuf),
    /// It is something else.
    #[error("{0} is there already and is no socket: remove it, or name another path")]
    NoSocket(PathBuf),
    /// The name is too long for the kernel.
    #[error("{0} is too long for a socket, whose path may have 107 bytes: name a shorter one")]
    TooLong(PathBuf),
    /// What was handed over is none to listen on.
    #[error("what was handed over is no Unix socket to listen on")]
    HandedOver(#[source] io::Error),
    /// The file system.
    #[error("can't {attempted} {path}")]
    Files {
        /// What was attempted.
        attempted: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

/// A socket on which nobody else listens.
pub struct Socket {
    listener: UnixListener,
    path: PathBuf,
    /// Of one that was made here: its file goes with it. Of one that was handed over there is none.
    lock: Option<File>,
    /// Who came first to one that was handed over.
    first: Option<UnixStream>,
}

/// Whether a server could listen at a path right now. Makes nothing.
pub fn probe(path: &Path) -> Result<(), SocketError> {
    replaceable(path)?;
    match File::open(beside(path, ".lock")).map(|lock| lock.try_lock()) {
        Ok(Err(TryLockError::WouldBlock)) => Err(SocketError::Taken(path.to_owned())),
        // Nobody's, or none was ever there.
        _ => Ok(()),
    }
}

impl Socket {
    /// Listens at a path. Must be called inside a tokio runtime.
    pub fn bind(path: &Path) -> Result<Self, SocketError> {
        let lock = prepare(path)?;
        // Beside the socket, so that moving it is one step.
        let folder = path.with_file_name(format!(".wp{}", std::process::id()));
        let made = folder.join("s");
        clear(&folder, &made);
        DirBuilder::new().mode(0o700).create(&folder).map_err(failed("make the folder", &folder))?;
        let listener = UnixListener::bind(&made).map_err(failed("listen on", path)).and_then(|listener| {
            std::fs::set_permissions(&made, Permissions::from_mode(MODE)).map_err(failed("set the mode of", &made))?;
            std::fs::rename(&made, path).map_err(failed("make the socket", path))?;
            Ok(listener)
        });
        clear(&folder, &made);
        Ok(Self { listener: listener?, path: path.to_owned(), lock: Some(lock), first: None })
    }

    /// One that whoever started this process made, listens on and keeps: clients can connect before the program is there, and
    /// while it is started anew. Its mode is whatever was given to it; who a peer is, the kernel says here too. Must be called
    /// inside a tokio runtime.
    pub fn handed_over(listener: std::os::unix::net::UnixListener) -> Result<Self, SocketError> {
        let path = listener.local_addr().map_err(SocketError::HandedOver)?.as_pathname().map(Path::to_owned);
        listener.set_nonblocking(true).map_err(SocketError::HandedOver)?;
        // Asked for once here: one that nobody listens on would fail for ever.
        let first = match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true).map_err(SocketError::HandedOver)?;
                Some(UnixStream::from_std(stream).map_err(SocketError::HandedOver)?)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => None,
            Err(error) => return Err(SocketError::HandedOver(error)),
        };
        let listener = UnixListener::from_std(listener).map_err(SocketError::HandedOver)?;
        Ok(Self { listener, path: path.unwrap_or_default(), lock: None, first })
    }

    /// The path; empty for one that was handed over without a name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Serves until `stop` ends. Then nothing new is taken on, streams end, and answers that are on their way have a few
    /// seconds. The tasks are left to [`Service::drain`].
    pub async fn serve(mut self, service: &Service, limits: &Limits, stop: impl Future<Output = ()>) {
        let router = service.router();
        let names = Arc::new(Names::default());
        let places = Places::new(limits.connections);
        let graceful = GracefulShutdown::new();
        let mut stop = std::pin::pin!(stop);
        loop {
            let accepted = match self.first.take() {
                Some(first) => Ok(first),
                None => tokio::select! {
                    biased;
                    () = &mut stop => break,
                    accepted = self.listener.accept() => accepted.map(|(stream, _)| stream),
                },
            };
            let stream = match accepted {
                Ok(stream) => stream,
                Err(error) => {
                    wire::not_accepted(error).await;
                    continue;
                }
            };
            let uid = match stream.peer_cred() {
                Ok(credentials) => credentials.uid(),
                Err(error) => {
                    tracing::debug!(%error, "a peer is gone before it is known who it is");
                    continue;
                }
            };
            let Some(place) = places.place(Origin::User(uid), most_of(uid, limits)) else { continue };
            let (router, names, watcher) = (router.clone(), Arc::clone(&names), graceful.watcher());
            let keeper = Arc::clone(service.keeper());
            let (head_time, stream) = (limits.head_time, Bounded::new(stream, limits.write_time));
            tokio::spawn(async move {
                let name = names.of(uid).await;
                let caller = Some(keeper.by_socket(uid, name));
                let peer = Peer { origin: Origin::User(uid), caller, unclear: None, shown: None };
                wire::converse(stream, router, peer, head_time, watcher).await;
                drop(place);
            });
        }
        service.begin_draining();
        // Gone before the last answers are, so that nobody comes to a server that leaves.
        drop(self);
        wire::farewell(graceful).await;
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // While the lock is held, the file is ours.
        if self.lock.is_some()
            && let Err(error) = std::fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "the socket's file can't be removed");
        }
    }
}

/// Takes the lock beside a socket and sees that the path is free, or a dead server's.
fn prepare(path: &Path) -> Result<File, SocketError> {
    replaceable(path)?;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(failed("make the folder", folder))?;
    }
    let lock_path = beside(path, ".lock");
    let lock = OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(false)
        .mode(0o600)
        .open(&lock_path)
        .map_err(failed("open the lock", &lock_path))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(SocketError::Taken(path.to_owned())),
        Err(TryLockError::Error(source)) => return Err(failed("lock", &lock_path)(source)),
    }
    // Again under the lock.
    replaceable(path).map(|()| lock)
}

/// Whether nothing is at a path but, at most, a socket.
fn replaceable(path: &Path) -> Result<(), SocketError> {
    // The kernel's limit, with the zero at the end.
    if path.as_os_str().len() > 107 {
        return Err(SocketError::TooLong(path.to_owned()));
    }
    match std::fs::symlink_metadata(path) {
        Ok(there) if !there.file_type().is_socket() => Err(SocketError::NoSocket(path.to_owned())),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(failed("look at", path)(source)),
    }
}

fn failed(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> SocketError + use<> {
    let path = path.to_owned();
    move |source| SocketError::Files { attempted, path, source }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

/// What a server that was killed in the middle may have left, and what a finished one leaves: nothing.
fn clear(folder: &Path, made: &Path) {
    let _ = std::fs::remove_file(made);
    let _ = std::fs::remove_dir(folder);
}

/// How many connections a user may have: only the bound on all of them holds for who may do everything anyway.
fn most_of(uid: u32, limits: &Limits) -> usize {
    if is_own(uid) { usize::MAX } else { limits.connections_of_one }
}

/// User names by their numbers. Asking for one may go over the network.
#[derive(Default)]
struct Names(Mutex<HashMap<u32, String>>);

impl Names {
    async fn of(self: Arc<Self>, uid: u32) -> String {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&uid).cloned();
        if let Some(name) = known {
            return name;
        }
        let asked = tokio::task::spawn_blocking(move || {
            let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
            user.map_or_else(|| format!("uid {uid}"), |user| user.name)
        });
        let name = asked.await.unwrap_or_else(|_| format!("uid {uid}"));
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(uid, name.clone());
        name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_runtime<T>(play: impl FnOnce() -> T) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let _inside = runtime.enter();
        play()
    }

    #[test]
    fn the_file_has_its_mode_and_goes_with_the_server() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("run/waypost.sock");
        in_runtime(|| {
            let socket = Socket::bind(&path).unwrap();
            let there = std::fs::metadata(socket.path()).unwrap();
            assert!(there.file_type().is_socket());
            assert_eq!(there.permissions().mode() & 0o777, MODE);
            let left: Vec<_> =
                std::fs::read_dir(path.parent().unwrap()).unwrap().map(|e| e.unwrap().file_name()).collect();
            assert_eq!(left.len(), 2, "socket and lock: {left:?}");
        });
        assert!(!path.exists());
    }

    #[test]
    fn a_living_server_is_never_replaced_and_a_dead_one_is() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("waypost.sock");
        in_runtime(|| {
            let first = Socket::bind(&path).unwrap();
            assert!(matches!(Socket::bind(&path), Err(SocketError::Taken(_))));
            assert!(matches!(probe(&path), Err(SocketError::Taken(_))));
            // As a kill leaves it: the lock goes, the file stays.
            std::fs::hard_link(&path, dir.path().join("kept")).unwrap();
            drop(first);
            std::fs::rename(dir.path().join("kept"), &path).unwrap();
            assert!(path.exists());
            Socket::bind(&path).unwrap();
        });
    }

    #[test]
    fn a_user_may_have_so_many_connections_and_root_and_the_own_user_any_number() {
        let limits = Limits::default();
        let own = nix::unistd::geteuid().as_raw();
        assert_eq!((most_of(0, &limits), most_of(own, &limits)), (usize::MAX, usize::MAX));
        assert_eq!(most_of(own.wrapping_add(1).max(1), &limits), limits.connections_of_one);
    }

    #[test]
    fn what_is_no_socket_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        std::fs::write(&path, "mine").unwrap();
        in_runtime(|| assert!(matches!(Socket::bind(&path), Err(SocketError::NoSocket(_)))));
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
        let long = dir.path().join("x".repeat(120));
        in_runtime(|| assert!(matches!(Socket::bind(&long), Err(SocketError::TooLong(_)))));
    }
}
