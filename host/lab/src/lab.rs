//! A whole lab: brought up, found again, looked at and taken down.
//!
//! Everything runs in one process namespace inside the machine's, the hosts' own namespaces inside that. Its process 1
//! (init/lab.sh) reads a pipe: as long as somebody holds the writing end the lab lives, and when the last holder dies,
//! by whatever means, process 1 kills the rest, removes the directory and ends. A detached lab holds the pipe itself.
//! Taking a lab down is killing that one process: the kernel ends all others with it, and mounts, bridges and cables
//! vanish with the namespaces that nobody is in any more.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader},
    os::unix::{
        fs::{OpenOptionsExt, PermissionsExt},
        process::CommandExt,
    },
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use nix::{libc, sys::stat::Mode};
use serde::{Deserialize, Serialize};

use crate::{
    capabilities, config,
    error::{Attempt, LabError, Result},
    host::{Host, ip_batch},
    layout::{Layout, Link, fits_a_socket, host_name},
    pki,
    privilege::{Entrance, Privilege},
    process::{ProcessId, readable},
    requirements::{requirements, sasl_requirements, ssh_requirements},
    spec::{LabSpec, Owner, SshAccess, TcpAuth},
    ssh,
};

/// How long any single step of up and down may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

const UNFINISHED_STATE: &str = "lab.json.new";

/// The controller's number among the addresses of a network.
const CONTROLLER: u32 = 254;

/// A lab that is up.
#[derive(Debug)]
pub struct Lab {
    layout: Layout,
    state: State,
    /// Present in the process that brought the lab up; closing it ends a lab that was not detached.
    lifeline: Option<File>,
    keeper: Option<Child>,
}

/// What a later process needs to find the lab again.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct State {
    spec: LabSpec,
    privilege: Privilege,
    /// The `unshare` outside and process 1 inside, once they run.
    keeper: Option<ProcessId>,
    init: Option<ProcessId>,
}

/// What a lab looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LabStatus {
    /// Where the lab lies.
    pub dir: PathBuf,
    /// Its hosts in order.
    pub hosts: Vec<HostStatus>,
}

/// What a host looks like from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HostStatus {
    /// kvm1, kvm2, ...
    pub name: String,
    /// Does the host have power?
    pub powered: bool,
    /// How a controller on this machine reaches the host.
    pub uri: String,
    /// How another lab host reaches it.
    pub peer_uri: String,
    /// Its domains as `virsh list --all` shows them, or why they cannot be told.
    pub domains: Result<Vec<String>, String>,
}

impl Lab {
    /// Brings a lab up; on failure nothing of it is left.
    pub fn up(spec: &LabSpec) -> Result<Lab> {
        check(spec)?;
        let mut missing = requirements();
        if spec.tcp_auth != TcpAuth::None {
            missing.extend(sasl_requirements());
        }
        if spec.ssh != SshAccess::Closed {
            missing.extend(ssh_requirements());
        }
        if !missing.is_empty() {
            return Err(LabError::Requirements(missing));
        }
        let mut lab = Lab::prepare(spec)?;
        match lab.start() {
            Ok(()) => Ok(lab),
            Err(error) => {
                // The first failure is the one to report; what is left can be removed with `down`.
                let _ = lab.tear_down();
                Err(error)
            }
        }
    }

    /// Finds the lab that lies in `dir`, also one that is only half up; `None` if there is none.
    pub fn attach(dir: &Path) -> Result<Option<Lab>> {
        let Ok(dir) = dir.canonicalize() else { return Ok(None) };
        let layout = Layout { dir };
        let path = layout.state();
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error).attempt(|| format!("read {}", path.display())),
        };
        let state = serde_json::from_slice(&text).map_err(|source| LabError::State { path, source })?;
        Ok(Some(Lab { layout, state, lifeline: None, keeper: None }))
    }

    /// Takes down whatever lab lies in `dir`, however much of it is up. Nothing there is fine, too.
    pub fn down_at(dir: &Path) -> Result<()> {
        match Lab::attach(dir)? {
            Some(lab) => lab.down(),
            None => Ok(()),
        }
    }

    /// Takes the lab down: no process, mount, network or file of it is left afterwards.
    pub fn down(mut self) -> Result<()> {
        self.tear_down()
    }

    /// The host of that name.
    pub fn host(&self, name: &str) -> Result<Host> {
        let hosts = 1..=self.state.spec.hosts;
        let index = hosts.into_iter().find(|index| host_name(*index) == name);
        Ok(self.host_at(index.ok_or_else(|| LabError::NoHost(name.to_owned()))?))
    }

    /// All hosts in order.
    pub fn hosts(&self) -> Vec<Host> {
        (1..=self.state.spec.hosts).map(|index| self.host_at(index)).collect()
    }

    /// Power, addresses and domains of every host.
    pub fn status(&self) -> LabStatus {
        let host = |host: Host| HostStatus {
            name: host.name().to_owned(),
            powered: host.is_powered(),
            uri: host.uri_unix(),
            peer_uri: host.uri_peer(),
            domains: host.domains().map_err(|error| error.to_string()),
        };
        LabStatus { dir: self.layout.dir.clone(), hosts: self.hosts().into_iter().map(host).collect() }
    }

    /// Where the lab lies.
    pub fn dir(&self) -> &Path {
        &self.layout.dir
    }

    /// What the lab was made from.
    pub fn spec(&self) -> &LabSpec {
        &self.state.spec
    }

    /// A directory with the controller's certificate for `?pkipath=`.
    pub fn client_pki(&self) -> PathBuf {
        self.layout.pki().join("client")
    }

    /// The controller's private key, which every host lets in if [`LabSpec::ssh`] says so.
    pub fn ssh_key(&self) -> PathBuf {
        self.layout.ssh_key()
    }

    /// The hosts' keys in the format of ssh's `known_hosts`, if [`LabSpec::ssh`] says that they have some.
    pub fn ssh_known_hosts(&self) -> PathBuf {
        self.layout.ssh_known_hosts()
    }

    /// What the hosts see as [`SHARED`](crate::SHARED), from outside. Files may be put here while the lab runs.
    pub fn shared_store(&self) -> PathBuf {
        self.layout.store()
    }

    /// A command in the namespace that the switches are in, to which the controller belongs: it reaches every host by TCP.
    pub fn controller_command(&self, program: &str) -> Result<Command> {
        let init = self.state.init.ok_or_else(|| LabError::NoLab(self.layout.dir.clone()))?;
        let mut command = self.state.privilege.enter(init, Entrance::Network);
        command.arg(program);
        Ok(command)
    }

    /// Gives every host that has power, and the controller, an address of IPv6 on both networks, beside that of IPv4.
    pub fn add_ipv6(&self) -> Result<()> {
        let init = self.state.init.ok_or_else(|| LabError::NoLab(self.layout.dir.clone()))?;
        let address = |link: Link| format!("addr add {}/64 dev {} nodad\n", link.address6(CONTROLLER), link.switch());
        ip_batch(self.state.privilege, init, &Link::BOTH.map(address).concat())?;
        self.hosts().into_iter().filter(Host::is_powered).try_for_each(|host| host.add_ipv6())
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// The number of the lab's process 1.
    pub(crate) fn init_pid(&self) -> Result<i32> {
        Ok(self.state.init.ok_or_else(|| LabError::NoLab(self.layout.dir.clone()))?.pid)
    }

    fn host_at(&self, index: u32) -> Host {
        Host::new(self.layout.clone(), index, self.state.init, self.state.privilege)
    }

    /// The directory with all files that need no certificate and no process.
    fn prepare(spec: &LabSpec) -> Result<Lab> {
        fs::create_dir_all(&spec.dir).attempt(|| format!("create {}", spec.dir.display()))?;
        let dir = spec.dir.canonicalize().attempt(|| format!("resolve {}", spec.dir.display()))?;
        let mut entries = fs::read_dir(&dir).attempt(|| format!("read {}", dir.display()))?;
        // A state file that was never finished is all that an interrupted attempt can leave here.
        if entries.any(|entry| entry.is_ok_and(|entry| entry.file_name() != UNFINISHED_STATE)) {
            return Err(LabError::Occupied(dir));
        }
        if !fits_a_socket(&dir) {
            let _ = fs::remove_dir(&dir);
            return Err(LabError::Spec(format!("{} is too long a path for Unix sockets in it", dir.display())));
        }
        // The sockets in it lead to root.
        let root_only = fs::Permissions::from_mode(0o700);
        fs::set_permissions(&dir, root_only).attempt(|| format!("protect {}", dir.display()))?;
        let layout = Layout { dir };
        let lab = Lab {
            state: State {
                spec: LabSpec { dir: layout.dir.clone(), ..spec.clone() },
                privilege: Privilege::of_this_process(),
                keeper: None,
                init: None,
            },
            lifeline: None,
            keeper: None,
            layout,
        };
        lab.save()?;
        Ok(lab)
    }

    fn start(&mut self) -> Result<()> {
        let layout = self.layout.clone();
        for name in ["store", "pki", "log", "guests", "hosts"] {
            let path = layout.dir.join(name);
            fs::create_dir(&path).attempt(|| format!("create {}", path.display()))?;
        }
        for (name, text) in [("lab.sh", include_str!("../init/lab.sh")), ("host.sh", include_str!("../init/host.sh"))] {
            let path = layout.dir.join(name);
            fs::write(&path, text).attempt(|| format!("write {}", path.display()))?;
        }
        let spec = self.state.spec.clone();
        thread::scope(|scope| {
            let authority = scope.spawn(|| pki::make_authority(&layout));
            self.start_keeper()?;
            authority.join().map_err(panicked)??;
            let controller = scope.spawn(|| pki::equip_controller(&layout));
            if spec.ssh != SshAccess::Closed {
                ssh::equip_controller(&layout)?;
            }
            let hosts = self.hosts();
            let starting: Vec<_> = hosts
                .into_iter()
                .map(|host| {
                    let (layout, spec, index) = (&layout, &spec, host.index());
                    scope.spawn(move || {
                        config::furnish(layout, spec, index)?;
                        capabilities::recall(&spec.cache, &layout.host(&host_name(index)));
                        pki::equip_host(layout, index)?;
                        if spec.ssh != SshAccess::Closed {
                            ssh::equip_host(layout, index)?;
                        }
                        host.power_on()
                    })
                })
                .collect();
            let results: Vec<_> = starting.into_iter().map(|thread| thread.join().map_err(panicked)?).collect();
            controller.join().map_err(panicked)??;
            results.into_iter().collect::<Result<()>>()
        })?;
        if spec.ssh != SshAccess::Closed {
            ssh::introduce_hosts(&self.layout, spec.hosts)?;
        }
        if spec.owner == Owner::Detached {
            crate::host::tell(&self.layout, "detach")?;
            self.lifeline = None;
        }
        Ok(())
    }

    /// Process 1 of the lab, in namespaces of its own.
    fn start_keeper(&mut self) -> Result<()> {
        let control = self.layout.control();
        nix::unistd::mkfifo(&control, Mode::S_IRUSR | Mode::S_IWUSR)
            .attempt(|| format!("create {}", control.display()))?;
        // Open for both directions, because for writing alone it would block until process 1 reads.
        let both_ends = OpenOptions::new().read(true).write(true).open(&control);
        let both_ends = both_ends.attempt(|| format!("open {}", control.display()))?;
        let log = self.layout.log("lab");
        let log_file = File::create(&log).attempt(|| format!("create {}", log.display()))?;
        let mut unshare = self.state.privilege.found();
        unshare.arg("sh").arg(self.layout.dir.join("lab.sh")).arg(&self.layout.dir);
        // Its own process group: an interrupt from the terminal is for the owner, not for the lab.
        unshare.current_dir("/").process_group(0).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log_file);
        let mut child = unshare.spawn().attempt(|| "start the lab's first process".to_owned())?;
        let keeper = ProcessId::of(child.id() as i32);
        self.state.keeper = keeper;
        self.save()?;
        let stdout = child.stdout.take();
        self.keeper = Some(child);
        let mut line = String::new();
        if let Some(stdout) = stdout
            && readable(&stdout, Instant::now() + PATIENCE)
        {
            let _ = BufReader::new(stdout).read_line(&mut line);
        }
        if line != "ready\n" {
            let reason = fs::read_to_string(&log).unwrap_or_default();
            return Err(LabError::Boot {
                what: "the lab's first process".to_owned(),
                reason: reason.trim().to_owned(),
            });
        }
        let init = keeper.and_then(|keeper| keeper.children().into_iter().find_map(ProcessId::of));
        self.state.init = Some(init.ok_or_else(|| LabError::NoLab(self.layout.dir.clone()))?);
        self.save()?;
        let lifeline = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&control);
        self.lifeline = Some(lifeline.attempt(|| format!("open {}", control.display()))?);
        drop(both_ends);
        Ok(())
    }

    fn save(&self) -> Result<()> {
        let path = self.layout.state();
        let text =
            serde_json::to_vec_pretty(&self.state).map_err(|source| LabError::State { path: path.clone(), source })?;
        // Written aside and renamed, so that whoever looks sees a whole file.
        let aside = self.layout.dir.join(UNFINISHED_STATE);
        fs::write(&aside, text).attempt(|| format!("write {}", aside.display()))?;
        fs::rename(&aside, &path).attempt(|| format!("write {}", path.display()))
    }

    fn tear_down(&mut self) -> Result<()> {
        let State { keeper, init, .. } = self.state;
        // Without a known process 1 the keeper dies instead and takes it along (--kill-child).
        let first = init.or_else(|| keeper?.children().into_iter().find_map(ProcessId::of));
        for process in [first, keeper].into_iter().flatten() {
            process.kill_and_wait(PATIENCE)?;
        }
        if let Some(mut child) = self.keeper.take() {
            child.wait().attempt(|| "collect the lab's first process".to_owned())?;
        }
        self.lifeline = None;
        // Somebody else may have taken this lab down and put another one in its place.
        if matches!(Lab::attach(&self.layout.dir), Ok(Some(found)) if found.state.keeper != keeper) {
            return Ok(());
        }
        for host in 1..=self.state.spec.hosts {
            capabilities::remember(&self.state.spec.cache, &self.layout.host(&host_name(host)));
        }
        match fs::remove_dir_all(&self.layout.dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).attempt(|| format!("remove {}", self.layout.dir.display()))
            }
            _ => Ok(()),
        }
    }
}

impl Drop for Lab {
    /// A lab that belongs to this process goes with the value that stands for it; attached and detached ones stay.
    fn drop(&mut self) {
        if self.lifeline.is_some() {
            let _ = self.tear_down();
        }
    }
}

fn check(spec: &LabSpec) -> Result<()> {
    if (1..=16).contains(&spec.hosts) {
        return Ok(());
    }
    Err(LabError::Spec(format!("a lab has 1 to 16 hosts, not {}", spec.hosts)))
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> LabError {
    LabError::Boot { what: "the lab".to_owned(), reason: "a thread that brings it up panicked".to_owned() }
}
