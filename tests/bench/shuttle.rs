//! One guest that goes to and fro between two hosts, moved by `waypost migrate` and by `virsh migrate` in turns, and what
//! libvirt itself says of each transfer. libvirt's figures come from its event at the end of the job, heard on the source:
//! the same for both commands, and the only figures of a post-copy that outlive it.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use waypost_lab::{GuestSpec, Program};

use crate::modes::{Kind, Mode};
use crate::site::Site;

pub const HOSTS: [&str; 2] = ["kvm1", "kvm2"];

/// One whole command.
#[derive(Debug, Clone, Copy)]
pub struct Run {
    /// From its start to its exit.
    pub seconds: f64,
    /// libvirt's figures; none where it makes no job.
    pub job: Option<Job>,
}

/// What libvirt says of a finished transfer.
#[derive(Debug, Clone, Copy)]
pub struct Job {
    /// From its begin to its end.
    pub ms: f64,
    pub downtime_ms: f64,
    pub bytes: f64,
}

/// Hears the ends of jobs on a host.
pub struct Listener {
    child: Child,
    jobs: Receiver<(String, Job)>,
}

impl Listener {
    pub fn on(site: &Site, host: &str) -> Self {
        let uri = site.lab.host(host).expect("a host").uri_unix();
        let mut child = Command::new("virsh")
            .args(["-q", "-c", &uri, "event", "--event", "job-completed", "--loop"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("virsh listens");
        let said = BufReader::new(child.stdout.take().expect("its output"));
        let (sender, jobs) = mpsc::channel();
        std::thread::spawn(move || {
            let nothing = Job { ms: 0.0, downtime_ms: 0.0, bytes: 0.0 };
            let (mut guest, mut job) = (String::new(), nothing);
            for line in said.lines().map_while(Result::ok) {
                let number = |name: &str| line.trim().strip_prefix(name).and_then(|v| v.trim().parse::<f64>().ok());
                if let Some((_, name)) = line.split_once("for domain '") {
                    guest = name.trim_end_matches(['\'', ':']).to_owned();
                    job = nothing;
                } else if let Some(ms) = number("time_elapsed:") {
                    job.ms = ms;
                } else if let Some(ms) = number("downtime:") {
                    job.downtime_ms = ms;
                } else if let Some(bytes) = number("data_processed:") {
                    job.bytes = bytes;
                } else if number("disk_processed:").is_some() && sender.send((guest.clone(), job)).is_err() {
                    return;
                }
            }
        });
        Self { child, jobs }
    }

    fn job_of(&self, guest: &str) -> Option<Job> {
        // It is sent before the command ends; reading it may take a moment more.
        let until = Instant::now() + Duration::from_secs(5);
        while let Ok((name, job)) = self.jobs.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if name == guest {
                return Some(job);
            }
        }
        None
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A guest, and the host on which it is.
pub struct Shuttle<'a> {
    pub site: &'a Site,
    pub listeners: &'a [Listener; 2],
    pub mode: &'a Mode,
    pub guest: &'a str,
    pub bandwidth: Option<&'a str>,
    pub at: usize,
}

impl Shuttle<'_> {
    fn virsh(&mut self) -> Run {
        let (from, to) = (HOSTS[self.at], self.site.lab.host(HOSTS[1 - self.at]).expect("a host"));
        let uri = self.site.lab.host(from).expect("a host").uri_unix();
        let mut command = Command::new("virsh");
        command.args(["-q", "-c", &uri, "migrate", "--persistent", "--undefinesource"]);
        // In a direct migration virsh itself reaches both hosts, as Waypost does.
        let peer = if self.mode.kind == Kind::Direct {
            to.uri_unix()
        } else {
            command.arg("--p2p");
            to.uri_peer()
        };
        if let Some(limit) = self.bandwidth {
            command.args(["--bandwidth", limit]);
        }
        if self.bandwidth.is_some() && self.mode.kind == Kind::PostCopy {
            command.args(["--postcopy-bandwidth", self.bandwidth.unwrap_or_default()]);
        }
        command.args(self.mode.virsh).args([self.guest, &peer]);
        self.run(command)
    }

    fn waypost(&mut self) -> Run {
        let mut arguments = vec!["migrate", self.guest, "--to", HOSTS[1 - self.at]];
        if let Some(limit) = self.bandwidth {
            arguments.extend(["--bandwidth", limit]);
            if self.mode.kind == Kind::PostCopy {
                arguments.extend(["--postcopy-bandwidth", limit]);
            }
        }
        arguments.extend(self.mode.waypost);
        let command = self.site.command(&arguments);
        self.run(command)
    }

    fn run(&mut self, mut command: Command) -> Run {
        let (from, to) = (HOSTS[self.at], HOSTS[1 - self.at]);
        self.mode.make_ready(self.site, self.guest, from, to);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let began = Instant::now();
        let child = command.spawn().expect("the command starts");
        if self.mode.kind == Kind::PostCopy {
            // Ordered from outside, so that it comes at the same moment of both transfers.
            self.site.until_copying(from, self.guest);
            self.site.virsh(from, &["migrate-postcopy", self.guest]);
        }
        let output = child.wait_with_output().expect("the command ends");
        let seconds = began.elapsed().as_secs_f64();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
        let job = (self.mode.kind != Kind::Offline).then(|| {
            let listener = &self.listeners[self.at];
            listener.job_of(self.guest).unwrap_or_else(|| panic!("{from} told nothing of the end of {command:?}"))
        });
        self.at = 1 - self.at;
        Run { seconds, job }
    }

    /// virsh's run and ours, the two taking turns in going first.
    pub fn pair(&mut self, number: usize) -> (Run, Run) {
        if number.is_multiple_of(2) {
            let virsh = self.virsh();
            (virsh, self.waypost())
        } else {
            let waypost = self.waypost();
            (self.virsh(), waypost)
        }
    }
}

/// A guest with so much memory, of which it once wrote a part and rewrites so many pages in each tick of 10 ms.
pub fn writer(name: &str, memory_mib: u32, working_set: u32, pages_per_tick: u16) -> GuestSpec {
    let mut spec = GuestSpec::tick(name);
    spec.memory_mib = memory_mib;
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = working_set;
        *dirty_pages_per_tick = pages_per_tick;
    }
    spec
}
