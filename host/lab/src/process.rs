//! Processes of this machine: started, recognised again after a restart of the caller, killed and awaited without ever
//! hitting another one that was given the same number.

use std::{
    fs,
    os::fd::{AsFd, FromRawFd, OwnedFd},
    path::PathBuf,
    process::{Command, Output, Stdio},
    time::{Duration, Instant},
};

use nix::{
    errno::Errno,
    libc,
    poll::{PollFd, PollFlags, PollTimeout},
    sys::{
        inotify::{AddWatchFlags, InitFlags, Inotify},
        signal::Signal,
    },
};
use serde::{Deserialize, Serialize};

use crate::error::{Attempt, LabError, Result};

/// A process, told apart from later ones with the same number by when it started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ProcessId {
    pub(crate) pid: i32,
    started: u64,
}

impl ProcessId {
    /// The process that has this number now.
    pub(crate) fn of(pid: i32) -> Option<Self> {
        Some(Self { pid, started: started(pid)? })
    }

    /// Is it still there, and more than a zombie?
    pub(crate) fn is_alive(self) -> bool {
        started(self.pid) == Some(self.started)
    }

    /// Its direct children.
    pub(crate) fn children(self) -> Vec<i32> {
        let list = fs::read_to_string(format!("/proc/{0}/task/{0}/children", self.pid)).unwrap_or_default();
        list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
    }

    /// Its number in the innermost process namespace that it is in.
    pub(crate) fn innermost(self) -> Option<i32> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).ok()?;
        status.lines().find_map(|line| line.strip_prefix("NSpid:"))?.split_whitespace().last()?.parse().ok()
    }

    /// Kills it and waits until it, and with a process 1 everything in its namespace, is gone.
    pub(crate) fn kill_and_wait(self, within: Duration) -> Result<()> {
        let Some(handle) = self.open()? else { return Ok(()) };
        send(&handle, Signal::SIGKILL).attempt(|| format!("kill process {}", self.pid))?;
        wait(&handle, self.pid, within)
    }

    /// Sends it a signal. One that is gone is an error: whoever stops a process counts on that it stands still.
    pub(crate) fn signal(self, signal: Signal) -> Result<()> {
        let gone = || LabError::Spec(format!("process {} is gone", self.pid));
        let handle = self.open()?.ok_or_else(gone)?;
        send(&handle, signal).attempt(|| format!("send {signal} to process {}", self.pid))
    }

    /// The handle is opened first and the start time compared afterwards: from then on the number cannot change hands.
    fn open(self) -> Result<Option<OwnedFd>> {
        // SAFETY: the call takes two integers and returns a new descriptor or -1.
        let raw = unsafe { libc::syscall(libc::SYS_pidfd_open, self.pid, 0) };
        let raw = match Errno::result(raw) {
            Ok(raw) => raw,
            Err(Errno::ESRCH) => return Ok(None),
            Err(errno) => return Err(errno).attempt(|| format!("open process {}", self.pid)),
        };
        // SAFETY: the kernel just returned this descriptor, nothing else owns it. Descriptors fit an i32.
        let handle = unsafe { OwnedFd::from_raw_fd(raw as i32) };
        Ok(self.is_alive().then_some(handle))
    }
}

/// Runs a command to its end; a non-zero exit is an error that carries what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<String> {
    let output = output(command)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = [output.stderr, output.stdout].concat();
    Err(LabError::Command {
        command: shown(command),
        status: output.status,
        output: String::from_utf8_lossy(&text).trim().to_owned(),
    })
}

/// Runs a command to its end, whatever that is.
pub(crate) fn output(command: &mut Command) -> Result<Output> {
    command.stdin(Stdio::null()).output().attempt(|| format!("run {}", shown(command)))
}

/// Runs a command that reads `input`.
pub(crate) fn run_with_input(command: &mut Command, input: &str) -> Result<()> {
    use std::io::Write;
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.attempt(|| format!("run {}", shown(command)))?;
    if let Some(mut pipe) = child.stdin.take() {
        // A program that stops reading says why on its standard error.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.wait_with_output().attempt(|| format!("run {}", shown(command)))?;
    if output.status.success() {
        return Ok(());
    }
    let text = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::Command { command: shown(command), status: output.status, output: text })
}

/// Waits for a condition on files in these folders, asking again whenever one of them changes.
pub(crate) fn until_files<T>(
    folders: &[PathBuf],
    what: &str,
    within: Duration,
    mut condition: impl FnMut() -> Option<T>,
) -> Result<T> {
    let deadline = Instant::now() + within;
    let changes = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).attempt(|| "watch files".to_owned())?;
    for folder in folders {
        let events = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_CREATE;
        changes.add_watch(folder, events).attempt(|| format!("watch {}", folder.display()))?;
    }
    loop {
        if let Some(value) = condition() {
            return Ok(value);
        }
        if !readable(&changes, deadline) {
            return Err(LabError::Timeout { what: what.to_owned(), within });
        }
        // What changed does not matter, only that the events are taken off the queue.
        let _ = changes.read_events();
    }
}

/// A descriptor is readable, or its other end is gone, before the deadline.
pub(crate) fn readable(fd: impl AsFd, deadline: Instant) -> bool {
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match nix::poll::poll(&mut [PollFd::new(fd.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) if left.is_zero() => return false,
            Ok(0) | Err(Errno::EINTR) => {}
            Ok(_) => return true,
            Err(_) => return false,
        }
    }
}

fn shown(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

fn send(handle: &OwnedFd, signal: Signal) -> nix::Result<()> {
    use std::os::fd::AsRawFd;
    let no_info: *const libc::siginfo_t = std::ptr::null();
    // SAFETY: the descriptor is open for the length of the call, and a null siginfo means "as kill(2) does".
    let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, handle.as_raw_fd(), signal as i32, no_info, 0) };
    match Errno::result(sent) {
        Ok(_) | Err(Errno::ESRCH) => Ok(()),
        Err(errno) => Err(errno),
    }
}

fn wait(handle: &OwnedFd, pid: i32, within: Duration) -> Result<()> {
    if readable(handle, Instant::now() + within) {
        return Ok(());
    }
    Err(LabError::Timeout { what: format!("the end of process {pid}"), within })
}

/// Field 22 of /proc/PID/stat; the name in field 2 may contain anything, so count from its closing parenthesis.
fn started(pid: i32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
    let state = fields.next()?;
    (!matches!(state, "Z" | "X")).then(|| fields.nth(18)?.parse().ok())?
}
