//! Whether the stream is encrypted: wherever both sides can, unless somebody said no. Whoever asked for it gets it or a
//! refusal, and whoever left it open is told when the memory travels in plain text.

use super::{Notes, PlanError};
use crate::facts::HostFacts;
use crate::request::Options;
use crate::stream::{Encryption, Transport};

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
}
