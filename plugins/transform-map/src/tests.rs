//! Each setting, the destination's own before the others', and what is left alone.

use waypost_plugin::testing::{self, with_settings};
use waypost_plugin::types::{CharacterDevice, Pin};

use super::*;

fn edits(settings: &str, domain: &DomainFacts) -> Vec<EditChange> {
    assert_eq!(Map::validate_settings(settings), Ok(()), "{settings}");
    let there = testing::host("kvm2");
    with_settings(settings, || testing::rewrite::<Map>(domain, &there)).into_iter().map(|edit| edit.change).collect()
}

fn said(edit: Edit) -> Vec<EditChange> {
    vec![edit.change]
}

#[test]
fn without_settings_nothing_is_edited() {
    assert_eq!(edits("{}", &testing::domain()), []);
}

#[test]
fn networks_and_bridges_are_called_otherwise() {
    let web = testing::domain();
    let mac = web.network_interfaces[0].mac.clone().unwrap();
    let to_lan = said(Edit::network(&mac, "lan", "x"));
    assert_eq!(edits(r#"{"networks":{"default":"lan","other":"x"}}"#, &web), to_lan);
    assert_eq!(edits(r#"{"bridges":{"virbr0":"br-lan"}}"#, &web), [], "a network's bridge is the network's business");
    let bridged = testing::domain_with(|domain| {
        domain.network_interfaces[0].kind = "bridge".into();
        domain.network_interfaces[0].network = None;
        domain.network_interfaces[0].bridge = Some("br0".into());
    });
    assert_eq!(edits(r#"{"bridges":{"br0":"br-lan"}}"#, &bridged), said(Edit::bridge(&mac, "br-lan", "x")));
}

#[test]
fn the_destinations_own_rule_comes_first_and_another_hosts_does_not_count() {
    let web = testing::domain();
    let mac = web.network_interfaces[0].mac.clone().unwrap();
    let settings = r#"{"networks":{"default":"lan"},
        "destinations":{"kvm2":{"networks":{"default":"dmz"}},"kvm3":{"networks":{"default":"no"}}}}"#;
    assert_eq!(edits(settings, &web), said(Edit::network(&mac, "dmz", "x")));
}

#[test]
fn the_longest_folder_that_fits_is_taken_and_a_part_of_a_name_is_no_folder() {
    let web = testing::domain_with(|domain| {
        domain.disks[0].source = Some("/srv/images/fast/web.qcow2".into());
        let device = |kind: &str, path: &str| CharacterDevice {
            device: "serial".into(),
            kind: kind.into(),
            path: Some(path.into()),
            address: None,
            service: None,
            log: None,
        };
        domain.character_devices = vec![device("pty", "/srv/images/1"), device("file", "/srv/images/log")];
    });
    let settings = r#"{"paths":{"/srv/images":"/data","/srv/images/fast":"/nvme","/srv/im":"/no"}}"#;
    let expected =
        [Edit::disk("vda", "/nvme/web.qcow2", "x"), Edit::character("serial", 1, "/data/log", "x")].map(|e| e.change);
    assert_eq!(edits(settings, &web), expected);
}

#[test]
fn emulator_and_loader_have_other_paths() {
    let web = testing::domain_with(|domain| domain.firmware.loader = Some("/usr/share/OVMF/code.fd".into()));
    let settings = r#"{"emulators":{"/usr/bin/qemu-system-x86_64":"/usr/libexec/kvm"},
        "loaders":{"/usr/share/OVMF/code.fd":"/usr/share/edk2/code.fd"}}"#;
    let expected =
        [EditChange::Emulator("/usr/libexec/kvm".into()), EditChange::Loader("/usr/share/edk2/code.fd".into())];
    assert_eq!(edits(settings, &web), expected);
}

#[test]
fn a_console_on_an_address_of_the_source_moves_to_the_destinations() {
    let (here, there) = (testing::host("kvm1").addresses[0].clone(), testing::host("kvm2").addresses[0].clone());
    let bound = testing::domain_with(|domain| domain.graphics[0].listen = vec![here.clone()]);
    let settings = r#"{"console":"address"}"#;
    assert_eq!(edits(settings, &bound), said(Edit::listen("vnc", there, "x")));
    assert_eq!(edits(settings, &testing::domain()), [], "127.0.0.1 is right everywhere");
    assert_eq!(edits("{}", &bound), []);
}

#[test]
fn title_and_metadata_are_noted() {
    let settings = r#"{"title":"moved","metadata":{"urn:x":"<x xmlns='urn:x'/>"},
        "destinations":{"kvm2":{"metadata":{"urn:x":"<x xmlns='urn:x'>2</x>"}}}}"#;
    let expected = [
        EditChange::Title(Some("moved".into())),
        Edit::metadata("urn:x", Some("<x xmlns='urn:x'>2</x>".into()), "x").change,
    ];
    assert_eq!(edits(settings, &testing::domain()), expected);
}

#[test]
fn pins_and_nodes_have_other_numbers() {
    let web = testing::domain_with(|domain| {
        let pin = |threads: &str, cpus: &str| Pin { threads: threads.into(), cpus: cpus.into() };
        domain.pins = vec![pin("vcpu 0", "0-3"), pin("vcpu 1", "4"), pin("emulator", "0-3")];
        domain.memory_nodes = Some("0".into());
    });
    let expected = [
        Edit::pin("vcpu 0", Some("8-11".into()), "x").change,
        Edit::pin("emulator", Some("8-11".into()), "x").change,
        EditChange::MemoryNodes(Some("1".into())),
    ];
    assert_eq!(edits(r#"{"cpus":{"0-3":"8-11"},"nodes":{"0":"1","1":"0"}}"#, &web), expected);
    assert_eq!(edits(r#"{"cpus":{"0-3":"8-11"},"nodes":{"0":"1"}}"#, &testing::domain()), []);
    assert_eq!(edits(r#"{"on_crash":"restart"}"#, &web), [EditChange::OnCrash("restart".into())]);
}

#[test]
fn texts_are_read_with_their_escapes() {
    let settings = r#" { "title" : "a\"b\\c\/\u00e4\ud83d\ude00\n" } "#.replace("\\n", "");
    let expected = EditChange::Title(Some("a\"b\\c/\u{e4}\u{1f600}".into()));
    assert_eq!(edits(&settings, &testing::domain()), [expected]);
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    for (text, why) in [
        (r#"{"bridge":{}}"#, "bridge: there is no such setting"),
        (r#"{"console":"there"}"#, "console: the only word"),
        (r#"{"bridges":{"a":{}}}"#, "bridges.a: not a text"),
        (r#"{"title":{}}"#, "title:"),
        (r#"{"on_crash":{}}"#, "on_crash:"),
        (r#"{"cpus":"0"}"#, "cpus: not a table"),
        (r#"{"paths":{"srv":"/x"}}"#, "must begin with a /"),
        (r#"{"paths":{"/srv/":"/x"}}"#, "not end with one"),
        (r#"{"destinations":{"kvm2":{"destinations":{}}}}"#, "destinations: there is no such setting here"),
        (r#"{"title":7}"#, "neither a text nor a table"),
        (r#"{"title":"x""#, "where a } should be"),
        (r#"{"title":"x"#, "end within a text"),
        (r#"{"title":"\ud800"}"#, "escape"),
        (r#"{} {}"#, "one JSON object"),
        ("[]", "neither a text nor a table"),
    ] {
        let error = Map::validate_settings(text).unwrap_err();
        assert!(error.contains(why), "{text}: {error}");
    }
}
