//! What comes after the switch to post-copy to end a transfer that can't be ended any more.

use std::time::Duration;

use waypost_core::convergence::Steering;
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{Command, Wish};
use waypost_core::request::Options;
use waypost_engine::Adopted;

use crate::steered::{end, orders, post_copy};
use crate::support::{Case, Site, b, in_virtual_time, judge};

/// What ends nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Late {
    Cancel,
    Clock,
    /// A cancellation right after the switch, which may be before anybody has read of it.
    CancelUnread,
}

/// Nothing is taken back then, so nothing is asked to be; and what goes on is steered like any other.
#[test]
fn what_comes_too_late_to_end_a_post_copy_ends_its_steering_no_more() {
    for late in [Late::Cancel, Late::Clock, Late::CancelUnread] {
        in_virtual_time(async {
            let timeout_s = if late == Late::Clock { 60 } else { 7200 };
            let options = Options { stream: post_copy(), bandwidth_mib_s: Some(1), timeout_s, ..Options::default() };
            let site = Site::new(Case::endless().options(options));
            let (engine, _) = site.engine(None);
            let (task, outcome) = end(&site, &engine, async |task| {
                let other = site.engine(None).0;
                let wish = |action, value| Wish { action, value, requester: "anna".into() };
                tokio::time::sleep(Duration::from_secs(30)).await;
                other.request_steering(task, &[wish(Steering::PostCopy, None)]).unwrap();
                while !site.world.truth(site.id).running_on.contains(&b()) {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                if late != Late::CancelUnread {
                    tokio::time::sleep(Duration::from_secs(2)).await;
                }
                if late != Late::Clock {
                    other.request_cancel(task, "anna").unwrap();
                }
                tokio::time::sleep(Duration::from_secs(60)).await;
                assert!(engine.read(task).unwrap().outcome.is_none(), "it has minutes to go");
                other.request_steering(task, &[wish(Steering::SetBandwidth, Some(50))]).unwrap();
            })
            .await;
            assert_eq!(outcome.kind, OutcomeKind::Completed, "{late:?}: {outcome:?}");
            assert_eq!(outcome.summary.contains("came too late"), late != Late::Clock, "{late:?}: {outcome:?}");
            assert_eq!(
                orders(&site, task),
                [(Steering::PostCopy, None, true), (Steering::SetBandwidth, Some(50), true)],
                "{late:?}"
            );
            let given = site.ledger.told().orders.clone();
            assert!(given.contains(&Command::SetPostCopyBandwidth { mib_s: 50 }), "{late:?}: {given:?}");
            if late != Late::CancelUnread {
                assert!(!given.contains(&Command::AbortJob), "{late:?}: {given:?}");
                let journal = site.store.journal(task).unwrap();
                let abort = |record: &Record| matches!(record, Record::SteerIntended { action: Steering::Abort, .. });
                assert!(!journal.iter().any(|(_, record)| abort(record)), "{late:?}");
            }
        });
    }
}

#[test]
fn a_later_controller_asks_for_no_abort_of_a_post_copy_either() {
    in_virtual_time(async {
        let options = Options { stream: post_copy(), bandwidth_mib_s: Some(1), timeout_s: 60, ..Options::default() };
        let site = Site::new(Case::endless().options(options));
        let driver = site.accept();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        tokio::time::sleep(Duration::from_secs(30)).await;
        let other = site.engine(None).0;
        other
            .request_steering(task, &[Wish { action: Steering::PostCopy, value: None, requester: "anna".into() }])
            .unwrap();
        while !site.world.truth(site.id).running_on.contains(&b()) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        driving.abort();
        assert!(driving.await.is_err());
        // Until its time is over, and somebody wants it back.
        tokio::time::sleep(Duration::from_secs(60)).await;
        other.request_cancel(task, "anna").unwrap();
        let Adopted::Driver(driver) = other.adopt(task).unwrap() else { panic!("nobody drives it") };
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert!(!site.ledger.told().orders.contains(&Command::AbortJob));
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}
