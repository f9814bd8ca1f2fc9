//! Several faults at once, any options, any way to travel, any policy, the controller killed again and again, a cancellation
//! at any time: thousands of courses, each made from its number alone.

use std::time::Duration;

use tokio::time::timeout;
use waypost_core::outcome::OutcomeKind;
use waypost_core::request::{AfterMove, Options, Persistence, SourceDefinition};
use waypost_core::stream::{DiskCopy, Disks, Transport};
use waypost_engine::Adopted;
use waypost_sim::{Power, Scripted, Step, What};

use crate::faults::{NEVER, hangs_in_the_dark};
use crate::support::{Case, Dice, Mind, Place, Ran, Site, a, in_virtual_time, judge, side_by_side, tell};

const STORMS: u64 = 2000;

fn case(dice: &mut Dice) -> Case {
    let case = dice.pick(&[Case::live(), Case::live(), Case::paused(), Case::offline(), Case::transient()]);
    let live = case.power != Power::ShutOff;
    let keep = dice.below(4) == 0;
    let options = Options {
        timeout_s: 60,
        bandwidth_mib_s: (live && dice.below(2) == 0).then_some(100),
        max_downtime_ms: (live && dice.below(2) == 0).then_some(500),
        source_definition: if keep { SourceDefinition::Keep } else { SourceDefinition::Undefine },
        persistence: if keep && live && dice.below(2) == 0 { Persistence::Transient } else { Persistence::AsSource },
        after: dice.pick(&[AfterMove::AsBefore, AfterMove::AsBefore, AfterMove::Paused]),
        destination_name: (dice.below(4) == 0).then(|| "g2".into()),
        ..Options::default()
    };
    let mind = if dice.below(2) == 0 { Mind::Conservative } else { Mind::Random(dice.below(u64::MAX)) };
    let mut case = case.options(options).mind(mind);
    let (steps, whats) = (Step::ALL, What::each());
    for _ in 0..=dice.below(4) {
        let fault = Scripted::at(dice.pick(steps), dice.pick(&whats));
        case.faults.push(fault.occurrence(1 + dice.below(4) as u32).permille(dice.below(1000) as u16));
    }
    case
}

/// How it travels: peer to peer, direct or through a tunnel; with copied disks; switched to post-copy on its way, and that
/// interrupted. What excludes what is never asked for: a request that is refused is no storm.
fn travelling(case: Case, dice: &mut Dice) -> Case {
    let live = case.power != Power::ShutOff;
    let running = case.power == Power::Running && case.options.after == AfterMove::AsBefore;
    let copies = live && dice.below(5) == 0;
    let post_copy = running && dice.below(3) == 0;
    let mut case = match dice.below(6) {
        0 | 1 => case.by(Transport::Direct),
        2 if live && !copies && !post_copy => case.by(Transport::Tunnelled),
        _ => case,
    };
    if copies {
        case.disks = Place::Own;
        case.options.disks = Disks { copy: DiskCopy::Full, ..Disks::default() };
    }
    if post_copy {
        case.options.stream.post_copy = true;
        let switch = Scripted::at(Step::Perform, What::SwitchToPostCopy).permille(dice.below(900) as u16);
        case = case.fault(switch);
        if dice.below(3) == 0 {
            case = case.fault(Scripted::at(Step::PostCopy, What::InterruptPostCopy));
        }
    }
    case
}

async fn storm(number: u64) -> Ran {
    let mut dice = Dice(number);
    // Of dice of their own, so that a storm stays what it is when there is another way to travel.
    let mut ways = Dice(!number);
    let site = Site::new(travelling(case(&mut dice), &mut ways));
    let driver = site.accept();
    let task = driver.id();
    let mut driving = tokio::spawn(driver.drive());
    let (mut kills, mut cancels) = (dice.below(4), dice.below(3) / 2);
    let outcome = loop {
        // Often in the thick of it, sometimes long after.
        let pause = dice.pick(&[400, 2_000, 15_000, 200_000]);
        let pause = if kills + cancels == 0 { NEVER } else { Duration::from_millis(dice.below(pause)) };
        match timeout(pause, &mut driving).await {
            Ok(ended) => break ended.unwrap().unwrap(),
            Err(_) if cancels > 0 => {
                cancels -= 1;
                site.engine(None).0.request_cancel(task, "somebody").unwrap();
            }
            Err(_) if kills > 0 => {
                kills -= 1;
                driving.abort();
                let _ = (&mut driving).await;
                tokio::time::sleep(Duration::from_millis(dice.below(20_000))).await;
                let engine = site.engine(None).0;
                match engine.adopt(task).unwrap() {
                    Adopted::Driver(driver) => driving = tokio::spawn(driver.drive()),
                    Adopted::Observer(_) => break engine.read(task).unwrap().outcome.unwrap(),
                }
            }
            Err(_) if hangs_in_the_dark(&site).await => site.world.mend(&a()),
            Err(_) => panic!("storm {number} has no end: {:?}", site.case),
        }
    };
    judge(&site, task, outcome).await
}

#[test]
fn no_storm_makes_two_copies_or_a_lie() {
    let numbers: Vec<u64> = (0..STORMS).collect();
    let ran = side_by_side(&numbers, |number| in_virtual_time(storm(*number)));
    let counts = tell("storms", &numbers, &ran);
    for kind in [OutcomeKind::Completed, OutcomeKind::RolledBack, OutcomeKind::Cancelled, OutcomeKind::Lost] {
        assert!(counts[&kind] > 0, "{kind}");
    }
}
