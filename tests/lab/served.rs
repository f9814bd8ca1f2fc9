//! The service as a unit runs it, over real hosts: told to stop, it leaves the transfer to them, and whoever is started next finds it
//! there and brings it to its end. That simulated hosts do the same is tried in `tests/service/adopted.rs`.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use serde_json::{Value, json};

use crate::failures::interrupt;
use crate::site::Site;

/// `waypost serve` over the hosts of a lab. It is killed if the test ends first.
struct Serving {
    child: Child,
    socket: PathBuf,
    log: PathBuf,
}

impl Serving {
    fn start(site: &Site, name: &str) -> Self {
        let socket = site.config().with_file_name("waypost.sock");
        let log = site.config().with_file_name(name);
        let mut command = site.command(&["serve", "--socket"]);
        command.arg(&socket).stdin(Stdio::null()).stdout(Stdio::null());
        command.stderr(File::create(&log).expect("a file for what it says"));
        let mut serving = Self { child: command.spawn().expect("the service starts"), socket, log };
        site.until("it answers", |_| {
            let ended = serving.child.try_wait().expect("it can be waited for");
            assert!(ended.is_none(), "it ended ({ended:?}):\n{}", serving.said());
            UnixStream::connect(&serving.socket).is_ok()
        });
        serving
    }

    fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// One request; its status and what it was answered.
    fn ask(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = UnixStream::connect(&self.socket).expect("the service listens");
        let head = format!("{method} /api/v1{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close");
        let length = body.len();
        write!(stream, "{head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
            .expect("the request is sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("the answer is read");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {answer}")))
    }

    fn get(&self, path: &str) -> Value {
        let (status, body) = self.ask("GET", path, &Value::Null);
        assert_eq!(status, 200, "{body}");
        body
    }

    /// As systemd stops it.
    fn stop(mut self) {
        interrupt(self.child.id(), "TERM");
        let status = self.child.wait().expect("it can be waited for");
        assert!(status.success(), "{status}:\n{}", self.said());
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // Already gone is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Bytes that libvirt has moved in the job of the guest on the first host; none where there is no job.
fn moved(site: &Site) -> Option<u64> {
    let said = site.lab.host("kvm1").and_then(|host| host.virsh(&["domjobinfo", "g1", "--rawstats"])).ok()?;
    said.lines().find_map(|line| {
        let (name, value) = line.split_once([':', '='])?;
        if name.trim() == "memory_processed" { value.trim().parse().ok() } else { None }
    })
}

#[test]
fn a_service_that_is_stopped_leaves_the_transfer_to_the_hosts_and_the_next_brings_it_to_its_end() {
    // No policy may bring it to its end meanwhile.
    let site = Site::with(2, "\n[plugin.convergence-adaptive]\nmode = \"shadow\"\n");
    site.busy_guest("g1");
    let first = Serving::start(&site, "first.log");
    let new = json!({"domain": "g1", "to": "kvm2", "options": {"bandwidth_mib_s": 20}});
    let (status, task) = first.ask("POST", "/tasks", &new);
    assert_eq!(status, 202, "{task}");
    let path = format!("/tasks/{}", task["id"].as_str().expect("an id"));
    site.until_copying("kvm1", "g1");
    let mut progress = vec![first.get(&path)["progress"].as_f64()];
    first.stop();

    // Nobody drives it, and the hosts go on.
    let before = moved(&site).expect("the job goes on");
    site.until("more of it was copied", |site| moved(site).expect("the job goes on") > before);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    let listed = site.waypost(&["tasks", "--json"]).expect_code(0).json();
    assert_eq!((&listed["tasks"][0]["id"], &listed["tasks"][0]["outcome"]), (&task["id"], &Value::Null), "{listed:#}");

    let second = Serving::start(&site, "second.log");
    site.virsh("kvm1", &["migrate-setmaxdowntime", "g1", "20000"]);
    let mut now = second.get(&path);
    while now["phase"] != "ended" {
        progress.push(now["progress"].as_f64());
        // A long poll: it ends with news.
        now = second.get(&format!("{path}?since={}&wait=30", now["sequence"]));
    }
    progress.push(now["progress"].as_f64());
    assert_eq!(now["status"], "completed", "{now:#}\n{}", second.said());
    assert!(progress.is_sorted() && progress.last() == Some(&Some(100.0)), "{progress:?}");
    let records = second.get(&format!("{path}/records"));
    let journal = records["journal"].as_array().expect("a journal");
    let count = |record: &str| journal.iter().filter(|entry| entry["record"] == record).count();
    assert_eq!((count("perform-intended"), count("adopted"), count("ended")), (1, 1, 1), "{records:#}");
    assert_eq!((site.state("kvm1", "g1"), site.state("kvm2", "g1").as_deref()), (None, Some("running")));
    site.assert_one_counting_guest("g1");
    second.stop();
}
