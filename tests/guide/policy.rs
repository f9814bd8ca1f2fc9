//! The policy author's guide.

use waypost_policy::{Grant, Limits};

use super::folder::Folder;
use super::page::{self, What};

/// From nothing to a refused migration; a policy that is written outside of this repository and dropped into the folder of
/// a running check changes its verdict; a panic, a loop, a broken file, a grant, a recovery policy.
#[test]
fn every_line_of_the_guide_works() {
    let blocks = page::blocks(&page::text("policy-guide.md"));
    let not_run = blocks.iter().filter(|b| matches!(b.what, What::Once | What::Example { .. })).count();
    assert_eq!(not_run, 1, "only the block that builds waypost itself is not run");
    Folder::new().follow(&blocks);
}

#[test]
fn the_bounds_are_those_of_the_program() {
    let guide = page::text("policy-guide.md");
    let limits = Limits::default();
    let grouped = |n: u64| {
        let digits = n.to_string();
        let groups: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
        groups.join(",")
    };
    for row in [
        format!("| {} | `fuel` |", grouped(limits.fuel)),
        format!("| {} ms | `deadline_ms` |", limits.deadline_ms),
        format!("| {} MiB | `memory_mib` |", limits.memory_bytes >> 20),
        format!("| {} | `host_calls` |", grouped(limits.host_calls)),
        format!("| {} KiB | `lifted_kib` |", limits.lifted_bytes >> 10),
        format!("{} findings per destination", waypost_policy::FINDINGS),
        format!("message or remedy {} bytes", waypost_policy::MESSAGE_BYTES),
        format!(
            "{} evidence entries of {} bytes",
            waypost_policy::EVIDENCE_ENTRIES,
            waypost_policy::EVIDENCE_NAME_BYTES
        ),
        format!("{} bytes (value)", waypost_policy::EVIDENCE_VALUE_BYTES),
        format!("1 to {} characters", waypost_policy::CODE_BYTES),
    ] {
        assert!(guide.contains(&row), "the guide should say: {row}");
    }
    for grant in Grant::ALL {
        let row = format!("| `{grant}` |");
        let line = guide.lines().find(|line| line.starts_with(&row)).unwrap_or_else(|| panic!("no row {row}"));
        assert!(line.ends_with(&format!("| `{}` |", grant.interface())), "{line}");
    }
}
