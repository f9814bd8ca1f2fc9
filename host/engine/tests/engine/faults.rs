//! One fault at every step, of every sort, for every kind of domain and every kind of recovery policy.

use std::time::Duration;

use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{FaultKind, Hypervisor as _};
use waypost_core::request::Options;
use waypost_core::situation::Side;
use waypost_core::stream::Transport;
use waypost_sim::{Lasting, Scripted, Step, What};

use crate::support::{Case, Dice, Mind, Ran, Site, a, b, in_virtual_time, judge, side_by_side, tell};

/// Longer than any patience: a task that isn't over by then never is.
pub const NEVER: Duration = Duration::from_secs(3600);

/// Plays a case to its end.
pub fn play(case: &Case) -> Ran {
    in_virtual_time(async {
        let site = Site::new(case.clone());
        let driver = site.accept();
        let task = driver.id();
        let mut driving = tokio::spawn(driver.drive());
        let outcome = match tokio::time::timeout(NEVER, &mut driving).await {
            Ok(ended) => ended.unwrap().unwrap(),
            // A transfer that hangs for ever on a host that can't be reached is waited for just as long: it may be told
            // to end only there. When the host is back, so is the end.
            Err(_) => {
                assert!(hangs_in_the_dark(&site).await, "no end: {case:?}");
                site.world.mend(&a());
                let ended = tokio::time::timeout(NEVER, driving).await;
                ended.unwrap_or_else(|_| panic!("no end: {case:?}")).unwrap().unwrap()
            }
        };
        judge(&site, task, outcome).await
    })
}

/// Whether the source can't be asked while the destination shows a job.
pub async fn hangs_in_the_dark(site: &Site) -> bool {
    let (source, destination) = (site.world.observe(&a(), site.id).await, site.world.observe(&b(), site.id).await);
    matches!(source, Side::Unknown(_)) && matches!(destination, Side::Present(seen) if seen.job)
}

/// A time limit that a healthy transfer of a few seconds never meets.
pub fn hasty() -> Options {
    Options { timeout_s: 60, ..Options::default() }
}

/// With everything that has a step of its own: a downtime limit, and autostart to carry over.
fn kinds() -> [Case; 5] {
    let limited = Options { max_downtime_ms: Some(500), ..hasty() };
    [
        Case::live().options(limited.clone()),
        Case::transient().options(limited.clone()),
        Case::offline().options(hasty()),
        Case::copying(),
        // Driven by its client, and bound to it.
        Case::live().options(limited).by(Transport::Direct),
    ]
}

fn cases(mind: impl Fn(u64) -> Mind) -> Vec<Case> {
    let mut dice = Dice(7);
    let mut all = Vec::new();
    for kind in kinds() {
        for &step in Step::ALL {
            for what in What::each().into_iter().filter(|what| can_be_said(what, step)) {
                let fault = Scripted::at(step, what);
                all.push(kind.clone().fault(fault).mind(mind(dice.below(u64::MAX))));
            }
        }
    }
    all
}

/// That another migration has the domain is said before anything begins, and at no later step.
fn can_be_said(what: &What, step: Step) -> bool {
    let later = [
        Step::Prepare,
        Step::Perform,
        Step::SwitchOver,
        Step::PostCopy,
        Step::Finish,
        Step::Confirm,
        Step::UndefineSource,
    ];
    *what != What::Error(FaultKind::Migrating) || !later.contains(&step)
}

#[test]
fn a_conservative_policy_meets_a_fault_at_every_step() {
    let cases = cases(|_| Mind::Conservative);
    let ran = side_by_side(&cases, play);
    let counts = tell("one fault, conservative", &cases, &ran);
    // A person is called only where a host never comes back, where a definition is on both and nobody heard whether the
    // source's is about to go, or where a copy without a definition may have run and left no trace: all else is mended.
    for (case, ran) in cases.iter().zip(&ran).filter(|(_, ran)| ran.outcome.kind == OutcomeKind::Stuck) {
        let what = &case.faults[0].what;
        let for_good = matches!(what, What::DaemonDies(_, Lasting::Forever) | What::Unreachable(_, Lasting::Forever));
        let two_definitions = ["shut-off on a", "shut-off on b"].iter().all(|side| ran.outcome.summary.contains(side));
        let no_trace = !case.persistent && ran.outcome.summary.contains("paused on a (migration), not on b");
        assert!(for_good || two_definitions || no_trace, "{case:?}: {:?}", ran.outcome);
    }
    // The matrix reaches every end.
    for kind in [OutcomeKind::Completed, OutcomeKind::RolledBack, OutcomeKind::Stuck, OutcomeKind::Lost] {
        assert!(counts[&kind] > 0, "{kind}");
    }
}

#[test]
fn a_random_policy_meets_a_fault_at_every_step() {
    let cases = cases(Mind::Random);
    tell("one fault, random", &cases, &side_by_side(&cases, play));
}

#[test]
fn a_policy_that_answers_the_last_or_the_forbidden_meets_a_fault_at_every_step() {
    for mind in [Mind::Last, Mind::Forbidden] {
        let cases = cases(|_| mind);
        tell(&format!("one fault, {mind:?}"), &cases, &side_by_side(&cases, play));
    }
}
