//! A service ends, gracefully or not, and another one goes on with its tasks.

use std::time::Duration;

use super::support::{SLOW, Site, in_virtual_time};

#[test]
fn a_transfer_outlives_the_service_and_its_progress_goes_on_where_it_was() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        let before = anna.until(&id, |status| status["progress"].as_f64().unwrap() > 20.0).await;
        let began = tokio::time::Instant::now();
        service.drain(Duration::from_secs(30)).await;
        assert!(began.elapsed() < Duration::from_secs(1), "a transfer that the hosts drive is not waited for");
        assert_eq!(service.driven(), 0);
        // Nobody drives it, and it goes on.
        tokio::time::sleep(Duration::from_secs(20)).await;

        let (_service, anna) = site.serve();
        let seen = std::cell::RefCell::new(vec![before["progress"].as_f64().unwrap()]);
        let ended = anna
            .until(&id, |status| {
                seen.borrow_mut().push(status["progress"].as_f64().unwrap());
                status["phase"] == "ended"
            })
            .await;
        assert_eq!(ended["status"], "completed");
        let seen = seen.into_inner();
        assert!(seen.len() > 20 && seen.is_sorted() && seen.last() == Some(&100.0), "{seen:?}");
        let records = anna.get(&format!("/tasks/{id}/records")).await;
        let journal = records.body["journal"].as_array().unwrap();
        let count = |record: &str| journal.iter().filter(|entry| entry["record"] == record).count();
        assert_eq!((count("perform-intended"), count("adopted"), count("ended")), (1, 1, 1));
        assert_eq!(site.world.violations(), []);
    });
}

#[test]
fn a_transfer_that_would_end_with_the_service_is_waited_for_as_long_as_there_is_time() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (service, anna) = site.serve();
        let direct = serde_json::json!({"domain": "g1", "to": "b", "options": {"transport": "direct"}});
        let id = anna.post("/tasks", direct).await.expect(202)["id"].as_str().unwrap().to_owned();
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 10.0).await;
        let began = tokio::time::Instant::now();
        service.drain(Duration::from_secs(30)).await;
        assert_eq!(began.elapsed().as_secs(), 30);
        let (service, anna) = site.serve();
        let ended = anna.end(&id).await;
        assert_eq!(ended["phase"], "ended", "whatever became of it, somebody says so: {ended}");
        assert_eq!(site.world.violations(), []);
        while service.driven() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn a_task_that_waits_for_its_turn_is_taken_over_with_its_place() {
    in_virtual_time(async {
        let mut fleet = SLOW.to_owned();
        for n in 2..=4 {
            fleet.push_str(&format!("[[domain]]\nname = \"g{n}\"\nhost = \"a\"\nmemory_mib = 256\n"));
        }
        let site = Site::new(&fleet);
        let (service, anna) = site.serve();
        let mut ids = Vec::new();
        for n in 1..=4 {
            ids.push(anna.migrate(&format!("g{n}"), "b").await);
        }
        anna.until(&ids[3], |status| status["status"] == "queued").await;
        service.drain(Duration::from_secs(30)).await;
        let (_service, anna) = site.serve();
        for id in &ids {
            assert_eq!(anna.end(id).await["status"], "completed");
        }
    });
}

#[test]
fn a_task_whose_process_died_is_found_without_being_asked_for() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        // As the command takes it on, and dies before it drives it.
        let request = waypost::MigrationRequest {
            domain: waypost::DomainKey::Name("g1".into()),
            source: None,
            destination: waypost::HostName::new("b"),
            options: waypost::Options::default(),
            requester: "command".into(),
        };
        let driver = site.engine().accept(request).unwrap();
        let id = driver.id();
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(anna.get(&format!("/tasks/{id}")).await.expect(200)["phase"], "accepted", "it is the command's");
        drop(driver);
        assert_eq!(anna.end(&id.to_string()).await["status"], "completed");
    });
}

#[test]
fn who_asks_for_a_task_and_goes_away_has_it_driven_all_the_same() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (service, anna) = site.serve();
        let new = serde_json::json!({"domain": "g1", "to": "b"});
        tokio::select! {
            biased;
            answer = anna.post("/tasks", new) => panic!("it was faster than it can be: {answer:?}"),
            () = std::future::ready(()) => {}
        }
        // The request was read and is gone; what it asked for is not.
        while service.driven() == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let tasks = anna.get("/tasks").await.expect(200).clone();
        let id = tasks["tasks"][0]["id"].as_str().unwrap();
        assert_eq!(anna.end(id).await["status"], "completed");
    });
}
