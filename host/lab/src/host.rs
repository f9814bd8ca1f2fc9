//! One host of a lab: reached, looked into, and mistreated the way real hosts are.

use std::{
    fs::{self, OpenOptions},
    io::{Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::PathBuf,
    process::{Command, Output},
    time::Instant,
};

use nix::{
    libc,
    sys::{signal::Signal, stat::Mode},
};

use crate::{
    config,
    error::{Attempt, LabError, Result},
    lab::PATIENCE,
    layout::{HostLayout, Layout, Link, host_name},
    privilege::{Entrance, Privilege},
    process::{ProcessId, output, readable, run, run_with_input, until_files},
    requirements::{find, program},
};

/// The program that guests run in, and one that no lab guest uses.
const HYPERVISOR: &str = "/usr/bin/qemu-system-x86_64";
const SPARE: &str = "/usr/bin/qemu-system-i386";

/// A host of a lab, with or without power.
#[derive(Clone, Debug)]
pub struct Host {
    layout: Layout,
    files: HostLayout,
    index: u32,
    name: String,
    lab: Option<ProcessId>,
    privilege: Privilege,
}

/// What went through a network interface since the host was powered on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InterfaceBytes {
    /// Bytes received.
    pub received: u64,
    /// Bytes sent.
    pub sent: u64,
}

impl Host {
    pub(crate) fn new(layout: Layout, index: u32, lab: Option<ProcessId>, privilege: Privilege) -> Self {
        let name = host_name(index);
        Self { files: layout.host(&name), layout, index, name, lab, privilege }
    }

    /// kvm1, kvm2, ...
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The I of kvmI.
    pub fn index(&self) -> u32 {
        self.index
    }

    /// The UUID that its libvirt gives as the host's.
    pub fn uuid(&self) -> String {
        config::host_uuid(self.index)
    }

    /// How a program on this machine, outside the lab, reaches the host's libvirt.
    pub fn uri_unix(&self) -> String {
        format!("qemu+unix:///system?socket={}", self.files.socket().display())
    }

    /// How another lab host, or a program in the controller's network namespace, reaches it.
    pub fn uri_peer(&self) -> String {
        format!("qemu+tcp://{}/system", self.mgmt_ip())
    }

    /// The same over TLS; the certificate names the host and both its addresses.
    pub fn uri_peer_tls(&self) -> String {
        format!("qemu+tls://{}/system", self.mgmt_ip())
    }

    /// The same through a login by ssh, in a lab with [`SshAccess::ControllerKey`](crate::SshAccess::ControllerKey).
    pub fn uri_ssh(&self) -> String {
        format!("qemu+ssh://root@{}/system", self.mgmt_ip())
    }

    /// Its address for libvirt's own connections.
    pub fn mgmt_ip(&self) -> String {
        Link::Management.address(self.index)
    }

    /// Its address for migration data.
    pub fn migration_ip(&self) -> String {
        Link::Migration.address(self.index)
    }

    /// Its address of IPv6 on one of its cables, once [`Lab::add_ipv6`](crate::Lab::add_ipv6) has given it one.
    pub fn ipv6(&self, link: Link) -> String {
        link.address6(self.index)
    }

    /// Its own images (`/var/lib/libvirt/images` inside), as seen from outside.
    pub fn images(&self) -> PathBuf {
        self.files.images()
    }

    /// A file of the host as seen from outside, through whatever is mounted in between, for as long as it has power.
    pub fn inside(&self, path: &str) -> Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}/root{path}", self.init()?.pid)))
    }

    /// Has it power?
    pub fn is_powered(&self) -> bool {
        self.init().is_ok()
    }

    /// A command inside the host, to which arguments can be added.
    pub fn command(&self, program: &str) -> Result<Command> {
        let mut command = self.privilege.enter(self.init()?, Entrance::Host);
        command.arg(program);
        Ok(command)
    }

    /// Runs a command inside the host, whatever it returns.
    pub fn run(&self, words: &[&str]) -> Result<Output> {
        let (program, arguments) = words.split_first().ok_or_else(|| LabError::Spec("no command".to_owned()))?;
        output(self.command(program)?.args(arguments))
    }

    /// Runs virsh outside the host against its libvirt and returns what it prints.
    pub fn virsh(&self, arguments: &[&str]) -> Result<String> {
        run(program("virsh").args(["-q", "-c", &self.uri_unix()]).args(arguments))
    }

    /// Name and state of each of its domains.
    pub fn domains(&self) -> Result<Vec<String>> {
        let list = self.virsh(&["list", "--all"])?;
        let line = |line: &str| line.split_whitespace().skip(1).collect::<Vec<_>>().join(" ");
        Ok(list.lines().map(line).filter(|line| !line.is_empty()).collect())
    }

    /// All that a domain wrote to its serial port on this host, and nothing if it never ran here.
    pub fn serial(&self, domain: &str) -> String {
        let bytes = fs::read(self.files.serial(domain)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Empties a domain's serial log, for a test that starts the same guest anew on purpose.
    pub fn forget_serial(&self, domain: &str) -> Result<()> {
        let path = self.files.serial(domain);
        match OpenOptions::new().write(true).truncate(true).open(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(error).attempt(|| format!("empty {}", path.display()))
            }
            _ => Ok(()),
        }
    }

    /// What its libvirtd has logged.
    pub fn libvirtd_log(&self) -> String {
        fs::read_to_string(self.files.dir.join("var-log/libvirtd.log")).unwrap_or_default()
    }

    /// Pulls a cable.
    pub fn cut(&self, link: Link) -> Result<()> {
        self.switch_port(link, "down")
    }

    /// Plugs a cable in again.
    pub fn restore(&self, link: Link) -> Result<()> {
        self.switch_port(link, "up")
    }

    /// What went through a cable so far, seen from the host.
    pub fn interface_bytes(&self, link: Link) -> Result<InterfaceBytes> {
        let path = format!("/proc/{}/net/dev", self.init()?.pid);
        let table = fs::read_to_string(&path).attempt(|| format!("read {path}"))?;
        parse_interface(&table, link.interface())
            .ok_or_else(|| LabError::Spec(format!("{path} does not list {}", link.interface())))
    }

    /// Power loss: first the cables, so that no farewell gets out, then every process at once.
    pub fn crash(&self) -> Result<()> {
        let init = self.init()?;
        for link in Link::BOTH {
            self.cut(link)?;
        }
        init.kill_and_wait(PATIENCE)
    }

    /// Of everything that arrives over a cable, drops that many per cent by chance; none lets everything through again.
    /// Needs nft in the host, which is the machine's.
    pub fn lose(&self, link: Link, percent: u8) -> Result<()> {
        let rule = format!("numgen random mod 100 < {percent} drop");
        self.on_arrival("loss", link, (percent > 0).then_some(rule.as_str()))
    }

    /// Takes no more than so many MiB a second off a cable, and a second's worth at once; what comes faster is dropped, as by a
    /// switch whose port is slow. None lets everything through again. Needs nft, too.
    pub fn cap(&self, link: Link, mib_s: Option<u32>) -> Result<()> {
        let rule = mib_s.map(|mib_s| format!("limit rate over {mib_s} mbytes/second drop"));
        self.on_arrival("cap", link, rule.as_deref())
    }

    /// What happens to packets that arrive over a cable; none: nothing of that name any more.
    fn on_arrival(&self, name: &str, link: Link, rule: Option<&str>) -> Result<()> {
        let (table, device) = (format!("netdev lab-{name}-{}", link.interface()), link.interface());
        // Declared first, so that deleting a table that was never there is none that fails.
        let mut rules = format!("add table {table}\ndelete table {table}\n");
        if let Some(rule) = rule {
            rules += &format!(
                "add table {table}\nadd chain {table} in {{ type filter hook ingress device {device} priority 0; }}\n\
                 add rule {table} in {rule}\n"
            );
        }
        let nft = find("nft").ok_or_else(|| LabError::Spec("nft is missing (apt-get install nftables)".to_owned()))?;
        run_with_input(self.command(&nft.to_string_lossy())?.args(["-f", "-"]), &rules)
    }

    /// Takes a feature from the CPU that the host's hypervisor gives to guests, whatever it is asked for.
    pub fn mask_cpu_feature(&self, feature: &str) -> Result<()> {
        // The real program stays within reach under the name of another of its package.
        let script = format!(
            "#!/bin/sh\nmasked=\nfor word; do\n    shift\n    [ \"$masked\" != -cpu ] || word=$word,-{feature}\n    \
             masked=$word\n    set -- \"$@\" \"$word\"\ndone\nexec {SPARE} \"$@\"\n"
        );
        let path = self.inside("/run/masked")?;
        fs::write(&path, script).attempt(|| format!("write {}", path.display()))?;
        run(self.command("chmod")?.args(["755", "/run/masked"]))?;
        run(self.command("mount")?.args(["--bind", HYPERVISOR, SPARE]))?;
        run(self.command("mount")?.args(["--bind", "/run/masked", HYPERVISOR])).map(drop)
    }

    /// Gives back what [`Host::mask_cpu_feature`] took.
    pub fn unmask_cpu(&self) -> Result<()> {
        run(self.command("umount")?.args([HYPERVISOR, SPARE])).map(drop)
    }

    /// Puts a new disk of that many MiB at a folder of the host. It hides what was there, and is lost with the power.
    pub fn mount_small_disk(&self, folder: &str, mib: u32) -> Result<()> {
        let size = format!("size={mib}m,mode=711");
        run(self.command("mount")?.args(["-t", "tmpfs", "-o", &size, "lab", folder])).map(drop)
    }

    /// Boots the host: its disks are as they were, /run is empty.
    pub fn power_on(&self) -> Result<()> {
        if self.is_powered() {
            return Ok(());
        }
        let run_dir = self.files.run();
        if run_dir.exists() {
            fs::remove_dir_all(&run_dir).attempt(|| format!("empty {}", run_dir.display()))?;
        }
        for folder in ["libvirt", "lock", "sshd"] {
            let folder = run_dir.join(folder);
            fs::create_dir_all(&folder).attempt(|| format!("create {}", folder.display()))?;
        }
        self.boot()?;
        self.connect_cables()?;
        if self.files.etc_ssh().exists() {
            self.start_sshd()?;
        }
        self.start_libvirtd()
    }

    /// Starts the daemon and returns when it answers.
    pub fn start_libvirtd(&self) -> Result<()> {
        let mut libvirtd = self.command("env")?;
        libvirtd.args(["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/run", "LC_ALL=C"]);
        run(libvirtd.args(["libvirtd", "-d", "-l"]))?;
        self.virsh(&["uri"]).map(drop).map_err(|error| match error {
            LabError::Command { command, status, output } => {
                let output = format!("{output}; the daemon's log: {}", self.libvirtd_log());
                LabError::Command { command, status, output }
            }
            other => other,
        })
    }

    /// Returns when logins are possible: only then sshd writes its number down.
    fn start_sshd(&self) -> Result<()> {
        let log = "/var/log/libvirt/sshd.log";
        let mut sshd = self.command("env")?;
        sshd.args(["-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C"]);
        // It starts itself again for every login, which is why it insists on a full path.
        sshd.arg(find("sshd").unwrap_or_else(|| PathBuf::from("/usr/sbin/sshd")));
        run(sshd.args(["-f", "/etc/ssh/sshd_config", "-E", log]))?;
        let pid = self.files.run().join("sshd.pid");
        let listens = || fs::metadata(&pid).is_ok_and(|file| file.len() > 0).then_some(());
        until_files(&[self.files.run()], &format!("that sshd listens on {}", self.name), PATIENCE, listens)
    }

    /// Kills the daemon, not its guests.
    pub fn kill_libvirtd(&self) -> Result<()> {
        self.by_file("libvirtd.pid", "libvirtd")?.kill_and_wait(PATIENCE)
    }

    /// Kills a domain's QEMU.
    pub fn kill_qemu(&self, domain: &str) -> Result<()> {
        self.qemu(domain)?.kill_and_wait(PATIENCE)
    }

    /// Has a domain's QEMU stand still: it is there, and answers nobody.
    pub fn stop_qemu(&self, domain: &str) -> Result<()> {
        self.qemu(domain)?.signal(Signal::SIGSTOP)
    }

    /// Has a QEMU that was stopped go on.
    pub fn cont_qemu(&self, domain: &str) -> Result<()> {
        self.qemu(domain)?.signal(Signal::SIGCONT)
    }

    fn qemu(&self, domain: &str) -> Result<ProcessId> {
        self.by_file(&format!("libvirt/qemu/{domain}.pid"), "QEMU")
    }

    /// The host's process 1, which is the child of one of the children of the lab's.
    fn init(&self) -> Result<ProcessId> {
        let off = || LabError::PoweredOff(self.name.clone());
        let lab = self.lab.filter(|lab| lab.is_alive()).ok_or_else(off)?;
        let mine = |pid: &i32| last_argument(*pid).as_deref() == Some(self.name.as_bytes());
        // After a crash the previous boot's parent may still be going away; it has no child any more.
        let mut parents = lab.children().into_iter().filter(mine).filter_map(ProcessId::of);
        parents.find_map(|parent| parent.children().into_iter().find_map(ProcessId::of)).ok_or_else(off)
    }

    /// Has the lab's process 1 start the host's, and waits until that says it is ready.
    fn boot(&self) -> Result<()> {
        let ready = self.files.ready();
        if !ready.exists() {
            nix::unistd::mkfifo(&ready, Mode::S_IRUSR | Mode::S_IWUSR)
                .attempt(|| format!("create {}", ready.display()))?;
        }
        let pipe = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(&ready);
        let mut pipe = pipe.attempt(|| format!("open {}", ready.display()))?;
        tell(&self.layout, &format!("host {}", self.name))?;
        let mut line = [0; 6];
        if readable(&pipe, Instant::now() + PATIENCE) && matches!(pipe.read(&mut line), Ok(6)) {
            return Ok(());
        }
        let log = fs::read_to_string(self.layout.log(&format!("{}.init", self.name))).unwrap_or_default();
        Err(LabError::Boot { what: self.name.clone(), reason: log.trim().to_owned() })
    }

    fn connect_cables(&self) -> Result<()> {
        let (lab, init) = (self.lab_process()?, self.init()?);
        let (mut outside, mut inside) = (String::new(), String::new());
        for link in Link::BOTH {
            let (port, switch, interface) = (link.port(self.index), link.switch(), link.interface());
            // After a crash the old cable may still be there: the kernel clears dead namespaces away at leisure.
            let old = format!("/proc/{}/net/dev", lab.pid);
            if fs::read_to_string(old).unwrap_or_default().contains(&format!("{port}:")) {
                // It may go by itself at this very moment. One that stayed would be told by the line that adds the new.
                let _ = self.ip_batch(lab, &format!("link del {port}\n"));
            }
            let card = format!("name {interface} address {}", link.hardware_address(self.index));
            outside += &format!("link add {port} type veth peer {card} netns {}\n", init.pid);
            outside += &format!("link set {port} master {switch} up\n");
            inside += &format!("addr add {}/24 dev {interface}\nlink set {interface} up\n", link.address(self.index));
        }
        // What guests are connected to; br-only1 is there to be missed elsewhere.
        inside += "link add br0 type bridge\nlink set br0 up\n";
        if self.index == 1 {
            inside += "link add br-only1 type bridge\nlink set br-only1 up\n";
        }
        self.ip_batch(lab, &outside)?;
        self.ip_batch(init, &inside)
    }

    /// Its addresses of IPv6, which are lost with the power.
    pub(crate) fn add_ipv6(&self) -> Result<()> {
        let address =
            |link: Link| format!("addr add {}/64 dev {} nodad\n", link.address6(self.index), link.interface());
        self.ip_batch(self.init()?, &Link::BOTH.map(address).concat())
    }

    fn switch_port(&self, link: Link, state: &str) -> Result<()> {
        self.ip_batch(self.lab_process()?, &format!("link set {} {state}\n", link.port(self.index)))
    }

    fn ip_batch(&self, process: ProcessId, commands: &str) -> Result<()> {
        ip_batch(self.privilege, process, commands)
    }

    fn lab_process(&self) -> Result<ProcessId> {
        self.lab.ok_or_else(|| LabError::NoLab(self.layout.dir.clone()))
    }

    /// A daemon of the host, which is a child of its process 1. The numbers in pid files count inside the host.
    fn by_file(&self, file: &str, what: &str) -> Result<ProcessId> {
        let path = self.files.run().join(file);
        let pid = fs::read_to_string(&path).attempt(|| format!("read {}", path.display()))?;
        let pid: Option<i32> = pid.trim().parse().ok();
        let daemons = self.init()?.children().into_iter().filter_map(ProcessId::of);
        let daemon = daemons.into_iter().find(|process| pid.is_some() && process.innermost() == pid);
        let absent = || LabError::Spec(format!("{what} does not run on {}", self.name));
        daemon.ok_or_else(absent)
    }
}

/// Has `ip` carry these commands out in the network that a process is in.
pub(crate) fn ip_batch(privilege: Privilege, process: ProcessId, commands: &str) -> Result<()> {
    let mut ip = privilege.enter(process, Entrance::Network);
    ip.arg(find("ip").unwrap_or_else(|| PathBuf::from("ip"))).args(["-batch", "-"]);
    run_with_input(&mut ip, commands)
}

/// Sends one line to the lab's process 1.
pub(crate) fn tell(layout: &Layout, line: &str) -> Result<()> {
    let control = layout.control();
    // Non-blocking: without a reader, that is without a lab, this fails instead of waiting for ever.
    let pipe = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&control);
    let sent = pipe.and_then(|mut pipe| pipe.write_all(format!("{line}\n").as_bytes()));
    sent.attempt(|| format!("reach the lab through {}", control.display()))
}

fn last_argument(pid: i32) -> Option<Vec<u8>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    line.strip_suffix(b"\0")?.rsplit(|byte| *byte == 0).next().map(<[u8]>::to_vec)
}

fn parse_interface(table: &str, interface: &str) -> Option<InterfaceBytes> {
    let numbers = table.lines().find_map(|line| line.trim().strip_prefix(interface)?.strip_prefix(':'))?;
    let numbers: Vec<&str> = numbers.split_whitespace().collect();
    Some(InterfaceBytes { received: numbers.first()?.parse().ok()?, sent: numbers.get(8)?.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_byte_counters_of_an_interface_are_found_in_the_kernels_table() {
        let table = "Inter-|   Receive\n face |bytes\n    lo:   1 2 3 4 5 6 7 8 9 10\n  eth0: 1438 16 0 0 0 0 0 0 2276 24 0 0\n";
        assert_eq!(parse_interface(table, "eth0"), Some(InterfaceBytes { received: 1438, sent: 2276 }));
        assert_eq!(parse_interface(table, "eth1"), None);
    }
}
