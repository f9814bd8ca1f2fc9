//! `waypost lab`: real libvirt hosts on this machine, and a configuration that leads to them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use waypost::Config;
use waypost::api::v1::{self, Document};
use waypost_lab::{DiskPlace, GuestSpec, Lab, LabError, LabSpec, Link, Owner, Segment};

use super::app::App;
use super::args::{self, LabDir};
use super::exit::Exit;
use super::output::Tone;

pub fn run(app: &App, command: args::Lab) -> anyhow::Result<Exit> {
    match command {
        args::Lab::Up { at, hosts } => up(app, &folder(at), hosts),
        args::Lab::Down { at } => down(app, &folder(at)),
        args::Lab::Status { at } => status(app, &attach(&folder(at))?),
        args::Lab::Run { at, host, command } => run_in(app, &attach(&folder(at))?, host, command),
        args::Lab::Guest { at, name, host, linux, memory, local_disk, off } => {
            let base = if linux { GuestSpec::linux(&name) } else { GuestSpec::tick(&name) };
            let spec = GuestSpec {
                host,
                memory_mib: memory.unwrap_or(base.memory_mib),
                disk: if local_disk { DiskPlace::Local } else { base.disk },
                ..base
            };
            let lab = attach(&folder(at))?;
            if off {
                lab.define_guest(&spec)?;
            } else {
                lab.start_guest(&spec)?;
            }
            let state = if off { "defined" } else { "running" };
            app.out.line(format!("{name} is {state} on {}", spec.host));
            app.out.document(Document::LabGuest(v1::LabGuest { name, host: spec.host, state: state.to_owned() }));
            Ok(Exit::Done)
        }
        args::Lab::Counter { at, name } => {
            let report = attach(&folder(at))?.check_counter(&name)?;
            let where_it_ran: Vec<_> = report
                .segments
                .iter()
                .map(|segment| format!("{} to {} on {}", segment.first, segment.last, segment.host))
                .collect();
            app.out.line(format!("{name} counted without a gap and never twice: {}", where_it_ran.join(", ")));
            let stay = |Segment { host, first, last }| v1::LabStay { host, first, last };
            let stays = report.segments.into_iter().map(stay).collect();
            app.out.document(Document::LabCounter(v1::LabCounter { name, stays }));
            Ok(Exit::Done)
        }
    }
}

/// Where the lab lies if nobody says: with the state, which is private.
fn folder(at: LabDir) -> PathBuf {
    at.dir.unwrap_or_else(|| Config::default().state_dir.join("lab"))
}

fn attach(dir: &Path) -> anyhow::Result<Lab> {
    Ok(Lab::attach(dir)?.ok_or_else(|| LabError::NoLab(dir.to_owned()))?)
}

fn up(app: &App, dir: &Path, hosts: u32) -> anyhow::Result<Exit> {
    let spec = LabSpec { owner: Owner::Detached, ..LabSpec::new(hosts, dir) };
    let lab = Lab::up(&spec)?;
    let written = write_config(&lab);
    if written.is_err() {
        // A lab that can't be used must not stay behind; the first error is the one to tell.
        let _ = Lab::down_at(dir);
    }
    written?;
    status(app, &lab)?;
    app.out.note(format!("use it:  waypost --config {} hosts", config_file(&lab).display()));
    app.out.note(format!("end it:  waypost lab down --dir {}", lab.dir().display()));
    Ok(Exit::Done)
}

fn down(app: &App, dir: &Path) -> anyhow::Result<Exit> {
    let lab = Lab::attach(dir)?;
    let was_there = lab.is_some();
    match lab {
        Some(lab) => {
            lab.down()?;
            app.out.line(format!("the lab in {} is down; nothing of it is left", dir.display()));
        }
        None => app.out.line(format!("there is no lab in {}", dir.display())),
    }
    app.out.document(Document::LabGone(v1::LabGone { dir: dir.display().to_string(), was_there }));
    Ok(Exit::Done)
}

fn status(app: &App, lab: &Lab) -> anyhow::Result<Exit> {
    let status = lab.status();
    app.out.table(
        &["host", "power", "domains", "uri"],
        status.hosts.iter().map(|host| {
            let domains = match &host.domains {
                Ok(domains) if domains.is_empty() => "none".to_owned(),
                Ok(domains) => domains.join(", "),
                Err(_) if !host.powered => "-".to_owned(),
                Err(why) => app.out.tone(Tone::Bad, why),
            };
            let power = if host.powered { "on" } else { "off" };
            vec![host.name.clone(), power.to_owned(), domains, host.uri.clone()]
        }),
    );
    let hosts = status.hosts.into_iter().map(|host| {
        let (domains, error) = match host.domains {
            Ok(domains) => (Some(domains), None),
            Err(why) => (None, Some(why)),
        };
        v1::LabHost { name: host.name, powered: host.powered, uri: host.uri, peer_uri: host.peer_uri, domains, error }
    });
    app.out.document(Document::Lab(v1::Lab {
        dir: lab.dir().display().to_string(),
        config: config_file(lab).display().to_string(),
        hosts: hosts.collect(),
    }));
    Ok(Exit::Done)
}

fn run_in(app: &App, lab: &Lab, host: String, command: Vec<String>) -> anyhow::Result<Exit> {
    let (program, arguments) = command.split_first().context("no command")?;
    let mut inside = lab.host(&host)?.command(program)?;
    inside.args(arguments);
    let failed = || format!("run {program} in {host}");
    // Its output is the result: as it is for people, inside of the document for a program.
    let status = if app.out.for_people() {
        inside.status().with_context(failed)?
    } else {
        let done = inside.output().with_context(failed)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (output, errors) = (text(&done.stdout), text(&done.stderr));
        let status = done.status.code();
        app.out.document(Document::LabRun(v1::LabRun { host, command, status, output, errors }));
        done.status
    };
    // The command's own status would be taken for one of ours.
    Ok(if status.success() { Exit::Done } else { Exit::Error })
}

fn config_file(lab: &Lab) -> PathBuf {
    lab.dir().join("waypost.toml")
}

/// A configuration that reaches every host of the lab, with its own state and an empty plugin folder. All of it goes
/// with the lab.
fn write_config(lab: &Lab) -> anyhow::Result<()> {
    let plugins = lab.dir().join("plugins");
    fs::create_dir_all(&plugins).with_context(|| format!("create {}", plugins.display()))?;
    let mut text = String::from(
        "# Written by `waypost lab up`; it goes with the lab.\nstate_dir = \"state\"\n\n\
         # Shipped policies come first; a .wasm dropped into plugins/ beside this file is used with them.\n\
         [plugins]\nfolders = [\"plugins\"]\n\n\
         # Memory takes the lab's second network; with a cable of it cut, the first.\n\
         [[network]]\nname = \"migration\"\nroles = [\"migration\", \"disk-copy\"]\nfallback = \"management\"\n\n\
         [networks]\ndefault = \"migration\"\n",
    );
    for host in lab.hosts() {
        let addresses = [host.mgmt_ip(), host.migration_ip()];
        let place = |link: Link, address: &str| {
            format!("{{ address = {}, interface = {} }}", quoted(address), quoted(link.interface()))
        };
        text.push_str(&format!(
            "\n[[host]]\nname = {}\nuri = {}\npeer_uri = {}\naddresses = [{}, {}]\nmigration_tls = true\n\
             networks = {{ migration = {}, management = {} }}\n",
            quoted(host.name()),
            quoted(&host.uri_unix()),
            quoted(&host.uri_peer_tls()),
            quoted(&addresses[0]),
            quoted(&addresses[1]),
            place(Link::Migration, &addresses[1]),
            place(Link::Management, &addresses[0]),
        ));
    }
    let path = config_file(lab);
    fs::write(&path, text).with_context(|| format!("write {}", path.display()))
}

/// A TOML text.
fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
