//! The questions to a convergence policy, and its answers. It is asked once before the transfer begins (how to open) and
//! then with each reading that is due (what now); it chooses within bounds that the plan sets, and the engine clamps
//! whatever it says to them.

use crate::ids::Moment;
use crate::plan::Plan;
use crate::sample::Sample;
use crate::{facts, words};

words! {
    /// What may be done to a running transfer. A stable list: new ones may come, none changes its meaning.
    pub enum Steering {
        /// Nothing.
        Hold = "hold",
        /// Set the downtime limit, ms.
        SetDowntime = "set-downtime",
        /// Limit the bandwidth, MiB/s.
        SetBandwidth = "set-bandwidth",
        /// Slow the guest down so far, percent: from the hypervisor's next step on, and no further. Of a transfer with
        /// auto-converge.
        SetThrottle = "set-throttle",
        /// Go on as post-copy: the guest runs on the destination and its memory follows.
        PostCopy = "post-copy",
        /// Pause the guest, so that the rest is copied while it stands still; it runs on the destination afterwards.
        Suspend = "suspend",
        /// Give up.
        Abort = "abort",
        /// Have the connections closed over which disks are copied. Waypost does it by itself to a transfer that is being ended
        /// and that the host's own abort doesn't end; no policy may choose it, and no person asks for it.
        Sever = "sever",
        /// Interrupt a post-copy in which nothing moves, so that it can be resumed. Waypost does it by itself; no policy may
        /// choose it while a transfer runs, and no person asks for it so.
        Interrupt = "interrupt",
    }
    /// Where the bandwidth of a prediction is known from.
    pub enum BandwidthFrom {
        /// The limit that the request names.
        Limit = "limit",
        /// What the network is declared to carry, where the request names no less.
        Network = "network",
        /// The fastest of the last transfers between the two hosts.
        EarlierTransfers = "earlier-transfers",
    }
}

/// Least that a guest may be slowed down by order, percent: what QEMU begins auto-converge with. QEMU takes no maximum below its
/// first step, and libvirt writes that step back after every migration that fails, together with all other parameters: with a
/// maximum below it none of them would be put back.
pub const LEAST_THROTTLE_PERCENT: u64 = 20;
/// Most, percent; also QEMU's own maximum, where nobody set another.
pub const MOST_THROTTLE_PERCENT: u64 = 99;

/// Least that the guest of this transfer may be slowed down by order, percent: no less than the step that its auto-converge begins
/// with.
pub fn least_throttle_percent(plan: &Plan) -> u64 {
    plan.stream.auto_converge_initial.map_or(LEAST_THROTTLE_PERCENT, |first| LEAST_THROTTLE_PERCENT.max(first.into()))
}

impl Steering {
    /// What Waypost does by itself: no answer of a policy, and no wish of a person.
    pub fn is_our_own(self) -> bool {
        matches!(self, Self::Sever | Self::Interrupt)
    }
}

facts! {
    /// The bounds within which a policy may choose.
    pub struct Bounds {
        /// Most downtime that may be set, ms.
        pub max_downtime_ms: u64,
        /// Most bandwidth that may be set, MiB/s; none: no bound but the link.
        pub max_bandwidth_mib_s: Option<u64>,
        /// Least that the guest may be slowed down by order, percent.
        pub least_throttle_percent: u64,
        /// What may be answered at all; not what a host refused again and again.
        pub permitted: Vec<Steering>,
        /// Time for the whole transfer, s.
        pub timeout_s: u64,
    }

    /// How a transfer opens. What is none is left as the request has it.
    pub struct Opening {
        /// Downtime limit from the start, ms.
        pub max_downtime_ms: Option<u64>,
        /// Slow the guest down where the transfer does not converge.
        pub auto_converge: Option<bool>,
        /// First slow-down, percent.
        pub auto_converge_initial: Option<u32>,
        /// Each further one, percent.
        pub auto_converge_increment: Option<u32>,
        /// Why, for the record.
        pub reason: String,
    }

    /// What was expected of the transfer before it began.
    pub struct Prediction {
        /// Pages dirtied per second, measured; times the page size. 0 for a guest that stands still all the while.
        pub dirty_bytes_per_s: u64,
        /// Bandwidth that was reckoned with, bytes/s.
        pub bandwidth_bytes_per_s: u64,
        /// Where that is known from.
        pub bandwidth_from: BandwidthFrom,
        /// Whether it can converge at all.
        pub converges: bool,
        /// Time for the whole, ms; none where it does not converge, or nobody knows how long its disks take.
        pub total_ms: Option<u64>,
        /// Downtime, ms; none where it does not converge.
        pub downtime_ms: Option<u64>,
    }
}

/// What a guest does, measured for a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Activity {
    /// Memory that it dirties, bytes per second.
    pub dirty_bytes_per_s: u64,
    /// Memory that its process holds: what it never touched travels as good as free. None where the host can't tell.
    pub resident_bytes: Option<u64>,
}

/// A bandwidth to reckon with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bandwidth {
    /// How much, bytes per second.
    pub bytes_per_s: u64,
    /// Where it is known from.
    pub from: BandwidthFrom,
}

/// What was measured of a guest before its transfer, and what that asks of a network: all that can be said where nobody knows
/// what the network carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writing {
    /// Memory that it dirties, bytes per second.
    pub dirty_bytes_per_s: u64,
    /// Memory that its process holds; none where the host can't tell.
    pub resident_bytes: Option<u64>,
    /// It converges over any network that carries more than this, bytes per second.
    pub converges_above_bytes_per_s: u64,
}

impl Writing {
    /// Of a guest with so much memory, and that downtime limit.
    ///
    /// Passes get shorter where the network carries more than the guest dirties. Where it carries less, each pass leaves all that
    /// the guest holds, and only a network that sends all of that within the downtime limit brings it to an end.
    pub fn of(activity: &Activity, memory: u64, max_downtime_ms: Option<u64>) -> Self {
        let limit_ms = max_downtime_ms.unwrap_or(USUAL_DOWNTIME_MS).max(1);
        let at_once = activity.held(memory).saturating_mul(1000) / limit_ms;
        Self {
            dirty_bytes_per_s: activity.dirty_bytes_per_s,
            resident_bytes: activity.resident_bytes,
            converges_above_bytes_per_s: activity.dirty_bytes_per_s.min(at_once),
        }
    }
}

impl Activity {
    /// The same guest while it stands still: what it holds stays, and nothing is dirtied.
    pub fn standing_still(self) -> Self {
        Self { dirty_bytes_per_s: 0, ..self }
    }

    /// What has to travel of so much memory.
    fn held(&self, memory: u64) -> u64 {
        self.resident_bytes.unwrap_or(memory).min(memory)
    }
}

/// libvirt's downtime limit where nobody sets one.
const USUAL_DOWNTIME_MS: u64 = 300;

/// What is to be expected: pass after pass, each as long as what is left takes, and leaving what is dirtied meanwhile -
/// as hypervisors go about it - until the rest fits into the downtime limit.
pub fn predict(activity: &Activity, memory: u64, bandwidth: Bandwidth, max_downtime_ms: Option<u64>) -> Prediction {
    let time_ms = |bytes: u64| bytes.saturating_mul(1000) / bandwidth.bytes_per_s.max(1);
    let limit_ms = max_downtime_ms.unwrap_or(USUAL_DOWNTIME_MS);
    let held = activity.held(memory);
    let expected = |converges, total_ms, downtime_ms| Prediction {
        dirty_bytes_per_s: activity.dirty_bytes_per_s,
        bandwidth_bytes_per_s: bandwidth.bytes_per_s,
        bandwidth_from: bandwidth.from,
        converges,
        total_ms,
        downtime_ms,
    };
    let (mut left, mut total_ms) = (held, 0_u64);
    // A pass that leaves as much as the one before shows that no later one will leave less.
    for _ in 0..PASSES {
        let pass_ms = time_ms(left);
        total_ms = total_ms.saturating_add(pass_ms);
        let dirtied = (u128::from(activity.dirty_bytes_per_s) * u128::from(pass_ms) / 1000).min(u128::from(held));
        let next = u64::try_from(dirtied).unwrap_or(held);
        if time_ms(next) <= limit_ms {
            return expected(true, Some(total_ms.saturating_add(time_ms(next))), Some(time_ms(next)));
        }
        if next >= left {
            break;
        }
        left = next;
    }
    expected(false, None, None)
}

impl Prediction {
    /// Of a guest that stands still while its memory travels: that is its downtime.
    pub fn standing_still(self) -> Self {
        Self { downtime_ms: self.total_ms, ..self }
    }

    /// With disks that are copied before the memory and carried as fast; of none nobody knows how much there is to copy, or how
    /// fast. The guest runs meanwhile, so its downtime stays.
    pub fn with_disks(self, bytes: Option<u64>) -> Self {
        let disks_ms = bytes.map(|bytes| bytes.saturating_mul(1000) / self.bandwidth_bytes_per_s.max(1));
        let total_ms = self.total_ms.zip(disks_ms).map(|(memory, disks)| memory.saturating_add(disks));
        Self { total_ms, ..self }
    }
}

/// More passes than any transfer that converges needs: each leaves less than the one before.
const PASSES: usize = 1000;

/// Something that was done to the transfer earlier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Steered {
    /// When, ms since the transfer began.
    pub at_ms: u64,
    /// What.
    pub action: Steering,
    /// With which value.
    pub value: Option<u64>,
}

/// What is asked before the start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpeningQuestion {
    /// The plan, as it is without the policy.
    pub plan: Plan,
    /// Memory of the domain, bytes.
    pub memory_bytes: u64,
    /// vCPUs.
    pub vcpus: u32,
    /// Bounds.
    pub bounds: Bounds,
    /// What is expected, where it was measured and a bandwidth is known.
    pub prediction: Option<Prediction>,
    /// What was measured, also where no bandwidth is known.
    pub writing: Option<Writing>,
    /// Now.
    pub decided_at: Moment,
}

/// What is asked while it runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringQuestion {
    /// The plan, with the opening in it.
    pub plan: Plan,
    /// Memory of the domain, bytes.
    pub memory_bytes: u64,
    /// Bounds.
    pub bounds: Bounds,
    /// Time since the transfer began, ms.
    pub elapsed_ms: u64,
    /// The readings so far, oldest first; of a long transfer the last [`HISTORY`].
    pub samples: Vec<Sample>,
    /// The first reading since each pass over the memory began, oldest first, or a later one of the same pass with more left: the
    /// first may come before it was counted. Passes that were over before anything could be read share the next one's figures.
    /// Of a transfer with very many passes the first and the last ones.
    pub passes: Vec<Sample>,
    /// What was done so far, oldest first.
    pub steered: Vec<Steered>,
    /// Now.
    pub decided_at: Moment,
}

/// So many readings are given to a policy: two minutes.
pub const HISTORY: usize = 240;
/// The newest reading beside, they are so far apart at least, ms.
pub const SPACING_MS: u64 = 500;

/// What it chose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SteeringAnswer {
    /// What to do.
    pub action: Steering,
    /// With which value: ms for a downtime, MiB/s for a bandwidth, percent for a throttle.
    pub value: Option<u64>,
    /// Why, for the record.
    pub reason: String,
}

impl SteeringAnswer {
    /// The safe answer of the hook.
    pub fn hold(reason: impl Into<String>) -> Self {
        Self { action: Steering::Hold, value: None, reason: reason.into() }
    }

    /// The answer within the bounds: what isn't permitted, or has no value where it needs one, is a hold.
    pub fn within(self, bounds: &Bounds) -> Self {
        if self.action == Steering::Hold {
            return Self { value: None, ..self };
        }
        if !bounds.permitted.contains(&self.action) {
            return Self::hold(format!("{} is not permitted here ({})", self.action, self.reason));
        }
        let named = self.value.filter(|value| *value > 0);
        let clamp = |most: u64| named.map(|value| value.min(most));
        let value = match self.action {
            Steering::SetDowntime => clamp(bounds.max_downtime_ms),
            Steering::SetBandwidth => clamp(bounds.max_bandwidth_mib_s.unwrap_or(u64::MAX)),
            Steering::SetThrottle => {
                named.map(|percent| percent.max(bounds.least_throttle_percent).min(MOST_THROTTLE_PERCENT))
            }
            _ => return Self { value: None, ..self },
        };
        match value {
            Some(value) => Self { value: Some(value), ..self },
            None => Self::hold(format!("{} without a value ({})", self.action, self.reason)),
        }
    }
}

impl Opening {
    /// The plan as this opens it, within the bounds. What the request says of the same thing stays: a person named it.
    pub fn applied(self, mut plan: Plan, bounds: &Bounds) -> Plan {
        let percent = |value: Option<u32>| value.map(|percent| percent.clamp(1, 99));
        let mut done = Vec::new();
        if plan.max_downtime_ms.is_none()
            && bounds.permitted.contains(&Steering::SetDowntime)
            && let Some(ms) = self.max_downtime_ms.filter(|ms| *ms > 0)
        {
            let ms = ms.min(bounds.max_downtime_ms);
            plan.max_downtime_ms = Some(ms);
            done.push(format!("a downtime limit of {ms} ms"));
        }
        let runs = bounds.permitted.contains(&Steering::SetDowntime);
        if runs && !plan.stream.auto_converge && self.auto_converge == Some(true) {
            plan.stream.auto_converge = true;
            plan.stream.auto_converge_initial = percent(self.auto_converge_initial);
            plan.stream.auto_converge_increment = percent(self.auto_converge_increment);
            done.push("auto-converge".to_owned());
        }
        if !done.is_empty() {
            plan.notes.0.push(format!("the convergence policy opens with {}: {}", done.join(" and "), self.reason));
        }
        plan
    }

    /// An opening that changes nothing.
    pub fn unchanged(reason: impl Into<String>) -> Self {
        Self {
            max_downtime_ms: None,
            auto_converge: None,
            auto_converge_initial: None,
            auto_converge_increment: None,
            reason: reason.into(),
        }
    }

    /// The opening within the bounds: no more downtime than is allowed, percentages from 1 to 99. A downtime of 0 is none.
    pub fn within(self, bounds: &Bounds) -> Self {
        let percent = |value: Option<u32>| value.map(|value| value.clamp(1, 99));
        Self {
            max_downtime_ms: self.max_downtime_ms.filter(|ms| *ms > 0).map(|ms| ms.min(bounds.max_downtime_ms)),
            auto_converge_initial: percent(self.auto_converge_initial),
            auto_converge_increment: percent(self.auto_converge_increment),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds() -> Bounds {
        Bounds {
            max_downtime_ms: 2000,
            max_bandwidth_mib_s: Some(100),
            least_throttle_percent: 30,
            permitted: vec![Steering::SetDowntime, Steering::SetBandwidth, Steering::SetThrottle, Steering::Abort],
            timeout_s: 600,
        }
    }

    fn answer(action: Steering, value: Option<u64>) -> SteeringAnswer {
        SteeringAnswer { action, value, reason: "r".into() }.within(&bounds())
    }

    #[test]
    fn an_answer_is_kept_within_its_bounds() {
        assert_eq!(answer(Steering::SetDowntime, Some(500)).value, Some(500));
        assert_eq!(answer(Steering::SetDowntime, Some(9000)).value, Some(2000));
        assert_eq!(answer(Steering::SetBandwidth, Some(9000)).value, Some(100));
        for (percent, within) in [(1, 30), (30, 30), (64, 64), (99, 99), (100, 99)] {
            assert_eq!(answer(Steering::SetThrottle, Some(percent)).value, Some(within), "{percent} %");
        }
        assert_eq!(
            answer(Steering::Abort, Some(1)),
            SteeringAnswer { action: Steering::Abort, value: None, reason: "r".into() }
        );
    }

    #[test]
    fn a_prediction_follows_the_passes() {
        let carried = |bytes_per_s| Bandwidth { bytes_per_s, from: BandwidthFrom::Limit };
        let quiet = Activity { dirty_bytes_per_s: 0, resident_bytes: Some(100 << 20) };
        let expected = predict(&quiet, 256 << 20, carried(10 << 20), None);
        assert_eq!((expected.converges, expected.total_ms, expected.downtime_ms), (true, Some(10_000), Some(0)));
        // 10 s leave 10 MiB, which take 1 s, which leaves 1 MiB: 100 ms.
        let busy = Activity { dirty_bytes_per_s: 1 << 20, ..quiet };
        let expected = predict(&busy, 256 << 20, carried(10 << 20), None);
        assert_eq!((expected.total_ms, expected.downtime_ms), (Some(11_100), Some(100)));
        let patient = predict(&busy, 256 << 20, carried(10 << 20), Some(1000));
        assert_eq!((patient.total_ms, patient.downtime_ms), (Some(11_000), Some(1000)));
        let hot = Activity { dirty_bytes_per_s: 10 << 20, ..quiet };
        assert!(!predict(&hot, 256 << 20, carried(10 << 20), None).converges);
        assert!(!predict(&hot, 256 << 20, carried(0), None).converges, "no bandwidth at all");
    }

    #[test]
    fn a_guest_that_stands_still_arrives_whatever_it_wrote_and_its_disks_come_first() {
        let bandwidth = Bandwidth { bytes_per_s: 10 << 20, from: BandwidthFrom::Network };
        let hot = Activity { dirty_bytes_per_s: 10 << 20, resident_bytes: Some(100 << 20) };
        let still = predict(&hot.standing_still(), 256 << 20, bandwidth, Some(50)).standing_still();
        assert_eq!(still.dirty_bytes_per_s, 0);
        assert_eq!((still.converges, still.total_ms, still.downtime_ms), (true, Some(10_000), Some(10_000)));
        assert_eq!(Writing::of(&hot.standing_still(), 256 << 20, Some(50)).converges_above_bytes_per_s, 0);

        let with_disks = |bytes| still.clone().with_disks(bytes);
        assert_eq!((with_disks(Some(5 << 20)).total_ms, with_disks(Some(0)).total_ms), (Some(10_500), Some(10_000)));
        assert_eq!(with_disks(Some(5 << 20)).downtime_ms, Some(10_000));
        let unknown = with_disks(None);
        assert_eq!((unknown.converges, unknown.total_ms, unknown.downtime_ms), (true, None, Some(10_000)));
        let endless = predict(&hot, 256 << 20, bandwidth, Some(50));
        assert_eq!((endless.converges, endless.with_disks(Some(1)).total_ms), (false, None));
    }

    /// What is said where nobody knows the bandwidth is what the prediction comes to once somebody does.
    #[test]
    fn a_guest_converges_above_the_bandwidth_that_its_writing_asks_for_and_not_below() {
        let (mut by_rate, mut by_size) = (0, 0);
        for dirty_mib_s in [1, 7, 40, 300, 2000] {
            for held_mib in [16, 128, 900, 4096] {
                for downtime in [None, Some(100), Some(5000)] {
                    let activity =
                        Activity { dirty_bytes_per_s: dirty_mib_s << 20, resident_bytes: Some(held_mib << 20) };
                    let asked = Writing::of(&activity, 8192 << 20, downtime);
                    let above = asked.converges_above_bytes_per_s;
                    *(if above == asked.dirty_bytes_per_s { &mut by_rate } else { &mut by_size }) += 1;
                    let converges = |bytes_per_s| {
                        let bandwidth = Bandwidth { bytes_per_s, from: BandwidthFrom::EarlierTransfers };
                        predict(&activity, 8192 << 20, bandwidth, downtime).converges
                    };
                    assert!(converges(above + above / 20), "{activity:?}, {downtime:?}: {asked:?}");
                    assert!(!converges(above - above / 20), "{activity:?}, {downtime:?}: {asked:?}");
                }
            }
        }
        assert!(by_rate > 0 && by_size > 0, "both reasons were met: {by_rate}, {by_size}");
        let quiet = Activity { dirty_bytes_per_s: 0, resident_bytes: None };
        assert_eq!(Writing::of(&quiet, 1 << 30, None).converges_above_bytes_per_s, 0, "any network will do");
    }

    #[test]
    fn an_opening_is_kept_within_its_bounds() {
        let greedy = Opening {
            max_downtime_ms: Some(9000),
            auto_converge: Some(true),
            auto_converge_initial: Some(0),
            auto_converge_increment: Some(300),
            reason: "r".into(),
        };
        let kept = greedy.within(&bounds());
        assert_eq!(kept.max_downtime_ms, Some(2000));
        assert_eq!((kept.auto_converge_initial, kept.auto_converge_increment), (Some(1), Some(99)));
        assert_eq!(kept.auto_converge, Some(true));
        let none = Opening { max_downtime_ms: Some(0), ..Opening::unchanged("r") };
        assert_eq!(none.within(&bounds()).max_downtime_ms, None);
    }

    #[test]
    fn what_is_not_permitted_or_lacks_its_value_holds() {
        for (action, value) in [
            (Steering::PostCopy, None),
            (Steering::Suspend, None),
            (Steering::SetDowntime, None),
            (Steering::SetBandwidth, Some(0)),
            (Steering::SetThrottle, None),
            (Steering::SetThrottle, Some(0)),
        ] {
            assert_eq!(answer(action, value).action, Steering::Hold, "{action}");
        }
    }
}
