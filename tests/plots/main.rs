//! The plots of docs/convergence.md: real transfers of a guest that never arrives by itself, one under each shipped
//! convergence policy. The recordings are committed, so that drawing needs no lab, and a test sees that the pictures are
//! what the recordings draw.
//!
//! `make docs-plots` records and draws anew, `make docs-plots REDRAW=1` only draws.

mod courses;
mod draw;
mod record;
mod recording;
#[path = "../lab/site.rs"]
#[allow(dead_code, reason = "shared with the end-to-end tests, which use more of it")]
mod site;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use courses::COURSES;
use recording::Recording;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/plots")
}

#[test]
fn each_picture_is_what_its_recording_draws() {
    let order = std::env::var("WAYPOST_PLOTS").unwrap_or_default();
    let (recording, drawing) = (order == "record", order == "record" || order == "draw");
    for course in COURSES {
        let (record, picture) =
            (folder().join(format!("{}.jsonl", course.name)), folder().join(format!("{}.svg", course.name)));
        if recording {
            let made = record::record(course);
            println!("{}: {} after {:.1} s", course.name, made.head.outcome, made.head.seconds);
            fs::write(&record, made.to_text()).expect("the recording is written");
        }
        let text = fs::read_to_string(&record).unwrap_or_else(|e| panic!("{}: {e}", record.display()));
        let recorded = Recording::from_text(&text);
        assert_eq!(recorded.head.outcome, course.end, "{}: not the end that this course is for", course.name);
        let drawn = draw::draw(&recorded);
        if drawing {
            fs::write(&picture, &drawn).expect("the picture is written");
        }
        let committed = fs::read_to_string(&picture).unwrap_or_else(|e| panic!("{}: {e}", picture.display()));
        assert!(committed == drawn, "{} is not what its recording draws: make docs-plots REDRAW=1", picture.display());
    }
}

#[test]
fn each_picture_is_shown_and_nothing_else_lies_there() {
    let page = fs::read_to_string(folder().join("../convergence.md")).expect("the page");
    let there: BTreeSet<String> = fs::read_dir(folder())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned())
        .collect();
    let expected: BTreeSet<String> =
        COURSES.iter().flat_map(|course| ["jsonl", "svg"].map(|kind| format!("{}.{kind}", course.name))).collect();
    assert_eq!(there, expected);
    for course in COURSES {
        assert!(
            page.contains(&format!("(plots/{}.svg)", course.name)),
            "docs/convergence.md does not show {}",
            course.name
        );
    }
}
