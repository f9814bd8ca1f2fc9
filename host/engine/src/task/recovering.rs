//! Something failed after the commit point: look at both sides, let the recovery policy choose among what that permits,
//! do it, look again - until the task can be ended truthfully.

use std::time::Duration;

use tokio::task::JoinSet;
use tracing::Instrument as _;
use waypost_core::facts::DomainState;
use waypost_core::ids::{DomainKey, HostName, PluginName};
use waypost_core::journal::Record;
use waypost_core::network::ways;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::{Plan, TransferMode};
use waypost_core::ports::Command;
use waypost_core::recovery::{AttemptChange, Deed, FailureClass, RecoveryAnswer, RecoveryQuestion};
use waypost_core::sample::Stage as Copying;
use waypost_core::situation::{Action, Side, Situation, Standing};

use super::aborting::Aborts;
use super::accepted::Accepted;
use super::outside::Outside;
use super::performing::{OURSELVES, begun};
use super::prepared::Undone;
use super::{Stage, Task, finishing, following, notice, prepared, tell, volumes, waiting};
use crate::check::blocking;
use crate::error::EngineError;

/// Nobody knows where the domain is.
pub(crate) struct Locating {
    pub(super) task: Task,
    pub(super) plan: Plan,
}

/// It was located.
pub(crate) struct Recovering {
    task: Task,
    plan: Plan,
    situation: Situation,
    permitted: Vec<Action>,
}

impl Locating {
    pub(super) async fn locate(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan } = self;
        task.recorder.note("looking at both hosts");
        let situation = task.look(&plan).await;
        located(task, plan, situation)
    }
}

impl Recovering {
    pub(super) async fn act(self) -> Result<Stage, EngineError> {
        let Self { mut task, plan, situation, permitted: allowed } = self;
        if let Some(now) = following::follow(&mut task, &plan, &situation).await? {
            return located(task, plan, now);
        }
        let (answer, by) = match owed(&task, &plan, &situation, &allowed) {
            Some(answer) => (answer, PluginName::new(OURSELVES)),
            None => ask(&task, &plan, &situation, &allowed).await?,
        };
        // The port promises it, and the invariant is too important to rest on a promise.
        let answer = if allowed.contains(&answer.action) {
            answer
        } else {
            RecoveryAnswer::safe(&allowed, format!("{} is not permitted here", answer.action))
        };
        task.recorder.note(format!("{}: {}", answer.action, answer.reason));
        let mut delay = Duration::from_millis(answer.delay_ms).min(LONGEST_DELAY);
        if answer.action == Action::Wait {
            // A policy that waits for no time at all must not turn the hosts' calls and the journal into a busy loop.
            delay = delay.max(task.ports().settings().look_every);
        }
        if !delay.is_zero() {
            tokio::select! {
                () = tokio::time::sleep(delay) => {}
                () = wanted(&mut task) => { task.note_cancel()?; }
            }
        }
        // Time has passed: what was permitted may not be any more.
        let now = task.look(&plan).await;
        if !task.permitted(&plan, &now).contains(&answer.action) || answer.action == Action::Wait {
            return located(task, plan, now);
        }
        task.record(Record::ActionIntended { action: answer.action, by, reason: answer.reason.clone() })?;
        carry_out(task, plan, &now, answer).await
    }
}

/// What is no opinion: a guest that an order of this task paused, so that its memory could follow, runs again once there is
/// nothing left for it to follow. It is done before any policy is asked, so that it is done without one, too; an order that
/// fails again and again is withheld in the end, and then it is the policy's turn.
fn owed(task: &Task, plan: &Plan, situation: &Situation, allowed: &[Action]) -> Option<RecoveryAnswer> {
    let owed = task.recorder.history.is_owed_a_resume(plan, situation) && allowed.contains(&Action::ResumeSource);
    owed.then(|| RecoveryAnswer {
        action: Action::ResumeSource,
        delay_ms: 0,
        reason: "an order of this migration paused the guest, and the transfer that it was for is over".to_owned(),
        change: AttemptChange::NONE,
        way: None,
    })
}

/// Does what was chosen, which is on record as intended.
pub(super) async fn carry_out(
    mut task: Task,
    plan: Plan,
    now: &Situation,
    answer: RecoveryAnswer,
) -> Result<Stage, EngineError> {
    match answer.action {
        Action::AcceptSource => accept_source(task, plan, now).await,
        Action::AcceptDestination => accept_destination(task, plan, now).await,
        Action::HandOver => end(task, &plan, now, OutcomeKind::Stuck, &answer.reason).await,
        Action::DeclareLost => declare_lost(task, plan, now, &answer.reason).await,
        Action::TryAgain => try_again(task, plan, answer.change).await,
        Action::ResumePostCopy => resume_post_copy(task, plan, answer.way).await,
        action => {
            let result = order(&mut task, &plan, action).await;
            let failed = result.is_err();
            task.record(Record::ActionDone { action, result })?;
            // Neither a host that refuses nor a job that is being aborted is another a moment later.
            if failed || action == Action::AbortJob {
                tokio::time::sleep(task.ports().settings().look_every).await;
            }
            Ok(Stage::Locating(Locating { task, plan }))
        }
    }
}

/// No policy can put a task to sleep for good.
const LONGEST_DELAY: Duration = Duration::from_secs(600);

/// What was just seen is written down, and the policy is asked about it.
fn located(mut task: Task, plan: Plan, situation: Situation) -> Result<Stage, EngineError> {
    task.note_cancel()?;
    let permitted = task.permitted(&plan, &situation);
    task.record(Record::Located { situation: situation.clone(), permitted: permitted.clone() })?;
    // A job that runs, where both sides can be asked: its time limit, its policy and the watch over it go on. They are for this
    // attempt's, and nobody else's job is steered or ended.
    let ours = !task.recorder.course.is_not_begun() && !task.recorder.history.shows_anothers_job(&situation);
    if ours && situation.has_job() && !situation.is_dark() && !situation.is_interrupted(&plan) {
        return Ok(Stage::Outside(Outside { task, plan, aborts: Aborts::default(), lost: None }));
    }
    Ok(Stage::Recovering(Recovering { task, plan, situation, permitted }))
}

/// Waits for a wish to cancel that is not on record yet.
pub(super) async fn wanted(task: &mut Task) {
    loop {
        task.cancel_changed().await;
        if !task.recorder.course.cancel_requested && matches!(task.cancel_wanted(), Ok(Some(_))) {
            return;
        }
    }
}

async fn ask(
    task: &Task,
    plan: &Plan,
    situation: &Situation,
    allowed: &[Action],
) -> Result<(RecoveryAnswer, PluginName), EngineError> {
    let course = &task.recorder.course;
    let (class, message) = course.failure.clone().unwrap_or((FailureClass::Other, course.causes.join("; ")));
    let question = RecoveryQuestion {
        plan: plan.clone(),
        situation: situation.clone(),
        class: if course.cancel_requested { FailureClass::Cancelled } else { class },
        message,
        attempt: course.attempt,
        look: course.looks,
        permitted: allowed.to_vec(),
        stage: if situation.is_post_copy(plan) { Copying::PostCopy } else { Copying::PreCopy },
        sample: task.recorder.last_sample(),
        done: task.recorder.history.done().to_vec(),
        attempts_left: if allowed.contains(&Action::TryAgain) { task.attempts_left() } else { 0 },
        tried: course.tried.clone(),
        others: others(task, plan),
        ways: ways(plan, course),
        decided_at: task.ports().clock.now(),
    };
    let ports = task.ports().clone();
    let (answer, decision) = blocking(move || Ok(ports.policies.recover(&question))).await?;
    let by = decision.plugin.clone();
    task.recorder.put_decisions(&[decision])?;
    Ok((answer, by))
}

/// Hosts that a further attempt may go to instead.
fn others(task: &Task, plan: &Plan) -> Vec<HostName> {
    let used = |host: &HostName| *host == plan.source.host || task.recorder.course.tried.contains(host);
    task.ports().hypervisor.hosts().into_iter().filter(|host| !used(host)).collect()
}

/// Undoes what this attempt made ready and begins the next one. What can't be undone keeps it from beginning.
async fn try_again(mut task: Task, plan: Plan, change: AttemptChange) -> Result<Stage, EngineError> {
    notice::take(&task, &plan).await;
    let Undone { left, .. } = prepared::undo(&mut task, &plan).await?;
    // Undoing took time: the domain must still be where it was, as it was.
    let allowed = task.still_permits(&plan, Action::TryAgain).await;
    if !left.is_empty() || !allowed {
        let why = match left.is_empty() {
            true => "the situation changed right before it; not done".to_owned(),
            false => format!("what this attempt made ready can't be undone: {}", left.join("; ")),
        };
        task.record(Record::ActionDone { action: Action::TryAgain, result: Err(why) })?;
        return Ok(Stage::Locating(Locating { task, plan }));
    }
    let ports = task.ports().clone();
    {
        // The destination that is chosen must be on record before its host may go.
        let _naming = ports.naming();
        let change = change.within(&others(&task, &plan), &task.recorder.course.current);
        let attempt = task.recorder.course.attempt + 1;
        task.record(Record::NextAttempt { attempt, change })?;
    }
    Ok(Stage::Accepted(Accepted(task)))
}

/// Joins the halves again and watches what follows as any transfer. It is on record before the call: whoever finds the
/// record without a result looks from outside.
async fn resume_post_copy(mut task: Task, plan: Plan, wanted: Option<String>) -> Result<Stage, EngineError> {
    let hypervisor = task.ports().hypervisor.clone();
    // Only for the figures at the end: the call's return says how it ended.
    let events = hypervisor.events(&plan.source.host).await.ok();
    let ways = ways(&plan, &task.recorder.course);
    let way = wanted.filter(|wanted| ways.contains(wanted)).or_else(|| ways.first().cloned());
    if let Some(way) = &way {
        task.recorder.note(format!("the rest of the memory takes network {way}"));
    }
    task.record(Record::Resumed { way: way.clone() })?;
    // It is under way already: it doesn't wait for a place on the network that it takes now, and has one from now on.
    waiting::keep(task.ports(), task.recorder.id, &task.recorder.course)?;
    let mut onward = plan.over(way.as_deref());
    // The call sets the plan's limit anew: one that was set on the way is kept.
    if let Some(limit) = task.recorder.steered.post_copy_limit() {
        onward.stream.post_copy_bandwidth_mib_s = Some(limit);
    }
    let call = hypervisor.resume_post_copy(&onward).await;
    begun(task, plan, call, events).await
}

/// Gives an order to one host. One that ends a copy or lets one run is given only if both sides, read right before, still
/// permit it, and carried out only if its host still shows what was read.
async fn order(task: &mut Task, plan: &Plan, action: Action) -> Result<(), String> {
    let (end, command) = match action {
        Action::AbortJob => (&plan.source, Command::AbortJob),
        Action::InterruptPostCopy => (&plan.source, Command::InterruptPostCopy),
        Action::ResumeSource => (&plan.source, Command::Resume),
        Action::DestroySource => (&plan.source, Command::Destroy),
        Action::ResumeDestination => (&plan.destination, Command::Resume),
        Action::DestroyDestination => (&plan.destination, Command::Destroy),
        Action::UndefineDestination => (&plan.destination, Command::Undefine),
        Action::Wait
        | Action::AcceptSource
        | Action::AcceptDestination
        | Action::HandOver
        | Action::DeclareLost
        | Action::ResumePostCopy
        | Action::TryAgain => return Ok(()),
    };
    let mut expected = None;
    if action.needs_fresh_look() {
        let now = task.look(plan).await;
        let side = if end.host == plan.source.host { &now.source } else { &now.destination };
        expected = Standing::of(side, end);
        if expected.is_none() || !task.permitted(plan, &now).contains(&action) {
            return Err("the situation changed right before it; not done".into());
        }
    }
    let ordered = task.ports().hypervisor.command_if(&end.host, plan.domain, command, expected.as_ref());
    ordered.await.map_err(|fault| fault.to_string())
}

async fn accept_source(mut task: Task, plan: Plan, now: &Situation) -> Result<Stage, EngineError> {
    // While a job runs, of whomever, the hypervisor keeps the order waiting until its lock times out, and changes nothing.
    if matches!(&now.source, Side::Present(here) if here.state.is_active() && !here.job) {
        notice::take(&task, &plan).await;
    }
    let Undone { left, refused } = prepared::undo(&mut task, &plan).await?;
    // A source that doesn't take an order may not be what it was a moment ago.
    if refused {
        let fresh = task.look(&plan).await;
        if fresh != *now || !task.permitted(&plan, &fresh).contains(&Action::AcceptSource) {
            return Ok(Stage::Locating(Locating { task, plan }));
        }
    }
    let course = &task.recorder.course;
    let kind = if course.cancel_requested { OutcomeKind::Cancelled } else { OutcomeKind::RolledBack };
    // No call of libvirt shows a definition on its way: patience makes its arrival unlikely, not impossible.
    let late = if plan.mode == TransferMode::Offline && task.recorder.history.is_unheard() {
        format!("; nobody heard how the call ended, so a definition may still appear on {}", plan.destination.host)
    } else {
        String::new()
    };
    let outcome = Outcome {
        kind,
        summary: tell::stayed(&plan, now, &volumes::still_there(&task)) + &late,
        causes: task.recorder.all_causes(),
        remedy: tell::both_of(prepared::remedy_for(&left), tell::state_left(&plan, &course.tried)),
    };
    task.end(outcome)
}

async fn accept_destination(mut task: Task, plan: Plan, now: &Situation) -> Result<Stage, EngineError> {
    match finishing::tidy_up(&mut task, &plan, now.clone()).await? {
        Ok(now) => {
            let outcome = finishing::completed(&task, &plan, &now, None);
            task.end(outcome)
        }
        Err(_) => Ok(Stage::Locating(Locating { task, plan })),
    }
}

/// Ends a task of whose guest both hosts have nothing left, if no other host has it: somebody may have moved it on meanwhile. Half
/// of a guest goes nowhere.
async fn declare_lost(mut task: Task, plan: Plan, now: &Situation, reason: &str) -> Result<Stage, EngineError> {
    let elsewhere = if now.in_post_copy() { None } else { elsewhere(&task, &plan).await };
    let Some(why) = elsewhere else { return end(task, &plan, now, OutcomeKind::Lost, reason).await };
    task.record(Record::ActionDone { action: Action::DeclareLost, result: Err(why) })?;
    // Another host is no other a moment later.
    tokio::time::sleep(task.ports().settings().look_every).await;
    Ok(Stage::Locating(Locating { task, plan }))
}

/// Which of the other hosts has the domain, or can't be asked; none where all of them say that it isn't there.
async fn elsewhere(task: &Task, plan: &Plan) -> Option<String> {
    let ends = [&plan.source.host, &plan.destination.host];
    let mut asking = JoinSet::new();
    for host in task.ports().hypervisor.hosts().into_iter().filter(|host| !ends.contains(&host)) {
        let (hypervisor, domain) = (task.ports().hypervisor.clone(), plan.domain);
        let asked = async move {
            let side = hypervisor.observe(&host, domain).await;
            (host, side)
        };
        asking.spawn(asked.in_current_span());
    }
    let mut found = Vec::new();
    while let Some(answer) = asking.join_next().await {
        match answer {
            Ok((host, side)) if may_have_it(plan, &side) => found.push(tell::side(&side, &host)),
            Ok(_) => {}
            // A defect of whoever asks: what that host has nobody knows.
            Err(_) => found.push("unknown on a host that was not asked to the end".to_owned()),
        }
    }
    found.sort();
    (!found.is_empty()).then(|| format!("{} may be on another host: {}", plan.name, found.join(", ")))
}

/// Whether what another host says may be the guest itself, and not just a definition that was left there.
fn may_have_it(plan: &Plan, side: &Side) -> bool {
    match side {
        Side::Unknown(_) => true,
        Side::Absent { .. } => false,
        // Where a mere definition was moved, a definition is what is missed.
        Side::Present(_) if plan.mode == TransferMode::Offline => true,
        Side::Present(seen) => seen.state.is_active() || (seen.state == DomainState::ShutOff && seen.reason == "saved"),
    }
}

/// How long the source has to say what job it is that runs.
const JOB_TOLD_IN: Duration = Duration::from_secs(5);

/// A job on the source that is not this migration's, in words.
async fn anothers_job(task: &Task, plan: &Plan, now: &Situation) -> Option<String> {
    let not_begun = task.recorder.course.is_not_begun() && matches!(&now.source, Side::Present(here) if here.job);
    if !not_begun && !task.recorder.history.shows_anothers_job(now) {
        return None;
    }
    let domain = DomainKey::Id(plan.domain);
    let facts = task.ports().hypervisor.domain_facts(&plan.source.host, &domain);
    let job = tokio::time::timeout(JOB_TOLD_IN, facts).await.ok().and_then(Result::ok).and_then(|facts| facts.job);
    let which = job.map(|job| format!(" ({})", job.operation)).unwrap_or_default();
    Some(format!("a job that is not this migration's{which} runs on {}", plan.source.host))
}

async fn end(task: Task, plan: &Plan, now: &Situation, kind: OutcomeKind, reason: &str) -> Result<Stage, EngineError> {
    let job = anothers_job(&task, plan, now).await;
    // Why it could not be called lost is what a person has to look at first.
    let not_lost = |deed: &Deed| if deed.action == Action::DeclareLost { deed.error.clone() } else { None };
    let elsewhere = task.recorder.history.done().iter().rev().find_map(not_lost).filter(|_| kind == OutcomeKind::Stuck);
    let said: Vec<_> =
        [Some(tell::both(plan, now)), elsewhere, job, Some(reason.to_owned())].into_iter().flatten().collect();
    let remedy = tell::remedy(plan, now, kind, task.recorder.id, &volumes::still_there(&task));
    let remedy = tell::both_of(Some(remedy), prepared::not_given_back(&task, plan, &now.source));
    let outcome = Outcome {
        kind,
        summary: said.join("; "),
        causes: task.recorder.all_causes(),
        remedy: tell::both_of(remedy, tell::state_left(plan, &task.recorder.course.tried)),
    };
    task.end(outcome)
}
