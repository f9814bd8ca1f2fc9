//! Whose turn it is: how many migrations may leave a host, enter one and share a network at once, and in which order the
//! others wait. Pure: the store reads the entries and keeps what comes out in one transaction, so that all controllers
//! over one store agree.
//!
//! The order is that of arrival, where a lower priority counts as having come [`HEAD_START_MS`] later per step. So an
//! urgent task passes those that came shortly before it, and nothing is passed for ever. A task whose hosts are busy
//! does not hold up one behind it that needs others; only one that has waited for [`RESERVED_AFTER_MS`] gets what is
//! free of its places kept for it, or tasks that need one busy place would always be quicker than one that needs two.
//!
//! Arrival and waiting are told by a clock that anybody may set. Whoever comes while it is behind those who wait came
//! after them all the same ([`arrival`]), and of one that came in its future nobody knows how long it has waited: it counts
//! as long. Until the clock is again where it was, those who come seem to come one right after the other, and a more
//! urgent one among them passes more than those of its last ten minutes.

use std::collections::BTreeMap;
use std::fmt;

use crate::ids::{HostName, Moment, TaskId};
use crate::words;

words! {
    /// How urgent a migration is beside others that wait.
    pub enum Priority {
        /// After the others.
        Low = "low",
        /// As most are.
        Normal = "normal",
        /// Before the others.
        High = "high",
    }
}

/// By how much each step of priority comes earlier: ten minutes.
pub const HEAD_START_MS: u64 = 600_000;

/// How long a task waits until places that it needs are kept free for it: a minute.
pub const RESERVED_AFTER_MS: u64 = 60_000;

/// How many migrations may run at once. oVirt's defaults: two out of a host, two into one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotLimits {
    /// Out of one host, at least 1.
    pub outgoing_per_host: u32,
    /// Into one host, at least 1.
    pub incoming_per_host: u32,
    /// Over a network, by its name; one that isn't listed has no limit.
    pub networks: BTreeMap<String, u32>,
}

impl Default for SlotLimits {
    fn default() -> Self {
        Self { outgoing_per_host: 2, incoming_per_host: 2, networks: BTreeMap::new() }
    }
}

/// Something of which there is a limited number of places.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Out of a host.
    Out(HostName),
    /// Into a host.
    In(HostName),
    /// Over a network.
    Over(String),
}

/// What a task needs in order to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotWish {
    /// How urgent.
    pub priority: Priority,
    /// From.
    pub source: HostName,
    /// To.
    pub destination: HostName,
    /// Migration network, as far as it is known before the facts are read.
    pub network: Option<String>,
}

/// A task that waits for a slot, or holds one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Task.
    pub task: TaskId,
    /// When it came, by [`arrival`].
    pub asked_at: Moment,
    /// What it needs.
    pub wish: SlotWish,
    /// It has it.
    pub holds: bool,
}

/// A place that is full.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Full {
    /// Which.
    pub place: Place,
    /// Migrations that hold it.
    pub used: u32,
    /// How many may.
    pub limit: u32,
}

/// The answer to a task that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    /// It may begin.
    Granted,
    /// It waits.
    Waiting {
        /// Its place among those that need the same, from 1.
        place: usize,
        /// What is full; nothing, where the places are kept for tasks before it.
        full: Vec<Full>,
    },
}

impl SlotLimits {
    /// The limit of a place, if it has one.
    pub fn of(&self, place: &Place) -> Option<u32> {
        match place {
            Place::Out(_) => Some(self.outgoing_per_host),
            Place::In(_) => Some(self.incoming_per_host),
            Place::Over(network) => self.networks.get(network).copied(),
        }
    }
}

impl SlotWish {
    /// The places of which it needs one each.
    pub fn places(&self) -> Vec<Place> {
        let mut places = vec![Place::Out(self.source.clone()), Place::In(self.destination.clone())];
        places.extend(self.network.clone().map(Place::Over));
        places
    }
}

impl Entry {
    /// Who comes first is smaller.
    fn order(&self) -> (u64, TaskId) {
        let behind = match self.wish.priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        (self.asked_at.0.saturating_add(behind * HEAD_START_MS), self.task)
    }
}

/// When a task came that asks for the first time, at this moment by the clock: after everybody who waits. Set back, the
/// clock would let it pass them. At the same moment is no later: of those the ids tell who came first.
pub fn arrival(now: Moment, entries: &[Entry]) -> Moment {
    let newest = entries.iter().filter(|entry| !entry.holds).map(|entry| entry.asked_at.0).max();
    match newest {
        Some(newest) if newest > now.0 => Moment(newest.saturating_add(1)),
        _ => now,
    }
}

/// Whether it is a task's turn, given every entry of a driven task. A task that isn't among them is not granted.
pub fn turn(task: TaskId, entries: &[Entry], limits: &SlotLimits, now: Moment) -> Turn {
    standings(entries, limits, now).remove(&task).unwrap_or(Turn::Waiting { place: 1, full: Vec::new() })
}

/// Where everybody stands, given every entry of a driven task: who holds a slot, or could have one, is granted. One pass,
/// so that a program that drives many tasks need not make one for each.
pub fn standings(entries: &[Entry], limits: &SlotLimits, now: Moment) -> BTreeMap<TaskId, Turn> {
    let mut turns: BTreeMap<TaskId, Turn> = BTreeMap::new();
    let mut taken: BTreeMap<Place, u32> = BTreeMap::new();
    for holder in entries.iter().filter(|entry| entry.holds) {
        turns.insert(holder.task, Turn::Granted);
        for place in holder.wish.places() {
            *taken.entry(place).or_default() += 1;
        }
    }
    let held = taken.clone();
    let used = |taken: &BTreeMap<Place, u32>, place: &Place| taken.get(place).copied().unwrap_or(0);
    let free =
        |taken: &BTreeMap<Place, u32>, place: &Place| limits.of(place).is_none_or(|max| used(taken, place) < max);

    let mut waiting: Vec<&Entry> = entries.iter().filter(|entry| !entry.holds).collect();
    waiting.sort_by_key(|entry| entry.order());
    let mut before = Sharing::default();
    for entry in waiting {
        let places = entry.wish.places();
        let ready = places.iter().all(|place| free(&taken, place));
        let turn = if ready {
            Turn::Granted
        } else {
            let full = places.iter().filter_map(|place| {
                let (used, limit) = (used(&held, place), limits.of(place)?);
                (used >= limit).then(|| Full { place: place.clone(), used, limit })
            });
            Turn::Waiting { place: before.with(&entry.wish) + 1, full: full.collect() }
        };
        turns.insert(entry.task, turn);
        before.add(&entry.wish);
        // Who can go now will; for who waits for long, what is free is kept. One that came so long after now came before
        // the clock was set back; one that came a little after it, through another process, need not have.
        if ready || now.0.abs_diff(entry.asked_at.0) >= RESERVED_AFTER_MS {
            for place in places {
                if free(&taken, &place) {
                    *taken.entry(place).or_default() += 1;
                }
            }
        }
    }
    turns
}

/// How many tasks share a place with another. Counted by every combination of their places, so that one that shares two of
/// them is still one: those with the first, the second or the third are those with one, less those with two, plus those
/// with all three.
#[derive(Default)]
struct Sharing<'e>(BTreeMap<[Option<&'e str>; 3], usize>);

impl<'e> Sharing<'e> {
    fn add(&mut self, wish: &'e SlotWish) {
        for (places, _) in combinations(wish) {
            *self.0.entry(places).or_default() += 1;
        }
    }

    fn with(&self, wish: &SlotWish) -> usize {
        let (mut more, mut less) = (0, 0);
        for (places, odd) in combinations(wish) {
            *(if odd { &mut more } else { &mut less }) += self.0.get(&places).copied().unwrap_or(0);
        }
        more - less
    }
}

/// Every combination of one and more of a task's places, and whether their number is odd.
fn combinations(wish: &SlotWish) -> impl Iterator<Item = ([Option<&str>; 3], bool)> {
    let places = [Some(wish.source.as_str()), Some(wish.destination.as_str()), wish.network.as_deref()];
    (1_u32..8).filter_map(move |which| {
        let is_in = |at: usize| which & (1 << at) != 0;
        let all_there = (0..3).all(|at| !is_in(at) || places[at].is_some());
        let chosen = [0, 1, 2].map(|at| places[at].filter(|_| is_in(at)));
        all_there.then_some((chosen, which.count_ones() % 2 == 1))
    })
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, used, limit } = self;
        match place {
            Place::Out(host) => write!(f, "{host} sends {used} of {limit}"),
            Place::In(host) => write!(f, "{host} receives {used} of {limit}"),
            Place::Over(network) => write!(f, "network {network} carries {used} of {limit}"),
        }
    }
}

impl fmt::Display for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Waiting { place, full } = self else { return f.write_str("it may begin") };
        let ending = match (place % 10, place % 100) {
            (1, n) if n != 11 => "st",
            (2, n) if n != 12 => "nd",
            (3, n) if n != 13 => "rd",
            _ => "th",
        };
        write!(f, "waiting for a slot: {place}{ending}; ")?;
        match full.is_empty() {
            true => f.write_str("what is free is kept for tasks before it"),
            false => f.write_str(&full.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
        }
    }
}

#[cfg(test)]
mod tests;
