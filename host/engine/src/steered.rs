//! What was done to the running transfer of an attempt. The same function keeps it live and when a journal is read back,
//! so that a policy is told the same before and after a restart.

use waypost_core::convergence::{Steered, Steering};
use waypost_core::journal::Record;

/// What is told of a task whose switch to post-copy is kept: for the hypervisor it is too early.
pub const SWITCHES_SOON: &str = "it is switched to post-copy as soon as memory is on its way";

/// Why it is, for the record.
pub(crate) const TOO_EARLY: &str = "no memory is on its way yet; it is given as soon as some is";

/// What came of an order that was kept to the end.
pub(crate) const NOT_NEEDED: &str = "not needed: the transfer was over before memory was seen to travel";

/// Orders to one transfer, as far as they are known to have been carried out.
#[derive(Debug, Default)]
pub(crate) struct SteeringLog {
    done: Vec<Steered>,
    /// On record as intended. Without its end nobody knows whether it was done, so it doesn't count: giving an order twice
    /// does no harm, and taking one for given that never was would keep a transfer from its end.
    open: Vec<Steered>,
}

impl SteeringLog {
    /// Takes a record in that was written so many ms after this attempt's transfer began.
    pub(crate) fn note(&mut self, at_ms: u64, record: &Record) {
        match record {
            Record::PerformIntended | Record::NextAttempt { .. } => *self = Self::default(),
            Record::SteerIntended { action, value, .. } => {
                self.open.retain(|open| open.action != *action);
                self.open.push(Steered { at_ms, action: *action, value: *value });
            }
            // Of the same kind: what Waypost orders by itself may come between another order and its end.
            Record::SteerSettled { action, result } => {
                self.done.extend(self.open.extract_if(.., |open| open.action == *action).filter(|_| result.is_ok()));
            }
            _ => {}
        }
    }

    /// Nothing was done later than so many ms after the transfer began: the moments that said so were of a clock that was
    /// set.
    pub(crate) fn at_most(&mut self, ms: u64) {
        for steered in self.done.iter_mut().chain(&mut self.open) {
            steered.at_ms = steered.at_ms.min(ms);
        }
    }

    /// What was carried out, oldest first.
    pub(crate) fn done(&self) -> &[Steered] {
        &self.done
    }

    /// The bandwidth that was set since the switch to post-copy, MiB/s.
    pub(crate) fn post_copy_limit(&self) -> Option<u64> {
        let switched = self.done.iter().position(|done| done.action == Steering::PostCopy)?;
        let set = self.done[switched..].iter().rev().find(|done| done.action == Steering::SetBandwidth);
        set.and_then(|done| done.value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn intended(action: Steering, value: u64) -> Record {
        Record::SteerIntended { action, value: Some(value), by: "any".into(), reason: String::new() }
    }

    fn settled(action: Steering, result: Result<(), String>) -> Record {
        Record::SteerSettled { action, result }
    }

    fn log(records: &[Record]) -> SteeringLog {
        let mut log = SteeringLog::default();
        for (at, record) in records.iter().enumerate() {
            log.note(at as u64, record);
        }
        log
    }

    #[test]
    fn an_order_counts_once_its_end_is_on_record() {
        let order = intended(Steering::SetDowntime, 500);
        assert_eq!(log(std::slice::from_ref(&order)).done(), [], "whoever finds it so gives it again");
        assert_eq!(log(&[order.clone(), settled(Steering::SetDowntime, Err("no".into()))]).done(), []);
        let done = Steered { at_ms: 0, action: Steering::SetDowntime, value: Some(500) };
        assert_eq!(log(&[order, settled(Steering::SetDowntime, Ok(()))]).done(), [done]);
    }

    #[test]
    fn an_order_of_another_kind_in_between_takes_no_end_away() {
        let (order, between) = (intended(Steering::SetDowntime, 500), intended(Steering::Abort, 0));
        let records =
            [order, between, settled(Steering::Abort, Err("no".into())), settled(Steering::SetDowntime, Ok(()))];
        let done = Steered { at_ms: 0, action: Steering::SetDowntime, value: Some(500) };
        assert_eq!(log(&records).done(), [done]);
    }

    #[test]
    fn nothing_was_done_after_now() {
        let settled = settled(Steering::SetDowntime, Ok(()));
        let mut log = log(&[intended(Steering::PostCopy, 0), intended(Steering::SetDowntime, 500), settled]);
        log.note(86_400_000, &intended(Steering::SetBandwidth, 20));
        log.at_most(60_000);
        log.note(60_001, &Record::SteerSettled { action: Steering::SetBandwidth, result: Ok(()) });
        let at = log.done().iter().map(|steered| (steered.action, steered.at_ms)).collect::<Vec<_>>();
        assert_eq!(at, [(Steering::SetDowntime, 1), (Steering::SetBandwidth, 60_000)]);
    }

    #[test]
    fn of_bandwidths_the_last_one_since_the_switch_is_that_of_the_post_copy() {
        let set = |limit| [intended(Steering::SetBandwidth, limit), settled(Steering::SetBandwidth, Ok(()))];
        let switch = [intended(Steering::PostCopy, 0), settled(Steering::PostCopy, Ok(()))];
        let limit = |parts: &[&[Record]]| log(&parts.concat()).post_copy_limit();
        assert_eq!(limit(&[&set(10)]), None);
        assert_eq!(limit(&[&set(10), &switch]), None);
        assert_eq!(limit(&[&set(10), &switch, &set(20), &set(30)]), Some(30));
        let refused = [intended(Steering::SetBandwidth, 40), settled(Steering::SetBandwidth, Err("no".into()))];
        assert_eq!(limit(&[&switch, &set(30), &refused]), Some(30));
    }

    #[test]
    fn another_transfer_begins_with_nothing_done() {
        let done = [intended(Steering::SetBandwidth, 20), settled(Steering::SetBandwidth, Ok(()))];
        assert_eq!(log(&done).done().len(), 1);
        assert_eq!(log(&[done[0].clone(), done[1].clone(), Record::PerformIntended]).done(), []);
    }
}
