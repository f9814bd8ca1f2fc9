//! The one border between the core's values and the text that is kept: every record, reading and decision goes through
//! here, in both directions.
//!
//! A record is `{"version":1,"attempt":1,"record":{"kind":"planned",...}}`. The keys are written out below, apart from
//! the core's field names, so that a rename there changes nothing on disk; `tests/records-v1.jsonl` holds one record
//! of each kind as version 1 wrote it. A change of a shape is a new [`RECORD_VERSION`] and a conversion from the old one;
//! a version, a key or a word that isn't known is an error, because a guess about a journal is a guess about a guest.
//! What only adds - a key that may be absent, a word where new ones may come - keeps the version: this Waypost reads what older ones
//! wrote. An older one doesn't read what it doesn't know: it names the key or the word and asks for the newer one.
//! The file is long because the list of what is kept is: one border, one file.

use serde_json::{Map, Value, json};
use thiserror::Error;
use uuid::Uuid;
use waypost_core::convergence::Steering;
use waypost_core::copies::{CopiedDisk, Copies};
use waypost_core::edit::{Edit, EditKind, Edits};
use waypost_core::facts::DomainState;
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::{DomainId, DomainKey, HostName, Moment, PluginName};
use waypost_core::journal::{FinishStep, Record, Step, StepEnd};
use waypost_core::network::{Detour, Detours};
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::plan::{Autostart, Before, DestinationFate, End, Notes, Plan, RunState, SourceFate, TransferMode};
use waypost_core::ports::{DecisionRecord, Reading};
use waypost_core::queue::Priority;
use waypost_core::recovery::{AttemptChange, FailureClass};
use waypost_core::request::{AfterMove, MigrationRequest, Mode, Options, Persistence, SourceDefinition, StorageSafety};
use waypost_core::sample::{Sample, Stage};
use waypost_core::situation::{Action, DiskErrors, Observed, Side, Situation};
use waypost_core::stream::{Disks, Stream, Transport};
use waypost_core::tree::{Shape, Tree};
use waypost_core::verdict::{Judged, PolicyMode, Verdict};

/// The version that is written.
pub const RECORD_VERSION: u64 = 1;

/// A text that is no record of a known version.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Misfit {
    /// Not JSON at all.
    #[error("it is not JSON: {0}")]
    NotJson(String),
    /// Written by another Waypost.
    #[error(
        "it has version {found}, and this Waypost knows version {RECORD_VERSION} only: use the one that wrote it, or a newer one"
    )]
    Version {
        /// Its version.
        found: u64,
    },
    /// Another shape than its version has here: a newer Waypost adds keys and words within a version.
    #[error("{path}: expected {expected}; where a newer Waypost wrote it, use that one")]
    Shape {
        /// Where, as `record.plan.attempt`.
        path: String,
        /// What should have been there.
        expected: String,
    },
}

/// Writes a record of an attempt.
pub fn write_record(attempt: u32, record: &Record) -> String {
    json!({ "version": RECORD_VERSION, "attempt": attempt, "record": record.write() }).to_string()
}

/// Reads what [`write_record`] wrote: the attempt and the record.
pub fn read_record(text: &str) -> Result<(u32, Record), Misfit> {
    let mut fields = Fields::of(parse(text)?)?;
    let found = fields.take("version")?;
    if found != RECORD_VERSION {
        return Err(Misfit::Version { found });
    }
    let read = (fields.take("attempt")?, fields.take("record")?);
    fields.end()?;
    Ok(read)
}

/// Writes a value that isn't part of a journal.
pub(crate) fn write<T: Wire>(value: &T) -> String {
    json!({ "version": RECORD_VERSION, "value": value.write() }).to_string()
}

/// Reads what [`write`] wrote.
pub(crate) fn read<T: Wire>(text: &str) -> Result<T, Misfit> {
    let mut fields = Fields::of(parse(text)?)?;
    let found = fields.take("version")?;
    if found != RECORD_VERSION {
        return Err(Misfit::Version { found });
    }
    let value = fields.take("value")?;
    fields.end()?;
    Ok(value)
}

fn parse(text: &str) -> Result<Value, Misfit> {
    serde_json::from_str(text).map_err(|e| Misfit::NotJson(e.to_string()))
}

/// What can be written down and read back.
pub(crate) trait Wire: Sized {
    fn write(&self) -> Value;
    fn read(value: Value) -> Result<Self, Misfit>;
    /// What an absent key stands for: nothing but an optional value may be absent.
    fn absent() -> Option<Self> {
        None
    }
}

impl Misfit {
    fn expected(expected: impl Into<String>) -> Self {
        Self::Shape { path: String::new(), expected: expected.into() }
    }
    fn under(self, segment: &str) -> Self {
        match self {
            Self::Shape { path, expected } => {
                let dot = if path.is_empty() || path.starts_with('[') { "" } else { "." };
                Self::Shape { path: format!("{segment}{dot}{path}"), expected }
            }
            other => other,
        }
    }
}

/// An object whose keys are taken one by one, and that must be empty in the end.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(value: Value) -> Result<Self, Misfit> {
        match value {
            Value::Object(map) => Ok(Self(map)),
            _ => Err(Misfit::expected("an object")),
        }
    }
    fn take<T: Wire>(&mut self, key: &str) -> Result<T, Misfit> {
        match self.0.remove(key) {
            Some(value) => T::read(value).map_err(|e| e.under(key)),
            None => T::absent().ok_or_else(|| Misfit::expected("a value").under(key)),
        }
    }
    fn end(self) -> Result<(), Misfit> {
        match self.0.into_iter().next() {
            Some((key, _)) => Err(Misfit::expected("no such key").under(&key)),
            None => Ok(()),
        }
    }
}

/// A struct: `field: key`, where both are the same the pair is still written out, because the key is the format.
macro_rules! wire_struct {
    ($($type:ident { $($field:ident: $key:ident),* $(,)? })*) => {$(
        impl Wire for $type {
            fn write(&self) -> Value {
                let Self { $($field: $key),* } = self;
                let mut map = Map::new();
                $(put(&mut map, stringify!($key), $key);)*
                Value::Object(map)
            }
            fn read(value: Value) -> Result<Self, Misfit> {
                let mut fields = Fields::of(value)?;
                let read = Self { $($field: fields.take(stringify!($key))?),* };
                fields.end()?;
                Ok(read)
            }
        }
    )*};
}

/// An enum with fields: the variant's word under `kind`, then its fields. A tuple's field is called `0`.
macro_rules! wire_enum {
    ($($type:ident { $($word:literal => $variant:ident { $($field:tt: $key:ident),* }),* $(,)? })*) => {$(
        #[cfg(test)]
        impl tests::Kinds for $type {
            const KINDS: &'static [&'static str] = &[$($word),*];
        }
        impl Wire for $type {
            fn write(&self) -> Value {
                let mut map = Map::new();
                match self {
                    $(Self::$variant { $($field: $key),* } => {
                        map.insert("kind".into(), Value::from($word));
                        $(put(&mut map, stringify!($key), $key);)*
                    })*
                }
                Value::Object(map)
            }
            fn read(value: Value) -> Result<Self, Misfit> {
                let mut fields = Fields::of(value)?;
                let kind: String = fields.take("kind")?;
                let read = match kind.as_str() {
                    $($word => Self::$variant { $($field: fields.take(stringify!($key))?),* },)*
                    other => return Err(unknown(other, &[$($word),*]).under("kind")),
                };
                fields.end()?;
                Ok(read)
            }
        }
    )*};
}

/// A closed set of words of the core, written as the word itself.
macro_rules! wire_word {
    ($($type:ident),* $(,)?) => {$(
        impl Wire for $type {
            fn write(&self) -> Value {
                Value::from(self.as_str())
            }
            fn read(value: Value) -> Result<Self, Misfit> {
                let word = String::read(value)?;
                Self::parse(&word).ok_or_else(|| unknown(&word, &Self::ALL.iter().map(|w| w.as_str()).collect::<Vec<_>>()))
            }
        }
    )*};
}

fn unknown(word: &str, known: &[&str]) -> Misfit {
    Misfit::expected(format!("one of {}, not {word:?}", known.join(", ")))
}

/// Nothing is written for a value that is absent, so that old and new texts without it are the same text.
fn put<T: Wire>(map: &mut Map<String, Value>, key: &str, value: &T) {
    let value = value.write();
    if !value.is_null() {
        map.insert(key.to_owned(), value);
    }
}

wire_enum! {
    Record {
        "accepted" => Accepted { request: request },
        "judged" => Judged { verdict: verdict, facts_digest: facts_digest },
        "planned" => Planned { plan: plan },
        "step-intended" => StepIntended { step: step },
        "step-settled" => StepSettled { step: step, result: result },
        "prepared" => Prepared {},
        "perform-intended" => PerformIntended {},
        "adopted" => Adopted {},
        "steer-kept" => SteerKept { action: action, by: by, reason: reason },
        "steer-intended" => SteerIntended { action: action, value: value, by: by, reason: reason },
        "steer-settled" => SteerSettled { action: action, result: result },
        "abort-unconfirmed" => AbortUnconfirmed { why: why, may_come: may_come },
        "perform-returned" => PerformReturned { result: result },
        "finish-intended" => FinishIntended { step: step },
        "finish-settled" => FinishSettled { step: step, result: result },
        "doubted" => Doubted { why: why },
        "located" => Located { situation: situation, permitted: permitted },
        "action-intended" => ActionIntended { action: action, by: by, reason: reason },
        "action-done" => ActionDone { action: action, result: result },
        "next-attempt" => NextAttempt { attempt: attempt, change: change },
        "resumed" => Resumed { way: way },
        "reopened" => Reopened { by: by },
        "cancel-requested" => CancelRequested { requester: requester },
        "ended" => Ended { outcome: outcome },
    }
    Step {
        "max-downtime" => MaxDowntime { host: host, ms: ms, before_ms: before_ms },
        "source-autostart" => SourceAutostart { host: host },
        "volume" => Volume { host: host, disk: disk },
        "throttle" => Throttle { host: host },
    }
    StepEnd {
        "done" => Done {},
        "undone" => Undone {},
    }
    Side {
        "unknown" => Unknown { 0: why },
        "absent" => Absent { host: host },
        "present" => Present { 0: seen },
    }
    DomainKey {
        "id" => Id { 0: id },
        "name" => Name { 0: name },
    }
}

wire_struct! {
    MigrationRequest { domain: domain, source: source, destination: destination, options: options, requester: requester }
    Options {
        mode: mode, destination_name: destination_name, bandwidth_mib_s: bandwidth_mib_s,
        max_downtime_ms: max_downtime_ms, timeout_s: timeout_s, persistence: persistence,
        source_definition: source_definition, after: after, storage: storage, migrate_uri: migrate_uri,
        listen_address: listen_address, network: network, priority: priority, transport: transport, stream: stream,
        disks: disks, attempts: attempts,
    }
    Verdict { destination: destination, findings: findings }
    Judged { plugin: plugin, mode: mode, finding: finding }
    Finding { code: code, severity: severity, message: message, evidence: evidence, remedy: remedy }
    Plan {
        attempt: attempt, domain: domain, name: name, destination_name: destination_name, source: source,
        destination: destination, peer_uri: peer_uri, mode: mode, initially: initially, finally: finally,
        source_fate: source_fate, destination_fate: destination_fate, autostart: autostart,
        destination_before: destination_before, storage: storage, migrate_uri: migrate_uri,
        listen_address: listen_address, bandwidth_mib_s: bandwidth_mib_s, max_downtime_ms: max_downtime_ms,
        timeout_s: timeout_s, transport: transport, stream: stream, disks: disks, copies: copies, network: network,
        detours: detours, memory_bytes: memory_bytes, firmware_variables: firmware_variables, tpm_state: tpm_state,
        edits: edits, notes: notes,
    }
    End { host: host, uuid: uuid }
    CopiedDisk {
        target: target, path: path, pool: pool, volume: volume, capacity_bytes: capacity_bytes, format: format,
        backing: backing,
    }
    Detour {
        network: network, migrate_uri: migrate_uri, listen_address: listen_address, bandwidth_mib_s: bandwidth_mib_s,
    }
    Edit { plugin: plugin, kind: kind, device: device, before: before, after: after, reason: reason }
    Situation { source: source, destination: destination }
    Observed {
        host: host, name: name, state: state, reason: reason, persistent: persistent, autostart: autostart, job: job,
        disk_errors: disk_errors,
    }
    Outcome { kind: kind, summary: summary, causes: causes, remedy: remedy }
    Reading { at: at, permille: permille, sample: sample }
    Sample {
        elapsed_ms: elapsed_ms, total_bytes: total_bytes, processed_bytes: processed_bytes,
        remaining_bytes: remaining_bytes, bytes_per_s: bytes_per_s, dirty_pages_per_s: dirty_pages_per_s,
        page_bytes: page_bytes, iteration: iteration, downtime_ms: downtime_ms, downtime_net_ms: downtime_net_ms,
        setup_ms: setup_ms, remaining_ms: remaining_ms, throttle_percent: throttle_percent, stage: stage,
    }
    DecisionRecord {
        plugin: plugin, digest: digest, hook: hook, mode: mode, settings: settings, facts_digest: facts_digest,
        facts_read: facts_read, answer: answer, fault: fault, fuel: fuel, micros: micros, decided_at: decided_at,
    }
}

wire_word! {
    Action, AfterMove, Autostart, Before, DestinationFate, DomainState, EditKind, FailureClass, Mode, OutcomeKind, Persistence,
    PolicyMode, RunState, Severity, SourceDefinition, SourceFate, Steering, StorageSafety, TransferMode,
}

/// What has one shape in the core already, and a default that is left out: a text from before it existed reads the same.
macro_rules! wire_shape {
    ($($type:ident: $default:expr;)*) => {$(
        impl Wire for $type {
            fn write(&self) -> Value {
                if *self == $default { Value::Null } else { of_tree(&self.to_tree()) }
            }
            fn read(value: Value) -> Result<Self, Misfit> {
                let read = Self::from_tree(&tree_of(&value)?)
                    .map_err(|e| Misfit::Shape { path: e.path, expected: e.expected.to_owned() })?;
                // A key that isn't known would be lost in silence. One that is missing was not there yet when this was written.
                if holds(&of_tree(&read.to_tree()), &value) { Ok(read) } else { Err(Misfit::expected("only known keys")) }
            }
            fn absent() -> Option<Self> {
                Some($default)
            }
        }
    )*};
}
wire_shape! {
    Transport: Transport::PeerToPeer;
    Priority: Priority::Normal;
    Stream: Stream::default();
    Disks: Disks::default();
    AttemptChange: AttemptChange::NONE;
}

impl Wire for Copies {
    fn write(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.0.write() }
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        Wire::read(value).map(Copies)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Wire for Detours {
    fn write(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.0.write() }
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        Wire::read(value).map(Detours)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Wire for Edits {
    fn write(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.0.write() }
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        Wire::read(value).map(Edits)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Wire for DiskErrors {
    fn write(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.0.write() }
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        Wire::read(value).map(DiskErrors)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

impl Wire for Notes {
    fn write(&self) -> Value {
        if self.0.is_empty() { Value::Null } else { self.0.write() }
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        Wire::read(value).map(Notes)
    }
    fn absent() -> Option<Self> {
        Some(Self::default())
    }
}

fn of_tree(tree: &Tree) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::from(*value),
        // No shape that is kept holds a number beyond these.
        Tree::Int(value) => u64::try_from(*value).map_or_else(|_| Value::Null, Value::from),
        Tree::Text(text) => Value::from(text.as_str()),
        Tree::List(items) => Value::from(items.iter().map(of_tree).collect::<Vec<_>>()),
        Tree::Map(entries) => Value::Object(entries.iter().map(|(key, value)| (key.clone(), of_tree(value))).collect()),
    }
}

/// Whether everything that was written is in what was read of it.
fn holds(read: &Value, written: &Value) -> bool {
    match (read, written) {
        (Value::Object(read), Value::Object(written)) => {
            written.iter().all(|(key, value)| read.get(key).is_some_and(|known| holds(known, value)))
        }
        _ => read == written,
    }
}

fn tree_of(value: &Value) -> Result<Tree, Misfit> {
    Ok(match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(*value),
        Value::Number(number) => Tree::Int(number.as_u64().ok_or_else(|| Misfit::expected("a whole number"))?.into()),
        Value::String(text) => Tree::Text(text.clone()),
        Value::Array(items) => Tree::List(items.iter().map(tree_of).collect::<Result<_, _>>()?),
        Value::Object(map) => {
            let entry = |(key, value): (&String, &Value)| Ok((key.clone(), tree_of(value).map_err(|e| e.under(key))?));
            Tree::Map(map.iter().map(entry).collect::<Result<_, Misfit>>()?)
        }
    })
}

impl Wire for FinishStep {
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        let word = String::read(value)?;
        Self::parse(&word).ok_or_else(|| Misfit::expected(format!("a step of the finish, not {word:?}")))
    }
}

impl Wire for Stage {
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        let word = String::read(value)?;
        Self::ALL
            .into_iter()
            .find(|stage| stage.as_str() == word)
            .ok_or_else(|| unknown(&word, &Self::ALL.map(Self::as_str)))
    }
}

impl Wire for String {
    fn write(&self) -> Value {
        Value::from(self.as_str())
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        if let Value::String(text) = value { Ok(text) } else { Err(Misfit::expected("text")) }
    }
}

impl Wire for bool {
    fn write(&self) -> Value {
        Value::from(*self)
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        value.as_bool().ok_or_else(|| Misfit::expected("true or false"))
    }
}

macro_rules! wire_number {
    ($($type:ident),*) => {$(
        impl Wire for $type {
            fn write(&self) -> Value {
                Value::from(*self)
            }
            fn read(value: Value) -> Result<Self, Misfit> {
                value.as_u64().and_then(|n| Self::try_from(n).ok()).ok_or_else(|| Misfit::expected(stringify!($type)))
            }
        }
    )*};
}
wire_number!(u16, u32, u64);

impl Wire for Uuid {
    fn write(&self) -> Value {
        Value::from(self.to_string())
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        Self::parse_str(&String::read(value)?).map_err(|_| Misfit::expected("a UUID"))
    }
}

/// Wrappers of one value, written as the value.
macro_rules! wire_newtype {
    ($($type:ident: $make:expr, $open:expr;)*) => {$(
        impl Wire for $type {
            fn write(&self) -> Value {
                let open: fn(&Self) -> Value = $open;
                open(self)
            }
            fn read(value: Value) -> Result<Self, Misfit> {
                Wire::read(value).map($make)
            }
        }
    )*};
}
wire_newtype! {
    HostName: |text: String| HostName::new(text), |name| Value::from(name.as_str());
    PluginName: |text: String| PluginName::new(text), |name| Value::from(name.as_str());
    DomainId: DomainId, |id| id.0.write();
    Moment: Moment, |moment| moment.0.write();
}

impl<T: Wire> Wire for Option<T> {
    fn write(&self) -> Value {
        self.as_ref().map_or(Value::Null, Wire::write)
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        if value.is_null() { Ok(None) } else { T::read(value).map(Some) }
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn write(&self) -> Value {
        Value::from(self.iter().map(Wire::write).collect::<Vec<_>>())
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        let Value::Array(items) = value else { return Err(Misfit::expected("a list")) };
        let numbered = items.into_iter().enumerate();
        numbered.map(|(i, item)| T::read(item).map_err(|e| e.under(&format!("[{i}]")))).collect()
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn write(&self) -> Value {
        Value::from(vec![self.0.write(), self.1.write()])
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        let Value::Array(items) = value else { return Err(Misfit::expected("a pair")) };
        let [a, b] = <[Value; 2]>::try_from(items).map_err(|_| Misfit::expected("a pair"))?;
        Ok((A::read(a).map_err(|e| e.under("[0]"))?, B::read(b).map_err(|e| e.under("[1]"))?))
    }
}

/// Nothing to tell but that it worked.
impl Wire for () {
    fn write(&self) -> Value {
        Value::from("done")
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        if value == "done" { Ok(()) } else { Err(Misfit::expected("done")) }
    }
}

impl<T: Wire, E: Wire> Wire for Result<T, E> {
    fn write(&self) -> Value {
        match self {
            Ok(value) => json!({ "ok": value.write() }),
            Err(error) => json!({ "error": error.write() }),
        }
    }
    fn read(value: Value) -> Result<Self, Misfit> {
        let mut fields = Fields::of(value)?;
        let read = match (fields.0.remove("ok"), fields.0.remove("error")) {
            (Some(value), None) => Ok(T::read(value).map_err(|e| e.under("ok"))?),
            (None, Some(error)) => Err(E::read(error).map_err(|e| e.under("error"))?),
            _ => return Err(Misfit::expected("either ok or error")),
        };
        fields.end()?;
        Ok(read)
    }
}

#[cfg(test)]
pub(crate) mod tests;
