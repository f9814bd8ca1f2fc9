//! Who may do what: tokens, the caller itself, and the audit log.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use waypost_core::access::{self, Audited, Permission, Role, Scope};
use waypost_core::ids::{HostName, Moment};

use crate::time::rfc3339;

/// A caller as the service sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Whoami {
    /// The name that stands in records.
    pub name: String,
    /// `viewer`, `operator`, `policy-admin`, `admin`; of several the strongest.
    pub role: String,
    /// What the roles permit, somewhere: `look`, `move`, `change-policies`, `audit`.
    pub permissions: Vec<String>,
    /// Hosts that the first of the grants reaches; empty: all.
    pub hosts: Vec<String>,
    /// Patterns for the domains that it reaches; empty: all.
    pub domains: Vec<String>,
    /// Each role with how far it reaches, the strongest first. What one permits is not permitted where only another one reaches.
    pub grants: Vec<Granted>,
    /// Whether a browser's session says so, which `DELETE /api/v1/session` ends.
    pub session: bool,
}

impl Whoami {
    /// From a name, its roles with their scopes, and whether a session says so.
    pub fn new(name: &str, granted: &[(Role, Scope)], session: bool) -> Self {
        let first = granted.first();
        Self {
            name: name.to_owned(),
            role: first.map(|(role, _)| role.to_string()).unwrap_or_default(),
            permissions: permissions(|permission| granted.iter().any(|(role, _)| role.permits(permission))),
            hosts: first.map(|(_, scope)| hosts(scope)).unwrap_or_default(),
            domains: first.map(|(_, scope)| scope.domains.clone()).unwrap_or_default(),
            grants: granted.iter().map(|(role, scope)| Granted::new(*role, scope)).collect(),
            session,
        }
    }
}

/// A role of a caller, and how far it reaches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Granted {
    /// `viewer`, `operator`, `policy-admin`, `admin`.
    pub role: String,
    /// What it permits: `look`, `move`, `change-policies`, `audit`.
    pub permissions: Vec<String>,
    /// Hosts that it reaches; empty: all.
    pub hosts: Vec<String>,
    /// Patterns for the domains that it reaches; empty: all.
    pub domains: Vec<String>,
}

impl Granted {
    fn new(role: Role, scope: &Scope) -> Self {
        Self {
            role: role.to_string(),
            permissions: permissions(|permission| role.permits(permission)),
            hosts: hosts(scope),
            domains: scope.domains.clone(),
        }
    }
}

fn permissions(permitted: impl Fn(Permission) -> bool) -> Vec<String> {
    Permission::ALL.iter().filter(|permission| permitted(**permission)).map(ToString::to_string).collect()
}

fn hosts(scope: &Scope) -> Vec<String> {
    scope.hosts.iter().map(HostName::to_string).collect()
}

/// A change that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditEntry {
    /// Its place, from 1.
    pub number: u64,
    /// When it was asked for.
    pub at: String,
    /// Who.
    pub who: String,
    /// How that was proven: `token ID`, `socket, uid N`, `certificate`, `issuer NAME, subject SUBJECT`, `embedding program`, `command`.
    pub proof: String,
    /// From where: an address, a user of this machine.
    pub from: String,
    /// What, as `POST /api/v1/tasks`.
    pub what: String,
    /// Task that it is about, or that it made.
    pub task: Option<String>,
    /// Domain.
    pub domain: Option<String>,
    /// Host.
    pub host: Option<String>,
    /// Why, in the caller's words.
    pub reason: Option<String>,
    /// What was understood of the body of the request, JSON as a text: of settings their names and a digest, of a file its digest, of
    /// what has not the right shape its size.
    pub details: Option<String>,
    /// `done`, or the code of the problem that it came to; null: the service ended before it was known.
    pub outcome: Option<String>,
}

impl From<&Audited> for AuditEntry {
    fn from(entry: &Audited) -> Self {
        let asked = &entry.asked;
        Self {
            number: entry.number,
            at: rfc3339(asked.at),
            who: asked.who.clone(),
            proof: asked.proof.clone(),
            from: asked.from.clone(),
            what: asked.what.clone(),
            task: asked.task.map(|task| task.to_string()),
            domain: asked.domain.clone(),
            host: asked.host.clone(),
            reason: asked.reason.clone(),
            details: asked.details.clone(),
            outcome: entry.outcome.clone(),
        }
    }
}

/// Some of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// What to give as `before` for those that come after; null: there are no more.
    pub next: Option<u64>,
}

/// A token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Token {
    /// By which it is named.
    pub id: String,
    /// The name that stands in records.
    pub name: String,
    /// `viewer`, `operator`, `policy-admin`, `admin`.
    pub role: String,
    /// Hosts that it reaches; empty: all.
    pub hosts: Vec<String>,
    /// Patterns for the domains that it reaches; empty: all.
    pub domains: Vec<String>,
    /// Made.
    pub created_at: String,
    /// By whom.
    pub created_by: String,
    /// From then on it is worth nothing.
    pub expires_at: Option<String>,
    /// `good`, `expired`, `revoked`.
    pub state: String,
}

impl Token {
    /// As it is at that moment.
    pub fn new(token: &access::Token, now: Moment) -> Self {
        let state = match token {
            token if token.revoked_at.is_some() => "revoked",
            token if token.expires_at.is_some_and(|at| at <= now) => "expired",
            _ => "good",
        };
        Self {
            id: token.id.clone(),
            name: token.name.clone(),
            role: token.role.to_string(),
            hosts: hosts(&token.scope),
            domains: token.scope.domains.clone(),
            created_at: rfc3339(token.created_at),
            created_by: token.created_by.clone(),
            expires_at: token.expires_at.map(rfc3339),
            state: state.to_owned(),
        }
    }
}

/// A token that was just made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewToken {
    /// What is kept of it.
    pub token: Token,
    /// The token itself. It is shown once.
    pub secret: String,
}

/// All tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tokens {
    /// Newest first.
    pub tokens: Vec<Token>,
}
