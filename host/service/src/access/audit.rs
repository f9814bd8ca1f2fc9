//! Every change on record: before it is made, with who asks and why, and afterwards what came of it. What can't be noted is not
//! done. An entry without an outcome is of a change during which the process ended.
//!
//! Of a body only what was understood is on record. What was not could be anything, a password that somebody sent to the wrong route
//! among it, and the log is kept for long, and sent on: so of that it has the size alone.

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::HeaderMap;
use axum::response::Response;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use waypost_api::v1;
use waypost_core::access::Asked;
use waypost_core::digest::sha256;
use waypost_core::ids::TaskId;

use super::permit::Named;
use super::table::{Rule, Shape};
use crate::caller::{Caller, Peer};
use crate::problem::{Code, Failed};
use crate::service::Service;

/// The header in which a client says why.
pub(crate) const REASON: &str = "waypost-reason";

/// Most characters of a reason, and most bytes of what is on record of a body.
pub(crate) const LONGEST: usize = 500;
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
    let said = match digest {
        Some(digest) => json!({"sha256": digest, "bytes": body.len()}),
        None => understood(rule.body(), body),
    };
    let text = |key: &str| said.get(key).and_then(Value::as_str).map(str::to_owned);
    // What can't be a name is not noted as one: a line of its own, or colours, for whoever reads the log.
    let name = |text: &String| text.len() <= LONGEST && !text.chars().any(char::is_control);
    let fits = |text: &String| text.len() <= QUOTED;
    let quoted = match &named.plugin {
        None if said.is_null() => None,
        None => Some(said.to_string()).filter(fits).or_else(|| Some(size(body).to_string())),
        // Which policy, whatever becomes of the rest.
        Some(plugin) => {
            let details = |asked: &Value| json!({"plugin": plugin.as_str(), "asked": asked}).to_string();
            Some(details(&said)).filter(fits).or_else(|| Some(details(&size(body))))
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

/// What of a body may be on record: of one that has the shape of what is asked for what it says by that shape, of settings which they
/// are, of any other how long it is.
fn understood(shape: Shape, body: &Bytes) -> Value {
    let read = match shape {
        Shape::Task => typed::<v1::NewTask>(body),
        Shape::Steering => typed::<v1::Steer>(body),
        Shape::Action => typed::<v1::NewAction>(body),
        Shape::Settings => settings(body),
        Shape::None => None,
        Shape::Untold => return Value::Null,
    };
    read.unwrap_or_else(|| if body.is_empty() { Value::Null } else { size(body) })
}

fn size(body: &Bytes) -> Value {
    json!({"bytes": body.len()})
}

/// What a body says as that type, without what it leaves to defaults; none: it is not of that type.
fn typed<T: DeserializeOwned + Serialize>(body: &[u8]) -> Option<Value> {
    let read: T = serde_json::from_slice(body).ok()?;
    let said: Value = serde_json::from_slice(body).ok()?;
    Some(narrowed(serde_json::to_value(read).ok()?, &said))
}

/// Of what was read, the fields that were written.
fn narrowed(read: Value, said: &Value) -> Value {
    match (read, said) {
        (Value::Object(read), Value::Object(said)) => {
            let written = read.into_iter().filter_map(|(key, value)| {
                let value = narrowed(value, said.get(&key)?);
                Some((key, value))
            });
            Value::Object(written.collect())
        }
        (read, _) => read,
    }
}

/// Which settings, and a digest by which it is known whether they are those of another entry; not what they say.
fn settings(body: &[u8]) -> Option<Value> {
    let settings: Map<String, Value> = serde_json::from_slice(body).ok()?;
    let digest = sha256(&serde_json::to_vec(&settings).ok()?);
    Some(json!({"keys": settings.keys().collect::<Vec<_>>(), "sha256": digest}))
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
    fn of_a_body_only_what_was_understood_is_on_record() {
        let noted = |shape, body: &str| understood(shape, &Bytes::from(body.to_owned()));
        let new = r#"{"domain": "g1", "to": "b", "options": {"bandwidth_mib_s": 100, "stream": {"post_copy": true}}}"#;
        assert_eq!(noted(Shape::Task, new), serde_json::from_str::<Value>(new).unwrap());
        assert_eq!(noted(Shape::Steering, r#"{"suspend": true}"#), json!({"suspend": true}));
        assert_eq!(noted(Shape::Action, r#"{"action": "wait"}"#), json!({"action": "wait"}));
        let secret = r#"{"domain": "g1", "to": "b", "password": "hunter2"}"#;
        let size = json!({"bytes": secret.len()});
        for shape in [Shape::Task, Shape::Steering, Shape::Action, Shape::None] {
            assert_eq!(noted(shape, secret), size, "{shape:?}");
        }
        assert_eq!(noted(Shape::Untold, secret), Value::Null);
        let settings = noted(Shape::Settings, secret);
        assert_eq!(settings["keys"], json!(["domain", "password", "to"]));
        assert!(!settings.to_string().contains("hunter2"), "{settings}");
        for nothing in ["", "hunter2", "\"hunter2\"", "[\"hunter2\"]", "{\"hunter2\""] {
            for shape in [Shape::Task, Shape::Settings, Shape::None] {
                let told = noted(shape, nothing);
                let expected = if nothing.is_empty() { Value::Null } else { json!({"bytes": nothing.len()}) };
                assert_eq!(told, expected, "{shape:?} {nothing}");
            }
        }
    }

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
