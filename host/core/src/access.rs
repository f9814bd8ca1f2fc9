//! Who may do what with the service: roles, how far each reaches, the tokens that stand for them, and what was changed by whom.
//!
//! Two questions are kept apart: *what kind* of thing may be done ([`Role`], which permits [`Permission`]s) and *to which*
//! hosts and domains ([`Scope`]). Both are answered here, from values alone; the service asks them in one place.

use uuid::Uuid;

use crate::ids::{HostName, Moment, TaskId};
use crate::network::fits;
use crate::ports::{StoreFault, TaskBrief};
use crate::words;

words! {
    /// A kind of thing that may be done.
    pub enum Permission {
        /// See what there is, ask what the rules say. Nothing is touched.
        Look = "look",
        /// Have domains moved: make, cancel, repeat, steer and recover tasks.
        Move = "move",
        /// Change policies and their settings.
        ChangePolicies = "change-policies",
        /// See who did what.
        Audit = "audit",
    }
    /// What somebody is to the service.
    pub enum Role {
        /// Looks.
        Viewer = "viewer",
        /// Looks, and has domains moved.
        Operator = "operator",
        /// Looks, and changes policies.
        PolicyAdmin = "policy-admin",
        /// Everything.
        Admin = "admin",
    }
}

impl Role {
    /// Whether it includes that.
    pub fn permits(self, permission: Permission) -> bool {
        match self {
            Self::Viewer => permission == Permission::Look,
            Self::Operator => matches!(permission, Permission::Look | Permission::Move),
            Self::PolicyAdmin => matches!(permission, Permission::Look | Permission::ChangePolicies),
            Self::Admin => true,
        }
    }
}

/// To which hosts and domains a role reaches. The default is all of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    /// Configured names of hosts; empty: every host.
    pub hosts: Vec<HostName>,
    /// Patterns with `*` and `?` for names of domains, or whole UUIDs; empty: every domain. No pattern but `*` fits a UUID, which
    /// would be somebody else's domain as likely as not.
    pub domains: Vec<String>,
}

impl Scope {
    /// Whether it is not limited at all.
    pub fn is_everything(&self) -> bool {
        self.hosts.is_empty() && self.domains.is_empty()
    }

    /// Whether that host is in it.
    pub fn has_host(&self, host: &str) -> bool {
        self.hosts.is_empty() || self.hosts.iter().any(|own| own.as_str() == host)
    }

    /// Whether a domain is in it that goes by any of these names.
    pub fn has_domain<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> bool {
        let has = |name: &str| match Uuid::parse_str(name) {
            // However it is written.
            Ok(id) => self.domains.iter().any(|own| own == "*" || Uuid::parse_str(own) == Ok(id)),
            Err(_) => self.domains.iter().any(|pattern| fits(pattern, name)),
        };
        self.domains.is_empty() || names.into_iter().any(has)
    }

    /// Whether only a look at the domain can tell: it is not in the scope by this name, and may be by the name that belongs to this
    /// UUID, or by the UUID that belongs to this name.
    pub fn leaves_open(&self, name: &str) -> bool {
        let is_id = |text: &str| Uuid::parse_str(text).is_ok();
        !self.has_domain([name]) && self.domains.iter().any(|own| is_id(own) != is_id(name))
    }

    /// This one and another as one, where one scope can say it: one of them has the other, or they differ in their hosts alone or in
    /// their domains alone. Of any other two it would have what neither of them has.
    pub fn united(&self, other: &Self) -> Option<Self> {
        let has =
            |wide: &Self, narrow: &Self| covers(&wide.hosts, &narrow.hosts) && covers(&wide.domains, &narrow.domains);
        if has(self, other) {
            return Some(self.clone());
        }
        if has(other, self) {
            return Some(other.clone());
        }
        let same_hosts = covers(&self.hosts, &other.hosts) && covers(&other.hosts, &self.hosts);
        let same_domains = covers(&self.domains, &other.domains) && covers(&other.domains, &self.domains);
        (same_hosts || same_domains)
            .then(|| Self { hosts: both(&self.hosts, &other.hosts), domains: both(&self.domains, &other.domains) })
    }

    /// Whether a task may be seen: it is about a domain of the scope, and comes from or goes to a host of it.
    pub fn sees(&self, task: &TaskBrief) -> bool {
        self.knows_domain_of(task)
            && (self.has_host(task.destination.as_str())
                || task.source.as_ref().is_some_and(|source| self.has_host(source.as_str())))
    }

    /// Whether a task may be changed: its domain and both hosts are in the scope. Of a task that has not found its domain yet the
    /// source may be any host.
    pub fn commands(&self, task: &TaskBrief) -> bool {
        let source = task.source.as_ref();
        self.knows_domain_of(task)
            && self.has_host(task.destination.as_str())
            && source.map_or(self.hosts.is_empty(), |source| self.has_host(source.as_str()))
    }

    fn knows_domain_of(&self, task: &TaskBrief) -> bool {
        let id = task.domain.map(|id| id.to_string());
        self.has_domain([task.domain_name.as_str()].into_iter().chain(id.as_deref()))
    }
}

/// Several scopes of one caller. What is asked for has to be in one of them as a whole: a host of one and a domain of another make no
/// pair that anybody granted. Of none at all nothing is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// These, as few as say the same: those of which one scope can say what both do are one.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Self {
        let mut scopes: Vec<Scope> = scopes.into_iter().collect();
        // What two of them make together may go with a third that goes with neither.
        while let Some((one, other, both)) = pair(&scopes) {
            scopes[one] = both;
            scopes.remove(other);
        }
        Self(scopes)
    }

    /// Each of them.
    pub fn as_slice(&self) -> &[Scope] {
        &self.0
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether it is not limited at all.
    pub fn is_everything(&self) -> bool {
        self.0.iter().any(Scope::is_everything)
    }

    /// Whether every domain is in it, on some host.
    pub fn has_all_domains(&self) -> bool {
        self.0.iter().any(|scope| scope.domains.is_empty())
    }

    /// Whether that host is in it, with some domain.
    pub fn has_host(&self, host: &str) -> bool {
        self.0.iter().any(|scope| scope.has_host(host))
    }

    /// Whether a domain is in it that goes by any of these names, on some host.
    pub fn has_domain(&self, names: &[&str]) -> bool {
        self.0.iter().any(|scope| scope.has_domain(names.iter().copied()))
    }

    /// Whether a domain is in it that goes by any of these names and is on that host.
    pub fn has(&self, host: &str, names: &[&str]) -> bool {
        self.0.iter().any(|scope| scope.has_host(host) && scope.has_domain(names.iter().copied()))
    }

    /// As [`Scope::leaves_open`].
    pub fn leaves_open(&self, name: &str) -> bool {
        !self.has_domain(&[name]) && self.0.iter().any(|scope| scope.leaves_open(name))
    }

    /// Those of them with that host.
    #[must_use]
    pub fn on(&self, host: &str) -> Self {
        self.only(|scope| scope.has_host(host))
    }

    /// Those of them with every host.
    #[must_use]
    pub fn on_all_hosts(&self) -> Self {
        self.only(|scope| scope.hosts.is_empty())
    }

    /// Those of them with a domain that goes by any of these names.
    #[must_use]
    pub fn of(&self, names: &[&str]) -> Self {
        self.only(|scope| scope.has_domain(names.iter().copied()))
    }

    fn only(&self, wanted: impl Fn(&Scope) -> bool) -> Self {
        Self(self.0.iter().filter(|scope| wanted(scope)).cloned().collect())
    }

    /// As [`Scope::sees`].
    pub fn sees(&self, task: &TaskBrief) -> bool {
        self.0.iter().any(|scope| scope.sees(task))
    }

    /// As [`Scope::commands`].
    pub fn commands(&self, task: &TaskBrief) -> bool {
        self.0.iter().any(|scope| scope.commands(task))
    }
}

impl From<Scope> for Scopes {
    fn from(scope: Scope) -> Self {
        Self(vec![scope])
    }
}

/// Two that can be one, by their places, the first of them first.
fn pair(scopes: &[Scope]) -> Option<(usize, usize, Scope)> {
    let mut all = scopes.iter().enumerate();
    all.find_map(|(one, scope)| {
        let mut later = scopes.iter().enumerate().skip(one + 1);
        later.find_map(|(other, next)| Some((one, other, scope.united(next)?)))
    })
}

/// Whether all that one list names is in the other, where an empty one names everything.
fn covers<T: PartialEq>(wide: &[T], narrow: &[T]) -> bool {
    wide.is_empty() || (!narrow.is_empty() && narrow.iter().all(|item| wide.contains(item)))
}

/// What either of two such lists names.
fn both<T: PartialEq + Clone>(one: &[T], other: &[T]) -> Vec<T> {
    if one.is_empty() || other.is_empty() {
        return Vec::new();
    }
    let new = other.iter().filter(|item| !one.contains(item));
    one.iter().chain(new).cloned().collect()
}

/// A token as it is kept: everything but the secret in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// By which it is found; the first part of the token itself, and no secret.
    pub id: String,
    /// Whose it is: the name that stands in records.
    pub name: String,
    /// Role.
    pub role: Role,
    /// How far it reaches.
    pub scope: Scope,
    /// The secret's hash, with its salt and cost, as argon2 writes it.
    pub hash: String,
    /// Made.
    pub created_at: Moment,
    /// By whom.
    pub created_by: String,
    /// From then on it is worth nothing.
    pub expires_at: Option<Moment>,
    /// Taken back.
    pub revoked_at: Option<Moment>,
}

/// A change that somebody asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Asked {
    /// When.
    pub at: Moment,
    /// Who: the caller's name.
    pub who: String,
    /// How that was proven, as `token 0123456789abcdef`.
    pub proof: String,
    /// From where: an address, or how else the request came.
    pub from: String,
    /// What was asked for, as `POST /api/v1/tasks/{task}/cancel`.
    pub what: String,
    /// Task that it is about, where it is about one that was there.
    pub task: Option<TaskId>,
    /// Domain, as far as the request names it or its task does.
    pub domain: Option<String>,
    /// Host, likewise: where a domain is to go.
    pub host: Option<String>,
    /// Why, in the words of whoever asked.
    pub reason: Option<String>,
    /// What else was in the request, as JSON.
    pub details: Option<String>,
}

/// A change on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audited {
    /// Its place, from 1; grows with time.
    pub number: u64,
    /// What was asked for.
    pub asked: Asked,
    /// What came of it, in a word: `done`, or the code of a problem. None: the process ended before it was known.
    pub outcome: Option<String>,
}

/// Which entries are wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditQuery {
    /// Only those before this number.
    pub before: Option<u64>,
    /// Only this caller's.
    pub who: Option<String>,
    /// Only those about this task.
    pub task: Option<TaskId>,
}

/// What is kept about who may do what. Safe to call from any thread; a call uses a local disk and takes milliseconds.
pub trait Ledger: Send + Sync {
    /// Keeps a new token.
    fn put_token(&self, token: &Token) -> Result<(), StoreFault>;
    /// The token of that id.
    fn token(&self, id: &str) -> Result<Option<Token>, StoreFault>;
    /// All tokens, the newest first, also those that are worth nothing any more.
    fn tokens(&self) -> Result<Vec<Token>, StoreFault>;
    /// Takes a token back. Answers whether there is one of that id that was not taken back before.
    fn revoke_token(&self, id: &str, at: Moment) -> Result<bool, StoreFault>;
    /// Notes a change before it is made; answers its number.
    fn note(&self, asked: &Asked) -> Result<u64, StoreFault>;
    /// Notes what came of it, and which task it made: that one counts, also where another one was noted. None: what was noted stays.
    fn settle(&self, number: u64, outcome: &str, task: Option<TaskId>) -> Result<(), StoreFault>;
    /// Entries, the newest first, `most` of them at most.
    fn audit(&self, query: &AuditQuery, most: u32) -> Result<Vec<Audited>, StoreFault>;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::DomainId;
    use crate::phase::Phase;

    fn scope(hosts: &[&str], domains: &[&str]) -> Scope {
        Scope {
            hosts: hosts.iter().map(|host| HostName::new(*host)).collect(),
            domains: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        }
    }

    fn task(domain: &str, source: Option<&str>, destination: &str) -> TaskBrief {
        TaskBrief {
            id: TaskId(Uuid::from_u128(1)),
            created_at: Moment(0),
            updated_at: Moment(0),
            domain: Some(DomainId(Uuid::from_u128(7))),
            domain_name: domain.to_owned(),
            source: source.map(HostName::new),
            destination: HostName::new(destination),
            phase: Phase::Accepted,
            outcome: None,
            summary: None,
            waits: false,
            permille: 0,
        }
    }

    #[test]
    fn each_role_permits_what_it_says_and_the_admin_all() {
        let table: Vec<(&str, Vec<&str>)> = Role::ALL
            .iter()
            .map(|role| {
                let may = Permission::ALL.iter().filter(|permission| role.permits(**permission));
                (role.as_str(), may.map(|permission| permission.as_str()).collect())
            })
            .collect();
        let expected = [
            ("viewer", vec!["look"]),
            ("operator", vec!["look", "move"]),
            ("policy-admin", vec!["look", "change-policies"]),
            ("admin", vec!["look", "move", "change-policies", "audit"]),
        ];
        assert_eq!(table, expected);
    }

    #[test]
    fn a_scope_names_hosts_and_takes_patterns_for_domains() {
        let all = Scope::default();
        assert!(all.is_everything() && all.has_host("a") && all.has_domain(["g1"]) && all.has_domain([]));
        let some = scope(&["a", "b"], &["web-*", "00000000-0000-0000-0000-000000000007"]);
        assert!(some.has_host("a") && !some.has_host("A") && !some.has_host("*"));
        assert!(some.has_domain(["web-1"]) && !some.has_domain(["db-1"]) && !some.has_domain([]));
        assert!(some.has_domain(["db-1", "00000000-0000-0000-0000-000000000007"]));
        // A UUID is no name that a pattern could fit, however it is written.
        let vague = scope(&[], &["u*", "0*", "{*", "????????-*"]);
        let written = [
            "00000000-0000-0000-0000-000000000007",
            "00000000000000000000000000000007",
            "{00000000-0000-0000-0000-000000000007}",
            "urn:uuid:00000000-0000-0000-0000-000000000007",
        ];
        for id in written {
            assert!(!vague.has_domain([id]) && some.has_domain([id]) && scope(&[], &["*"]).has_domain([id]), "{id}");
        }
    }

    #[test]
    fn only_a_look_tells_whether_a_domain_is_in_a_scope_by_its_other_name() {
        let id = "00000000-0000-0000-0000-000000000007";
        let (by_name, by_id) = (scope(&[], &["web-*"]), scope(&[], &[id]));
        assert!(by_name.leaves_open(id) && by_id.leaves_open("web-1"));
        // What is in it, and what no other name could bring into it.
        assert!(!by_name.leaves_open("web-1") && !by_name.leaves_open("db-1"));
        assert!(!by_id.leaves_open(id) && !by_id.leaves_open("00000000-0000-0000-0000-000000000008"));
        for name in [id, "db-1"] {
            assert!(!scope(&["a"], &[]).leaves_open(name) && !scope(&[], &["*"]).leaves_open(name), "{name}");
        }
    }

    #[test]
    fn scopes_are_united_where_one_can_say_what_both_do_and_nothing_more() {
        let cases: &[(Scope, Scope, Option<Scope>)] = &[
            (scope(&["a"], &["w*"]), scope(&[], &[]), Some(scope(&[], &[]))),
            (scope(&["a"], &[]), scope(&["b"], &[]), Some(scope(&["a", "b"], &[]))),
            (scope(&["a"], &["w*"]), scope(&["b"], &["w*"]), Some(scope(&["a", "b"], &["w*"]))),
            (scope(&["a", "b"], &["w*"]), scope(&["b", "a"], &["d*"]), Some(scope(&["a", "b"], &["w*", "d*"]))),
            (scope(&["a"], &["w*"]), scope(&["a"], &[]), Some(scope(&["a"], &[]))),
            (scope(&["a"], &["w*"]), scope(&[], &["w*"]), Some(scope(&[], &["w*"]))),
            // One has the other, although they differ in both.
            (scope(&["a"], &["w*"]), scope(&["a", "b"], &[]), Some(scope(&["a", "b"], &[]))),
            // As one they would have w1 on b.
            (scope(&["a"], &["w*"]), scope(&["b"], &["d*"]), None),
            (scope(&["a"], &[]), scope(&[], &["w*"]), None),
        ];
        for (one, other, expected) in cases {
            assert_eq!(one.united(other), *expected, "{one:?} {other:?}");
            let turned = other.united(one);
            assert_eq!(turned.is_some(), expected.is_some(), "{other:?} {one:?}");
        }
    }

    #[test]
    fn several_scopes_are_as_few_as_say_the_same() {
        let of = |scopes: &[Scope]| Scopes::new(scopes.iter().cloned()).as_slice().to_vec();
        let (one, two) = (scope(&["a"], &[]), scope(&["b"], &[]));
        assert_eq!(of(&[one.clone(), two.clone()]), [scope(&["a", "b"], &[])]);
        for at in 0..3 {
            let mut three = vec![one.clone(), two.clone()];
            three.insert(at, Scope::default());
            assert_eq!(of(&three), [Scope::default()], "{at}");
        }
        // The last two make one that goes with the first, which neither of them does alone.
        let (web, db) = (scope(&["a", "b"], &["web-*"]), |host| scope(&[host], &["db-*"]));
        assert_eq!(of(&[web, db("a"), db("b")]), [scope(&["a", "b"], &["web-*", "db-*"])]);
        let apart = [scope(&["a"], &["web-*"]), scope(&["b"], &["db-*"])];
        assert_eq!(of(&apart), apart);
    }

    #[test]
    fn what_is_in_several_scopes_is_in_one_of_them_as_a_whole() {
        let id = "00000000-0000-0000-0000-000000000007";
        let both = Scopes::new([scope(&["a", "b"], &["web-*"]), scope(&["b", "c"], &["db-*"])]);
        assert!(both.has_host("a") && both.has_host("c") && both.has_domain(&["web-1"]) && both.has_domain(&["db-1"]));
        assert!(both.has("a", &["web-1"]) && both.has("c", &["x", "db-1"]));
        assert!(!both.has("a", &["db-1"]) && !both.has("c", &["web-1"]) && !both.has_host("d"));
        assert!(both.on("a").has_domain(&["web-1"]) && !both.on("a").has_domain(&["db-1"]) && both.on("d").is_empty());
        assert!(both.of(&["db-1"]).has_host("c") && !both.of(&["db-1"]).has_host("a"));
        assert!(both.leaves_open(id) && !both.leaves_open("web-1") && !both.leaves_open("other"));
        let ends = |domain: &str| {
            let task = task(domain, Some("a"), "b");
            (both.sees(&task), both.commands(&task))
        };
        assert_eq!([ends("web-1"), ends("db-1"), ends("other")], [(true, true), (true, false), (false, false)]);
        assert!(!both.is_everything() && !both.has_all_domains() && both.on_all_hosts().is_empty());
        // Neither has every host and every domain, so both together have not either.
        let halves = Scopes::new([scope(&["a"], &[]), scope(&[], &["web-*"])]);
        assert!(!halves.is_everything() && halves.has_all_domains() && halves.has("b", &["web-1"]));
        assert!(!halves.has("b", &["db-1"]) && !halves.on("b").has_all_domains() && halves.on("a").has_all_domains());
        let none = Scopes::new([]);
        assert!(!none.is_everything() && !none.has_host("a") && !none.has_domain(&["web-1"]) && !none.leaves_open(id));
        assert!(Scopes::from(Scope::default()).is_everything());
    }

    #[test]
    fn a_task_is_seen_from_either_end_and_commanded_from_both() {
        let ends = scope(&["a"], &[]);
        for (source, destination, sees, commands) in [
            (Some("a"), "b", true, false),
            (Some("b"), "a", true, false),
            (Some("b"), "c", false, false),
            (None, "a", true, false),
            (None, "b", false, false),
            (Some("a"), "a", true, true),
        ] {
            let task = task("g1", source, destination);
            assert_eq!((ends.sees(&task), ends.commands(&task)), (sees, commands), "{source:?} {destination}");
        }
        let web = scope(&[], &["web-*"]);
        assert!(web.commands(&task("web-1", Some("a"), "b")) && !web.sees(&task("db-1", Some("a"), "b")));
        let by_id = scope(&[], &["00000000-0000-0000-0000-000000000007"]);
        assert!(by_id.commands(&task("db-1", None, "b")));
    }
}
