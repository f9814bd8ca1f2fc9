//! `waypost migrate`.

use std::fs::OpenOptions;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use uuid::Uuid;
use waypost::api::v1::Document;
use waypost::core::admission::{admit, under_site, within_attempts};
use waypost::core::request::{AfterMove, Mode, Persistence, SourceDefinition, StorageSafety};
use waypost::service::client::Client;
use waypost::wiring::Watching;
use waypost::{DomainKey, EngineError, HostName, MigrationRequest, Options, TaskId};

use super::answers::{Answers, Mover, new_task};
use super::app::App;
use super::args::{How, Migrate};
use super::dry_run;
use super::exit::Exit;
use super::follow::{self, Interrupt};
use super::output::Out;

impl How {
    pub fn options(&self) -> Options {
        let options = Options {
            mode: match (self.live, self.offline, self.hibernate) {
                (true, ..) => Mode::Live,
                (_, true, _) => Mode::Offline,
                (.., true) => Mode::Hibernation,
                _ => Mode::Auto,
            },
            destination_name: self.name.clone(),
            bandwidth_mib_s: self.bandwidth,
            max_downtime_ms: self.max_downtime,
            timeout_s: self.timeout,
            persistence: match (self.persistent, self.transient) {
                (true, _) => Persistence::Persistent,
                (_, true) => Persistence::Transient,
                _ => Persistence::AsSource,
            },
            source_definition: if self.keep_source { SourceDefinition::Keep } else { SourceDefinition::Undefine },
            after: if self.paused { AfterMove::Paused } else { AfterMove::AsBefore },
            storage: if self.unsafe_storage { StorageSafety::Unsafe } else { StorageSafety::Checked },
            migrate_uri: self.migrate_uri.clone(),
            listen_address: self.listen_address.clone(),
            network: self.network.clone(),
            priority: self.priority,
            ..Options::default()
        };
        self.transfer.over(options)
    }

    pub fn source(&self) -> Option<HostName> {
        self.from.as_deref().map(HostName::new)
    }
}

pub fn run(app: &App, args: Migrate) -> anyhow::Result<Exit> {
    let answers = Answers::of(app)?;
    let mut request = MigrationRequest {
        domain: DomainKey::parse(&args.domain),
        source: args.how.source(),
        destination: HostName::new(&args.to),
        options: Options { attempts: args.attempts, ..args.how.options() },
        requester: app.requester(),
    };
    // Before any host is asked, and also for a dry run. What a service's site allows, the service says.
    let site = if answers.service().is_none() { Some(app.config()?.engine) } else { None };
    if let Some(site) = &site {
        request.options = under_site(&request.options, site.encryption).map_err(EngineError::Refused)?;
    }
    admit(&request).map_err(EngineError::Refused)?;
    if let Some(site) = &site {
        within_attempts(&request.options, site.max_attempts).map_err(EngineError::Refused)?;
    }
    answers.block_on(async {
        let mover = answers.judge(Watching::Off).await?;
        if args.dry_run {
            return dry_run::run(app.out, &mover, request).await;
        }
        let waypost = match &mover {
            Mover::Here(waypost) => waypost,
            Mover::There(client) => return there(app, client, &request, args.detach).await,
        };
        let driver = waypost.engine().accept(request)?;
        let id = driver.id();
        if args.detach {
            // The lock goes with the driver: from here on the other process can take the task.
            drop(driver);
            detach(app, id)?;
            return Ok(left_alone(app.out, id));
        }
        followed(app.out, id);
        follow::drive(waypost, app.out, driver, Interrupt::Cancels).await
    })
}

/// Has a service do it, which goes on whoever follows.
async fn there(app: &App, client: &Client, request: &MigrationRequest, detach: bool) -> anyhow::Result<Exit> {
    let mut interrupts = follow::interrupts()?;
    // With a key the request may be repeated where its answer gets lost: it comes to the same task.
    let key = Uuid::now_v7().to_string();
    let new = new_task(request);
    let made = tokio::select! {
        made = client.create(&new, &key) => made?,
        _ = interrupts.recv() => bail!("left before the service answered: `waypost tasks` tells whether it took it on"),
    };
    let id: TaskId = made.id.parse().with_context(|| format!("read the task id {:?}", made.id))?;
    if detach {
        return Ok(left_alone(app.out, id));
    }
    followed(app.out, id);
    follow::from_its_beginning(client, app.out, &made, id, interrupts).await
}

/// Tells of a task that was taken on and is followed from here; how it ends is the result.
fn followed(out: Out, id: TaskId) {
    out.note(format!("task {id}"));
    out.side_document(Document::Accepted { task: id.to_string() });
}

/// The same of one that nobody here waits for: its id is the result, for scripts.
fn left_alone(out: Out, id: TaskId) -> Exit {
    out.line(id);
    out.note(format!("goes on in the background: waypost watch {id}, waypost cancel {id}"));
    out.document(Document::Accepted { task: id.to_string() });
    Exit::Done
}

/// Starts a process that drives the task, and returns when it does.
fn detach(app: &App, id: TaskId) -> anyhow::Result<()> {
    let folder = app.config()?.state_dir.join("log");
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&folder)
        .with_context(|| format!("create the folder {} for the log of the background process", folder.display()))?;
    let path = folder.join(format!("{id}.log"));
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&path)
        .with_context(|| format!("create the log {} of the background process", path.display()))?;
    let program = std::env::current_exe().context("find the program's own file")?;
    let mut child = Command::new(program)
        .args(app.forwarded())
        .args(["__drive".to_owned(), id.to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()
        .context("start the background process")?;
    // Its one line says that it left our terminal and has the task; without it, it died before.
    let mut line = String::new();
    if let Some(said) = child.stdout.take() {
        BufReader::new(said).read_line(&mut line).context("hear from the background process")?;
    }
    if line.trim() != super::drive::READY {
        bail!(
            "the background process did not take over task {id}; its log is {}, and `waypost watch {id}` takes the task over here",
            path.display()
        );
    }
    Ok(())
}
