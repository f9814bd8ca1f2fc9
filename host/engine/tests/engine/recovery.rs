//! Faults within the recovery from a fault, and policies that recovery has to survive.

use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use waypost_core::facts::Snapshot;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{DecisionRecord, FaultKind, Judgement, Policies, StorageProbe};
use waypost_core::recovery::{AttemptChange, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::situation::Action;
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::faults::{hasty, play};
use crate::killed::bring_to_its_end;
use crate::support::{Case, Mind, Minded, Site, in_virtual_time, judge, side_by_side, tell};

/// Failures that lead into every action of recovery.
fn leads() -> Vec<Case> {
    let short = Lasting::For(Duration::from_secs(5));
    let limited = Options { max_downtime_ms: Some(500), ..hasty() };
    let leads = [
        (Step::Perform, What::LeftBehind),
        (Step::Perform, What::HypervisorDies(Who::Destination)),
        (Step::Finish, What::LinkCut(Lasting::Forever)),
        (Step::Confirm, What::DaemonDies(Who::Source, short)),
        (Step::Confirm, What::HypervisorDies(Who::Destination)),
        (Step::Perform, What::Unreachable(Who::Source, Lasting::For(Duration::from_secs(45)))),
        (Step::Perform, What::Hang),
        (Step::UndefineSource, What::Error(FaultKind::Other)),
    ];
    let live =
        leads.into_iter().map(|(step, what)| Case::live().options(limited.clone()).fault(Scripted::at(step, what)));
    let offline = Scripted::at(Step::UndefineSource, What::Error(FaultKind::Other));
    live.chain([Case::offline().options(hasty()).fault(offline)]).collect()
}

#[test]
fn a_second_fault_strikes_at_every_step_of_recovery() {
    let mut cases = Vec::new();
    for (number, lead) in leads().into_iter().enumerate() {
        let acts = [Step::Resume, Step::Destroy, Step::Undefine, Step::SetAutostart, Step::AbortJob];
        let mut steps: Vec<_> = acts.into_iter().flat_map(|step| [(step, 1), (step, 2)]).collect();
        steps.push((Step::SetMaxDowntime, 2));
        // The first two looks are those before the start.
        steps.extend((3..=8).map(|nth| (Step::Observe, nth)));
        for (step, nth) in steps {
            for (index, what) in What::each().into_iter().enumerate() {
                let case = lead.clone().fault(Scripted::at(step, what).occurrence(nth));
                // By turns, so that each step meets each sort of fault under both.
                let random = (number + index + nth as usize).is_multiple_of(2);
                let mind = if random { Mind::Random((number * 1000 + index) as u64) } else { Mind::Conservative };
                cases.push(case.mind(mind));
            }
        }
    }
    tell("a fault within recovery", &cases, &side_by_side(&cases, play));
}

/// A host that refuses the one thing that would mend it: a person gets the task, the journal stays small.
#[test]
fn an_action_that_is_refused_for_good_is_handed_over() {
    in_virtual_time(async {
        let refused = (0..50).map(|_| Scripted::at(Step::Destroy, What::Error(FaultKind::Refused)));
        let mut case = Case::live().fault(Scripted::at(Step::Perform, What::LeftBehind));
        case.faults.extend(refused);
        let site = Site::new(case);
        let driver = site.accept();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Stuck);
        assert!(outcome.causes.iter().any(|cause| cause.starts_with("destroy-destination: ")), "{outcome:?}");
        let ran = judge(&site, task, outcome).await;
        assert_eq!(ran.wrong, Vec::<String>::new());
        assert!(ran.records < 25, "{} records", ran.records);
    });
}

/// What a host makes for a guest that comes in is no step of a task, and no call shows it afterwards.
#[test]
fn what_a_host_may_have_kept_of_a_guest_that_did_not_stay_is_told() {
    let dies = || Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination));
    let with_tpm = || Case { tpm: true, ..Case::live() };
    for (case, kind, told) in [
        (with_tpm().fault(dies()), OutcomeKind::RolledBack, true),
        (Case::live().fault(dies()), OutcomeKind::RolledBack, false),
        (with_tpm(), OutcomeKind::Completed, false),
    ] {
        in_virtual_time(async {
            let site = Site::new(case);
            let driver = site.accept();
            let task = driver.id();
            let outcome = driver.drive().await.unwrap();
            assert_eq!(outcome.kind, kind, "{outcome:?}");
            let remedy = outcome.remedy.clone().unwrap_or_default();
            let asks =
                "(the state of its emulated TPM) was left on b, and remove it there if no domain of that host uses it";
            assert_eq!(remedy.contains(asks), told, "{outcome:?}");
            assert_eq!(outcome.summary.contains("is left on b, but perhaps its folder"), told, "{outcome:?}");
            let ran = judge(&site, task, outcome).await;
            assert_eq!(ran.wrong, Vec::<String>::new());
        });
    }
}

/// Answers one thing and nothing else, and tells what it was asked.
struct Stubborn {
    action: Action,
    delay_ms: u64,
    asked: Mutex<Vec<RecoveryQuestion>>,
}

impl Policies for Stubborn {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        self.asked.lock().unwrap().push(question.clone());
        let (_, decision) = Minded::new(Mind::Last).recover(question);
        let answer = RecoveryAnswer {
            action: self.action,
            delay_ms: self.delay_ms,
            reason: "stubborn".into(),
            change: AttemptChange::NONE,
            way: None,
        };
        (answer, decision)
    }
}

/// A policy that waits for ever without a pause neither floods the hosts nor the journal, and each look counts as one.
#[test]
fn a_policy_that_only_waits_makes_no_busy_loop_and_cannot_sleep_for_good() {
    for (delay_ms, looks) in [(0, 30..130), (u64::MAX, 1..3)] {
        in_virtual_time(async {
            let gone = What::Unreachable(Who::Destination, Lasting::Forever);
            let site = Site::new(Case::live().fault(Scripted::at(Step::Confirm, gone)));
            let policy = Arc::new(Stubborn { action: Action::Wait, delay_ms, asked: Mutex::default() });
            let driver = site.engine_with(policy.clone()).accept(site.request()).unwrap();
            let task = driver.id();
            let driving = tokio::spawn(driver.drive());
            // The verification has its own patience first.
            tokio::time::sleep(Duration::from_secs(120)).await;
            let asked = policy.asked.lock().unwrap().len();
            assert!(looks.contains(&asked), "{asked} looks");
            let numbers: Vec<_> = policy.asked.lock().unwrap().iter().map(|question| question.look).collect();
            assert_eq!(numbers, (1..=numbers.len() as u32).collect::<Vec<_>>());
            tokio::time::sleep(Duration::from_secs(700)).await;
            assert!(policy.asked.lock().unwrap().len() > asked, "it is asked again");
            driving.abort();
            assert!(driving.await.is_err());
            site.world.mend(&crate::support::b());
            let outcome = bring_to_its_end(&site.engine(None).0, task).await;
            assert_eq!(outcome.kind, OutcomeKind::Completed);
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        });
    }
}

/// Is asked, and never answers while its gate is held.
struct Silent {
    asked: UnboundedSender<()>,
    gate: Mutex<mpsc::Receiver<()>>,
}

impl Policies for Silent {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        self.asked.send(()).unwrap();
        // Ends when the gate is let go.
        let _ = self.gate.lock().unwrap().recv();
        Minded::new(Mind::Last).recover(question)
    }
}

#[test]
fn a_task_whose_policy_never_answers_can_be_taken_over() {
    in_virtual_time(async {
        let site = Site::new(Case::live().fault(Scripted::at(Step::Perform, What::LeftBehind)));
        let (asked, mut was_asked) = unbounded_channel();
        let (gate, held) = mpsc::channel::<()>();
        let silent = Arc::new(Silent { asked, gate: Mutex::new(held) });
        let driver = site.engine_with(silent).accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        was_asked.recv().await.unwrap();
        // Virtual time stands still from here on, because a policy thinks.
        assert!(matches!(site.engine(None).0.adopt(task).unwrap(), waypost_engine::Adopted::Observer(_)));
        driving.abort();
        assert!(driving.await.is_err());
        let outcome = bring_to_its_end(&site.engine(None).0, task).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        drop(gate);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}
