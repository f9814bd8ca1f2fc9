//! A connection that is kept: for one answer after the other, or for a stream of events.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use super::network::{Back, Network};

/// Far longer than anything here takes.
const MOST: Duration = Duration::from_secs(120);

pub struct Kept {
    stream: StreamOwned<ClientConnection, TcpStream>,
    heard: Vec<u8>,
    until: Instant,
}

impl Kept {
    pub fn open(client: &Network) -> Self {
        let stream = client.connect();
        stream.sock.set_read_timeout(Some(MOST)).unwrap();
        Self { stream, heard: Vec::new(), until: Instant::now() + MOST }
    }

    /// A stream of events, which is heard to be there.
    pub fn listening(client: &Network, path: &str, headers: &[&str]) -> Self {
        let mut kept = Self::open(client);
        kept.say(path, headers);
        while !String::from_utf8_lossy(&kept.heard).contains("still here") {
            kept.hear();
        }
        kept
    }

    fn say(&mut self, path: &str, headers: &[&str]) {
        let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
        write!(self.stream, "GET /api/v1{path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n").unwrap();
    }

    fn hear(&mut self) {
        let mut piece = [0; 4096];
        let read = self.stream.read(&mut piece).unwrap();
        let heard = String::from_utf8_lossy(&self.heard);
        assert!(read > 0 && Instant::now() < self.until, "{heard}");
        self.heard.extend(&piece[..read]);
    }

    /// Waits until the stream of events has ended, and the answer with it.
    pub fn ends(mut self) {
        // The last piece of a body without a length is an empty one.
        while !self.heard.ends_with(b"\r\n0\r\n\r\n") {
            self.hear();
        }
    }

    /// Several things more come.
    pub fn goes_on(&mut self) {
        let before = self.heard.len();
        while self.heard.len() < before + 300 {
            self.hear();
        }
        assert!(!self.heard.ends_with(b"\r\n0\r\n\r\n"), "{}", String::from_utf8_lossy(&self.heard));
    }

    /// Asks, and reads one whole answer.
    pub fn get(&mut self, path: &str, headers: &[&str]) -> Back {
        self.heard.clear();
        self.say(path, headers);
        loop {
            self.hear();
            let Some(back) = Back::of(&self.heard) else { continue };
            let length = back.header("content-length").map_or(0, |length| length.parse().unwrap());
            if back.body.len() >= length {
                return back;
            }
        }
    }

    /// Whether the other side has closed it.
    pub fn closed(mut self) -> bool {
        match self.stream.read(&mut [0]) {
            Ok(read) => read == 0,
            // Nothing comes is another thing than that nothing can come.
            Err(error) => !matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut),
        }
    }
}
