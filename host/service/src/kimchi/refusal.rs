//! What is said where it goes wrong, as Kimchi's clients read it: a status, and a reason that begins with a code.
//!
//! Kimchi's code is given where Kimchi has the case, with the status that it sends for it; some of those are 500 although the
//! request was at fault. What Kimchi does not know keeps its own status.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use waypost_core::finding::{Finding, Severity};
use waypost_core::ports::FaultKind;
use waypost_core::verdict::{Judged, PolicyMode, Verdict};

use crate::problem::{Code, Failed};

/// A refusal.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    reason: String,
    /// Seconds.
    retry_after: Option<u64>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, code: &str, words: &str) -> Self {
        Self { status, reason: format!("{code}: {words}"), retry_after: None }
    }

    /// The same, which may be asked again in so many seconds.
    pub(super) fn retry_after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// What the rules refuse, with all that speaks against it.
    pub(super) fn of(name: &str, verdict: &Verdict) -> Self {
        let blocks = |judged: &&Judged| judged.mode == PolicyMode::Enforce && judged.weight() == Severity::Blocker;
        let against: Vec<&Judged> = verdict.findings.iter().filter(blocks).collect();
        let (status, code) =
            against.iter().find_map(|judged| kimchis(&judged.finding)).unwrap_or((StatusCode::BAD_REQUEST, FAILED));
        let words: Vec<String> = against.iter().map(|judged| in_words(judged)).collect();
        let to = &verdict.destination;
        Self::new(status, code, &format!("{name} can't be migrated to {to}: {}", words.join("; ")))
    }

    /// The same, with something else to know.
    pub(super) fn and(self, words: &str) -> Self {
        Self { reason: format!("{}; {words}", self.reason), ..self }
    }

    #[cfg(test)]
    pub(super) fn reason(&self) -> &str {
        &self.reason
    }
}

/// A migration that failed, or can't be begun.
pub(super) const FAILED: &str = "KCHVM0058E";

/// Kimchi's code and status for what a rule found, where Kimchi looks for the same. What Kimchi finds only in its task has no status
/// there: it is the request's fault.
fn kimchis(finding: &Finding) -> Option<(StatusCode, &'static str)> {
    Some(match finding.code.as_str() {
        "same-host" => (StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0055E"),
        "architecture-differs" => (StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0064E"),
        "hypervisor-differs" => (StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0065E"),
        "destination-unreachable" if lets_nobody_in(finding) => (StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0056E"),
        "destination-unreachable" => (StatusCode::INTERNAL_SERVER_ERROR, "KCHVM0090E"),
        "state-unsuitable" | "state-in-transition" => (StatusCode::BAD_REQUEST, "KCHVM0057E"),
        "media-not-found" => (StatusCode::BAD_REQUEST, "KCHVM0061E"),
        "storage-unproven" => (StatusCode::BAD_REQUEST, "KCHVM0062E"),
        "storage-not-found" | "storage-pool-inactive" => (StatusCode::BAD_REQUEST, "KCHVM0063E"),
        _ => return None,
    })
}

/// Whether a host was reached that takes nothing of what is configured for it.
fn lets_nobody_in(finding: &Finding) -> bool {
    let kind = FaultKind::Authentication.as_str();
    finding.evidence.iter().any(|(what, value)| what == "kind of error" && value == kind)
}

fn in_words(judged: &Judged) -> String {
    let finding = &judged.finding;
    match &finding.remedy {
        Some(remedy) => format!("{} ({}); {remedy}", finding.message, finding.code),
        None => format!("{} ({})", finding.message, finding.code),
    }
}

impl From<&Failed> for Refusal {
    fn from(failed: &Failed) -> Self {
        let problem = failed.problem();
        let parts = [Some(&problem.detail), problem.cause.as_ref(), problem.remedy.as_ref()];
        let words = parts.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("; ");
        let code = match failed.code() {
            Code::NoCaller => "WOKAUTH0002E",
            Code::NoSuchTask => "WOKASYNC0001E",
            Code::NoSuchDomain => "KCHVM0002E",
            Code::DomainBusy | Code::DomainUnclear | Code::Refused | Code::HostFailed | Code::HostSilent => FAILED,
            other => other.as_str(),
        };
        Self::new(failed.code().status(), code, &words)
    }
}

impl From<Failed> for Refusal {
    fn from(failed: Failed) -> Self {
        Self::from(&failed)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let status = self.status;
        let code = format!("{} {}", status.as_str(), status.canonical_reason().unwrap_or_default());
        let later = self.retry_after.map(|seconds| [(header::RETRY_AFTER, HeaderValue::from(seconds))]);
        (status, later, Json(json!({ "code": code, "reason": for_a_page(&self.reason) }))).into_response()
    }
}

/// Says what went wrong before and around these routes in their shape.
pub(super) async fn in_kimchis_shape(response: Response) -> Response {
    let Some(failed) = response.extensions().get::<Failed>() else { return response };
    let (mut parts, body) = Refusal::from(failed).into_response().into_parts();
    let (told, _) = response.into_parts();
    for (name, value) in &told.headers {
        if name != header::CONTENT_TYPE && name != header::CONTENT_LENGTH {
            parts.headers.insert(name, value.clone());
        }
    }
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Response::from_parts(parts, body)
}

/// A text that Kimchi's page puts into its document as it is: what would be markup there is only text.
pub(super) fn for_a_page(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use waypost_core::ids::{HostName, PluginName};

    use super::*;

    fn judged(code: &str, mode: PolicyMode, severity: Severity) -> Judged {
        let finding = Finding {
            code: code.into(),
            severity,
            message: format!("{code} it is"),
            evidence: vec![],
            remedy: Some("mend it".into()),
        };
        Judged { plugin: PluginName::new("p"), mode, finding }
    }

    #[test]
    fn all_that_speaks_against_it_is_told_under_kimchis_code() {
        let of = |findings| Refusal::of("g1", &Verdict { destination: HostName::new("b"), findings });
        let refusal = of(vec![
            judged("shown", PolicyMode::Advise, Severity::Blocker),
            judged("name-taken", PolicyMode::Enforce, Severity::Blocker),
            judged("architecture-differs", PolicyMode::Enforce, Severity::Blocker),
        ]);
        assert_eq!(refusal.status, 500);
        assert_eq!(
            refusal.reason,
            "KCHVM0064E: g1 can't be migrated to b: name-taken it is (name-taken); mend it; \
             architecture-differs it is (architecture-differs); mend it"
        );
        let refusal = of(vec![judged("name-taken", PolicyMode::Enforce, Severity::Blocker)]);
        assert_eq!(refusal.status, 400);
        assert!(refusal.reason.starts_with("KCHVM0058E: "), "{}", refusal.reason);
    }

    #[test]
    fn nothing_is_markup_for_a_page() {
        assert_eq!(for_a_page("<img src=x onerror=a()> & co"), "&lt;img src=x onerror=a()&gt; &amp; co");
    }
}
