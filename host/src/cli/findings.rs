//! Findings for people: blockers first, each with what was compared and what to do.

use waypost::core::finding::Severity;
use waypost::core::verdict::{Decision, Judged, Verdict};

use super::output::{Out, Tone};

/// `refused by 2 blockers, 1 warning`.
pub fn headline(verdict: &Verdict) -> String {
    let count = |severity| verdict.shown().filter(|j| j.weight() == severity).count();
    let some = |n: usize, word: &str| match n {
        0 => None,
        1 => Some(format!("1 {word}")),
        n => Some(format!("{n} {word}s")),
    };
    let (blockers, warnings) = (some(count(Severity::Blocker), "blocker"), some(count(Severity::Warning), "warning"));
    let notes = some(count(Severity::Info), "note");
    let rest: Vec<_> = [warnings, notes].into_iter().flatten().collect();
    let mut text = match (verdict.decision(), blockers) {
        (Decision::Refused, Some(blockers)) => format!("refused by {blockers}"),
        (decision, _) => decision.to_string(),
    };
    if !rest.is_empty() {
        text.push_str(if text.starts_with("refused") { ", " } else { " with " });
        text.push_str(&rest.join(", "));
    }
    text
}

/// The tone of a decision.
pub fn tone(decision: Decision) -> Tone {
    match decision {
        Decision::Allowed => Tone::Good,
        Decision::Refused => Tone::Bad,
    }
}

/// Everything that people are shown of a verdict.
pub fn show(out: &Out, verdict: &Verdict) {
    let mut shown: Vec<&Judged> = verdict.shown().collect();
    // Heaviest first; the order of the policies stays among equals.
    shown.sort_by_key(|judged| std::cmp::Reverse(judged.weight()));
    for judged in shown {
        let tone = match judged.weight() {
            Severity::Blocker => Tone::Bad,
            Severity::Warning => Tone::Warn,
            Severity::Info => Tone::Dim,
        };
        let finding = &judged.finding;
        let weight = out.tone(tone, format!("{:<7}", judged.weight().as_str()));
        out.line(format!(
            "  {weight}  {}  {}",
            finding.message,
            out.tone(Tone::Dim, format!("[{}: {}]", judged.plugin, finding.code))
        ));
        if !finding.evidence.is_empty() {
            let evidence: Vec<_> = finding.evidence.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            out.line(format!("           {}", out.tone(Tone::Dim, evidence.join("; "))));
        }
        if let Some(remedy) = &finding.remedy {
            out.line(format!("           remedy: {remedy}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use waypost::core::finding::Finding;
    use waypost::core::verdict::PolicyMode;

    use super::*;

    fn verdict(findings: &[(PolicyMode, Severity)]) -> Verdict {
        let judged = |&(mode, severity): &(PolicyMode, Severity)| Judged {
            plugin: "p".into(),
            mode,
            finding: Finding { code: "c".into(), severity, message: "m".into(), evidence: vec![], remedy: None },
        };
        Verdict { destination: "b".into(), findings: findings.iter().map(judged).collect() }
    }

    #[test]
    fn a_headline_counts_what_is_shown() {
        use PolicyMode::{Advise, Enforce, Shadow};
        assert_eq!(headline(&verdict(&[])), "allowed");
        assert_eq!(headline(&verdict(&[(Shadow, Severity::Blocker)])), "allowed");
        assert_eq!(
            headline(&verdict(&[(Advise, Severity::Blocker), (Enforce, Severity::Info)])),
            "allowed with 1 warning, 1 note"
        );
        let two = verdict(&[(Enforce, Severity::Blocker), (Enforce, Severity::Blocker), (Enforce, Severity::Warning)]);
        assert_eq!(headline(&two), "refused by 2 blockers, 1 warning");
    }
}
