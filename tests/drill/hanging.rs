//! A recovery policy that never answers.

use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Its settings are fine, and its decision is a loop without an end.
const MODULE: &str = r#"(module
    (memory (export "memory") 4)
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
        (global.set $heap (i32.and (i32.add (i32.add (global.get $heap) (local.get $size)) (i32.const 7)) (i32.const -8)))
        (i32.sub (global.get $heap) (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
    (func (export "waypost:recovery/recover@0.1.0#validate-settings") (param i32 i32) (result i32)
        (i32.store8 (i32.const 96) (i32.const 0))
        (i32.const 96))
    (func (export "waypost:recovery/recover@0.1.0#decide") (param i32) (result i32)
        (loop $again (br $again))
        unreachable))"#;

/// The file that a site would install.
pub fn policy() -> Vec<u8> {
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut resolve = Resolve::default();
    for package in ["facts", "recovery"] {
        resolve.push_path(wit.join(package)).expect("the interfaces are read");
    }
    let (main, _) = resolve.packages.iter().next_back().expect("a package");
    let world =
        resolve.select_world(&[main], Some("waypost:recovery/recovery")).expect("the world of a recovery policy");
    let mut module = wat::parse_str(MODULE).expect("the module is valid");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it is described");
    module
}
