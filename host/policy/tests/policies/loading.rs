//! What is no policy is refused with a reason and a remedy, and blocks until it is mended or removed.

use waypost_core::finding::{Severity, host_codes};
use waypost_core::ids::PluginName;
use waypost_policy::{Grant, Hook, Kind, PluginConfig, PluginState, Presence, Unusable, inspect};

use super::support::{self, Site, component, module_in, precheck, saying, with_prelude};

/// What is said of a file that can't be loaded: the reason and the remedy.
fn refusal(bytes: &[u8]) -> (String, String) {
    let site = Site::with(&[("odd.wasm", bytes), ("good.wasm", &saying("info", "fine", "all is well"))]);
    let findings = site.findings();
    assert_eq!((findings.len(), findings[0].code.as_str()), (2, "fine"), "{findings:?}");
    assert_eq!((findings[1].code.as_str(), findings[1].severity), (host_codes::NOT_LOADED, Severity::Blocker));
    assert!(findings[1].message.starts_with("policy odd is not loaded: "), "{:?}", findings[1]);
    let status = site.runtime.list();
    let PluginState::Broken { why, remedy } = &status[1].state else { panic!("{status:?}") };
    assert!(findings[1].message.ends_with(why.as_str()));
    assert_eq!(findings[1].remedy.as_ref(), Some(remedy));
    assert!(status[1].loaded.is_none() && status[0].state == PluginState::Ok);
    (why.clone(), remedy.clone())
}

#[test]
fn a_component_loads_as_well_as_a_core_module() {
    let module = saying("warning", "w", "message");
    let site = Site::with(&[("core.wasm", &module), ("whole.wasm", &component(&module))]);
    let codes: Vec<_> = site.findings().into_iter().map(|finding| finding.code).collect();
    assert_eq!(codes, ["w", "w"]);
    let kinds: Vec<_> =
        site.runtime.list().into_iter().map(|status| status.loaded.unwrap()).map(|l| (l.kind, l.hooks)).collect();
    assert_eq!(kinds, [(Kind::CoreModule, vec![Hook::Precheck]), (Kind::Component, vec![Hook::Precheck])]);
}

#[test]
fn garbage_is_no_webassembly() {
    let (why, remedy) = refusal(b"#!/bin/sh\nexit 0\n");
    assert!(why.contains("no WebAssembly") && why.contains("#!/bin/sh"), "{why}");
    assert!(remedy.contains("wasm32-unknown-unknown"), "{remedy}");
    refusal(b"");
    refusal(b"\0asm");
}

#[test]
fn a_truncated_file_is_invalid() {
    let module = saying("info", "fine", "all is well");
    let whole = component(&module);
    for bytes in [&module[..module.len() / 2], &whole[..whole.len() / 2]] {
        let (why, _) = refusal(bytes);
        assert!(why.contains("no valid WebAssembly"), "{why}");
    }
}

#[test]
fn compiled_code_is_never_taken_from_a_folder() {
    let engine = wasmtime::Engine::default();
    let code = engine.precompile_component(&component(&saying("info", "fine", "all is well"))).unwrap();
    let (why, remedy) = refusal(&code);
    assert!(why.contains("compiled code"), "{why}");
    assert!(remedy.contains(".wasm"), "{remedy}");
}

#[test]
fn a_module_without_interfaces_is_not_enough() {
    let (why, _) = refusal(&wat::parse_str("(module (func (export \"check\")))").unwrap());
    assert!(why.contains("without a description of its interfaces"), "{why}");
}

#[test]
fn a_component_without_a_hook_is_told_which_would_count() {
    let wit = "package mine:mine; interface other { act: func(); } world mine { export other; }";
    let guest = module_in(wit, "mine:mine/mine", r#"(func (export "mine:mine/other#act"))"#);
    let (why, remedy) = refusal(&guest);
    assert!(why.contains("mine:mine/other"), "{why}");
    for hook in ["waypost:precheck/check@0.1.0", "waypost:recovery/recover@0.1.0", "waypost:convergence/steer@0.1.0"] {
        assert!(remedy.contains(hook), "{remedy}");
    }
}

#[test]
fn a_missing_export_can_not_even_be_encoded() {
    let guest = with_prelude(support::PRECHECK, support::ACCEPT);
    let (why, _) = refusal(&guest);
    assert!(why.contains("check"), "{why}");
}

#[test]
fn the_right_names_with_other_types_are_a_mismatch() {
    let wit =
        "package waypost:precheck@0.1.5; interface check { check: func(n: u32) -> u32; } world mine { export check; }";
    let guest = module_in(
        wit,
        "waypost:precheck/mine@0.1.5",
        r#"(func (export "waypost:precheck/check@0.1.5#check") (param i32) (result i32) (local.get 0))"#,
    );
    let (why, remedy) = refusal(&guest);
    assert!(why.contains("differ"), "{why}");
    assert!(remedy.contains("0.1.0"), "{remedy}");
}

#[test]
fn a_hook_of_another_version_is_no_hook_of_this_host() {
    let wit = "package waypost:precheck@0.2.0; interface check { check: func(); } world mine { export check; }";
    let guest =
        module_in(wit, "waypost:precheck/mine@0.2.0", r#"(func (export "waypost:precheck/check@0.2.0#check"))"#);
    let (why, _) = refusal(&guest);
    assert!(why.contains("waypost:precheck/check@0.2.0"), "{why}");
}

#[test]
fn unknown_imports_are_named_with_what_would_grant_them() {
    let wit = "package acme:acme; interface bar { get: func(); } world mine { import bar; include waypost:precheck/precheck@0.1.0; }";
    let imports = r#"(import "acme:acme/bar" "get" (func))
      (import "waypost:facts/volumes@0.1.0" "all" (func (param i32 i32 i32 i32)))
      (import "waypost:facts/node-devices@0.1.0" "all" (func (param i32 i32)))"#;
    let fields = format!("{} {}", support::ACCEPT, support::check("(call $nothing (local.get $args))"));
    let (why, remedy) = refusal(&support::with_imports_in(wit, "acme:acme/mine", imports, &fields));
    for name in ["acme:acme/bar", "waypost:facts/volumes@0.1.0", "waypost:facts/node-devices@0.1.0"] {
        assert!(why.contains(name), "{why}");
    }
    for word in ["grant `volumes`", "grant `node-devices`", "build without it"] {
        assert!(remedy.contains(word), "{remedy}");
    }
}

#[test]
fn imports_of_other_worlds_are_named_too() {
    let (why, remedy) = refusal(&precheck(
        r#"(import "wasi_snapshot_preview1" "fd_write" (func (param i32 i32 i32 i32) (result i32)))"#,
        "unreachable",
    ));
    assert!(why.contains("wasi_snapshot_preview1.fd_write"), "{why}");
    assert!(remedy.contains("build for wasm32-unknown-unknown"), "{remedy}");
    let (why, _) = refusal(&precheck(
        r#"(import "__wbindgen_placeholder__" "__wbindgen_throw" (func (param i32 i32)))"#,
        "unreachable",
    ));
    assert!(why.contains("wasm-bindgen"), "{why}");
}

#[test]
fn a_guest_that_fails_at_its_start_is_not_loaded() {
    let fields =
        format!("(func $boom unreachable) (start $boom) {} {}", support::ACCEPT, support::check("unreachable"));
    let (why, _) = refusal(&with_prelude(support::PRECHECK, &fields));
    assert!(why.contains("settings") && why.contains("trapped"), "{why}");
}

#[test]
fn more_memory_than_a_slot_is_refused_at_load() {
    let guest = support::module(
        support::PRECHECK,
        &format!(
            r#"(memory (export "memory") 2000) (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable) {} {}"#,
            support::ACCEPT,
            support::check("unreachable")
        ),
    );
    let (why, _) = refusal(&guest);
    assert!(why.contains("131072000"), "{why}");
}

#[test]
fn the_hosts_own_name_is_taken() {
    let site = Site::with(&[("waypost.wasm", &saying("info", "fine", "all is well"))]);
    assert!(site.findings().iter().any(|finding| finding.code == host_codes::NOT_LOADED));
}

#[test]
fn inspection_says_what_a_file_is_and_what_it_needs() {
    let folder = tempfile::tempdir().unwrap();
    let imports = r#"(import "waypost:facts/volumes@0.1.0" "all" (func (param i32 i32 i32 i32)))"#;
    let guest = precheck(imports, "(call $nothing (local.get $args))");
    let path = folder.path().join("looks.wasm");
    std::fs::write(&path, &guest).unwrap();
    let seen = inspect(&path).unwrap();
    assert_eq!((seen.kind, seen.size), (Some(Kind::CoreModule), guest.len() as u64));
    assert_eq!(seen.hooks, [(Hook::Precheck, "waypost:precheck/check@0.1.0".to_owned())]);
    assert_eq!(seen.grants.iter().map(|grant| grant.as_str()).collect::<Vec<_>>(), ["volumes"]);
    assert!(seen.imports.iter().any(|(name, _)| name == "waypost:facts/volumes@0.1.0"));
    assert!(seen.sections.iter().any(|section| section.name.starts_with("component-type")), "{:?}", seen.sections);
    assert!(seen.trouble.is_none(), "{:?}", seen.trouble);

    std::fs::write(&path, component(&guest)).unwrap();
    let seen = inspect(&path).unwrap();
    assert_eq!((seen.kind, seen.hooks.len(), seen.grants.len()), (Some(Kind::Component), 1, 1));
    assert!(seen.producers.iter().any(|(_, name, _)| name == "wit-component"), "{:?}", seen.producers);

    let path = folder.path().join("text.wasm");
    std::fs::write(&path, "text").unwrap();
    let seen = inspect(&path).unwrap();
    assert_eq!(seen.kind, None);
    assert!(seen.trouble.unwrap().to_string().contains("no WebAssembly"));
    assert!(inspect(&folder.path().join("absent.wasm")).is_err());
}

#[test]
fn a_rehearsal_tells_what_would_come_of_a_file_and_changes_nothing() {
    let site = Site::with(&[("good.wasm", &saying("info", "fine", "all is well"))]);
    let before = (site.runtime.generation(), site.runtime.list());
    let name = PluginName::new("new");
    let config = PluginConfig::default();
    let rehearse = |bytes: &[u8], config: &PluginConfig| site.runtime.rehearse(&name, Some(bytes), config);
    let loaded = rehearse(&saying("blocker", "no", "it may not"), &config).unwrap();
    assert_eq!((loaded.hooks, loaded.kind), (vec![Hook::Precheck], Kind::CoreModule));
    assert!(matches!(rehearse(b"text", &config), Err(Unusable::File(_))));

    // Grants are what the site says, not what the file wants.
    let imports = r#"(import "waypost:facts/volumes@0.1.0" "all" (func (param i32 i32 i32 i32)))"#;
    let curious = precheck(imports, "(call $nothing (local.get $args))");
    let refused = rehearse(&curious, &config).unwrap_err().to_string();
    assert!(refused.contains("grant `volumes`"), "{refused}");
    let granted = PluginConfig { grants: [Grant::Volumes].into(), ..PluginConfig::default() };
    assert!(rehearse(&curious, &granted).is_ok());

    // Settings are asked about only where the policy would be asked.
    let refuse = r#"(func (export "waypost:precheck/check@0.1.0#validate-settings") (param i32 i32) (result i32)
        (i32.store8 (i32.const 96) (i32.const 1)) (i32.store (i32.const 100) (i32.const 3072))
        (i32.store (i32.const 104) (i32.const 7)) (i32.const 96)) (data (i32.const 3072) "too few")"#;
    let body = support::check("(call $nothing (local.get $args))");
    let picky = with_prelude(support::PRECHECK, &format!("{refuse} {body}"));
    let Err(Unusable::Settings(words)) = rehearse(&picky, &config) else { panic!("it accepts them") };
    assert_eq!(words, "refuses its settings: too few");
    let never = PluginConfig { presence: Presence::Never, ..PluginConfig::default() };
    assert!(rehearse(&picky, &never).is_ok());

    assert!(matches!(site.runtime.rehearse(&name, None, &config), Err(Unusable::Missing)));
    let good = PluginName::new("good");
    assert!(site.runtime.rehearse(&good, None, &config).is_ok());
    assert_eq!(site.runtime.file_of(&good), Some(site.folder.join("good.wasm")));
    assert_eq!((site.runtime.generation(), site.runtime.list()), before);
}
