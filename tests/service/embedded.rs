//! Waypost inside a program: several of it at once, and futures that are dropped.

use std::path::Path;
use std::task::{Context, Waker};

use tempfile::TempDir;
use waypost::{Adopted, Config, DomainKey, HostName, MigrationRequest, Options, Pace, Question, Targets, Waypost};

use super::support::{SLOW, command, in_virtual_time};

struct Site {
    folder: TempDir,
}

impl Site {
    fn new(fleet: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("fleet.toml"), fleet).unwrap();
        Self { folder }
    }

    /// Of the shipped policies, which whoever embeds Waypost names by their folder.
    fn open(&self) -> Waypost {
        let path = |name: &str| self.folder.path().join(name);
        let config = Config {
            state_dir: path("state"),
            cache_dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache"),
            plugin_folders: vec![command::shipped()],
            ..Config::default()
        };
        Waypost::builder().config(config).simulated(path("fleet.toml"), Pace::Virtual).open().unwrap()
    }
}

fn request() -> MigrationRequest {
    MigrationRequest {
        domain: DomainKey::parse("g1"),
        source: None,
        destination: HostName::new("b"),
        options: Options::default(),
        requester: "test".into(),
    }
}

#[test]
fn several_in_one_process_know_nothing_of_each_other() {
    in_virtual_time(async {
        let (one, other) = (Site::new(SLOW), Site::new(SLOW));
        let (one, other) = (one.open(), other.open());
        let (first, second) = (one.engine().accept(request()).unwrap(), other.engine().accept(request()).unwrap());
        let (first, second) = tokio::join!(first.drive(), second.drive());
        assert_eq!((first.unwrap().kind.as_str(), second.unwrap().kind.as_str()), ("completed", "completed"));
        let tasks = |waypost: &Waypost| waypost.store().tasks().unwrap();
        assert_eq!((tasks(&one).len(), tasks(&other).len()), (1, 1));
        assert_ne!(tasks(&one)[0].id, tasks(&other)[0].id);
    });
}

#[test]
fn two_over_one_folder_share_its_tasks() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let (one, other) = (site.open(), site.open());
        let driver = one.engine().accept(request()).unwrap();
        assert!(matches!(other.engine().adopt(driver.id()).unwrap(), Adopted::Observer(_)), "it is driven");
        driver.drive().await.unwrap();
        assert_eq!(other.store().tasks().unwrap().len(), 1);
    });
}

#[test]
fn a_check_that_is_dropped_touched_nothing_and_a_driver_leaves_its_task() {
    in_virtual_time(async {
        let site = Site::new(SLOW);
        let waypost = site.open();
        let question = Question {
            domain: DomainKey::parse("g1"),
            source: None,
            targets: Targets::All,
            options: Options::default(),
            requester: "test".into(),
        };
        {
            let mut check = std::pin::pin!(waypost.engine().check(&question));
            // Once is enough to have it begin.
            let polled = check.as_mut().poll(&mut Context::from_waker(Waker::noop()));
            assert!(polled.is_pending());
        }
        assert_eq!(waypost.store().tasks().unwrap().len(), 0);

        let driver = waypost.engine().accept(request()).unwrap();
        let (id, mut views) = (driver.id(), driver.views());
        tokio::select! {
            ended = driver.drive() => panic!("it takes minutes: {ended:?}"),
            _ = views.wait_for(|view| view.permille > 100) => {}
        }
        // Its transfer goes on, and whoever adopts it brings it to its end.
        let Adopted::Driver(driver) = waypost.engine().adopt(id).unwrap() else { panic!("nobody drives it") };
        assert_eq!(driver.drive().await.unwrap().kind.as_str(), "completed");
    });
}
