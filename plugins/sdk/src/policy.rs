//! What a policy is: the four traits, and how a domain travels.

use crate::types::{DomainState, Severity};
use crate::{
    Answer, DomainFacts, Finding, HostFacts, Opening, OpeningQuestion, Question, Request, SteeringAnswer,
    SteeringQuestion,
};
#[cfg(feature = "transform")]
use crate::{Edit, TransformRequest};

/// A rule that is asked before anything is touched.
pub trait Precheck {
    /// What there is to say about moving the domain to that destination; empty if nothing.
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, destination: &HostFacts) -> Vec<Finding>;

    /// The same for all candidate destinations, one list each in their order. Override it where something costly depends
    /// on the domain alone (facts themselves are read once per call however often they are asked for). The findings of
    /// one destination must not depend on the others.
    fn check_all(
        request: &Request,
        domain: &DomainFacts,
        source: &HostFacts,
        destinations: &[HostFacts],
    ) -> Vec<Vec<Finding>> {
        destinations.iter().map(|destination| Self::check(request, domain, source, destination)).collect()
    }

    /// Whether these settings can be used. A policy without settings need not say anything: it accepts none.
    fn validate_settings(settings: &str) -> Result<(), String> {
        no_settings(settings)
    }
}

/// A rule that is asked what has to be different on the destination.
#[cfg(feature = "transform")]
pub trait Transform {
    /// What to edit in the domain's definition for that destination; empty if nothing. The edits for one destination must
    /// not depend on the others. What is as it should be already may be said and is left out by the host.
    fn rewrite(
        request: &TransformRequest,
        domain: &DomainFacts,
        source: &HostFacts,
        destination: &HostFacts,
    ) -> Vec<Edit>;

    /// Whether these settings can be used. A policy without settings need not say anything: it accepts none.
    fn validate_settings(settings: &str) -> Result<(), String> {
        no_settings(settings)
    }
}

/// A rule that is asked after a failure.
pub trait Recovery {
    /// Chooses one of the permitted actions.
    fn decide(question: &Question) -> Answer;

    /// Whether these settings can be used. A policy without settings need not say anything: it accepts none.
    fn validate_settings(settings: &str) -> Result<(), String> {
        no_settings(settings)
    }
}

/// A rule that is asked how hard to push a transfer: once before it begins, and with its readings after.
pub trait Convergence {
    /// How the transfer opens. A policy that has no opinion need not say anything: it opens as it is planned.
    fn open(_: &OpeningQuestion) -> Opening {
        Opening::unchanged("as planned")
    }

    /// What to do now. Nothing is kept between two calls: what was done so far is in the question.
    fn decide(question: &SteeringQuestion) -> SteeringAnswer;

    /// Whether these settings can be used. A policy without settings need not say anything: it accepts none.
    fn validate_settings(settings: &str) -> Result<(), String> {
        no_settings(settings)
    }
}

/// Accepts an empty object and nothing else: a misspelt setting must not pass in silence.
pub fn no_settings(settings: &str) -> Result<(), String> {
    let inner = settings.trim();
    let empty = inner.is_empty()
        || inner.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).is_some_and(|body| body.trim().is_empty());
    if empty { Ok(()) } else { Err("this policy has no settings: leave them out".to_owned()) }
}

/// How the domain would travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Travel {
    /// With its memory, running or paused.
    Live,
    /// As a definition.
    Offline,
}

impl Travel {
    /// The weight of what keeps the domain from running there: a blocker for one that runs meanwhile, a warning for one
    /// that is shut off, since it can be mended before the next start.
    pub fn weight(self) -> Severity {
        match self {
            Self::Live => Severity::Blocker,
            Self::Offline => Severity::Warning,
        }
    }
}

impl Request {
    /// How the domain would travel: as asked for, else by its state.
    pub fn travel(&self, domain: &DomainFacts) -> Travel {
        match self.mode.as_str() {
            "live" => Travel::Live,
            "offline" => Travel::Offline,
            _ if domain.state().is_active() => Travel::Live,
            _ => Travel::Offline,
        }
    }

    /// The name that the domain would have on the destination.
    pub fn name_there<'a>(&'a self, domain: &'a DomainFacts) -> &'a str {
        self.destination_name.as_deref().unwrap_or(domain.name())
    }
}

impl DomainState {
    /// Whether a hypervisor process holds the domain: all states but shut off (a crashed one may be kept).
    pub fn is_active(self) -> bool {
        !matches!(self, Self::ShutOff | Self::NoState)
    }

    /// The state in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoState => "in no known state",
            Self::Running => "running",
            Self::Blocked => "blocked",
            Self::Paused => "paused",
            Self::Shutdown => "shutting down",
            Self::ShutOff => "shut off",
            Self::Crashed => "crashed",
            Self::PmSuspended => "suspended by the guest",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    #[test]
    fn only_empty_settings_are_no_settings() {
        for text in ["", "{}", " { \n} "] {
            assert_eq!(no_settings(text), Ok(()), "{text:?}");
        }
        for text in ["{\"a\":1}", "[]", "null", "{", "}"] {
            assert!(no_settings(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_state_decides_how_it_travels_unless_a_mode_was_asked_for() {
        let table = [
            ("auto", DomainState::Running, Travel::Live),
            ("auto", DomainState::Paused, Travel::Live),
            ("auto", DomainState::ShutOff, Travel::Offline),
            ("live", DomainState::ShutOff, Travel::Live),
            ("offline", DomainState::Running, Travel::Offline),
        ];
        for (mode, state, expected) in table {
            let domain = testing::domain_with(|d| d.state = state);
            let request = testing::request_with(|r| r.mode = mode.to_owned());
            assert_eq!(request.travel(&domain), expected, "{mode} {state:?}");
        }
    }
}
