//! Whether a service is alive is asked of its loops, and not of a timer.

use std::time::Duration;

use tokio::runtime::Builder;

use super::support::{SLOW, Site};

#[test]
fn a_service_whose_driving_hangs_has_no_pulse_until_it_goes_on() {
    let runtime = Builder::new_multi_thread().worker_threads(4).enable_all().build().unwrap();
    let (site, service) = runtime.block_on(async {
        let site = Site::new(SLOW);
        let (service, anna) = site.serve();
        service.pulse().await;
        let id = anna.migrate("g1", "b").await;
        anna.until(&id, |status| status["progress"].as_f64().unwrap() > 0.0).await;
        // With a task that is driven, and that waits for its hosts most of the time.
        service.pulse().await;
        (site, service)
    });
    // On a thread of its own: whoever asks for the time from now on hangs with its thread, the one that tends the timers included.
    let patience = Builder::new_current_thread().enable_time().build().unwrap();
    let held = site.hold_the_clock();
    let lives = || {
        let service = service.clone();
        let pulse = runtime.spawn(async move { service.pulse().await });
        patience.block_on(async { tokio::time::timeout(Duration::from_secs(2), pulse).await.is_ok() })
    };
    // Sooner or later the task wants to know what time it is, and then its loop stands still. Before that it still answers.
    while lives() {}
    drop(held);
    runtime.block_on(async {
        service.pulse().await;
        service.drain(Duration::from_secs(30)).await;
        // One that is being stopped looks for no tasks any more, and is alive all the same.
        service.pulse().await;
    });
}
