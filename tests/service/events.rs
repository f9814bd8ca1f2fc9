//! Events: nothing lost, nothing twice, nothing out of order - across services, processes and clients that are slow.

use std::time::Duration;

use serde_json::json;
use waypost::core::access::{Role, Scope};
use waypost::core::feed::Feed as _;
use waypost::core::ids::{DomainKey, HostName};
use waypost::service::{Caller, Limits};
use waypost::{MigrationRequest, Options};

use super::support::{Heard, SLOW, Site, TWO_HOSTS, in_virtual_time};

fn records(heard: &[Heard]) -> Vec<u64> {
    heard.iter().filter_map(|heard| heard.id).collect()
}

/// All numbers that the store has, read past the service.
fn written(site: &Site) -> Vec<u64> {
    site.store().changes(None, 0, 100_000).unwrap().iter().map(|change| change.sequence).collect()
}

#[test]
fn a_migration_is_heard_from_its_first_record_to_its_last_with_its_progress_between() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let mut all = anna.listen("/events", None).await;
        let id = anna.migrate("g1", "b").await;
        let heard = all.until(|heard| heard.ends(&id)).await;
        assert_eq!(records(&heard), written(&site));
        let (first, last) = (&heard[0].data["entry"], &heard.last().unwrap().data["entry"]);
        assert_eq!((&first["record"], &last["details"]["outcome"]), (&"accepted".into(), &"completed".into()));
        let progress: Vec<f64> = heard
            .iter()
            .filter(|heard| heard.kind == "progress")
            .map(|heard| {
                assert!(heard.id.is_none(), "what is superseded is not resumed from");
                assert_eq!((&heard.data["domain"], &heard.data["attempt"]), (&"g1".into(), &1.into()));
                heard.data["progress"].as_f64().unwrap()
            })
            .collect();
        assert!(progress.len() > 50 && progress.is_sorted() && *progress.last().unwrap() < 100.0, "{progress:?}");
        // One of its own, from the beginning.
        let mut own = anna.listen(&format!("/tasks/{id}/events"), None).await;
        let heard = own.until(|heard| heard.ends(&id)).await;
        assert_eq!(records(&heard), written(&site));
    });
}

#[test]
fn a_client_goes_on_where_it_was_though_the_service_is_another_and_others_write_meanwhile() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (service, anna) = site.serve();
        let mut listener = anna.listen("/events", None).await;
        let one = anna.migrate("g1", "b").await;
        let mut heard = listener.until(|heard| heard.ends(&one)).await;

        service.drain(Duration::from_secs(10)).await;
        assert!(listener.next().await.is_none(), "the stream ends with the service");
        // While there is no service, the command moves a domain.
        let engine = site.engine();
        let request = |domain: &str| MigrationRequest {
            domain: DomainKey::Name(domain.into()),
            source: None,
            destination: HostName::new("b"),
            options: Options::default(),
            requester: "command".into(),
        };
        engine.accept(request("g2")).unwrap().drive().await.unwrap();

        let (_service, anna) = site.serve();
        let last = records(&heard).last().copied();
        let mut listener = anna.listen("/events", last).await;
        // And while there is one, another process does.
        let driver = engine.accept(request("off")).unwrap();
        let two = driver.id().to_string();
        let (outcome, more) = tokio::join!(driver.drive(), listener.until(|heard| heard.ends(&two)));
        outcome.unwrap();
        heard.extend(more);
        assert_eq!(records(&heard), written(&site));
    });
}

#[test]
fn who_is_further_behind_than_what_is_kept_is_served_from_the_store() {
    in_virtual_time(async {
        // So little is kept that nearly everything is forgotten at once.
        let little = Limits { kept_event_bytes: 2000, ..Limits::default() };
        let site = Site::new(SLOW).with_limits(little);
        let (_service, anna) = site.serve();
        let mut slow = anna.listen("/events", None).await;
        let mut other = anna.listen("/events?after=0", None).await;
        let id = anna.migrate("g1", "b").await;
        anna.end(&id).await;
        // It did not read a byte until now.
        let heard = slow.until(|heard| heard.ends(&id)).await;
        assert_eq!(records(&heard), written(&site));
        assert_eq!(records(&other.until(|heard| heard.ends(&id)).await), written(&site));
    });
}

#[test]
fn a_hundred_listeners_hear_the_same() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let mut listeners = Vec::new();
        for _ in 0..100 {
            listeners.push(anna.listen("/events", None).await);
        }
        let (one, two) = (anna.migrate("g1", "b").await, anna.migrate("g2", "b").await);
        anna.end(&one).await;
        anna.end(&two).await;
        let all = written(&site);
        for listener in &mut listeners {
            let mut heard = Vec::new();
            while records(&heard).last() != all.last() {
                heard.push(listener.next().await.unwrap());
            }
            assert_eq!(records(&heard), all);
        }
    });
}

#[test]
fn a_stream_on_which_nothing_happens_is_not_silent_though_much_happens_elsewhere() {
    in_virtual_time(async {
        let site = Site::new(&format!("{SLOW}[[domain]]\nname = 'g2'\nhost = 'a'\nstate = 'shut-off'\n"));
        let (_service, anna) = site.serve();
        let quiet = anna.migrate("g2", "b").await;
        anna.end(&quiet).await;
        let mut own = anna.listen(&format!("/tasks/{quiet}/events"), None).await;
        own.until(|heard| heard.ends(&quiet)).await;
        let mut all = anna.listen("/events", None).await;
        let busy = anna.migrate("g1", "b").await;
        // Every second somebody is told something, and never this one.
        own.comment().await;
        let heard = all.until(|heard| heard.kind == "progress").await;
        assert!(heard.iter().all(|heard| !heard.ends(&busy)), "{heard:?}");
        assert_ne!(anna.get(&format!("/tasks/{busy}")).await.expect(200)["phase"], "ended");
    });
}

#[test]
fn who_cannot_listen_reads_the_same_in_pages_and_waits_for_what_is_not_there_yet() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = site.serve();
        let none = anna.get("/changes").await.expect(200).clone();
        assert_eq!(none, json!({"records": [], "progress": [], "last": 0, "more": false}));
        let began = tokio::time::Instant::now();
        assert_eq!(anna.get("/changes?after=0&wait=20").await.expect(200), &none);
        assert_eq!(began.elapsed().as_secs(), 20, "in virtual time");
        let wait = async { anna.get("/changes?after=0&wait=60").await.expect(200).clone() };
        let begin = async {
            tokio::time::sleep(Duration::from_secs(5)).await;
            anna.migrate("g1", "b").await
        };
        let (first, id) = tokio::join!(wait, begin);
        assert!(began.elapsed() < Duration::from_secs(60), "with the news, and not at its time");
        assert_eq!(
            (&first["records"][0]["task"], &first["records"][0]["sequence"]),
            (&json!(id), &json!(1)),
            "{first}"
        );

        let mut stream = anna.listen("/events?after=0", None).await;
        let heard = records(&stream.until(|heard| heard.ends(&id)).await);
        let (mut read, mut after) = (Vec::new(), 0);
        loop {
            let page = anna.get(&format!("/changes?after={after}&limit=3")).await.expect(200).clone();
            let told = page["records"].as_array().unwrap();
            assert!(told.len() <= 3, "{page}");
            read.extend(told.iter().map(|record| record["sequence"].as_u64().unwrap()));
            after = page["last"].as_u64().unwrap();
            if page["more"] == false {
                break;
            }
        }
        assert_eq!((&read, &read), (&heard, &written(&site)));

        // Whoever may see nothing of it is told where to go on all the same.
        let only = Scope { domains: vec!["g2".into()], ..Scope::default() };
        let narrow = anna.by(Caller::named("x").with(Role::Viewer, only));
        let theirs = narrow.get("/changes?after=0&limit=2").await.expect(200).clone();
        assert_eq!(theirs, json!({"records": [], "progress": [], "last": after, "more": false}));
        for (query, status, code) in [
            ("after=100000", 409, "unknown-event"),
            ("after=-1", 400, "bad-request"),
            ("limit=0", 400, "bad-request"),
            ("limit=501", 400, "bad-request"),
            ("since=1", 400, "bad-request"),
        ] {
            anna.get(&format!("/changes?{query}")).await.problem(status, code);
        }
    });
}

#[test]
fn how_far_a_transfer_is_stands_beside_the_pages_of_records() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 10.0).await;
        let page = anna.get("/changes?after=0").await.expect(200).clone();
        assert_eq!(page["progress"][0]["task"], *id, "{page}");
        assert!(page["progress"][0]["progress"].as_f64().unwrap() > 10.0, "{page}");
        // Who waits when the service stops is answered, and comes back.
        let path = format!("/changes?after={}&wait=60", page["last"]);
        let wait = async { anna.get(&path).await.expect(200).clone() };
        let stop = async {
            tokio::time::sleep(Duration::from_millis(100)).await;
            service.begin_draining();
        };
        let (last, ()) = tokio::join!(wait, stop);
        assert!(last["last"].as_u64() >= page["last"].as_u64(), "{last}");
    });
}

#[test]
fn a_new_listener_is_told_how_far_what_runs_is_and_nothing_of_what_is_over() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (_service, anna) = site.serve();
        let id = anna.migrate("g1", "b").await;
        // Listens and goes: what was rendered for it must not be told to the next as news.
        let mut early = anna.listen("/events", None).await;
        early.until(|heard| heard.kind == "progress").await;
        drop(early);
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 50.0).await;
        let mut late = anna.listen("/events", None).await;
        let heard = late.until(|heard| heard.kind == "progress").await;
        assert!(heard.last().unwrap().data["progress"].as_f64().unwrap() > 50.0);
        anna.end(&id).await;
        drop(late);
        let mut after = anna.listen("/events", None).await;
        let next = anna.migrate("g1", "a").await;
        let heard = after.until(|heard| heard.kind == "progress").await;
        assert!(heard.iter().all(|heard| heard.data["task"] == *next), "{heard:?}");
    });
}
