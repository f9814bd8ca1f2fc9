//! Bytes of a stream into events, as HTML has it: lines, and an empty one ends an event.

use std::collections::VecDeque;

/// Of one event: a plan with its facts has some thousand.
const MOST_BYTES: usize = 16 << 20;

/// One event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: String,
    pub(super) data: String,
    /// The place in the order of all records that the stream has with it, where it says so.
    pub(super) id: Option<u64>,
}

/// What came, as far as it goes.
#[derive(Debug, Default)]
pub(super) struct Frames {
    /// Of a line that has not ended.
    line: Vec<u8>,
    /// Of an event that has not ended.
    open: Frame,
    ready: VecDeque<Frame>,
}

impl Frames {
    /// Takes in what came; the error says what is wrong with it.
    pub(super) fn put(&mut self, bytes: &[u8]) -> Result<(), String> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(piece);
            if self.line.len() + self.open.data.len() > MOST_BYTES {
                return Err(format!("an event has more than {MOST_BYTES} bytes"));
            }
            if self.line.last() == Some(&b'\n') {
                let line = std::mem::take(&mut self.line);
                let text = std::str::from_utf8(&line).map_err(|_| "an event is not UTF-8".to_owned())?;
                self.end_of(text.trim_end_matches(['\r', '\n']));
            }
        }
        Ok(())
    }

    /// The next event that is whole.
    pub(super) fn take(&mut self) -> Option<Frame> {
        self.ready.pop_front()
    }

    fn end_of(&mut self, line: &str) {
        if line.is_empty() {
            let frame = std::mem::take(&mut self.open);
            // A place alone is where the stream begins.
            if !frame.data.is_empty() || frame.id.is_some() {
                self.ready.push_back(frame);
            }
            return;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut self.open.kind),
            "data" => {
                if !self.open.data.is_empty() {
                    self.open.data.push('\n');
                }
                self.open.data.push_str(value);
            }
            "id" => self.open.id = value.parse().ok(),
            // A comment has no name.
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut frames = Frames::default();
        pieces.iter().for_each(|piece| frames.put(piece).unwrap());
        std::iter::from_fn(|| frames.take()).map(|frame| (frame.kind, frame.data)).collect()
    }

    #[test]
    fn events_come_whole_however_they_are_cut() {
        let text = b": still here\n\nid: 7\nevent: record\ndata: {\"a\": \"\xc3\xa4\"}\n\nevent: progress\r\ndata:1\r\ndata: 2\r\n\r\nevent: rec";
        let expected =
            vec![("record".to_owned(), "{\"a\": \"\u{e4}\"}".to_owned()), ("progress".to_owned(), "1\n2".to_owned())];
        assert_eq!(all(&[text]), expected);
        for at in 0..text.len() {
            assert_eq!(all(&[&text[..at], &text[at..]]), expected, "cut at {at}");
        }
        assert!(Frames::default().put(b"data: \xff\n").is_err());
    }

    #[test]
    fn a_place_without_an_event_is_told() {
        let mut frames = Frames::default();
        frames.put(b": waypost\nid: 7\n\n: still here\n\nid: 8\ndata: {}\n\n").unwrap();
        let told: Vec<_> = std::iter::from_fn(|| frames.take()).map(|frame| (frame.id, frame.data)).collect();
        assert_eq!(told, [(Some(7), String::new()), (Some(8), "{}".to_owned())]);
    }

    #[test]
    fn an_event_without_end_is_not_gathered_for_ever() {
        let mut frames = Frames::default();
        let piece = vec![b'x'; 1 << 20];
        let mut taken = 0;
        while frames.put(&piece).is_ok() {
            taken += piece.len();
            assert!(taken <= MOST_BYTES);
        }
        assert_eq!(taken, MOST_BYTES);
    }
}
