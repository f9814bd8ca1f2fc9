//! A relay in the way of a migration. The kernels that labs run on have no netem, so that a way that is slow, or dead without
//! saying so, is made by a process in it: it takes connections on the switch's own address, passes them on to a host, and
//! delays or withholds what goes through. A migration takes this way where its migration URI names the relay.
//!
//! A relay belongs to this process, which enters the lab's network for it with one thread. That needs root.

use std::{
    fs::File,
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{
        Arc, Condvar, Mutex, MutexGuard,
        mpsc::{Receiver, SyncSender, sync_channel},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use nix::{
    poll::{PollFd, PollFlags, PollTimeout},
    sched::{CloneFlags, setns},
};

use crate::{
    error::{Attempt, LabError, Result},
    host::Host,
    lab::Lab,
};

/// What is on its way at once, in pieces of at most 64 KiB: enough for 40 MiB/s that are 200 ms late.
const PIECES: usize = 256;

/// A relay on the migration network; it ends, and its connections with it, when the value goes.
#[derive(Debug)]
pub struct Relay {
    way: Arc<Way>,
    /// Closing it ends the thread that takes connections.
    end: Option<UnixStream>,
    taking: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    delay: Duration,
    held: bool,
    ended: bool,
}

impl Lab {
    /// Opens these ports on [`Relay::ADDRESS`], each leading to the same port of the host's migration address.
    pub fn relay(&self, to: &Host, ports: &[u16]) -> Result<Relay> {
        let network = format!("/proc/{}/ns/net", self.init_pid()?);
        let network = File::open(&network).attempt(|| format!("open {network}"))?;
        let (end, ended) = UnixStream::pair().attempt(|| "make a pair of sockets".to_owned())?;
        let way = Arc::new(Way::default());
        let (targets, carries) = (targets(to, ports)?, Arc::clone(&way));
        let (say, hear) = sync_channel(1);
        let taking = thread::spawn(move || {
            let listening = setns(network, CloneFlags::CLONE_NEWNET).map_err(io::Error::from).and_then(|()| {
                targets
                    .iter()
                    .map(|(here, there)| Ok((TcpListener::bind(here)?, *there)))
                    .collect::<io::Result<Vec<_>>>()
            });
            let (told, listeners) = match listening {
                Ok(listeners) => (Ok(()), listeners),
                Err(error) => (Err(error), Vec::new()),
            };
            // Nobody hears it only where the caller is gone.
            let _ = say.send(told);
            take(&listeners, &ended, &carries);
        });
        let opened = hear.recv().map_err(|_| LabError::Spec("the relay's thread ended".to_owned()))?;
        opened.attempt(|| format!("open a relay to {}", to.name()))?;
        Ok(Relay { way, end: Some(end), taking: Some(taking) })
    }
}

impl Relay {
    /// Where it listens: the migration network's address that is no host's.
    pub const ADDRESS: &str = "10.88.0.254";

    /// From now on everything arrives that much later, in both directions.
    pub fn delay(&self, by: Duration) {
        self.way.change(|state| state.delay = by);
    }

    /// From now on nothing goes through, and no connection is closed: both ends believe in it.
    pub fn hold(&self) {
        self.way.change(|state| state.held = true);
    }

    /// What was held goes on.
    pub fn release(&self) {
        self.way.change(|state| state.held = false);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.way.change(|state| state.ended = true);
        self.end = None;
        if let Some(taking) = self.taking.take() {
            // A thread that panicked is over, too.
            let _ = taking.join();
        }
    }
}

impl Way {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.lock());
        self.changed.notify_all();
    }

    /// Waits until what was read then may be passed on; false where nothing is any more.
    fn clear(&self, read: Instant) -> bool {
        let mut state = self.lock();
        loop {
            let due = (read + state.delay).saturating_duration_since(Instant::now());
            if state.ended {
                return false;
            }
            state = if state.held {
                self.changed.wait(state).unwrap_or_else(|poisoned| poisoned.into_inner())
            } else if due.is_zero() {
                return true;
            } else {
                self.changed.wait_timeout(state, due).unwrap_or_else(|poisoned| poisoned.into_inner()).0
            };
        }
    }
}

fn targets(to: &Host, ports: &[u16]) -> Result<Vec<(SocketAddr, SocketAddr)>> {
    let address = |ip: &str, port: u16| {
        format!("{ip}:{port}").parse().map_err(|_| LabError::Spec(format!("{ip}:{port} is no address")))
    };
    ports.iter().map(|port| Ok((address(Relay::ADDRESS, *port)?, address(&to.migration_ip(), *port)?))).collect()
}

/// Takes connections until the relay ends.
fn take(listeners: &[(TcpListener, SocketAddr)], ended: &UnixStream, way: &Arc<Way>) {
    use std::os::fd::AsFd;
    let mut open = Vec::new();
    loop {
        let mut waiting = vec![PollFd::new(ended.as_fd(), PollFlags::POLLIN)];
        waiting.extend(listeners.iter().map(|(listener, _)| PollFd::new(listener.as_fd(), PollFlags::POLLIN)));
        let asked = nix::poll::poll(&mut waiting, PollTimeout::NONE);
        let ready: Vec<bool> = waiting.iter().map(|fd| fd.any().unwrap_or(true)).collect();
        match asked {
            Err(nix::errno::Errno::EINTR) => continue,
            Ok(_) if !ready[0] => {}
            _ => break,
        }
        for ((listener, there), _) in listeners.iter().zip(&ready[1..]).filter(|(_, ready)| **ready) {
            let Ok((here, _)) = listener.accept() else { continue };
            // Where nobody listens the connection is closed again, as a relay can't refuse what it has taken.
            let Ok(beyond) = TcpStream::connect(there) else { continue };
            open.extend([here.try_clone(), beyond.try_clone()].into_iter().flatten());
            join(&here, &beyond, way);
            join(&beyond, &here, way);
        }
    }
    for connection in open {
        let _ = connection.shutdown(Shutdown::Both);
    }
}

/// Carries one direction, with a thread for each end so that what is late does not keep back what follows.
fn join(from: &TcpStream, to: &TcpStream, way: &Arc<Way>) {
    let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) else { return };
    let (pass, passed) = sync_channel(PIECES);
    thread::spawn(move || read_from(from, &pass));
    let way = Arc::clone(way);
    thread::spawn(move || write_to(to, &passed, &way));
}

fn read_from(mut from: TcpStream, pass: &SyncSender<(Instant, Vec<u8>)>) {
    let mut piece = vec![0; 64 << 10];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        if pass.send((Instant::now(), piece[..read].to_vec())).is_err() {
            break;
        }
    }
}

fn write_to(mut to: TcpStream, passed: &Receiver<(Instant, Vec<u8>)>, way: &Way) {
    while let Ok((read, piece)) = passed.recv() {
        if !way.clear(read) || to.write_all(&piece).is_err() {
            break;
        }
    }
    // A farewell is as late as everything else, and where the way is held nobody hears it.
    if way.clear(Instant::now()) {
        let _ = to.shutdown(Shutdown::Write);
    }
}
