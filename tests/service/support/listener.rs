//! Reads a stream of events as a client does.

use axum::body::Body;
use http_body_util::BodyExt as _;
use serde_json::Value;

/// A stream that is being read.
pub struct Listener {
    body: Body,
    text: String,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Heard {
    pub id: Option<u64>,
    pub kind: String,
    pub data: Value,
}

impl Listener {
    pub fn of(body: Body) -> Self {
        Self { body, text: String::new() }
    }

    /// The next event; none at the end of the stream.
    pub async fn next(&mut self) -> Option<Heard> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let heard = Heard::parse(block);
                self.text = rest.to_owned();
                match heard {
                    Some(heard) => return Some(heard),
                    None => continue,
                }
            }
            let frame = self.body.frame().await?.expect("the stream can be read");
            let bytes = frame.into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The next record.
    pub async fn record(&mut self) -> Option<Heard> {
        loop {
            let heard = self.next().await?;
            if heard.kind == "record" {
                return Some(heard);
            }
        }
    }

    /// Waits for the comment that says that the stream is still there.
    pub async fn comment(&mut self) {
        while !self.text.contains(": still here\n\n") {
            let frame = self.body.frame().await.expect("the stream goes on").expect("the stream can be read");
            let bytes = frame.into_data().expect("data");
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// Events up to the first for which that holds.
    pub async fn until(&mut self, holds: impl Fn(&Heard) -> bool) -> Vec<Heard> {
        let mut all = Vec::new();
        loop {
            let heard = self.next().await.expect("the stream goes on");
            all.push(heard.clone());
            if holds(&heard) {
                return all;
            }
        }
    }
}

impl Heard {
    /// None for a comment.
    pub fn parse(block: &str) -> Option<Self> {
        let mut heard = Self { id: None, kind: String::new(), data: Value::Null };
        for line in block.lines() {
            match line.split_once(": ") {
                Some(("id", id)) => heard.id = Some(id.parse().unwrap()),
                Some(("event", kind)) => heard.kind = kind.to_owned(),
                Some(("data", data)) => heard.data = serde_json::from_str(data).unwrap(),
                _ => assert!(line.starts_with(':'), "{line:?}"),
            }
        }
        (!heard.kind.is_empty()).then_some(heard)
    }

    /// Whether it says that a task ended.
    pub fn ends(&self, task: &str) -> bool {
        self.kind == "record" && self.data["task"] == task && self.data["entry"]["record"] == "ended"
    }
}
