//! The search: every state that can be reached, each once, in the order of the steps that it takes to get there, so that a
//! violation comes with a shortest course to it.

use std::collections::{BTreeSet, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

use waypost_core::outcome::OutcomeKind;

use crate::case::Case;
use crate::controller::{self, At, Controller};
use crate::judge::Judge;
use crate::world::{Said, Stage, Violation, World};
use crate::{faults, hosts};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct State {
    pub world: World,
    pub controller: Controller,
}

impl State {
    /// The same for all that can follow: fewer states to search.
    fn without_what_no_longer_matters(mut self) -> Self {
        if self.controller.at != At::Watching {
            self.world.said = Said::Nothing;
        }
        if let At::Ended(_) = self.controller.at {
            self.controller =
                Controller { at: self.controller.at, disturbed: self.controller.disturbed, ..Controller::begin() };
            self.world.faults = 0;
        }
        self
    }

    /// Nothing can follow that makes it untrue.
    fn is_settled(&self) -> bool {
        let World { stage, late, destination, .. } = self.world;
        let over = matches!(self.controller.at, At::Ended(_)) && (stage == Stage::Idle || self.controller.disturbed);
        over && late.is_none() && !destination.incoming
    }
}

/// What follows a state.
pub struct Steps<'a> {
    from: State,
    out: &'a mut Vec<(&'static str, State, Option<Violation>)>,
}

impl Steps<'_> {
    /// Something that hosts do.
    pub fn world(&mut self, name: &'static str, world: World, result: Result<(), Violation>) {
        self.out.push((name, State { world, ..self.from }, result.err()));
    }
    /// Something that breaks.
    pub fn fault(&mut self, name: &'static str, world: World) {
        let controller = Controller { disturbed: true, ..self.from.controller };
        self.out.push((name, State { world, controller }, None));
    }
    /// Something that the controller does.
    pub fn step(&mut self, name: &'static str, state: State, violation: Option<Violation>) {
        self.out.push((name, state, violation));
    }
}

/// What a search found.
pub struct Searched {
    pub states: usize,
    pub steps: usize,
    /// The farthest state from the start, in steps.
    pub depth: u32,
    pub ends: BTreeSet<OutcomeKind>,
    /// The first violation, and how it came about.
    pub violation: Option<(Violation, Vec<String>)>,
}

/// States are small and many: the standard hash is made for keys of an enemy, this one for speed.
#[derive(Default)]
struct Quick(u64);

impl Hasher for Quick {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }
    fn write_u8(&mut self, n: u8) {
        self.write_u64(u64::from(n));
    }
    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }
    fn write_u64(&mut self, n: u64) {
        self.0 = (self.0.rotate_left(5) ^ n).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
    fn write_isize(&mut self, n: isize) {
        self.write_u64(n as u64);
    }
    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }
}

fn told(name: &str, state: &State) -> String {
    format!("{name}\n      {}; {:?}", state.world, state.controller.at)
}

/// Searches everything that so many faults can bring about.
pub fn explore(case: &Case, judge: &mut Judge<'_>, faults: u8) -> Searched {
    let first = State { world: World::begin(case, faults), controller: Controller::begin() };
    let mut reached = vec![(first, 0_u32, "", 0_u32)];
    let mut known: HashMap<State, (), BuildHasherDefault<Quick>> = HashMap::default();
    known.insert(first, ());
    let mut searched = Searched { states: 0, steps: 0, depth: 0, ends: BTreeSet::new(), violation: None };
    let (mut at, mut out) = (0, Vec::new());
    while at < reached.len() {
        let (state, _, _, depth) = reached[at];
        searched.depth = depth;
        if let At::Ended(kind) = state.controller.at {
            searched.ends.insert(kind);
        }
        if state.is_settled() {
            at += 1;
            continue;
        }
        out.clear();
        let mut steps = Steps { from: state, out: &mut out };
        hosts::steps(case, state.world, state.controller.at, &mut steps);
        if !matches!(state.controller.at, At::Ended(_)) {
            faults::steps(case, state.world, &mut steps);
            controller::steps(case, judge, state, &mut steps);
        }
        searched.steps += out.len();
        for (name, next, violation) in out.drain(..) {
            let next = next.without_what_no_longer_matters();
            let lies = || match next.controller.at {
                At::Ended(kind) if !next.controller.disturbed && !next.world.holds(kind, case) => {
                    Some(Violation::Lie(kind))
                }
                _ => None,
            };
            if let Some(violation) = violation.or_else(lies) {
                let mut trace = vec![told(name, &next)];
                let mut back = at;
                while back != 0 {
                    trace.push(told(reached[back].2, &reached[back].0));
                    back = reached[back].1 as usize;
                }
                trace.reverse();
                searched.violation = Some((violation, trace));
                searched.states = reached.len();
                return searched;
            }
            if known.insert(next, ()).is_none() {
                reached.push((next, u32::try_from(at).unwrap(), name, depth + 1));
            }
        }
        at += 1;
    }
    searched.states = reached.len();
    searched
}
