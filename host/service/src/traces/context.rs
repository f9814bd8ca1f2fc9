//! Within what a task was asked for, where the request says so: the headers `traceparent` and `tracestate` of W3C's Trace Context.
//!
//! A migration's trace has a link there, and is no part of it. The request is answered long before the migration is over, which
//! is when OpenTelemetry has links; its trace may be sampled away, and a stranger would choose the trace that is written to. So a
//! migration's trace keeps the id of its task. What is not well-formed is taken for not there, as the specification has it.

use std::str::FromStr as _;

use axum::http::HeaderMap;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Longest `tracestate` that is kept; one that is longer is left out as a whole. Every program has to take so much.
const STATE_BYTES: usize = 512;

/// The version that is written, and the length of what every later one begins with.
const VERSION: &str = "00";
const LENGTH: usize = 55;

/// What the headers of a request say, as it is kept.
pub(crate) fn of(headers: &HeaderMap) -> Option<String> {
    let mut parents = headers.get_all("traceparent").iter();
    let (Some(parent), None) = (parents.next(), parents.next()) else { return None };
    let parent = parent.to_str().ok()?.trim_matches([' ', '\t']);
    let states: Option<Vec<_>> = headers.get_all("tracestate").iter().map(|state| state.to_str().ok()).collect();
    parsed(parent, &states.unwrap_or_default().join(",")).map(|context| written(&context))
}

/// The same from how it is kept.
pub(super) fn read(kept: &str) -> Option<SpanContext> {
    let (parent, state) = kept.split_once('\n').unwrap_or((kept, ""));
    parsed(parent, state)
}

fn written(context: &SpanContext) -> String {
    let (trace, span) = (context.trace_id(), context.span_id());
    let parent = format!("{VERSION}-{trace}-{span}-{:02x}", context.trace_flags().to_u8());
    let state = context.trace_state().header();
    if state.is_empty() { parent } else { format!("{parent}\n{state}") }
}

fn parsed(parent: &str, state: &str) -> Option<SpanContext> {
    let hex = |text: &str| text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let (known, more) = parent.is_ascii().then(|| parent.split_at_checked(LENGTH))??;
    let mut parts = known.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let lengths = [version.len(), trace.len(), span.len(), flags.len()] == [2, 32, 16, 2];
    // Of a later version only what it has in common with this one is known.
    let ends = if version == VERSION { more.is_empty() } else { more.is_empty() || more.starts_with('-') };
    let fits = lengths && parts.next().is_none() && [version, trace, span, flags].into_iter().all(hex);
    if !fits || !ends || version == "ff" {
        return None;
    }
    let flags = TraceFlags::new(u8::from_str_radix(flags, 16).ok()?) & TraceFlags::SAMPLED;
    let state = Some(state).filter(|state| state.len() <= STATE_BYTES);
    let state = state.and_then(|state| TraceState::from_str(state).ok()).unwrap_or_default();
    let (trace, span) = (TraceId::from_hex(trace).ok()?, SpanId::from_hex(span).ok()?);
    Some(SpanContext::new(trace, span, flags, true, state)).filter(SpanContext::is_valid)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
    const SPAN: &str = "00f067aa0ba902b7";

    fn said(parents: &[&str], states: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for (name, values) in [("traceparent", parents), ("tracestate", states)] {
            for value in values {
                headers.append(name, HeaderValue::from_str(value).unwrap());
            }
        }
        of(&headers)
    }

    #[test]
    fn what_is_well_formed_is_kept_and_read_again() {
        let parent = format!("00-{TRACE}-{SPAN}-01");
        assert_eq!(said(&[&parent], &[]), Some(parent.clone()));
        let kept = said(&[&parent], &["rojo=00f067aa0ba902b7 , congo=t61rcWkgMzE", "a@b=c"]).unwrap();
        let context = read(&kept).unwrap();
        assert_eq!((context.trace_id().to_string(), context.span_id().to_string()), (TRACE.into(), SPAN.into()));
        assert!(context.is_sampled() && context.is_remote());
        assert_eq!(context.trace_state().header(), "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE,a@b=c");
        // Flags that are not known say nothing, and a later version is read as far as it is this one.
        let plain = format!("00-{TRACE}-{SPAN}-00");
        for later in
            [format!("00-{TRACE}-{SPAN}-02"), format!("cc-{TRACE}-{SPAN}-00"), format!("01-{TRACE}-{SPAN}-00-more")]
        {
            assert_eq!(said(&[&later], &[]), Some(plain.clone()), "{later}");
        }
    }

    #[test]
    fn what_is_not_well_formed_is_taken_for_not_there() {
        let good = format!("00-{TRACE}-{SPAN}-01");
        for wrong in [
            "",
            "00",
            &good[..54],
            &format!("{good}-"),
            &format!("{good}0"),
            &format!("cc-{TRACE}-{SPAN}-01.more"),
            &format!("ff-{TRACE}-{SPAN}-01"),
            &format!("0-{TRACE}-{SPAN}-010"),
            &format!("00-{}-{SPAN}-01", "0".repeat(32)),
            &format!("00-{TRACE}-{}-01", "0".repeat(16)),
            &format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            &format!("00-{TRACE}-{SPAN}-0g"),
            &format!("00_{TRACE}_{SPAN}_01"),
            &format!("00-{TRACE}-{SPAN}-0ä"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("traceparent", HeaderValue::from_bytes(wrong.as_bytes()).unwrap());
            assert_eq!(of(&headers), None, "{wrong:?}");
        }
        assert_eq!(said(&[&good, &good], &[]), None, "twice is not once");
        assert_eq!(said(&[], &["a=b"]), None);
        // Without its state it is good all the same.
        let long = format!("a={}", "x".repeat(600));
        for state in ["no pair", &long, "A=b"] {
            assert_eq!(said(&[&good], &[state]), Some(good.clone()), "{state}");
        }
    }
}
