//! A source that tells nothing of its transfer: its hypervisor stands still while its daemon answers, or nothing answers at all.
//! Nothing is done about that by itself, because what isn't told of may move all the same; but whoever watches the task must
//! hear that nobody knows.

use std::time::Duration;

use tokio::time::Instant;

/// Since when no reading of the transfer has come.
#[derive(Debug, Clone)]
pub(super) struct Silence {
    since: Instant,
    /// What came instead of the last one.
    why: Option<String>,
    said: bool,
}

impl Silence {
    pub(super) fn new(now: Instant) -> Self {
        Self { since: now, why: None, said: false }
    }

    /// A reading came. Answers whether that is news, because it was said that none does.
    pub(super) fn ends(&mut self, now: Instant) -> bool {
        (self.since, self.why) = (now, None);
        std::mem::take(&mut self.said)
    }

    /// None came, for this reason.
    pub(super) fn goes_on(&mut self, why: String) {
        self.why = Some(why);
    }

    /// For how many seconds it has lasted, and why, if that is long enough and was not said yet.
    pub(super) fn news(&mut self, patience: Duration, now: Instant) -> Option<(u64, String)> {
        let lasts = now.duration_since(self.since);
        if self.said || lasts < patience {
            return None;
        }
        self.said = true;
        Some((lasts.as_secs(), self.why.clone().unwrap_or_else(|| "it has not answered yet".to_owned())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_news_once_with_the_last_reason_and_so_is_its_end() {
        let patience = Duration::from_secs(20);
        let began = Instant::now();
        let at = |s: u64| began + Duration::from_secs(s);
        let mut silence = Silence::new(began);
        assert!(!silence.ends(at(5)), "nobody said that nothing came");
        assert_eq!(silence.news(patience, at(24)), None);
        assert_eq!(silence.news(patience, at(25)), Some((20, "it has not answered yet".to_owned())));
        assert_eq!(silence.news(patience, at(90)), None, "it was said");
        assert!(silence.ends(at(91)));
        assert!(!silence.ends(at(92)), "it was said");
        silence.goes_on("first".to_owned());
        silence.goes_on("no answer in time".to_owned());
        assert_eq!(silence.news(patience, at(115)), Some((23, "no answer in time".to_owned())));
    }
}
