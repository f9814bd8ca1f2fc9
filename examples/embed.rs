//! Waypost inside another program: asks where a domain may go, moves it, follows it. Over simulated hosts, so that it
//! runs anywhere: `cargo run --example embed`. Over real ones it is `Waypost::open(&Config::find(None)?)`.

use waypost::{Config, DomainKey, MigrationRequest, Pace, Question, Waypost};

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let (state_dir, cache_dir) = (folder.path().join("state"), folder.path().join("cache"));
    let config = Config { state_dir, cache_dir, ..Config::default() };
    let fleet = folder.path().join("fleet.toml");
    std::fs::write(&fleet, "host = [{ name = 'a' }, { name = 'b' }]\ndomain = [{ name = 'web', host = 'a' }]\n")?;
    let waypost = Waypost::builder().config(config).simulated(fleet, Pace::Virtual).open()?;

    let domain = DomainKey::parse("web");
    for verdict in waypost.check(&Question::new(domain.clone(), "example")).await?.verdicts {
        println!("web to {}: {}", verdict.destination, verdict.decision());
    }

    let request = MigrationRequest::new(domain, "b", "example");
    let outcome =
        waypost.migrate(request, |view| println!("{}%  {} {}", view.permille / 10, view.phase, view.note)).await?;
    println!("{}: {}", outcome.kind, outcome.summary);
    Ok(())
}
