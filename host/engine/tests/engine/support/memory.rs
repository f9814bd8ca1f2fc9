//! The store in memory, for the thousands of cases in which a disk would be all that takes time. Records go through their
//! written form, as they do in a real store.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use waypost_core::ids::{DomainId, DomainKey, HostName, Moment, TaskId};
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::{Phase, next};
use waypost_core::ports::{
    ClaimError, DecisionRecord, KeptProof, ProbeVolume, Reading, Store, StoreFault, TaskBrief, TaskLock, Wish,
};
use waypost_core::queue::{Entry, SlotLimits, SlotWish, Turn, arrival, turn};
use waypost_store::{read_record, write_record};

#[derive(Default)]
pub struct MemoryStore(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    tasks: BTreeMap<TaskId, Row>,
    facts: BTreeMap<String, String>,
    probes: Vec<ProbeVolume>,
    proofs: Vec<KeptProof>,
}

struct Row {
    created_at: Moment,
    records: Vec<(Moment, String)>,
    phase: Phase,
    outcome: Option<OutcomeKind>,
    domain: Option<DomainId>,
    name: String,
    source: Option<HostName>,
    destination: HostName,
    cancel: Option<String>,
    wishes: Vec<Option<Wish>>,
    reading: Option<Reading>,
    decisions: Vec<DecisionRecord>,
    held: Arc<AtomicBool>,
    slot: Option<Entry>,
}

struct Lock(Arc<AtomicBool>);

impl TaskLock for Lock {}

impl Drop for Lock {
    fn drop(&mut self) {
        self.0.store(false, Ordering::SeqCst);
    }
}

fn fault(message: impl Into<String>) -> StoreFault {
    StoreFault { attempted: "use the store in memory".into(), message: message.into() }
}

impl MemoryStore {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    fn with<T>(&self, id: TaskId, work: impl FnOnce(&mut Row) -> Result<T, StoreFault>) -> Result<T, StoreFault> {
        work(self.kept().tasks.get_mut(&id).ok_or_else(|| fault("no such task"))?)
    }
}

impl Kept {
    fn queue(&self) -> Vec<Entry> {
        let driven = self.tasks.values().filter(|row| row.held.load(Ordering::SeqCst));
        driven.filter_map(|row| row.slot.clone()).collect()
    }
    fn put_slot(&mut self, id: TaskId, at: Moment, wish: &SlotWish, holds: bool) -> Result<Moment, StoreFault> {
        let row = self.tasks.get_mut(&id).filter(|row| row.phase != Phase::Ended);
        let row = row.ok_or_else(|| fault("no such task, or it is over"))?;
        let asked_at = row.slot.as_ref().map_or(at, |slot| slot.asked_at);
        row.slot = Some(Entry { task: id, asked_at, wish: wish.clone(), holds });
        Ok(asked_at)
    }
    fn other(&self, domain: DomainId, id: TaskId) -> Option<TaskId> {
        let mut rows = self.tasks.iter();
        rows.find(|(other, row)| **other != id && row.phase != Phase::Ended && row.domain == Some(domain)).map(|r| *r.0)
    }
}

impl Store for MemoryStore {
    fn create(&self, id: TaskId, at: Moment, first: &Record) -> Result<Box<dyn TaskLock>, StoreFault> {
        let Record::Accepted { request } = first else { return Err(fault("a journal begins with a request")) };
        let mut kept = self.kept();
        let (domain, name) = match &request.domain {
            DomainKey::Id(id) => (Some(*id), id.to_string()),
            DomainKey::Name(name) => (None, name.clone()),
        };
        if let Some(other) = domain.and_then(|domain| kept.other(domain, id)) {
            return Err(fault(ClaimError::Taken(other).to_string()));
        }
        let held = Arc::new(AtomicBool::new(true));
        let row = Row {
            created_at: at,
            records: vec![(at, write_record(1, first))],
            phase: Phase::Accepted,
            outcome: None,
            domain,
            name,
            source: request.source.clone(),
            destination: request.destination.clone(),
            cancel: None,
            wishes: Vec::new(),
            reading: None,
            decisions: vec![],
            held: Arc::clone(&held),
            slot: None,
        };
        kept.tasks.insert(id, row);
        Ok(Box::new(Lock(held)))
    }

    fn append(&self, id: TaskId, at: Moment, record: &Record) -> Result<(), StoreFault> {
        self.with(id, |row| {
            if matches!(record, Record::Reopened { .. }) {
                row.outcome = None;
            }
            if let Some(event) = record.event() {
                row.phase = next(row.phase, event).map_err(|illegal| fault(illegal.to_string()))?;
            }
            if let Record::Ended { outcome } = record {
                row.outcome = Some(outcome.kind);
                row.slot = None;
            }
            row.records.push((at, write_record(1, record)));
            Ok(())
        })
    }

    fn claim(&self, id: TaskId, domain: DomainId, name: &str, source: &HostName) -> Result<(), ClaimError> {
        let mut kept = self.kept();
        if let Some(other) = kept.other(domain, id) {
            return Err(ClaimError::Taken(other));
        }
        let row = kept.tasks.get_mut(&id).ok_or_else(|| ClaimError::Store(fault("no such task")))?;
        (row.domain, row.name, row.source) = (Some(domain), name.to_owned(), Some(source.clone()));
        Ok(())
    }

    fn journal_after(&self, id: TaskId, after: u32) -> Result<Vec<(Moment, Record)>, StoreFault> {
        self.with(id, |row| {
            let read = |(at, text): &(Moment, String)| match read_record(text) {
                Ok((_, record)) => Ok((*at, record)),
                Err(misfit) => Err(fault(misfit.to_string())),
            };
            row.records.iter().skip(after as usize).map(read).collect()
        })
    }

    fn tasks(&self) -> Result<Vec<TaskBrief>, StoreFault> {
        let brief = |(id, row): (&TaskId, &Row)| TaskBrief {
            id: *id,
            created_at: row.created_at,
            updated_at: row.records.last().map_or(row.created_at, |(at, _)| *at),
            domain: row.domain,
            domain_name: row.name.clone(),
            source: row.source.clone(),
            destination: row.destination.clone(),
            phase: row.phase,
            outcome: row.outcome,
            summary: None,
            waits: row.slot.as_ref().is_some_and(|slot| !slot.holds),
            permille: row.reading.as_ref().map_or(0, |reading| reading.permille),
        };
        Ok(self.kept().tasks.iter().rev().map(brief).collect())
    }

    fn moved_between(&self, one: &HostName, other: &HostName, most: u32) -> Result<Vec<TaskId>, StoreFault> {
        let ends =
            |row: &Row, from: &HostName, to: &HostName| row.source.as_ref() == Some(from) && row.destination == *to;
        let between =
            |row: &Row| row.outcome == Some(OutcomeKind::Completed) && (ends(row, one, other) || ends(row, other, one));
        let kept = self.kept();
        let found = kept.tasks.iter().rev().filter(|entry| between(entry.1)).map(|(id, _)| *id);
        Ok(found.take(most as usize).collect())
    }

    fn lock(&self, id: TaskId) -> Result<Option<Box<dyn TaskLock>>, StoreFault> {
        self.with(id, |row| {
            let taken = row.held.swap(true, Ordering::SeqCst);
            Ok((!taken).then(|| Box::new(Lock(Arc::clone(&row.held))) as Box<dyn TaskLock>))
        })
    }

    fn claim_slot(&self, id: TaskId, at: Moment, wish: &SlotWish, limits: &SlotLimits) -> Result<Turn, StoreFault> {
        let mut kept = self.kept();
        let entries = kept.queue();
        if entries.iter().any(|entry| entry.task == id && entry.holds && entry.wish == *wish) {
            return Ok(Turn::Granted);
        }
        let asked_at = kept.put_slot(id, arrival(at, &entries), wish, false)?;
        let others = entries.into_iter().filter(|entry| entry.task != id);
        let own = Entry { task: id, asked_at, wish: wish.clone(), holds: false };
        let turn = turn(id, &others.chain([own]).collect::<Vec<_>>(), limits, at);
        if turn == Turn::Granted {
            kept.put_slot(id, at, wish, true)?;
        }
        Ok(turn)
    }
    fn hold_slot(&self, id: TaskId, at: Moment, wish: &SlotWish) -> Result<(), StoreFault> {
        self.kept().put_slot(id, at, wish, true).map(drop)
    }
    fn queue(&self) -> Result<Vec<Entry>, StoreFault> {
        Ok(self.kept().queue())
    }

    fn request_cancel(&self, id: TaskId, requester: &str) -> Result<(), StoreFault> {
        self.with(id, |row| {
            if row.phase == Phase::Ended {
                return Err(fault("the task is over"));
            }
            row.cancel.get_or_insert_with(|| requester.to_owned());
            Ok(())
        })
    }

    fn cancel_requested(&self, id: TaskId) -> Result<Option<String>, StoreFault> {
        self.with(id, |row| Ok(row.cancel.clone()))
    }
    fn request_steering(&self, id: TaskId, wishes: &[Wish]) -> Result<(), StoreFault> {
        self.with(id, |row| {
            row.wishes.extend(wishes.iter().cloned().map(Some));
            Ok(())
        })
    }
    fn wishes(&self, id: TaskId) -> Result<Vec<(u64, Wish)>, StoreFault> {
        self.with(id, |row| {
            let numbered = (0..).zip(&row.wishes);
            Ok(numbered.filter_map(|(number, wish)| Some((number, wish.clone()?))).collect())
        })
    }
    fn settle_wish(&self, id: TaskId, number: u64) -> Result<(), StoreFault> {
        self.with(id, |row| {
            row.wishes[usize::try_from(number).unwrap()] = None;
            Ok(())
        })
    }
    fn put_reading(&self, id: TaskId, reading: &Reading) -> Result<(), StoreFault> {
        self.with(id, |row| {
            row.reading = Some(reading.clone());
            Ok(())
        })
    }
    fn reading(&self, id: TaskId) -> Result<Option<Reading>, StoreFault> {
        self.with(id, |row| Ok(row.reading.clone()))
    }
    fn put_decisions(&self, id: TaskId, decisions: &[DecisionRecord]) -> Result<(), StoreFault> {
        self.with(id, |row| {
            row.decisions.extend_from_slice(decisions);
            Ok(())
        })
    }
    fn decisions(&self, id: TaskId) -> Result<Vec<DecisionRecord>, StoreFault> {
        self.with(id, |row| Ok(row.decisions.clone()))
    }
    fn put_facts(&self, digest: &str, canonical: &str) -> Result<(), StoreFault> {
        self.kept().facts.insert(digest.to_owned(), canonical.to_owned());
        Ok(())
    }
    fn facts(&self, digest: &str) -> Result<Option<String>, StoreFault> {
        Ok(self.kept().facts.get(digest).cloned())
    }
    fn intend_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault> {
        self.kept().probes.push(probe.clone());
        Ok(())
    }
    fn settle_probe(&self, probe: &ProbeVolume) -> Result<(), StoreFault> {
        self.kept().probes.retain(|open| open != probe);
        Ok(())
    }
    fn open_probes(&self) -> Result<Vec<ProbeVolume>, StoreFault> {
        Ok(self.kept().probes.clone())
    }
    fn put_proof(&self, proof: &KeptProof) -> Result<(), StoreFault> {
        self.kept().proofs.push(proof.clone());
        Ok(())
    }
    fn proofs(&self, source: &HostName, destination: &HostName) -> Result<Vec<KeptProof>, StoreFault> {
        let kept = self.kept();
        let pair = kept.proofs.iter().filter(|p| p.source == *source && p.destination == *destination);
        Ok(pair.cloned().collect())
    }
}
