//! Whether a caller may: its role by the table, its scope by what the request names. The gate asks it of every request; what only
//! a handler can know, the names in a body and what an answer tells of, is asked here too, by the handler.

use std::collections::BTreeSet;

use axum::extract::{FromRequestParts as _, RawPathParams};
use axum::http::request::Parts;
use waypost_api::v1;
use waypost_core::access::Permission;
use waypost_core::feed::Feed;
use waypost_core::ids::{HostName, PluginName, TaskId};
use waypost_core::ports::{StoreFault, TaskBrief};

use super::table::{self, Needs, Reach, Rule};
use crate::caller::Caller;
use crate::policies::plugin_name;
use crate::problem::{Code, Failed};
use crate::service::Service;

/// What a path names.
#[derive(Debug, Default)]
pub(crate) struct Named {
    pub(crate) host: Option<String>,
    pub(crate) domain: Option<String>,
    pub(crate) task: Option<TaskBrief>,
    pub(crate) plugin: Option<PluginName>,
}

impl Named {
    /// Reads it from the path; a task that is there is looked up.
    pub(crate) async fn in_path(service: &Service, parts: &mut Parts) -> Result<Self, Failed> {
        let mut named = Self::default();
        // Without parameters there are none to read, and one that is not UTF-8 is no name of anything.
        let Ok(parameters) = RawPathParams::from_request_parts(parts, &()).await else { return Ok(named) };
        for (key, value) in &parameters {
            match key {
                "host" => named.host = Some(value.to_owned()),
                "domain" | "name" => named.domain = Some(value.to_owned()),
                // What can't be one is refused by the handler.
                "plugin" => named.plugin = plugin_name(value),
                "task" | "id" => {
                    if let Ok(id) = value.parse() {
                        named.task = service.read(move |feed| feed.brief(id)).await?;
                    }
                }
                _ => {}
            }
        }
        if let Some(task) = &named.task {
            named.domain = Some(task.domain_name.clone());
            named.host = Some(task.destination.to_string());
        }
        Ok(named)
    }
}

/// Refuses what the caller's role does not permit.
pub(crate) fn role(caller: &Caller, rule: &Rule) -> Result<(), Failed> {
    let Needs::A(permission) = rule.needs else { return Ok(()) };
    if caller.role().permits(permission) {
        return Ok(());
    }
    let (name, role) = (caller.name(), caller.role());
    Err(Failed::new(Code::RoleMissing, format!("{name} is {role} here, and this needs the permission {permission}"))
        .remedy(format!("ask an administrator for the role {}", least(permission))))
}

/// The role with the fewest permissions that has this one.
fn least(permission: Permission) -> &'static str {
    match permission {
        Permission::Look => "viewer",
        Permission::Move => "operator",
        Permission::ChangePolicies => "policy-admin",
        Permission::Audit => "admin",
    }
}

/// Refuses what the path names and the caller's scope does not have.
pub(crate) fn scope(caller: &Caller, rule: &Rule, named: &Named) -> Result<(), Failed> {
    let scope = caller.scope();
    if scope.is_everything() {
        return Ok(());
    }
    if rule.reach == Reach::WholeHost && !scope.domains.is_empty() {
        return Err(outside(caller, "the facts of a host, which name all its domains,"));
    }
    if rule.reach == Reach::Everything {
        let what = if rule.is_change() {
            "what judges the domains of all hosts"
        } else {
            "what is told of all hosts and domains at once"
        };
        return Err(outside(caller, what));
    }
    match &named.task {
        Some(task) if rule.is_change() && !scope.commands(task) => {
            return Err(outside(caller, &format!("task {}", task.id)).task(task.id));
        }
        Some(task) if !scope.sees(task) => return Err(outside(caller, &format!("task {}", task.id)).task(task.id)),
        Some(_) => return Ok(()),
        None => {}
    }
    if let Some(host) = &named.host {
        caller.may_reach_host(host)?;
    }
    // Where it takes a look at the domain to know, the handler looks.
    named.domain.as_deref().map_or(Ok(()), |domain| caller.could_reach_domain(domain))
}

pub(super) fn outside(caller: &Caller, what: &str) -> Failed {
    let scope = caller.scope();
    let mut within = Vec::new();
    if !scope.hosts.is_empty() {
        within.push(format!("hosts {}", scope.hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")));
    }
    if !scope.domains.is_empty() {
        within.push(format!("domains {}", scope.domains.join(", ")));
    }
    Failed::new(
        Code::OutOfScope,
        format!("{what} is outside of what {} may reach: {}", caller.name(), within.join("; ")),
    )
    .remedy("ask an administrator for a wider scope")
}

impl Caller {
    pub(crate) fn may_reach_host(&self, host: &str) -> Result<(), Failed> {
        if self.scope().has_host(host) { Ok(()) } else { Err(outside(self, &format!("host {host}"))) }
    }

    /// Refuses a domain that is outside by whatever else it is called: what can be said without asking a host.
    pub(super) fn could_reach_domain(&self, domain: &str) -> Result<(), Failed> {
        let could = self.scope().has_domain([domain]) || self.scope().leaves_open(domain);
        if could { Ok(()) } else { Err(outside(self, &format!("domain {domain}"))) }
    }

    /// Keeps of these what is about tasks that the caller may see.
    pub(crate) fn keep_seen<T>(
        &self,
        feed: &dyn Feed,
        items: &mut Vec<T>,
        task_of: impl Fn(&T) -> TaskId,
    ) -> Result<(), StoreFault> {
        if self.scope().is_everything() {
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        for task in items.iter().map(&task_of).collect::<BTreeSet<_>>() {
            if feed.brief(task)?.is_some_and(|brief| self.scope().sees(&brief)) {
                seen.insert(task);
            }
        }
        items.retain(|item| seen.contains(&task_of(item)));
        Ok(())
    }

    /// Whether the caller sees what the settings of policies say, which may be secret: who may replace them does.
    pub(crate) fn sees_settings(&self) -> bool {
        let may = |rule| role(self, rule).and_then(|()| scope(self, rule, &Named::default())).is_ok();
        table::of_settings().is_some_and(may)
    }

    /// Takes out of decision records what the caller does not see.
    pub(crate) fn keep_settings<'a>(&self, decisions: impl IntoIterator<Item = &'a mut v1::Decision>) {
        if !self.sees_settings() {
            for decision in decisions {
                decision.settings = None;
            }
        }
    }

    /// The hosts of these that are in the scope.
    pub(crate) fn hosts_in_reach(&self, hosts: Vec<HostName>) -> Vec<HostName> {
        hosts.into_iter().filter(|host| self.scope().has_host(host.as_str())).collect()
    }
}
