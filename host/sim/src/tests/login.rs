//! A host that lets nobody in without a login.

use waypost_core::login::{Admitted, Login, PeerWay, Secret};
use waypost_core::ports::{Connection, FaultKind};
use waypost_core::stream::Transport;

use super::*;
use crate::{Lasting, LoginSpec, What, Who};

const PASSWORD: &str = "correct-horse-battery";

/// b lets nobody in but carla; the other hosts' daemons as said.
fn world(peers: bool) -> (World, DomainId) {
    let login = LoginSpec { user: "carla".into(), password: PASSWORD.into(), peers };
    let shut = HostSpec { login: Some(login), ..HostSpec::named("b") };
    let domain = DomainSpec::named("g1", "a");
    let world = World::new(&Fleet::new([HostSpec::named("a"), shut], [domain])).unwrap();
    let id = world.domain("g1").unwrap();
    (world, id)
}

fn login(user: &str, password: &str) -> Login {
    Login::new(Secret::new(user.to_owned()), Secret::new(password.to_owned())).unwrap()
}

async fn refused(world: &World) -> String {
    let fault = world.domains(&host("b")).await.unwrap_err();
    assert_eq!(fault.kind, FaultKind::Authentication, "{fault}");
    fault.to_string()
}

#[tokio::test(start_paused = true)]
async fn a_login_opens_the_host_for_as_long_as_somebody_holds_it() {
    let (world, _) = world(false);
    let b = host("b");
    assert_eq!(world.connection(&b), Connection::Down);
    refused(&world).await;
    assert_eq!(world.admit(&host("a"), login("carla", PASSWORD)).await, Ok(Admitted::Unneeded));

    let (one, other) = (world.hold(&b), world.hold(&b));
    for (user, password) in [("carla", "guess"), ("root", PASSWORD)] {
        let fault = world.admit(&b, login(user, password)).await.unwrap_err();
        assert_eq!(fault.kind, FaultKind::Authentication);
        assert!(!fault.to_string().contains(password), "{fault}");
    }
    assert_eq!(world.admit(&b, login("carla", PASSWORD)).await, Ok(Admitted::Opened));
    assert_eq!(world.connection(&b), Connection::Lent(PeerWay::Shut));
    assert_eq!(world.admit(&b, login("carla", "guess")).await, Ok(Admitted::Unneeded), "it is open");
    drop(one);
    world.domains(&b).await.unwrap();
    drop(other);
    assert!(!refused(&world).await.contains("give it again"));

    // Nobody holds it: it is closed at once.
    assert_eq!(world.admit(&b, login("carla", PASSWORD)).await, Ok(Admitted::Opened));
    refused(&world).await;
}

#[tokio::test(start_paused = true)]
async fn what_broke_is_not_opened_again_by_itself() {
    let (world, _) = world(false);
    let b = host("b");
    let held = world.hold(&b);
    world.admit(&b, login("carla", PASSWORD)).await.unwrap();
    world.strike(&What::Unreachable(Who::Host(b.clone()), Lasting::For(std::time::Duration::from_secs(5))));
    assert_eq!(world.domains(&b).await.unwrap_err().kind, FaultKind::Unreachable);
    tokio::time::sleep(std::time::Duration::from_secs(6)).await;
    assert!(refused(&world).await.contains("give it again"));
    assert_eq!(world.admit(&b, login("carla", PASSWORD)).await, Ok(Admitted::Opened));
    world.domains(&b).await.unwrap();
    drop(held);
}

#[tokio::test(start_paused = true)]
async fn the_sources_daemon_does_not_have_the_login() {
    let direct = || Options { transport: Transport::Direct, ..Options::default() };
    for (peers, options, gets_in) in
        [(false, Options::default(), false), (false, direct(), true), (true, Options::default(), true)]
    {
        let (world, id) = world(peers);
        let held = world.hold(&host("b"));
        world.admit(&host("b"), login("carla", PASSWORD)).await.unwrap();
        let result = migrate(&world, id, options).await;
        assert_eq!(result.is_ok(), gets_in, "{peers}: {result:?}");
        assert_eq!(world.truth(id).running_on, [host(if gets_in { "b" } else { "a" })]);
        drop(held);
        assert!(world.violations().is_empty());
    }
}
