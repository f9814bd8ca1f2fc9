//! Whether the stream is encrypted: wherever both sides can, unless somebody said no. Whoever asked for it gets it or a
//! refusal, and whoever left it open is told when the memory travels in plain text.

use super::{Notes, Plan, PlanError, TransferMode};
use crate::facts::HostFacts;
use crate::request::Options;
use crate::stream::{Encryption, Transport};
use crate::uri;

/// Decides; the answer is required or off.
pub(super) fn decide(
    options: &Options,
    source: &HostFacts,
    destination: &HostFacts,
    notes: &mut Notes,
) -> Result<Encryption, PlanError> {
    let unable = [source, destination].into_iter().filter(|host| !host.migration_tls).map(|host| &host.name);
    let unable: Vec<_> = unable.collect();
    match (options.stream.encryption, unable.first()) {
        (Encryption::Off, _) => Ok(Encryption::Off),
        (Encryption::Required, Some(host)) => Err(PlanError::NoTls((*host).clone())),
        (Encryption::Required, None) => Ok(Encryption::Required),
        (Encryption::Auto, lacking) => {
            let socket = options.migrate_uri.as_ref().is_some_and(|uri| uri.starts_with("unix://"));
            let why = match lacking {
                _ if options.transport == Transport::Tunnelled => {
                    "it goes through the daemons' connection, and is as safe as that one's URI".to_owned()
                }
                Some(_) => {
                    let names: Vec<_> = unable.iter().map(|name| name.as_str()).collect();
                    let have = if names.len() == 1 { "has" } else { "have" };
                    format!("{} {have} no `migration_tls` in the configuration", names.join(" and "))
                }
                None if options.stream.zero_copy => "zero-copy and encryption exclude each other".to_owned(),
                None if socket && options.stream.tls_destination.is_none() => {
                    "a socket's path has no name to compare with a certificate".to_owned()
                }
                None => return Ok(Encryption::Required),
            };
            notes.0.push(format!("the memory is not encrypted by the hypervisor: {why}"));
            Ok(Encryption::Off)
        }
    }
}

impl Plan {
    /// Why the memory would be less safe on its way than it was by the plan of the attempt before; none where it wouldn't be. What
    /// is said of the hypervisor's own encryption doesn't tell it: a tunnel is as safe as the URI of the destination's daemon, and
    /// another destination has another one.
    pub fn exposes_more_than(&self, before: &Self) -> Option<String> {
        if !is_sealed(before) || is_sealed(self) || self.mode != TransferMode::Live {
            return None;
        }
        let way = |plan: &Self| match plan.transport {
            Transport::Tunnelled => format!("to {} through {}", plan.destination.host, plan.peer_uri),
            Transport::PeerToPeer | Transport::Direct => format!("to {}", plan.destination.host),
        };
        Some(format!(
            "the memory was encrypted on its way {}, and would not be on its way {}: a further attempt is never encrypted less than \
             the one before",
            way(before),
            way(self)
        ))
    }
}

/// Whether memory travels by this plan, and can't be read on its way.
fn is_sealed(plan: &Plan) -> bool {
    let by_the_tunnel = plan.transport == Transport::Tunnelled && uri::is_encrypted(&plan.peer_uri);
    plan.mode == TransferMode::Live && (plan.stream.encryption == Encryption::Required || by_the_tunnel)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(name: &str, migration_tls: bool) -> HostFacts {
        HostFacts { migration_tls, ..crate::testing::host(name) }
    }

    fn decided(
        a: bool,
        b: bool,
        asked: Encryption,
        change: fn(&mut Options),
    ) -> (Result<Encryption, PlanError>, String) {
        let mut options = Options::default();
        options.stream.encryption = asked;
        change(&mut options);
        let mut notes = Notes::default();
        let decided = decide(&options, &host("a", a), &host("b", b), &mut notes);
        (decided, notes.0.join("; "))
    }

    #[test]
    fn it_is_on_wherever_both_can_and_a_note_says_where_not() {
        use Encryption::{Auto, Off, Required};
        assert_eq!(decided(true, true, Auto, |_| {}), (Ok(Required), String::new()));
        for (a, b, who) in
            [(true, false, ": b has no"), (false, true, ": a has no"), (false, false, ": a and b have no")]
        {
            let (decided, notes) = decided(a, b, Auto, |_| {});
            assert_eq!(decided, Ok(Off));
            assert!(notes.contains(who), "{notes}");
        }
        assert_eq!(decided(true, true, Off, |_| {}), (Ok(Off), String::new()), "asked for by name");
    }

    #[test]
    fn whoever_asks_for_it_gets_it_or_a_refusal() {
        assert_eq!(decided(true, true, Encryption::Required, |_| {}).0, Ok(Encryption::Required));
        assert_eq!(decided(true, false, Encryption::Required, |_| {}).0, Err(PlanError::NoTls("b".into())));
        assert_eq!(decided(false, true, Encryption::Required, |_| {}).0, Err(PlanError::NoTls("a".into())));
    }

    #[test]
    fn what_cant_be_encrypted_is_plain_with_the_reason() {
        for (change, reason) in [
            ((|o| o.transport = Transport::Tunnelled) as fn(&mut Options), "daemons' connection"),
            (|o| o.stream.zero_copy = true, "zero-copy"),
            (|o| o.migrate_uri = Some("unix:///mig".into()), "socket's path"),
        ] {
            let (decided, notes) = decided(true, true, Encryption::Auto, change);
            assert_eq!(decided, Ok(Encryption::Off));
            assert!(notes.contains(reason), "{notes}");
        }
    }

    #[test]
    fn a_plan_is_held_against_the_one_before_by_what_can_be_read_on_the_way() {
        let way = |transport, encryption, peer_uri: &str| {
            let mut plan = Plan { transport, peer_uri: peer_uri.to_owned(), ..crate::testing::plan() };
            plan.stream.encryption = encryption;
            plan
        };
        let tunnel = |peer_uri| way(Transport::Tunnelled, Encryption::Off, peer_uri);
        let native = way(Transport::PeerToPeer, Encryption::Required, "qemu+tcp://b/system");
        let plain = way(Transport::PeerToPeer, Encryption::Off, "qemu+tls://b/system");
        let sealed =
            [tunnel("qemu+tls://b/system"), tunnel("qemu+ssh://root@b/system"), tunnel("qemu://b/system"), native];
        let open = [tunnel("qemu+tcp://b/system"), plain];
        for before in &sealed {
            for now in &sealed {
                assert_eq!(now.exposes_more_than(before), None, "{now:?} after {before:?}");
            }
            for now in &open {
                assert!(now.exposes_more_than(before).is_some(), "{now:?} after {before:?}");
                let definition = Plan { mode: TransferMode::Offline, ..now.clone() };
                assert_eq!(definition.exposes_more_than(before), None, "no memory travels");
            }
        }
        for before in &open {
            for now in sealed.iter().chain(&open) {
                assert_eq!(now.exposes_more_than(before), None, "{now:?} after {before:?}");
            }
        }
        let said = tunnel("qemu+tcp://b/system").exposes_more_than(&sealed[0]).unwrap();
        assert!(said.contains("qemu+tls://b/system") && said.contains("qemu+tcp://b/system"), "{said}");
    }
}
