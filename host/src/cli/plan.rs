//! A plan for people: its choices, one line each, its edits and its notes.

use waypost::api::v1::{Choice, Edit, Plan, Prediction};

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

/// What is expected of the transfer, for people.
pub fn show_prediction(out: &Out, prediction: &Prediction) {
    let mib_s = |bytes: u64| bytes >> 20;
    out.line(out.tone(Tone::Strong, "expected"));
    out.line(format!(
        "  the guest dirties {} MiB/s, {} MiB/s are carried",
        mib_s(prediction.dirty_bytes_per_s),
        mib_s(prediction.bandwidth_bytes_per_s)
    ));
    out.line(match (prediction.total_ms, prediction.downtime_ms) {
        (Some(total), Some(downtime)) => {
            format!("  it takes about {}, and the guest stands still for about {downtime} ms", duration(total))
        }
        _ => "  by itself it does not come to an end within the downtime limit".to_owned(),
    });
}
