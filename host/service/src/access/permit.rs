//! Whether a caller may: its roles by the table, the scopes of those that permit it by what the request names. The gate asks it of
//! every request; what only a handler can know, the names in a body and what an answer tells of, is asked here too, by the handler.

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

/// The caller as far as those of its roles reach that permit what the route needs: what follows is held to that. Refuses whom none of
/// them permits it.
pub(crate) fn role(caller: Caller, rule: &Rule) -> Result<Caller, Failed> {
    let Needs::A(permission) = rule.needs else { return Ok(caller) };
    if caller.permits(permission) {
        return Ok(caller.doing(permission));
    }
    let mut roles: Vec<&str> = caller.grants().iter().map(|(role, _)| role.as_str()).collect();
    // Those of one role stand together.
    roles.dedup();
    let (name, is) = (caller.name(), roles.join(" and "));
    Err(Failed::new(Code::RoleMissing, format!("{name} is {is} here, and this needs the permission {permission}"))
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
    let scopes = caller.scopes();
    if scopes.is_everything() {
        return Ok(());
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
        Some(task) if rule.is_change() && !scopes.commands(task) => {
            return Err(outside(caller, &format!("task {}", task.id)).task(task.id));
        }
        Some(task) if !scopes.sees(task) => return Err(outside(caller, &format!("task {}", task.id)).task(task.id)),
        Some(_) => return Ok(()),
        None => {}
    }
    // What else is named has to be in a scope with that host.
    let near = named.host.as_deref().map_or_else(|| Ok(caller.clone()), |host| caller.on(host))?;
    if rule.reach == Reach::WholeHost && !near.scopes().has_all_domains() {
        return Err(outside(caller, "the facts of a host, which name all its domains,"));
    }
    // Where it takes a look at the domain to know, the handler looks.
    named.domain.as_deref().map_or(Ok(()), |domain| near.could_reach_domain(domain))
}

pub(super) fn outside(caller: &Caller, what: &str) -> Failed {
    let within = caller.scopes().as_slice().iter().map(|scope| {
        let mut within = Vec::new();
        if !scope.hosts.is_empty() {
            within.push(format!("hosts {}", scope.hosts.iter().map(HostName::as_str).collect::<Vec<_>>().join(", ")));
        }
        if !scope.domains.is_empty() {
            within.push(format!("domains {}", scope.domains.join(", ")));
        }
        within.join("; ")
    });
    let within = within.collect::<Vec<_>>().join(", or ");
    Failed::new(Code::OutOfScope, format!("{what} is outside of what {} may reach with this: {within}", caller.name()))
        .remedy("ask an administrator for a wider scope")
}

impl Caller {
    /// The same with what is on that host; refuses a host that is outside.
    pub(super) fn on(&self, host: &str) -> Result<Self, Failed> {
        let scopes = self.scopes().on(host);
        if scopes.is_empty() { Err(outside(self, &format!("host {host}"))) } else { Ok(self.within(scopes)) }
    }

    /// Refuses a domain that is outside by whatever else it is called: what can be said without asking a host.
    pub(super) fn could_reach_domain(&self, domain: &str) -> Result<(), Failed> {
        let could = self.scopes().has_domain(&[domain]) || self.scopes().leaves_open(domain);
        if could { Ok(()) } else { Err(outside(self, &format!("domain {domain}"))) }
    }

    /// Keeps of these what is about tasks that the caller may see.
    pub(crate) fn keep_seen<T>(
        &self,
        feed: &dyn Feed,
        items: &mut Vec<T>,
        task_of: impl Fn(&T) -> TaskId,
    ) -> Result<(), StoreFault> {
        if self.scopes().is_everything() {
            return Ok(());
        }
        let mut seen = BTreeSet::new();
        for task in items.iter().map(&task_of).collect::<BTreeSet<_>>() {
            if feed.brief(task)?.is_some_and(|brief| self.scopes().sees(&brief)) {
                seen.insert(task);
            }
        }
        items.retain(|item| seen.contains(&task_of(item)));
        Ok(())
    }

    /// Whether the caller sees what the settings of policies say, which may be secret: who may replace them does.
    pub(crate) fn sees_settings(&self) -> bool {
        let may = |rule| role(self.clone(), rule).and_then(|caller| scope(&caller, rule, &Named::default())).is_ok();
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

    /// The hosts of these that it reaches, each with some domain.
    pub(crate) fn hosts_in_reach(&self, hosts: Vec<HostName>) -> Vec<HostName> {
        hosts.into_iter().filter(|host| self.scopes().has_host(host.as_str())).collect()
    }
}
