//! What a row is played on: a lab of two hosts, a guest on one of them, and everything that was there before.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use waypost_lab::{DiskPlace, GuestSpec, Host, LOCAL, Program, Relay};

use crate::fault::Fault;
use crate::rows::{Expected, Row, Stage, Trouble, Way};
use crate::site::Site;
use crate::{hanging, traces};

const MIB: u64 = 1 << 20;
/// Where the command keeps its journal in a row that fills its disk.
const STORE: &str = "/mnt/state";
/// How the configuration begins to say where the journal is.
const STATE: &str = "state_dir = ";
/// Where the relay takes what belongs to the memory, and to the disks.
const PORTS: [u16; 2] = [49300, 49301];
/// What a tick of the busy guest rewrites: 100 MiB a second, which no transfer of [`bandwidth`] keeps up with.
const PAGES_PER_TICK: u16 = 256;
/// Half a minute of waiting for a host that can't be asked, and three tries to resume a post-copy.
const LITTLE_PATIENCE: &str = "settings = { give_up_after_looks = 5, resumes = 3 }";

pub struct Scene {
    pub site: Site,
    pub uuid: String,
    /// What each host had, the guest running on kvm1.
    pub before: [BTreeSet<String>; 2],
    /// What kvm2 had once something stood in the way there.
    pub obstructed: BTreeSet<String>,
    image: String,
    digest: String,
    relay: Option<Relay>,
}

impl Scene {
    pub fn set(row: &Row) -> Self {
        let mut more = "\n[migrations]\noutgoing_per_host = 1\nincoming_per_host = 1\n".to_owned();
        let hangs = row.fault() == Some(&Fault::HangingPolicy);
        let cut_off = row.fault().is_some_and(|fault| fault.cuts_off().is_some());
        for name in shipped() {
            let said = match row.trouble {
                Trouble::Beforehand(_) if name.starts_with("precheck-") => "mode = \"advise\"",
                Trouble::Midway(..) if hangs && name.starts_with("recovery-") => "presence = \"never\"",
                Trouble::Midway(..) if row.wants_little_patience() && name == "recovery-conservative" => {
                    LITTLE_PATIENCE
                }
                // It would bring the transfer to its end about when libvirt gives the connection up.
                Trouble::Midway(..) if cut_off && name == "convergence-adaptive" => "mode = \"shadow\"",
                _ => continue,
            };
            more.push_str(&format!("[plugin.{name}]\n{said}\n"));
        }
        let mut site = Site::with(2, &more);
        if hangs {
            let policy = hanging::policy("recovery", "recover", "decide");
            fs::write(site.plugin_folder().join("hanging.wasm"), policy).expect("the policy is installed");
        }
        match row.fault() {
            // Enough for the copy, until something takes the rest.
            Some(Fault::DiskFull) => host(&site, "kvm2").mount_small_disk(LOCAL, 96).expect("a small disk for images"),
            Some(Fault::StoreFull) => {
                // A disk of the controller's own is one that is mounted where it runs.
                host(&site, "kvm1").mount_small_disk("/mnt", 48).expect("a small disk for the store");
                site.inside = Some("kvm1");
                put_state_at(&site, STORE);
            }
            _ => {}
        }
        if row.is_cabled() {
            put_on_the_cables(&site);
            site.cabled = true;
        }
        let relayed = matches!(row.fault(), Some(Fault::Delay { .. } | Fault::HalfOpen { .. }));
        let relay = relayed.then(|| site.lab.relay(&host(&site, "kvm2"), &PORTS).expect("a relay in the way"));
        let mut scene = Self {
            site,
            uuid: String::new(),
            before: Default::default(),
            obstructed: BTreeSet::new(),
            image: String::new(),
            digest: String::new(),
            relay,
        };
        scene.start_guest(row);
        scene
    }

    fn start_guest(&mut self, row: &Row) {
        let mut spec = GuestSpec::tick("g1");
        if matches!(row.stage(), Some(Stage::PreCopy | Stage::PostCopy)) {
            spec.memory_mib = 256;
            spec.program = Program::Tick { working_set_mib: 128, dirty_pages_per_tick: PAGES_PER_TICK };
        }
        if row.stage() == Some(Stage::Storage) {
            (spec.disk, spec.disk_mib) = (DiskPlace::Local, 64);
        }
        if let Trouble::Beforehand(obstacle) = row.trouble {
            if obstacle.disk_is_local() {
                spec.disk = DiskPlace::Local;
            }
            obstacle.shape(&mut spec);
            obstacle.precede(self);
        }
        self.site.lab.define_guest(&spec).expect("the guest is defined");
        self.image = spec.image().expect("its image");
        let outside = match spec.disk {
            DiskPlace::Shared => self.site.lab.shared_store().join("g1.img"),
            _ => self.site.lab.host("kvm1").expect("kvm1").images().join("g1.img"),
        };
        let disk = fs::OpenOptions::new().write(true).open(outside).expect("its disk");
        // Behind the first sector, which is its program: something to copy, and a mark in it.
        for mib in 0..u64::from(spec.disk_mib) {
            disk.write_all_at(&[0x5a; 1 << 19], mib * MIB + MIB / 2).expect("its disk is filled");
            disk.write_all_at(format!("mark {mib}").as_bytes(), mib * MIB + MIB / 2).expect("a mark on its disk");
        }
        drop(disk);
        self.site.virsh("kvm1", &["start", "g1"]);
        self.site.until("the guest counts", |site| site.lab.latest_counter("g1").is_some());
        self.uuid = self.site.virsh("kvm1", &["domuuid", "g1"]).trim().to_owned();
        self.digest = self.digest_on("kvm1").expect("the digest of its disk");
        let traces = |host: &str| traces::of(&self.site, host).expect("what the host has");
        self.before = ["kvm1", "kvm2"].map(traces);
        if let Trouble::Beforehand(obstacle) = row.trouble {
            obstacle.put(self);
            self.obstructed = traces::of(&self.site, "kvm2").expect("what kvm2 has");
        }
    }

    /// The path of the guest's image.
    pub fn image(&self) -> &str {
        &self.image
    }

    /// Whether the guest's disk is its host's own.
    pub fn is_local(&self) -> bool {
        self.image.starts_with(LOCAL)
    }

    pub fn relay(&self) -> &Relay {
        self.relay.as_ref().expect("a row with a relay in the way")
    }

    /// Begins the migration.
    pub fn migrate(&self, row: &Row) -> Child {
        let (uri, listen) = self.ways();
        let limit = bandwidth(row);
        let mut arguments = vec!["migrate", "g1", "--from", "kvm1", "--to", "kvm2", "--bandwidth", &limit];
        arguments.extend(["--migrate-uri", &uri, "--listen-address", &listen]);
        let port = PORTS[1].to_string();
        if self.relay.is_some() && row.copies() {
            arguments.extend(["--disks-port", &port]);
        }
        if row.way == Way::Direct {
            arguments.push("--direct");
        }
        if row.stage() == Some(Stage::PostCopy) {
            arguments.extend(["--postcopy", "--postcopy-bandwidth", "10"]);
        }
        if row.copies() {
            arguments.extend(["--copy-storage", "full", "--migrate-disks", "vda"]);
        }
        self.site.start(&arguments)
    }

    /// Begins the same migration by virsh.
    pub fn migrate_by_virsh(&self, row: &Row) -> Child {
        let host = |name: &str| self.site.lab.host(name).expect("a host of the lab");
        let (uri, listen) = self.ways();
        // It reaches the hosts as the controller does.
        let mut virsh = match self.site.cabled {
            true => self.site.lab.controller_command("virsh").expect("the lab is up"),
            false => Command::new("virsh"),
        };
        let reached = |name: &str| if self.site.cabled { host(name).uri_peer() } else { host(name).uri_unix() };
        virsh.args(["-q", "-c", &reached("kvm1"), "migrate", "g1", "--live", "--persistent", "--undefinesource"]);
        match row.way {
            Way::PeerToPeer => virsh.args(["--p2p", &host("kvm2").uri_peer()]),
            Way::Direct => virsh.arg(reached("kvm2")),
        };
        virsh.args(["--migrateuri", &uri, "--listen-address", &listen, "--bandwidth", &bandwidth(row)]);
        if row.stage() == Some(Stage::PostCopy) {
            virsh.args(["--postcopy", "--postcopy-bandwidth", "10"]);
        }
        if row.copies() {
            virsh.args(["--copy-storage-all", "--migrate-disks", "vda"]);
            if self.relay.is_some() {
                virsh.args(["--disks-port", &PORTS[1].to_string()]);
            }
        }
        virsh.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("virsh starts")
    }

    /// The migration URI, and where the destination listens.
    fn ways(&self) -> (String, String) {
        let listen = self.site.lab.host("kvm2").expect("kvm2").migration_ip();
        match self.relay {
            Some(_) => (format!("tcp://{}:{}", Relay::ADDRESS, PORTS[0]), listen),
            None => (format!("tcp://{listen}"), listen),
        }
    }

    /// Lets a transfer that survived its trouble come to its end.
    pub fn let_go(&self, row: &Row) {
        let Ok(kvm1) = self.site.lab.host("kvm1") else { return };
        for order in [["migrate-setmaxdowntime", "g1", "20000"], ["migrate-setspeed", "g1", "1000"]] {
            if row.stage() != Some(Stage::PostCopy) {
                // The daemon may be away, and the migration over.
                let _ = kvm1.virsh(&order);
            }
        }
    }

    /// Waits until the migration is where the row breaks it.
    pub fn until_under_way(&self, row: &Row) {
        match row.stage() {
            Some(Stage::Storage) => self.site.until("a part of the disk is copied", |site| {
                let info = site.lab.host("kvm1").and_then(|host| host.virsh(&["domjobinfo", "g1"])).unwrap_or_default();
                let copied = info.lines().find_map(|line| line.strip_prefix("File processed:")).unwrap_or_default();
                copied.contains("MiB")
            }),
            _ => self.site.until_copying("kvm1", "g1"),
        }
    }

    /// Breaks the migration that `driver` drives where the row wants it broken, and meanwhile waits for what comes of it.
    /// `switch` asks for post-copy.
    pub fn amid<T>(
        &self,
        row: &Row,
        (stage, fault): (Stage, &Fault),
        driver: u32,
        switch: impl FnOnce(&Site),
        wait: impl FnOnce(Instant) -> T,
    ) -> T {
        self.until_under_way(row);
        if stage == Stage::PostCopy {
            switch(&self.site);
            let switched = "the guest runs on the destination";
            self.site.until(switched, |site| site.state("kvm2", "g1").as_deref() == Some("running"));
        }
        let (struck, over) = (Instant::now(), AtomicBool::new(false));
        // A trouble lasts for a time of its own, and the end may come before it is over.
        std::thread::scope(|scope| {
            scope.spawn(|| {
                fault.strike(self, driver);
                while row.expected == Expected::Either && !over.load(Ordering::Relaxed) {
                    self.let_go(row);
                    std::thread::park_timeout(Duration::from_secs(1));
                }
            });
            let ended = wait(struck);
            over.store(true, Ordering::Relaxed);
            ended
        })
    }

    /// The guest's disk is what it was.
    pub fn same_content(&self, host: &str) -> Result<(), String> {
        match self.digest_on(host)? == self.digest {
            true => Ok(()),
            false => Err(format!("the content of {} on {host} is not what it was", self.image)),
        }
    }

    fn digest_on(&self, host: &str) -> Result<String, String> {
        let ran = self.site.lab.host(host).and_then(|host| host.run(&["sha256sum", &self.image]));
        let ran = ran.map_err(|e| e.to_string())?;
        let said = String::from_utf8_lossy(&ran.stdout).into_owned();
        let digest = said.split_whitespace().next().map(str::to_owned);
        digest.ok_or_else(|| format!("{} on {host}: {}", self.image, String::from_utf8_lossy(&ran.stderr)))
    }

    /// Forgets the image that a copied disk leaves where the domain was, as a person would before it comes back.
    pub fn forget_image(&self, host: &str) {
        let host = self.site.lab.host(host).expect("a host of the lab");
        let removed = host.run(&["rm", "-f", &self.image]).is_ok_and(|ran| ran.status.success());
        assert!(removed, "{} is removed", self.image);
    }

    /// Ends what is left of a guest that is lost, as a person would before it is started again, and keeps the source's
    /// definition of the two. That may take no order before the daemon is restarted: the job of the migration is still on it.
    pub fn end_what_is_left(&self) {
        for host in self.site.lab.hosts() {
            if self.site.state(host.name(), "g1").is_some_and(|state| state != "shut off") {
                self.site.virsh(host.name(), &["destroy", "g1"]);
            }
            host.kill_libvirtd().and_then(|()| host.start_libvirtd()).expect("its daemon is restarted");
        }
        self.site.virsh("kvm2", &["undefine", "g1"]);
    }

    /// The guest's state on a host with its reason, as virsh shows it; none where it is not, or the host can't be asked.
    pub fn shown(&self, host: &str) -> Option<String> {
        let shown = self.site.lab.host(host).and_then(|host| host.virsh(&["domstate", "g1", "--reason"]));
        shown.ok().map(|shown| shown.trim().to_owned())
    }

    /// Closes the destination's end of the stream, which nothing arrives on any more.
    pub fn close_stream(&self) {
        let peer = match self.relay {
            Some(_) => Relay::ADDRESS.to_owned(),
            None => host(&self.site, "kvm1").migration_ip(),
        };
        let closed = host(&self.site, "kvm2").run(&["ss", "-K", "dst", &peer]).expect("kvm2 has power");
        assert!(closed.status.success(), "{closed:?}");
    }

    /// Restarts libvirtd on the source: it then asks the hypervisor how the migration stands.
    pub fn restart_source_daemon(&self) {
        let kvm1 = host(&self.site, "kvm1");
        kvm1.kill_libvirtd().and_then(|()| kvm1.start_libvirtd()).expect("its daemon is restarted");
    }

    /// The small disk with the command's journal, as seen from here.
    pub fn store(&self) -> PathBuf {
        self.site.lab.host("kvm1").and_then(|host| host.inside(STORE)).expect("a way to it")
    }

    /// A virsh command that takes a document.
    pub fn virsh_with_file(&self, host: &str, command: &str, document: &str) {
        let path = self.site.plugin_folder().join("../document.xml");
        fs::write(&path, document).expect("written");
        self.site.virsh(host, &[command, &path.to_string_lossy()]);
    }
}

fn host(site: &Site, name: &str) -> Host {
    site.lab.host(name).expect("a host of the lab")
}

/// Has the command reach the hosts by their addresses on the management network, from now on.
fn put_on_the_cables(site: &Site) {
    let mut config = fs::read_to_string(site.config()).expect("the configuration is read");
    for host in site.lab.hosts() {
        let uri = |uri: &str| format!("\nuri = {uri:?}\n");
        config = config.replace(&uri(&host.uri_unix()), &uri(&host.uri_peer()));
    }
    fs::write(site.config(), config).expect("the configuration is written");
}

/// Has the command keep its journal there, from now on.
fn put_state_at(site: &Site, folder: &str) {
    let config = fs::read_to_string(site.config()).expect("the configuration is read");
    let lines = config.lines().map(|line| match line.starts_with(STATE) {
        true => format!("{STATE}{folder:?}\n"),
        false => format!("{line}\n"),
    });
    fs::write(site.config(), lines.collect::<String>()).expect("the configuration is written");
}

/// MiB/s, as the commands take it: a copied disk takes 16 s, and a pass over the busy guest's memory three.
fn bandwidth(row: &Row) -> String {
    if row.copies() { "4" } else { "40" }.to_owned()
}

/// The shipped policies that `make plugins` made.
fn shipped() -> impl Iterator<Item = String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins");
    let files = fs::read_dir(folder).expect("the shipped policies").map(|file| file.expect("an entry").path());
    files.filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
}
