//! What every command needs: the configuration, a runtime, and the parts of Waypost that it asks for - opened when asked
//! for, because a command like `tasks` must not wait for hosts or policies that it doesn't need.

use std::collections::BTreeMap;
use std::env::VarError;
use std::future::Future;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::runtime::{Builder, Runtime};
use waypost::config::{Remote, user_name};
use waypost::core::ports::{Clock as _, Hypervisor};
use waypost::core::queue::{Turn, standings};
use waypost::service::client::{Address, Client, Credentials, Token};
use waypost::wiring::{self, SharedFeed, SharedLedger, SharedStore, Watching};
use waypost::{Config, TaskId, Waypost, World};

use super::args::{self, Global};
use super::exit::Nonsense;
use super::output::Out;

/// The environment's word for the service that is asked.
const SERVICE: &str = "WAYPOST_SERVICE";
/// Stands where an address would: no service is asked.
const HERE: &str = "here";

pub struct App {
    pub out: Out,
    global: Global,
}

impl App {
    pub fn new(global: Global, out: Out) -> Self {
        Self { out, global }
    }

    pub fn config(&self) -> anyhow::Result<Config> {
        Ok(Config::find(self.global.config.as_deref())?)
    }

    /// The service that is asked, if one is: that of the command line, else of the environment, else of the configuration. What a
    /// configuration has to show to its own service is shown to no other. Simulated hosts are this program's alone.
    pub fn service(&self) -> anyhow::Result<Option<Client>> {
        let Global { service, token_file, ca_file, sim, .. } = &self.global;
        let explicit = service.clone().filter(|said| said != HERE);
        if let (Some(service), Some(_)) = (&explicit, sim) {
            let service = repeated(service);
            let why = format!("--sim and --service {service} exclude each other: a service has hosts of its own");
            return Err(Nonsense(why).into());
        }
        let said = match (service, sim) {
            (Some(said), _) => Some(said.clone()),
            (None, Some(_)) => return Ok(None),
            (None, None) => by_environment()?,
        };
        let remote = match said.as_deref() {
            Some(HERE) => None,
            Some(address) => {
                let (token_file, ca_file) = (token_file.clone(), ca_file.clone());
                let service = address.parse::<Address>().map_err(|error| Nonsense(error.to_string()))?;
                Some(Remote { service, token_file, ca_file, certificate: None })
            }
            None => self.config()?.client.map(|remote| Remote {
                token_file: token_file.clone().or(remote.token_file),
                ca_file: ca_file.clone().or(remote.ca_file),
                ..remote
            }),
        };
        let Some(Remote { service, token_file, ca_file, certificate }) = remote else { return Ok(None) };
        let token = token_file.as_deref().map(Token::read).transpose()?;
        Ok(Some(Client::new(service, &Credentials { token, ca_file, certificate })?))
    }

    /// Refuses a service that was named on the command line for a command that can ask none, and says of one that the environment
    /// names that it is not asked.
    pub fn only_here(&self, command: &str) -> anyhow::Result<()> {
        match self.global.service.as_deref() {
            Some(HERE) => Ok(()),
            Some(service) => {
                let service = repeated(service);
                let why =
                    format!("`waypost {command}` works on this machine alone, so --service {service} means nothing");
                Err(Nonsense(why).into())
            }
            None => {
                if self.is_named_by_environment()? {
                    self.out.note(format!(
                        "`waypost {command}` works on this machine alone: the service of ${SERVICE} is not asked"
                    ));
                }
                Ok(())
            }
        }
    }

    /// The same for a command that changes what is on record: one that the environment names is refused as well, whose records may
    /// be meant.
    pub fn only_records_here(&self, command: &str) -> anyhow::Result<()> {
        if self.global.service.is_none() && self.is_named_by_environment()? {
            let why = format!(
                "`waypost {command}` works on this machine alone, so ${SERVICE} means nothing: say --service here if this machine is meant"
            );
            return Err(Nonsense(why).into());
        }
        self.only_here(command)
    }

    /// Whether the environment names a service that counts: simulated hosts are this program's alone.
    fn is_named_by_environment(&self) -> anyhow::Result<bool> {
        Ok(self.global.sim.is_none() && by_environment()?.is_some_and(|said| said != HERE))
    }

    /// Refuses a service, whoever named it, for a command about what only the service's machine has.
    pub fn only_beside_the_service(&self, command: &str) -> anyhow::Result<()> {
        match self.service()? {
            None => Ok(()),
            Some(client) => anyhow::bail!(
                "`waypost {command}` works on the records of its own machine, and {} has no route for it: run it on the service's \
                 machine, there with --service here if its configuration names a service",
                client.address()
            ),
        }
    }

    /// Real or simulated hosts.
    pub fn world(&self) -> World {
        match &self.global.sim {
            None => World::Libvirt,
            Some(fleet) => World::Simulated { fleet: fleet.clone(), pace: self.pace() },
        }
    }

    /// The same with real time, for a command that waits for things outside of a simulation.
    pub fn world_in_real_time(&self) -> World {
        match self.world() {
            World::Simulated { fleet, .. } => World::Simulated { fleet, pace: waypost::Pace::Real },
            world @ World::Libvirt => world,
        }
    }

    /// The options that another process of this program needs to see the same world.
    pub fn forwarded(&self) -> Vec<std::ffi::OsString> {
        let mut arguments: Vec<std::ffi::OsString> = Vec::new();
        let path = |arguments: &mut Vec<std::ffi::OsString>, option: &str, path: &Option<PathBuf>| {
            if let Some(path) = path {
                arguments.extend([option.into(), path.into()]);
            }
        };
        path(&mut arguments, "--config", &self.global.config);
        path(&mut arguments, "--sim", &self.global.sim);
        if self.global.sim.is_some() && self.global.pace == args::Pace::Real {
            arguments.extend(["--pace".into(), "real".into()]);
        }
        arguments
    }

    /// Everything: for commands that ask hosts and policies. Must be called inside the runtime.
    pub async fn open(&self, world: &World, watching: Watching) -> anyhow::Result<Waypost> {
        Ok(Waypost::assemble_swiftly(&self.config_with_hosts(world)?, world, watching).await?)
    }

    /// The same for a command that judges or moves a domain: what the configuration says in vain is said first.
    pub async fn open_to_judge(&self, world: &World, watching: Watching) -> anyhow::Result<Waypost> {
        let waypost = self.open(world, watching).await?;
        for warning in waypost.unheld_policies() {
            self.out.note(format!("warning: {warning}"));
        }
        Ok(waypost)
    }

    /// The hosts alone. Must be called inside the runtime.
    pub fn hosts(&self, world: &World) -> anyhow::Result<Arc<dyn Hypervisor>> {
        Ok(wiring::hosts(&self.config_with_hosts(world)?, world)?.hypervisor)
    }

    fn config_with_hosts(&self, world: &World) -> anyhow::Result<Config> {
        let config = self.config()?;
        if *world == World::Libvirt && config.hosts.is_empty() {
            match &config.file {
                Some(file) => anyhow::bail!("{} configures no host: add a [[host]] block", file.display()),
                None => anyhow::bail!(
                    "there is no configuration, so there are no hosts; looked for {}",
                    waypost::config::SEARCHED
                ),
            }
        }
        Ok(config)
    }

    /// The store alone: for commands that only read what is on record.
    pub fn store(&self) -> anyhow::Result<SharedStore> {
        Ok(wiring::store(&self.config()?, &self.world())?)
    }

    /// Where the tasks of the queue stand.
    pub fn standings(&self, store: &SharedStore) -> anyhow::Result<BTreeMap<TaskId, Turn>> {
        Ok(standings(&store.queue()?, &self.config()?.engine.slots, wiring::WallClock.now()))
    }

    /// The same, also for readers of what happens.
    pub fn store_and_feed(&self) -> anyhow::Result<(SharedStore, SharedFeed)> {
        let stores = wiring::stores(&self.config()?, &self.world())?;
        Ok((stores.store, stores.feed))
    }

    /// The store alone: for tokens and the audit log.
    pub fn ledger(&self) -> anyhow::Result<SharedLedger> {
        Ok(wiring::stores(&self.config()?, &self.world())?.ledger)
    }

    /// Runs a command's asynchronous part. One thread drives everything: waiting for hosts needs no more, and policies
    /// and libvirt's calls have threads of their own.
    pub fn block_on<T>(&self, world: &World, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        self.runtime(world)?.block_on(work)
    }

    /// The same on several threads and in real time, for a program that stays and has many clients.
    pub fn block_on_threads<T>(&self, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
        let runtime = Builder::new_multi_thread().enable_all().build().context("start the runtime")?;
        runtime.block_on(work)
    }

    fn runtime(&self, world: &World) -> anyhow::Result<Runtime> {
        let mut builder = Builder::new_current_thread();
        builder.enable_all();
        if let World::Simulated { pace: waypost::Pace::Virtual, .. } = world {
            builder.start_paused(true);
        }
        builder.build().context("start the runtime")
    }

    /// Who asks, for records and policies.
    pub fn requester(&self) -> String {
        user_name()
    }

    fn pace(&self) -> waypost::Pace {
        match self.global.pace {
            args::Pace::Virtual => waypost::Pace::Virtual,
            args::Pace::Real => waypost::Pace::Real,
        }
    }
}

/// The service that the environment names, if it names one.
fn by_environment() -> anyhow::Result<Option<String>> {
    match std::env::var(SERVICE) {
        Ok(said) => Ok(Some(said).filter(|said| !said.is_empty())),
        Err(VarError::NotPresent) => Ok(None),
        Err(VarError::NotUnicode(_)) => {
            Err(Nonsense(format!("${SERVICE} is not UTF-8: it is unix:/PATH, https://HOST:PORT or {HERE}")).into())
        }
    }
}

/// An address as an error may repeat it: what stands before `@` or after `?` may be a secret.
fn repeated(service: &str) -> &str {
    if service.contains(['@', '?']) { "ADDRESS" } else { service }
}
