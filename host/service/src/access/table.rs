//! Which route needs what: one list, and what is not in it is refused. A test compares it with the OpenAPI document.

use axum::extract::{MatchedPath, OriginalUri, Request};
use axum::http::Method;
use waypost_core::access::Permission;

use crate::problem::{Code, Failed};

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Not even a caller: what is in every copy of the program.
    Nothing,
    /// A caller, whatever its role.
    Caller,
    /// A role that permits that.
    A(Permission),
}

/// How the caller's scope is held to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It is about no host and no domain.
    None,
    /// By the gate: what the path names must be in the scope. A domain that may be in it by its other name alone is left to the handler.
    Path,
    /// By the gate: as before, and the answer tells of all domains of the host.
    WholeHost,
    /// By the gate: the answer tells of all hosts and domains, or the change is felt by all of them.
    Everything,
    /// By the handler: what the body names must be in the scope.
    Body,
    /// By the handler: only what is in the scope is in the answer.
    Answer,
}

/// Whether a request takes the place of a listener, which may last, or that of one that is worked on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Listening {
    /// It is a stream.
    Always,
    /// With `wait` it is a long poll.
    WhereItWaits,
    /// It is answered at once.
    Never,
}

/// What the body of a change is: what of it may be on record is what was read as that, and nothing else of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A new task.
    Task,
    /// What is wanted of a transfer.
    Steering,
    /// What a person does about a task.
    Action,
    /// Settings of a policy, which may hold secrets.
    Settings,
    /// There is none.
    None,
    /// A file, or what another interface takes, a password among it.
    Untold,
}

/// A route.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    method: &'static str,
    path: &'static str,
    pub(crate) needs: Needs,
    pub(crate) reach: Reach,
}

const LOOK: Needs = Needs::A(Permission::Look);
const MOVE: Needs = Needs::A(Permission::Move);
const CHANGE: Needs = Needs::A(Permission::ChangePolicies);

/// Where a policy is uploaded to; the one route whose body is a file.
const UPLOAD: &str = "/api/v1/plugins/{plugin}";

const SETTINGS: &str = "/api/v1/plugins/{plugin}/settings";

const fn rule(method: &'static str, path: &'static str, needs: Needs, reach: Reach) -> Rule {
    Rule { method, path, needs, reach }
}

pub(crate) const TABLE: &[Rule] = &[
    rule("GET", "/api/v1/system/version", LOOK, Reach::None),
    rule("GET", "/api/v1/openapi.json", LOOK, Reach::None),
    rule("GET", "/api/v1/system/health", LOOK, Reach::None),
    rule("GET", "/api/v1/system/ready", LOOK, Reach::None),
    rule("GET", "/api/v1/plugins", LOOK, Reach::None),
    rule("GET", "/api/v1/plugins/{plugin}", LOOK, Reach::None),
    rule("PUT", UPLOAD, CHANGE, Reach::Everything),
    rule("DELETE", "/api/v1/plugins/{plugin}", CHANGE, Reach::Everything),
    rule("POST", "/api/v1/plugins/{plugin}/enable", CHANGE, Reach::Everything),
    rule("POST", "/api/v1/plugins/{plugin}/disable", CHANGE, Reach::Everything),
    rule("GET", SETTINGS, LOOK, Reach::None),
    rule("PUT", SETTINGS, CHANGE, Reach::Everything),
    rule("PATCH", SETTINGS, CHANGE, Reach::Everything),
    rule("DELETE", SETTINGS, CHANGE, Reach::Everything),
    rule("GET", "/api/v1/hosts", LOOK, Reach::Answer),
    rule("GET", "/api/v1/hosts/{host}", LOOK, Reach::Path),
    rule("GET", "/api/v1/hosts/{host}/facts", LOOK, Reach::WholeHost),
    rule("GET", "/api/v1/hosts/{host}/domains", LOOK, Reach::Answer),
    rule("GET", "/api/v1/hosts/{host}/domains/{domain}/facts", LOOK, Reach::Path),
    rule("GET", "/api/v1/domains", LOOK, Reach::Answer),
    rule("GET", "/api/v1/queue", LOOK, Reach::Answer),
    rule("GET", "/api/v1/readiness", LOOK, Reach::Answer),
    rule("POST", "/api/v1/checks", LOOK, Reach::Body),
    rule("POST", "/api/v1/dry-runs", LOOK, Reach::Body),
    rule("POST", "/api/v1/tasks", MOVE, Reach::Body),
    rule("GET", "/api/v1/tasks", LOOK, Reach::Answer),
    rule("GET", "/api/v1/top", LOOK, Reach::Answer),
    rule("GET", "/api/v1/tasks/{task}", LOOK, Reach::Path),
    rule("GET", "/api/v1/tasks/{task}/records", LOOK, Reach::Path),
    rule("GET", "/api/v1/tasks/{task}/samples", LOOK, Reach::Path),
    rule("POST", "/api/v1/tasks/{task}/cancel", MOVE, Reach::Path),
    rule("POST", "/api/v1/tasks/{task}/retry", MOVE, Reach::Path),
    rule("POST", "/api/v1/tasks/{task}/steer", MOVE, Reach::Path),
    rule("GET", "/api/v1/tasks/{task}/situation", LOOK, Reach::Path),
    rule("POST", "/api/v1/tasks/{task}/actions", MOVE, Reach::Path),
    rule("GET", "/api/v1/events", LOOK, Reach::Answer),
    rule("GET", "/api/v1/tasks/{task}/events", LOOK, Reach::Path),
    rule("GET", "/api/v1/changes", LOOK, Reach::Answer),
    rule("GET", "/api/v1/decisions", LOOK, Reach::Answer),
    rule("GET", "/api/v1/audit", Needs::A(Permission::Audit), Reach::Everything),
    rule("GET", "/api/v1/session", Needs::Caller, Reach::None),
    rule("POST", "/api/v1/session", Needs::Caller, Reach::None),
    rule("DELETE", "/api/v1/session", Needs::Caller, Reach::None),
    rule("GET", "/metrics", LOOK, Reach::Everything),
    rule("GET", "/", Needs::Nothing, Reach::None),
    rule("GET", "/login", Needs::Nothing, Reach::None),
    rule("GET", "/login.js", Needs::Nothing, Reach::None),
    rule("GET", "/login.css", Needs::Nothing, Reach::None),
    rule("GET", "/waypost.js", Needs::Nothing, Reach::None),
    rule("GET", "/dashboard.css", Needs::Nothing, Reach::None),
    rule("GET", "/waypost.svg", Needs::Nothing, Reach::None),
    rule("GET", "/third-party.txt", Needs::Nothing, Reach::None),
    rule("POST", "/vms/{name}/migrate", MOVE, Reach::Body),
    rule("GET", "/tasks", LOOK, Reach::Answer),
    rule("GET", "/tasks/{id}", LOOK, Reach::Path),
    rule("DELETE", "/tasks/{id}", MOVE, Reach::Path),
    rule("POST", "/plugins/kimchi/vms/{name}/migrate", MOVE, Reach::Body),
    rule("GET", "/plugins/kimchi/tasks", LOOK, Reach::Answer),
    rule("GET", "/plugins/kimchi/tasks/{id}", LOOK, Reach::Path),
    rule("DELETE", "/plugins/kimchi/tasks/{id}", MOVE, Reach::Path),
    // There is nothing behind it, whatever the method.
    rule("*", "/plugins/kimchi/{*rest}", Needs::Caller, Reach::None),
];

/// What is known of a request's route.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Route {
    /// It is in the table.
    Known(&'static Rule),
    /// The path is, the method is not.
    OtherMethod,
    /// There is nothing at the path.
    Nowhere,
    /// There is something, and the table does not have it.
    Unlisted,
}

impl Route {
    /// The route of a request that has passed the router.
    pub(crate) fn of(request: &Request) -> Self {
        let Some(matched) = request.extensions().get::<MatchedPath>() else { return Self::Nowhere };
        let whole = request.extensions().get::<OriginalUri>().map_or(request.uri().path(), |uri| uri.0.path());
        // Where the routes are mounted below another path, that path is not ours.
        let inner = request.uri().path();
        let mounted = whole.strip_suffix(inner).or((inner == "/").then_some(whole)).unwrap_or_default();
        let path = matched.as_str().strip_prefix(mounted).unwrap_or(matched.as_str());
        // The root of what is mounted as a service is known by one slash too many.
        find(request.method(), if path.bytes().all(|byte| byte == b'/') { "/" } else { path })
    }

    pub(crate) fn needs_nothing(&self) -> bool {
        matches!(self, Self::Known(Rule { needs: Needs::Nothing, .. }))
    }

    /// Whether it asks how the service is.
    pub(crate) fn is_about_health(&self) -> bool {
        matches!(self, Self::Known(Rule { path: "/api/v1/system/health" | "/api/v1/system/ready", .. }))
    }

    /// The rule; none where there is no route, which is told in the usual way.
    pub(crate) fn rule(self) -> Result<Option<&'static Rule>, Failed> {
        match self {
            Self::Known(rule) => Ok(Some(rule)),
            Self::Nowhere => Ok(None),
            Self::OtherMethod => Err(Failed::new(Code::WrongMethod, "this path has no such method")),
            Self::Unlisted => {
                tracing::error!("a defect: a route is not in the table of who may do what, and is refused");
                Err(Failed::new(Code::RoleMissing, "it is not settled who may do this, so nobody may"))
            }
        }
    }
}

impl Rule {
    /// What it is called in the audit log.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether it changes something that the audit log is about.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self.needs, Needs::A(Permission::Move | Permission::ChangePolicies))
    }

    /// Whether who asks for it waits for news on purpose.
    pub(crate) fn listening(&self) -> Listening {
        match self.path {
            "/api/v1/events" | "/api/v1/tasks/{task}/events" => Listening::Always,
            "/api/v1/tasks/{task}" | "/api/v1/changes" => Listening::WhereItWaits,
            _ => Listening::Never,
        }
    }

    /// Whether it changes a policy.
    pub(crate) fn changes_policies(&self) -> bool {
        matches!(self.needs, Needs::A(Permission::ChangePolicies))
    }

    /// Whether its body is a file, which has a limit of its own.
    pub(crate) fn is_upload(&self) -> bool {
        self.method == "PUT" && self.path == UPLOAD
    }

    /// What its body is.
    pub(crate) fn body(&self) -> Shape {
        match (self.method, self.path) {
            ("POST", "/api/v1/tasks") => Shape::Task,
            ("POST", "/api/v1/tasks/{task}/steer") => Shape::Steering,
            ("POST", "/api/v1/tasks/{task}/actions") => Shape::Action,
            ("PUT" | "PATCH", SETTINGS) => Shape::Settings,
            (_, path) if path.starts_with("/api/v1/") && !self.is_upload() => Shape::None,
            _ => Shape::Untold,
        }
    }
}

/// The rule of a route as the description has it.
pub(crate) fn listed(method: &str, path: &str) -> Option<&'static Rule> {
    TABLE.iter().find(|rule| rule.method == method && rule.path == path)
}

/// The rule for whoever replaces the settings of a policy.
pub(crate) fn of_settings() -> Option<&'static Rule> {
    match find(&Method::PUT, SETTINGS) {
        Route::Known(rule) => Some(rule),
        _ => None,
    }
}

fn find(method: &Method, path: &str) -> Route {
    let asked = if method == Method::HEAD { "GET" } else { method.as_str() };
    let mut of_path = TABLE.iter().filter(|rule| rule.path == path).peekable();
    if of_path.peek().is_none() {
        return Route::Unlisted;
    }
    match of_path.find(|rule| rule.method == asked || rule.method == "*") {
        Some(rule) => Route::Known(rule),
        None => Route::OtherMethod,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_route_of_the_description_is_in_the_table_and_none_besides() {
        let document = serde_json::to_value(crate::openapi()).unwrap();
        let mut described = BTreeSet::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for method in operations.as_object().unwrap().keys() {
                described.insert((method.to_uppercase(), path.clone()));
            }
        }
        let ours = TABLE.iter().filter(|rule| rule.path.starts_with("/api/v1/"));
        let listed: Vec<_> = ours.map(|rule| (rule.method.to_owned(), rule.path.to_owned())).collect();
        let once: BTreeSet<_> = listed.iter().cloned().collect();
        assert_eq!(once.len(), listed.len(), "a route is listed twice");
        assert_eq!(once, described);
    }

    #[test]
    fn what_changes_something_is_never_for_a_viewer_and_what_is_not_listed_for_nobody() {
        for rule in TABLE {
            let safe = ["GET", "*"].contains(&rule.method)
                || ["/api/v1/checks", "/api/v1/dry-runs", "/api/v1/session"].contains(&rule.path);
            assert_eq!(rule.is_change(), !safe, "{}", rule.name());
        }
        for rule in TABLE.iter().filter(|rule| !rule.path.starts_with("/api/v1/")) {
            assert_eq!(rule.body(), Shape::Untold, "{}", rule.name());
        }
        let settings = TABLE.iter().filter(|rule| rule.body() == Shape::Settings).map(Rule::name);
        let path = "/api/v1/plugins/{plugin}/settings";
        assert_eq!(settings.collect::<Vec<_>>(), [format!("PUT {path}"), format!("PATCH {path}")]);
        let uploads: Vec<_> = TABLE.iter().filter(|rule| rule.is_upload()).map(Rule::name).collect();
        assert_eq!(uploads, ["PUT /api/v1/plugins/{plugin}"]);
        assert!(matches!(find(&Method::PUT, "/api/v1/tasks"), Route::OtherMethod));
        assert!(matches!(find(&Method::GET, "/api/v1/new"), Route::Unlisted));
        assert!(matches!(find(&Method::HEAD, "/api/v1/tasks"), Route::Known(_)));
        assert!(Route::Unlisted.rule().is_err());
    }
}
