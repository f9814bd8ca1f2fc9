//! Moves the endless guest under one policy, with Waypost as a library, and keeps every reading that it took.

use std::pin::pin;

use tokio::time::Instant;
use waypost::core::convergence::Steering;
use waypost::core::journal::Record;
use waypost::core::phase::Phase;
use waypost::core::request::{MigrationRequest, Options};
use waypost::core::sample::{Sample, Stage};
use waypost::core::stream::Stream;
use waypost::wiring::Watching;
use waypost::{Config, DomainKey, HostName, Waypost, World};

use crate::courses::{BANDWIDTH, Course, endless};
use crate::recording::{Head, Reading, Recording, Steered};

/// libvirt's limit where nobody sets one.
const USUAL_LIMIT_MS: u64 = 300;

pub fn record(course: &Course) -> Recording {
    let site = endless(course);
    let config = Config::read(&site.config()).expect("the configuration");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let recording = runtime.block_on(transfer(course, &config));
    site.assert_one_counting_guest("endless");
    recording
}

async fn transfer(course: &Course, config: &Config) -> Recording {
    let waypost = Waypost::assemble(config, &World::Libvirt, Watching::Off).expect("waypost over the lab");
    let stream = Stream { post_copy: course.post_copy, ..Stream::default() };
    let request = MigrationRequest {
        domain: DomainKey::parse("endless"),
        source: None,
        destination: HostName::new("kvm2"),
        options: Options {
            bandwidth_mib_s: Some(BANDWIDTH),
            timeout_s: course.timeout_s,
            stream,
            ..Options::default()
        },
        requester: "recorder".to_owned(),
    };
    let driver = waypost.engine().accept(request).expect("accepted");
    let (id, mut views) = (driver.id(), driver.views());
    let mut driving = pin!(driver.drive());
    let (mut began, mut ended, mut last, mut first_limit_ms) = (None, None, None, USUAL_LIMIT_MS);
    let mut readings = Vec::new();
    let outcome = loop {
        tokio::select! {
            biased;
            Ok(()) = views.changed() => {
                let view = views.borrow_and_update();
                if view.phase != Phase::Performing {
                    ended = ended.or(began.map(|_: Instant| Instant::now()));
                }
                if view.phase == Phase::Performing {
                    began.get_or_insert_with(Instant::now);
                }
                if let Some(limit) = view.plan.as_ref().and_then(|plan| plan.max_downtime_ms) {
                    first_limit_ms = limit;
                }
                let sample = view.sample.clone().filter(|sample| last.as_ref() != Some(sample));
                if let (Some(sample), Some(began)) = (sample, began) {
                    if sample.stage != Stage::Final {
                        readings.push(reading(began, &sample));
                    }
                    last = Some(sample);
                }
            }
            outcome = &mut driving => break outcome.expect("a task that ends"),
        }
    };
    let seconds = ended.zip(began).map_or(0.0, |(ended, began)| (ended - began).as_secs_f64());
    let figures = views.borrow().sample.clone().filter(|sample| sample.stage == Stage::Final);
    let journal = waypost.store().journal(id).expect("its journal");
    Recording {
        head: Head {
            title: course.title.to_owned(),
            settings: course.settings.to_owned(),
            outcome: outcome.kind.to_string(),
            seconds: (seconds * 100.0).round() / 100.0,
            downtime_ms: figures.and_then(|sample| sample.downtime_ms),
            first_limit_ms,
        },
        steered: steered(&journal),
        readings,
    }
}

fn reading(began: Instant, sample: &Sample) -> Reading {
    let page = sample.page_bytes.unwrap_or(4096);
    Reading(
        u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
        sample.remaining_bytes >> 10,
        sample.bytes_per_s.unwrap_or(0) >> 10,
        sample.dirty_pages_per_s.unwrap_or(0).saturating_mul(page) >> 10,
        sample.throttle_percent.unwrap_or(0),
    )
}

/// What was done while it ran, and that a policy gave it up.
fn steered(journal: &[(waypost::core::ids::Moment, Record)]) -> Vec<Steered> {
    let began = journal.iter().find(|(_, record)| *record == Record::PerformIntended).map_or(0, |(at, _)| at.0);
    let done = journal.iter().filter_map(|(at, record)| match record {
        Record::SteerIntended { action, value, .. } => Some((at.0.saturating_sub(began), *action, *value)),
        _ => None,
    });
    done.map(|(at_ms, action, value): (u64, Steering, Option<u64>)| Steered {
        at_ms,
        action: action.as_str().to_owned(),
        value,
    })
    .collect()
}
