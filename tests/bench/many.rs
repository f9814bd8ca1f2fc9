//! Ten guests one after another and side by side, by a shell loop over each of the two commands, in turns.

use std::process::Command;
use std::time::Instant;

use waypost_lab::GuestSpec;

use crate::Figure;
use crate::shuttle::HOSTS;
use crate::site::Site;
use crate::statistics::{median, spread};

const GUESTS: usize = 10;
const ROUNDS: usize = 3;

pub fn measure() -> Vec<Figure> {
    let mut figures = Vec::new();
    // A shell loop knows no limits; Waypost's are oVirt's, two out of and two into a host, unless the site sets others.
    let free = format!("\n[migrations]\noutgoing_per_host = {GUESTS}\nincoming_per_host = {GUESTS}\n");
    for (what, limits, side_by_side) in [
        ("one after another", "", false),
        ("side by side, all at once", free.as_str(), true),
        ("side by side, virsh all at once, waypost within its usual limits", "", true),
    ] {
        let site = Site::with(2, limits);
        for number in 0..GUESTS {
            site.start_guest(&GuestSpec::tick(&format!("ten{number}")));
        }
        let (mut virsh, mut ours) = (Vec::new(), Vec::new());
        let mut at = 0;
        for round in 0..ROUNDS {
            for turn in 0..2 {
                if (round + turn) % 2 == 0 {
                    virsh.push(run(&site, at, side_by_side, &by_virsh(&site, at)));
                } else {
                    ours.push(run(&site, at, side_by_side, &by_waypost(&site, at)));
                }
                at = 1 - at;
            }
            println!("  {GUESTS} guests {what}: virsh {:.2} s, waypost {:.2} s", virsh[round], ours[round]);
        }
        for number in 0..GUESTS {
            site.assert_one_counting_guest(&format!("ten{number}"));
        }
        figures.push(Figure {
            what: format!("{GUESTS} guests {what}: shell loop over `waypost migrate` / over `virsh migrate`"),
            measured: format!(
                "{:.2} times: waypost {}, virsh {}",
                median(&ours) / median(&virsh),
                spread(&ours, "s"),
                spread(&virsh, "s")
            ),
            promise: "to be told",
            kept: true,
        });
    }
    figures
}

fn by_virsh(site: &Site, at: usize) -> Vec<String> {
    let (from, to) = (site.lab.host(HOSTS[at]).expect("a host"), site.lab.host(HOSTS[1 - at]).expect("a host"));
    let words = format!(
        "virsh -q -c {} migrate --live --p2p --persistent --undefinesource GUEST {}",
        from.uri_unix(),
        to.uri_peer()
    );
    words.split(' ').map(str::to_owned).collect()
}

fn by_waypost(site: &Site, at: usize) -> Vec<String> {
    let command = site.command(&["migrate", "GUEST", "--from", HOSTS[at], "--to", HOSTS[1 - at]]);
    let program = command.get_program().to_string_lossy().into_owned();
    std::iter::once(program).chain(command.get_args().map(|word| word.to_string_lossy().into_owned())).collect()
}

/// The whole loop, in seconds.
fn run(site: &Site, at: usize, side_by_side: bool, words: &[String]) -> f64 {
    let quoted = words.iter().map(|word| if word == "GUEST" { "\"$g\"".to_owned() } else { format!("'{word}'") });
    let one = format!("{{ {} >/dev/null || echo \"$g\"; }}", quoted.collect::<Vec<_>>().join(" "));
    let names = (0..GUESTS).map(|number| format!("ten{number}")).collect::<Vec<_>>().join(" ");
    let end = if side_by_side { "& done; wait" } else { "; done" };
    let script = format!("for g in {names}; do {one} {end}");
    let began = Instant::now();
    let output = Command::new("sh").args(["-c", &script]).output().expect("a shell");
    let seconds = began.elapsed().as_secs_f64();
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "did not move: {}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let left = site.lab.host(HOSTS[at]).and_then(|host| host.domains()).expect("its domains");
    assert!(left.is_empty(), "still on {}: {left:?}", HOSTS[at]);
    seconds
}
