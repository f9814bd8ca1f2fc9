//! What is printed, and how: for a person on a terminal, for a person's log file, or for a program.
//!
//! Results go to standard output, progress and errors to standard error. A reader that goes away (`| head`) must not end
//! a migration that is being driven, so a broken pipe makes the output mute and nothing else.

use std::fmt::Display;
use std::io::{IsTerminal, Write, stderr, stdout};

use comfy_table::{Table, presets};
pub use waypost::amounts::{bytes, duration};
use waypost::api::v1::{Document, Failure, Versioned};

use super::exit::Exit;

/// Whether people or a program read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// Tables and sentences.
    People,
    /// One JSON document per line.
    Program,
}

/// The way out.
#[derive(Debug, Clone, Copy)]
pub struct Out {
    pub audience: Audience,
    colour: Colour,
    results: Results,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Results {
    ToStandardOutput,
    ToStandardError,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    On,
    Off,
}

/// What a piece of text means; colour follows from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    Good,
    Bad,
    Warn,
    Dim,
    Strong,
}

impl Out {
    pub fn new(audience: Audience) -> Self {
        let colour = if colour_wanted() && stdout().is_terminal() && audience == Audience::People {
            Colour::On
        } else {
            Colour::Off
        };
        Self { audience, colour, results: Results::ToStandardOutput }
    }

    /// Everything to standard error, plainly: for a process whose standard error is its log.
    pub fn log() -> Self {
        Self { audience: Audience::People, colour: Colour::Off, results: Results::ToStandardError }
    }

    pub fn for_people(&self) -> bool {
        self.audience == Audience::People
    }

    /// A line of the result, for people.
    pub fn line(&self, text: impl Display) {
        if self.for_people() {
            let text = lines(&text.to_string());
            match self.results {
                Results::ToStandardOutput => put(&mut stdout(), &text),
                Results::ToStandardError => put(&mut stderr(), &text),
            }
        }
    }

    /// A line beside the result, for people.
    pub fn note(&self, text: impl Display) {
        if self.for_people() {
            put(&mut stderr(), &lines(&text.to_string()));
        }
    }

    /// The result, for programs.
    pub fn document(&self, document: Document) {
        self.json(&mut stdout(), document);
    }

    /// A document beside the result, for programs.
    pub fn side_document(&self, document: Document) {
        self.json(&mut stderr(), document);
    }

    fn json(&self, to: &mut impl Write, document: Document) {
        if self.for_people() {
            return;
        }
        match serde_json::to_string(&Versioned::from(document)) {
            Ok(text) => put(to, &text),
            Err(error) => put(&mut stderr(), &format!("waypost: a result can't be written as JSON: {error}")),
        }
    }

    /// A table without lines: what scripts cut and people read.
    pub fn table(&self, header: &[&str], rows: impl IntoIterator<Item = Vec<String>>) {
        let mut table = Table::new();
        table.load_preset(presets::NOTHING);
        if !stdout().is_terminal() {
            // Wrapping is for a screen; whoever reads a file wants one line per row.
            table.set_content_arrangement(comfy_table::ContentArrangement::Disabled);
        } else {
            table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        }
        table.set_header(header.iter().map(|title| title.to_uppercase()));
        for row in rows {
            table.add_row(row.iter().map(|text| cell(text)));
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for line in table.lines() {
            self.line(line.trim_end());
        }
    }

    /// Text in the colour of its meaning, where colour is wanted.
    pub fn tone(&self, tone: Tone, text: impl Display) -> String {
        if self.colour == Colour::Off {
            return text.to_string();
        }
        let code = match tone {
            Tone::Good => 32,
            Tone::Bad => 31,
            Tone::Warn => 33,
            Tone::Dim => 2,
            Tone::Strong => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }

    /// The one place where an error and its causes are printed.
    pub fn error(&self, error: &anyhow::Error, exit: Exit, advice: Option<&str>) {
        let because: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
        if !self.for_people() {
            let (message, remedy) = (error.to_string(), advice.map(str::to_owned));
            self.document(Document::Error(Failure { message, because, remedy, exit_code: exit as u8 }));
            return;
        }
        self.note(format!("waypost: {error}"));
        for cause in because {
            self.note(format!("  because: {cause}"));
        }
        if let Some(advice) = advice {
            self.note(format!("  remedy: {advice}"));
        }
    }
}

fn put(to: &mut impl Write, text: &impl Display) {
    // Nobody reads any more, or the disk of a log is full: neither is a reason to stop.
    let _ = writeln!(to, "{text}");
}

/// Whether what goes to standard error may be coloured.
pub fn coloured_stderr() -> bool {
    colour_wanted() && stderr().is_terminal()
}

/// <https://no-color.org>: set and not empty.
fn colour_wanted() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// A text from elsewhere as a cell of a table, in which nothing begins a line.
fn cell(text: &str) -> String {
    shown(text, |_| false)
}

/// A text that may hold something from elsewhere: a domain's name, the words of a host, a policy or a service.
fn lines(text: &str) -> String {
    shown(text, |c| matches!(c, '\n' | '\t'))
}

/// A text for a terminal: what would move the cursor or set a title stands as the replacement character. Colours, which are our own,
/// stay.
fn shown(text: &str, is_ours: impl Fn(char) -> bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let colour = || {
            let rest = text[at + 1..].strip_prefix('[').unwrap_or_default();
            rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').starts_with('m')
        };
        let steers = c.is_control() && !is_ours(c) && !(c == '\u{1b}' && colour());
        shown.push(if steers { char::REPLACEMENT_CHARACTER } else { c });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::{cell, lines};

    #[test]
    fn nothing_that_is_printed_moves_the_cursor() {
        let coloured = "\u{1b}[1;31mrefused\u{1b}[0m";
        assert_eq!((cell(coloured), lines(coloured)), (coloured.to_owned(), coloured.to_owned()));
        let steering = "a\nb\u{1b}[2J\u{1b}]0;x\u{7}\u{9b}2J\r";
        assert_eq!(cell(steering), "a\u{fffd}b\u{fffd}[2J\u{fffd}]0;x\u{fffd}\u{fffd}2J\u{fffd}");
        assert_eq!(lines(steering), "a\nb\u{fffd}[2J\u{fffd}]0;x\u{fffd}\u{fffd}2J\u{fffd}");
        assert_eq!(cell("domäne-1"), "domäne-1");
    }
}
