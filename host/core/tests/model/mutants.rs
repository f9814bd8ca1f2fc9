//! The checker checked: each way of weakening the program must make it find what that weakening brings about.

use waypost_core::plan::Plan;
use waypost_core::situation::{Action, Side, Situation, permitted};

use crate::case::Case;
use crate::explore::explore;
use crate::judge::Judge;
use crate::world::Violation;

fn found(case: &Case, judge: &mut Judge<'_>) -> Violation {
    let searched = explore(case, judge, 2);
    let (violation, _) = searched.violation.unwrap_or_else(|| panic!("{}: nothing was found", case.name));
    violation
}

fn unknown(side: &Side) -> bool {
    matches!(side, Side::Unknown(_))
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
    let violation = found(&case, &mut Judge::of(&case).forgetful());
    assert!(matches!(violation, Violation::OvertakenRuns | Violation::AbortOutlivesItsAttempt), "{violation:?}");
}
