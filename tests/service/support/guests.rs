//! Small policies, made on the spot: what somebody would upload.

use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A precheck that makes one finding about every destination, a blocker whose message is `$MESSAGE`. `$validate` has the length of
/// its settings as local 1.
const SAYING: &str = r#"
  (import "waypost:facts/inventory@0.1.0" "[resource-drop]domain-facts" (func $drop-domain (param i32)))
  (import "waypost:facts/inventory@0.1.0" "[resource-drop]host-facts" (func $drop-host (param i32)))
  (memory (export "memory") 4)
  (global $heap (mut i32) (i32.const 131072))
  (func $alloc (param $size i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "cabi_realloc") (param i32 i32 i32) (param $size i32) (result i32) (call $alloc (local.get $size)))
  (data (i32.const 1024) "made-up")
  (data (i32.const 2048) "$MESSAGE")
  (data (i32.const 3072) "a limit is missing")
  (func (export "waypost:precheck/check@0.1.0#check") (param $args i32) (result i32)
    (local $finding i32) (local $at i32) (local $left i32)
    (call $drop-domain (i32.load offset=104 (local.get $args)))
    (call $drop-host (i32.load offset=108 (local.get $args)))
    (local.set $finding (call $alloc (i32.const 40)))
    (i32.store offset=0 (local.get $finding) (i32.const 1024))
    (i32.store offset=4 (local.get $finding) (i32.const 7))
    (i32.store8 offset=8 (local.get $finding) (i32.const 2))
    (i32.store offset=12 (local.get $finding) (i32.const 2048))
    (i32.store offset=16 (local.get $finding) (i32.const $LENGTH))
    (local.set $left (i32.load offset=116 (local.get $args)))
    (local.set $at (call $alloc (i32.mul (i32.const 8) (local.get $left))))
    (i32.store (i32.const 64) (local.get $at))
    (i32.store (i32.const 68) (local.get $left))
    (block $done (loop $next
      (br_if $done (i32.eqz (local.get $left)))
      (i32.store offset=0 (local.get $at) (local.get $finding))
      (i32.store offset=4 (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $next)))
    (i32.const 64))
  (func (export "waypost:precheck/check@0.1.0#validate-settings") (param i32 i32) (result i32) $VALIDATE (i32.const 96))
"#;

const ACCEPT: &str = "(i32.store8 (i32.const 96) (i32.const 0))";

/// Refuses `{}`.
const PICKY: &str = "(i32.store8 (i32.const 96) (i32.le_u (local.get 1) (i32.const 2)))
  (i32.store (i32.const 100) (i32.const 3072)) (i32.store (i32.const 104) (i32.const 18))";

/// A precheck that refuses everything with that message.
pub fn saying(message: &str) -> Vec<u8> {
    precheck(message, "", ACCEPT)
}

/// The same, which wants to have settings.
pub fn picky(message: &str) -> Vec<u8> {
    precheck(message, "", PICKY)
}

/// The same, which wants to look at volumes.
pub fn curious(message: &str) -> Vec<u8> {
    precheck(message, r#"(import "waypost:facts/volumes@0.1.0" "all" (func (param i32 i32 i32 i32)))"#, ACCEPT)
}

/// A component of a core module.
pub fn component(module: &[u8]) -> Vec<u8> {
    ComponentEncoder::default().validate(true).module(module).unwrap().encode().unwrap()
}

/// A component that has nothing to do with Waypost.
pub fn stranger() -> Vec<u8> {
    let text = r#"(component
        (core module $m (func (export "act")))
        (core instance $i (instantiate $m))
        (func $act (canon lift (core func $i "act")))
        (instance $other (export "act" (func $act)))
        (export "acme:acme/other" (instance $other)))"#;
    wat::parse_str(text).unwrap()
}

/// A kilobyte that would come to 2^40 instances.
pub fn bomb() -> Vec<u8> {
    let mut text = "(component (component $c0)".to_owned();
    for level in 1..=40 {
        let below = level - 1;
        text.push_str(&format!(
            "(component $c{level} (alias outer 1 $c{below} (component $b)) (instance (instantiate $b)) (instance (instantiate $b)))"
        ));
    }
    wat::parse_str(text + ")").unwrap()
}

fn precheck(message: &str, imports: &str, validate: &str) -> Vec<u8> {
    let fields = SAYING.replace("$MESSAGE", message).replace("$LENGTH", &message.len().to_string());
    let fields = fields.replace("$VALIDATE", validate);
    let mut module = wat::parse_str(format!("(module {imports} {fields})")).unwrap();
    let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
    let mut resolve = Resolve::default();
    for package in ["facts", "precheck"] {
        resolve.push_path(wit.join(package)).unwrap();
    }
    let (main, _) = resolve.packages.iter().next_back().unwrap();
    let world = resolve.select_world(&[main], Some("waypost:precheck/precheck")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    module
}
