//! A plan in words, one line per choice.

use waypost::core::convergence::Prediction;
use waypost::core::plan::{Autostart, Before, DestinationFate, Plan, RunState, SourceFate, TransferMode};
use waypost::core::request::StorageSafety;
use waypost::core::stream::{DiskCopy, Disks, Encryption, Stream, Transport};

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
    lines.push(match plan.transport {
        Transport::PeerToPeer => format!("peer to peer: the source's libvirt connects to {}", plan.peer_uri),
        Transport::Direct => format!("direct: this program drives both libvirt daemons, there {}", plan.peer_uri),
        Transport::Tunnelled => {
            format!("tunnelled: the memory goes through the source libvirt's connection to {}", plan.peer_uri)
        }
    });
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
        if plan.transport != Transport::Tunnelled {
            lines.push(match &plan.migrate_uri {
                Some(uri) => format!("send the memory to {uri}"),
                None => "send the memory where libvirt on the destination says".into(),
            });
        }
        lines.extend(plan.listen_address.as_ref().map(|address| format!("listen on {address}")));
        lines.push(match plan.bandwidth_mib_s {
            Some(limit) => format!("at most {limit} MiB/s"),
            None => "no bandwidth limit".into(),
        });
        lines.push(match plan.max_downtime_ms {
            Some(ms) => format!("switch over when that takes at most {ms} ms"),
            None => "switch over within the hypervisor's own downtime limit".into(),
        });
        stream(&plan.stream, &mut lines);
        disks(&plan.disks, &mut lines);
    }
    lines.push(format!("abort if it takes longer than {}", duration(plan.timeout_s.saturating_mul(1000))));
    lines.extend(plan.notes.0.iter().map(|note| format!("note: {note}")));
    lines
}

fn stream(stream: &Stream, lines: &mut Vec<String>) {
    if stream.encryption == Encryption::Required {
        let name = stream.tls_destination.as_ref().map(|name| format!(", whose certificate must name {name}"));
        lines.push(format!("encrypt it with native TLS up to the destination{}", name.unwrap_or_default()));
    }
    if stream.stands_still {
        lines.push("keep the guest paused while its memory is sent".into());
    }
    if let Some(connections) = stream.parallel_connections {
        lines.push(format!("over {connections} parallel connections"));
    }
    if !stream.compression.is_empty() {
        let methods: Vec<_> = stream.compression.iter().map(|method| method.as_str()).collect();
        lines.push(format!("compress it: {}", methods.join(", ")));
    }
    if stream.auto_converge {
        let percent = |value: Option<u32>| value.map_or("the hypervisor's default".to_owned(), |n| format!("{n} %"));
        lines.push(format!(
            "slow the guest down if it does not converge: first by {}, then by {} more each time",
            percent(stream.auto_converge_initial),
            percent(stream.auto_converge_increment)
        ));
    }
    if stream.post_copy {
        let limit = stream.post_copy_bandwidth_mib_s.map(|limit| format!(", then at most {limit} MiB/s"));
        lines.push(format!("the switch to post-copy is allowed{}", limit.unwrap_or_default()));
    }
    lines.extend(stream.zero_copy.then(|| "send without copying to the kernel".to_owned()));
    lines.extend(stream.rdma_pin_all.then(|| "pin all memory for RDMA".to_owned()));
    lines.extend(stream.abort_on_error.then(|| "an I/O error of a disk ends it".to_owned()));
    lines.extend(stream.graphics_uri.as_ref().map(|uri| format!("send clients of the console to {uri}")));
    let reckoned = stream.switchover_bandwidth_mib_s;
    lines.extend(reckoned.map(|limit| format!("reckon with {limit} MiB/s at the switch-over")));
}

fn disks(disks: &Disks, lines: &mut Vec<String>) {
    let how = match disks.copy {
        DiskCopy::No => return,
        DiskCopy::Full => "whole",
        DiskCopy::Incremental => "as far as they differ from their base there",
    };
    let which = match &disks.targets[..] {
        [] => "the disks that can be written".to_owned(),
        targets => format!("disks {}", targets.join(", ")),
    };
    let to = match (&disks.uri, disks.port) {
        (Some(uri), _) => format!(" to {uri}"),
        (None, Some(port)) => format!(" to port {port}"),
        (None, None) => String::new(),
    };
    let writes = if disks.synchronous_writes { "; the guest's writes wait for it" } else { "" };
    lines.push(format!("copy {which}{to}, {how}{writes}"));
}
