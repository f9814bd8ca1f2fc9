//! A page of the documentation as the blocks that are in it.
//!
//! A fenced block's first word is its language, for whoever shows the page; the words after it say what the block is:
//!
//! | words | meaning |
//! |---|---|
//! | `sh run [exits=N] [stops-watch]` | run it to its end |
//! | `text output` | what the block before printed |
//! | `sh watch` | start it and leave it running |
//! | `text watch` | what it prints from here on, sooner or later |
//! | `LANGUAGE file=PATH` | write the file |
//! | `LANGUAGE append=PATH` | add it to the file |
//! | `rust edit=PATH` | put this function in the place of the one of its name |
//! | `sh once`, `LANGUAGE example` | for the reader; not run |

use std::fs;
use std::path::Path;

/// A fenced block.
#[derive(Debug, Clone)]
pub struct Block {
    /// Where it begins, from 1.
    pub line: usize,
    pub what: What,
    pub text: String,
}

/// What is to be done with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    Run { exits: i32, stops_watch: StopsWatch },
    Output,
    Watch,
    Watched,
    File(String),
    Append(String),
    Edit(String),
    Once,
    Example { language: String },
}

/// Whether the running command is ended first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopsWatch {
    Yes,
    No,
}

/// The whole page.
pub fn text(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Its blocks. A block without a meaning is an error: nobody would notice that it rots.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (at, line) in page.lines().enumerate() {
        match (&mut open, line.strip_prefix("```")) {
            (None, Some(info)) => {
                let what =
                    meaning(info).unwrap_or_else(|| panic!("line {}: a block {info:?} without a meaning", at + 1));
                open = Some(Block { line: at + 1, what, text: String::new() });
            }
            (Some(_), Some("")) => blocks.extend(open.take()),
            (Some(block), _) => {
                block.text.push_str(line);
                block.text.push('\n');
            }
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "the last block has no end");
    blocks
}

fn meaning(info: &str) -> Option<What> {
    let mut words = info.split_whitespace();
    let (language, what) = (words.next()?, words.next()?);
    let rest: Vec<&str> = words.collect();
    match (language, what, what.split_once('=')) {
        ("sh", "run", _) => {
            let exits = rest.iter().find_map(|word| word.strip_prefix("exits=")).map_or(Some(0), |n| n.parse().ok())?;
            let stops_watch = if rest.contains(&"stops-watch") { StopsWatch::Yes } else { StopsWatch::No };
            Some(What::Run { exits, stops_watch })
        }
        ("text", "output", _) => Some(What::Output),
        ("sh", "watch", _) => Some(What::Watch),
        ("text", "watch", _) => Some(What::Watched),
        ("sh", "once", _) => Some(What::Once),
        (_, "example", _) => Some(What::Example { language: language.to_owned() }),
        (_, _, Some(("file", path))) => Some(What::File(path.to_owned())),
        (_, _, Some(("append", path))) => Some(What::Append(path.to_owned())),
        ("rust", _, Some(("edit", path))) => Some(What::Edit(path.to_owned())),
        _ => None,
    }
}
