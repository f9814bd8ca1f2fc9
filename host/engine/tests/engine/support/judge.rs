//! Holds what a task said against what is true.

use std::collections::BTreeMap;
use std::time::Duration;

use waypost_core::ids::{HostName, TaskId};
use waypost_core::journal::{Course, Record};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::plan::{Autostart, DestinationFate, Plan, RunState, SourceFate};
use waypost_core::ports::Hypervisor as _;
use waypost_core::situation::Side;
use waypost_sim::Truth;

use super::{OWN, Site, a, b};

/// How a case went.
#[derive(Debug, Clone)]
pub struct Ran {
    pub outcome: Outcome,
    pub records: usize,
    /// Whether all faults of the script happened.
    pub struck: bool,
    /// Everything that was wrong.
    pub wrong: Vec<String>,
}

/// Judges a task that ended, and again when everything that was still under way has come to rest.
pub async fn judge(site: &Site, task: TaskId, outcome: Outcome) -> Ran {
    let mut wrong = Vec::new();
    let journal = site.store.journal(task).unwrap();
    let records: Vec<&Record> = journal.iter().map(|(_, record)| record).collect();
    let course = match Course::replay(records.iter().copied()) {
        Ok(course) => Some(course),
        Err(error) => {
            wrong.push(format!("the journal can't be replayed: {error}"));
            None
        }
    };
    if let Some(course) = &course
        && (course.phase != Phase::Ended || course.outcome.as_ref() != Some(&outcome))
    {
        wrong.push(format!("the journal ends in {} with {:?}", course.phase, course.outcome));
    }
    if outcome.summary.is_empty() {
        wrong.push("no summary".into());
    }
    if outcome.kind == OutcomeKind::Stuck {
        let located = records.iter().any(|record| matches!(record, Record::Located { .. }));
        if outcome.remedy.is_none() || !located || ![a(), b()].iter().all(|h| outcome.summary.contains(h.as_str())) {
            wrong.push("stuck without a remedy or without evidence of both sides".into());
        }
    }
    let plan = records.iter().rev().find_map(|record| match record {
        Record::Planned { plan } => Some(plan),
        _ => None,
    });
    let committed = records.contains(&&Record::PerformIntended);
    // Of an attempt after the first that has not begun: what happened since is not of its making, whoever looked meanwhile.
    let again = records.iter().rposition(|record| matches!(record, Record::NextAttempt { .. }));
    let again = again.filter(|last| !records[*last..].contains(&&Record::PerformIntended));
    let since_ms = again.map(|last| journal[last].0.0.saturating_sub(journal[0].0.0));
    // A process that somebody kills after the last look, or before the commit point, is not of the migration's making.
    let died = {
        let told = site.ledger.told();
        let looked =
            |host: &HostName| if committed { told.looked_at_change.get(host).copied().unwrap_or(0) } else { 0 };
        let mut changes = site.world.changes().into_iter().enumerate();
        changes.any(|(index, change)| {
            let since = since_ms.filter(|since| change.host == a() && change.at_ms >= *since);
            let late = index >= looked(&change.host) || since.is_some();
            late && change.what.contains("its hypervisor died")
        })
    };
    // One that was found dead was moved, or not, as the definition that was left of it.
    let died =
        died || plan.is_some_and(|plan| plan.initially == RunState::ShutOff && !site.before.running_on.is_empty());
    for moment in ["at the end", "at rest"] {
        if moment == "at rest" {
            tokio::time::sleep(Duration::from_secs(3000)).await;
        }
        let truth = site.world.truth(site.id);
        if let Some(lie) = lie(site, plan, &outcome, &truth, died) {
            wrong.push(format!("{moment}: {lie}: {truth:?}"));
        }
        if truth.running_on.len() > 1 {
            wrong.push(format!("{moment}: two run: {truth:?}"));
        }
    }
    if outcome.kind == OutcomeKind::Completed
        && outcome.causes.is_empty()
        && let Some(plan) = plan
    {
        wrong.extend(small_print(site, plan).await);
    }
    wrong.extend(images(site, &outcome));
    wrong.extend(site.world.violations().iter().map(|violation| format!("{violation:?}")));
    wrong.extend(site.ledger.told().breaches.iter().cloned());
    let struck = site.world.unspent().is_empty();
    Ran { outcome, records: records.len(), struck, wrong }
}

fn lie(site: &Site, plan: Option<&Plan>, outcome: &Outcome, truth: &Truth, died: bool) -> Option<&'static str> {
    let is = |hosts: &[HostName], expected: &[HostName]| hosts == expected;
    match outcome.kind {
        OutcomeKind::Completed => {
            let Some(plan) = plan else { return Some("completed without a plan") };
            let (running, paused) = match plan.finally {
                RunState::Running => (vec![b()], vec![]),
                RunState::Paused => (vec![], vec![b()]),
                RunState::ShutOff => (vec![], vec![]),
            };
            if !died && (!is(&truth.running_on, &running) || !is(&truth.paused_on, &paused)) {
                return Some("completed, and it is not in its state on the destination alone");
            }
            if (plan.destination_fate == DestinationFate::Define) != truth.defined_on.contains(&b()) {
                return Some("completed, and the destination's definition is not as planned");
            }
            let kept = truth.defined_on.contains(&a());
            // What could not be tidied up is told.
            let told = !outcome.causes.is_empty() && outcome.remedy.is_some();
            if kept != (plan.source_fate == SourceFate::KeepWithoutAutostart) && !told {
                return Some("completed, and the source's definition is not as planned");
            }
            None
        }
        OutcomeKind::RolledBack | OutcomeKind::Cancelled | OutcomeKind::Refused => {
            let same = if died {
                truth.running_on.is_empty() && truth.paused_on.is_empty() && !truth.defined_on.contains(&b())
            } else {
                // A definition whose call nobody heard the end of may arrive later; then the task must have said so.
                let defined = match outcome.summary.contains("a definition may still appear on b") {
                    true => truth.defined_on.iter().filter(|host| **host != b()).cloned().collect(),
                    false => truth.defined_on.clone(),
                };
                (&truth.running_on, &truth.paused_on, &defined)
                    == (&site.before.running_on, &site.before.paused_on, &site.before.defined_on)
            };
            (!same).then_some("not moved, and yet it is not on the source as before")
        }
        OutcomeKind::Lost => (!truth.lost || !truth.memory_complete_on.is_empty()).then_some("lost, and it is not"),
        OutcomeKind::Stuck => None,
    }
}

/// Images: nobody else's was touched, a copy that arrived is whole, and a copy that is of no use is gone or told of.
fn images(site: &Site, outcome: &Outcome) -> Vec<String> {
    let [here, there] = [a(), b()].map(|host| site.world.images(&host, OWN));
    let [here_before, there_before] = &site.images_before;
    let mut wrong = Vec::new();
    if here != *here_before {
        wrong.push(format!("the source's images were touched: {here:?}"));
    }
    wrong.extend(
        there_before.iter().filter(|image| !there.contains(image)).map(|image| format!("{} was touched", image.name)),
    );
    for image in &here {
        let copy = there.iter().find(|copy| copy.name == image.name);
        let told = outcome.remedy.as_ref().is_some_and(|remedy| remedy.contains(&image.path));
        match (outcome.kind, copy) {
            (OutcomeKind::Completed, None) => wrong.push(format!("{} did not arrive", image.name)),
            (OutcomeKind::Completed, Some(copy)) if copy.allocation_bytes != image.allocation_bytes => {
                wrong.push(format!("{} did not arrive whole", image.name));
            }
            (OutcomeKind::Completed, Some(_)) | (_, None) => {}
            (_, Some(copy)) if !there_before.contains(copy) && !told => {
                wrong.push(format!("{} is left over, and nobody says so", image.name));
            }
            (_, Some(_)) => {}
        }
    }
    wrong
}

/// What a success without causes promises beyond the place: name and autostart.
async fn small_print(site: &Site, plan: &Plan) -> Vec<String> {
    for host in [a(), b()] {
        site.world.mend(&host);
    }
    let (here, there) = (site.world.observe(&a(), site.id).await, site.world.observe(&b(), site.id).await);
    let mut wrong = Vec::new();
    if let Side::Present(there) = &there {
        if there.name != plan.destination_name {
            wrong.push(format!("it is called {} there", there.name));
        }
        if there.autostart != (plan.autostart == Autostart::On) {
            wrong.push(format!("autostart there is {}, and nobody says so", there.autostart));
        }
    }
    if matches!(&here, Side::Present(here) if here.autostart) {
        wrong.push("the kept definition has autostart, and nobody says so".into());
    }
    wrong
}

/// Fails if anything was wrong; else says how often each outcome came.
pub fn tell<C: std::fmt::Debug>(what: &str, cases: &[C], ran: &[Ran]) -> BTreeMap<OutcomeKind, usize> {
    let mut counts = BTreeMap::new();
    let mut wrong = Vec::new();
    for (case, ran) in cases.iter().zip(ran) {
        *counts.entry(ran.outcome.kind).or_insert(0) += 1;
        if !ran.wrong.is_empty() {
            wrong.push(format!("{case:?}\n    {:?}\n    {}", ran.outcome, ran.wrong.join("\n    ")));
        }
    }
    let struck = ran.iter().filter(|ran| ran.struck).count();
    println!("{what}: {} cases, {struck} struck, {counts:?}", cases.len());
    assert!(
        wrong.is_empty(),
        "{} of {} cases went wrong:\n{}",
        wrong.len(),
        cases.len(),
        wrong[..wrong.len().min(25)].join("\n")
    );
    counts
}
