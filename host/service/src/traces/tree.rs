//! A journal as spans. A pure function of what is on record, so that a trace is the same whoever works it out, and whenever.
//!
//! ```text
//! migration                  the task, from its request to its end
//! └─ attempt                 one of those that it took
//!    ├─ accepted ... finishing   one span per phase; looking for the domain and mending are one: recovering
//!    ╎  judged, policy-decision, steer-intended, located, ...   events: records, and what policies were asked
//! ```
//! A task that ended stuck and was gone on with ends again, and has another such tree in the same trace, below the first one.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use opentelemetry::trace::{Event, Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{Array, InstrumentationScope, KeyValue, StringValue, Value};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};
use serde_json::Value as Json;
use sha2::{Digest as _, Sha256};
use waypost_api::v1;
use waypost_core::ids::{Moment, TaskId};
use waypost_core::journal::{Course, Record};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::phase::Phase;
use waypost_core::ports::{DecisionRecord, Reading, TaskBrief};
use waypost_core::sample::Stage;

/// The whole, and a part of it that may come again.
const MIGRATION: &str = "migration";
const ATTEMPT: &str = "attempt";

/// Events of one span; more are counted.
const EVENTS: usize = 128;

/// Characters of a text in an attribute.
const TEXT: usize = 1000;

/// The key of what an error is, by OpenTelemetry's convention.
const ERROR_TYPE: &str = "error.type";

/// Spans of a task whose journal ends with its end, which was asked for within something else or not; none of a journal that
/// can't be.
pub(super) fn spans(
    brief: &TaskBrief,
    journal: &[(Moment, Record)],
    decisions: &[DecisionRecord],
    reading: Option<&Reading>,
    within: Option<SpanContext>,
) -> Option<Vec<SpanData>> {
    let begins = journal.iter().rposition(|(_, record)| matches!(record, Record::Reopened { .. })).unwrap_or(0);
    let ((_, Record::Accepted { request }), (end, Record::Ended { outcome })) = (journal.first()?, journal.last()?)
    else {
        return None;
    };
    let mut course = Course::begin(request.clone());
    let mut tree = Tree::begin(brief.id, begins);
    for (index, (at, record)) in journal.iter().enumerate() {
        if index > 0 {
            course.apply(record).ok()?;
        }
        if index < begins {
            continue;
        }
        let number = index + 1;
        if index == begins {
            tree.open(number, *at, &course);
        }
        tree.note(*at, record);
        match record {
            Record::PerformReturned { result: Err((class, message)) } => tree.fail(Some(class.as_str()), message),
            // What it failed of is over.
            Record::PerformReturned { result: Ok(()) } => tree.went_on(),
            Record::Doubted { why } => tree.fail(None, why),
            Record::NextAttempt { .. } => {
                tree.close_attempt(*at);
                tree.open_attempt(number, *at, &course);
            }
            Record::Ended { .. } => {}
            _ => {
                if name_of(course.phase) != tree.phase_name() {
                    tree.close_phase(*at);
                    tree.open_phase(number, *at, &course);
                }
            }
        }
        if matches!(record, Record::PerformReturned { .. } | Record::Doubted { .. }) {
            tree.close_phase(*at);
            tree.open_phase(number, *at, &course);
        }
    }
    let mut spans = tree.close(*end, &course, outcome)?;
    about(&mut spans[0], brief, &course, outcome, reading);
    // The tree of a task that was gone on with is below the first one, which has it.
    if begins == 0 {
        spans[0].links.links.extend(within.map(Link::with_context));
    }
    place(&mut spans, (journal[begins].0, *end), decisions);
    Some(spans)
}

/// What a phase is called. Looking and mending take turns, as often as there is something to look at.
fn name_of(phase: Phase) -> &'static str {
    match phase {
        Phase::Locating => Phase::Recovering.as_str(),
        other => other.as_str(),
    }
}

/// What is open while a journal is read.
struct Tree {
    task: TaskId,
    /// The whole comes first.
    done: Vec<SpanData>,
    root: Option<SpanData>,
    attempt: Option<SpanData>,
    phase: Option<SpanData>,
    /// The tree of which this one is a part.
    above: SpanId,
}

/// What a span is of, for its id.
#[derive(Clone, Copy)]
enum Kind {
    Root = 0,
    Attempt = 1,
    Phase = 2,
}

impl Tree {
    fn begin(task: TaskId, begins: usize) -> Self {
        let above = if begins == 0 { SpanId::INVALID } else { span_id(task, Kind::Root, 1) };
        Self { task, done: Vec::new(), root: None, attempt: None, phase: None, above }
    }

    fn span(&self, kind: Kind, number: usize, name: &'static str, at: Moment, parent: SpanId) -> SpanData {
        let trace = TraceId::from_bytes(*self.task.0.as_bytes());
        let id = span_id(self.task, kind, number);
        SpanData {
            span_context: SpanContext::new(trace, id, TraceFlags::SAMPLED, false, TraceState::NONE),
            parent_span_id: parent,
            parent_span_is_remote: false,
            span_kind: SpanKind::Internal,
            name: name.into(),
            start_time: time(at),
            end_time: time(at),
            attributes: Vec::new(),
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links: SpanLinks::default(),
            status: Status::Unset,
            instrumentation_scope: InstrumentationScope::builder("waypost")
                .with_version(env!("CARGO_PKG_VERSION"))
                .build(),
        }
    }

    fn open(&mut self, number: usize, at: Moment, course: &Course) {
        self.root = Some(self.span(Kind::Root, number, MIGRATION, at, self.above));
        self.open_attempt(number, at, course);
    }

    fn open_attempt(&mut self, number: usize, at: Moment, course: &Course) {
        let mut attempt = self.span(Kind::Attempt, number, ATTEMPT, at, id_of(self.root.as_ref()));
        attempt.attributes = vec![
            KeyValue::new("waypost.attempt", i64::from(course.attempt)),
            KeyValue::new("waypost.destination.host", course.current.destination.to_string()),
        ];
        self.attempt = Some(attempt);
        self.open_phase(number, at, course);
    }

    fn open_phase(&mut self, number: usize, at: Moment, course: &Course) {
        let name = name_of(course.phase);
        let mut phase = self.span(Kind::Phase, number, name, at, id_of(self.attempt.as_ref()));
        phase.attributes = vec![KeyValue::new("waypost.attempt", i64::from(course.attempt))];
        self.phase = Some(phase);
    }

    fn phase_name(&self) -> &str {
        self.phase.as_ref().map_or("", |phase| phase.name.as_ref())
    }

    /// An event of the phase that is open.
    fn note(&mut self, at: Moment, record: &Record) {
        if let (Some(phase), Some(event)) = (&mut self.phase, event(at, record)) {
            add(phase, event);
        }
    }

    /// The phase that is open failed, and with it the attempt.
    fn fail(&mut self, class: Option<&'static str>, why: &str) {
        for span in [&mut self.phase, &mut self.attempt].into_iter().flatten() {
            span.status = Status::error(shortened(why));
            span.attributes.retain(|known| known.key.as_str() != ERROR_TYPE);
            span.attributes.extend(class.map(|class| KeyValue::new(ERROR_TYPE, class)));
        }
    }

    /// The attempt came through after all.
    fn went_on(&mut self) {
        if let Some(attempt) = &mut self.attempt {
            attempt.status = Status::Unset;
            attempt.attributes.retain(|known| known.key.as_str() != ERROR_TYPE);
        }
    }

    fn close_phase(&mut self, at: Moment) {
        self.done.extend(self.phase.take().map(|phase| SpanData { end_time: time(at), ..phase }));
    }

    fn close_attempt(&mut self, at: Moment) {
        self.close_phase(at);
        self.done.extend(self.attempt.take().map(|attempt| SpanData { end_time: time(at), ..attempt }));
    }

    /// All spans, the whole first, then as they began, and what is part of another one after it.
    fn close(mut self, at: Moment, course: &Course, outcome: &Outcome) -> Option<Vec<SpanData>> {
        let status = match outcome.kind {
            OutcomeKind::Completed => Status::Ok,
            // A refusal and a cancel are what was wanted.
            OutcomeKind::Refused | OutcomeKind::Cancelled => Status::Unset,
            OutcomeKind::RolledBack | OutcomeKind::Stuck | OutcomeKind::Lost => {
                Status::error(shortened(&outcome.summary))
            }
        };
        for span in [&mut self.phase, &mut self.attempt].into_iter().flatten() {
            // What the attempt itself failed of says more.
            if span.status == Status::Unset && status != Status::Ok {
                span.status = status.clone();
            }
        }
        if status == Status::Ok {
            self.went_on();
        }
        if let (Some(attempt), Status::Ok) = (&mut self.attempt, &status) {
            attempt.status = Status::Ok;
        }
        self.close_attempt(at);
        let mut root = self.root.take()?;
        root.end_time = time(at);
        if let (Some((class, _)), Status::Error { .. }) = (&course.failure, &status) {
            root.attributes.push(KeyValue::new(ERROR_TYPE, class.as_str()));
        }
        root.status = status;
        let mut spans = vec![root];
        self.done.sort_by_key(|span| (span.start_time, span.name != ATTEMPT));
        spans.append(&mut self.done);
        Some(spans)
    }
}

/// What the whole is about.
fn about(root: &mut SpanData, brief: &TaskBrief, course: &Course, outcome: &Outcome, reading: Option<&Reading>) {
    let text = |key: &'static str, value: String| KeyValue::new(key, value);
    root.attributes.extend([
        text("waypost.task.id", brief.id.to_string()),
        text("waypost.domain.name", brief.domain_name.clone()),
        text("waypost.destination.host", course.current.destination.to_string()),
        text("waypost.outcome", outcome.kind.to_string()),
        text("waypost.summary", shortened(&outcome.summary)),
        text("waypost.requester", shortened(&course.request.requester)),
        KeyValue::new("waypost.attempts", i64::from(course.attempt)),
    ]);
    root.attributes.extend(brief.domain.map(|id| text("waypost.domain.id", id.to_string())));
    root.attributes.extend(brief.source.as_ref().map(|host| text("waypost.source.host", host.to_string())));
    let last = reading.map(|reading| &reading.sample).filter(|sample| sample.stage == Stage::Final);
    if let Some(sample) = last.filter(|_| outcome.kind == OutcomeKind::Completed) {
        root.attributes.push(KeyValue::new("waypost.transferred_bytes", number(sample.processed_bytes)));
        root.attributes.extend(sample.downtime_ms.map(|ms| KeyValue::new("waypost.downtime_ms", number(ms))));
    }
}

/// Puts what policies were asked into the phase that asks such a question, and where that was not begun yet into the one that was.
/// What was asked after this end, once the task was gone on with, is of the next tree.
fn place(spans: &mut [SpanData], (begins, end): (Moment, Moment), decisions: &[DecisionRecord]) {
    for decision in decisions.iter().filter(|decision| (begins..=end).contains(&decision.decided_at)) {
        let at = time(decision.decided_at);
        let asks = match decision.hook.as_str() {
            "recovery" => Phase::Recovering,
            "convergence" => Phase::Performing,
            _ => Phase::Accepted,
        };
        let begun = |span: &SpanData| span.start_time <= at && span.name != MIGRATION && span.name != ATTEMPT;
        let last = spans.iter().rposition(|span| begun(span) && span.name == asks.as_str());
        if let Some(index) = last.or_else(|| spans.iter().rposition(begun)) {
            add(&mut spans[index], decided(decision));
            spans[index].events.events.sort_by_key(|event| event.timestamp);
        }
    }
}

/// A question to a policy, and its answer.
fn decided(decision: &DecisionRecord) -> Event {
    let mut attributes = vec![
        KeyValue::new("waypost.plugin", decision.plugin.to_string()),
        KeyValue::new("waypost.hook", decision.hook.clone()),
        KeyValue::new("waypost.mode", decision.mode.as_str()),
        KeyValue::new("waypost.verdict", decision.verdict().as_str()),
        KeyValue::new("waypost.answer", shortened(&decision.answer)),
        KeyValue::new("waypost.fuel", number(decision.fuel)),
        KeyValue::new("waypost.micros", number(decision.micros)),
    ];
    attributes.extend(decision.fault.as_ref().map(|fault| KeyValue::new("waypost.fault", shortened(fault))));
    Event::new("policy-decision", time(decision.decided_at), attributes, 0)
}

/// A record as an event; the first and the last one are the spans' own ends.
fn event(at: Moment, record: &Record) -> Option<Event> {
    if matches!(record, Record::Accepted { .. } | Record::Ended { .. }) {
        return None;
    }
    let entry = v1::Entry::new(at, record);
    let mut attributes = Vec::new();
    for (key, value) in &entry.details {
        match value {
            // A step, which has a name and a host.
            Json::Object(fields) if key == "step" => {
                let named = fields.iter().map(|(field, value)| (format!("waypost.step.{field}"), value));
                attributes.extend(named.filter_map(|(key, value)| Some(KeyValue::new(key, plain(value)?))));
            }
            value => attributes.extend(plain(value).map(|value| KeyValue::new(format!("waypost.{key}"), value))),
        }
    }
    if let Record::Judged { verdict, .. } = record {
        attributes.push(KeyValue::new("waypost.decision", verdict.decision().as_str()));
        attributes.push(KeyValue::new("waypost.findings", number(verdict.findings.len() as u64)));
    }
    Some(Event::new(entry.record, time(at), attributes, 0))
}

/// What an attribute can hold; documents stay in the journal.
fn plain(value: &Json) -> Option<Value> {
    Some(match value {
        Json::String(text) => Value::from(shortened(text)),
        Json::Bool(yes) => Value::from(*yes),
        Json::Number(figure) => match figure.as_i64() {
            Some(figure) => Value::from(figure),
            None => Value::from(figure.as_f64()?),
        },
        Json::Array(items) if !items.is_empty() => {
            let words: Option<Vec<StringValue>> =
                items.iter().map(|item| item.as_str().map(|text| shortened(text).into())).collect();
            Value::Array(Array::String(words?))
        }
        Json::Array(_) | Json::Object(_) | Json::Null => return None,
    })
}

fn add(span: &mut SpanData, event: Event) {
    if span.events.events.len() < EVENTS {
        span.events.events.push(event);
    } else {
        span.events.dropped_count += 1;
    }
}

fn id_of(span: Option<&SpanData>) -> SpanId {
    span.map_or(SpanId::INVALID, |span| span.span_context.span_id())
}

/// The same for the same span of the same task, whenever it is worked out.
fn span_id(task: TaskId, kind: Kind, number: usize) -> SpanId {
    let mut hash = Sha256::new();
    hash.update(task.0.as_bytes());
    hash.update([kind as u8]);
    hash.update((number as u64).to_be_bytes());
    let digest = hash.finalize();
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&digest[..8]);
    // All zeros would be none.
    bytes[7] |= 1;
    SpanId::from_bytes(bytes)
}

fn time(at: Moment) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(at.0)
}

fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(TEXT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
