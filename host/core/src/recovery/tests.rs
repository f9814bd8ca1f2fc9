//! What a further attempt may do otherwise, and what it never does.

use super::*;
use crate::admission::admit_options;
use crate::ids::DomainKey;
use crate::request::{AfterMove, Options};
use crate::stream::{DiskCopy, Stream, Transport};

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

/// Every combination of the options that exclude or need each other, under every change.
#[test]
fn an_attempt_is_not_refused_for_what_the_one_before_left_in_its_request() {
    const ASKED: &[fn(&mut Options)] = &[
        |o| o.mode = Mode::Offline,
        |o| o.transport = Transport::Tunnelled,
        |o| o.stream.parallel_connections = Some(2),
        |o| o.migrate_uri = Some("rdma://10.0.0.2".into()),
        |o| o.migrate_uri = Some("unix:///memory".into()),
        |o| o.network = Some("mig".into()),
        |o| o.stream.encryption = Encryption::Off,
        |o| o.stream.encryption = Encryption::Required,
        |o| o.stream.tls_destination = Some("b".into()),
        |o| o.stream.rdma_pin_all = true,
        |o| o.stream.post_copy = true,
        |o| o.stream.post_copy_bandwidth_mib_s = Some(5),
        |o| o.stream.stands_still = true,
        |o| o.after = AfterMove::Paused,
        |o| (o.stream.zero_copy, o.stream.parallel_connections) = (true, Some(2)),
        |o| o.disks.copy = DiskCopy::Full,
        |o| o.disks.uri = Some("unix:///disks".into()),
    ];
    let others: [HostName; 1] = ["c".into()];
    let mut changes = vec![];
    for destination in [None, Some(others[0].clone())] {
        for max_downtime_ms in [None, Some(900)] {
            for post_copy in [None, Some(true), Some(false)] {
                changes.push(AttemptChange { destination: destination.clone(), max_downtime_ms, post_copy });
            }
        }
    }
    let (mut tried, mut of_rdma, mut limited) = (0, 0, 0);
    for chosen in 0..1_u32 << ASKED.len() {
        let mut options = Options::default();
        for (at, ask) in ASKED.iter().enumerate() {
            if chosen & (1 << at) != 0 {
                ask(&mut options);
            }
        }
        if admit_options(&options).is_err() {
            continue;
        }
        let mut encrypted = options.clone();
        encrypted.stream.encryption = Encryption::Required;
        // What was planned of it: encrypted only where that could be asked for, too.
        let may_be = options.stream.encryption != Encryption::Off && admit_options(&encrypted).is_ok();
        of_rdma += usize::from(options.stream.rdma_pin_all);
        limited += usize::from(options.stream.post_copy_bandwidth_mib_s.is_some());
        let request = MigrationRequest { options, ..request(Encryption::Auto) };
        for planned in [Encryption::Off, Encryption::Required].into_iter().take(if may_be { 2 } else { 1 }) {
            for change in &changes {
                let change = change.clone().within(&others, &request);
                let next = change.applied(&request, &failed(planned));
                assert_eq!(admit_options(&next.options), Ok(()), "{change:?} of {:?}", request.options);
                tried += 1;
            }
        }
    }
    assert!(of_rdma > 0 && limited > 0 && tried > 1000, "{of_rdma}, {limited}, {tried}");
}
