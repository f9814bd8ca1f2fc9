//! Waypost inside another program: asks where a domain may go, moves it, follows it. Over simulated hosts, so that it
//! runs anywhere: `cargo run --example embed`. Over real ones it is `Waypost::open(&Config::find(None)?)`.

use waypost::{Config, DomainKey, HostName, MigrationRequest, Options, Pace, Question, Targets, Waypost};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let config =
        Config { state_dir: folder.path().join("state"), cache_dir: folder.path().join("cache"), ..Config::default() };
    let fleet = folder.path().join("fleet.toml");
    std::fs::write(&fleet, "host = [{ name = 'a' }, { name = 'b' }]\ndomain = [{ name = 'web', host = 'a' }]\n")?;
    let waypost = Waypost::builder().config(config).simulated(fleet, Pace::Virtual).open()?;

    let (domain, requester) = (DomainKey::parse("web"), "example".to_owned());
    let options = Options::default();
    let question = Question {
        domain: domain.clone(),
        source: None,
        targets: Targets::All,
        options: options.clone(),
        requester: requester.clone(),
    };
    for verdict in waypost.engine().check(&question).await?.verdicts {
        println!("web to {}: {}", verdict.destination, verdict.decision());
    }

    let request = MigrationRequest { domain, source: None, destination: HostName::new("b"), options, requester };
    let driver = waypost.engine().accept(request)?;
    let mut views = driver.views();
    let mut driving = std::pin::pin!(driver.drive());
    let outcome = loop {
        tokio::select! {
            outcome = &mut driving => break outcome?,
            Ok(()) = views.changed() => {
                let view = views.borrow_and_update();
                println!("{}%  {} {}", view.permille / 10, view.phase, view.note);
            }
        }
    };
    println!("{}: {}", outcome.kind, outcome.summary);
    Ok(())
}
