//! Who answers a command: this program, over the hosts and the records of its configuration, or a service that does the same
//! elsewhere. Both answer in the shapes of the API, and each command prints from these, so that nobody sees which it was. What
//! only one of them has (a driver in this process, a folder of this machine) stays with the command that needs it.
//!
//! Parts are opened when they are asked for: `tasks` waits for no host, and a service is connected to by its first question.

use anyhow::bail;
use waypost::api::v1;
use waypost::core::access::AuditQuery;
use waypost::core::causes::told;
use waypost::core::ids::HostName;
use waypost::service::client::{Client, ClientError, Which};
use waypost::service::documents;
use waypost::wiring::{self, Watching};
use waypost::{MigrationRequest, OpenError, Question, Targets, TaskId, Waypost, World, choices};

use super::app::App;

/// Who answers.
pub struct Answers<'a> {
    pub app: &'a App,
    /// The hosts of this program; of a service those that are real, whose time is ours.
    pub world: World,
    service: Option<Client>,
}

/// Who judges, moves and follows.
pub enum Mover {
    /// This program.
    Here(Box<Waypost>),
    /// A service.
    There(Client),
}

impl<'a> Answers<'a> {
    /// Whoever the command line, the environment or the configuration say.
    pub fn of(app: &'a App) -> anyhow::Result<Self> {
        let service = app.service()?;
        let world = if service.is_some() { World::Libvirt } else { app.world() };
        Ok(Self { app, world, service })
    }

    /// The same for a command that waits for files and people, whom virtual time would not wait for.
    pub fn in_real_time(self) -> Self {
        let world = if self.service.is_some() { World::Libvirt } else { self.app.world_in_real_time() };
        Self { world, ..self }
    }

    /// The service, if one is asked.
    pub fn service(&self) -> Option<&Client> {
        self.service.as_ref()
    }

    /// Runs the asynchronous part of a command.
    pub fn block_on<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.app.block_on(&self.world, work)
    }

    /// Whoever judges and moves. What the configuration here says in vain is said first; a service says it in its own log.
    pub async fn judge(&self, watching: Watching) -> anyhow::Result<Mover> {
        match &self.service {
            None => Ok(Mover::Here(Box::new(self.app.open_to_judge(&self.world, watching).await?))),
            Some(client) => Ok(Mover::There(client.clone())),
        }
    }

    /// Whoever moves, for a command about a task that is there already.
    pub async fn mover(&self) -> anyhow::Result<Mover> {
        match &self.service {
            None => Ok(Mover::Here(Box::new(self.app.open(&self.world, Watching::Off).await?))),
            Some(client) => Ok(Mover::There(client.clone())),
        }
    }

    pub async fn hosts(&self) -> anyhow::Result<v1::Hosts> {
        match &self.service {
            None => {
                let hypervisor = self.app.hosts(&self.world)?;
                Ok(documents::hosts(hypervisor.as_ref(), hypervisor.hosts()).await)
            }
            // Alone nobody looks into the queue for it, and what is printed is the same.
            Some(client) => {
                let told = client.hosts().await?;
                Ok(v1::Hosts { hosts: told.hosts.into_iter().map(v1::Host::without_slots).collect() })
            }
        }
    }

    /// The domains of one host, or of all.
    pub async fn domains(&self, host: Option<&str>) -> anyhow::Result<v1::Domains> {
        match (&self.service, host) {
            (None, host) => {
                let hypervisor = self.app.hosts(&self.world)?;
                let known = hypervisor.hosts();
                let asked = match host {
                    None => known,
                    Some(name) => vec![known.iter().find(|host| host.as_str() == name).cloned().ok_or_else(|| {
                        let there: Vec<_> = known.iter().map(HostName::as_str).collect();
                        anyhow::anyhow!("there is no host {name} in the configuration; it has: {}", there.join(", "))
                    })?],
                };
                Ok(documents::domains(hypervisor.as_ref(), asked).await)
            }
            (Some(client), None) => Ok(client.domains().await?),
            (Some(client), Some(name)) => match client.domains_of(name).await {
                Err(error @ ClientError::Problem { .. })
                    if matches!(error.code(), Some("host-failed" | "host-silent")) =>
                {
                    Ok(v1::Domains { domains: Vec::new(), unread: vec![unread(name, &error)] })
                }
                Err(ClientError::Problem { problem, .. }) if problem.code == "no-such-host" => {
                    let there = problem.remedy.as_deref().and_then(|remedy| remedy.strip_prefix("name one of: "));
                    bail!("{}; it has: {}", problem.detail, there.unwrap_or_default())
                }
                answer => Ok(answer?),
            },
        }
    }

    pub async fn tasks(&self, which: Which) -> anyhow::Result<v1::Tasks> {
        match &self.service {
            None => {
                let (store, feed) = self.app.store_and_feed()?;
                let mut tasks = store.tasks()?;
                tasks.retain(|task| which == Which::All || task.outcome.is_none());
                let tasks = documents::tasks(feed.as_ref(), &tasks, &self.app.standings(&store)?)?;
                Ok(v1::Tasks { tasks })
            }
            Some(client) => Ok(v1::Tasks { tasks: client.tasks(which).await? }),
        }
    }

    /// Everything on record of a task.
    pub async fn records(&self, id: TaskId) -> anyhow::Result<v1::Task> {
        match &self.service {
            None => Ok(documents::task(self.app.store()?.as_ref(), id, choices::recorded_choices)?),
            Some(client) => Ok(client.records(id).await?),
        }
    }

    pub async fn plugins(&self) -> anyhow::Result<v1::Plugins> {
        match &self.service {
            None => {
                let written = self.app.config()?;
                let config = match wiring::with_overlay(&written, &self.world) {
                    // Nobody else's state is needed to see what a person has written and put into a folder.
                    Err(OpenError::Overlay(error)) if error.is_closed() => {
                        let why = format!("{error}: permission denied; what was changed there is not in this list");
                        self.app.out.note(why);
                        written
                    }
                    config => config?,
                };
                Ok(wiring::plugins(&config, &wiring::policies(&config, Watching::Off)?))
            }
            Some(client) => Ok(client.plugins().await?),
        }
    }

    pub async fn audit(&self, query: &AuditQuery, most: u32) -> anyhow::Result<v1::AuditPage> {
        match &self.service {
            None => {
                // One more tells whether there are more.
                let mut found = self.app.ledger()?.audit(query, most.saturating_add(1))?;
                let more = found.len() > most as usize;
                found.truncate(most as usize);
                let next = found.last().filter(|_| more).map(|last| last.number);
                Ok(v1::AuditPage { entries: found.iter().map(v1::AuditEntry::from).collect(), next })
            }
            Some(client) => Ok(client.audit(query.who.as_deref(), query.task, query.before, most).await?),
        }
    }
}

impl Mover {
    pub async fn check(&self, question: &Question) -> anyhow::Result<v1::Check> {
        match self {
            Self::Here(waypost) => Ok(documents::check(&waypost.engine().check(question).await?)),
            Self::There(client) => {
                let to = match &question.targets {
                    Targets::All => Vec::new(),
                    Targets::These(hosts) => hosts.iter().map(HostName::to_string).collect(),
                };
                let asked = v1::NewCheck {
                    domain: question.domain.to_string(),
                    from: question.source.as_ref().map(HostName::to_string),
                    to,
                    options: v1::Options::from(&question.options),
                };
                Ok(client.check(&asked).await?)
            }
        }
    }

    pub async fn dry_run(&self, request: MigrationRequest) -> anyhow::Result<v1::DryRun> {
        match self {
            Self::Here(waypost) => {
                let destination = request.destination.clone();
                let report = waypost.engine().check(&request.into()).await?;
                let planned = waypost.engine().dry_run(&report, &destination).await?;
                let choices = match &planned {
                    Some(Ok(planned)) => choices::planned_choices(
                        &waypost.config(),
                        waypost.policies(),
                        &planned.plan,
                        report.options(),
                        &report.facts.domain.disks,
                    ),
                    // A plan that can't be made is among the findings.
                    Some(Err(_)) | None => Vec::new(),
                };
                Ok(documents::dry_run(&report, planned.as_ref(), choices))
            }
            Self::There(client) => Ok(client.dry_run(&new_task(&request)).await?),
        }
    }

    /// Everything on record of a task.
    pub async fn records(&self, id: TaskId) -> anyhow::Result<v1::Task> {
        match self {
            Self::Here(waypost) => Ok(documents::task(waypost.store().as_ref(), id, choices::recorded_choices)?),
            Self::There(client) => Ok(client.records(id).await?),
        }
    }
}

/// What a service is asked for. Who asks, it knows.
pub fn new_task(request: &MigrationRequest) -> v1::NewTask {
    v1::NewTask {
        domain: request.domain.to_string(),
        from: request.source.as_ref().map(HostName::to_string),
        to: request.destination.to_string(),
        options: v1::Options::from(&request.options),
    }
}

/// A host that could not be read, in the words of a list.
fn unread(name: &str, error: &ClientError) -> v1::Host {
    let remedy = match error {
        ClientError::Problem { problem, .. } => problem.remedy.clone(),
        _ => None,
    };
    v1::Host { name: name.to_owned(), error: Some(told(error)), remedy, ..v1::Host::default() }
}
