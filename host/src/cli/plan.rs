//! A plan for people: its choices, one line each, its edits and its notes.

use waypost::api::v1::{Choice, Edit, Plan, Prediction, Writing};

use super::output::{Out, Tone, duration};

/// An edit of the definition in words, with who wants it and why.
pub fn edit_words(edit: &Edit) -> String {
    format!("edit {edit}  [{}: {}]", edit.plugin, edit.reason)
}

/// The plan for people; of the choices those that are its own.
pub fn show(out: &Out, plan: &Plan, choices: &[Choice]) {
    out.line(out.tone(Tone::Strong, "plan"));
    for choice in choices.iter().filter(|choice| !choice.around) {
        out.line(format!("  {choice}"));
    }
    for edit in &plan.edits {
        out.line(format!("  {}", edit_words(edit)));
    }
    for note in &plan.notes {
        out.line(format!("  note: {note}"));
    }
}

/// What is expected of the transfer, for people: nothing where nothing was measured.
pub fn show_expected(out: &Out, plan: &Plan, prediction: Option<&Prediction>, writing: Option<&Writing>) {
    let lines = match (prediction, writing) {
        (Some(prediction), _) => foretold(prediction, stands_still(plan)),
        (None, Some(writing)) => unknown(writing, stands_still(plan)),
        (None, None) => return,
    };
    out.line(out.tone(Tone::Strong, "expected"));
    lines.iter().for_each(|line| out.line(format!("  {line}")));
}

/// Whether the guest stands still while its memory travels: what is reckoned with then was not measured.
fn stands_still(plan: &Plan) -> bool {
    plan.stream.get("stands_still").and_then(serde_json::Value::as_bool) == Some(true)
}

fn dirties(bytes_per_s: u64, still: bool) -> String {
    if still {
        "the guest stands still meanwhile and writes nothing".to_owned()
    } else {
        format!("the guest dirties {}", mib_s(bytes_per_s))
    }
}

fn foretold(prediction: &Prediction, still: bool) -> [String; 2] {
    let from = match prediction.bandwidth_from.as_str() {
        "network" => ", as the network is declared",
        "earlier-transfers" => ", as the fastest of the last transfers between these hosts did",
        _ => "",
    };
    let (dirties, carried) = (dirties(prediction.dirty_bytes_per_s, still), mib_s(prediction.bandwidth_bytes_per_s));
    let comes_to = match (prediction.total_ms, prediction.downtime_ms) {
        (Some(total), Some(downtime)) => {
            format!("it takes about {}, and the guest stands still for about {}", duration(total), duration(downtime))
        }
        (None, Some(downtime)) => {
            format!("how long its disks take is not known; the guest stands still for about {}", duration(downtime))
        }
        _ => "by itself it does not come to an end within the downtime limit".to_owned(),
    };
    [format!("{dirties}, {carried} are carried{from}"), comes_to]
}

fn unknown(writing: &Writing, still: bool) -> [String; 2] {
    let converges = match writing.converges_above_bytes_per_s {
        0 => "it converges over any network; how long it takes is not known: no bandwidth is known".to_owned(),
        above => {
            let above = mib_s(above);
            format!("convergence unknown: no bandwidth is known; it converges over any network faster than {above}")
        }
    };
    [dirties(writing.dirty_bytes_per_s, still), converges]
}

/// A rate; of a low one the first decimal counts.
fn mib_s(bytes: u64) -> String {
    let tenths = bytes.saturating_mul(10).div_ceil(1 << 20);
    match tenths {
        0..100 if !tenths.is_multiple_of(10) => format!("{}.{} MiB/s", tenths / 10, tenths % 10),
        _ => format!("{} MiB/s", tenths / 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_foretold_says_where_its_bandwidth_is_from() {
        let prediction = |from: &str| Prediction {
            dirty_bytes_per_s: 40 << 20,
            bandwidth_bytes_per_s: 100 << 20,
            bandwidth_from: from.into(),
            converges: true,
            total_ms: Some(3000),
            downtime_ms: Some(120),
        };
        let [rates, time] = foretold(&prediction("limit"), false);
        assert_eq!(rates, "the guest dirties 40 MiB/s, 100 MiB/s are carried");
        assert!(time.ends_with("the guest stands still for about 120 ms"), "{time}");
        let still = Prediction { downtime_ms: Some(3000), ..prediction("limit") };
        assert_eq!(foretold(&still, true)[1], "it takes about 3.0 s, and the guest stands still for about 3.0 s");
        let with_disks = Prediction { total_ms: None, ..prediction("limit") };
        let words = "how long its disks take is not known; the guest stands still for about 120 ms";
        assert_eq!(foretold(&with_disks, false)[1], words);
        let endless = Prediction { converges: false, downtime_ms: None, ..with_disks };
        assert_eq!(foretold(&endless, false)[1], "by itself it does not come to an end within the downtime limit");
        assert!(foretold(&prediction("network"), false)[0].ends_with("as the network is declared"));
        assert!(foretold(&prediction("earlier-transfers"), false)[0].contains("the fastest of the last transfers"));
    }

    #[test]
    fn without_a_bandwidth_it_says_which_would_do() {
        let writing =
            |above| Writing { dirty_bytes_per_s: 3 << 19, resident_bytes: None, converges_above_bytes_per_s: above };
        let [rate, asked] = unknown(&writing(3 << 19), false);
        assert_eq!(rate, "the guest dirties 1.5 MiB/s");
        let words = "convergence unknown: no bandwidth is known; it converges over any network faster than 1.5 MiB/s";
        assert_eq!(asked, words);
        let words = "it converges over any network; how long it takes is not known: no bandwidth is known";
        assert_eq!(unknown(&writing(0), false)[1], words);
    }

    /// Its writing is left out of the reckoning, and was not measured to be none.
    #[test]
    fn of_a_guest_that_stands_still_no_writing_is_told() {
        let words = "the guest stands still meanwhile and writes nothing";
        let prediction = Prediction {
            dirty_bytes_per_s: 0,
            bandwidth_bytes_per_s: 100 << 20,
            bandwidth_from: "limit".into(),
            converges: true,
            total_ms: Some(3000),
            downtime_ms: Some(3000),
        };
        assert_eq!(foretold(&prediction, true)[0], format!("{words}, 100 MiB/s are carried"));
        let writing = Writing { dirty_bytes_per_s: 0, resident_bytes: None, converges_above_bytes_per_s: 0 };
        assert_eq!(unknown(&writing, true)[0], words);
        assert_eq!(unknown(&writing, false)[0], "the guest dirties 0 MiB/s");

        let plan = waypost::core::testing::plan();
        let still = waypost::core::stream::Stream { stands_still: true, ..plan.stream.clone() };
        assert!(!stands_still(&Plan::from(&plan)));
        assert!(stands_still(&Plan::from(&waypost::core::plan::Plan { stream: still, ..plan })));
    }
}
