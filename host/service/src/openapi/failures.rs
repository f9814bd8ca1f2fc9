//! How each operation may fail: every status with the codes that come with it, in place of one answer that would allow any status.
//! Most follow from what the route is: what the gate asks of it by the table of who may do what, whether it takes a body, what its path
//! names. What is left is listed by route. `make contract` insists that nothing else is ever answered.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

use utoipa::openapi::{ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder};
use waypost_api::v1::PROBLEM_JSON;

use crate::access::table::{self, Needs, Reach, Rule};
use crate::problem::Code;

/// What any request may be answered before its route is looked at, or because the whole is in trouble.
const ANY: &[Code] = &[
    Code::TlsRequired,
    Code::BadRequest,
    Code::NoCaller,
    Code::BadToken,
    Code::RoleMissing,
    Code::OtherOrigin,
    Code::LockedOut,
    Code::TooOften,
    Code::Defect,
    Code::Busy,
    Code::IssuerSilent,
    Code::StoreFailed,
    Code::TooSlow,
];

/// A host or a domain is looked at.
const HOSTS: &[Code] = &[Code::NoSuchHost, Code::HostFailed, Code::HostSilent];

/// Puts them into the description, in the place of [`Problems`](super::Problems).
pub(super) fn fill_in(document: &mut OpenApi) {
    for (path, item) in &mut document.paths.paths {
        let operations = [
            ("GET", &mut item.get),
            ("PUT", &mut item.put),
            ("POST", &mut item.post),
            ("PATCH", &mut item.patch),
            ("DELETE", &mut item.delete),
        ];
        for (method, operation) in operations {
            let Some(operation) = operation else { continue };
            let responses = &mut operation.responses.responses;
            responses.remove(super::ANY_PROBLEM);
            for (status, words) in statuses(method, path, operation.request_body.is_some()) {
                match responses.entry(status.to_string()) {
                    Entry::Vacant(free) => {
                        free.insert(RefOr::T(problem(&words)));
                    }
                    Entry::Occupied(mut taken) => {
                        if let RefOr::T(there) = taken.get_mut() {
                            there.description = format!("{}. As a problem: {}", there.description, list(&words));
                            there.content.extend(problem(&words).content);
                        }
                    }
                }
            }
            // Said before there is a request, so it is no problem of ours.
            let too_long =
                ResponseBuilder::new().description("The head is too long, or has too many lines; without a body");
            responses.insert("431".to_owned(), RefOr::T(too_long.build()));
        }
    }
}

fn problem(words: &BTreeSet<&'static str>) -> Response {
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    ResponseBuilder::new().description(list(words)).content(PROBLEM_JSON, content).build()
}

fn list(words: &BTreeSet<&'static str>) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The codes of an operation, by their status.
fn statuses(method: &str, path: &str, has_body: bool) -> BTreeMap<u16, BTreeSet<&'static str>> {
    let mut by_status: BTreeMap<u16, BTreeSet<&'static str>> = BTreeMap::new();
    let rule = table::listed(method, path);
    for codes in [ANY, of_route(method, path), &of_path(path), &of_kind(method, rule, has_body)] {
        for code in codes {
            by_status.entry(code.status().as_u16()).or_default().insert(code.as_str());
        }
    }
    by_status
}

/// By what the path names.
fn of_path(path: &str) -> Vec<Code> {
    let mut codes = Vec::new();
    if path.contains("{task}") {
        codes.push(Code::NoSuchTask);
    }
    if path.contains("{host}") {
        codes.extend(HOSTS);
    }
    if path.contains("{domain}") {
        codes.push(Code::NoSuchDomain);
    }
    if path.contains("{plugin}") {
        codes.extend([Code::BadName, Code::NoSuchPlugin]);
    }
    codes
}

/// By what the gate asks of it, and by whether it has a body.
fn of_kind(method: &str, rule: Option<&Rule>, has_body: bool) -> Vec<Code> {
    let mut codes = Vec::new();
    if method != "GET" {
        codes.push(Code::Draining);
    }
    if has_body {
        codes.extend([Code::TooLarge, Code::WrongShape]);
        codes.push(if rule.is_some_and(Rule::is_upload) { Code::NotWasm } else { Code::NotJson });
    }
    let Some(rule) = rule else { return codes };
    if !matches!((rule.needs, rule.reach), (Needs::Nothing | Needs::Caller, _) | (_, Reach::None)) {
        codes.push(Code::OutOfScope);
    }
    if rule.is_change() {
        // It is read whole before it is noted and made, whether or not one is wanted.
        codes.extend([Code::TooLarge, Code::EncodedBody]);
    }
    if rule.changes_policies() {
        codes.extend([Code::PluginFixed, Code::ChangedMeanwhile, Code::ConditionMissing]);
        // What would be in force after it is tried first.
        codes.extend([Code::PluginUnusable, Code::SettingsRefused]);
    }
    codes
}

/// What only this route may answer.
fn of_route(method: &str, path: &str) -> &'static [Code] {
    match (method, path) {
        ("POST", "/api/v1/checks" | "/api/v1/dry-runs") => &[
            Code::Refused,
            Code::NoSuchDomain,
            Code::NoSuchHost,
            Code::DomainUnclear,
            Code::HostFailed,
            Code::HostSilent,
        ],
        // A host is asked where it takes a look to know whether a domain is in the caller's scope; so it is for one that is repeated.
        ("POST", "/api/v1/tasks") => {
            &[Code::Refused, Code::DomainBusy, Code::KeyReused, Code::HostFailed, Code::HostSilent]
        }
        ("POST", "/api/v1/tasks/{task}/cancel") => &[Code::TaskOver],
        ("POST", "/api/v1/tasks/{task}/retry") => &[
            Code::TaskOver,
            Code::TaskNotOver,
            Code::DomainBusy,
            Code::KeyReused,
            Code::Refused,
            Code::HostFailed,
            Code::HostSilent,
        ],
        ("POST", "/api/v1/tasks/{task}/steer") => &[Code::TaskOver, Code::NotSteerable, Code::Refused],
        ("GET", "/api/v1/tasks/{task}/situation") => &[Code::NothingToLookAt],
        ("POST", "/api/v1/tasks/{task}/actions") => {
            &[Code::NotPermitted, Code::DrivenElsewhere, Code::Refused, Code::HostFailed, Code::HostSilent]
        }
        ("GET", "/api/v1/events" | "/api/v1/tasks/{task}/events" | "/api/v1/changes") => &[Code::UnknownEvent],
        ("PUT", "/api/v1/plugins/{plugin}") => &[Code::Archive],
        // What the query names may be no task.
        ("GET", "/api/v1/audit") => &[Code::NoSuchTask],
        ("POST", "/api/v1/session") => &[Code::Refused],
        _ => &[],
    }
}
