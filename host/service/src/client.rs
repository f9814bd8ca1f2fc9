//! A client of a service, for programs and for the command: typed calls, and a stream of events that goes on where it was cut.
//!
//! It speaks to a Unix socket or over TLS, and to nothing else, follows no redirect and asks no proxy: where a service is, somebody
//! has said. Connections are kept, waits and answers are bounded, and each error says whether something can be done about it.
//!
//! ```no_run
//! use waypost_service::client::{Client, Credentials};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new("unix:/run/waypost/waypost.sock".parse()?, &Credentials::default())?;
//! for host in client.hosts().await?.hosts {
//!     println!("{}: {}", host.name, host.error.as_deref().unwrap_or("answers"));
//! }
//! # Ok(())
//! # }
//! ```

mod address;
mod alert;
mod connection;
mod credentials;
mod error;
mod events;
mod frames;
mod patience;

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderValue, Method, StatusCode};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep_until};
use tokio_rustls::TlsConnector;
use waypost_api::v1;
use waypost_core::ids::TaskId;

pub use address::Address;
pub use alert::NotLetIn;
pub use credentials::{Credentials, Token};
pub use error::{Cause, ClientError, Distrust};
pub use events::{Event, Events};

use connection::{Again, Asked, Wire};
use patience::Patience;

/// Items of a page that is asked for: the most that a service gives.
const PAGE: u32 = 500;

/// For so long in all a request that may be repeated is asked again of a service that has too much to do.
const BUSY: Duration = Duration::from_secs(30);

/// For so long a stream of events that was cut is tried again, unless something else is said: a service is started anew in less.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A client. Cheap to clone; all clones share its connections. Used inside a tokio runtime.
#[derive(Clone)]
pub struct Client {
    wire: Arc<Wire>,
    /// For so long requests are asked again of a service that is away.
    absence: Duration,
}

impl Client {
    /// A client of the service there. Reads the files of the credentials; connects when it is first asked something.
    pub fn new(address: Address, credentials: &Credentials) -> Result<Self, ClientError> {
        let tls = match &address {
            Address::Socket(_) => None,
            Address::Port { .. } => Some(TlsConnector::from(credentials.tls()?)),
        };
        let token = credentials.token.as_ref().and_then(Token::header);
        Ok(Self { wire: Arc::new(Wire::new(address, tls, token)), absence: Duration::ZERO })
    }

    /// The same client, over the same connections, whose requests are asked again for so long also of a service that is away: those
    /// that may be repeated. Without it only of one that says that it has too much to do.
    #[must_use]
    pub fn with_patience(self, absence: Duration) -> Self {
        Self { absence, ..self }
    }

    /// Where its service is.
    pub fn address(&self) -> &Address {
        &self.wire.address
    }

    /// Which program answers.
    pub async fn version(&self) -> Result<v1::Version, ClientError> {
        self.get("/system/version").await
    }

    /// Who the caller is there, and what that permits.
    pub async fn whoami(&self) -> Result<v1::Whoami, ClientError> {
        self.get("/session").await
    }

    /// All hosts that the caller reaches.
    pub async fn hosts(&self) -> Result<v1::Hosts, ClientError> {
        self.get("/hosts").await
    }

    /// The domains of all of them.
    pub async fn domains(&self) -> Result<v1::Domains, ClientError> {
        self.get("/domains").await
    }

    /// The domains of one host.
    pub async fn domains_of(&self, host: &str) -> Result<v1::Domains, ClientError> {
        self.get(&format!("/hosts/{}/domains", encoded(host))).await
    }

    /// What the rules say. Nothing is touched.
    pub async fn check(&self, asked: &v1::NewCheck) -> Result<v1::Check, ClientError> {
        self.post("/checks", Some(asked), Again::May, None).await
    }

    /// Every choice of a migration, before it is made. Nothing is touched.
    pub async fn dry_run(&self, asked: &v1::NewTask) -> Result<v1::DryRun, ClientError> {
        self.post("/dry-runs", Some(asked), Again::May, None).await
    }

    /// Has a migration taken on. The key is the caller's to choose, 1 to 255 visible ASCII characters: with the same one the same
    /// request comes to the same task, however often it is made.
    pub async fn create(&self, asked: &v1::NewTask, key: &str) -> Result<v1::TaskStatus, ClientError> {
        let value =
            HeaderValue::from_str(key).map_err(|error| self.wire.unclear(format!("the key {key:?}: {error}")))?;
        self.post("/tasks", Some(asked), Again::May, Some(("idempotency-key", value))).await
    }

    /// The tasks that the caller sees, newest first: all, or those that are not over.
    pub async fn tasks(&self, which: Which) -> Result<Vec<v1::TaskBrief>, ClientError> {
        let mut query = format!("?limit={PAGE}");
        if which == Which::Unfinished {
            query.push_str("&state=unfinished");
        }
        let (mut all, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: v1::TaskPage = self.get(&format!("/tasks{query}{cursor}")).await?;
            all.extend(page.tasks);
            match page.next {
                Some(next) => cursor = format!("&cursor={}", encoded(&next)),
                None => return Ok(all),
            }
        }
    }

    /// What goes on right now, on one page.
    pub async fn top(&self) -> Result<v1::Top, ClientError> {
        self.get("/top").await
    }

    /// A task as it stands.
    pub async fn task(&self, id: TaskId) -> Result<v1::TaskStatus, ClientError> {
        self.get(&format!("/tasks/{id}")).await
    }

    /// The same as soon as there is something newer than that `sequence`, or after so long, at most a minute.
    pub async fn news(&self, id: TaskId, since: u64, most: Duration) -> Result<v1::TaskStatus, ClientError> {
        self.get(&format!("/tasks/{id}?since={since}&wait={}", most.as_secs().min(60))).await
    }

    /// Everything on record of a task.
    pub async fn records(&self, id: TaskId) -> Result<v1::Task, ClientError> {
        self.get(&format!("/tasks/{id}/records")).await
    }

    /// Past readings of its transfers.
    pub async fn samples(&self, id: TaskId) -> Result<v1::Samples, ClientError> {
        self.get(&format!("/tasks/{id}/samples")).await
    }

    /// Asks for it to be cancelled.
    pub async fn cancel(&self, id: TaskId) -> Result<v1::TaskStatus, ClientError> {
        self.post(&format!("/tasks/{id}/cancel"), None::<&()>, Again::May, None).await
    }

    /// Begins again what it was to do, as a new task.
    pub async fn retry(&self, id: TaskId) -> Result<v1::TaskStatus, ClientError> {
        self.post(&format!("/tasks/{id}/retry"), None::<&()>, Again::MayNot, None).await
    }

    /// Asks something of its running transfer.
    pub async fn steer(&self, id: TaskId, asked: &v1::Steer) -> Result<v1::TaskStatus, ClientError> {
        self.post(&format!("/tasks/{id}/steer"), Some(asked), Again::MayNot, None).await
    }

    /// What both hosts say of its domain right now, and what that permits. Nothing is done.
    pub async fn situation(&self, id: TaskId) -> Result<v1::Situation, ClientError> {
        self.get(&format!("/tasks/{id}/situation")).await
    }

    /// Does one action, if both hosts permit it right now.
    pub async fn act(&self, id: TaskId, asked: &v1::NewAction) -> Result<v1::TaskStatus, ClientError> {
        self.post(&format!("/tasks/{id}/actions"), Some(asked), Again::MayNot, None).await
    }

    /// The policies.
    pub async fn plugins(&self) -> Result<v1::Plugins, ClientError> {
        self.get("/plugins").await
    }

    /// Who changed what, newest first: those before a number, so many at most.
    pub async fn audit(
        &self,
        who: Option<&str>,
        task: Option<TaskId>,
        before: Option<u64>,
        most: u32,
    ) -> Result<v1::AuditPage, ClientError> {
        let mut filter = who.map(|who| format!("&who={}", encoded(who))).unwrap_or_default();
        filter.extend(task.map(|task| format!("&task={task}")));
        let mut all = v1::AuditPage { entries: Vec::new(), next: before };
        loop {
            let left = most.saturating_sub(u32::try_from(all.entries.len()).unwrap_or(u32::MAX));
            let place = all.next.map(|next| format!("&before={next}")).unwrap_or_default();
            let page: v1::AuditPage = self.get(&format!("/audit?limit={}{filter}{place}", left.clamp(1, PAGE))).await?;
            all.entries.extend(page.entries);
            all.next = page.next;
            if all.next.is_none() || all.entries.len() >= most as usize {
                return Ok(all);
            }
        }
    }

    /// Events of one task, after that record; from its first one on where none is named. Connects when it is first asked for one.
    pub fn events_of(&self, id: TaskId, after: Option<u64>) -> Events {
        Events::new(self.clone(), format!("/api/v1/tasks/{id}/events"), after)
    }

    /// Events of all tasks that the caller sees, after that record; from now on where none is named.
    pub fn events(&self, after: Option<u64>) -> Events {
        Events::new(self.clone(), "/api/v1/events".to_owned(), after)
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let path = format!("/api/v1{path}");
        self.ask(Asked { method: Method::GET, path, headers: Vec::new(), body: Bytes::new(), again: Again::May }).await
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: Option<&impl Serialize>,
        again: Again,
        header: Option<(&'static str, HeaderValue)>,
    ) -> Result<T, ClientError> {
        let path = format!("/api/v1{path}");
        let body = match body.map(serde_json::to_vec).transpose() {
            Ok(body) => Bytes::from(body.unwrap_or_default()),
            Err(error) => return Err(self.wire.unclear(format!("{path} can't be asked for: {error}"))),
        };
        self.ask(Asked { method: Method::POST, path, headers: header.into_iter().collect(), body, again }).await
    }

    async fn ask<T: DeserializeOwned>(&self, asked: Asked) -> Result<T, ClientError> {
        let mut trouble = None;
        let body = loop {
            let (error, said) = match self.once(&asked).await {
                Ok(body) => break body,
                Err(failed) => failed,
            };
            let now = Instant::now();
            let patience = trouble.get_or_insert_with(|| Patience::begun(now));
            match self.patience_with(&asked, &error).and_then(|lasts| patience.next(now, lasts, said)) {
                Some(then) => sleep_until(then).await,
                None => return Err(error),
            }
        };
        match serde_json::from_slice(&body) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.misunderstood(format!("the answer to {} can't be read: {error}", asked.path)).await),
        }
    }

    /// One answer; or why there is none, and after how long to ask again, as far as that is said.
    async fn once(&self, asked: &Asked) -> Result<Bytes, (ClientError, Option<Duration>)> {
        let (parts, body) = self.wire.ask(asked).await.map_err(|error| (error, None))?.into_parts();
        if parts.status.is_success() {
            return Ok(body);
        }
        Err((self.refused(asked, parts.status, &body).await, patience::said(&parts.headers)))
    }

    /// For how long in all that is asked again after such an error; none: it is not.
    fn patience_with(&self, asked: &Asked, error: &ClientError) -> Option<Duration> {
        match asked.again {
            Again::May if error.is_busy() => Some(BUSY.max(self.absence)),
            Again::May if error.may_pass() => Some(self.absence),
            Again::May | Again::MayNot => None,
        }
    }

    /// What an answer says that is none of those that were asked for.
    async fn refused(&self, asked: &Asked, status: StatusCode, body: &[u8]) -> ClientError {
        match serde_json::from_slice::<v1::Problem>(body) {
            Ok(problem) if problem.code == crate::Code::NoSuchRoute.as_str() => {
                let path = asked.path.split('?').next().unwrap_or_default();
                let route = format!("{} {path}", asked.method);
                match self.misunderstood(String::new()).await {
                    ClientError::Unclear { address, .. } => ClientError::NoRoute { address, route },
                    other => other,
                }
            }
            Ok(problem) => ClientError::problem(problem),
            Err(_) if matches!(status.as_u16(), 429 | 502..=504) => {
                ClientError::Between { address: self.address().clone(), status: status.as_u16() }
            }
            Err(_) => self.misunderstood(format!("it answers {} with {status}", asked.path)).await,
        }
    }

    /// Why an answer makes no sense: the service speaks another version, or it is none.
    async fn misunderstood(&self, why: String) -> ClientError {
        let path = "/api/v1/system/version".to_owned();
        let asked = Asked { method: Method::GET, path, headers: Vec::new(), body: Bytes::new(), again: Again::May };
        match self.wire.ask(&asked).await.map(|answer| serde_json::from_slice::<v1::Version>(answer.body())) {
            Ok(Ok(v1::Version { version, api, .. })) if api != v1::VERSION => {
                ClientError::Version { address: self.address().clone(), version, api }
            }
            Ok(_) | Err(ClientError::Problem { .. }) => self.wire.unclear(why),
            Err(error) => error,
        }
    }
}

/// Which tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    /// All of them.
    All,
    /// Those that are not over.
    Unfinished,
}

/// A text as a part of a path or a query.
fn encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
        out
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_a_person_names_can_lead_nowhere_else() {
        assert_eq!(super::encoded("kvm-1.example"), "kvm-1.example");
        assert_eq!(super::encoded("a/../b?c#d ä"), "a%2F..%2Fb%3Fc%23d%20%C3%A4");
    }
}
