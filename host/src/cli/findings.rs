//! Findings for people: blockers first, each with what was compared and what to do.

use waypost::api::v1::{Finding, Verdict};
use waypost::core::finding::Severity;

use super::output::{Out, Tone};

/// The tone of a verdict.
pub fn tone(verdict: &Verdict) -> Tone {
    if verdict.is_allowed() { Tone::Good } else { Tone::Bad }
}

/// Everything that people are shown of a verdict.
pub fn show(out: &Out, verdict: &Verdict) {
    let mut shown: Vec<&Finding> = verdict.shown().collect();
    // Heaviest first; the order of the policies stays among equals.
    shown.sort_by_key(|finding| std::cmp::Reverse(weight(finding)));
    for finding in shown {
        let tone = match weight(finding) {
            Severity::Blocker => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Info => Tone::Dim,
        };
        out.line(format!(
            "  {}  {}  {}",
            out.tone(tone, format!("{:<7}", finding.weight)),
            finding.message,
            out.tone(Tone::Dim, format!("[{}: {}]", finding.plugin, finding.code))
        ));
        if !finding.evidence.is_empty() {
            let evidence: Vec<_> =
                finding.evidence.iter().map(|compared| format!("{}: {}", compared.name, compared.value)).collect();
            out.line(format!("           {}", out.tone(Tone::Dim, evidence.join("; "))));
        }
        if let Some(remedy) = &finding.remedy {
            out.line(format!("           remedy: {remedy}"));
        }
    }
}

/// A word that is not known yet weighs least.
fn weight(finding: &Finding) -> Severity {
    Severity::parse(&finding.weight).unwrap_or(Severity::Info)
}
