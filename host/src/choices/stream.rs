//! The stream in words, with what is left as it is.

use waypost_core::plan::Plan;
use waypost_core::stream::{Compression, Encryption, Stream};

use super::{Choice, Origin};
use crate::amounts::bytes;

const NOT_SAID: &str = "the hypervisor's default";

/// Every choice about the stream; `asked` is the request's.
pub fn choices(plan: &Plan, asked: &Stream, choices: &mut Vec<Choice>) {
    let stream = &plan.stream;
    choices.push(encryption(stream, asked));
    let standing = if stream.stands_still {
        "keep the guest paused while its memory is sent"
    } else {
        "the guest goes on while its memory is sent"
    };
    choices.push(Choice::new("live", Origin::asked(stream.stands_still), standing));
    choices.push(match stream.parallel_connections {
        Some(connections) => Choice::new("parallel", Origin::Asked, format!("over {connections} parallel connections")),
        None => Choice::new("parallel", Origin::Default, "over one connection"),
    });
    choices.push(compression(stream));
    choices.push(auto_converge(stream, asked));
    choices.push(post_copy(stream, asked));
    seldom(stream, choices);
}

fn encryption(stream: &Stream, asked: &Stream) -> Choice {
    let origin = Origin::asked(asked.encryption != Encryption::Auto);
    if stream.encryption != Encryption::Required {
        return Choice::new("encryption", origin, "the hypervisor does not encrypt it");
    }
    let name = stream.tls_destination.as_ref().map(|name| format!(", whose certificate must name {name}"));
    let words = format!("encrypt it with native TLS up to the destination{}", name.unwrap_or_default());
    Choice::new("encryption", origin, words)
}

fn compression(stream: &Stream) -> Choice {
    if stream.compression.is_empty() {
        return Choice::new("compression", Origin::Default, "not compressed");
    }
    let number = |value: Option<u32>| value.map_or_else(|| "default".to_owned(), |value| value.to_string());
    let methods = stream.compression.iter().map(|method| match method {
        Compression::Mt => format!(
            "mt (level {}, threads {}, decompressing threads {})",
            number(stream.mt_level),
            number(stream.mt_threads),
            number(stream.mt_dthreads)
        ),
        Compression::Xbzrle => {
            format!("xbzrle (cache {})", stream.xbzrle_cache_bytes.map_or_else(|| "default".to_owned(), bytes))
        }
        Compression::Zlib => format!("zlib (level {})", number(stream.zlib_level)),
        Compression::Zstd => format!("zstd (level {})", number(stream.zstd_level)),
    });
    Choice::new("compression", Origin::Asked, format!("compress it: {}", methods.collect::<Vec<_>>().join(", ")))
}

fn auto_converge(stream: &Stream, asked: &Stream) -> Choice {
    if !stream.auto_converge {
        return Choice::new("auto-converge", Origin::Default, "the hypervisor does not slow the guest down");
    }
    let percent = |value: Option<u32>| value.map_or_else(|| NOT_SAID.to_owned(), |n| format!("{n} %"));
    let words = format!(
        "slow the guest down if it does not converge: first by {}, then by {} more each time",
        percent(stream.auto_converge_initial),
        percent(stream.auto_converge_increment)
    );
    Choice::new("auto-converge", Origin::asked_or(asked.auto_converge, Origin::Policy), words)
}

fn post_copy(stream: &Stream, asked: &Stream) -> Choice {
    if !stream.post_copy {
        return Choice::new("postcopy", Origin::Default, "the switch to post-copy is not allowed");
    }
    let limit = match stream.post_copy_bandwidth_mib_s {
        Some(limit) => format!("then at most {limit} MiB/s"),
        None => "then without a bandwidth limit of its own".to_owned(),
    };
    let declared = stream.post_copy_bandwidth_mib_s.is_some() && asked.post_copy_bandwidth_mib_s.is_none();
    let origin = Origin::asked_or(!declared, Origin::Network);
    Choice::new("postcopy", origin, format!("the switch to post-copy is allowed, {limit}"))
}

/// What most transfers do without, and what is only told where it was asked for.
fn seldom(stream: &Stream, choices: &mut Vec<Choice>) {
    let mut asked =
        |name, words: Option<String>| choices.extend(words.map(|words| Choice::new(name, Origin::Asked, words)));
    asked("zerocopy", stream.zero_copy.then(|| "send without copying to the kernel".into()));
    asked("rdma-pin-all", stream.rdma_pin_all.then(|| "pin all memory for RDMA".into()));
    asked("abort-on-error", stream.abort_on_error.then(|| "an I/O error of a disk ends it".into()));
    asked("graphics-uri", stream.graphics_uri.as_ref().map(|uri| format!("send clients of the console to {uri}")));
    let reckoned = stream.switchover_bandwidth_mib_s;
    asked("switchover-bandwidth", reckoned.map(|limit| format!("reckon with {limit} MiB/s at the switch-over")));
}
