//! How a domain stood when an order about it was decided on. Whoever carries the order out holds the domain against it at the
//! last moment: the connection may have been opened anew since, and lead to another host, and a copy may have begun to run.

use uuid::Uuid;

use super::Side;
use crate::facts::DomainState;
use crate::plan::End;

/// What must still be so when an order is carried out that ends a copy, lets one run or removes a definition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Host UUID of who must carry it out; none: nobody knows it.
    pub host: Option<Uuid>,
    /// State of the domain there.
    pub state: DomainState,
    /// libvirt's reason for it, its spelling without prefix: it tells a copy that never ran from one that did.
    pub reason: String,
}

impl Standing {
    /// As it was seen, on the host that was planned; none where no domain was seen.
    pub fn of(side: &Side, planned: &End) -> Option<Self> {
        let Side::Present(seen) = side else { return None };
        Some(Self { host: planned.uuid.or(seen.host), state: seen.state, reason: seen.reason.clone() })
    }

    /// Why nothing must be done, by what is there now; none where all is as it was.
    pub fn differs(&self, host: Option<Uuid>, state: DomainState, reason: &str) -> Option<String> {
        if let (Some(meant), Some(answers)) = (self.host, host)
            && meant != answers
        {
            return Some(format!("host {answers} answers, and the order is for host {meant}; nothing was done"));
        }
        if (self.state, self.reason.as_str()) == (state, reason) {
            return None;
        }
        Some(format!(
            "the domain is {state} ({reason}) by now, and was {} ({}) when this was decided on; nothing was done",
            self.state, self.reason
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MEANT: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    #[test]
    fn an_order_is_for_one_host_and_for_a_domain_as_it_was_seen() {
        let never_ran = Standing { host: Some(MEANT), state: DomainState::Paused, reason: "migration".into() };
        for (host, state, reason, said) in [
            (Some(MEANT), DomainState::Paused, "migration", None),
            (None, DomainState::Paused, "migration", None),
            (Some(OTHER), DomainState::Paused, "migration", Some("the order is for host")),
            (Some(MEANT), DomainState::Running, "unpaused", Some("is running (unpaused) by now")),
            (Some(MEANT), DomainState::Paused, "user", Some("was paused (migration) when")),
        ] {
            let told = never_ran.differs(host, state, reason);
            let fits = match (&told, said) {
                (Some(told), Some(said)) => told.contains(said),
                (told, said) => told.is_none() && said.is_none(),
            };
            assert!(fits, "{state} ({reason}): {told:?}");
        }
        let anywhere = Standing { host: None, ..never_ran };
        assert_eq!(anywhere.differs(Some(OTHER), DomainState::Paused, "migration"), None);
    }
}
