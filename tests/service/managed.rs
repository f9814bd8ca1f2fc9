//! `waypost serve` as a service manager starts it: what it tells, the watchdog, a socket that is handed over, one service per
//! state folder.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::support::Program;
use super::support::command::{self, TWO_HOSTS};

/// Whoever started the program, listening for what it tells.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn new(site: &command::Site) -> Self {
        let socket = UnixDatagram::bind(site.path("notify")).unwrap();
        // Only so that a test whose program says nothing ends.
        socket.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
        Self { socket }
    }

    /// The command, told to tell.
    fn command(site: &command::Site) -> Command {
        let mut command = site.command(&["serve", "--socket", "waypost.sock"]);
        command.env("NOTIFY_SOCKET", site.path("notify"));
        command
    }

    /// The next message that is not for the watchdog.
    fn told(&self) -> String {
        loop {
            let told = self.anything();
            if told != "WATCHDOG=1\n" {
                return told;
            }
        }
    }

    fn anything(&self) -> String {
        let mut message = [0; 4096];
        let length = self.socket.recv(&mut message).expect("the program tells something");
        String::from_utf8(message[..length].to_vec()).unwrap()
    }
}

#[test]
fn it_tells_when_it_listens_when_it_reads_again_and_when_it_stops() {
    let site = command::Site::new(TWO_HOSTS);
    let manager = Manager::new(&site);
    let program = Program::of(Manager::command(&site), site.path("waypost.sock"));
    let ready = manager.told();
    assert!(ready.starts_with("READY=1\nSTATUS=listening on ") && ready.ends_with("waypost.sock\n"), "{ready}");
    assert_eq!(program.get("/system/health")["ok"], true);
    program.running.signal("HUP");
    let reloading = manager.told();
    let since = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap().trim_end();
    assert!(since.parse::<u64>().unwrap() > 0);
    assert_eq!(manager.told(), ready);
    // One that can't be used is seen in the status too, in one line.
    site.write("waypost.toml", "[nonsense]\n");
    program.running.signal("HUP");
    assert!(manager.told().starts_with("RELOADING=1"));
    let status = manager.told();
    assert!(status.starts_with("READY=1\nSTATUS=") && status.contains("can't be used"), "{status}");
    assert_eq!(status.lines().count(), 2, "{status}");
    assert_eq!(program.end("TERM").code, 0);
    assert!(manager.told().starts_with("STOPPING=1\nSTATUS=stopping"));
}

#[test]
fn the_watchdog_is_fed_as_long_as_the_service_answers() {
    let site = command::Site::new(TWO_HOSTS);
    let manager = Manager::new(&site);
    let mut command = Manager::command(&site);
    command.env("WATCHDOG_USEC", "3000000");
    let program = Program::of(command, site.path("waypost.sock"));
    assert!(manager.told().starts_with("READY=1"));
    for _ in 0..3 {
        assert_eq!(manager.anything(), "WATCHDOG=1\n");
    }
    // Nobody can come in by a socket whose file is gone, whatever the loops inside do.
    fs::remove_file(&program.socket).unwrap();
    let mut running = program.running;
    running.wait_for_note("its watchdog is not fed");
    running.signal("TERM");
    assert_eq!(running.end().code, 0);
}

/// The command with a descriptor handed over as systemd does it, under these names.
fn handed_over(site: &command::Site, descriptor: OwnedFd, names: &[&str]) -> Command {
    let plain = site.command(&["serve"]);
    let also = if names.len() > 1 { "exec 4<&3;" } else { "" };
    let script = format!("exec 3<&0 </dev/null; {also} export LISTEN_PID=$$; exec \"$0\" \"$@\"");
    let mut command = Command::new("sh");
    command.args(["-c", &script]).arg(plain.get_program()).args(plain.get_args());
    command.current_dir(site.path("")).env("HOME", site.path("")).env_remove("NOTIFY_SOCKET");
    command.env("LISTEN_FDS", names.len().to_string()).env("LISTEN_FDNAMES", names.join(":"));
    command.stdin(Stdio::from(descriptor));
    command
}

#[test]
fn a_socket_that_is_handed_over_is_served_and_left_where_it_is() {
    let site = command::Site::new(TWO_HOSTS);
    let path = site.path("handed.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let start = || {
        let command = handed_over(&site, OwnedFd::from(listener.try_clone().unwrap()), &["waypost.socket"]);
        Program::of(command, path.clone())
    };
    // Whoever comes before the program is there waits, and is served first.
    let mut early = UnixStream::connect(&path).unwrap();
    std::io::Write::write_all(&mut early, b"GET /api/v1/system/version HTTP/1.0\r\n\r\n").unwrap();
    let program = start();
    let mut answer = String::new();
    std::io::Read::read_to_string(&mut early, &mut answer).unwrap();
    assert!(answer.contains("200 OK") && answer.contains("\"waypost\""), "{answer}");
    // Who it is, the kernel says here as well.
    let id = program.migrate("g1", "b");
    let ended = program.until(&id, |status| status["phase"] == "ended");
    let whoami = Command::new("id").arg("-un").output().unwrap();
    assert_eq!(ended["requested_by"], String::from_utf8(whoami.stdout).unwrap().trim());
    let ran = program.end("TERM");
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.err.contains("handed.sock, which was handed over"), "{}", ran.err);
    assert!(path.exists(), "it is not the program's to remove");
    let program = start();
    assert_eq!(program.get("/system/health")["ok"], true);
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn what_is_no_single_socket_to_listen_on_is_not_taken() {
    let site = command::Site::new(TWO_HOSTS);
    let refused = |mut command: Command| {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        String::from_utf8(output.stderr).unwrap()
    };
    let no_socket = refused(handed_over(&site, OwnedFd::from(File::open("/dev/null").unwrap()), &["x"]));
    assert!(no_socket.contains("no Unix socket to listen on"), "{no_socket}");
    let (end, _other) = UnixStream::pair().unwrap();
    let connected = refused(handed_over(&site, OwnedFd::from(end), &["x"]));
    assert!(connected.contains("no Unix socket to listen on"), "{connected}");
    let listener = UnixListener::bind(site.path("two.sock")).unwrap();
    let two = refused(handed_over(&site, OwnedFd::from(listener), &["one", "other"]));
    assert!(two.contains("2 sockets were handed over (one, other)"), "{two}");
}

#[test]
fn a_state_folder_has_one_service() {
    let site = command::Site::new(TWO_HOSTS);
    let first = Program::start(&site);
    let second = site.expect(1, &["serve", "--socket", "other.sock"]);
    let process = first.running.child.id();
    assert!(second.err.contains(&format!("another service (process {process}) works over it")), "{}", second.err);
    assert!(second.err.contains("state_dir"), "{}", second.err);
    assert!(!site.path("other.sock").exists());
    let tried = site.document(0, &["serve", "--socket", "other.sock", "--check"]);
    assert!(tried["notes"][0].as_str().unwrap().contains("works over this state folder"), "{tried}");
    assert_eq!(first.get("/system/health")["ok"], true, "the first one is as it was");
    first.end("KILL");
    let third = Program::of(site.command(&["serve", "--socket", "other.sock"]), site.path("other.sock"));
    assert_eq!(third.end("TERM").code, 0);
}

#[test]
fn a_running_service_is_backed_up_and_never_restored() {
    let site = command::Site::new(TWO_HOSTS);
    let program = Program::start(&site);
    let id = program.migrate("g1", "b");
    program.until(&id, |status| status["phase"] == "ended");
    assert_eq!(site.document(0, &["state", "backup", "b.db"])["tasks"], 1);
    let refused = site.expect(1, &["state", "restore", "b.db"]);
    assert!(refused.err.contains("another service (process "), "{}", refused.err);
    assert_eq!(site.document(0, &["state", "prune", "--older-than", "0m"])["tasks"], 1);
    let (status, _) = program.ask("GET", &format!("/tasks/{id}"), &Value::Null);
    assert_eq!(status, 404);
    assert_eq!(program.end("TERM").code, 0);
    site.expect(0, &["state", "restore", "b.db"]);
    let program = Program::start(&site);
    assert_eq!(program.get(&format!("/tasks/{id}"))["status"], "completed");
    assert_eq!(program.end("TERM").code, 0);
}
