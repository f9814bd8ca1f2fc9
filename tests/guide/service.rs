//! The guide to the service.

use super::folder::Folder;
use super::page;

#[test]
fn what_can_be_run_works() {
    Folder::new().follow(&page::blocks(&page::text("service.md")));
}
