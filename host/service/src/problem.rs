//! What is said when it goes wrong: one list of codes, one exhaustive way from the engine's errors to them.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use waypost_api::v1::{PROBLEM_JSON, Problem};
use waypost_core::admission::Refusal;
use waypost_core::ids::TaskId;
use waypost_core::phase::Phase;
use waypost_core::ports::{ClaimError, Fault, FaultKind, StoreFault};
use waypost_engine::{EngineError, remedy};

macro_rules! codes {
    ($($(#[$doc:meta])* $code:ident = $word:literal, $status:ident, $title:literal;)+) => {
        /// What can go wrong. A stable list: new codes may come, none changes its meaning.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Code {
            $($(#[$doc])* $code,)+
        }

        impl Code {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$code,)+];
            /// Its word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$code => $word,)+ }
            }
            /// HTTP status.
            pub fn status(self) -> StatusCode {
                match self { $(Self::$code => StatusCode::$status,)+ }
            }
            /// Whether it turns somebody away for who they are or what they may not do, which somebody who tries doors sees often.
            pub(crate) fn turns_away(self) -> bool {
                matches!(self, Self::BadToken | Self::RoleMissing | Self::OutOfScope | Self::OtherOrigin)
            }
            /// What it means.
            pub fn title(self) -> &'static str {
                match self { $(Self::$code => $title,)+ }
            }
        }
    };
}

codes! {
    /// The port speaks TLS.
    TlsRequired = "tls-required", BAD_REQUEST, "this port speaks TLS only";
    /// The request can't be read.
    BadRequest = "bad-request", BAD_REQUEST, "the request can't be understood";
    /// No name of a policy.
    BadName = "bad-name", BAD_REQUEST, "no policy can have that name";
    /// Nothing says who asks.
    NoCaller = "no-caller", UNAUTHORIZED, "it is not known who asks";
    /// What says who asks is worth nothing.
    BadToken = "bad-token", UNAUTHORIZED, "the token is worth nothing";
    /// The role does not permit it.
    RoleMissing = "role-missing", FORBIDDEN, "the caller's role does not permit that";
    /// It is about something that the caller may not reach.
    OutOfScope = "out-of-scope", FORBIDDEN, "that is outside of what the caller may reach";
    /// A browser sends it for a page of another origin.
    OtherOrigin = "other-origin", FORBIDDEN, "a page from elsewhere asks for a change";
    /// No such path.
    NoSuchRoute = "no-such-route", NOT_FOUND, "there is nothing at this path";
    /// No such task.
    NoSuchTask = "no-such-task", NOT_FOUND, "there is no such task";
    /// No such host.
    NoSuchHost = "no-such-host", NOT_FOUND, "there is no such host in the configuration";
    /// No such domain.
    NoSuchDomain = "no-such-domain", NOT_FOUND, "no host has such a domain";
    /// No such policy.
    NoSuchPlugin = "no-such-plugin", NOT_FOUND, "there is no such policy";
    /// Another method.
    WrongMethod = "wrong-method", METHOD_NOT_ALLOWED, "this path has no such method";
    /// The task is over.
    TaskOver = "task-over", CONFLICT, "the task is over";
    /// The task is not over.
    TaskNotOver = "task-not-over", CONFLICT, "the task is not over, or has to be recovered";
    /// Another task has the domain.
    DomainBusy = "domain-busy", CONFLICT, "another task has the domain";
    /// Which domain is meant can't be told.
    DomainUnclear = "domain-unclear", CONFLICT, "it can't be told which domain is meant";
    /// Not permitted now.
    NotPermitted = "not-permitted", CONFLICT, "what both hosts say does not permit that now";
    /// Can't be steered.
    NotSteerable = "not-steerable", CONFLICT, "there is no running transfer that could do that";
    /// Another process drives it.
    DrivenElsewhere = "driven-elsewhere", CONFLICT, "another process drives the task";
    /// Nothing to look at.
    NothingToLookAt = "nothing-to-look-at", CONFLICT, "the task never had a plan";
    /// Unknown event id.
    UnknownEvent = "unknown-event", CONFLICT, "no event of this number was ever sent";
    /// The configuration settles it.
    PluginFixed = "plugin-fixed", CONFLICT, "the configuration settles that, or a file that was not uploaded";
    /// It is another one by now.
    ChangedMeanwhile = "changed-meanwhile", PRECONDITION_FAILED, "it is not what it was thought to be";
    /// The body is too large.
    TooLarge = "too-large", PAYLOAD_TOO_LARGE, "the body is too large";
    /// No JSON.
    NotJson = "not-json", UNSUPPORTED_MEDIA_TYPE, "the body is not declared as JSON";
    /// No WebAssembly.
    NotWasm = "not-wasm", UNSUPPORTED_MEDIA_TYPE, "the body is not declared as WebAssembly";
    /// It is encoded.
    EncodedBody = "encoded-body", UNSUPPORTED_MEDIA_TYPE, "the body is compressed, and nothing is unpacked here";
    /// It does not have the right shape.
    WrongShape = "wrong-shape", UNPROCESSABLE_ENTITY, "the body does not have the right shape";
    /// It makes no sense.
    Refused = "request-refused", UNPROCESSABLE_ENTITY, "the request makes no sense, or the site does not allow it";
    /// An archive.
    Archive = "archive", UNPROCESSABLE_ENTITY, "the file is an archive, and no policy";
    /// The file can't be used.
    PluginUnusable = "plugin-unusable", UNPROCESSABLE_ENTITY, "the file can't be used as a policy";
    /// The policy refuses them.
    SettingsRefused = "settings-refused", UNPROCESSABLE_ENTITY, "the policy refuses these settings";
    /// The key stands for another request.
    KeyReused = "key-reused", UNPROCESSABLE_ENTITY, "the idempotency key was used for another request";
    /// What is changed must be named as it is.
    ConditionMissing = "condition-missing", PRECONDITION_REQUIRED, "the request does not say what it changes";
    /// Too many guesses.
    LockedOut = "locked-out", TOO_MANY_REQUESTS, "too many wrong tokens came from there";
    /// Too many requests.
    TooOften = "too-often", TOO_MANY_REQUESTS, "the caller asks too often";
    /// A defect.
    Defect = "defect", INTERNAL_SERVER_ERROR, "a defect";
    /// A host failed.
    HostFailed = "host-failed", BAD_GATEWAY, "a host can't be reached, or failed";
    /// Too many requests at once.
    Busy = "busy", SERVICE_UNAVAILABLE, "too much is asked at once";
    /// It is being stopped.
    Draining = "draining", SERVICE_UNAVAILABLE, "the service is being stopped";
    /// The issuer of a token can't be asked.
    IssuerSilent = "issuer-silent", SERVICE_UNAVAILABLE, "the issuer of the token can't be asked for its keys";
    /// The store failed.
    StoreFailed = "store-failed", SERVICE_UNAVAILABLE, "the record can't be read or written";
    /// The request took too long.
    TooSlow = "too-slow", GATEWAY_TIMEOUT, "it takes too long";
    /// A host did not answer in time.
    HostSilent = "host-silent", GATEWAY_TIMEOUT, "a host does not answer in time";
}

/// A request that failed.
#[derive(Debug, Clone)]
pub struct Failed(Box<Told>);

#[derive(Debug, Clone)]
struct Told {
    code: Code,
    problem: Problem,
    /// Seconds after which it may be worth another try.
    retry_after: Option<u64>,
    /// What is done to the cookie of whoever is told.
    set_cookie: Option<HeaderValue>,
    /// Whether the connection ends with the answer.
    hangs_up: bool,
}

impl Failed {
    /// Says what went wrong this time.
    pub(crate) fn new(code: Code, detail: impl Into<String>) -> Self {
        let problem = Problem {
            kind: format!("urn:waypost:problem:{}", code.as_str()),
            title: code.title().to_owned(),
            status: code.status().as_u16(),
            detail: detail.into(),
            code: code.as_str().to_owned(),
            phase: None,
            cause: None,
            remedy: None,
            task: None,
        };
        let retry_after = (code.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(1);
        Self(Box::new(Told { code, problem, retry_after, set_cookie: None, hangs_up: false }))
    }

    pub(crate) fn code(&self) -> Code {
        self.0.code
    }

    /// What is said of it.
    pub(crate) fn problem(&self) -> &Problem {
        &self.0.problem
    }

    pub(crate) fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after = Some(seconds);
        self
    }

    pub(crate) fn with_cookie(mut self, set_cookie: Option<HeaderValue>) -> Self {
        self.0.set_cookie = set_cookie;
        self
    }

    /// There is nothing more to be had over this connection.
    pub(crate) fn and_hang_up(mut self) -> Self {
        self.0.hangs_up = true;
        self
    }

    pub(crate) fn because(mut self, cause: impl Into<String>) -> Self {
        self.0.problem.cause = Some(cause.into());
        self
    }

    pub(crate) fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.0.problem.remedy = Some(remedy.into());
        self
    }

    pub(crate) fn task(mut self, task: TaskId) -> Self {
        self.0.problem.task = Some(task.to_string());
        self
    }

    pub(crate) fn phase(mut self, phase: Phase) -> Self {
        self.0.problem.phase = Some(phase.to_string());
        self
    }

    pub(crate) fn no_task(task: impl std::fmt::Display) -> Self {
        Self::new(Code::NoSuchTask, format!("there is no task {task}")).remedy("GET /api/v1/tasks lists them")
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (code, retry_after, set_cookie) = (self.code(), self.0.retry_after, self.0.set_cookie.clone());
        let hangs_up = self.0.hangs_up;
        let mut response = (code.status(), Json(self.problem())).into_response();
        // For routes that say it in another shape.
        response.extensions_mut().insert(self);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM_JSON));
        if let Some(seconds) = retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(set_cookie) = set_cookie {
            headers.insert(header::SET_COOKIE, set_cookie);
        }
        if hangs_up {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        let challenge = match code {
            Code::NoCaller => Some("Bearer realm=\"waypost\""),
            Code::BadToken => Some("Bearer realm=\"waypost\", error=\"invalid_token\""),
            _ => None,
        };
        if let Some(challenge) = challenge {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        response
    }
}

impl From<StoreFault> for Failed {
    fn from(fault: StoreFault) -> Self {
        Self::new(Code::StoreFailed, format!("can't {}", fault.attempted)).because(fault.message)
    }
}

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Self {
        let code = match fault.kind {
            FaultKind::NoHost => Code::NoSuchHost,
            FaultKind::NoDomain => Code::NoSuchDomain,
            FaultKind::Deadline => Code::HostSilent,
            _ => Code::HostFailed,
        };
        let failed = Self::new(code, format!("can't {} on {}", fault.attempted, fault.host)).because(&fault.message);
        match fault.kind {
            FaultKind::Unreachable | FaultKind::Authentication => match remedy::of(&fault) {
                Some(remedy) => failed.remedy(remedy),
                None => failed,
            },
            _ => failed,
        }
    }
}

impl From<EngineError> for Failed {
    fn from(error: EngineError) -> Self {
        let words = error.to_string();
        match error {
            EngineError::Refused(Refusal::Hibernation) => {
                Self::new(Code::Refused, Refusal::NO_HIBERNATION).because(Refusal::TWO_GUESTS).remedy(Refusal::SAVE_IT)
            }
            EngineError::Refused(refusal) => Self::new(Code::Refused, refusal.to_string()),
            EngineError::NoHost { known, .. } => {
                Self::new(Code::NoSuchHost, words).remedy(format!("name one of: {known}"))
            }
            EngineError::NoDomain { .. } => {
                Self::new(Code::NoSuchDomain, words).remedy("GET /api/v1/domains lists the domains of all hosts")
            }
            EngineError::MayRunElsewhere { .. } | EngineError::Ambiguous { .. } => {
                Self::new(Code::DomainUnclear, words).remedy("name the source with `from`")
            }
            EngineError::Host(fault) => fault.into(),
            EngineError::Store(fault) | EngineError::Claim(ClaimError::Store(fault)) => fault.into(),
            EngineError::Claim(ClaimError::Taken(task)) => Self::new(Code::DomainBusy, words).task(task),
            EngineError::NotPermitted { task, .. } => Self::new(Code::NotPermitted, words)
                .task(task)
                .remedy(format!("GET /api/v1/tasks/{task}/situation says what is permitted, and why")),
            EngineError::NoWay { task, .. } => Self::new(Code::Refused, words)
                .task(task)
                .remedy(format!("GET /api/v1/tasks/{task}/situation lists the networks that it may take")),
            EngineError::NotOpen { task, .. } => Self::new(Code::NotPermitted, words).task(task),
            EngineError::NotSteerable { task, why } => Self::new(Code::NotSteerable, why).task(task),
            EngineError::Driven(task) => {
                Self::new(Code::DrivenElsewhere, format!("another process drives task {task}")).task(task)
            }
            EngineError::NoTask(task) => Self::no_task(task),
            EngineError::Journal { task, source } => {
                Self::new(Code::StoreFailed, words).because(source.to_string()).task(task)
            }
            EngineError::Illegal(illegal) => {
                tracing::error!(%illegal, "a defect in the engine");
                Self::new(Code::Defect, words).because(illegal.to_string())
            }
            EngineError::Panicked(_) => Self::new(Code::Defect, words),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_code_has_a_word_of_its_own_and_a_status_of_an_error() {
        let words: BTreeSet<_> = Code::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert!(code.status().is_client_error() || code.status().is_server_error(), "{code:?}");
            let kebab = |c: char| c.is_ascii_lowercase() || c == '-';
            assert!(code.as_str().chars().all(kebab), "{code:?}");
        }
    }

    #[test]
    fn a_host_that_does_not_answer_in_time_is_told_from_one_that_fails() {
        let fault = |kind| Fault {
            kind,
            host: "kvm1".into(),
            attempted: "read the host".into(),
            message: "gone".into(),
            code: None,
            domain: None,
        };
        for (kind, status) in [(FaultKind::Deadline, 504), (FaultKind::Unreachable, 502), (FaultKind::NoDomain, 404)] {
            let failed = Failed::from(EngineError::Host(fault(kind)));
            assert_eq!(failed.0.problem.status, status);
            assert_eq!(failed.0.problem.detail, "can't read the host on kvm1");
            assert_eq!(failed.0.problem.cause.as_deref(), Some("gone"));
        }
    }
}
