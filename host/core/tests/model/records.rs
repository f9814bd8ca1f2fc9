//! The records that the controller writes, with what the phases and the past read of them; the rest is filled in.

use waypost_core::ids::PluginName;
use waypost_core::journal::Record;
use waypost_core::outcome::{Outcome, OutcomeKind};
use waypost_core::recovery::FailureClass;
use waypost_core::situation::Action;

pub fn settled(action: Action, failed: bool) -> Record {
    let result = if failed { Err("it failed".to_owned()) } else { Ok(()) };
    Record::ActionDone { action, result }
}

pub fn intended(action: Action) -> Record {
    Record::ActionIntended { action, by: PluginName::new("any"), reason: String::new() }
}

pub fn failed() -> Record {
    Record::PerformReturned { result: Err((FailureClass::Other, "it failed".into())) }
}

pub fn ended(kind: OutcomeKind) -> Record {
    Record::Ended { outcome: Outcome { kind, summary: String::new(), causes: vec![], remedy: None } }
}
