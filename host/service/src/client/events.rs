//! What happens, as it happens: a stream of server-sent events that is taken up again where it was cut.

use std::pin::Pin;
use std::time::Duration;

use axum::http::{HeaderValue, Method, header};
use bytes::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use tokio::time::{Instant, sleep_until, timeout_at};
use waypost_api::v1::{Progress, RecordEvent};

use super::connection::{Again, Asked, Idle};
use super::error::ClientError;
use super::frames::{Frame, Frames};
use super::patience::{self, MOST, Patience};
use super::{Client, PATIENCE};

/// Silence after which a stream is taken for dead: a service says every 15 s that it is still there.
const SILENCE: Duration = Duration::from_secs(60);

/// A stream over which something still comes after so long is no longer in trouble, also where nothing happened. What comes at
/// once is said by a service that can do nothing else, too.
const LASTING: Duration = Duration::from_secs(10);

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// A record was written. None is ever left out, also not over an interruption.
    Record(Box<RecordEvent>),
    /// How far a running transfer is. The next one says all that this one said.
    Progress(Box<Progress>),
    /// The stream was cut, or could not be opened, for this reason; it is being taken up again.
    Interrupted(String),
    /// It was taken up, after the last record that was seen.
    Resumed,
}

/// A stream of events. Dropping it ends it.
pub struct Events {
    client: Client,
    path: String,
    /// The last record that was seen, or the place where the stream began.
    after: Option<u64>,
    patience: Duration,
    frames: Frames,
    /// Since it was cut, until it is seen that it goes on.
    trouble: Option<Patience>,
    state: State,
}

enum State {
    /// Never opened.
    New,
    /// On its way. It is kept here, so that whoever drops [`Events::next`] does not end it.
    Opening(Opening),
    /// It comes over this connection, which is the stream's alone; since then, and last heard of then.
    Open { body: Incoming, _connection: Idle, since: Instant, heard: Instant },
    /// It was cut, and is tried again at that moment.
    Cut { until: Instant },
}

type Opening = Pin<Box<dyn Future<Output = Result<(Incoming, Idle), NotOpened>> + Send>>;

/// Why it was not opened, and after how long to try again, as far as that is said.
type NotOpened = (ClientError, Option<Duration>);

impl Events {
    pub(super) fn new(client: Client, path: String, after: Option<u64>) -> Self {
        let (patience, frames) = (PATIENCE, Frames::default());
        Self { client, path, after, patience, frames, trouble: None, state: State::New }
    }

    /// For how long a stream that was cut, or can't be opened, is tried again; a minute by default. Being taken up again is not
    /// the end of that time, what comes afterwards is.
    #[must_use]
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// The last record that was seen, and before the first one the place where the stream began: from where another stream goes on.
    pub fn after(&self) -> Option<u64> {
        self.after
    }

    /// Has an open stream taken up again, for whoever knows of something that it should have told. [`Event::Resumed`] comes next.
    pub fn take_up_again(&mut self) {
        if matches!(self.state, State::Open { .. }) {
            let now = Instant::now();
            self.frames = Frames::default();
            self.trouble.get_or_insert_with(|| Patience::begun(now));
            self.state = State::Cut { until: now };
        }
    }

    /// The next event. A stream that was cut is taken up again; an error is what no waiting mends, or that the patience is over.
    /// The future may be dropped and asked for again: nothing is lost, and no bound begins anew.
    pub async fn next(&mut self) -> Result<Event, ClientError> {
        loop {
            if let Some(frame) = self.frames.take() {
                match self.event(&frame)? {
                    Some(event) => {
                        self.trouble = None;
                        return Ok(event);
                    }
                    None => continue,
                }
            }
            match &mut self.state {
                State::New => self.state = State::Opening(self.opening()),
                State::Opening(opening) => match opening.as_mut().await {
                    Ok((body, connection)) => {
                        let now = Instant::now();
                        self.state = State::Open { body, _connection: connection, since: now, heard: now };
                        if self.trouble.is_some() {
                            return Ok(Event::Resumed);
                        }
                    }
                    Err((error, said)) => {
                        if let Some(event) = self.cut(error, said)? {
                            return Ok(event);
                        }
                    }
                },
                State::Open { body, since, heard, .. } => {
                    let lost = match timeout_at(*heard + SILENCE, body.frame()).await {
                        Ok(Some(Ok(frame))) => {
                            *heard = Instant::now();
                            if *heard - *since >= LASTING {
                                self.trouble = None;
                            }
                            if let Ok(bytes) = frame.into_data() {
                                self.frames.put(&bytes).map_err(|why| self.client.wire.unclear(why))?;
                            }
                            continue;
                        }
                        Ok(Some(Err(error))) => self.client.wire.lost(&error),
                        Ok(None) => self.lost("the service ended it".to_owned()),
                        Err(_) => self.lost(format!("nothing came for {} s", SILENCE.as_secs())),
                    };
                    if let Some(event) = self.cut(lost, None)? {
                        return Ok(event);
                    }
                }
                State::Cut { until } => {
                    sleep_until(*until).await;
                    self.state = State::Opening(self.opening());
                }
            }
        }
    }

    /// Has it tried again, or says that this is no use. Answers whether it is news.
    fn cut(&mut self, why: ClientError, said: Option<Duration>) -> Result<Option<Event>, ClientError> {
        let now = Instant::now();
        let is_told = self.trouble.is_some() && matches!(self.state, State::Opening(_));
        let trouble = self.trouble.get_or_insert_with(|| Patience::begun(now));
        let again = trouble.next(now, self.patience, said).filter(|_| why.may_pass());
        // What came of an event before the cut comes again, whole.
        self.frames = Frames::default();
        // Whoever asks on all the same does not ask at once.
        self.state = State::Cut { until: again.unwrap_or(now + MOST) };
        match again {
            Some(_) => Ok((!is_told).then(|| Event::Interrupted(why.to_string()))),
            None => Err(why),
        }
    }

    fn lost(&self, why: String) -> ClientError {
        ClientError::Lost { address: self.client.address().clone(), why }
    }

    fn opening(&self) -> Opening {
        Box::pin(open(self.client.clone(), self.path.clone(), self.after))
    }

    /// None for a kind that is not known yet, and for a place alone.
    fn event(&mut self, frame: &Frame) -> Result<Option<Event>, ClientError> {
        if frame.data.is_empty() {
            // One that begins now and is cut before its first record would begin anew, later, and leave out what was between.
            self.after = frame.id.or(self.after);
            return Ok(None);
        }
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

async fn open(client: Client, path: String, after: Option<u64>) -> Result<(Incoming, Idle), NotOpened> {
    let mut headers = vec![("accept", HeaderValue::from_static("text/event-stream"))];
    headers.extend(after.map(|after| ("last-event-id", HeaderValue::from(after))));
    let asked = Asked { method: Method::GET, path, headers, body: Bytes::new(), again: Again::May };
    let (response, connection) = client.wire.open(&asked).await.map_err(|error| (error, None))?;
    let (parts, body) = response.into_parts();
    if !parts.status.is_success() {
        let body = http_body_util::Limited::new(body, 1 << 20).collect().await;
        let body = body.map_err(|error| (client.wire.lost(&*error), None))?.to_bytes();
        return Err((client.refused(&asked, parts.status, &body).await, patience::said(&parts.headers)));
    }
    let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("no type");
    let essence = kind.split(';').next().unwrap_or_default().trim();
    if !essence.eq_ignore_ascii_case("text/event-stream") {
        let why = format!("it answers {} with {kind}, which is no stream of events", asked.path);
        return Err((client.wire.unclear(why), None));
    }
    Ok((body, connection))
}
