//! What is for memory, and so has no meaning for a domain that is shut off: of such a one only the definition travels.
//!
//! Whoever says `offline` *and* one of these is refused. Whoever leaves the mode to the domain's state may not know that
//! it is shut off: there each option is named in the plan as having no effect, or the plan is refused where what was asked
//! for would not be so afterwards.

use crate::request::{AfterMove, Options, Persistence};
use crate::stream::{DiskCopy, Encryption, Transport};

/// Why an offline migration and these exclude each other.
pub const WHY: &str = "an offline migration moves a definition, no memory";

/// An option that is for memory.
#[derive(Debug, Clone, Copy)]
pub struct ForMemory {
    /// As it is called on the command line.
    pub name: &'static str,
    asked: fn(&Options) -> bool,
    fate: Fate,
}

/// What becomes of it where the mode was left to the domain's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It has no effect, and nobody is worse off.
    Unused,
    /// What was asked for would not hold; the reason.
    Refused(&'static str),
    /// The plan itself says what becomes of it.
    Planned,
}

const fn unused(name: &'static str, asked: fn(&Options) -> bool) -> ForMemory {
    ForMemory { name, asked, fate: Fate::Unused }
}

const fn refused(name: &'static str, asked: fn(&Options) -> bool, why: &'static str) -> ForMemory {
    ForMemory { name, asked, fate: Fate::Refused(why) }
}

/// All of them; the first that fits is told.
const ALL: &[ForMemory] = &[
    refused(
        "transient",
        |o| o.persistence == Persistence::Transient,
        "only its definition travels, so it needs one there",
    ),
    refused("paused", |o| o.after == AfterMove::Paused, "it arrives shut off, not paused"),
    refused("postcopy", |o| o.stream.post_copy, "there is no memory that could follow it"),
    unused("bandwidth", |o| o.bandwidth_mib_s.is_some()),
    unused("max-downtime", |o| o.max_downtime_ms.is_some()),
    unused("migrate-uri", |o| o.migrate_uri.is_some()),
    unused("listen-address", |o| o.listen_address.is_some()),
    unused("network", |o| o.network.is_some()),
    unused("tunnelled", |o| o.transport == Transport::Tunnelled),
    ForMemory { name: "copy-storage", asked: |o| o.disks.copy != DiskCopy::No, fate: Fate::Planned },
    unused("non-live", |o| o.stream.stands_still),
    unused("parallel", |o| o.stream.parallel_connections.is_some()),
    unused("compress", |o| !o.stream.compression.is_empty()),
    unused("auto-converge", |o| o.stream.auto_converge),
    unused("switchover-bandwidth", |o| o.stream.switchover_bandwidth_mib_s.is_some()),
    unused("tls", |o| o.stream.encryption == Encryption::Required),
    unused("tls-destination", |o| o.stream.tls_destination.is_some()),
    unused("zerocopy", |o| o.stream.zero_copy),
    unused("rdma-pin-all", |o| o.stream.rdma_pin_all),
    unused("abort-on-error", |o| o.stream.abort_on_error),
    unused("graphics-uri", |o| o.stream.graphics_uri.is_some()),
];

/// Those that were asked for.
pub fn asked(options: &Options) -> impl Iterator<Item = &'static ForMemory> {
    ALL.iter().filter(|option| (option.asked)(options))
}

/// The first that can't hold for a domain that is shut off, and why.
pub fn impossible(options: &Options) -> Option<(&'static str, &'static str)> {
    asked(options).find_map(|option| match option.fate {
        Fate::Refused(why) => Some((option.name, why)),
        Fate::Unused | Fate::Planned => None,
    })
}

/// One sentence for each that has no effect.
pub fn notes(options: &Options) -> Vec<String> {
    let unused = asked(options).filter(|option| option.fate == Fate::Unused);
    let sentence = |option: &ForMemory| match option.name {
        // It may be the site's demand.
        "tls" => "nothing is encrypted by the hypervisor: the domain is shut off, and its definition goes through the \
                  libvirt daemons' own connection"
            .to_owned(),
        name => format!("{name} has no effect: the domain is shut off, so no memory travels"),
    };
    unused.map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Refusal, admit_options};
    use crate::request::{Mode, SourceDefinition};
    use crate::stream::{Compression, Disks, Stream};

    /// Each option of the table, in its order.
    const EACH: &[fn(&mut Options)] = &[
        |o| (o.persistence, o.source_definition) = (Persistence::Transient, SourceDefinition::Keep),
        |o| o.after = AfterMove::Paused,
        |o| o.stream.post_copy = true,
        |o| o.bandwidth_mib_s = Some(1),
        |o| o.max_downtime_ms = Some(1),
        |o| o.migrate_uri = Some("tcp://x".into()),
        |o| o.listen_address = Some("::".into()),
        |o| o.network = Some("mig".into()),
        |o| o.transport = Transport::Tunnelled,
        |o| o.disks.copy = DiskCopy::Full,
        |o| o.stream.stands_still = true,
        |o| o.stream.parallel_connections = Some(2),
        |o| o.stream.compression = vec![Compression::Xbzrle],
        |o| o.stream.auto_converge = true,
        |o| o.stream.switchover_bandwidth_mib_s = Some(1),
        |o| o.stream.encryption = Encryption::Required,
        |o| o.stream.tls_destination = Some("x".into()),
        |o| o.stream.zero_copy = true,
        |o| o.stream.rdma_pin_all = true,
        |o| o.stream.abort_on_error = true,
        |o| o.stream.graphics_uri = Some("vnc://x".into()),
    ];

    fn with(change: fn(&mut Options)) -> Options {
        let mut options = Options::default();
        change(&mut options);
        options
    }

    #[test]
    fn each_is_refused_beside_the_word_offline_and_told_where_the_state_decides() {
        assert_eq!(EACH.len(), ALL.len());
        for (change, row) in EACH.iter().zip(ALL) {
            let options = with(*change);
            let names: Vec<_> = asked(&options).map(|option| option.name).collect();
            assert_eq!(names, [row.name]);
            let offline = Options { mode: Mode::Offline, ..options.clone() };
            let expected = Refusal::Conflict { first: "offline", second: row.name, why: WHY };
            assert_eq!(admit_options(&offline), Err(expected));
            let told = (impossible(&options).is_some(), notes(&options).len());
            let expected = match row.fate {
                Fate::Refused(_) => (true, 0),
                Fate::Unused => (false, 1),
                Fate::Planned => (false, 0),
            };
            assert_eq!(told, expected, "{}", row.name);
        }
    }

    /// A field that is added to the stream or to the disks must not be dropped in silence.
    #[test]
    fn no_option_of_a_stream_is_forgotten() {
        // What stands beside another option, which is told, or says no more than the default does.
        let Stream {
            stands_still: _,
            parallel_connections: _,
            compression: _,
            mt_level: _,
            mt_threads: _,
            mt_dthreads: _,
            xbzrle_cache_bytes: _,
            zlib_level: _,
            zstd_level: _,
            auto_converge: _,
            auto_converge_initial: _,
            auto_converge_increment: _,
            post_copy: _,
            post_copy_bandwidth_mib_s: _,
            encryption: _,
            tls_destination: _,
            zero_copy: _,
            rdma_pin_all: _,
            abort_on_error: _,
            graphics_uri: _,
            switchover_bandwidth_mib_s: _,
        } = Stream::default();
        let Disks { copy: _, targets: _, synchronous_writes: _, detect_zeroes: _, target_zero: _, uri: _, port: _ } =
            Disks::default();
        assert_eq!(notes(&Options::default()), [] as [String; 0]);
        assert_eq!(notes(&with(|o| o.stream.encryption = Encryption::Off)), [] as [String; 0]);
    }
}
