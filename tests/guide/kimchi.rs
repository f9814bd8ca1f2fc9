//! The page for clients of other managers.

use super::folder::Folder;
use super::page;

#[test]
fn what_can_be_run_works() {
    Folder::new().follow(&page::blocks(&page::text("kimchi.md")));
}
