//! Which tasks need a host that is about to go, and which hold a network that would be gone or lose a role: what is on record of
//! them, whoever drives them.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Formatter};

use waypost_core::feed::{Feed, Place, TaskQuery, TaskState};
use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::{Course, Step};
use waypost_core::network::{Networks, Role, held};
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::TaskBrief;
use waypost_engine::{Engine, EngineError};

/// Tasks that are read at once.
const PAGE: u32 = 1000;
/// Tasks that are named in one sentence; of more, how many they are.
const NAMED: usize = 10;

/// A task that needs a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The host; none: where the task's domain is isn't known yet, and it may be any.
    pub host: Option<HostName>,
    /// The task.
    pub task: TaskId,
    /// Its domain.
    pub domain: String,
    /// Its phase, or how it ended.
    pub is: String,
}

impl Display for Needed {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { host, task, domain, is } = self;
        match host {
            Some(host) => write!(f, "{host} by task {task} of {domain} ({is})"),
            None => write!(f, "perhaps any host by task {task} of {domain} ({is}), which looks for its domain"),
        }
    }
}

/// A task that holds a network: its migration takes it, or may turn to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The network.
    pub network: String,
    /// What it is to carry.
    pub role: Role,
    /// The task.
    pub task: TaskId,
    /// Its domain.
    pub domain: String,
    /// Its phase, or how it ended.
    pub is: String,
}

impl Display for Held {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { network, role, task, domain, is } = self;
        write!(f, "{network} with the role {role} by task {task} of {domain} ({is})")
    }
}

/// The tasks in words.
pub(super) fn listed<T: Display>(needed: &[T]) -> String {
    let mut words: Vec<String> = needed.iter().take(NAMED).map(T::to_string).collect();
    if needed.len() > NAMED {
        words.push(format!("and {} tasks more", needed.len() - NAMED));
    }
    words.join(", ")
}

/// The tasks that are not over, or ended stuck, and name one of these hosts.
pub(crate) fn needed(
    engine: &Engine,
    feed: &dyn Feed,
    leaving: &BTreeSet<HostName>,
) -> Result<Vec<Needed>, EngineError> {
    let mut found = Vec::new();
    if !leaving.is_empty() {
        each(engine, feed, |brief, course| found.extend(needs(brief, course, leaving)))?;
    }
    Ok(found)
}

/// The tasks that are not over, or ended stuck, and hold something of these networks that the others have not.
pub(crate) fn holding(
    engine: &Engine,
    feed: &dyn Feed,
    was: &Networks,
    is: &Networks,
) -> Result<Vec<Held>, EngineError> {
    let withdrawn = was.withdrawn(is);
    let mut found = Vec::new();
    if !withdrawn.is_empty() {
        each(engine, feed, |brief, course| found.extend(holds(brief, course, was, &withdrawn)))?;
    }
    Ok(found)
}

/// Every task that is not over, or ended stuck, with what its journal comes to; none of one whose journal can't be read.
fn each(
    engine: &Engine,
    feed: &dyn Feed,
    mut tell: impl FnMut(&TaskBrief, Option<&Course>),
) -> Result<(), EngineError> {
    let states = vec![TaskState::Unfinished, TaskState::Ended(OutcomeKind::Stuck)];
    let mut query = TaskQuery { states, ..TaskQuery::default() };
    loop {
        let page = feed.page(&query, PAGE)?;
        for brief in &page {
            let course = match engine.read(brief.id) {
                Ok(course) => Some(course),
                // Nobody can go on with it; what its line in the list names counts.
                Err(EngineError::Journal { .. } | EngineError::NoTask(_)) => None,
                Err(error) => return Err(error),
            };
            tell(brief, course.as_ref());
        }
        match page.last() {
            Some(last) if page.len() >= PAGE as usize => {
                query.after = Some(Place { created_at: last.created_at, task: last.id });
            }
            _ => return Ok(()),
        }
    }
}

fn needs(brief: &TaskBrief, course: Option<&Course>, leaving: &BTreeSet<HostName>) -> Option<Needed> {
    let named = names(brief, course).into_iter().find(|host| leaving.contains(*host)).cloned();
    let source = course.and_then(|course| course.current.source.as_ref()).or(brief.source.as_ref());
    // Who looks for the domain is about to choose one of all hosts.
    let looks = source.is_none() && brief.outcome.is_none();
    (named.is_some() || looks).then(|| Needed {
        host: named,
        task: brief.id,
        domain: brief.domain_name.clone(),
        is: standing(brief),
    })
}

/// A task without a plan holds nothing yet: its plan will be made of what there is then.
fn holds(
    brief: &TaskBrief,
    course: Option<&Course>,
    was: &Networks,
    withdrawn: &BTreeSet<(String, Role)>,
) -> Vec<Held> {
    let held = course.and_then(|course| course.plan.as_ref()).map(|plan| held(plan, was)).unwrap_or_default();
    let told = |(network, role): &(String, Role)| Held {
        network: network.clone(),
        role: *role,
        task: brief.id,
        domain: brief.domain_name.clone(),
        is: standing(brief),
    };
    held.intersection(withdrawn).map(told).collect()
}

fn standing(brief: &TaskBrief) -> String {
    brief.outcome.map_or_else(|| brief.phase.to_string(), |outcome| outcome.to_string())
}

/// Every host that is on record as one that the task still has to do with.
fn names<'a>(brief: &'a TaskBrief, course: Option<&'a Course>) -> Vec<&'a HostName> {
    let mut names: Vec<&HostName> = brief.source.iter().chain([&brief.destination]).collect();
    if let Some(course) = course {
        names.extend(course.current.source.iter().chain([&course.current.destination]));
        names.extend(course.plan.iter().flat_map(|plan| [&plan.source.host, &plan.destination.host]));
        names.extend(course.open_steps.iter().map(|step| match step {
            Step::MaxDowntime { host, .. }
            | Step::SourceAutostart { host }
            | Step::Volume { host, .. }
            | Step::Throttle { host } => host,
        }));
    }
    names
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use waypost_core::ids::{DomainKey, Moment};
    use waypost_core::network::Network;
    use waypost_core::phase::Phase;
    use waypost_core::plan::Plan;
    use waypost_core::request::{MigrationRequest, Options};
    use waypost_core::testing::plan;

    use super::*;

    fn brief(source: Option<&str>, outcome: Option<OutcomeKind>) -> TaskBrief {
        TaskBrief {
            id: TaskId(uuid::Uuid::nil()),
            created_at: Moment(1),
            updated_at: Moment(1),
            domain: None,
            domain_name: "g1".into(),
            source: source.map(HostName::new),
            destination: HostName::new("b"),
            phase: if outcome.is_some() { Phase::Ended } else { Phase::Accepted },
            outcome,
            summary: None,
            waits: false,
            permille: 0,
        }
    }

    fn course(destination: &str) -> Course {
        Course::begin(MigrationRequest {
            domain: DomainKey::Name("g1".into()),
            source: None,
            destination: HostName::new(destination),
            options: Options::default(),
            requester: "anna".into(),
        })
    }

    fn told(brief: &TaskBrief, course: Option<&Course>, leaving: &str) -> Option<String> {
        needs(brief, course, &[HostName::new(leaving)].into()).map(|needed| needed.to_string())
    }

    #[test]
    fn a_task_needs_every_host_that_is_on_its_record() {
        let accepted = brief(Some("a"), None);
        let id = accepted.id;
        let words = |host: &str, is: &str| Some(format!("{host} by task {id} of g1 ({is})"));
        assert_eq!(told(&accepted, None, "a"), words("a", "accepted"));
        assert_eq!(told(&accepted, None, "b"), words("b", "accepted"));
        assert_eq!(told(&accepted, None, "c"), None);
        // Its further attempt goes elsewhere.
        assert_eq!(told(&accepted, Some(&course("c")), "c"), words("c", "accepted"));
        let stuck = brief(Some("a"), Some(OutcomeKind::Stuck));
        assert_eq!(told(&stuck, None, "a"), words("a", "stuck"));
    }

    #[test]
    fn a_task_that_looks_for_its_domain_may_need_any() {
        let looks = brief(None, None);
        let said = told(&looks, Some(&course("b")), "z").unwrap();
        assert!(said.starts_with("perhaps any host by task ") && said.ends_with("looks for its domain"), "{said}");
        // One that gave up before it found it looks no more.
        assert_eq!(told(&brief(None, Some(OutcomeKind::Stuck)), None, "z"), None);
    }

    #[test]
    fn a_task_holds_what_its_plan_takes_of_the_networks() {
        let network = |name: &str, roles: &[Role]| Network {
            name: name.into(),
            roles: roles.to_vec(),
            fallback: vec![],
            bandwidth_mib_s: None,
            max_migrations: None,
            places: BTreeMap::new(),
        };
        let site = |networks| Networks { networks, ..Networks::default() };
        let was = site(vec![network("mig", &[Role::Migration, Role::DiskCopy]), network("free", &[Role::Migration])]);
        let is = site(vec![network("mig", &[Role::DiskCopy])]);
        let performing = TaskBrief { phase: Phase::Performing, ..brief(Some("a"), None) };
        let told = |course: Option<&Course>, is: &Networks| -> Vec<String> {
            holds(&performing, course, &was, &was.withdrawn(is)).iter().map(Held::to_string).collect()
        };
        let mut course = course("b");
        assert_eq!(told(None, &is), [""; 0]);
        assert_eq!(told(Some(&course), &is), [""; 0], "it has no plan yet");
        course.plan = Some(Plan { network: Some("mig".into()), ..plan() });
        let words = format!("mig with the role migration by task {} of g1 (performing)", performing.id);
        assert_eq!(told(Some(&course), &is), std::slice::from_ref(&words));
        // Whatever else is taken away is none of its.
        assert_eq!(told(Some(&course), &site(vec![network("mig", &[Role::Migration])])), [""; 0]);
        // Gone as a whole, it has no role any more.
        assert_eq!(told(Some(&course), &Networks::default()), [words]);
    }

    #[test]
    fn of_many_tasks_the_first_are_named_and_the_rest_is_counted() {
        let needed = needs(&brief(Some("a"), None), None, &[HostName::new("a")].into()).unwrap();
        assert_eq!(listed(&[needed.clone(), needed.clone()]), format!("{needed}, {needed}"));
        assert!(listed(&vec![needed; NAMED + 2]).ends_with(", and 2 tasks more"));
    }
}
