//! Listeners to events, each on a connection of its own, that note the numbers of what they hear.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt as _;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio_rustls::rustls::ClientConfig;

use super::program::{Tls, send};

/// For all of them to come, and to hear the last of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// Listeners that listen.
pub struct Listeners {
    after: u64,
    /// The number that they are to hear before they go.
    until: watch::Sender<Option<u64>>,
    all: JoinSet<Vec<u64>>,
}

impl Listeners {
    /// So many, each of which is answered already, to what comes after that number.
    pub async fn begin(count: usize, address: SocketAddr, tls: &Tls, token: &str, after: u64) -> Self {
        let (until, told) = watch::channel(None);
        let (come, mut here) = mpsc::channel(count);
        let mut all = JoinSet::new();
        for _ in 0..count {
            all.spawn(listen(address, tls.client(), token.to_owned(), after, come.clone(), told.clone()));
        }
        drop(come);
        for listener in 0..count {
            let came = tokio::time::timeout(PATIENCE, here.recv()).await;
            assert_eq!(came, Ok(Some(())), "listener {listener} of {count} is let in");
        }
        Self { after, until, all }
    }

    /// Lets them go once each has heard that number; answers how many records all of them heard.
    pub async fn end(mut self, last: u64) -> u64 {
        self.until.send_replace(Some(last));
        let mut heard = 0;
        while let Some(listened) =
            tokio::time::timeout(PATIENCE, self.all.join_next()).await.expect("every listener hears the last record")
        {
            let numbers = listened.expect("it listens to the end");
            let all: Vec<u64> = (self.after + 1..).take(numbers.len()).collect();
            assert_eq!(numbers, all, "nothing is left out, nothing out of order");
            assert!(numbers.last().copied().unwrap_or(self.after) >= last.max(self.after));
            heard += numbers.len() as u64;
        }
        heard
    }
}

/// Listens until it has heard the number that is told; answers the numbers of all records.
async fn listen(
    address: SocketAddr,
    tls: Arc<ClientConfig>,
    token: String,
    after: u64,
    come: mpsc::Sender<()>,
    mut until: watch::Receiver<Option<u64>>,
) -> Vec<u64> {
    let request = Request::get("/api/v1/events")
        .header("host", "localhost")
        .header("authorization", format!("Bearer {token}"))
        .header("last-event-id", after.to_string())
        .body(Body::empty())
        .expect("a request");
    let (response, _connection) = send(address, tls, request).await;
    assert_eq!(response.status(), 200);
    let mut body = response.into_body();
    come.send(()).await.expect("somebody counts");
    drop(come);
    let (mut numbers, mut text) = (Vec::new(), String::new());
    loop {
        let heard: u64 = numbers.last().copied().unwrap_or(after);
        if until.borrow_and_update().is_some_and(|last| heard >= last) {
            return numbers;
        }
        tokio::select! {
            frame = body.frame() => {
                let frame = frame.expect("the stream goes on").expect("it can be read");
                text.push_str(&String::from_utf8_lossy(frame.data_ref().map_or(&[][..], |data| &data[..])));
                while let Some((line, rest)) = text.split_once('\n') {
                    // The first number is the place where the stream begins.
                    let number = line.strip_prefix("id: ").and_then(|number| number.parse().ok());
                    numbers.extend(number.filter(|number: &u64| *number != after));
                    text = rest.to_owned();
                }
            }
            changed = until.changed() => changed.expect("somebody tells when it is over"),
        }
    }
}
