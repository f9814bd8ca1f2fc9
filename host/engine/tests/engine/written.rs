//! The store fails at every record: the drive ends with an error, nothing is done to the domain after it (the spies hold
//! that), and when the store works again another controller brings the task to its end.

use waypost_core::outcome::OutcomeKind;
use waypost_engine::EngineError;

use crate::killed::{bring_to_its_end, courses, drive};
use crate::support::{Case, Meddle, Site, Stroke, in_virtual_time, judge, side_by_side, tell};

#[test]
fn a_store_that_fails_at_any_record_stops_every_effect() {
    let mut cases = Vec::new();
    for case in courses() {
        for append in 1..=30 {
            for stroke in [Stroke::Fail, Stroke::FailWritten] {
                cases.push((case.clone(), Meddle { append, stroke }));
            }
        }
    }
    let ran = side_by_side(&cases, |(case, meddle): &(Case, Meddle)| {
        in_virtual_time(async {
            let site = Site::new(case.clone());
            let (engine, store) = site.engine(Some(*meddle));
            let driver = engine.accept(site.request()).unwrap();
            let task = driver.id();
            let driven = drive(driver).await.unwrap();
            let outcome = if store.appends() < meddle.append {
                driven.unwrap()
            } else {
                assert!(matches!(driven, Err(EngineError::Store(_))), "{driven:?}");
                // What is under way on the hosts ends without a controller.
                tokio::time::sleep(std::time::Duration::from_secs(5)).await;
                site.ledger.told().broken = false;
                bring_to_its_end(&site.engine(None).0, task).await
            };
            judge(&site, task, outcome).await
        })
    });
    let counts = tell("the store fails", &cases, &ran);
    assert!(counts[&OutcomeKind::Completed] > 0 && counts[&OutcomeKind::RolledBack] > 0);
}
