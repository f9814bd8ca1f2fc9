//! The log, on standard error. An event is one line whatever is in it: names of domains and words of hosts are other people's,
//! and one that holds a line break would write a line of its own, which nothing would tell from the program's.
//!
//! Where standard error is systemd's journal, each line begins with its priority (`<4>`, as sd-daemon(3) has it), so that
//! `journalctl -p warning` finds what it should.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use tracing::{Level, Metadata};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

use super::output;

/// How much is told where nobody says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Detail {
    /// What went wrong: for a command, whose output says the rest.
    Trouble,
    /// The course of things as well: for a service, of which nothing else is seen.
    Course,
}

/// Tells so much; more with `WAYPOST_LOG=debug` or `WAYPOST_LOG=waypost_libvirt=trace`, less with `WAYPOST_LOG=warn`.
pub fn to_stderr(detail: Detail) {
    let log = tracing_subscriber::fmt()
        .with_writer(Stderr { is_journal: is_journal(std::env::var("JOURNAL_STREAM").ok().as_deref()) })
        .with_ansi(output::coloured_stderr())
        .without_time();
    match (std::env::var("WAYPOST_LOG"), detail) {
        // Which task a line is about is no line of its own that a filter could leave out.
        (Ok(filter), _) => log.with_env_filter(EnvFilter::new(format!("{filter},waypost::task=error"))).init(),
        (Err(_), Detail::Trouble) => log.with_max_level(Level::WARN).with_target(false).init(),
        // Libraries and policies tell their trouble only.
        (Err(_), Detail::Course) => {
            log.with_env_filter(EnvFilter::new("warn,waypost=info,waypost::policy=warn")).with_target(false).init();
        }
    }
}

/// Whether standard error is the stream of the journal that the variable names by device and inode. The variable alone says
/// nothing: whoever is started by a service inherits it, wherever its own output goes.
fn is_journal(stream: Option<&str>) -> bool {
    let Some((device, inode)) = stream.and_then(|stream| stream.split_once(':')) else { return false };
    let Ok(stderr) = io::stderr().as_fd().try_clone_to_owned() else { return false };
    File::from(stderr)
        .metadata()
        .is_ok_and(|there| device.parse::<u64>() == Ok(there.dev()) && inode.parse::<u64>() == Ok(there.ino()))
}

/// Standard error, of which each event takes what is its own.
struct Stderr {
    is_journal: bool,
}

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Lines<io::Stderr>;

    fn make_writer(&'a self) -> Self::Writer {
        Lines { to: io::stderr(), prefix: "" }
    }

    fn make_writer_for(&'a self, event: &Metadata<'_>) -> Self::Writer {
        Lines { to: io::stderr(), prefix: if self.is_journal { priority(*event.level()) } else { "" } }
    }
}

/// The level as the journal counts: error, warning, information, debugging.
fn priority(level: Level) -> &'static str {
    match level {
        Level::ERROR => "<3>",
        Level::WARN => "<4>",
        Level::INFO => "<6>",
        _ => "<7>",
    }
}

/// Writes each event, which comes in one piece, as one line.
struct Lines<W> {
    to: W,
    prefix: &'static str,
}

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        if self.prefix.is_empty() && !text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            self.to.write_all(event)?;
        } else {
            let mut line = Vec::with_capacity(event.len() + 16);
            line.extend(self.prefix.as_bytes());
            for byte in text {
                match byte {
                    b'\n' => line.extend(b"\\n"),
                    b'\r' => line.extend(b"\\r"),
                    other => line.push(*other),
                }
            }
            line.extend(&event[text.len()..]);
            self.to.write_all(&line)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_one_line() {
        for (event, line) in [
            ("WARN a line\n", "WARN a line\n"),
            ("WARN x\nERROR forged\n", "WARN x\\nERROR forged\n"),
            ("WARN x\r\n\n", "WARN x\\r\\n\n"),
            ("no end", "no end"),
        ] {
            for prefix in ["", "<4>"] {
                let mut written = Vec::new();
                assert_eq!(Lines { to: &mut written, prefix }.write(event.as_bytes()).unwrap(), event.len());
                assert_eq!(String::from_utf8(written).unwrap(), format!("{prefix}{line}"));
            }
        }
    }

    #[test]
    fn the_journal_is_known_by_the_stream_itself() {
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned().unwrap()).metadata().unwrap();
        assert!(is_journal(Some(&format!("{}:{}", stderr.dev(), stderr.ino()))));
        let other = format!("{}:{}", stderr.dev(), stderr.ino() + 1);
        for stream in [None, Some(""), Some("8"), Some("8:"), Some(&*other)] {
            assert!(!is_journal(stream), "{stream:?}");
        }
    }
}
