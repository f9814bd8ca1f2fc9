//! A task that is followed through a service, whatever becomes of the stream that tells of it.

use std::io::{Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::remote::{Both, SOCKET};
use super::support::{Running, SLOW};

/// Only so that a test in which nothing comes ends.
const LONG: Duration = Duration::from_secs(120);

/// What stands between a client and a service: it passes everything on, tells of each stream of events that is asked for and of each
/// record that went over one, and can cut those that are open.
struct Between {
    socket: PathBuf,
    streams: Arc<Mutex<Vec<UnixStream>>>,
    asked: Receiver<String>,
    records: Receiver<()>,
}

impl Between {
    fn start(both: &Both) -> Self {
        let (socket, service) = (both.site.path("between.sock"), both.site.path(SOCKET));
        let listener = UnixListener::bind(&socket).expect("a socket");
        let (streams, (tell, asked), (heard, records)) = (Arc::default(), channel(), channel());
        let open = Arc::clone(&streams);
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(service)) = (client, UnixStream::connect(&service)) else { return };
                let (from, to) = (service.try_clone().expect("a copy"), client.try_clone().expect("a copy"));
                let heard = heard.clone();
                thread::spawn(move || pass(from, to, |told| note_record(told, &heard)));
                let (open, tell, to_cut) = (Arc::clone(&open), tell.clone(), client.try_clone().expect("a copy"));
                thread::spawn(move || pass(client, service, |asked| note(asked, &to_cut, &open, &tell)));
            }
        });
        Self { socket, streams, asked, records }
    }

    /// The head of the next stream that is asked for.
    fn asked(&self) -> String {
        self.asked.recv_timeout(LONG).expect("a stream of events is asked for")
    }

    /// Waits until a record has gone to the client, which has it even where it is cut off then.
    fn told(&self) {
        self.records.recv_timeout(LONG).expect("a record is told");
    }

    fn cut(&self) {
        for stream in self.streams.lock().expect("the streams").drain(..) {
            stream.shutdown(Shutdown::Both).expect("it is cut");
        }
    }
}

/// Passes on what comes, until either end is closed.
fn pass(mut from: UnixStream, mut to: UnixStream, see: impl Fn(&[u8])) {
    let mut piece = [0; 1 << 16];
    while let Ok(read @ 1..) = from.read(&mut piece) {
        if to.write_all(&piece[..read]).is_err() {
            break;
        }
        see(&piece[..read]);
    }
    // Also while the other direction waits for something.
    let _ = to.shutdown(Shutdown::Both);
}

/// A request comes as one piece: it is small.
fn note(asked: &[u8], client: &UnixStream, open: &Mutex<Vec<UnixStream>>, tell: &Sender<String>) {
    let head = String::from_utf8_lossy(asked).to_lowercase();
    if head.starts_with("get ") && head.lines().next().is_some_and(|line| line.contains("/events")) {
        open.lock().expect("the streams").push(client.try_clone().expect("a copy"));
        // Whoever cares has gone at the end.
        let _ = tell.send(head);
    }
}

fn note_record(told: &[u8], heard: &Sender<()>) {
    if String::from_utf8_lossy(told).contains("event: record") {
        let _ = heard.send(());
    }
}

#[test]
fn a_stream_that_dies_while_the_task_waits_for_its_turn_is_taken_up_after_the_last_record() {
    let more =
        |name: &str, memory: u32| format!("[[domain]]\nname = \"{name}\"\nhost = \"a\"\nmemory_mib = {memory}\n");
    let both = Both::new(&format!("{SLOW}{}{}", more("g2", 4096), more("small", 16)));
    let ids: Vec<String> = ["g1", "g2"].map(|domain| both.detached(&["migrate", domain, "--to", "b"])).into();
    let between = Between::start(&both);
    let address = format!("unix:{}", between.socket.display());
    let mut following = Running::of(both.site.asking(&address, &["migrate", "small", "--to", "b"]));
    following.wait_for_note("task ");
    assert!(!between.asked().contains("last-event-id"), "from its first record on");
    // Two from a host at once; it is the third.
    following.wait_for_note("waiting for a slot: 1st");
    between.told();

    between.cut();
    following.wait_for_note("the task goes on, and so does this as soon as it can");
    following.wait_for_note("connected again");
    let again = between.asked();
    assert!(again.contains("\r\nlast-event-id: "), "{again}");
    assert!(both.through(&["tasks", "--unfinished"]).out.contains("waiting (place 1)"));

    assert_eq!(both.through(&["cancel", &ids[0]]).code, 0);
    let ran = following.end();
    assert_eq!(ran.code, 0, "{}\n{}", ran.out, ran.err);
    assert!(ran.out.contains("completed: small is running on b"), "{}", ran.out);
    assert_eq!(both.through(&["cancel", &ids[1]]).code, 0);
}
