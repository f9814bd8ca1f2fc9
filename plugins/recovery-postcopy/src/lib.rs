//! For sites that use post-copy: what broke while the guest's memory was on both sides is joined again, with patience.
//!
//! A guest in post-copy can't be taken back: its newest memory is on the destination and the rest on the source. As long
//! as both processes live nothing is lost, so this policy keeps trying: it interrupts the source where that has not
//! noticed, resumes later each time, and hands over only when that has failed often. A destination that has not noticed
//! refuses to be joined; that costs nothing but the next wait. Everything else is done as `recovery-conservative` does it.

use serde::Deserialize;
use waypost_plugin::recovery::{Patience, answer, permits, proven};
use waypost_plugin::{Answer, Question, Recovery, export_recovery, settings};

/// The policy.
pub struct PostCopy;

/// What a site may set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Settings {
    /// Looks at unreachable hosts before a person is asked.
    give_up_after_looks: u32,
    /// Tries to resume an interrupted post-copy before a person is asked.
    resumes: u32,
    /// Looks at a post-copy of which neither side says that it broke, and that nobody waits for any more, before it is
    /// interrupted so that it can be resumed.
    interrupt_after_looks: u32,
}

impl Default for Settings {
    fn default() -> Self {
        // With the delays of the shipped policies: about half an hour, longer than most repairs of a network.
        Self { give_up_after_looks: 20, resumes: 60, interrupt_after_looks: 10 }
    }
}

impl Recovery for PostCopy {
    fn decide(question: &Question) -> Answer {
        let settings = read_settings(&settings()).unwrap_or_default();
        let flows = permits(question, "interrupt-post-copy") && !permits(question, "hand-over");
        if flows && question.look > settings.interrupt_after_looks {
            return answer("interrupt-post-copy", 0, "nothing came of it for long: it is interrupted, to be resumed");
        }
        proven(question, Patience { looks: settings.give_up_after_looks, resumes: settings.resumes })
    }

    fn validate_settings(settings: &str) -> Result<(), String> {
        read_settings(settings).map(|_| ())
    }
}

fn read_settings(text: &str) -> Result<Settings, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    // serde would take a list for a struct's fields in their order.
    if !text.trim_start().starts_with('{') {
        return Err("settings must be a JSON object".to_owned());
    }
    let settings: Settings = serde_json::from_str(text)
        .map_err(|error| format!("{error} (known: give_up_after_looks, resumes, interrupt_after_looks)"))?;
    if settings.give_up_after_looks == 0 || settings.resumes == 0 || settings.interrupt_after_looks == 0 {
        return Err("give_up_after_looks, resumes and interrupt_after_looks must be at least 1".to_owned());
    }
    Ok(settings)
}

export_recovery!(PostCopy);

#[cfg(test)]
mod tests {
    use waypost_plugin::Deed;
    use waypost_plugin::testing::{question_with, with_settings};

    use super::*;

    fn decide(permitted: &[&str], change: impl FnOnce(&mut Question)) -> Answer {
        PostCopy::decide(&question_with(|question| {
            question.permitted = permitted.iter().map(|&action| action.to_owned()).collect();
            change(question);
        }))
    }

    #[test]
    fn it_tries_long_and_then_calls_a_person() {
        let tried = |times: usize| {
            decide(&["resume-post-copy", "wait", "hand-over"], |question| {
                question.done = vec![Deed { action: "resume-post-copy".into(), error: Some("cut".into()) }; times];
            })
        };
        assert_eq!(tried(59).action, "resume-post-copy");
        assert_eq!(tried(60).action, "hand-over");
        let short = with_settings(r#"{"resumes": 1}"#, || tried(1));
        assert_eq!(short.action, "hand-over");
    }

    #[test]
    fn a_side_that_has_not_noticed_is_interrupted() {
        assert_eq!(decide(&["interrupt-post-copy", "wait", "hand-over"], |_| {}).action, "interrupt-post-copy");
        let flows = ["wait", "interrupt-post-copy"];
        assert_eq!(decide(&flows, |question| question.look = 10).action, "wait");
        assert_eq!(decide(&flows, |question| question.look = 11).action, "interrupt-post-copy");
    }

    #[test]
    fn elsewhere_it_is_the_conservative_one() {
        assert_eq!(decide(&["accept-source", "try-again", "hand-over"], |_| {}).action, "accept-source");
        assert_eq!(decide(&["hand-over"], |_| {}).action, "hand-over");
    }

    #[test]
    fn settings_that_cannot_be_meant_are_refused() {
        for bad in ["[]", r#"{"resumes": 0}"#, r#"{"retries": 1}"#] {
            assert!(PostCopy::validate_settings(bad).is_err(), "{bad}");
        }
    }
}
