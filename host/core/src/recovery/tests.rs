//! What a further attempt may do otherwise, and what it never does.

use super::*;
use crate::ids::DomainKey;
use crate::request::Options;
use crate::stream::Stream;

fn request(encryption: Encryption) -> MigrationRequest {
    MigrationRequest {
        domain: DomainKey::Name("g1".into()),
        source: None,
        destination: "b".into(),
        options: Options {
            migrate_uri: Some("tcp://10.0.0.2".into()),
            listen_address: Some("10.0.0.2".into()),
            stream: Stream { encryption, tls_destination: Some("b".into()), ..Stream::default() },
            ..Options::default()
        },
        requester: "test".into(),
    }
}

fn failed(encryption: Encryption) -> Plan {
    Plan { stream: Stream { encryption, ..Stream::default() }, ..crate::testing::plan() }
}

#[test]
fn an_attempt_is_never_encrypted_less_than_the_one_before() {
    for asked in [Encryption::Auto, Encryption::Required, Encryption::Off] {
        let next = AttemptChange::NONE.applied(&request(asked), &failed(Encryption::Required));
        assert_eq!(next.options.stream.encryption, Encryption::Required, "{asked}");
        let next = AttemptChange::NONE.applied(&request(asked), &failed(Encryption::Off));
        assert_eq!(next.options.stream.encryption, asked, "what was plain may be decided again");
    }
}

#[test]
fn another_destination_leaves_the_addresses_of_the_first_behind() {
    let change = AttemptChange { destination: Some("c".into()), ..AttemptChange::NONE };
    let next = change.applied(&request(Encryption::Auto), &failed(Encryption::Off));
    assert_eq!((next.source, next.destination), (Some("a".into()), "c".into()));
    let options = next.options;
    assert_eq!((options.migrate_uri, options.listen_address, options.stream.tls_destination), (None, None, None));
    let same = AttemptChange { destination: Some("b".into()), ..AttemptChange::NONE };
    let next = same.applied(&request(Encryption::Auto), &failed(Encryption::Off));
    assert_eq!(next.options.migrate_uri.as_deref(), Some("tcp://10.0.0.2"));
}

#[test]
fn only_what_is_offered_is_taken() {
    let wild = AttemptChange { destination: Some("z".into()), max_downtime_ms: Some(0), post_copy: Some(true) };
    let others = ["c".into()];
    let clamped = wild.clone().within(&others, &request(Encryption::Auto));
    assert_eq!(clamped, AttemptChange { post_copy: Some(true), ..AttemptChange::NONE });
    let mut paused = request(Encryption::Auto);
    paused.options.after = AfterMove::Paused;
    assert_eq!(wild.within(&others, &paused), AttemptChange::NONE);
    let fair = AttemptChange { destination: Some("c".into()), max_downtime_ms: Some(900), post_copy: None };
    assert_eq!(fair.clone().within(&others, &request(Encryption::Auto)), fair);
}
