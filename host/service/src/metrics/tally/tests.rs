//! What a service that begins anew, and one whose store fails for a moment, must not count twice or forget.

use uuid::Uuid;
use waypost_core::feed::{DecisionQuery, DrivenBy, KeyClaim, Moving, PastReading, RequestKey, Standings, TaskDecision};
use waypost_core::ids::{HostName, Moment};
use waypost_core::phase::Phase;
use waypost_core::ports::{Reading, TaskBrief};
use waypost_core::sample::Sample;

use super::*;

/// One task in its second attempt, with what it has moved in each.
struct SecondAttempt {
    outcome: Option<OutcomeKind>,
}

impl SecondAttempt {
    fn told(&self) -> TaskBrief {
        TaskBrief {
            id: task(1),
            created_at: Moment(0),
            updated_at: Moment(0),
            domain: None,
            domain_name: "g".into(),
            source: None,
            destination: HostName::new("b"),
            phase: if self.outcome.is_some() { Phase::Ended } else { Phase::Performing },
            outcome: self.outcome,
            summary: None,
            waits: false,
            permille: 0,
        }
    }
}

fn task(n: u128) -> TaskId {
    TaskId(Uuid::from_u128(n))
}

fn reading(moved: u64) -> Reading {
    Reading { at: Moment(0), permille: 0, sample: Sample { processed_bytes: moved, ..Sample::default() } }
}

impl Feed for SecondAttempt {
    fn version(&self) -> Result<u64, StoreFault> {
        Ok(0)
    }
    fn last_change(&self) -> Result<u64, StoreFault> {
        Ok(9)
    }
    fn changes(&self, _: Option<TaskId>, _: u64, _: u32) -> Result<Vec<Change>, StoreFault> {
        Ok(vec![])
    }
    fn last_change_of(&self, _: TaskId) -> Result<u64, StoreFault> {
        Ok(9)
    }
    fn samples(&self, _: TaskId) -> Result<Vec<PastReading>, StoreFault> {
        let past = [(1, 300), (1, 700), (2, 20)];
        Ok(past.map(|(attempt, moved)| PastReading { attempt, reading: reading(moved) }).into())
    }
    fn decisions_of(&self, _: &DecisionQuery, _: u32) -> Result<Vec<TaskDecision>, StoreFault> {
        Ok(vec![])
    }
    fn standings(&self) -> Result<Standings, StoreFault> {
        Ok(Standings::default())
    }
    fn moving(&self) -> Result<Vec<Moving>, StoreFault> {
        let moving = Moving { brief: self.told(), attempt: 2, reading: reading(20) };
        Ok(if self.outcome.is_none() { vec![moving] } else { vec![] })
    }
    fn page(&self, query: &TaskQuery, _: u32) -> Result<Vec<TaskBrief>, StoreFault> {
        let state = self.outcome.map_or(TaskState::Unfinished, TaskState::Ended);
        Ok(if query.states.contains(&state) { vec![self.told()] } else { vec![] })
    }
    fn brief(&self, _: TaskId) -> Result<Option<TaskBrief>, StoreFault> {
        Ok(Some(self.told()))
    }
    fn targets(&self, _: &[TaskId]) -> Result<BTreeMap<TaskId, String>, StoreFault> {
        Ok(BTreeMap::new())
    }
    fn note_context(&self, _: TaskId, _: &str) -> Result<(), StoreFault> {
        Ok(())
    }
    fn context_of(&self, _: TaskId) -> Result<Option<String>, StoreFault> {
        Ok(None)
    }
    fn driver(&self, _: TaskId) -> Result<DrivenBy, StoreFault> {
        Ok(DrivenBy::Nobody)
    }
    fn claim_key(&self, _: &RequestKey, _: TaskId, _: Moment, _: Moment) -> Result<KeyClaim, StoreFault> {
        Ok(KeyClaim::New)
    }
    fn release_key(&self, _: &RequestKey) -> Result<(), StoreFault> {
        Ok(())
    }
}

#[test]
fn bytes_of_attempts_before_a_service_began_are_not_its_own() {
    for outcome in [None, Some(OutcomeKind::Stuck)] {
        let feed = SecondAttempt { outcome };
        let tally = Tally::begin(&feed);
        let mut place = tally.place();
        tally.settle_bytes(&mut place, &feed, task(1)).unwrap();
        assert_eq!(tally.bytes.get(), 0, "{outcome:?}");
        tally.move_on(&mut place, task(1), 2, 25);
        assert_eq!(tally.bytes.get(), 5, "{outcome:?}");
    }
}

#[test]
fn figures_that_can_not_be_read_are_looked_for_again() {
    let mut place = Place::default();
    place.unsettled.extend([(task(1), 0), (task(2), 0), (task(3), LOOKS - 1)]);
    for n in 1..=3 {
        place.counted.entry(task(n)).or_default().insert(1, 7);
    }
    let fault = StoreFault { attempted: "read".into(), message: "no".into() };
    let outcome = settle_all(&mut place, |_, of| if of == task(1) { Err(fault.clone()) } else { Ok(of == task(2)) });
    assert_eq!(outcome, Err(fault));
    assert_eq!(place.unsettled, BTreeMap::from([(task(1), 1)]));
    assert_eq!(place.counted.into_keys().collect::<Vec<_>>(), [task(1)]);
    // One that can never be read is given up like one that is never there.
    let mut place = Place { unsettled: BTreeMap::from([(task(1), LOOKS - 1)]), ..Place::default() };
    let never = StoreFault { attempted: "read".into(), message: "no".into() };
    settle_all(&mut place, |_, _| Err(never.clone())).unwrap_err();
    assert_eq!(place.unsettled, BTreeMap::new());
}
