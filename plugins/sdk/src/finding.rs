//! How a policy says what it found.

use crate::types::{Finding, Severity};

impl Finding {
    /// The migration must not start. Say what was compared ([`with`](Self::with)) and what helps ([`remedy`](Self::remedy)).
    pub fn blocker(code: &str, message: impl Into<String>) -> Self {
        Self::of(Severity::Blocker, code, message)
    }

    /// The migration may go on; a person should look.
    pub fn warning(code: &str, message: impl Into<String>) -> Self {
        Self::of(Severity::Warning, code, message)
    }

    /// Worth knowing.
    pub fn info(code: &str, message: impl Into<String>) -> Self {
        Self::of(Severity::Info, code, message)
    }

    /// A finding whose weight was computed: `code` is lower case with hyphens, at most 64 bytes, and stable.
    pub fn of(severity: Severity, code: &str, message: impl Into<String>) -> Self {
        Self { code: code.to_owned(), severity, message: message.into(), evidence: Vec::new(), remedy: None }
    }

    /// Adds evidence: a name and what was seen.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.evidence.push((name.to_owned(), value.to_string()));
        self
    }

    /// Adds evidence that may be missing; `none` says so.
    #[must_use]
    pub fn with_option(self, name: &str, value: Option<impl ToString>, none: &str) -> Self {
        let value = value.map_or_else(|| none.to_owned(), |value| value.to_string());
        self.with(name, value)
    }

    /// What a person can do about it.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_keeps_its_evidence_in_order() {
        let finding = Finding::blocker("x-differs", "It differs.")
            .with("a", 1)
            .with_option("b", None::<&str>, "none")
            .remedy("Fix it.");
        assert_eq!(finding.severity, Severity::Blocker);
        assert_eq!(finding.evidence, [("a".to_owned(), "1".to_owned()), ("b".to_owned(), "none".to_owned())]);
        assert_eq!(finding.remedy.as_deref(), Some("Fix it."));
    }
}
