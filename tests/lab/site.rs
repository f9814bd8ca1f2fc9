//! A lab, a configuration for it, and the command.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use waypost_lab::{GuestSpec, Lab, LabSpec, Program};

/// Everything one test needs. The lab vanishes with the test's process, however that ends.
pub struct Site {
    pub lab: Lab,
    /// The host inside which the command runs; none: outside of all of them.
    pub inside: Option<&'static str>,
    /// Outside of all hosts, whether it runs where their cables end; else it reaches them by their sockets.
    pub cabled: bool,
    folder: tempfile::TempDir,
}

/// What a command said.
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The output of `--json`.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("no JSON ({e}):\n{}\n{}", self.out, self.err))
    }

    /// Fails the test with everything that was said, unless the exit code is the expected one.
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "exit code; stdout:\n{}\nstderr:\n{}", self.out, self.err);
        self
    }
}

impl Site {
    pub fn new(hosts: u32) -> Self {
        Self::with(hosts, "")
    }

    /// With more lines in the configuration. They come after everything else, so they may begin new tables.
    pub fn with(hosts: u32, more: &str) -> Self {
        Self::in_lab(|spec| spec.hosts = hosts, more)
    }

    /// In a lab of two hosts, unless the specification is changed.
    pub fn in_lab(change: impl FnOnce(&mut LabSpec), more: &str) -> Self {
        let plugins = root().join("target/plugins");
        assert!(plugins.is_dir(), "{} is missing: run `make plugins` first (`make test` does)", plugins.display());
        let folder = tempfile::Builder::new().prefix("waypost-test-").tempdir().expect("a temporary folder");
        let mut spec = LabSpec::new(2, folder.path().join("lab"));
        spec.cache = root().join("target/lab-cache");
        change(&mut spec);
        let lab = Lab::up(&spec).unwrap_or_else(|e| panic!("the lab does not come up: {}", chain(&e)));
        let mut config = format!(
            "state_dir = {:?}\ncache_dir = {:?}\n\n[plugins]\nfolders = [{:?}]\n",
            folder.path().join("state"),
            root().join("target/test-cache"),
            folder.path().join("site-plugins"),
        );
        fs::create_dir(folder.path().join("site-plugins")).expect("a folder for the site's plugins");
        for host in lab.hosts() {
            config.push_str(&format!(
                "\n[[host]]\nname = {:?}\nuri = {:?}\npeer_uri = {:?}\naddresses = [{:?}, {:?}]\n",
                host.name(),
                host.uri_unix(),
                host.uri_peer(),
                host.mgmt_ip(),
                host.migration_ip(),
            ));
        }
        config.push_str(more);
        fs::write(folder.path().join("waypost.toml"), config).expect("the configuration is written");
        Self { lab, inside: None, cabled: false, folder }
    }

    /// The configuration file.
    pub fn config(&self) -> PathBuf {
        self.folder.path().join("waypost.toml")
    }

    /// The folder into which a site drops its own checks.
    pub fn plugin_folder(&self) -> PathBuf {
        self.folder.path().join("site-plugins")
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let program = env!("CARGO_BIN_EXE_waypost");
        let mut command = match self.inside {
            Some(host) => self.lab.host(host).and_then(|host| host.command(program)).expect("a way into the host"),
            None if self.cabled => self.lab.controller_command(program).expect("the lab is up"),
            None => Command::new(program),
        };
        command.arg("--config").arg(self.folder.path().join("waypost.toml")).args(arguments).env("NO_COLOR", "1");
        command
    }

    pub fn waypost(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().expect("the command runs");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Starts the command and goes on; its plain progress lines can be read.
    pub fn start(&self, arguments: &[&str]) -> Child {
        self.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command starts")
    }

    /// A guest that counts, started on kvm1.
    pub fn guest(&self, name: &str) -> GuestSpec {
        let spec = GuestSpec::tick(name);
        self.start_guest(&spec);
        spec
    }

    /// A guest whose memory can't be moved while it runs free: it dirties all of its working set all the time.
    pub fn busy_guest(&self, name: &str) -> GuestSpec {
        let spec = busy(name);
        self.start_guest(&spec);
        spec
    }

    pub fn start_guest(&self, spec: &GuestSpec) {
        self.lab.start_guest(spec).unwrap_or_else(|e| panic!("{} does not start: {}", spec.name, chain(&e)));
    }

    /// virsh on one host.
    pub fn virsh(&self, host: &str, arguments: &[&str]) -> String {
        self.lab
            .host(host)
            .and_then(|h| h.virsh(arguments))
            .unwrap_or_else(|e| panic!("virsh {arguments:?} on {host}: {}", chain(&e)))
    }

    /// `running`, `paused`, `shut off`, or none where the host has no such domain.
    pub fn state(&self, host: &str, domain: &str) -> Option<String> {
        let host = self.lab.host(host).expect("a host of the lab");
        host.virsh(&["domstate", domain]).ok().map(|state| state.trim().to_owned())
    }

    /// The guest is one, its count never ran backwards, and it goes on counting.
    pub fn assert_one_counting_guest(&self, name: &str) {
        // It may have been started a moment ago, and not have printed anything.
        let (lab, patience) = (&self.lab, Duration::from_secs(20));
        lab.wait_for_counter(name, 1, patience).unwrap_or_else(|e| self.faulty(name, &chain(&e)));
        let last = lab.check_counter(name).unwrap_or_else(|e| self.faulty(name, &chain(&e))).last;
        lab.wait_for_counter(name, last + 20, patience).unwrap_or_else(|e| self.faulty(name, &chain(&e)));
        lab.check_counter(name).unwrap_or_else(|e| self.faulty(name, &chain(&e)));
    }

    fn faulty(&self, name: &str, why: &str) -> ! {
        panic!("{name} is not one guest that counts: {why}{}", self.evidence(name))
    }

    /// What the hosts show of a guest that is not as it should be, for whoever reads of it later.
    fn evidence(&self, name: &str) -> String {
        const ASKED: [&[&str]; 3] = [
            &["domstate", "--reason"],
            &["qemu-monitor-command", "--hmp", "--cmd", "info status"],
            &["qemu-monitor-command", "--hmp", "--cmd", "info registers"],
        ];
        let mut shown = String::new();
        for host in self.lab.hosts() {
            let serial = host.serial(name);
            let tail: Vec<&str> = serial.lines().rev().take(4).collect();
            shown += &format!("\n{}: last lines {tail:?}", host.name());
            for asked in ASKED {
                let (verb, more) = asked.split_first().expect("a verb");
                let said = host.virsh(&[&[*verb, name], more].concat()).unwrap_or_else(|e| chain(&e));
                shown += &format!(
                    "\n  {}: {}",
                    asked.join(" "),
                    said.trim().lines().take(12).collect::<Vec<_>>().join(" | ")
                );
            }
        }
        shown
    }

    /// Waits until something that libvirt or the command reports has become true.
    pub fn until(&self, what: &str, mut holds: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while !holds(self) {
            assert!(Instant::now() < deadline, "after 120 s still not: {what}");
            // What is waited for is the state of another process: asked for at a pace that leaves the machine alone.
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Waits until libvirt has moved a part of the memory.
    pub fn until_copying(&self, host: &str, domain: &str) {
        self.until("the transfer has begun to copy", |site| {
            let host = site.lab.host(host).expect("a host of the lab");
            let info = host.virsh(&["domjobinfo", domain]).unwrap_or_default();
            info.lines().any(|line| {
                line.strip_prefix("Memory processed:").is_some_and(|v| {
                    let amount = v.split_whitespace().next().and_then(|n| n.parse::<f64>().ok()).unwrap_or(0.0);
                    amount > 1.0 && v.contains("MiB")
                })
            })
        });
    }

    /// Lets a transfer arrive that was held up. The downtime is what lets it; the speed is for haste, and may come too late.
    pub fn let_go(&self, host: &str, domain: &str) {
        self.virsh(host, &["migrate-setmaxdowntime", domain, "1000000"]);
        let source = self.lab.host(host).expect("a host of the lab");
        let _ = source.virsh(&["migrate-setspeed", domain, "2000"]);
    }

    /// The id of the only task.
    pub fn only_task(&self) -> String {
        let tasks = self.waypost(&["tasks", "--json"]).expect_code(0).json();
        let list = tasks["tasks"].as_array().or_else(|| tasks.as_array()).expect("a list of tasks").clone();
        assert_eq!(list.len(), 1, "{tasks:#}");
        list[0]["id"].as_str().expect("an id").to_owned()
    }
}

/// A guest that writes all of its working set all the time, not started.
pub fn busy(name: &str) -> GuestSpec {
    let mut spec = GuestSpec::tick(name);
    spec.memory_mib = 256;
    if let Program::Tick { working_set_mib, dirty_pages_per_tick, .. } = &mut spec.program {
        *working_set_mib = 128;
        *dirty_pages_per_tick = waypost_lab::SPIN;
    }
    spec
}

/// The lines of a child's standard error, as they come.
pub fn lines_of_stderr(child: &mut Child) -> impl Iterator<Item = String> {
    BufReader::new(child.stderr.take().expect("its standard error")).lines().map_while(Result::ok)
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        text.push_str(&format!(": {next}"));
        source = next.source();
    }
    text
}
