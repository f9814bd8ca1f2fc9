//! Every change on record: before it is made, with who asks and why, and afterwards what came of it. What can't be noted is not
//! done. An entry without an outcome is of a change during which the process ended.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};
use waypost_core::access::Asked;
use waypost_core::ids::TaskId;

use super::permit::Named;
use super::table::Rule;
use crate::caller::{Caller, Peer};
use crate::problem::{Code, Failed};
use crate::service::Service;

/// The header in which a client says why.
pub(crate) const REASON: &str = "waypost-reason";

/// Most characters of a reason, and most bytes of a body that is quoted.
const LONGEST: usize = 500;
const QUOTED: usize = 4096;

/// Put into an answer by whoever made a task, or found it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct About(pub(crate) TaskId);

/// What a request asks for, as it is noted; a body that is a file comes with its digest.
pub(crate) fn asked(
    service: &Service,
    caller: &Caller,
    rule: &Rule,
    named: &Named,
    request: &Request,
    (body, digest): (&Bytes, Option<String>),
) -> Result<Asked, Failed> {
    let file = digest.map(|digest| json!({"sha256": digest, "bytes": body.len()}));
    let body: Value = match rule.may_be_quoted() {
        true => serde_json::from_slice(body).unwrap_or_default(),
        false => Value::Null,
    };
    let text = |key: &str| body.get(key).and_then(Value::as_str).map(str::to_owned);
    // What can't be a name is not noted as one: a line of its own, or colours, for whoever reads the log.
    let name = |text: &String| text.len() <= LONGEST && !text.chars().any(char::is_control);
    let quoted = match &named.plugin {
        None => Some(body.to_string()).filter(|text| !body.is_null() && text.len() <= QUOTED),
        // Which policy, whatever becomes of the rest.
        Some(plugin) => {
            let details = json!({"plugin": plugin.as_str(), "asked": file.as_ref().unwrap_or(&body)}).to_string();
            let short = || json!({"plugin": plugin.as_str()}).to_string();
            Some(if details.len() <= QUOTED { details } else { short() })
        }
    };
    let peer = request.extensions().get::<Peer>();
    Ok(Asked {
        at: service.shared.parts.clock.now(),
        who: caller.name().to_owned(),
        proof: caller.proof().to_string(),
        from: peer.map_or_else(|| "embedding program".to_owned(), |peer| peer.origin.to_string()),
        what: rule.name(),
        task: named.task.as_ref().map(|task| task.id),
        domain: named.domain.clone().or_else(|| text("domain")).filter(name),
        host: named.host.clone().or_else(|| text("to")).filter(name),
        reason: reason(request.headers())?,
        details: quoted,
    })
}

fn reason(headers: &HeaderMap) -> Result<Option<String>, Failed> {
    let Some(value) = headers.get(REASON) else { return Ok(None) };
    let text = std::str::from_utf8(value.as_bytes()).ok().map(str::trim);
    let fits = |text: &&str| text.chars().count() <= LONGEST && !text.chars().any(char::is_control);
    match text.filter(fits) {
        Some("") => Ok(None),
        Some(text) => Ok(Some(text.to_owned())),
        None => Err(Failed::new(
            Code::BadRequest,
            format!("a Waypost-Reason is at most {LONGEST} characters of UTF-8 on one line"),
        )),
    }
}

/// Notes what is asked for; answers the number of the entry.
pub(crate) async fn note(service: &Service, asked: Asked) -> Result<u64, Failed> {
    service.blocking(move |service| Ok(service.shared.parts.ledger.note(&asked)?)).await
}

/// What came of a change: a word, and the task that it made or was about.
pub(crate) type Came = (String, Option<TaskId>);

/// What an answer says of it.
pub(crate) fn came(answer: &Result<Response, Failed>) -> Came {
    match answer {
        Ok(response) => {
            let failed = response.extensions().get::<Failed>();
            let outcome = match failed {
                Some(failed) => failed.code().as_str().to_owned(),
                None if response.status().is_success() => "done".to_owned(),
                None => response.status().as_u16().to_string(),
            };
            (outcome, response.extensions().get::<About>().map(|about| about.0))
        }
        Err(failed) => (failed.code().as_str().to_owned(), None),
    }
}

/// Notes what came of it. The change is made already, so that this can't be noted is no reason to say otherwise.
pub(crate) async fn settle(service: &Service, number: u64, (outcome, task): Came) {
    let settled =
        service.blocking(move |service| Ok(service.shared.parts.ledger.settle(number, &outcome, task)?)).await;
    if let Err(failed) = settled {
        tracing::error!(number, why = %failed.problem().detail, "what came of a change can't be noted");
    }
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_reason_is_short_and_on_one_line() {
        let read = |bytes: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REASON, HeaderValue::from_bytes(bytes).unwrap());
            reason(&headers)
        };
        assert_eq!(read("Wartung für kvm1".as_bytes()).unwrap().as_deref(), Some("Wartung für kvm1"));
        assert_eq!(read(b" ").unwrap(), None);
        for wrong in [&[0xff, 0xfe][..], b"a\tb", "x".repeat(501).as_bytes()] {
            assert!(read(wrong).is_err(), "{wrong:?}");
        }
    }
}
