//! Two controllers over one store: one drives, the other is refused, watches, or takes over.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use waypost_core::ids::DomainKey;
use waypost_core::outcome::OutcomeKind;
use waypost_core::phase::Phase;
use waypost_core::ports::Store;
use waypost_core::request::Options;
use waypost_engine::{Adopted, Engine, EngineError, Seen, View};
use waypost_store::SqliteStore;

use crate::killed::bring_to_its_end;
use crate::support::{Case, Ledger, Site, in_virtual_time, judge};

/// A slow migration and a second controller with a connection of its own to the same folder.
struct Two {
    site: Site,
    first: Engine,
    second: Engine,
    second_ledger: Arc<Ledger>,
    _folder: tempfile::TempDir,
}

fn two() -> Two {
    let folder = tempfile::tempdir().unwrap();
    let open = || Arc::new(SqliteStore::open(&folder.path().join("store")).unwrap()) as Arc<dyn Store>;
    let slow = Options { bandwidth_mib_s: Some(100), ..Options::default() };
    let mut site = Site::over(Case::live().options(slow), open());
    let first = site.engine(None).0;
    let (store, ledger) = (std::mem::replace(&mut site.store, open()), std::mem::take(&mut site.ledger));
    let second = site.engine(None).0;
    let second_ledger = std::mem::replace(&mut site.ledger, ledger);
    site.store = store;
    Two { site, first, second, second_ledger, _folder: folder }
}

#[test]
fn a_domain_in_flight_is_refused_with_the_id_of_its_task() {
    in_virtual_time(async {
        let Two { site, first, second, second_ledger, _folder } = two();
        let driver = first.accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        tokio::time::sleep(Duration::from_secs(3)).await;

        // By its UUID it is refused at once, by its name as soon as its UUID is known.
        let mut by_id = site.request();
        by_id.domain = DomainKey::Id(site.id);
        let Err(EngineError::Store(refused)) = second.accept(by_id) else { panic!("it must be refused") };
        assert!(refused.to_string().contains(&task.to_string()), "{refused}");
        let other = second.accept(site.request()).unwrap();
        let outcome = other.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused);
        assert!(outcome.summary.contains(&task.to_string()), "{}", outcome.summary);
        assert_eq!(second_ledger.told().starts, 0);
        assert!(second_ledger.told().observed.is_empty());

        let outcome = driving.await.unwrap().unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        // Now it is free again.
        assert!(second.accept(site.request()).is_ok());
    });
}

#[test]
fn an_observer_follows_to_the_end_and_touches_no_host() {
    in_virtual_time(async {
        let Two { site, first, second, second_ledger, _folder } = two();
        let driver = first.accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let Adopted::Observer(observer) = second.adopt(task).unwrap() else { panic!("another one drives it") };
        let (sender, mut views) = watch::channel(None::<View>);
        let watching = tokio::spawn(async move {
            let mut seen = Vec::new();
            while views.changed().await.is_ok() {
                seen.extend(views.borrow_and_update().clone());
            }
            seen
        });
        let Seen::Over(last) = observer.follow(&sender).await.unwrap() else { panic!("it goes to its end") };
        drop(sender);
        let outcome = driving.await.unwrap().unwrap();
        assert_eq!((last.outcome.as_ref(), last.permille), (Some(&outcome), 1000));
        let seen = watching.await.unwrap();
        assert!(seen.len() > 5, "{}", seen.len());
        assert!(seen.iter().any(|view| view.phase == Phase::Performing && view.permille > 300 && view.permille < 900));
        assert!(seen.windows(2).all(|pair| pair[0].permille <= pair[1].permille));
        assert!(second_ledger.told().observed.is_empty());
        // What is over can be looked at, and not be driven.
        assert!(matches!(second.adopt(task).unwrap(), Adopted::Observer(_)));
    });
}

#[test]
fn whoever_looks_again_reads_what_came_since_and_sees_all_of_it() {
    in_virtual_time(async {
        let Two { site, first, second, second_ledger, _folder } = two();
        let driver = first.accept(site.request()).unwrap();
        let task = driver.id();
        let mut driving = tokio::spawn(driver.drive());
        let mut looks = 0;
        let outcome = loop {
            let seen = second.observe(task).view().unwrap();
            // Nobody has asked this one before.
            let afresh = site.engine(None).0.observe(task).view().unwrap();
            assert_eq!(format!("{seen:?}"), format!("{afresh:?}"));
            looks += 1;
            tokio::select! {
                outcome = &mut driving => break outcome.unwrap().unwrap(),
                () = tokio::time::sleep(Duration::from_millis(200)) => {}
            }
        };
        let last = second.observe(task).view().unwrap();
        assert_eq!(last.outcome, Some(outcome));
        assert!(looks > 20, "{looks}");
        assert_eq!(second_ledger.told().read_back, site.store.journal(task).unwrap().len());
    });
}

#[test]
fn an_orphan_is_seen_and_adopted_once() {
    in_virtual_time(async {
        let Two { site, first, second, _folder, .. } = two();
        let driver = first.accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        tokio::time::sleep(Duration::from_secs(2)).await;
        let (sender, views) = watch::channel(None::<View>);
        let observer = second.observe(task);
        let following = tokio::spawn(async move { observer.follow(&sender).await });
        tokio::time::sleep(Duration::from_secs(1)).await;
        driving.abort();
        assert!(driving.await.is_err());
        let Seen::Orphaned(view) = following.await.unwrap().unwrap() else { panic!("its driver is gone") };
        assert_eq!(view.phase, Phase::Performing);
        assert!(views.borrow().is_some());

        let Adopted::Driver(adopted) = second.adopt(task).unwrap() else { panic!("it is free") };
        assert!(matches!(first.adopt(task).unwrap(), Adopted::Observer(_)), "and now it isn't any more");
        // Progress goes on from where it was.
        assert!(adopted.views().borrow().permille >= view.permille);
        drop(adopted);
        let outcome = bring_to_its_end(&first, task).await;
        assert_eq!(outcome.kind, OutcomeKind::Completed);
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
    });
}
