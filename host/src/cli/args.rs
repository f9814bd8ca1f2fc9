//! The command line, as typed.

mod access;
mod transfer;

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgAction, ArgGroup, Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use waypost::TaskId;
use waypost::core::convergence::{LEAST_THROTTLE_PERCENT, MOST_THROTTLE_PERCENT};
use waypost::core::situation::Action;

use super::exit;
pub use access::{Audit, AuditCommand, CreateToken, Token};
pub use transfer::Transfer;

/// Moves virtual machines between libvirt hosts; every opinion about it is a WebAssembly policy.
#[derive(Debug, Parser)]
#[command(name = "waypost", version, about, after_help = exit::HELP, subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(flatten)]
    pub global: Global,
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// Configuration file; without it the first that exists of ./waypost.toml, ~/.config/waypost/waypost.toml,
    /// /etc/waypost/waypost.toml
    #[arg(long, global = true, value_name = "FILE", env = "WAYPOST_CONFIG", value_hint = ValueHint::FilePath)]
    pub config: Option<PathBuf>,
    /// Use simulated hosts, described in a TOML file, instead of libvirt
    #[arg(long, global = true, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub sim: Option<PathBuf>,
    /// How time passes for simulated hosts
    #[arg(long, global = true, value_enum, default_value_t = Pace::Virtual)]
    pub pace: Pace,
    /// Ask this service instead of working alone: unix:/PATH or https://HOST:PORT; `here` works alone. Without it
    /// $WAYPOST_SERVICE, else the configuration
    #[arg(long, global = true, value_name = "ADDRESS")]
    pub service: Option<String>,
    /// File with the token for it, which nobody else may be able to read
    #[arg(long, global = true, value_name = "FILE", env = "WAYPOST_TOKEN_FILE", value_hint = ValueHint::FilePath)]
    pub token_file: Option<PathBuf>,
    /// PEM file with whoever vouches for its certificate; without it whoever this machine trusts
    #[arg(long, global = true, value_name = "FILE", env = "WAYPOST_CA_FILE", value_hint = ValueHint::FilePath)]
    pub ca_file: Option<PathBuf>,
    /// Print JSON for programs, one document per line
    #[arg(long, global = true, action = ArgAction::SetTrue)]
    pub json: bool,
}

/// How simulated time passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pace {
    /// As fast as this machine can: a migration of an hour takes a moment
    Virtual,
    /// As on a clock
    Real,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// The hosts, as libvirt reports them
    Hosts,
    /// The domains of all hosts
    Domains(Domains),
    /// What the rules say of moving a domain; nothing is touched
    Check(Box<Check>),
    /// Move a domain
    Migrate(Box<Migrate>),
    /// Tasks, newest first
    Tasks(Tasks),
    /// What runs, waits and ended, on one screen that stays fresh; from the state store alone
    Top(Top),
    /// Everything on record of a task: journal, findings, plan, decisions, outcome
    Task(TaskArg),
    /// Follow a task to its end; take it over if nobody drives it
    Watch(TaskArg),
    /// Cancel a task; says where the domain is afterwards
    Cancel(TaskArg),
    /// Change a running transfer: its limits, or switch it to post-copy
    Steer(Steer),
    /// Take over an unfinished task and bring it to its end; without an ID, list them. For a task that is stuck: look
    /// at both hosts again and say what is permitted, and with --do, do it. With --look any task is only looked at
    Recover(Recover),
    /// Policies
    #[command(subcommand)]
    Plugin(Plugin),
    /// Serve hosts, checks, tasks and events over HTTP on a Unix socket, and over TLS where the configuration has a port
    Serve(Serve),
    /// Bearer tokens for clients of the service
    #[command(subcommand)]
    Token(Token),
    /// Who changed what over the service, newest first
    Audit(Audit),
    /// Print the OpenAPI description of the service
    Openapi,
    /// What is on record as a whole: back it up, restore it, forget old tasks
    #[command(subcommand)]
    State(State),
    /// Throw-away libvirt hosts on this machine
    #[command(subcommand)]
    Lab(Lab),
    /// Completions for a shell
    Completions {
        /// Which
        shell: Shell,
    },
    /// Write the manual pages, one per command
    Man {
        /// Folder that they are written into; it is made if it isn't there
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        dir: PathBuf,
    },
    /// Drives a task for `migrate --detach`.
    #[command(name = "__drive", hide = true)]
    Drive(TaskArg),
}

#[derive(Debug, Args)]
pub struct Domains {
    /// Only this host
    #[arg(long, value_name = "HOST")]
    pub host: Option<String>,
}

#[derive(Debug, Args)]
pub struct Tasks {
    /// Only tasks that are not over
    #[arg(long)]
    pub unfinished: bool,
}

#[derive(Debug, Args)]
pub struct Top {
    /// Print one frame and end, as where standard output is no terminal
    #[arg(long)]
    pub once: bool,
}

#[derive(Debug, Args)]
pub struct TaskArg {
    /// Task id
    #[arg(value_name = "ID", value_parser = task_id)]
    pub id: TaskId,
}

#[derive(Debug, Args)]
pub struct Serve {
    /// Path of the socket; without it the one that was handed over (LISTEN_FDS), else that of the configuration
    #[arg(long, value_name = "PATH", value_hint = ValueHint::FilePath)]
    pub socket: Option<PathBuf>,
    /// Say whether it could start, and what is in the way; start nothing
    #[arg(long)]
    pub check: bool,
}

/// What is wanted of a running transfer.
#[derive(Debug, Args)]
#[command(group(ArgGroup::new("wanted").required(true).multiple(true).args(["max_downtime", "bandwidth", "throttle", "postcopy", "suspend"])))]
pub struct Steer {
    /// Task id
    #[arg(value_name = "ID", value_parser = task_id)]
    pub id: TaskId,
    /// Downtime allowed for the switch-over from now on, ms
    #[arg(long, value_name = "MS", value_parser = clap::value_parser!(u64).range(1..=waypost::core::admission::MAX_DOWNTIME_MS))]
    pub max_downtime: Option<u64>,
    /// Bandwidth limit from now on, MiB/s
    #[arg(long, value_name = "MIB_S", value_parser = clap::value_parser!(u64).range(1..))]
    pub bandwidth: Option<u64>,
    /// How far the guest is slowed down from the hypervisor's next step on, and no further, 20 to 99 %; the migration must have been
    /// begun with --auto-converge
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u64).range(LEAST_THROTTLE_PERCENT..=MOST_THROTTLE_PERCENT))]
    pub throttle: Option<u64>,
    /// Go on as post-copy; the migration must have been begun with --postcopy
    #[arg(long)]
    pub postcopy: bool,
    /// Pause the guest so that the rest is copied while it stands still; it runs on the destination afterwards
    #[arg(long, conflicts_with = "postcopy")]
    pub suspend: bool,
}

#[derive(Debug, Args)]
pub struct Recover {
    /// Task id
    #[arg(value_name = "ID", value_parser = task_id)]
    pub id: Option<TaskId>,
    /// Do this one action and nothing else, if both hosts permit it right now; without it the recovery policy decides
    #[arg(long = "do", value_name = "ACTION", requires = "id", value_parser = action)]
    pub action: Option<Action>,
    /// The network that a resumed post-copy takes, one of those that are shown where there is a choice; without it the next in
    /// turn
    #[arg(long, value_name = "NAME", requires = "action")]
    pub network: Option<String>,
    /// Only show what both hosts say, what that permits and why: nothing is done or written down, and a task that is not over stays
    /// with whoever drives it, or with nobody
    #[arg(long, requires = "id", conflicts_with = "action")]
    pub look: bool,
}

fn action(text: &str) -> Result<Action, String> {
    let known = || Action::ALL.iter().map(|action| action.as_str()).collect::<Vec<_>>().join(", ");
    Action::parse(text).ok_or_else(|| format!("no such action; there are: {}", known()))
}

#[derive(Debug, Args)]
pub struct Check {
    /// Name or UUID
    pub domain: String,
    /// Destination; may be given several times
    #[arg(long, value_name = "HOST", conflicts_with = "all")]
    pub to: Vec<String>,
    /// All other hosts, as without --to
    #[arg(long)]
    pub all: bool,
    /// Go on: judge again when a policy, a host or the domain changes
    #[arg(long)]
    pub watch: bool,
    #[command(flatten)]
    pub how: How,
}

#[derive(Debug, Args)]
pub struct Migrate {
    /// Name or UUID
    pub domain: String,
    /// Destination
    #[arg(long, value_name = "HOST")]
    pub to: String,
    #[command(flatten)]
    pub how: How,
    /// Show the findings and the plan; touch nothing
    #[arg(long, conflicts_with = "detach")]
    pub dry_run: bool,
    /// Leave the driving to a process in the background and print the task id
    #[arg(long)]
    pub detach: bool,
    /// Most attempts, where the recovery policy tries again; at most what the configuration allows
    #[arg(long, value_name = "N")]
    pub attempts: Option<u32>,
}

/// How a domain is to travel: the same for a check and a migration.
#[derive(Debug, Args)]
pub struct How {
    /// Host that has the domain; without it every host is asked
    #[arg(long, value_name = "HOST")]
    pub from: Option<String>,
    /// Name on the destination
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
    /// Bandwidth limit, MiB/s
    #[arg(long, value_name = "MIB_S", value_parser = mib_s)]
    pub bandwidth: Option<u64>,
    /// Downtime allowed for the switch-over, ms
    #[arg(long, value_name = "MS", value_parser = ms)]
    pub max_downtime: Option<u64>,
    /// Time for the whole transfer, 1 to 31536000 s (a year); at its end it is aborted
    #[arg(long, value_name = "S", default_value_t = waypost::core::request::DEFAULT_TIMEOUT_S)]
    pub timeout: u64,
    /// Insist on moving the running domain
    #[arg(long, conflicts_with = "offline")]
    pub live: bool,
    /// Insist on moving the definition of a domain that is shut off
    #[arg(long, conflicts_with_all = ["bandwidth", "max_downtime", "transient", "paused"])]
    pub offline: bool,
    /// Save it here and start it from the image there: always refused, with what to do instead
    #[arg(long, conflicts_with_all = ["live", "offline"])]
    pub hibernate: bool,
    /// Define it on the destination
    #[arg(long, conflicts_with = "transient")]
    pub persistent: bool,
    /// Only run it on the destination; needs --keep-source for a domain that is defined
    #[arg(long, requires = "keep_source")]
    pub transient: bool,
    /// Keep its definition on the source, without autostart
    #[arg(long)]
    pub keep_source: bool,
    /// Leave it paused on the destination
    #[arg(long)]
    pub paused: bool,
    /// Where the source sends the memory: tcp://ADDRESS[:PORT]
    #[arg(long, value_name = "URI")]
    pub migrate_uri: Option<String>,
    /// Migration network of the configuration, or `management`, the one of libvirt's own connections; else as the domain, a rule,
    /// the cluster or the default has it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["migrate_uri", "offline"])]
    pub network: Option<String>,
    /// How urgent it is beside others that wait for a slot
    #[arg(long, value_name = "LEVEL", default_value = "normal", value_parser = priority)]
    pub priority: waypost::core::queue::Priority,
    /// Address on which the destination listens for it
    #[arg(long, value_name = "ADDRESS")]
    pub listen_address: Option<String>,
    /// Skip libvirt's own storage check: wrong caching or storage that is not shared will corrupt the disk
    #[arg(long = "unsafe")]
    pub unsafe_storage: bool,
    #[command(flatten)]
    pub transfer: Transfer,
}

#[derive(Debug, Subcommand)]
pub enum Plugin {
    /// The policies in force, and what is wrong with those that aren't
    List,
    /// What a file is: hooks, imports, whether it would load
    Inspect {
        /// A .wasm file
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Make a folder with a policy to start from
    New {
        /// Folder to make; its name is the policy's
        #[arg(value_hint = ValueHint::DirPath)]
        dir: PathBuf,
        /// What it is asked for: precheck, transform, recovery or convergence
        #[arg(long, value_name = "HOOK", default_value = "precheck", value_parser = hook)]
        hook: waypost_policy::Hook,
    },
}

#[derive(Debug, Subcommand)]
pub enum State {
    /// Write everything on record into a new file, also while a service is running
    Backup {
        /// File to make
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
    },
    /// Put a backup in the place of what is on record; what was there is kept beside it
    Restore {
        /// A file that `state backup` made
        #[arg(value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Also where this forgets unfinished tasks, whose domains may be half-way between two hosts
        #[arg(long)]
        force_lose_unfinished: bool,
    },
    /// Forget tasks that are over; kept are those that ended stuck or lost
    Prune {
        /// How long they have been over: a number of minutes (30m), hours (12h), days (90d) or weeks (8w)
        #[arg(long, value_name = "AGE", value_parser = age)]
        older_than: Duration,
    },
}

/// Where a lab lies.
#[derive(Debug, Args)]
pub struct LabDir {
    /// Folder of the lab
    #[arg(long, value_name = "DIR", env = "WAYPOST_LAB", value_hint = ValueHint::DirPath)]
    pub dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Lab {
    /// Bring a lab up and write a configuration for it
    Up {
        #[command(flatten)]
        at: LabDir,
        /// How many hosts
        #[arg(long, value_name = "N", default_value_t = 2)]
        hosts: u32,
    },
    /// Take it down; nothing of it is left
    Down {
        #[command(flatten)]
        at: LabDir,
    },
    /// Its hosts and their domains
    Status {
        #[command(flatten)]
        at: LabDir,
    },
    /// Run a command inside a host
    Run {
        #[command(flatten)]
        at: LabDir,
        /// Host
        host: String,
        /// Command and its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        command: Vec<String>,
    },
    /// Start a guest that counts on its serial port
    Guest {
        #[command(flatten)]
        at: LabDir,
        /// Its name
        name: String,
        /// Host
        #[arg(long, value_name = "HOST", default_value = "kvm1")]
        host: String,
        /// A real Linux instead of a tiny counting program
        #[arg(long)]
        linux: bool,
        /// Memory, MiB
        #[arg(long, value_name = "MIB")]
        memory: Option<u32>,
        /// Disk on the host's own store instead of the shared one
        #[arg(long, conflicts_with = "linux")]
        local_disk: bool,
        /// Define it without starting it
        #[arg(long)]
        off: bool,
    },
    /// Judge what a guest counted on all hosts: one copy, nothing lost
    Counter {
        #[command(flatten)]
        at: LabDir,
        /// Guest
        name: String,
    },
}

/// A part of an id is no id: it could come to mean another task.
fn task_id(text: &str) -> Result<TaskId, String> {
    text.parse().map_err(|_| "it is no whole task id, which is a UUID; `waypost tasks` lists them".to_owned())
}

fn age(text: &str) -> Result<Duration, String> {
    let wrong = || "it is a number with its unit, as 30m, 12h, 90d or 8w".to_owned();
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds: u64 = match unit {
        'm' => 60,
        'h' => 3600,
        'd' => 86_400,
        'w' => 7 * 86_400,
        _ => return Err(wrong()),
    };
    let number: u64 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| wrong())?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

fn mib_s(text: &str) -> Result<u64, String> {
    number(text, "MiB/s", "5")
}

fn ms(text: &str) -> Result<u64, String> {
    number(text, "ms", "300")
}

fn number(text: &str, unit: &str, example: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("it is a whole number of {unit} without the unit, as {example}"))
}

fn hook(text: &str) -> Result<waypost_policy::Hook, String> {
    waypost_policy::Hook::parse(text).ok_or_else(|| "it is precheck, transform, recovery or convergence".to_owned())
}

fn priority(text: &str) -> Result<waypost::core::queue::Priority, String> {
    waypost::core::queue::Priority::parse(text).ok_or_else(|| "it is low, normal or high".to_owned())
}
