//! A trace of each migration, for whoever follows requests through many programs: sent to a collector as OpenTelemetry has it, when
//! its task is over. Nobody asks for it, so nobody pays, unless the configuration names a collector.
//!
//! Nothing is gathered while a task runs. A task's journal says everything with its times, so a trace is worked out from it at its
//! end (`tree`), whichever process drove the task, and is the same after a restart: its ids are made of the task's id and of the
//! numbers of its records. The one order of all records is the queue, too: this holds a place in it (`follow`), and a collector
//! that is away costs neither memory nor a migration's time; what it missed is sent once it is back. The place begins with the
//! service, so nothing is sent twice, and what ended while no service ran, or could not be sent before one stopped, is not
//! sent at all.
//!
//! A tracer in the engine was rejected: its spans would live in memory, end with the process, and be missing of every task that
//! another process drives.

pub(crate) mod context;
mod follow;
mod sender;
mod tree;

pub(crate) use follow::RESULTS;

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use opentelemetry::KeyValue;
use opentelemetry_otlp::{Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SpanExporter as _;
use thiserror::Error;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use waypost_core::secrecy::{Exposed, Readers};

use crate::metrics::Counts;
use crate::service::Parts;
use crate::{secret, trust};
use follow::Follower;
use sender::{Heard, Sender};

/// For one request to the collector.
const TIME: Duration = Duration::from_secs(10);

/// Where traces go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traces {
    /// Where a collector takes OTLP over HTTP, as `http://127.0.0.1:4318/v1/traces`.
    pub endpoint: String,
    /// A file with headers for the collector, one `name: value` a line; others must not be able to read it.
    pub headers_file: Option<PathBuf>,
    /// Certificates of who vouches for the collector, PEM; none: those that this machine trusts.
    pub ca_file: Option<PathBuf>,
    /// What this service is called there.
    pub service_name: String,
}

/// Why there are no traces.
#[derive(Debug, Error)]
pub enum TracesError {
    /// Where to.
    #[error("traces can't be sent to {endpoint}: {why}")]
    Endpoint {
        /// Where to.
        endpoint: String,
        /// Why not.
        why: String,
    },
    /// A file.
    #[error("can't use {what} for traces, {path}: {why}")]
    File {
        /// What it is.
        what: &'static str,
        /// Which.
        path: PathBuf,
        /// Why not.
        why: String,
    },
}

impl Traces {
    /// Whether all of it can be used; reads the files that it names, and asks nobody.
    pub fn check(&self) -> Result<(), TracesError> {
        self.exporter().map(drop)
    }

    /// What sends them, and what it heard.
    fn exporter(&self) -> Result<(SpanExporter, Heard), TracesError> {
        let wrong = |why: String| TracesError::Endpoint { endpoint: self.endpoint.clone(), why };
        let uri: Uri = self.endpoint.parse().map_err(|error| wrong(format!("it is no URL: {error}")))?;
        let host = uri.host().ok_or_else(|| wrong("it names no host".to_owned()))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            // Which is not repeated.
            let why = "it holds a name or a password: put them into the file of headers".to_owned();
            return Err(TracesError::Endpoint { endpoint: host.to_owned(), why });
        }
        let tls = match uri.scheme_str() {
            Some("https") => {
                let told = self.ca_file.as_deref();
                Some(trust::connector(told).map_err(|why| TracesError::File {
                    what: "the authorities",
                    path: told.unwrap_or(Path::new("those of this machine")).to_owned(),
                    why,
                })?)
            }
            Some("http") => None,
            _ => return Err(wrong("it begins with neither https:// nor http://".to_owned())),
        };
        let headers = self.headers_file.as_deref().map(headers).transpose()?.unwrap_or_default();
        if tls.is_none() && !headers.is_empty() && !is_here(host) {
            let why = "headers would go in plain text over the network: use https, or a collector on this machine";
            return Err(wrong(why.to_owned()));
        }
        let (sender, heard) = Sender::new(tls, headers);
        let mut exporter = SpanExporter::builder()
            .with_http()
            .with_endpoint(&self.endpoint)
            .with_protocol(Protocol::HttpJson)
            .with_timeout(TIME)
            .with_http_client(sender)
            // Its own pauses would hold a thread; what is tried again is ours to say.
            .with_retry_policy(RetryPolicy::disabled())
            .build()
            .map_err(|error| wrong(error.to_string()))?;
        let named = [
            KeyValue::new("service.name", self.service_name.clone()),
            KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
        ];
        exporter.set_resource(&Resource::builder_empty().with_attributes(named).build());
        Ok((exporter, heard))
    }
}

/// The headers of a file. They may be secrets.
fn headers(path: &Path) -> Result<HeaderMap, TracesError> {
    let wrong = |why: String| TracesError::File { what: "the headers", path: path.to_owned(), why };
    let metadata = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?;
    let judged = secret::judged(path, &metadata, Readers::Group).map_err(|error| wrong(error.to_string()))?;
    judged.map_err(|exposed| {
        wrong(match exposed {
            Exposed::Mode(mode) => format!("others can read or change it (mode {mode:04o}): run `chmod 600` on it"),
            Exposed::Owner => "it belongs to another user".to_owned(),
        })
    })?;
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    let mut headers = HeaderMap::new();
    for (number, line) in (1..).zip(text.lines()).filter(|(_, line)| !line.trim().is_empty()) {
        let pair = line.split_once(':').and_then(|(name, value)| {
            let value = Some(value.trim()).filter(|value| !value.is_empty())?;
            let name = HeaderName::try_from(name.trim()).ok()?;
            let mut value = HeaderValue::try_from(value).ok()?;
            value.set_sensitive(true);
            Some((name, value))
        });
        // What is in it is not repeated: it may be a secret.
        let Some((name, value)) = pair else {
            return Err(wrong(format!("line {number} is not `name: value`")));
        };
        headers.insert(name, value);
    }
    Ok(headers)
}

/// Whether that is this machine.
fn is_here(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Follows what happens and sends what has ended, until it is told to stop or dropped.
pub(crate) struct Exporter {
    stop: watch::Sender<bool>,
    working: Mutex<Option<JoinHandle<()>>>,
}

impl Exporter {
    /// Sends what ends from here on. Must be called inside the runtime.
    pub(crate) fn begin(traces: &Traces, parts: &Parts, counts: Counts) -> Result<Self, TracesError> {
        let (exporter, heard) = traces.exporter()?;
        let follower = Follower::new(exporter, heard, parts, counts);
        let (stop, stopped) = watch::channel(false);
        Ok(Self { stop, working: Mutex::new(Some(tokio::spawn(follower.follow(stopped)))) })
    }

    /// Sends what has ended and was not sent yet, for which it has so long.
    pub(crate) async fn finish(&self, most: Duration) {
        self.stop.send_replace(true);
        let working = self.working.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut working) = working else { return };
        if tokio::time::timeout(most, &mut working).await.is_err() {
            tracing::warn!("the last traces could not be sent in time");
            working.abort();
        }
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        if let Some(working) = self.working.lock().unwrap_or_else(PoisonError::into_inner).take() {
            working.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn to(endpoint: &str) -> Traces {
        Traces { endpoint: endpoint.into(), headers_file: None, ca_file: None, service_name: "waypost".into() }
    }

    #[test]
    fn a_place_that_can_not_be_is_said_before_anything_is_sent() {
        to("http://127.0.0.1:4318/v1/traces").check().unwrap();
        to("http://collector.example/v1/traces").check().unwrap();
        let told = to("https://anna:secret@collector.example/v1/traces").check().unwrap_err();
        assert!(told.to_string().contains("a password") && !told.to_string().contains("secret"), "{told}");
        for wrong in ["", "collector:4318", "ftp://collector/v1", "http:///v1/traces", "/v1/traces"] {
            assert!(matches!(to(wrong).check(), Err(TracesError::Endpoint { .. })), "{wrong}");
        }
        let nobody = Traces { ca_file: Some("/nowhere/ca.pem".into()), ..to("https://collector.example/v1/traces") };
        assert!(matches!(nobody.check(), Err(TracesError::File { .. })));
    }

    #[test]
    fn headers_are_a_secret_and_do_not_leave_the_machine_in_plain_text() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("headers");
        let with = |endpoint: &str| Traces { headers_file: Some(path.clone()), ..to(endpoint) };
        let write = |text: &str, mode| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        };
        write("Authorization: Bearer x\n\nx-tenant: a:b\n", 0o600);
        let read = headers(&path).unwrap();
        let said = |name: &str| read[name].to_str().unwrap();
        assert_eq!((said("authorization"), said("x-tenant")), ("Bearer x", "a:b"));
        with("http://[::1]:4318/v1/traces").check().unwrap();
        with("http://localhost:4318/v1/traces").check().unwrap();
        let plain = with("http://collector.example/v1/traces").check().unwrap_err().to_string();
        assert!(plain.contains("plain text"), "{plain}");
        write("Authorization: Bearer x\n", 0o644);
        assert!(with("http://localhost/").check().unwrap_err().to_string().contains("chmod 600"));
        for text in ["secret", "a b: secret", "a:", "a: secret\u{1}"] {
            write(text, 0o600);
            let error = with("http://localhost/").check().unwrap_err().to_string();
            assert!(error.contains("line 1 is not") && !error.contains("secret"), "{error}");
        }
    }
}
