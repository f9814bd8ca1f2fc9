//! The program's own functions, asked with what a side shows, and their answers kept: they are pure, and the search asks
//! the same thing many thousand times.

use std::collections::HashMap;

use waypost_core::facts::DomainState;
use waypost_core::journal::Record;
use waypost_core::plan::Plan;
use waypost_core::situation::{Action, DiskErrors, History, Observed, Side, Situation, arrived, permitted};

use crate::case::{Case, DESTINATION, SOURCE};
use crate::world::{End, Off, Reason, World};

/// What a host shows, or that it can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Seen {
    Unknown,
    Absent,
    Active { runs: bool, reason: Reason, defined: bool, job: bool },
    Defined(Off),
}

/// What both sides come to.
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    permitted: u16,
    pub arrived: bool,
    pub job: bool,
    pub dark: bool,
    pub interrupted: bool,
    pub post_copy: bool,
}

type Table = fn(&Plan, &Situation) -> Vec<Action>;

/// What a weakened controller leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Neglect {
    /// The past of an attempt.
    Past,
    /// Whether a copy uses the volume that is taken back.
    Use,
    /// The look at both sides before a task ends.
    Look,
}

pub struct Judge<'a> {
    case: &'a Case,
    table: Table,
    neglect: Option<Neglect>,
    judged: HashMap<(Seen, Seen), Judged>,
    left: HashMap<(u32, Seen, Seen), u16>,
    histories: Vec<History>,
    numbers: HashMap<History, u32>,
}

/// The actions of a set.
pub fn actions(set: u16) -> impl Iterator<Item = Action> {
    Action::ALL.iter().copied().filter(move |action| set & bit(*action) != 0)
}

pub fn bit(action: Action) -> u16 {
    1 << Action::ALL.iter().position(|known| *known == action).unwrap()
}

pub fn see(world: &World, end: End) -> Seen {
    let host = world.host(end);
    match host.process {
        _ if !host.answers() => Seen::Unknown,
        Some(process) => Seen::Active {
            runs: process.runs,
            reason: process.reason,
            defined: host.defined,
            job: host.job(end, world.stage),
        },
        None if host.defined => Seen::Defined(host.off),
        None => Seen::Absent,
    }
}

impl Seen {
    pub fn is_defined(self) -> bool {
        matches!(self, Self::Active { defined: true, .. } | Self::Defined(_))
    }

    fn side(self, host: uuid::Uuid) -> Side {
        let observed = |state, reason: &str, persistent, job| {
            let (host, name, reason) = (Some(host), "g1".to_owned(), reason.to_owned());
            Side::Present(Observed {
                host,
                name,
                state,
                reason,
                persistent,
                autostart: false,
                job,
                disk_errors: DiskErrors::default(),
            })
        };
        match self {
            Self::Unknown => Side::Unknown("no answer".into()),
            Self::Absent => Side::Absent { host: Some(host) },
            Self::Active { runs, reason, defined, job } => {
                let state = if runs { DomainState::Running } else { DomainState::Paused };
                let reason = match reason {
                    Reason::Booted => "booted",
                    Reason::Migration => "migration",
                    Reason::Migrated => "migrated",
                    Reason::Canceled => "migration-canceled",
                    Reason::PostCopy => "post-copy",
                    Reason::PostCopyFailed => "post-copy-failed",
                    Reason::User => "user",
                    Reason::Unpaused => "unpaused",
                };
                observed(state, reason, defined, job)
            }
            Self::Defined(off) => {
                let reason = match off {
                    Off::Shutdown => "shutdown",
                    Off::Migrated => "migrated",
                    Off::Failed => "failed",
                    Off::Crashed => "crashed",
                    Off::Destroyed => "destroyed",
                    Off::Unknown => "unknown",
                };
                observed(DomainState::ShutOff, reason, true, false)
            }
        }
    }
}

fn situation(source: Seen, destination: Seen) -> Situation {
    Situation { source: source.side(SOURCE), destination: destination.side(DESTINATION) }
}

impl Judged {
    pub fn permits(&self, action: Action) -> bool {
        self.permitted & bit(action) != 0
    }
}

impl<'a> Judge<'a> {
    /// The program as it is.
    pub fn of(case: &'a Case) -> Self {
        Self {
            case,
            table: permitted,
            neglect: None,
            judged: HashMap::new(),
            left: HashMap::new(),
            histories: vec![History::default()],
            numbers: HashMap::from([(History::default(), 0)]),
        }
    }

    /// One with another table.
    pub fn with(self, table: Table) -> Self {
        Self { table, ..self }
    }

    /// One that leaves something out.
    pub fn neglecting(self, what: Neglect) -> Self {
        Self { neglect: Some(what), ..self }
    }

    pub fn neglects(&self, what: Neglect) -> bool {
        self.neglect == Some(what)
    }

    /// What both sides permit by themselves, and what else they show.
    pub fn judge(&mut self, source: Seen, destination: Seen) -> Judged {
        let (plan, table) = (&self.case.plan, self.table);
        *self.judged.entry((source, destination)).or_insert_with(|| {
            let situation = situation(source, destination);
            Judged {
                permitted: set(&table(plan, &situation)),
                arrived: arrived(plan, &situation),
                job: situation.has_job(),
                dark: situation.is_dark(),
                interrupted: situation.is_interrupted(plan),
                post_copy: situation.in_post_copy(),
            }
        })
    }

    /// What is left of that in an attempt with this past.
    pub fn left(&mut self, history: u32, source: Seen, destination: Seen) -> u16 {
        if self.neglects(Neglect::Past) {
            return self.judge(source, destination).permitted;
        }
        let (plan, table, past) = (&self.case.plan, self.table, &self.histories[history as usize]);
        *self.left.entry((history, source, destination)).or_insert_with(|| {
            let situation = situation(source, destination);
            set(&past.judge(plan, &situation, table(plan, &situation)).0)
        })
    }

    /// The past after a record.
    pub fn note(&mut self, history: u32, record: &Record) -> u32 {
        let mut past = self.histories[history as usize].clone();
        past.note(record);
        self.number(past)
    }

    /// The past after a look.
    pub fn seen(&mut self, history: u32, source: Seen, destination: Seen) -> u32 {
        let mut past = self.histories[history as usize].clone();
        past.seen(&situation(source, destination));
        self.number(past)
    }

    /// How much was done about the failure.
    pub fn deeds(&self, history: u32) -> usize {
        self.histories[history as usize].done().len()
    }

    fn number(&mut self, past: History) -> u32 {
        if let Some(number) = self.numbers.get(&past) {
            return *number;
        }
        let number = u32::try_from(self.histories.len()).unwrap();
        self.histories.push(past.clone());
        self.numbers.insert(past, number);
        number
    }
}

fn set(actions: &[Action]) -> u16 {
    actions.iter().fold(0, |set, action| set | bit(*action))
}
