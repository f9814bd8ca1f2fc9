//! The guide to the service.

use super::folder::Folder;
use super::page::{self, What};

#[test]
fn what_can_be_run_works() {
    Folder::new().follow(&page::blocks(&page::text("service.md")));
}

/// The blocks of Rust are parts of an example in the code, which is compiled and run with the documentation's tests: what a reader is
/// shown there, line by line.
#[test]
fn the_examples_of_embedding_are_those_that_are_run() {
    let code = include_str!("../../host/src/facade.rs");
    let lines = code.lines().filter_map(|line| line.trim_start().strip_prefix("///"));
    let shown: Vec<&str> = lines.map(str::trim).filter(|line| !line.starts_with("# ")).collect();
    let mut compared = 0;
    for block in page::blocks(&page::text("service.md")) {
        if block.what == (What::Example { language: "rust".to_owned() }) {
            let told: Vec<&str> = block.text.lines().collect();
            assert!(
                shown.windows(told.len()).any(|run| run == told),
                "line {}: facade.rs has it otherwise",
                block.line
            );
            compared += 1;
        }
    }
    assert_eq!(compared, 2);
}
