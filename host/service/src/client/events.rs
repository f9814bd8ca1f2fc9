//! What happens, as it happens: a stream of server-sent events that is taken up again where it was cut.

use std::time::Duration;

use axum::http::{HeaderValue, Method};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until, timeout};
use waypost_api::v1::{Progress, RecordEvent};

use super::Client;
use super::connection::{Again, Asked, Idle};
use super::error::ClientError;
use super::frames::{Frame, Frames};

/// Silence after which a stream is taken for dead: a service says every 15 s that it is still there.
const SILENCE: Duration = Duration::from_secs(60);

/// Between two tries to take it up again: at first, and at most.
const FIRST: Duration = Duration::from_millis(250);
const MOST: Duration = Duration::from_secs(5);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A record was written. None is ever left out, also not over an interruption.
    Record(Box<RecordEvent>),
    /// How far a running transfer is. The next one says all that this one said.
    Progress(Box<Progress>),
    /// The stream was cut, for this reason, and is being taken up again.
    Interrupted(String),
    /// It was taken up again, after the last record that was seen.
    Resumed,
}

/// A stream of events. Dropping it ends it.
pub struct Events {
    client: Client,
    path: String,
    /// The last record that was seen.
    after: Option<u64>,
    patience: Duration,
    frames: Frames,
    state: State,
}

enum State {
    /// Never opened.
    New,
    /// It comes over this connection, which is the stream's alone.
    Open { body: Incoming, _connection: Idle },
    /// It was cut then, and is tried again at that moment; for the last try that failed, how long was waited for it.
    Cut { since: Instant, next: Instant, waited: Duration },
}

impl Events {
    pub(super) fn new(client: Client, path: String, after: Option<u64>) -> Self {
        let (patience, frames) = (Duration::from_secs(60), Frames::default());
        Self { client, path, after, patience, frames, state: State::New }
    }

    /// For how long a stream that was cut is tried again; a minute by default.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The last record that was seen: from where another stream goes on.
    pub fn after(&self) -> Option<u64> {
        self.after
    }

    /// The next event. A stream that was cut is taken up again; an error is what no waiting mends, or that the patience is over.
    /// The future may be dropped and asked for again: nothing is lost.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(frame) = self.frames.take() {
                match self.event(&frame)? {
                    Some(event) => return Ok(event),
                    None => continue,
                }
            }
            match &mut self.state {
                State::New => self.state = self.open().await?,
                State::Open { body, .. } => match timeout(SILENCE, body.frame()).await {
                    Ok(Some(Ok(frame))) => {
                        if let Ok(bytes) = frame.into_data() {
                            self.frames.put(&bytes).map_err(|why| self.client.wire.unclear(why))?;
                        }
                    }
                    Ok(Some(Err(error))) => {
                        let why = self.client.wire.lost(&error).to_string();
                        return Ok(self.cut(why));
                    }
                    Ok(None) => return Ok(self.cut("the service ended it".to_owned())),
                    Err(_) => return Ok(self.cut(format!("nothing came for {} s", SILENCE.as_secs()))),
                },
                State::Cut { since, next, waited } => {
                    let (since, next, waited) = (*since, *next, *waited);
                    sleep_until(next).await;
                    match self.open().await {
                        Ok(open) => {
                            self.state = open;
                            return Ok(Event::Resumed);
                        }
                        Err(error) if error.may_pass() && since.elapsed() < self.patience => {
                            let waited = (waited * 2).min(MOST);
                            self.state = State::Cut { since, next: Instant::now() + waited, waited };
                        }
                        Err(error) => return Err(error),
                    }
                }
            }
        }
    }

    fn cut(&mut self, why: String) -> Event {
        let now = Instant::now();
        // What came of an event before the cut comes again, whole.
        self.frames = Frames::default();
        self.state = State::Cut { since: now, next: now + FIRST, waited: FIRST };
        Event::Interrupted(why)
    }

    async fn open(&self) -> Result<State, ClientError> {
        let mut headers = vec![("accept", HeaderValue::from_static("text/event-stream"))];
        headers.extend(self.after.map(|after| ("last-event-id", HeaderValue::from(after))));
        let asked =
            Asked { method: Method::GET, path: self.path.clone(), headers, body: Bytes::new(), again: Again::May };
        let (response, connection) = self.client.wire.open(&asked).await?;
        if response.status().is_success() {
            return Ok(State::Open { body: response.into_body(), _connection: connection });
        }
        let (parts, body) = response.into_parts();
        let body = http_body_util::Limited::new(body, 1 << 20).collect().await;
        let body = body.map_err(|error| self.client.wire.lost(&*error))?.to_bytes();
        Err(self.client.refused(&asked, parts.status, &body).await)
    }

    /// None for a kind that is not known yet.
    fn event(&mut self, frame: &Frame) -> Result<Option<Event>, ClientError> {
        let unclear = |error: serde_json::Error| {
            self.client.wire.unclear(format!("an event {} can't be read: {error}", frame.kind))
        };
        let event = match frame.kind.as_str() {
            "record" => {
                let record: RecordEvent = serde_json::from_str(&frame.data).map_err(unclear)?;
                self.after = Some(record.sequence);
                Event::Record(Box::new(record))
            }
            "progress" => Event::Progress(Box::new(serde_json::from_str(&frame.data).map_err(unclear)?)),
            _ => return Ok(None),
        };
        Ok(Some(event))
    }
}
