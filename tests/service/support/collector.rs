//! A collector of traces on this machine: plain HTTP, one request per connection, and every answer that a test wants.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

/// What was sent to it.
pub struct Sent {
    pub head: String,
    pub body: Value,
}

/// A collector, until it is dropped.
pub struct Collector {
    pub address: SocketAddr,
    /// What it answers.
    pub status: Arc<AtomicU16>,
    sent: Mutex<Receiver<Sent>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Collector {
    pub fn start() -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    pub fn on(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let (tell, sent) = channel();
        let (status, over) = (Arc::new(AtomicU16::new(200)), Arc::new(AtomicBool::new(false)));
        let thread = {
            let (status, over) = (Arc::clone(&status), Arc::clone(&over));
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if over.load(Ordering::Acquire) {
                        return;
                    }
                    answer(stream.unwrap(), status.load(Ordering::Acquire), &tell);
                }
            })
        };
        Self { address, status, sent: Mutex::new(sent), over, thread: Some(thread) }
    }

    pub fn endpoint(&self) -> String {
        format!("http://{}/v1/traces", self.address)
    }

    /// The next request.
    pub fn next(&self) -> Sent {
        self.sent.lock().unwrap().recv_timeout(Duration::from_secs(120)).expect("a trace comes")
    }

    /// Whether nothing came that was not taken yet.
    pub fn is_quiet(&self) -> bool {
        matches!(self.sent.lock().unwrap().recv_timeout(Duration::ZERO), Err(RecvTimeoutError::Timeout))
    }
}

impl Drop for Collector {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        // So that it looks.
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

fn answer(stream: TcpStream, status: u16, tell: &Sender<Sent>) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    loop {
        let mut line = String::new();
        // Whoever ends before its request did not ask.
        if reader.read_line(&mut line).unwrap() == 0 {
            return;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line.to_lowercase());
    }
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let body = serde_json::from_slice(&body).unwrap();
    let mut stream = reader.into_inner();
    write!(stream, "HTTP/1.1 {status} told\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{{}}")
        .unwrap();
    // The test may be over.
    let _ = tell.send(Sent { head, body });
}
