//! The service under load: so many listeners to events and so many requests a second, while a guest moves, beside a bare axum
//! handler that answers as many bytes to as many. Both are asked over TLS by the same public tool (`hey`), in turns, each
//! with the other at rest; the listeners are our own, and see by the numbers that nothing is left out or out of order.

mod bare;
mod heard;
mod program;

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::{Builder, Runtime};

use crate::Figure;
use bare::Bare;
use heard::Listeners;
use program::{Program, Tls};

const LISTENERS: usize = 1000;
/// Requests per second: by so many connections, each so often.
const CONNECTIONS: u32 = 20;
const EACH: u32 = 10;
const SECONDS: u32 = 30;
const ROUNDS: usize = 2;
/// What else a page asks for, each for less time.
const OTHERS: [&str; 2] = ["/tasks", "/hosts"];
const BRIEFLY: u32 = 10;

/// A guest that takes seven minutes over its link, and one that writes.
const FLEET: &str = "[[host]]\nname = \"a\"\n[[host]]\nname = \"b\"\n[[link]]\nbetween = [\"a\", \"b\"]\n\
                     bandwidth_mib_s = 10\n[[domain]]\nname = \"g1\"\nhost = \"a\"\nmemory_mib = 4096\n";

pub fn measure() -> Vec<Figure> {
    let tls = Tls::new();
    let program = Program::start(&tls, FLEET);
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
    let made = runtime.block_on(program.ask("POST", "/tasks", &json!({"domain": "g1", "to": "b"})));
    let task = made["id"].as_str().unwrap_or_else(|| panic!("a task: {made}")).to_owned();
    let path = format!("/api/v1/tasks/{task}");
    let moving = until_it_moves(&runtime, &program, &task);
    let bare = Bare::start(&tls, &[("/answer", moving.to_string())]);

    let (mut ours, mut theirs, mut rss) = (Vec::new(), Vec::new(), Vec::new());
    let mut heard = 0;
    for round in 0..ROUNDS {
        let listeners = runtime.block_on(Listeners::begin(LISTENERS, bare.address, &tls, "", 0));
        theirs.extend(hey(bare.address, "/answer", "", SECONDS));
        runtime.block_on(listeners.end(0));

        let before = runtime.block_on(sequence(&program, &task));
        let listeners = runtime.block_on(Listeners::begin(LISTENERS, program.address, &tls, &program.token, before));
        let steering = runtime.spawn(steer(program.clone(), task.clone()));
        ours.extend(hey(program.address, &path, &program.token, SECONDS));
        steering.abort();
        rss.push(program.resident_mib());
        let last = runtime.block_on(sequence(&program, &task));
        heard += runtime.block_on(listeners.end(last));
        println!(
            "  round {}: waypost p99 {:.2} ms, bare axum p99 {:.2} ms, RSS {:.0} MiB",
            round + 1,
            p99(&ours),
            p99(&theirs),
            rss[round]
        );
    }
    let others = others(&runtime, &tls, &program, &task);
    let still = runtime.block_on(program.ask("GET", &format!("/tasks/{task}"), &Value::Null));
    assert_eq!(still["phase"], "performing", "it moved all the while: {still}");

    let (waypost, axum) = (p99(&ours), p99(&theirs));
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let what = format!(
        "{LISTENERS} listeners and {} requests/s while a guest moves, for {ROUNDS} times {SECONDS} s on {cores} cores: p99",
        CONNECTIONS * EACH
    );
    let most = rss.iter().copied().fold(0.0, f64::max);
    let mut figures = vec![
        Figure {
            what: format!("{what} over that of a bare axum handler"),
            measured: format!(
                "{:.2} times: waypost {waypost:.2} ms of {} requests, bare {axum:.2} ms of {}; medians {:.2} and {:.2} ms",
                waypost / axum,
                ours.len(),
                theirs.len(),
                at(&ours, 0.5),
                at(&theirs, 0.5)
            ),
            promise: "at most 3 times",
            kept: waypost <= 3.0 * axum,
        },
        Figure {
            what: format!("{what} itself"),
            measured: format!("{waypost:.2} ms; at most {:.2} ms; RSS of the service {most:.0} MiB", at(&ours, 1.0)),
            promise: "under 50 ms",
            kept: waypost < 50.0,
        },
        Figure {
            what: format!("events that {LISTENERS} listeners heard meanwhile"),
            measured: format!("{heard} records, none left out, none out of order"),
            promise: "every record, in order, to everyone",
            // Whatever was missing has broken this off; nothing to hear would prove nothing.
            kept: heard >= (LISTENERS * ROUNDS * 10) as u64,
        },
    ];
    figures.extend(others);
    figures
}

/// Other routes than that of one task, each beside a bare handler that answers the same bytes, with the same listeners.
fn others(runtime: &Runtime, tls: &Tls, program: &Program, task: &str) -> Vec<Figure> {
    let answers = OTHERS.map(|route| (route, runtime.block_on(program.ask("GET", route, &Value::Null)).to_string()));
    let bare = Bare::start(tls, &answers);
    let listeners = runtime.block_on(Listeners::begin(LISTENERS, bare.address, tls, "", 0));
    let theirs = OTHERS.map(|route| hey(bare.address, route, "", BRIEFLY));
    runtime.block_on(listeners.end(0));

    let before = runtime.block_on(sequence(program, task));
    let listeners = runtime.block_on(Listeners::begin(LISTENERS, program.address, tls, &program.token, before));
    let steering = runtime.spawn(steer(program.clone(), task.to_owned()));
    let ours = OTHERS.map(|route| hey(program.address, &format!("/api/v1{route}"), &program.token, BRIEFLY));
    steering.abort();
    let last = runtime.block_on(sequence(program, task));
    runtime.block_on(listeners.end(last));
    let figure = |((route, ours), theirs): ((&str, Vec<f64>), Vec<f64>)| Figure {
        what: format!("the same of GET {route} for {BRIEFLY} s: p99 over that of a bare axum handler"),
        measured: format!(
            "{:.2} times: waypost {:.2} ms, bare {:.2} ms; medians {:.2} and {:.2} ms",
            p99(&ours) / p99(&theirs),
            p99(&ours),
            p99(&theirs),
            at(&ours, 0.5),
            at(&theirs, 0.5)
        ),
        promise: "under 50 ms",
        kept: p99(&ours) < 50.0,
    };
    OTHERS.into_iter().zip(ours).zip(theirs).map(figure).collect()
}

/// Waits until the transfer runs; answers the task as it then stands.
fn until_it_moves(runtime: &Runtime, program: &Program, task: &str) -> Value {
    loop {
        let status = runtime.block_on(program.ask("GET", &format!("/tasks/{task}?wait=30"), &Value::Null));
        if status["progress"].as_f64().is_some_and(|percent| percent > 0.0) {
            return status;
        }
        assert_ne!(status["phase"], "ended", "{status}");
    }
}

/// The number of the task's last record.
async fn sequence(program: &Program, task: &str) -> u64 {
    let status = program.ask("GET", &format!("/tasks/{task}"), &Value::Null).await;
    status["sequence"].as_u64().unwrap_or_else(|| panic!("a number: {status}"))
}

/// Has the transfer steered once a second, which makes records.
async fn steer(program: Program, task: String) {
    let mut every = tokio::time::interval(Duration::from_secs(1));
    for turn in 0.. {
        every.tick().await;
        program.ask("POST", &format!("/tasks/{task}/steer"), &json!({"max_downtime_ms": 300 + turn % 2})).await;
    }
}

/// Asks that often for so long; answers the time of each answer, ms.
fn hey(address: SocketAddr, path: &str, token: &str, seconds: u32) -> Vec<f64> {
    let (time, connections, each) = (format!("{seconds}s"), CONNECTIONS.to_string(), EACH.to_string());
    let bearer = format!("Authorization: Bearer {token}");
    let output = Command::new("hey")
        // It takes the name for TLS from there, and with the port of the URL in it that would be none.
        .args(["-host", "localhost"])
        .args(["-z", &time, "-c", &connections, "-q", &each, "-o", "csv", "-H", &bearer])
        .arg(format!("https://{address}{path}"))
        .output()
        .unwrap_or_else(|error| panic!("hey can't be run, which host/lab/setup.sh installs: {error}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut lines = text.lines();
    let columns: Vec<&str> = lines.next().unwrap_or_default().split(',').collect();
    let column =
        |name| columns.iter().position(|column| *column == name).unwrap_or_else(|| panic!("{name}: {text}{errors}"));
    let (time, status) = (column("response-time"), column("status-code"));
    let times: Vec<f64> = lines
        .filter(|line| !line.is_empty())
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            assert_eq!(cells[status], "200", "{line}");
            1000.0 * cells[time].parse::<f64>().unwrap_or_else(|error| panic!("{line}: {error}"))
        })
        .collect();
    let wanted = (seconds * CONNECTIONS * EACH) as usize;
    assert!(times.len() * 10 >= wanted * 9, "{} answers of {wanted}: {errors}", times.len());
    times
}

fn p99(times: &[f64]) -> f64 {
    at(times, 0.99)
}

/// The time within which that part of all answers came.
fn at(times: &[f64], part: f64) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = (part * sorted.len() as f64).ceil() as usize;
    sorted[place.clamp(1, sorted.len()) - 1]
}
