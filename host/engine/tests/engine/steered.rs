//! Transfers that are steered: by a policy, by persons, by nobody although nothing moves; live and after a restart. One file,
//! because all of them are steered by the same policy, which says one thing.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use waypost_core::convergence::{Opening, OpeningQuestion, Steering, SteeringAnswer, SteeringQuestion};
use waypost_core::facts::Snapshot;
use waypost_core::ids::TaskId;
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::ports::{Command, DecisionRecord, Hypervisor as _, Judgement, Policies, StorageProbe, Wish};
use waypost_core::recovery::{FailureClass, RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::{CheckRequest, Options};
use waypost_core::sample::Stage;
use waypost_core::situation::Action;
use waypost_core::stream::Stream;
use waypost_engine::{Acted, Adopted, Engine};
use waypost_sim::{Lasting, Scripted, Step, What, Who};

use crate::support::{Case, Mind, Minded, Place, Site, a, b, in_virtual_time, judge};

/// Answers one thing from the third reading on, and keeps what it was asked.
pub struct Pilot {
    answer: (Steering, Option<u64>),
    opening: Opening,
    /// What is done after a failure.
    after: Mind,
    asked: Mutex<Vec<SteeringQuestion>>,
}

impl Pilot {
    pub fn that_says(action: Steering, value: Option<u64>) -> Arc<Self> {
        Arc::new(pilot(action, value))
    }
    pub fn asked(&self) -> Vec<SteeringQuestion> {
        self.asked.lock().unwrap().clone()
    }
}

fn pilot(action: Steering, value: Option<u64>) -> Pilot {
    let opening = Opening::unchanged("nothing");
    Pilot { answer: (action, value), opening, after: Mind::Conservative, asked: Mutex::default() }
}

impl Policies for Pilot {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        Minded::new(self.after).recover(question)
    }
    fn open(&self, question: &OpeningQuestion) -> (Opening, Option<DecisionRecord>) {
        let (_, decision) = Minded::new(Mind::Conservative).recover(&a_failure(&question.plan));
        (self.opening.clone(), Some(decision))
    }
    fn steer(&self, question: &SteeringQuestion) -> (SteeringAnswer, Option<DecisionRecord>) {
        let mut asked = self.asked.lock().unwrap();
        asked.push(question.clone());
        let (_, decision) = Minded::new(Mind::Conservative).recover(&a_failure(&question.plan));
        let (action, value) = self.answer;
        let answer = if asked.len() < 3 {
            SteeringAnswer::hold("wait")
        } else {
            SteeringAnswer { action, value, reason: "the third reading".into() }
        };
        (answer, Some(decision))
    }
}

/// Only for its decision record.
fn a_failure(plan: &waypost_core::plan::Plan) -> RecoveryQuestion {
    RecoveryQuestion {
        plan: plan.clone(),
        situation: waypost_core::situation::Situation {
            source: waypost_core::situation::Side::Unknown("not asked".into()),
            destination: waypost_core::situation::Side::Unknown("not asked".into()),
        },
        class: FailureClass::Other,
        message: String::new(),
        attempt: 1,
        look: 1,
        permitted: vec![waypost_core::situation::Action::HandOver],
        stage: waypost_core::sample::Stage::PreCopy,
        sample: None,
        done: vec![],
        attempts_left: 0,
        tried: vec![],
        others: vec![],
        ways: vec![],
        decided_at: waypost_core::ids::Moment(0),
    }
}

pub fn post_copy() -> Stream {
    Stream { post_copy: true, ..Stream::default() }
}

/// What policies and persons had done to the transfer, as the journal has it.
pub fn orders(site: &Site, task: TaskId) -> Vec<(Steering, Option<u64>, bool)> {
    let journal = site.store.journal(task).unwrap();
    let settled = |at: usize| matches!(journal.get(at + 1), Some((_, Record::SteerSettled { result: Ok(()), .. })));
    let order = |(at, (_, record)): (usize, &(_, Record))| match record {
        Record::SteerIntended { action, value, by, .. } if by != "waypost" => Some((*action, *value, settled(at))),
        _ => None,
    };
    journal.iter().enumerate().filter_map(order).collect()
}

pub async fn end(site: &Site, engine: &Engine, during: impl AsyncFnOnce(TaskId)) -> (TaskId, Outcome) {
    let driver = engine.accept(site.request()).unwrap();
    let task = driver.id();
    let (outcome, ()) = tokio::join!(driver.drive(), during(task));
    let outcome = outcome.unwrap();
    assert_eq!(judge(site, task, outcome.clone()).await.wrong, Vec::<String>::new(), "{outcome:?}");
    (task, outcome)
}

#[test]
fn a_guest_that_never_arrives_by_itself_arrives_by_each_way_that_a_policy_has() {
    // What it writes takes 5.12 s at 100 MiB/s, which is more than a policy may set, and less than a request may.
    for (action, value, set, stream, max_downtime_ms, arrives) in [
        (Steering::SetDowntime, Some(20_000), Some(5000), Stream::default(), None, false),
        (Steering::SetDowntime, Some(20_000), Some(6000), Stream::default(), Some(6000), true),
        (Steering::PostCopy, None, None, post_copy(), None, true),
        (Steering::Suspend, None, None, Stream::default(), None, true),
    ] {
        in_virtual_time(async {
            let case = Case::endless();
            // A request's limit holds from the start; this one is raised only after the policy was asked.
            let site =
                Site::new(case.clone().options(Options { stream, max_downtime_ms, timeout_s: 600, ..case.options }));
            let pilot = Pilot::that_says(action, value);
            let (task, outcome) = end(&site, &site.engine_with(pilot.clone()), async |_| {}).await;
            let kind = if arrives { OutcomeKind::Completed } else { OutcomeKind::RolledBack };
            assert_eq!(outcome.kind, kind, "{action}: {outcome:?}");
            let journal = site.store.journal(task).unwrap();
            let by_the_clock = journal.iter().any(|(_, record)| {
                matches!(record, Record::SteerIntended { action: Steering::Abort, by, .. } if by == "waypost")
            });
            assert_eq!(by_the_clock, !arrives, "who ended it is on record");
            if max_downtime_ms.is_none() {
                assert_eq!(orders(&site, task), [(action, set, true)], "within the bounds, and once");
            }
            let asked = pilot.asked();
            assert!(asked.iter().all(|question| question.samples.last().unwrap().processed_bytes > 0));
            assert!(asked[0].memory_bytes == 1 << 30 && !asked[0].passes.is_empty());
        });
    }
}

/// The order was Waypost's, so it takes it back itself; what else is done is the recovery policy's to say, or a person's.
#[test]
fn a_guest_that_was_paused_for_its_transfer_runs_again_when_that_fails_whatever_recovery_says() {
    in_virtual_time(async {
        // The policy speaks with the third reading, when a third of the memory was sent.
        let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)).permille(900);
        let site = Site::new(Case::endless().fault(died));
        let pilot = Pilot { after: Mind::HandsOver, ..pilot(Steering::Suspend, None) };
        let engine = site.engine_with(Arc::new(pilot));
        let (task, outcome) = end(&site, &engine, async |_| {}).await;
        assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
        assert_eq!(orders(&site, task), [(Steering::Suspend, None, true)]);
        assert_eq!(site.world.truth(site.id).running_on, [a()]);
        let journal = site.store.journal(task).unwrap();
        let place = |wanted: &dyn Fn(&Record) -> bool| journal.iter().position(|(_, record)| wanted(record)).unwrap();
        let resume = Action::ResumeSource;
        let intended = place(
            &|record| matches!(record, Record::ActionIntended { action, by, .. } if *action == resume && by.as_str() == "waypost"),
        );
        let done =
            place(&|record| matches!(record, Record::ActionDone { action, result: Ok(()) } if *action == resume));
        assert_eq!(done, intended + 1, "on record before it is done: {journal:?}");
        assert!(site.ledger.told().orders.contains(&Command::Resume));
        // Whoever has paused it since is somebody else.
        site.world.command(&a(), site.id, Command::Suspend).await.unwrap();
        let (engine, _) = site.engine(None);
        let Acted::Open(seen) = engine.act(task, resume, "ann").await.unwrap() else { panic!("nothing follows") };
        assert!(seen.permitted.contains(&Action::AcceptSource), "{seen:?}");
        site.world.command(&a(), site.id, Command::Suspend).await.unwrap();
        let Adopted::Driver(driver) = site.engine_with(Arc::new(Minded::new(Mind::HandsOver))).adopt(task).unwrap()
        else {
            panic!("nobody drives it")
        };
        assert_eq!(driver.drive().await.unwrap().kind, OutcomeKind::Stuck);
        assert_eq!(site.world.truth(site.id).running_on, []);
    });
}

#[test]
fn a_guest_that_an_earlier_controller_paused_runs_again_as_well() {
    in_virtual_time(async {
        let died = Scripted::at(Step::Perform, What::HypervisorDies(Who::Destination)).permille(900);
        let site = Site::new(Case::endless().fault(died));
        let driver = site.engine_with(Pilot::that_says(Steering::Suspend, None)).accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        let paused = async {
            while orders(&site, task) != [(Steering::Suspend, None, true)] {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), paused).await.unwrap();
        driving.abort();
        let _ = driving.await;
        let engine = site.engine_with(Arc::new(Minded::new(Mind::HandsOver)));
        let Adopted::Driver(driver) = engine.adopt(task).unwrap() else { panic!("nobody drives it") };
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Stuck, "{outcome:?}");
        assert_eq!(site.world.truth(site.id).running_on, [a()]);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}

#[test]
fn a_policy_that_gives_up_leaves_the_guest_where_it_was_and_says_why() {
    in_virtual_time(async {
        let site = Site::new(Case::endless());
        let engine = site.engine_with(Pilot::that_says(Steering::Abort, None));
        let (task, outcome) = end(&site, &engine, async |_| {}).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert!(outcome.causes[0].contains("gave the transfer up: the third reading"), "{outcome:?}");
        let failed = site.store.journal(task).unwrap().into_iter().find_map(|(_, record)| match record {
            Record::PerformReturned { result: Err((class, _)) } => Some(class),
            _ => None,
        });
        assert_eq!(failed, Some(FailureClass::NotConverging));
    });
}

#[test]
fn what_is_not_permitted_is_not_done() {
    in_virtual_time(async {
        let site = Site::new(Case::endless());
        // Post-copy was not allowed by the request.
        let engine = site.engine_with(Pilot::that_says(Steering::PostCopy, None));
        let (task, outcome) = end(&site, &engine, async |task| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            site.engine(None).0.request_cancel(task, "somebody").unwrap();
        })
        .await;
        assert_eq!((orders(&site, task), outcome.kind), (vec![], OutcomeKind::Cancelled));
    });
}

#[test]
fn an_order_that_a_host_refuses_is_not_given_for_ever() {
    in_virtual_time(async {
        let refused = |occurrence| {
            let error = What::Error(waypost_core::ports::FaultKind::Refused);
            Scripted::at(Step::Suspend, error).occurrence(occurrence)
        };
        let case = (1..=9).fold(Case::endless(), |case, occurrence| case.fault(refused(occurrence)));
        let site = Site::new(case);
        let pilot = Pilot::that_says(Steering::Suspend, None);
        let engine = site.engine_with(pilot.clone());
        let (task, outcome) = end(&site, &engine, async |task| {
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(orders(&site, task), vec![(Steering::Suspend, None, false); 3]);
            let permitted = |question: &SteeringQuestion| question.bounds.permitted.contains(&Steering::Suspend);
            let asked: Vec<bool> = pilot.asked().iter().map(permitted).collect();
            assert!(asked[0] && asked.last() == Some(&false), "another choice has its turn: {asked:?}");
            // What was refused for another part of the transfer may be carried out in this one.
            tokio::time::sleep(Duration::from_secs(30)).await;
            site.engine(None).0.request_cancel(task, "somebody").unwrap();
        })
        .await;
        assert_eq!(orders(&site, task), vec![(Steering::Suspend, None, false); 6]);
        assert_eq!(outcome.kind, OutcomeKind::Cancelled);
    });
}

#[test]
fn a_person_steers_a_running_transfer_through_the_store() {
    in_virtual_time(async {
        let case = Case::endless();
        let site = Site::new(case.clone().options(Options { stream: post_copy(), ..case.options.clone() }));
        let (engine, _) = site.engine(None);
        let (task, outcome) = end(&site, &engine, async |task| {
            tokio::time::sleep(Duration::from_secs(30)).await;
            let other = site.engine(None).0;
            let wish = |action, value| Wish { action, value, requester: "anna".into() };
            // One that nobody may ask for, and the others with it are not asked for either.
            let wrong = [wish(Steering::SetBandwidth, Some(1)), wish(Steering::Hold, None)];
            assert!(other.request_steering(task, &wrong).is_err());
            let limits = [wish(Steering::SetDowntime, Some(700)), wish(Steering::SetBandwidth, Some(200))];
            other.request_steering(task, &limits).unwrap();
            other.request_steering(task, &[wish(Steering::PostCopy, None)]).unwrap();
        })
        .await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        let done = [
            (Steering::SetDowntime, Some(700), true),
            (Steering::SetBandwidth, Some(200), true),
            (Steering::PostCopy, None, true),
        ];
        assert_eq!(orders(&site, task), done);
        assert_eq!(site.store.wishes(task).unwrap(), []);
    });
}

#[test]
fn while_disks_are_copied_no_policy_is_asked() {
    in_virtual_time(async {
        let options = Options {
            stream: post_copy(),
            bandwidth_mib_s: Some(100),
            timeout_s: 3600,
            disks: Case::copying().options.disks,
            ..Options::default()
        };
        let site = Site::new(Case { disks: Place::Own, ..Case::endless() }.options(options));
        let pilot = Pilot::that_says(Steering::Hold, None);
        let driver = site.engine_with(pilot.clone()).accept(site.request()).unwrap();
        let (task, mut views) = (driver.id(), driver.views());
        let meanwhile = async {
            let other = site.engine(None).0;
            let switch = Wish { action: Steering::PostCopy, value: None, requester: "anna".into() };
            let at =
                |stage| move |view: &waypost_engine::View| view.sample.as_ref().is_some_and(|now| now.stage == stage);
            views.wait_for(at(Stage::Disks)).await.unwrap();
            let seen = views.wait_for(at(Stage::PreCopy)).await.unwrap().permille;
            assert!((1..900).contains(&seen), "the memory is still to come: {seen} permille");
            tokio::time::sleep(Duration::from_secs(4)).await;
            other.request_steering(task, &[switch]).unwrap();
        };
        let (outcome, ()) = tokio::join!(driver.drive(), meanwhile);
        let outcome = outcome.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(orders(&site, task), [(Steering::PostCopy, None, true)]);
        let asked = pilot.asked();
        let of_memory = |question: &SteeringQuestion| question.samples.iter().all(|now| now.stage == Stage::PreCopy);
        assert!(!asked.is_empty() && asked.iter().all(of_memory), "{asked:?}");
        let passes = asked.iter().flat_map(|question| &question.passes).all(|pass| pass.iteration >= Some(1));
        assert!(passes, "{asked:?}");
    });
}

/// Thinks for long, and wants the limit that it had in mind when it began to.
struct Slow {
    pilot: Pilot,
    asked: tokio::sync::mpsc::UnboundedSender<u64>,
    go_on: Mutex<std::sync::mpsc::Receiver<()>>,
}

impl Policies for Slow {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        self.pilot.precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        self.pilot.recover(question)
    }
    fn open(&self, question: &OpeningQuestion) -> (Opening, Option<DecisionRecord>) {
        self.pilot.open(question)
    }
    fn steer(&self, question: &SteeringQuestion) -> (SteeringAnswer, Option<DecisionRecord>) {
        let set = |done: &waypost_core::convergence::Steered| done.action == Steering::SetDowntime;
        let limit = question.steered.iter().rev().find(|done| set(done)).and_then(|done| done.value).unwrap_or(300);
        let _ = self.asked.send(limit);
        let _ = self.go_on.lock().unwrap().recv();
        let (_, decision) = self.pilot.steer(question);
        // A step more than what it was told of.
        let answer = SteeringAnswer { action: Steering::SetDowntime, value: Some(limit + 50), reason: "a step".into() };
        (answer, decision)
    }
}

#[test]
fn a_policy_that_a_person_overtook_while_it_thought_is_asked_anew() {
    in_virtual_time(async {
        let site = Site::new(Case::endless());
        let (asked, mut questions) = tokio::sync::mpsc::unbounded_channel();
        let (go, go_on) = std::sync::mpsc::channel();
        // A clock that stands still for as long as a thread works never lets anything overtake it.
        tokio::time::resume();
        let slow = Arc::new(Slow { pilot: pilot(Steering::Hold, None), asked, go_on: Mutex::new(go_on) });
        let (task, outcome) = end(&site, &site.engine_with(slow), async |task| {
            let other = site.engine(None).0;
            assert_eq!(questions.recv().await, Some(300));
            let wish = Wish { action: Steering::SetDowntime, value: Some(1000), requester: "anna".into() };
            other.request_steering(task, &[wish]).unwrap();
            while orders(&site, task).is_empty() || !site.store.wishes(task).unwrap().is_empty() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            go.send(()).unwrap();
            assert_eq!(questions.recv().await, Some(1000), "asked anew, of what the person set");
            go.send(()).unwrap();
            while orders(&site, task).len() < 2 {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            drop(go);
            tokio::time::pause();
            other.request_cancel(task, "somebody").unwrap();
        })
        .await;
        assert_eq!(outcome.kind, OutcomeKind::Cancelled);
        let limits: Vec<_> = orders(&site, task).into_iter().map(|(_, value, _)| value).take(2).collect();
        assert_eq!(limits, [Some(1000), Some(1050)]);
    });
}

#[test]
fn a_bandwidth_after_the_switch_is_that_of_the_post_copy() {
    in_virtual_time(async {
        // So slow that what is left takes many minutes, whenever it is switched.
        let options = Options { stream: post_copy(), bandwidth_mib_s: Some(1), ..Options::default() };
        let site = Site::new(Case::endless().options(options));
        let (engine, _) = site.engine(None);
        let (_, outcome) = end(&site, &engine, async |task| {
            let other = site.engine(None).0;
            let wish = |action, value| Wish { action, value, requester: "anna".into() };
            tokio::time::sleep(Duration::from_secs(30)).await;
            other.request_steering(task, &[wish(Steering::PostCopy, None)]).unwrap();
            while engine.read(task).unwrap().outcome.is_none() && !site.world.truth(site.id).running_on.contains(&b()) {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other.request_steering(task, &[wish(Steering::SetBandwidth, Some(50))]).unwrap();
        })
        .await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        let orders = site.ledger.told().orders.clone();
        assert!(orders.contains(&Command::SetPostCopyBandwidth { mib_s: 50 }), "{orders:?}");
        assert!(!orders.iter().any(|order| matches!(order, Command::SetBandwidth { .. })), "{orders:?}");
    });
}

/// Passes of 80 ms, between two of which nothing is read at the usual pace.
#[test]
fn a_policy_is_told_of_every_pass_however_short() {
    in_virtual_time(async {
        let options = Options { bandwidth_mib_s: Some(100), max_downtime_ms: Some(50), ..Options::default() };
        let site = Site::new(Case { working_set_mib: 8, ..Case::endless() }.options(options));
        let pilot = Pilot::that_says(Steering::Hold, None);
        let engine = site.engine_with(pilot.clone());
        let (_, outcome) = end(&site, &engine, async |task| {
            tokio::time::sleep(Duration::from_secs(30)).await;
            site.engine(None).0.request_cancel(task, "somebody").unwrap();
        })
        .await;
        assert_eq!(outcome.kind, OutcomeKind::Cancelled, "{outcome:?}");
        let last = pilot.asked().last().unwrap().clone();
        let numbers: Vec<u64> = last.passes.iter().map(|pass| pass.iteration.unwrap()).collect();
        assert!(numbers.len() > 100, "{numbers:?}");
        assert!(numbers[0] <= 1 && numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
        assert!(last.passes.windows(2).all(|pair| pair[0].elapsed_ms <= pair[1].elapsed_ms));
    });
}

#[test]
fn a_transfer_in_which_nothing_moves_is_ended_and_says_so() {
    in_virtual_time(async {
        let stuck = Scripted::at(Step::Perform, What::Hang).permille(300);
        let case = Case::live().fault(stuck);
        let site = Site::new(case.options(Options { bandwidth_mib_s: Some(100), ..Options::default() }));
        let (engine, _) = site.engine(None);
        let (task, outcome) = end(&site, &engine, async |_| {}).await;
        assert_eq!(outcome.kind, OutcomeKind::RolledBack);
        assert!(outcome.causes[0].contains("no byte moved for 20 s"), "{outcome:?}");
        let journal = site.store.journal(task).unwrap();
        let took = journal.last().unwrap().0.0 - journal[0].0.0;
        assert!((20_000..60_000).contains(&took), "{took} ms");
    });
}

#[test]
fn a_short_stall_is_no_reason_to_end_it() {
    in_virtual_time(async {
        let cut = Scripted::at(Step::Perform, What::LinkCut(Lasting::For(Duration::from_secs(15)))).permille(300);
        let case = Case::live().fault(cut);
        let site = Site::new(case.options(Options { bandwidth_mib_s: Some(100), ..Options::default() }));
        let (_, outcome) = end(&site, &site.engine(None).0, async |_| {}).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
    });
}

#[test]
fn after_a_restart_the_policy_is_at_work_again_and_knows_what_was_done() {
    in_virtual_time(async {
        let case = Case::endless();
        let site = Site::new(case.clone().options(Options { stream: post_copy(), ..case.options.clone() }));
        let first = Pilot::that_says(Steering::SetDowntime, Some(400));
        let driver = site.engine_with(first.clone()).accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        tokio::time::sleep(Duration::from_secs(60)).await;
        driving.abort();
        assert!(driving.await.is_err());
        let second = Pilot::that_says(Steering::PostCopy, None);
        let Adopted::Driver(driver) = site.engine_with(second.clone()).adopt(task).unwrap() else {
            panic!("nobody drives it");
        };
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        assert_eq!(orders(&site, task), [(Steering::SetDowntime, Some(400), true), (Steering::PostCopy, None, true)]);
        let asked = second.asked();
        assert_eq!(asked[0].steered.len(), 1);
        assert!(asked[0].elapsed_ms > 50_000, "the time counts from the first controller's start");
    });
}

#[test]
fn a_policy_opens_a_transfer_and_a_dry_run_shows_how() {
    in_virtual_time(async {
        let site = Site::new(Case::endless());
        let opening = Opening {
            max_downtime_ms: Some(90_000),
            auto_converge: Some(true),
            auto_converge_initial: Some(400),
            auto_converge_increment: None,
            reason: "it writes much".into(),
        };
        let after = Mind::Conservative;
        let pilot = Arc::new(Pilot { answer: (Steering::Hold, None), opening, after, asked: Mutex::default() });
        let engine = site.engine_with(pilot);
        let question = waypost_engine::Question {
            domain: site.request().domain,
            source: None,
            targets: waypost_engine::Targets::These(vec![b()]),
            options: site.request().options,
            requester: "test".into(),
        };
        let report = engine.check(&question).await.unwrap();
        let shown = engine.dry_run(&report, &b()).await.unwrap().unwrap().unwrap();
        assert_eq!(shown.plan.max_downtime_ms, Some(5000));
        assert_eq!((shown.plan.stream.auto_converge, shown.plan.stream.auto_converge_initial), (true, Some(99)));
        assert!(shown.plan.notes.0.iter().any(|note| note.contains("it writes much")), "{:?}", shown.plan.notes);
        let prediction = shown.prediction.unwrap();
        assert!(!prediction.converges && prediction.bandwidth_bytes_per_s == 100 << 20, "{prediction:?}");
        let (task, outcome) = end(&site, &engine, async |_| {}).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed, "slowed down to 1 % it arrives: {outcome:?}");
        assert_eq!(engine.read(task).unwrap().plan.unwrap(), shown.plan);
    });
}
