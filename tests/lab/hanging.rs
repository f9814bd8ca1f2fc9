//! A policy that never answers.

use std::path::Path;

use wit_component::{StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// What it writes into the host's log when it is asked.
pub const ASKED: &str = "asked, and never to answer";

/// The file that a site would install. `question` is the function of the hook's interface that is asked: its settings are fine, and
/// its answer is a loop without an end.
pub fn policy(hook: &str, interface: &str, question: &str) -> Vec<u8> {
    let length = ASKED.len();
    // 2 is a warning: a command shows it unasked.
    let module = format!(
        r#"(module
    (import "waypost:facts/environment@0.1.0" "log" (func $log (param i32 i32 i32)))
    (memory (export "memory") 4)
    (data (i32.const 1024) "{ASKED}")
    (global $heap (mut i32) (i32.const 4096))
    (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32)
        (global.set $heap (i32.and (i32.add (i32.add (global.get $heap) (local.get $size)) (i32.const 7)) (i32.const -8)))
        (i32.sub (global.get $heap) (i32.and (i32.add (local.get $size) (i32.const 7)) (i32.const -8))))
    (func (export "waypost:{hook}/{interface}@0.1.0#validate-settings") (param i32 i32) (result i32)
        (i32.store8 (i32.const 96) (i32.const 0))
        (i32.const 96))
    (func (export "waypost:{hook}/{interface}@0.1.0#{question}") (param i32) (result i32)
        (call $log (i32.const 2) (i32.const 1024) (i32.const {length}))
        (loop $again (br $again))
        unreachable))"#
    );
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut resolve = Resolve::default();
    for package in ["facts", hook] {
        resolve.push_path(wit.join(package)).expect("the interfaces are read");
    }
    let (main, _) = resolve.packages.iter().next_back().expect("a package");
    let world = format!("waypost:{hook}/{hook}");
    let world = resolve.select_world(&[main], Some(world.as_str())).expect("the world of such a policy");
    let mut module = wat::parse_str(module).expect("the module is valid");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it is described");
    module
}
