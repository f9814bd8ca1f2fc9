//! What is called otherwise on the destination: a transform policy edits the definition of a real guest on its way, and
//! both definitions there show it. What libvirt refuses is refused before anything moved.

use std::fs;
use std::path::Path;

use waypost_lab::GuestSpec;

use crate::site::Site;

/// The shipped policy with settings, in a lab of two hosts. `red` is a network on kvm1, `blue` one on kvm2.
fn site(settings: &str) -> Site {
    let site = Site::with(2, &format!("\n[plugin.transform-map.settings]\n{settings}\n"));
    let policy = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/plugins-optional/transform-map.wasm");
    fs::copy(policy, site.plugin_folder().join("transform-map.wasm")).expect("the policy is installed");
    for (host, network) in [("kvm1", "red"), ("kvm2", "blue")] {
        let file = site.config().with_file_name(format!("{network}.xml"));
        let xml = format!("<network><name>{network}</name><bridge name='br-{network}'/></network>");
        fs::write(&file, xml).expect("the network's definition is written");
        site.virsh(host, &["net-define", &file.to_string_lossy()]);
        site.virsh(host, &["net-start", network]);
    }
    site
}

const SETTINGS: &str = r#"
networks = { red = "blue" }
bridges = { br-red = "br-blue" }
console = "address"
title = "moved & named"
on_crash = "restart"
metadata = { "urn:site" = "<s:note xmlns:s='urn:site'>kept</s:note>" }
"#;

/// A guest with an interface on the network, one on the bridge, and a console on an address of kvm1.
fn guest(site: &Site, name: &str) {
    let mut spec = GuestSpec::tick(name);
    let address = site.lab.host("kvm1").expect("kvm1").mgmt_ip();
    spec.devices_xml = format!(
        "<interface type='network'><mac address='52:54:00:aa:00:01'/><source network='red'/><model type='virtio'/></interface>\
         <interface type='bridge'><mac address='52:54:00:aa:00:02'/><source bridge='br-red'/><model type='virtio'/></interface>\
         <graphics type='vnc' autoport='yes' passwd='s3cret'><listen type='address' address='{address}'/></graphics>"
    );
    site.start_guest(&spec);
}

/// The part of a document of libvirt's that is about one thing.
fn lines_with(document: &str, part: &str) -> Vec<String> {
    document.lines().filter(|line| line.contains(part)).map(|line| line.trim().to_owned()).collect()
}

#[test]
fn a_guest_arrives_with_its_edits_in_the_running_and_in_the_persistent_definition() {
    let site = site(SETTINGS);
    guest(&site, "g1");

    let shown = site.waypost(&["migrate", "g1", "--to", "kvm2", "--dry-run"]).expect_code(0).out;
    for line in [
        "interface 52:54:00:aa:00:01: network red becomes network blue",
        "interface 52:54:00:aa:00:02: bridge br-red becomes bridge br-blue",
        "vnc address: ",
        "title: nothing becomes moved & named",
        "on-crash: destroy becomes restart",
        "[transform-map: ",
    ] {
        assert!(shown.contains(line), "{line}:\n{shown}");
    }
    site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(0);
    site.assert_one_counting_guest("g1");
    assert_eq!(site.state("kvm1", "g1"), None);

    let address = site.lab.host("kvm2").expect("kvm2").mgmt_ip().to_string();
    for arguments in [&["dumpxml", "g1"][..], &["dumpxml", "--inactive", "g1"]] {
        let document = site.virsh("kvm2", arguments);
        assert!(document.contains("network='blue'") && !document.contains("network='red'"), "{document}");
        assert!(document.contains("bridge='br-blue'") && !document.contains("br-red"), "{document}");
        assert!(document.contains(&format!("address='{address}'")), "{document}");
        assert_eq!(lines_with(&document, "<title>"), ["<title>moved &amp; named</title>"], "{document}");
        assert_eq!(lines_with(&document, "<on_crash>"), ["<on_crash>restart</on_crash>"], "{document}");
        assert!(document.contains("<s:note xmlns:s=\"urn:site\">kept</s:note>"), "{document}");
    }
    // What facts leave out travels nevertheless.
    let secret = site.virsh("kvm2", &["dumpxml", "--inactive", "--security-info", "g1"]);
    assert!(secret.contains("passwd='s3cret'"), "the password of the console is lost");

    let task = site.only_task();
    let record = site.waypost(&["task", &task, "--json"]).expect_code(0).out;
    assert!(record.contains("interface-source") && !record.contains("s3cret"), "{record}");
}

/// The same file under another path is the same disk; another file under that path is another disk, whatever a policy says.
#[test]
fn a_disk_is_found_at_another_path_only_if_it_is_the_same_disk() {
    let site = site("paths = { \"/srv/shared\" = \"/srv/shared/there\" }");
    let store = site.lab.shared_store();
    fs::create_dir(store.join("there")).expect("a folder on the shared store");
    let spec = site.guest("g1");
    let image = spec.image().expect("it has a disk");
    let there = store.join("there/g1.img");
    site.virsh("kvm2", &["pool-create-as", "there", "dir", "--target", "/srv/shared/there"]);

    fs::copy(store.join("g1.img"), &there).expect("another file with the same content");
    site.virsh("kvm2", &["pool-refresh", "there"]);
    let refused = site.waypost(&["migrate", "g1", "--to", "kvm2", "--json"]).expect_code(3);
    assert!(refused.out.contains("storage-differs"), "{}", refused.out);
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));

    fs::remove_file(&there).expect("it goes");
    fs::hard_link(store.join("g1.img"), &there).expect("the same file");
    site.virsh("kvm2", &["pool-refresh", "there"]);
    let shown = site.waypost(&["check", "g1", "--to", "kvm2"]).expect_code(0).out;
    assert!(shown.contains(&format!("disk vda: {image} becomes /srv/shared/there/g1.img")), "{shown}");
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--name", "g2"]).expect_code(0);
    site.until("the renamed guest runs", |site| site.state("kvm2", "g2").as_deref() == Some("running"));
    for arguments in [&["dumpxml", "g2"][..], &["dumpxml", "--inactive", "g2"]] {
        let document = site.virsh("kvm2", arguments);
        assert!(document.contains("<source file='/srv/shared/there/g1.img'"), "{document}");
        assert_eq!(lines_with(&document, "<name>"), ["<name>g2</name>"], "{document}");
    }
    site.assert_one_counting_guest("g1");
}

#[test]
fn a_domain_that_is_shut_off_and_one_without_a_definition_are_edited_too() {
    let site = site("title = \"edited\"");
    site.guest("g1");
    site.virsh("kvm1", &["destroy", "g1"]);
    site.waypost(&["migrate", "g1", "--to", "kvm2", "--offline"]).expect_code(0);
    let document = site.virsh("kvm2", &["dumpxml", "g1"]);
    assert_eq!(lines_with(&document, "<title>"), ["<title>edited</title>"], "{document}");

    let mut spec = GuestSpec::tick("t1");
    spec.persistence = waypost_lab::Persistence::Transient;
    site.start_guest(&spec);
    site.waypost(&["migrate", "t1", "--to", "kvm2", "--persistent"]).expect_code(0);
    for arguments in [&["dumpxml", "t1"][..], &["dumpxml", "--inactive", "t1"]] {
        let document = site.virsh("kvm2", arguments);
        assert_eq!(lines_with(&document, "<title>"), ["<title>edited</title>"], "{document}");
    }
    site.assert_one_counting_guest("t1");
}

#[test]
fn an_edit_that_the_destination_refuses_leaves_the_guest_alone_and_is_named() {
    let wrong = "emulators = { \"/usr/bin/qemu-system-x86_64\" = \"/usr/bin/qemu-system-of-nobody\" }";
    let site = site(wrong);
    site.guest("g1");
    let ran = site.waypost(&["migrate", "g1", "--to", "kvm2"]).expect_code(4);
    let said = format!("{}{}", ran.out, ran.err);
    assert!(said.contains("qemu-system-of-nobody"), "{said}");
    assert!(said.contains("emulator by transform-map") && said.contains("correct the policy"), "{said}");
    assert_eq!(site.state("kvm1", "g1").as_deref(), Some("running"));
    assert_eq!(site.state("kvm2", "g1"), None);
    site.assert_one_counting_guest("g1");
}
