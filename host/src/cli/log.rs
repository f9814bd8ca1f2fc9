//! The log, on standard error. An event is one line whatever is in it: names of domains and words of hosts are other people's,
//! and one that holds a line break would write a line of its own, which nothing would tell from the program's.

use std::io::{self, Write};

use tracing_subscriber::EnvFilter;

use super::output;

/// Warnings always; more with `WAYPOST_LOG=debug` or `WAYPOST_LOG=waypost_libvirt=trace`.
pub fn to_stderr() {
    let log = tracing_subscriber::fmt()
        .with_writer(|| Lines(io::stderr()))
        .with_ansi(output::coloured_stderr())
        .without_time();
    match std::env::var("WAYPOST_LOG") {
        // Which task a line is about is no line of its own that a filter could leave out.
        Ok(filter) => log.with_env_filter(EnvFilter::new(format!("{filter},waypost::task=error"))).init(),
        Err(_) => log.with_max_level(tracing::Level::WARN).with_target(false).init(),
    }
}

/// Writes each event, which comes in one piece, as one line.
struct Lines<W>(W);

impl<W: Write> Write for Lines<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = event.strip_suffix(b"\n").unwrap_or(event);
        if text.iter().any(|byte| matches!(byte, b'\n' | b'\r')) {
            let mut line = Vec::with_capacity(event.len() + 16);
            for byte in text {
                match byte {
                    b'\n' => line.extend(b"\\n"),
                    b'\r' => line.extend(b"\\r"),
                    other => line.push(*other),
                }
            }
            line.extend(&event[text.len()..]);
            self.0.write_all(&line)?;
        } else {
            self.0.write_all(event)?;
        }
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
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
            let mut written = Vec::new();
            assert_eq!(Lines(&mut written).write(event.as_bytes()).unwrap(), event.len());
            assert_eq!(String::from_utf8(written).unwrap(), line);
        }
    }
}
