//! `waypost serve`: the service on its Unix socket, until a signal ends it; or what would be in its way.
//! Started by systemd or by hand, it is the same program: [`handed`] takes a socket that was made for it, [`manager`] tells whoever
//! started it how it stands, and [`reloading`] takes another configuration.

mod handed;
mod manager;
mod reloading;

use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use sd_notify::NotifyState;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use waypost::api::v1::{Document, Serving};
use waypost::core::causes::told;
use waypost::core::ports::{Depth, Hypervisor};
use waypost::service::Traces;
use waypost::service::port::{self, Port};
use waypost::service::socket::{Socket, SocketError, probe};
use waypost::wiring::{self, Watching};
use waypost::{Config, World, state};

use super::app::App;
use super::args;
use super::exit::Exit;
use manager::Manager;

/// How long tasks may take to come to where leaving them costs nothing: shorter than what systemd waits by default (90 s).
const DRAIN: Duration = Duration::from_secs(30);

pub fn run(app: &App, args: args::Serve) -> anyhow::Result<Exit> {
    let config = app.config()?;
    // Clients live in real time.
    let world = app.world_in_real_time();
    if args.check {
        let path = std::path::absolute(args.socket.unwrap_or_else(|| config.socket.clone()))?;
        return check(app, &config, &world, path);
    }
    let handed = handed::listener()?;
    anyhow::ensure!(
        handed.is_none() || args.socket.is_none(),
        "a socket was handed over by whoever started this, and --socket names another: leave one of them out"
    );
    let path = std::path::absolute(args.socket.unwrap_or_else(|| config.socket.clone()))?;
    serve(app, &config, &world, handed, &path)
}

fn serve(app: &App, config: &Config, world: &World, handed: Option<UnixListener>, path: &Path) -> anyhow::Result<Exit> {
    allow_many_clients();
    let manager = Manager::of_this_process();
    app.block_on_threads(async {
        // Before anything is taken over: where a server is already, this one must not begin.
        let (socket, whose) = match handed {
            Some(listener) => (Socket::handed_over(listener)?, ", which was handed over"),
            None => (Socket::bind(path)?, ""),
        };
        let port = config.listen.as_ref().map(Port::bind).transpose()?;
        config.access.check()?;
        config.traces.as_ref().map_or(Ok(()), Traces::check)?;
        let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        let hang_up = signal(SignalKind::hangup())?;
        let _only_one = state::service_lock(&wiring::state_folder(config, world))?;
        let waypost = app.open_to_judge(world, Watching::On).await?;
        let limits = config.limits.clone();
        let service = waypost.serve(limits.clone());
        let path = socket.path().display().to_string();
        let address = port.as_ref().map(|port| port.address().to_string());
        app.out.note(format!("listening on {path}{whose}"));
        address.iter().for_each(|address| app.out.note(format!("listening on https://{address}")));
        let status = format!("listening on {path}");
        app.out.document(Document::Serving(Serving { address, socket: path, problems: Vec::new(), notes: Vec::new() }));
        manager.tell(&[NotifyState::Ready, NotifyState::Status(&status)]);
        let mut beside = JoinSet::new();
        if let Some(within) = sd_notify::watchdog_enabled() {
            beside.spawn(manager.clone().feed_watchdog(within, service.clone(), socket.path().to_owned()));
        }
        let certificate = port.as_ref().map(Port::identity).zip(config.listen.clone());
        beside.spawn(reloading::on(hang_up, waypost.clone(), certificate, manager.clone(), app.out, status));
        let mut stop = async || {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        };
        let (told, mut stopped) = tokio::sync::watch::channel(false);
        let on_socket = socket.serve(&service, &limits, async {
            stop().await;
            told.send_replace(true);
        });
        let on_port = async {
            if let Some(port) = port {
                // Fails when the other one is gone, which is the same.
                port.serve(&service, &limits, async { drop(stopped.wait_for(|stopped| *stopped).await) }).await;
            }
        };
        tokio::join!(on_socket, on_port);
        manager.tell(&[NotifyState::Stopping, NotifyState::Status("stopping; transfers go on")]);
        app.out
            .note("stopping; transfers go on, and the next start takes the tasks over. A second signal leaves at once");
        tokio::select! {
            () = service.drain(DRAIN) => {}
            () = stop() => app.out.note("left at once; what became of the tasks is looked up when they are taken over"),
        }
        Ok(Exit::Done)
    })
}

/// Everything that a start needs, tried without starting. What is wrong is an error; that a host does not answer, or that a
/// server is running, is worth a word.
fn check(app: &App, config: &Config, world: &World, path: PathBuf) -> anyhow::Result<Exit> {
    let (mut problems, mut notes) = (Vec::new(), Vec::new());
    match probe(&path) {
        Ok(()) => {}
        Err(SocketError::Taken(path)) => notes.push(format!("a server listens on {} right now", path.display())),
        Err(error) => problems.push(told(&error)),
    }
    match state::service_runs(&wiring::state_folder(config, world)) {
        Ok(false) => {}
        Ok(true) => notes.push("a service works over this state folder right now".to_owned()),
        Err(error) => problems.push(told(&error)),
    }
    if let Some(error) = config.listen.as_ref().and_then(|listen| port::probe(listen).err()) {
        problems.push(told(&error));
    }
    if let Err(error) = config.access.check() {
        problems.push(told(&error));
    }
    if let Some(error) = config.traces.as_ref().and_then(|traces| traces.check().err()) {
        problems.push(told(&error));
    }
    if let Err(error) = wiring::store(config, world) {
        problems.push(told(&error));
    }
    let asked = wiring::with_overlay(config, world);
    match asked.and_then(|config| Ok((wiring::policies_to_ask(&config, Watching::Off)?, config))) {
        Ok((policies, config)) => {
            // A name without a file is most often a misspelt one; it is in nobody's way unless it is required.
            let unheld = wiring::unheld(&config, &policies);
            for plugin in wiring::plugins(&config, &policies).plugins {
                let is_unheld = unheld.iter().any(|(name, _)| name.as_str() == plugin.name);
                if !is_unheld && !matches!(plugin.state.as_str(), "ready" | "ignored") {
                    let why = plugin.reason.unwrap_or_default();
                    problems.push(format!("plugin {} is {}: {why}", plugin.name, plugin.state));
                }
            }
            notes.extend(unheld.into_iter().map(|(_, why)| why));
        }
        Err(error) => problems.push(told(&error)),
    }
    match app.block_on_threads(async { Ok(silent(&app.hosts(world)?).await) }) {
        Ok(silent) => notes.extend(silent),
        Err(error) => problems.push(format!("{error:#}")),
    }
    for problem in &problems {
        app.out.line(problem);
    }
    for note in &notes {
        app.out.note(format!("note: {note}"));
    }
    let exit = if problems.is_empty() { Exit::Done } else { Exit::Error };
    if problems.is_empty() {
        app.out.line(format!("the service can start, and would listen on {}", path.display()));
    }
    let address = config.listen.as_ref().map(|listen| listen.address.to_string());
    app.out.document(Document::Serving(Serving { address, socket: path.display().to_string(), problems, notes }));
    Ok(exit)
}

/// Why hosts can't be read, in the order of the configuration. They are asked at the same time: one that says nothing takes all the time
/// that it has.
async fn silent(hypervisor: &Arc<dyn Hypervisor>) -> Vec<String> {
    let mut asked = JoinSet::new();
    for (place, host) in hypervisor.hosts().into_iter().enumerate() {
        let hypervisor = Arc::clone(hypervisor);
        asked.spawn(async move {
            let answer = hypervisor.host_facts(&host, Depth::default()).await;
            answer.err().map(|fault| (place, format!("host {host}: {fault}")))
        });
    }
    let mut silent: Vec<(usize, String)> = asked.join_all().await.into_iter().flatten().collect();
    silent.sort_unstable();
    silent.into_iter().map(|(_, why)| why).collect()
}

/// Every client holds a descriptor, and the soft limit is most often 1024; the hard one is what the administrator allows.
fn allow_many_clients() {
    let raised =
        getrlimit(Resource::RLIMIT_NOFILE).and_then(|(_, hard)| setrlimit(Resource::RLIMIT_NOFILE, hard, hard));
    if let Err(error) = raised {
        tracing::warn!(%error, "the limit of open files stays as it is, and with it the number of clients");
    }
}

#[cfg(test)]
mod tests {
    use tokio::runtime::Builder;
    use tokio::time::Instant;
    use waypost::core::ports::FaultKind;
    use waypost_sim::{Fleet, Scripted, Step, What, World};

    use super::*;

    #[test]
    fn hosts_are_asked_at_once_and_told_in_their_order() {
        let fleet = r#"
            host = [{ name = "c" }, { name = "a" }, { name = "b" }, { name = "well" }]
            domain = [{ name = "g1", host = "well" }]
        "#;
        let runtime = Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let (silent, took) = runtime.block_on(async {
            let world = World::new(&Fleet::parse(fleet).unwrap()).unwrap();
            let at = |what| Scripted::at(Step::HostFacts, what);
            // Two that say nothing in the time that one has, and one that is known at once.
            world.script([at(What::Hang).on("c"), at(What::Hang).on("a"), at(What::Error(FaultKind::Other)).on("b")]);
            let hypervisor: Arc<dyn Hypervisor> = Arc::new(world);
            let began = Instant::now();
            (silent(&hypervisor).await, began.elapsed())
        });
        let hosts: Vec<&str> = silent.iter().map(|why| why.split(':').next().unwrap_or_default()).collect();
        assert_eq!(hosts, ["host c", "host a", "host b"], "{silent:?}");
        assert_eq!(took.as_secs(), 10, "{silent:?}");
    }
}
