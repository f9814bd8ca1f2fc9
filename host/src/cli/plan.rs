//! A plan in words, one line per choice.

use waypost::core::convergence::Prediction;
use waypost::core::plan::{Autostart, Before, DestinationFate, Plan, RunState, SourceFate, TransferMode};
use waypost::core::request::StorageSafety;

use super::output::{Out, Tone, duration};

/// The plan for people.
pub fn show(out: &Out, plan: &Plan) {
    out.line(out.tone(Tone::Strong, "plan"));
    for line in words(plan) {
        out.line(format!("  {line}"));
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

fn words(plan: &Plan) -> Vec<String> {
    let mut lines = Vec::new();
    let how = match (plan.mode, plan.initially) {
        (TransferMode::Live, RunState::Paused) => "with its memory, paused",
        (TransferMode::Live, _) => "live, with its memory",
        (TransferMode::Offline, _) => "as a definition; it is shut off",
    };
    lines.push(format!("move {} from {} to {}, {how}", plan.name, plan.source.host, plan.destination.host));
    lines.push(format!("peer to peer: the source's libvirt connects to {}", plan.peer_uri));
    if plan.destination_name != plan.name {
        lines.push(format!("name it {} on {}", plan.destination_name, plan.destination.host));
    }
    if plan.finally != plan.initially {
        lines.push(format!("leave it {} there", plan.finally));
    }
    lines.push(match plan.destination_fate {
        DestinationFate::Define => format!(
            "define it on {}{}",
            plan.destination.host,
            if plan.autostart == Autostart::On { ", started with the host" } else { "" }
        ),
        DestinationFate::TransientOnly => format!("only run it on {}, without a definition", plan.destination.host),
    });
    lines.push(match plan.source_fate {
        SourceFate::Undefine => format!("remove its definition from {}", plan.source.host),
        SourceFate::KeepWithoutAutostart => format!("keep its definition on {}, without autostart", plan.source.host),
        SourceFate::None => format!("nothing stays on {}: it is not defined there", plan.source.host),
    });
    if plan.destination_before == Before::Defined {
        lines.push(format!("a shut-off definition of it on {} is replaced", plan.destination.host));
    }
    if plan.storage == StorageSafety::Unsafe {
        lines.push("libvirt's storage check is skipped, as asked for by name".into());
    }
    if plan.mode == TransferMode::Live {
        lines.extend(plan.network.as_ref().map(|network| format!("take the network {network}")));
        lines.push(match &plan.migrate_uri {
            Some(uri) => format!("send the memory to {uri}"),
            None => "send the memory where libvirt on the destination says".into(),
        });
        lines.extend(plan.listen_address.as_ref().map(|address| format!("listen on {address}")));
        lines.push(match plan.bandwidth_mib_s {
            Some(limit) => format!("at most {limit} MiB/s"),
            None => "no bandwidth limit".into(),
        });
        lines.push(match plan.max_downtime_ms {
            Some(ms) => format!("switch over when that takes at most {ms} ms"),
            None => "switch over within the hypervisor's own downtime limit".into(),
        });
    }
    lines.push(format!("abort if it takes longer than {}", duration(plan.timeout_s.saturating_mul(1000))));
    lines.extend(plan.notes.0.iter().map(|note| format!("note: {note}")));
    lines
}
