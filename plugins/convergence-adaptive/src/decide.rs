//! The order of the decisions, and their reasons in figures. The order in words is in the crate's first paragraph.

use waypost_plugin::text::bytes;
use waypost_plugin::{SteeringAnswer, SteeringQuestion};

use crate::history::{self, Stall};
use crate::settings::Settings;

/// How long an order may take to show, ms.
const TAKES_EFFECT_MS: u64 = 3000;
/// Downtimes are set in such steps, ms: a limit that follows every reading would be set at every reading.
const STEP_MS: u64 = 10;
/// The limit that is in force where nobody set one, ms: what hypervisors usually begin with. A lower one is never set.
const USUAL_DOWNTIME_MS: u64 = 300;
/// Room in a downtime for what the estimate doesn't know (devices, the last dirtied pages), percent.
const ROOM_PERCENT: u64 = 20;

pub fn decide(question: &SteeringQuestion, settings: &Settings) -> SteeringAnswer {
    let Some(newest) = question.newest().filter(|newest| newest.processed_bytes > 0) else {
        return SteeringAnswer::hold("nothing was moved yet");
    };
    if newest.is_post_copy() {
        return SteeringAnswer::hold("post-copy runs: what is left follows");
    }
    if let Some(last) = question.steered.last()
        && question.elapsed_ms.saturating_sub(last.at_ms) < TAKES_EFFECT_MS
    {
        return SteeringAnswer::hold(format!("{} takes effect", last.action));
    }
    if question.was_done("suspend") {
        return SteeringAnswer::hold(format!("the guest stands still; {} are left", bytes(newest.remaining_bytes)));
    }
    let view = history::bandwidth(&question.samples, settings.newest_percent)
        .map(|rate| View::of(question, settings, rate))
        .filter(|view| !history::stands_still(&question.samples, view.window_ms));
    match view {
        Some(view) => view.decide(),
        // Post-copy over a link that carries nothing would leave the guest in two halves.
        None => SteeringAnswer::hold("nothing moves: whether that is the end of it is not a question of convergence"),
    }
}

struct View<'a> {
    question: &'a SteeringQuestion,
    settings: &'a Settings,
    rate: u64,
    limit_ms: u64,
    window_ms: u64,
    stall: Option<Stall>,
}

impl<'a> View<'a> {
    fn of(question: &'a SteeringQuestion, settings: &'a Settings, rate: u64) -> Self {
        let limit_ms = question.bounds.timeout_s.saturating_mul(1000);
        let window_ms = (settings.window_s * 1000).min(limit_ms / 4).max(1);
        let stall = history::stall(question, window_ms, settings.margin_percent);
        Self { question, settings, rate, limit_ms, window_ms, stall }
    }

    fn decide(&self) -> SteeringAnswer {
        let urgent = self.urgent();
        let Some(stall) = self.stall else {
            return match urgent {
                Some(why) => self.force(&why),
                None => {
                    SteeringAnswer::hold(format!("{}: it gets smaller, or it is too early to tell", self.figures()))
                }
            };
        };
        let (seconds, best) = (stall.for_ms / 1000, bytes(stall.best_bytes));
        let stalled = match stall.in_pass {
            false => format!("{}; for {seconds} s no pass has begun with clearly less than {best}", self.figures()),
            true => format!("{}, and have been for {seconds} s", self.figures()),
        };
        if let Some(answer) = self.downtime(&stalled) {
            return answer;
        }
        if let Some(why) = urgent {
            return self.force(&format!("{stalled}; {why}"));
        }
        if let Some((before, now)) = history::throttled_further(self.question, self.window_ms) {
            return SteeringAnswer::hold(format!("{stalled}; the guest is slowed down from {before} to {now} %"));
        }
        match self.resort() {
            Some("post-copy") => self.post_copy(stall, stalled),
            Some(resort) => SteeringAnswer::hold(format!("{stalled}; {resort} only shortly before the time limit")),
            None => self.hopeless(stall, stalled),
        }
    }

    fn figures(&self) -> String {
        let left = self.question.newest().map_or(0, |newest| newest.remaining_bytes);
        format!("{} are left at {}/s", bytes(left), bytes(self.rate))
    }

    /// A downtime within the bound into which a pass's leavings fit, where it isn't set yet. A limit that is too low costs
    /// a pass and is raised; one that is too high is a guest that stands still for longer than it had to. So the estimate
    /// that is kinder to the guest counts: a busy host's readings dip for a second at a time.
    fn downtime(&self, stalled: &str) -> Option<SteeringAnswer> {
        let bound = self.question.bounds.max_downtime_ms;
        let burden = history::burden(self.question);
        let sustained = history::sustained(&self.question.samples, self.window_ms);
        let rate = sustained.map_or(self.rate, |sustained| sustained.max(self.rate));
        let with_room = time_for(burden, rate).saturating_mul(100 + ROOM_PERCENT) / 100;
        let needed = with_room.max(1).div_ceil(STEP_MS).saturating_mul(STEP_MS);
        let in_force = self.question.transfer.max_downtime_ms.unwrap_or(USUAL_DOWNTIME_MS);
        let fits = needed <= bound && needed > in_force && self.question.bounds.permits("set-downtime");
        fits.then(|| {
            let words = format!("{stalled}; a pass leaves {}, which {needed} ms of downtime carry", bytes(burden));
            SteeringAnswer::set_downtime(needed, format!("{words} (bound {bound} ms, now {in_force} ms)"))
        })
    }

    /// Why the end has to be forced now, if the rest is to be carried before the time limit.
    fn urgent(&self) -> Option<String> {
        let elapsed = self.question.elapsed_ms;
        // Half of a short time limit is the transfer's own.
        if elapsed < self.limit_ms / 2 {
            return None;
        }
        let rest = history::rest(self.question);
        let needed = time_for(rest, self.rate).saturating_mul(3) / 2;
        let left = self.limit_ms.saturating_sub(elapsed);
        (left <= needed.saturating_add(self.settings.reserve_s * 1000)).then(|| {
            let (left, needed) = (left / 1000, needed.div_ceil(1000));
            format!("{left} s of the time limit are left and the rest may take {needed} s")
        })
    }

    /// The first of the site's list that is possible and wasn't tried.
    fn resort(&self) -> Option<&'a str> {
        let possible = |resort: &&str| {
            let prepared = *resort != "post-copy" || self.question.transfer.post_copy;
            prepared && self.question.bounds.permits(resort) && !self.question.was_done(resort)
        };
        self.settings.last_resort.iter().map(String::as_str).find(possible)
    }

    fn force(&self, why: &str) -> SteeringAnswer {
        match self.resort() {
            Some(resort) => SteeringAnswer::of(resort, why),
            None => SteeringAnswer::hold(format!("{why}; nothing that could force it is possible")),
        }
    }

    fn post_copy(&self, stall: Stall, stalled: String) -> SteeringAnswer {
        let elapsed = self.question.elapsed_ms;
        let own_ms = (self.settings.own_time_s * 1000).min(self.limit_ms / 2);
        if elapsed < own_ms {
            return SteeringAnswer::hold(format!("{stalled}; the first {} s are the transfer's own", own_ms / 1000));
        }
        let looked_ms = self.window_ms + self.settings.switchover_s * 1000;
        if history::at_local_minimum(self.question, self.window_ms, self.settings.margin_percent) {
            return SteeringAnswer::of("post-copy", format!("{stalled}; this is a local minimum"));
        }
        if stall.for_ms >= looked_ms {
            return SteeringAnswer::of("post-copy", format!("{stalled}; no lower minimum was met"));
        }
        SteeringAnswer::hold(format!("{stalled}; waits for a local minimum"))
    }

    fn hopeless(&self, stall: Stall, stalled: String) -> SteeringAnswer {
        let patience_s = self.settings.abort_after_s;
        let gives_up = patience_s > 0 && stall.for_ms >= patience_s * 1000 && self.question.bounds.permits("abort");
        if gives_up {
            return SteeringAnswer::of("abort", format!("{stalled}, and nothing else is possible"));
        }
        SteeringAnswer::hold(format!("{stalled}; nothing that could end it is possible"))
    }
}

/// Time to carry so much at that rate, ms.
fn time_for(amount: u64, rate: u64) -> u64 {
    u64::try_from(u128::from(amount) * 1000 / u128::from(rate.max(1))).unwrap_or(u64::MAX)
}
