//! The options of the transfer itself, named as virsh names them where it does. What excludes what is core's to say, so
//! that a program is refused in the same words; here only what can't be typed together.

use clap::{Args, ValueEnum};
use waypost::Options;
use waypost::core::stream::{Compression, DiskCopy, Disks, Encryption, Stream, Transport};

/// How memory and disks travel.
#[derive(Debug, Args)]
#[command(next_help_heading = "The transfer")]
pub struct Transfer {
    /// Drive both hosts' libvirt from here; it ends with this program. Needs no peer_uri
    #[arg(long, conflicts_with = "tunnelled")]
    pub direct: bool,
    /// Send the memory through the connection of the libvirt daemons
    #[arg(long)]
    pub tunnelled: bool,
    /// Keep the guest paused while its memory is sent
    #[arg(long)]
    pub non_live: bool,
    /// Parallel connections, 1 to 255
    #[arg(long, value_name = "N")]
    pub parallel: Option<u32>,
    /// Compress; may be given several times
    #[arg(long, value_name = "METHOD")]
    pub compress: Vec<Method>,
    /// Level of mt, 0 to 9
    #[arg(long, value_name = "LEVEL")]
    pub compress_mt_level: Option<u32>,
    /// Compressing threads of mt, 1 to 255
    #[arg(long, value_name = "N")]
    pub compress_mt_threads: Option<u32>,
    /// Decompressing threads of mt, 1 to 255
    #[arg(long, value_name = "N")]
    pub compress_mt_dthreads: Option<u32>,
    /// Page cache of xbzrle, bytes; a power of two
    #[arg(long, value_name = "BYTES")]
    pub compress_xbzrle_cache: Option<u64>,
    /// Level of zlib, 0 to 9
    #[arg(long, value_name = "LEVEL")]
    pub compress_zlib_level: Option<u32>,
    /// Level of zstd, 0 to 20
    #[arg(long, value_name = "LEVEL")]
    pub compress_zstd_level: Option<u32>,
    /// Slow the guest down while the transfer does not converge
    #[arg(long)]
    pub auto_converge: bool,
    /// First slow-down, 1 to 99 %
    #[arg(long, value_name = "PERCENT")]
    pub auto_converge_initial: Option<u32>,
    /// Each further slow-down, 1 to 99 %
    #[arg(long, value_name = "PERCENT")]
    pub auto_converge_increment: Option<u32>,
    /// Allow the switch to post-copy
    #[arg(long)]
    pub postcopy: bool,
    /// Bandwidth limit of post-copy, MiB/s
    #[arg(long, value_name = "MIB_S", value_parser = super::mib_s)]
    pub postcopy_bandwidth: Option<u64>,
    /// Bandwidth to reckon with at the switch-over, MiB/s (libvirt 11.1)
    #[arg(long, value_name = "MIB_S", value_parser = super::mib_s)]
    pub switchover_bandwidth: Option<u64>,
    /// Encrypt, or refuse; left open it is encrypted where the configuration says that both hosts can
    #[arg(long, conflicts_with = "no_tls")]
    pub tls: bool,
    /// Do not encrypt
    #[arg(long)]
    pub no_tls: bool,
    /// Name in the destination's certificate, where it is not the one of the migration URI
    #[arg(long, value_name = "NAME")]
    pub tls_destination: Option<String>,
    /// Send without copying to the kernel; needs --parallel
    #[arg(long)]
    pub zerocopy: bool,
    /// Pin all memory at the start; needs --migrate-uri rdma://ADDRESS
    #[arg(long)]
    pub rdma_pin_all: bool,
    /// End the migration when a disk of the guest has an I/O error
    #[arg(long)]
    pub abort_on_error: bool,
    /// Where clients of the graphical console are sent: spice://ADDRESS:PORT
    #[arg(long, value_name = "URI")]
    pub graphics_uri: Option<String>,
    /// Copy the disks that the destination does not share
    #[arg(long, value_name = "HOW")]
    pub copy_storage: Option<Copy>,
    /// Only these disks, by their targets
    #[arg(long, value_name = "vda,vdb", value_delimiter = ',')]
    pub migrate_disks: Vec<String>,
    /// Writes of the guest wait for the copy, so that it converges whatever the guest writes
    #[arg(long)]
    pub copy_storage_synchronous_writes: bool,
    /// Find zeroes on these disks and leave them out (libvirt 10.9)
    #[arg(long, value_name = "vda,vdb", value_delimiter = ',')]
    pub detect_zeroes: Vec<String>,
    /// The images of these disks on the destination hold nothing but zeroes, so none are written there (libvirt 12.2)
    #[arg(long, value_name = "vda,vdb", value_delimiter = ',')]
    pub target_zero: Vec<String>,
    /// Where the source sends the disks: tcp://ADDRESS[:PORT] or unix:///PATH
    #[arg(long, value_name = "URI")]
    pub disks_uri: Option<String>,
    /// Port on which the destination takes the disks
    #[arg(long, value_name = "PORT")]
    pub disks_port: Option<u16>,
}

/// A way to compress.
#[derive(Debug, Clone, PartialEq, Eq, ValueEnum)]
pub enum Method {
    /// Multi-threaded
    Mt,
    /// Only what changed of a page
    Xbzrle,
    /// On parallel connections (libvirt 9.4)
    Zlib,
    /// On parallel connections (libvirt 9.4)
    Zstd,
}

/// How disks are copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Copy {
    /// Whole
    Full,
    /// What differs from a base that is on the destination already
    Incremental,
}

impl Transfer {
    /// These options, and the others.
    pub fn over(&self, others: Options) -> Options {
        Options {
            transport: match (self.direct, self.tunnelled) {
                (true, _) => Transport::Direct,
                (_, true) => Transport::Tunnelled,
                _ => Transport::PeerToPeer,
            },
            stream: self.stream(),
            disks: self.disks(),
            ..others
        }
    }

    fn stream(&self) -> Stream {
        Stream {
            stands_still: self.non_live,
            parallel_connections: self.parallel,
            compression: self.compress.iter().map(Method::of_core).collect(),
            mt_level: self.compress_mt_level,
            mt_threads: self.compress_mt_threads,
            mt_dthreads: self.compress_mt_dthreads,
            xbzrle_cache_bytes: self.compress_xbzrle_cache,
            zlib_level: self.compress_zlib_level,
            zstd_level: self.compress_zstd_level,
            auto_converge: self.auto_converge,
            auto_converge_initial: self.auto_converge_initial,
            auto_converge_increment: self.auto_converge_increment,
            post_copy: self.postcopy,
            post_copy_bandwidth_mib_s: self.postcopy_bandwidth,
            encryption: match (self.tls, self.no_tls) {
                (true, _) => Encryption::Required,
                (_, true) => Encryption::Off,
                _ => Encryption::Auto,
            },
            tls_destination: self.tls_destination.clone(),
            zero_copy: self.zerocopy,
            rdma_pin_all: self.rdma_pin_all,
            abort_on_error: self.abort_on_error,
            graphics_uri: self.graphics_uri.clone(),
            switchover_bandwidth_mib_s: self.switchover_bandwidth,
        }
    }

    fn disks(&self) -> Disks {
        Disks {
            copy: match self.copy_storage {
                None => DiskCopy::No,
                Some(Copy::Full) => DiskCopy::Full,
                Some(Copy::Incremental) => DiskCopy::Incremental,
            },
            targets: self.migrate_disks.clone(),
            synchronous_writes: self.copy_storage_synchronous_writes,
            detect_zeroes: self.detect_zeroes.clone(),
            target_zero: self.target_zero.clone(),
            uri: self.disks_uri.clone(),
            port: self.disks_port,
        }
    }
}

impl Method {
    fn of_core(&self) -> Compression {
        match self {
            Self::Mt => Compression::Mt,
            Self::Xbzrle => Compression::Xbzrle,
            Self::Zlib => Compression::Zlib,
            Self::Zstd => Compression::Zstd,
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        transfer: Transfer,
    }

    fn options(line: &str) -> Options {
        let words = std::iter::once("x").chain(line.split_whitespace());
        Line::parse_from(words).transfer.over(Options::default())
    }

    #[test]
    fn nothing_said_is_the_default() {
        assert_eq!(options(""), Options::default());
    }

    #[test]
    fn every_option_reaches_the_request() {
        type Set = fn(&mut Options);
        let lines: &[(&str, Set)] = &[
            ("--direct", |o| o.transport = Transport::Direct),
            ("--tunnelled", |o| o.transport = Transport::Tunnelled),
            ("--non-live", |o| o.stream.stands_still = true),
            ("--parallel 4", |o| o.stream.parallel_connections = Some(4)),
            ("--compress mt --compress xbzrle", |o| {
                o.stream.compression = vec![Compression::Mt, Compression::Xbzrle];
            }),
            ("--compress zlib --compress zstd", |o| {
                o.stream.compression = vec![Compression::Zlib, Compression::Zstd];
            }),
            ("--compress-mt-level 1", |o| o.stream.mt_level = Some(1)),
            ("--compress-mt-threads 2", |o| o.stream.mt_threads = Some(2)),
            ("--compress-mt-dthreads 3", |o| o.stream.mt_dthreads = Some(3)),
            ("--compress-xbzrle-cache 4096", |o| o.stream.xbzrle_cache_bytes = Some(4096)),
            ("--compress-zlib-level 4", |o| o.stream.zlib_level = Some(4)),
            ("--compress-zstd-level 5", |o| o.stream.zstd_level = Some(5)),
            ("--auto-converge", |o| o.stream.auto_converge = true),
            ("--auto-converge-initial 20", |o| o.stream.auto_converge_initial = Some(20)),
            ("--auto-converge-increment 10", |o| o.stream.auto_converge_increment = Some(10)),
            ("--postcopy", |o| o.stream.post_copy = true),
            ("--postcopy-bandwidth 6", |o| o.stream.post_copy_bandwidth_mib_s = Some(6)),
            ("--switchover-bandwidth 7", |o| o.stream.switchover_bandwidth_mib_s = Some(7)),
            ("--tls", |o| o.stream.encryption = Encryption::Required),
            ("--no-tls", |o| o.stream.encryption = Encryption::Off),
            ("--tls-destination kvm2", |o| o.stream.tls_destination = Some("kvm2".into())),
            ("--zerocopy", |o| o.stream.zero_copy = true),
            ("--rdma-pin-all", |o| o.stream.rdma_pin_all = true),
            ("--abort-on-error", |o| o.stream.abort_on_error = true),
            ("--graphics-uri spice://x:1", |o| o.stream.graphics_uri = Some("spice://x:1".into())),
            ("--copy-storage full", |o| o.disks.copy = DiskCopy::Full),
            ("--copy-storage incremental", |o| o.disks.copy = DiskCopy::Incremental),
            ("--migrate-disks vda,vdb", |o| o.disks.targets = vec!["vda".into(), "vdb".into()]),
            ("--copy-storage-synchronous-writes", |o| o.disks.synchronous_writes = true),
            ("--detect-zeroes vda", |o| o.disks.detect_zeroes = vec!["vda".into()]),
            ("--target-zero vda", |o| o.disks.target_zero = vec!["vda".into()]),
            ("--disks-uri tcp://x", |o| o.disks.uri = Some("tcp://x".into())),
            ("--disks-port 49300", |o| o.disks.port = Some(49300)),
        ];
        for (line, set) in lines {
            let mut expected = Options::default();
            set(&mut expected);
            assert_ne!(expected, Options::default());
            assert_eq!(options(line), expected, "{line}");
        }
    }
}
