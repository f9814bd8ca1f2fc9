//! What all findings about one destination come to.

use crate::finding::{Finding, Severity};
use crate::ids::{HostName, PluginName};
use crate::words;

words! {
    /// How far a policy's answer is obeyed.
    pub enum PolicyMode {
        /// Obeyed.
        Enforce = "enforce",
        /// Shown; a blocker counts as a warning.
        Advise = "advise",
        /// Recorded, neither shown nor obeyed.
        Shadow = "shadow",
    }
    /// What the findings come to.
    pub enum Decision {
        /// May go.
        Allowed = "allowed",
        /// Must not go.
        Refused = "refused",
    }
}

/// A finding with the policy that made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judged {
    /// Policy; `waypost` for findings of the host itself.
    pub plugin: PluginName,
    /// Its mode.
    pub mode: PolicyMode,
    /// Finding, as the policy made it.
    pub finding: Finding,
}

impl Judged {
    /// The weight that counts: an advising policy can't block.
    pub fn weight(&self) -> Severity {
        match (self.mode, self.finding.severity) {
            (PolicyMode::Advise, Severity::Blocker) => Severity::Warning,
            (_, severity) => severity,
        }
    }
}

/// All findings about one destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Destination.
    pub destination: HostName,
    /// Findings, in the order of the policies' names.
    pub findings: Vec<Judged>,
}

impl Verdict {
    /// One blocker of one enforcing policy refuses. Failures are blockers already, so an error never turns into a pass.
    pub fn decision(&self) -> Decision {
        let blocked = self.findings.iter().any(|j| j.mode == PolicyMode::Enforce && j.weight() == Severity::Blocker);
        if blocked { Decision::Refused } else { Decision::Allowed }
    }
    /// What people are shown: everything but the shadow policies.
    pub fn shown(&self) -> impl Iterator<Item = &Judged> {
        self.findings.iter().filter(|j| j.mode != PolicyMode::Shadow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(mode: PolicyMode, severity: Severity) -> Judged {
        let finding = Finding { code: "c".into(), severity, message: String::new(), evidence: vec![], remedy: None };
        Judged { plugin: PluginName::new("p"), mode, finding }
    }

    #[test]
    fn only_an_enforced_blocker_refuses() {
        for &mode in PolicyMode::ALL {
            for &severity in Severity::ALL {
                let verdict = Verdict { destination: HostName::new("b"), findings: vec![judged(mode, severity)] };
                let expected = if mode == PolicyMode::Enforce && severity == Severity::Blocker {
                    Decision::Refused
                } else {
                    Decision::Allowed
                };
                assert_eq!(verdict.decision(), expected, "{mode} {severity}");
            }
        }
    }
}
