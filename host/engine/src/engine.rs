//! The engine: what the facade holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use tracing::Instrument as _;
use uuid::Uuid;
use waypost_core::admission::{admit, under_site, within_attempts};
use waypost_core::convergence::{MOST_THROTTLE_PERCENT, Steering, least_throttle_percent};
use waypost_core::ids::{HostName, Moment, TaskId};
use waypost_core::journal::{Course, Record};
use waypost_core::network::{lacking, ways};
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::plan::{Plan, PlanError};
use waypost_core::ports::{Clock, Depth, Hypervisor, KeptProof, Policies, ProbeVolume, Store, TaskLock, Wish};
use waypost_core::queue::{Entry, SlotLimits, Turn};
use waypost_core::request::{MigrationRequest, Options};
use waypost_core::sample::Stage;
use waypost_core::situation::{Action, History, Situation};

use crate::check::{CheckReport, Question, check};
use crate::courses::Courses;
use crate::error::EngineError;
use crate::gather::known_host;
use crate::line::Line;
use crate::observer::Observer;
use crate::planning::{self, For, Planned};
use crate::probe;
use crate::readiness::{self, Camera, Fleet, Readiness};
use crate::recorder::{Recorder, Spent};
use crate::settings::Settings;
use crate::steered::SteeringLog;
use crate::task::helm::no_throttle;
use crate::task::{Acted, Driver, Order, Task, act, judged, look, span, waiting};
use crate::view::View;

/// Everything that the engine needs of the world, and what its tasks share.
pub(crate) struct Ports {
    pub(crate) hypervisor: Arc<dyn Hypervisor>,
    pub(crate) policies: Arc<dyn Policies>,
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    /// What a site says, which a running program may be told anew.
    said: RwLock<(Arc<Settings>, Depth)>,
    /// Held by whoever puts the name of a host or a network on the record of a task, from where it was known to be there until the
    /// record is written; and alone by whoever takes hosts or networks away.
    naming: RwLock<()>,
    /// The queue, as the tasks of this process see it.
    pub(crate) line: Line,
    /// What journals come to, for whoever watches.
    pub(crate) courses: Courses,
    /// The pictures of the fleet that are being taken.
    pub(crate) camera: Camera,
}

impl Ports {
    /// What holds right now. Who needs several of them that belong together keeps the answer.
    pub(crate) fn settings(&self) -> Arc<Settings> {
        Arc::clone(&self.said.read().unwrap_or_else(PoisonError::into_inner).0)
    }

    /// How much of each host is read.
    pub(crate) fn depth(&self) -> Depth {
        self.said.read().unwrap_or_else(PoisonError::into_inner).1
    }

    /// No host and no network goes as long as the answer lives. It must not be kept over a wait.
    pub(crate) fn naming(&self) -> RwLockReadGuard<'_, ()> {
        self.naming.read().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a journal tells of an attempt beside its course.
#[derive(Default)]
struct Past {
    /// When its transfer was begun.
    performing_since: Option<Moment>,
    /// What was done to the running transfer.
    steered: SteeringLog,
    /// What was seen and done.
    history: History,
}

/// What both sides of a task show, and what may be done about it.
#[derive(Debug, Clone)]
pub struct Looked {
    /// The plan of the last attempt.
    pub plan: Plan,
    /// What both sides say.
    pub situation: Situation,
    /// What may be done, in the order in which a careful person would consider it; nothing for a task that is over, unless
    /// it ended stuck.
    pub permitted: Vec<Action>,
    /// What both sides would permit, and the past of the task does not; each with the reason.
    pub withheld: Vec<(Action, &'static str)>,
    /// The networks over which a post-copy may be resumed, where that is permitted and there is more than one; the next in
    /// turn first.
    pub networks: Vec<String>,
}

impl Looked {
    /// What a situation, just seen and taken into the history, comes to for a task.
    pub(crate) fn new(ports: &Ports, course: &Course, history: &History, plan: Plan, situation: Situation) -> Self {
        // What is over is over: whatever both sides show now, this task does nothing about it any more.
        let over = course.outcome.as_ref().is_some_and(|outcome| outcome.kind != OutcomeKind::Stuck);
        let (permitted, withheld) = match over {
            true => (Vec::new(), Vec::new()),
            false => judged(ports, course, history, &plan, &situation),
        };
        let networks = match permitted.contains(&Action::ResumePostCopy) {
            true => ways(&plan, course),
            false => Vec::new(),
        };
        Self { plan, situation, permitted, withheld, networks }
    }
}

/// Moves domains. Cheap to clone.
#[derive(Clone)]
pub struct Engine {
    ports: Arc<Ports>,
}

/// What became of an attempt to take over a task.
pub enum Adopted {
    /// It is ours to drive.
    Driver(Box<Driver>),
    /// Another process drives it (or it is over): it can be watched.
    Observer(Observer),
}

impl Engine {
    /// Puts an engine together. `depth` is how much of each host is read: more only if a granted policy needs it.
    pub fn new(
        hypervisor: Arc<dyn Hypervisor>,
        policies: Arc<dyn Policies>,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        settings: Settings,
        depth: Depth,
    ) -> Self {
        let said = RwLock::new((Arc::new(settings), depth));
        Self {
            ports: Arc::new(Ports {
                hypervisor,
                policies,
                store,
                clock,
                said,
                naming: RwLock::default(),
                line: Line::default(),
                courses: Courses::default(),
                camera: Camera::default(),
            }),
        }
    }

    /// Takes other settings and another depth. They hold from the next question on: a plan that is made stays as it is,
    /// limits count for whoever waits, and a task that is driven goes on with the times that it began a step with.
    pub fn adjust(&self, settings: Settings, depth: Depth) {
        *self.ports.said.write().unwrap_or_else(PoisonError::into_inner) = (Arc::new(settings), depth);
        // A limit that was raised is a slot that was freed.
        self.ports.line.freed();
    }

    /// Does something while no task is taken on by this engine, and none of its tasks turns to another destination or gets a plan:
    /// the tasks on record are then all that name a host or a network, for whoever is about to take one away. Whoever takes a task
    /// on waits for it, so it must be short.
    pub fn between_tasks<T>(&self, work: impl FnOnce() -> T) -> T {
        let _alone = self.ports.naming.write().unwrap_or_else(PoisonError::into_inner);
        work()
    }

    /// Lets no proof hold any longer of these hosts' storage: under their names there will be other machines, or none.
    pub fn forget_proofs(&self, of: &BTreeSet<HostName>) -> Result<(), EngineError> {
        let (hosts, store) = (self.ports.hypervisor.hosts(), &self.ports.store);
        for one in of {
            for other in &hosts {
                for (source, destination) in [(one, other), (other, one)] {
                    for kept in store.proofs(source, destination)? {
                        // In the place of the one that holds.
                        store.put_proof(&KeptProof { at: Moment(0), ..kept })?;
                    }
                }
            }
        }
        Ok(())
    }

    /// What do the rules say? Nothing is touched.
    pub async fn check(&self, question: &Question) -> Result<CheckReport, EngineError> {
        check(&self.ports, question).await
    }

    /// What would be done, for a destination that the check allowed: as [`Engine::accept`] would plan it, with what is
    /// expected of it. None for a destination that was refused or not read. Nothing is touched.
    pub async fn dry_run(
        &self,
        report: &CheckReport,
        destination: &HostName,
    ) -> Result<Option<Result<Planned, PlanError>>, EngineError> {
        planning::plan(&self.ports, report, destination, 1, For::Show).await
    }

    /// Reads every host and every domain, for [`Engine::readiness_of`]. Those who ask at once share what is read after they asked.
    pub async fn fleet(&self) -> Result<Arc<Fleet>, EngineError> {
        readiness::fleet(&self.ports).await
    }

    /// May every domain go to every other host? One such question is judged at a time, on all cores; a fleet whose domains are fewer
    /// costs less.
    pub async fn readiness_of(
        &self,
        fleet: Fleet,
        options: &Options,
        requester: &str,
    ) -> Result<Readiness, EngineError> {
        readiness::judge(&self.ports, fleet, options, requester).await
    }

    /// Takes a request on: from here on it is a task with a journal, and [`Driver::drive`] brings it to its end.
    pub fn accept(&self, request: MigrationRequest) -> Result<Driver, EngineError> {
        self.accept_as(TaskId(Uuid::now_v7()), request)
    }

    /// The same under an id that was chosen before, by whoever must be able to name the task even if the answer gets lost.
    /// An id that a task has already is refused.
    pub fn accept_as(&self, id: TaskId, request: MigrationRequest) -> Result<Driver, EngineError> {
        let options = under_site(&request.options, self.ports.settings().encryption).map_err(EngineError::Refused)?;
        let request = MigrationRequest { options, ..request };
        admit(&request).map_err(EngineError::Refused)?;
        within_attempts(&request.options, self.ports.settings().max_attempts).map_err(EngineError::Refused)?;
        let _naming = self.ports.naming();
        let known = self.ports.hypervisor.hosts();
        known_host(&known, &request.destination)?;
        if let Some(source) = &request.source {
            known_host(&known, source)?;
        }
        let first = Record::Accepted { request: request.clone() };
        let lock = self.ports.store.create(id, self.ports.clock.now(), &first)?;
        Ok(Driver::new(Recorder::new(Arc::clone(&self.ports), id, Course::begin(request), lock)))
    }

    /// Takes over a task that no process drives, or watches the one that does.
    pub fn adopt(&self, id: TaskId) -> Result<Adopted, EngineError> {
        let Some(lock) = self.ports.store.lock(id)? else {
            return Ok(Adopted::Observer(Observer::new(Arc::clone(&self.ports), id)));
        };
        // Read under the lock: nobody can append between the reading and the driving.
        let (course, past) = self.course(id)?;
        if course.outcome.is_some() {
            return Ok(Adopted::Observer(Observer::new(Arc::clone(&self.ports), id)));
        }
        waiting::keep(&self.ports, id, &course)?;
        self.tell_of_lacking(id, &course);
        self.recorder(id, course, past, lock).map(|recorder| Adopted::Driver(Box::new(Driver::new(recorder))))
    }

    /// Watches a task without ever driving it.
    pub fn observe(&self, id: TaskId) -> Observer {
        Observer::new(Arc::clone(&self.ports), id)
    }

    /// Attempts of one task whose request names no number, and the most that a request may name.
    pub fn max_attempts(&self) -> u32 {
        self.ports.settings().max_attempts
    }

    /// How many migrations may run at once, and the tasks that hold a slot or wait for one.
    pub fn queue(&self) -> Result<(SlotLimits, Vec<Entry>), EngineError> {
        Ok((self.ports.settings().slots.clone(), self.ports.store.queue()?))
    }

    /// Where each task stands that holds a slot or waits for one. It may be a moment old.
    pub fn standings(&self) -> Result<Arc<BTreeMap<TaskId, Turn>>, EngineError> {
        waiting::standings(&self.ports)
    }

    /// What a task's journal comes to.
    pub fn read(&self, id: TaskId) -> Result<Course, EngineError> {
        self.course(id).map(|(course, _)| course)
    }

    /// Looks at both hosts of a task and says what may be done about it, touching nothing. None for a task that never had
    /// a plan, and so nothing to look at.
    pub async fn look(&self, id: TaskId) -> Result<Option<Looked>, EngineError> {
        let (course, Past { mut history, .. }) = self.course(id)?;
        let Some(plan) = course.plan.clone() else { return Ok(None) };
        let situation = look(&self.ports, &plan).await;
        history.seen(&situation);
        Ok(Some(Looked::new(&self.ports, &course, &history, plan, situation)))
    }

    /// Does one action that a person asks for, if both sides permit it right now.
    pub async fn act(&self, id: TaskId, order: impl Into<Order>, by: &str) -> Result<Acted, EngineError> {
        let Some(lock) = self.ports.store.lock(id)? else { return Err(EngineError::Driven(id)) };
        let (course, past) = self.course(id)?;
        let task = Task::new(self.recorder(id, course, past, lock)?);
        act(task, order.into(), by).instrument(span(id)).await
    }

    /// Asks whoever drives the task to cancel it.
    pub fn request_cancel(&self, id: TaskId, requester: &str) -> Result<(), EngineError> {
        Ok(self.ports.store.request_cancel(id, requester)?)
    }

    /// Asks whoever drives the task to do something to its running transfer, or several things, in that order: all of them, or
    /// none where one can't be done. It is done within a moment, or refused; the task's journal tells. A switch to post-copy that comes
    /// before memory travels is kept until some does.
    pub fn request_steering(&self, id: TaskId, wishes: &[Wish]) -> Result<(), EngineError> {
        let course = self.read(id)?;
        let refused = |why: String| Err(EngineError::NotSteerable { task: id, why });
        if course.phase != Phase::Performing {
            return refused(format!("it is {}, and only a running transfer can be changed", course.phase));
        }
        let may_switch = course.plan.as_ref().is_some_and(|plan| plan.stream.post_copy);
        let settings = self.ports.settings();
        for wish in wishes {
            if wish.action == Steering::Hold || wish.action.is_our_own() {
                return refused(format!("{} is nothing that is asked for", wish.action));
            }
            if wish.action == Steering::PostCopy && !may_switch {
                return refused("it was begun without post-copy: cancel it and begin it with --postcopy".to_owned());
            }
            if wish.action == Steering::SetThrottle
                && let Some(plan) = &course.plan
            {
                if let Some(why) = no_throttle(plan, &settings) {
                    return refused(why.to_owned());
                }
                let (least, most) = (least_throttle_percent(plan), MOST_THROTTLE_PERCENT);
                if wish.value.is_none_or(|percent| !(least..=most).contains(&percent)) {
                    return refused(format!("its guest may be slowed down by {least} to {most} %"));
                }
            }
        }
        Ok(self.ports.store.request_steering(id, wishes)?)
    }

    /// The least by which the guest of a task may be slowed down by order right now, percent, as its last reading has it; none where
    /// it may not.
    pub fn least_throttle(&self, view: &View) -> Option<u64> {
        let plan = view.plan.as_ref().filter(|_| view.phase == Phase::Performing)?;
        let copied = view.sample.as_ref().is_some_and(|sample| sample.stage == Stage::PreCopy);
        let may = copied && no_throttle(plan, &self.ports.settings()).is_none();
        may.then(|| least_throttle_percent(plan))
    }

    /// Removes probe volumes that a killed controller left. Answers those that are still there, and why.
    pub async fn sweep_probes(&self) -> Result<Vec<(ProbeVolume, String)>, EngineError> {
        let mut left = Vec::new();
        for volume in self.ports.store.open_probes()? {
            if let Err(why) = probe::remove(&self.ports, &volume).await {
                left.push((volume, why));
            }
        }
        Ok(left)
    }

    /// A reload is refused that takes away what a task holds; who starts anew finds it gone, and goes by the plan all the same.
    fn tell_of_lacking(&self, id: TaskId, course: &Course) {
        let Some(plan) = &course.plan else { return };
        for (network, role) in lacking(plan, &self.ports.settings().networks) {
            tracing::warn!(
                task = %id,
                "the configuration lacks network {network} with the role {role}, which the plan of this task holds: the task goes by \
                 its plan"
            );
        }
    }

    fn recorder(
        &self,
        id: TaskId,
        course: Course,
        past: Past,
        lock: Box<dyn TaskLock>,
    ) -> Result<Recorder, EngineError> {
        let mut recorder = Recorder::new(Arc::clone(&self.ports), id, course, lock);
        let now = self.ports.clock.now().0;
        recorder.performing = past.performing_since.map(|since| Spent::already(now.saturating_sub(since.0)));
        recorder.steered = past.steered;
        recorder.history = past.history;
        recorder.restore_progress()?;
        Ok(recorder)
    }

    fn course(&self, id: TaskId) -> Result<(Course, Past), EngineError> {
        let journal = self.ports.store.journal(id)?;
        if journal.is_empty() {
            return Err(EngineError::NoTask(id));
        }
        let mut past = Past { history: History::of(journal.iter().map(|(_, record)| record)), ..Past::default() };
        for (at, record) in &journal {
            past.steered.note(at.0.saturating_sub(past.performing_since.map_or(at.0, |since| since.0)), record);
            if matches!(record, Record::PerformIntended) {
                past.performing_since = Some(*at);
            }
        }
        let course = Course::replay(journal.iter().map(|(_, record)| record))
            .map_err(|source| EngineError::Journal { task: id, source })?;
        Ok((course, past))
    }
}
