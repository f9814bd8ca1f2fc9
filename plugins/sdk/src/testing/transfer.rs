//! Made-up transfers for the native tests of a convergence policy: questions with readings that a test writes down, and
//! a model of a transfer that a policy steers from its first byte to its end.

use crate::{
    Bounds, Convergence, Opening, OpeningQuestion, Sample, Steered, SteeringAnswer, SteeringQuestion, Transfer,
};

const MIB: u64 = 1 << 20;
const PAGE: u64 = 4096;

/// A domain of 4 GiB that travels from `kvm1` to `kvm2` over one plain stream.
pub fn transfer() -> Transfer {
    Transfer {
        domain_id: super::domain().id,
        domain_name: "web".into(),
        source: "kvm1".into(),
        destination: "kvm2".into(),
        initially: "running".into(),
        memory_bytes: 4096 * MIB,
        transport: "peer-to-peer".into(),
        parallel_connections: None,
        encryption: "off".into(),
        disk_copy: "none".into(),
        auto_converge: false,
        post_copy: false,
        max_downtime_ms: None,
        bandwidth_mib_s: None,
    }
}

/// Everything is permitted, within 2 s of downtime and an hour in all.
pub fn bounds() -> Bounds {
    Bounds {
        max_downtime_ms: 2000,
        max_bandwidth_mib_s: None,
        permitted: ["hold", "set-downtime", "set-bandwidth", "post-copy", "suspend", "abort"].map(str::to_owned).into(),
        timeout_s: 3600,
    }
}

/// What is asked before the start: nothing is known of the guest's dirtying.
pub fn opening_question() -> OpeningQuestion {
    OpeningQuestion {
        transfer: transfer(),
        vcpus: 2,
        bounds: bounds(),
        prediction: None,
        decided_at_ms: 1_760_000_000_000,
    }
}

/// [`opening_question`] with a change.
pub fn opening_question_with(change: impl FnOnce(&mut OpeningQuestion)) -> OpeningQuestion {
    let mut question = opening_question();
    change(&mut question);
    question
}

/// What is asked of a transfer that has just begun: there are no readings yet.
pub fn steering_question() -> SteeringQuestion {
    SteeringQuestion {
        transfer: transfer(),
        bounds: bounds(),
        elapsed_ms: 0,
        samples: vec![],
        passes: vec![],
        steered: vec![],
        decided_at_ms: 1_760_000_000_000,
    }
}

/// [`steering_question`] with a change.
pub fn steering_question_with(change: impl FnOnce(&mut SteeringQuestion)) -> SteeringQuestion {
    let mut question = steering_question();
    change(&mut question);
    question
}

/// A reading in pre-copy: so many ms after the start, in that pass, with so much left. 100 MiB/s were moved since.
pub fn reading(elapsed_ms: u64, iteration: u64, remaining_bytes: u64) -> Sample {
    Sample {
        elapsed_ms,
        total_bytes: 4096 * MIB,
        processed_bytes: elapsed_ms * (100 * MIB) / 1000,
        remaining_bytes,
        bytes_per_s: Some(100 * MIB),
        dirty_pages_per_s: Some(0),
        page_bytes: Some(PAGE),
        iteration: Some(iteration),
        downtime_ms: None,
        throttle_percent: None,
        stage: "pre-copy".into(),
    }
}

/// A question with these readings; the passes are those of the readings.
pub fn question_of(samples: Vec<Sample>) -> SteeringQuestion {
    let mut passes: Vec<Sample> = vec![];
    for sample in &samples {
        if passes.last().is_none_or(|pass| pass.iteration < sample.iteration) {
            passes.push(sample.clone());
        }
    }
    steering_question_with(|question| {
        question.elapsed_ms = samples.last().map_or(0, |sample| sample.elapsed_ms);
        question.samples = samples;
        question.passes = passes;
    })
}

/// Something done earlier.
pub fn done(at_ms: u64, action: &str, value: Option<u64>) -> Steered {
    Steered { at_ms, action: action.into(), value }
}

/// A guest and a link, as simple as they can be: the guest dirties its working set evenly, the link carries an even
/// rate, the hypervisor goes on as QEMU does (it looks at what was dirtied when what is left would fit into the downtime
/// limit, and switches over if that is still so). Good for showing that a policy ends what it steers; no prediction.
#[derive(Debug, Clone)]
pub struct Model {
    /// Memory, bytes.
    pub memory_bytes: u64,
    /// The part of it that the guest writes again and again, bytes.
    pub working_set_bytes: u64,
    /// What the guest dirties while nothing slows it down, bytes/s.
    pub dirty_bytes_per_s: u64,
    /// What the link carries, bytes/s.
    pub link_bytes_per_s: u64,
    /// The downtime limit where nobody set one, ms.
    pub default_downtime_ms: u64,
    /// The bounds; a policy's answers are held to them as the host would.
    pub bounds: Bounds,
    /// Time between two questions, ms.
    pub ask_every_ms: u64,
}

impl Default for Model {
    fn default() -> Self {
        Self {
            memory_bytes: 4096 * MIB,
            working_set_bytes: 512 * MIB,
            dirty_bytes_per_s: 200 * MIB,
            link_bytes_per_s: 100 * MIB,
            default_downtime_ms: 300,
            bounds: bounds(),
            ask_every_ms: 1000,
        }
    }
}

/// How a model's transfer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The guest runs on the destination.
    Moved,
    /// The policy gave up.
    Aborted,
    /// The time for the whole was over.
    TimedOut,
}

/// What became of a model's transfer.
#[derive(Debug, Clone, PartialEq)]
pub struct Course {
    /// How it opened.
    pub opening: Opening,
    /// How it ended.
    pub end: End,
    /// When, ms.
    pub elapsed_ms: u64,
    /// How long the guest stood still, ms.
    pub downtime_ms: u64,
    /// What was done.
    pub steered: Vec<Steered>,
    /// Every answer.
    pub answers: Vec<SteeringAnswer>,
}

impl Model {
    /// Has a policy steer it to its end.
    pub fn run<P: Convergence>(&self) -> Course {
        let post_copy = self.bounds.permits("post-copy");
        let mut transfer = Transfer { memory_bytes: self.memory_bytes, post_copy, ..transfer() };
        let opening = P::open(&opening_question_with(|question| {
            question.transfer = transfer.clone();
            question.bounds = self.bounds.clone();
        }));
        transfer.max_downtime_ms = opening.max_downtime_ms.map(|ms| ms.min(self.bounds.max_downtime_ms));
        transfer.auto_converge = opening.auto_converge.unwrap_or(false);
        let mut question = steering_question_with(|question| {
            question.bounds = self.bounds.clone();
            question.transfer = transfer;
        });
        let mut state = State::of(self);
        let mut answers = vec![];
        loop {
            let end = (0..self.ask_every_ms / STEP_MS).find_map(|_| state.step(self, &mut question));
            if let Some(end) = end {
                let (elapsed_ms, downtime_ms) = (state.now_ms, state.downtime_ms);
                return Course { opening, end, elapsed_ms, downtime_ms, steered: question.steered, answers };
            }
            state.look(self, &mut question);
            let answer = P::decide(&question);
            state.obey(self, &mut question, &answer);
            answers.push(answer);
        }
    }
}

const STEP_MS: u64 = 50;

struct State {
    now_ms: u64,
    moved: u64,
    left: u64,
    dirty: u64,
    iteration: u64,
    suspended_at: Option<u64>,
    post_copy: bool,
    aborted: bool,
    throttle_percent: u64,
    /// How far it is to go, at once; none: as far as it can, step by step.
    ordered_throttle: Option<u64>,
    downtime_ms: u64,
}

impl State {
    fn of(model: &Model) -> Self {
        Self {
            now_ms: 0,
            moved: 0,
            left: model.memory_bytes,
            dirty: 0,
            iteration: 1,
            suspended_at: None,
            post_copy: false,
            aborted: false,
            throttle_percent: 0,
            ordered_throttle: None,
            downtime_ms: 0,
        }
    }

    fn rate(model: &Model, question: &SteeringQuestion) -> u64 {
        question.transfer.bandwidth_mib_s.map_or(u64::MAX, |mib_s| mib_s * MIB).min(model.link_bytes_per_s)
    }

    /// A little time passes.
    fn step(&mut self, model: &Model, question: &mut SteeringQuestion) -> Option<End> {
        self.now_ms += STEP_MS;
        let rate = Self::rate(model, question);
        let carried = (rate * STEP_MS / 1000).min(self.left);
        self.left -= carried;
        self.moved += carried;
        if self.aborted {
            return Some(End::Aborted);
        }
        if self.post_copy {
            return (self.left == 0).then_some(End::Moved);
        }
        if self.now_ms >= model.bounds.timeout_s * 1000 {
            return Some(End::TimedOut);
        }
        if self.suspended_at.is_none() {
            let dirtied = model.dirty_bytes_per_s * STEP_MS / 1000 * (100 - self.throttle_percent) / 100;
            self.dirty = (self.dirty + dirtied).min(model.working_set_bytes);
        }
        let limit_ms = question.transfer.max_downtime_ms.unwrap_or(model.default_downtime_ms);
        let fits = rate.saturating_mul(limit_ms) / 1000;
        if self.left <= fits {
            self.sync(model);
            self.iteration += 1;
            if self.left <= fits {
                let last = self.left * 1000 / rate.max(1);
                self.downtime_ms = last + self.suspended_at.map_or(0, |since| self.now_ms - since);
                return Some(End::Moved);
            }
            if question.transfer.auto_converge && self.iteration > 3 {
                self.throttle_percent =
                    self.ordered_throttle.unwrap_or_else(|| (self.throttle_percent + 10).clamp(20, 99));
            }
        }
        None
    }

    /// What was dirtied is to be moved again; a page that is still to be moved anyway doesn't count twice.
    fn sync(&mut self, model: &Model) {
        let both = self.left + std::mem::take(&mut self.dirty);
        self.left = both.min(self.left.max(model.working_set_bytes));
    }

    /// What the hypervisor would tell now.
    fn look(&self, model: &Model, question: &mut SteeringQuestion) {
        let sample = Sample {
            elapsed_ms: self.now_ms,
            total_bytes: model.memory_bytes,
            processed_bytes: self.moved,
            remaining_bytes: self.left,
            bytes_per_s: Some(Self::rate(model, question)),
            dirty_pages_per_s: Some(model.dirty_bytes_per_s / PAGE),
            page_bytes: Some(PAGE),
            iteration: Some(self.iteration),
            downtime_ms: None,
            throttle_percent: u32::try_from(self.throttle_percent).ok().filter(|percent| *percent > 0),
            stage: if self.post_copy { "post-copy" } else { "pre-copy" }.into(),
        };
        question.elapsed_ms = self.now_ms;
        if question.passes.last().is_none_or(|pass| pass.iteration < sample.iteration) {
            question.passes.push(sample.clone());
        }
        question.samples.push(sample);
        let too_many = question.samples.len().saturating_sub(240);
        question.samples.drain(..too_many);
    }

    /// Does what is permitted.
    fn obey(&mut self, model: &Model, question: &mut SteeringQuestion, answer: &SteeringAnswer) {
        if answer.action == "hold" || !model.bounds.permits(&answer.action) {
            return;
        }
        let value = match answer.action.as_str() {
            "set-downtime" => answer.value.map(|ms| ms.min(model.bounds.max_downtime_ms)),
            "set-bandwidth" => answer.value.map(|mib_s| mib_s.min(model.bounds.max_bandwidth_mib_s.unwrap_or(mib_s))),
            "set-throttle" => answer.value.map(|percent| percent.clamp(20, 99)),
            _ => None,
        };
        match answer.action.as_str() {
            "set-downtime" => question.transfer.max_downtime_ms = value,
            "set-bandwidth" => question.transfer.bandwidth_mib_s = value,
            "set-throttle" => self.ordered_throttle = value,
            "post-copy" if question.transfer.post_copy => {
                self.post_copy = true;
                self.sync(model);
            }
            "suspend" => self.suspended_at = self.suspended_at.or(Some(self.now_ms)),
            "abort" => self.aborted = true,
            _ => {}
        }
        question.steered.push(done(self.now_ms, &answer.action, value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Waits;

    impl Convergence for Waits {
        fn decide(_: &SteeringQuestion) -> SteeringAnswer {
            SteeringAnswer::hold("it will do")
        }
    }

    struct Does;

    impl Convergence for Does {
        fn decide(question: &SteeringQuestion) -> SteeringAnswer {
            let action = if question.elapsed_ms < 60_000 { "hold" } else { "suspend" };
            SteeringAnswer::of(action, "a minute is enough")
        }
    }

    #[test]
    fn a_model_converges_where_the_link_carries_more_than_the_guest_dirties() {
        let course = Model { dirty_bytes_per_s: 20 * MIB, ..Model::default() }.run::<Waits>();
        assert_eq!(course.end, End::Moved);
        assert!(course.downtime_ms <= 300, "{course:?}");
        assert!((40_000..80_000).contains(&course.elapsed_ms), "{course:?}");
    }

    /// Has the guest slowed down by half, or as far as can be, once it is slowed down at all.
    struct Throttles<const PERCENT: u64>;

    impl<const PERCENT: u64> Convergence for Throttles<PERCENT> {
        fn open(_: &OpeningQuestion) -> Opening {
            Opening { auto_converge: Some(true), ..Opening::unchanged("it is to be slowed down") }
        }
        fn decide(question: &SteeringQuestion) -> SteeringAnswer {
            let slowed = question.newest().is_some_and(|now| now.throttle_percent.is_some());
            match slowed && !question.was_done("set-throttle") {
                true => SteeringAnswer::set_throttle(PERCENT, "at once"),
                false => SteeringAnswer::hold("as it is"),
            }
        }
    }

    #[test]
    fn a_model_is_slowed_down_as_far_as_it_is_told_and_no_further() {
        let permitted = ["hold", "set-throttle"].map(str::to_owned).into();
        let model = Model { bounds: Bounds { timeout_s: 600, permitted, ..bounds() }, ..Model::default() };
        // At 200 MiB/s it writes 120 when it is slowed down by 40 %, and 100 are carried.
        let little = model.run::<Throttles<40>>();
        assert_eq!((little.end, little.steered[0].value), (End::TimedOut, Some(40)), "{:?}", little.steered);
        let much = model.run::<Throttles<90>>();
        assert_eq!(much.end, End::Moved, "{:?}", much.steered);
    }

    #[test]
    fn a_model_does_not_converge_where_it_carries_less_and_a_suspended_one_does() {
        let model = Model { bounds: Bounds { timeout_s: 600, ..bounds() }, ..Model::default() };
        assert_eq!(model.run::<Waits>().end, End::TimedOut);
        let course = model.run::<Does>();
        assert_eq!(course.end, End::Moved);
        assert!(course.downtime_ms > 300 && course.downtime_ms < 12_000, "{course:?}");
    }
}
