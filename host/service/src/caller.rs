//! Who asks, and how that was proven.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use waypost_core::access::{Permission, Role, Scope, Scopes};
use waypost_core::ids::Moment;

use crate::access::grants::together;
use crate::port::Shown;
use crate::problem::{Code, Failed};

/// Whoever made a request, proven to whoever put this into the request: the socket by the peer's credentials, the gate by a
/// token or a certificate, another program by its own means. Nothing is answered without one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    name: String,
    /// Each role with how far it reaches, the strongest first.
    grants: Vec<(Role, Scope)>,
    /// How far it reaches with what it does: by all of its roles, until it is known which of them permit that.
    scopes: Scopes,
    proof: Proof,
    /// From then on the proof is worth nothing.
    until: Option<Moment>,
}

/// How it was proven who asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) enum Proof {
    /// By the program that embeds the service.
    Embedding,
    /// By the kernel: the number of the user at the other end of the socket.
    Socket(u32),
    /// By a client certificate that has this name of a `[[service.client]]`.
    Certificate(String),
    /// By the token of that id.
    Token(String),
    /// By a token of an issuer.
    Issuer {
        /// Its name here.
        issuer: String,
        /// `sub`: whom it vouches for, in a word that the issuer gives to nobody else, ever. A name it may give to two.
        subject: String,
    },
}

impl Caller {
    /// A caller of that name, which stands in records and is shown to policies, as the user's name is for a command. It may do
    /// everything: a program that embeds the service says otherwise with [`Caller::with`] and [`Caller::also`].
    pub fn named(name: impl Into<String>) -> Self {
        Self::proven(name.into(), Role::Admin, Scope::default(), Proof::Embedding)
    }

    /// The same with that role, which reaches so far, and no other.
    #[must_use]
    pub fn with(self, role: Role, scope: Scope) -> Self {
        Self { until: self.until, ..Self::granted(self.name, &[(role, scope)], self.proof) }
    }

    /// The same with that role besides, which reaches so far. Each role is kept to its own scope: an operator of some domains who is
    /// also a viewer of all has none of the others moved.
    #[must_use]
    pub fn also(self, role: Role, scope: Scope) -> Self {
        let mut grants = self.grants;
        grants.push((role, scope));
        Self { until: self.until, ..Self::granted(self.name, &grants, self.proof) }
    }

    pub(crate) fn proven(name: String, role: Role, scope: Scope, proof: Proof) -> Self {
        Self::granted(name, &[(role, scope)], proof)
    }

    pub(crate) fn granted(name: String, granted: &[(Role, Scope)], proof: Proof) -> Self {
        let grants = together(granted);
        let scopes = Scopes::new(grants.iter().map(|(_, scope)| scope.clone()));
        Self { name, grants, scopes, proof, until: None }
    }

    /// Whether one of its roles permits that, somewhere.
    pub(crate) fn permits(&self, permission: Permission) -> bool {
        self.grants.iter().any(|(role, _)| role.permits(permission))
    }

    /// The same where that permission is needed: as far as those of its roles reach that have it.
    pub(crate) fn doing(self, permission: Permission) -> Self {
        let permitting = self.grants.iter().filter(|(role, _)| role.permits(permission));
        let scopes = Scopes::new(permitting.map(|(_, scope)| scope.clone()));
        Self { scopes, ..self }
    }

    /// The same with these scopes, which are some of its own.
    pub(crate) fn within(&self, scopes: Scopes) -> Self {
        Self { scopes, ..self.clone() }
    }

    /// The same for as long as its proof is good; none: for as long as the program that embeds the service says so itself. From
    /// that moment on nothing is answered, and a stream of events that was opened before ends.
    #[must_use]
    pub fn until(self, until: Option<Moment>) -> Self {
        Self { until, ..self }
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Each role with how far it reaches, the strongest first: `admin`, `operator`, `policy-admin`, `viewer`.
    pub fn grants(&self) -> &[(Role, Scope)] {
        &self.grants
    }

    /// How far it reaches with what it does.
    pub(crate) fn scopes(&self) -> &Scopes {
        &self.scopes
    }

    pub(crate) fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Whom it stands for, told from everybody else: two callers may go by one name, as where two tokens were made under it, or a
    /// user of this machine and a client have the same.
    pub(crate) fn identity(&self) -> String {
        // As a list of texts, so that nothing in one of them can be taken for the other.
        let told = match &self.proof {
            Proof::Issuer { issuer, subject } => serde_json::json!(["issuer", issuer, subject]),
            proof => serde_json::json!([proof.to_string(), self.name]),
        };
        told.to_string()
    }

    /// What of its name tells it apart from others with the same proof: nothing, where an issuer says who it is, because there the
    /// name is only shown, and its owner may be able to change it.
    pub(crate) fn own_name(&self) -> &str {
        if matches!(self.proof, Proof::Issuer { .. }) { "" } else { &self.name }
    }

    /// Whether its proof is too old at that moment.
    pub(crate) fn is_over(&self, now: Moment) -> bool {
        self.until.is_some_and(|until| until <= now)
    }

    /// How long its proof is still good; none: nothing says that it ends.
    pub(crate) fn left(&self, now: Moment) -> Option<Duration> {
        self.until.map(|until| Duration::from_millis(until.0.saturating_sub(now.0)))
    }
}

impl fmt::Display for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedding => f.write_str("embedding program"),
            Self::Socket(uid) => write!(f, "socket, uid {uid}"),
            Self::Certificate(name) => write!(f, "certificate {name}"),
            Self::Token(id) => write!(f, "token {id}"),
            Self::Issuer { issuer, subject } => write!(f, "issuer {issuer}, subject {subject}"),
        }
    }
}

/// The other end of a connection, put into each of its requests by the listener that took it.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) origin: Origin,
    /// Who it is by the connection alone.
    pub(crate) caller: Option<Caller>,
    /// Why what the connection shows proves nobody.
    pub(crate) unclear: Option<String>,
    /// The certificate that the connection showed.
    pub(crate) shown: Option<Arc<Shown>>,
}

/// Where a connection comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Origin {
    /// A user of this machine.
    User(u32),
    /// An address of the network.
    Address(IpAddr),
}

impl Origin {
    /// Whom it counts as: a whole network of IPv6 (/64) is one client, because whoever has one address of it has them all, and an
    /// address of IPv4 is the same in either notation.
    pub(crate) fn network(self) -> Self {
        match self {
            Self::Address(IpAddr::V6(address)) => Self::Address(match address.to_ipv4_mapped() {
                Some(address) => IpAddr::V4(address),
                None => IpAddr::V6((u128::from(address) >> 64 << 64).into()),
            }),
            other => other,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(uid) => write!(f, "uid {uid}"),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Failed> {
        let nobody = || Failed::new(Code::NoCaller, "nothing says who asks");
        parts.extensions.get::<Self>().cloned().ok_or_else(nobody)
    }
}
