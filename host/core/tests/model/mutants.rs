//! The checker checked: each way of weakening the program must make it find what that weakening brings about. Each
//! promise is broken by one of them at least, and each shape of a migration that has rules of its own is weakened once.

use waypost_core::facts::DomainState;
use waypost_core::plan::Plan;
use waypost_core::situation::{Action, Observed, Side, Situation, permitted};

use crate::case::Case;
use crate::explore::explore;
use crate::judge::{Judge, Neglect};
use crate::world::Violation;

fn found(case: &Case, judge: &mut Judge<'_>) -> Violation {
    let searched = explore(case, judge, 2);
    let (violation, _) = searched.violation.unwrap_or_else(|| panic!("{}: nothing was found", case.name));
    violation
}

fn unknown(side: &Side) -> bool {
    matches!(side, Side::Unknown(_))
}

/// What a host shows, where no job runs on it.
fn idle(side: &Side) -> Option<&Observed> {
    match side {
        Side::Present(seen) if !seen.job => Some(seen),
        _ => None,
    }
}

fn also(action: Action, also: bool, plan: &Plan, situation: &Situation) -> Vec<Action> {
    let mut actions = permitted(plan, situation);
    if also && !actions.contains(&action) {
        actions.push(action);
    }
    actions
}

#[test]
fn a_table_that_destroys_where_a_side_is_unknown_is_found() {
    let case = Case::peer_to_peer();
    let table = |plan: &Plan, now: &Situation| also(Action::DestroyDestination, unknown(&now.source), plan, now);
    assert_eq!(found(&case, &mut Judge::of(&case).with(table)), Violation::OnlyCopyDestroyed);
}

#[test]
fn a_table_that_resumes_where_a_side_is_unknown_is_found() {
    let case = Case::peer_to_peer();
    let table = |plan: &Plan, now: &Situation| also(Action::ResumeSource, unknown(&now.destination), plan, now);
    let violation = found(&case, &mut Judge::of(&case).with(table));
    assert!(matches!(violation, Violation::TwoRun | Violation::OvertakenRuns), "{violation:?}");
}

#[test]
fn a_table_that_takes_half_a_guest_for_a_whole_one_is_found() {
    let case = Case::post_copy();
    let table = |plan: &Plan, now: &Situation| also(Action::DestroySource, now.in_post_copy(), plan, now);
    assert_eq!(found(&case, &mut Judge::of(&case).with(table)), Violation::OnlyCopyDestroyed);
}

#[test]
fn a_table_that_calls_it_over_while_a_job_runs_is_found() {
    let case = Case::peer_to_peer();
    let table = |plan: &Plan, now: &Situation| also(Action::AcceptSource, now.has_job(), plan, now);
    let violation = found(&case, &mut Judge::of(&case).with(table));
    assert!(matches!(violation, Violation::Lie(_)), "{violation:?}");
}

#[test]
fn a_controller_that_remembers_nothing_is_found() {
    let case = Case::peer_to_peer();
    let violation = found(&case, &mut Judge::of(&case).neglecting(Neglect::Past));
    assert!(matches!(violation, Violation::OvertakenRuns | Violation::AbortOutlivesItsAttempt), "{violation:?}");
}

#[test]
fn a_table_that_lets_half_a_memory_run_is_found() {
    let case = Case::direct();
    let table = |plan: &Plan, now: &Situation| {
        let runs = idle(&now.source).is_some_and(|seen| seen.state == DomainState::Running);
        let waits = idle(&now.destination).is_some_and(Observed::never_ran);
        also(Action::ResumeDestination, runs && waits, plan, now)
    };
    assert_eq!(found(&case, &mut Judge::of(&case).with(table)), Violation::IncompleteRuns);
}

#[test]
fn a_table_that_lets_a_second_copy_run_is_found() {
    let case = Case::direct();
    let table = |plan: &Plan, now: &Situation| {
        // The source stood still before, so that the destination has all memory.
        let again = |seen: &Observed| seen.state == DomainState::Running && seen.reason == "migration-canceled";
        let waits = idle(&now.destination).is_some_and(Observed::never_ran);
        also(Action::ResumeDestination, idle(&now.source).is_some_and(again) && waits, plan, now)
    };
    assert_eq!(found(&case, &mut Judge::of(&case).with(table)), Violation::TwoRun);
}

#[test]
fn a_table_that_undefines_what_the_source_no_longer_has_is_found() {
    let case = Case::offline();
    let table = |plan: &Plan, now: &Situation| {
        let gone = matches!(now.source, Side::Absent { .. });
        also(Action::UndefineDestination, gone, plan, now)
    };
    assert_eq!(found(&case, &mut Judge::of(&case).with(table)), Violation::LastDefinitionRemoved);
}

/// Two checks stand before a volume is removed, so two have to go.
#[test]
fn a_controller_that_removes_a_disk_without_asking_who_uses_it_is_found() {
    let case = Case::copying();
    let table = |plan: &Plan, now: &Situation| {
        let active = idle(&now.destination).is_some_and(|seen| seen.state.is_active());
        also(Action::AcceptSource, active && idle(&now.source).is_some(), plan, now)
    };
    let violation = found(&case, &mut Judge::of(&case).with(table).neglecting(Neglect::Use));
    assert_eq!(violation, Violation::DiskInUseRemoved);
}

#[test]
fn a_controller_that_ends_a_task_without_a_look_is_found() {
    let case = Case::transient();
    let violation = found(&case, &mut Judge::of(&case).neglecting(Neglect::Look));
    assert!(matches!(&violation, Violation::IllegalRecord(why) if why.contains("locating")), "{violation:?}");
}
