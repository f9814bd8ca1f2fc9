//! Every kind of edit in a document of a real domain: the place holds the new value, and nothing else changed.

use waypost_core::ids::PluginName;

use super::*;

const DOMAIN: &str = "<domain type='qemu' id='3'>
  <name>web</name>
  <metadata>
    <site:owner xmlns:site='https://example.org/site'>alice &amp; bob</site:owner>
  </metadata>
  <os>
    <type arch='x86_64'>hvm</type>
    <loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE.fd</loader>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <driver name='qemu' type='qcow2'/>
      <source file='/srv/a/web.qcow2' index='2'/>
      <target dev='vda' bus='virtio'/>
    </disk>
    <disk type='file' device='cdrom'>
      <source file='/iso/tools.iso'/>
      <target dev='sda' bus='sata'/>
      <readonly/>
    </disk>
    <interface type='network'>
      <mac address='52:54:00:00:00:01'/>
      <source network='default' portid='7c' bridge='virbr0'/>
      <target dev='vnet0'/>
      <model type='virtio'/>
    </interface>
    <serial type='file'>
      <source path='/var/log/web.serial' append='on'/>
      <target type='isa-serial' port='0'/>
    </serial>
    <console type='file'>
      <source path='/var/log/web.serial' append='on'/>
      <target type='serial' port='0'/>
    </console>
    <graphics type='vnc' port='5900' autoport='yes' listen='10.0.0.1' passwd='s3cret'>
      <listen type='address' address='10.0.0.1'/>
    </graphics>
  </devices>
</domain>
";

fn edit(kind: EditKind, device: Option<&str>, before: Option<&str>, after: Option<&str>) -> Edit {
    let text = |value: Option<&str>| value.map(str::to_owned);
    Edit {
        plugin: PluginName::new("transform-site"),
        kind,
        device: text(device),
        before: text(before),
        after: text(after),
        reason: "because".to_owned(),
    }
}

fn made(edit: Edit) -> String {
    rewritten(DOMAIN, &Edits(vec![edit]), Which::Present).unwrap()
}

#[track_caller]
fn assert_replaced(edit: Edit, pairs: &[(&str, &str)]) {
    let expected = pairs.iter().fold(DOMAIN.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from}");
        text.replace(from, to)
    });
    assert_eq!(made(edit), expected);
}

#[test]
fn an_edit_replaces_its_own_place_and_nothing_else() {
    let mac = Some("52:54:00:00:00:01");
    assert_replaced(
        edit(EditKind::DiskSource, Some("vda"), Some("/srv/a/web.qcow2"), Some("/srv/b/it's <web>.qcow2")),
        &[("file='/srv/a/web.qcow2'", "file='/srv/b/it&apos;s &lt;web&gt;.qcow2'")],
    );
    assert_replaced(
        edit(EditKind::DiskSource, Some("sda"), Some("/iso/tools.iso"), None),
        &[("<source file='/iso/tools.iso'/>", "")],
    );
    assert_replaced(
        edit(EditKind::InterfaceSource, mac, Some("network default"), Some("bridge br-lan")),
        &[
            ("interface type='network'", "interface type='bridge'"),
            ("<source network='default' portid='7c' bridge='virbr0'/>", "<source bridge='br-lan'/>"),
        ],
    );
    assert_replaced(
        edit(EditKind::InterfaceSource, mac, Some("network default"), Some("network lan")),
        &[("<source network='default' portid='7c' bridge='virbr0'/>", "<source network='lan'/>")],
    );
    assert_replaced(
        edit(EditKind::GraphicsListen, Some("vnc"), Some("10.0.0.1"), Some("::")),
        &[("listen='10.0.0.1'", "listen='::'"), ("address='10.0.0.1'", "address='::'")],
    );
    assert_replaced(
        edit(EditKind::GraphicsPort, Some("vnc"), Some("auto"), Some("5950")),
        &[("port='5900' autoport='yes'", "port='5950' autoport='no'")],
    );
    assert_replaced(
        edit(EditKind::CharacterPath, Some("serial 0"), Some("/var/log/web.serial"), Some("/srv/web.log")),
        &[("path='/var/log/web.serial'", "path='/srv/web.log'")],
    );
    assert_replaced(
        edit(EditKind::Emulator, None, Some("/usr/bin/qemu-system-x86_64"), Some("/usr/libexec/kvm")),
        &[("/usr/bin/qemu-system-x86_64", "/usr/libexec/kvm")],
    );
    assert_replaced(
        edit(EditKind::Loader, None, Some("/usr/share/OVMF/OVMF_CODE.fd"), Some("/usr/share/edk2/code.fd")),
        &[("/usr/share/OVMF/OVMF_CODE.fd", "/usr/share/edk2/code.fd")],
    );
    assert_replaced(
        edit(EditKind::Title, None, None, Some("R&D")),
        &[("<name>web</name>", "<name>web</name><title>R&amp;D</title>")],
    );
}

#[test]
fn metadata_are_set_added_and_removed() {
    let namespace = Some("https://example.org/site");
    let owner = "<site:owner xmlns:site='https://example.org/site'>alice &amp; bob</site:owner>";
    let carol = "<s:owner xmlns:s='https://example.org/site'>carol</s:owner>";
    assert_replaced(edit(EditKind::Metadata, namespace, Some(owner), Some(carol)), &[(owner, carol)]);
    assert_replaced(edit(EditKind::Metadata, namespace, Some(owner), None), &[(owner, "")]);
    let other = "<o:x xmlns:o='urn:other'/>";
    assert_replaced(
        edit(EditKind::Metadata, Some("urn:other"), None, Some(other)),
        &[("</metadata>", "<o:x xmlns:o='urn:other'/></metadata>")],
    );
    for (document, expected) in [
        ("<domain><name>x</name><devices/></domain>", "<metadata><o:x xmlns:o='urn:other'/></metadata><devices/>"),
        ("<domain><name>x</name><metadata/></domain>", "<name>x</name><metadata><o:x xmlns:o='urn:other'/></metadata>"),
    ] {
        let edits = Edits(vec![edit(EditKind::Metadata, Some("urn:other"), None, Some(other))]);
        let text = rewritten(document, &edits, Which::Present).unwrap();
        assert!(text.contains(expected), "{text}");
    }
    for element in ["<o:x xmlns:o='urn:another'/>", "<o:x/>", "<a xmlns='urn:other'></a><b/>"] {
        let edits = Edits(vec![edit(EditKind::Metadata, Some("urn:other"), None, Some(element))]);
        let why = rewritten(DOMAIN, &edits, Which::Present).unwrap_err().message;
        assert!(why.contains("transform-site") && why.contains("metadata urn:other"), "{why}");
    }
}

const PINNED: &str = "<domain type='kvm'>
  <name>web</name>
  <vcpu placement='static'>2</vcpu>
  <iothreads>1</iothreads>
  <cputune>
    <shares>2048</shares>
    <vcpupin vcpu='0' cpuset='0-3'/>
    <emulatorpin cpuset='0'/>
  </cputune>
  <numatune>
    <memory mode='interleave' nodeset='0'/>
  </numatune>
  <on_crash>destroy</on_crash>
  <devices/>
</domain>
";

#[track_caller]
fn assert_becomes(document: &str, edit: Edit, from: &str, to: &str) {
    assert!(document.contains(from), "{from}");
    let text = rewritten(document, &Edits(vec![edit.clone()]), Which::Present).unwrap();
    assert_eq!(text, document.replace(from, to));
    assert_eq!(rewritten(&text, &Edits(vec![edit]), Which::Present).unwrap(), text, "what is as it should be stays");
}

#[test]
fn a_pin_is_set_replaced_and_removed() {
    let pin = |threads, before, after| edit(EditKind::CpuPin, Some(threads), before, after);
    assert_becomes(PINNED, pin("vcpu 0", Some("0-3"), Some("4-7")), "cpuset='0-3'", "cpuset='4-7'");
    assert_becomes(PINNED, pin("vcpu 0", Some("0-3"), None), "<vcpupin vcpu='0' cpuset='0-3'/>", "");
    assert_becomes(
        PINNED,
        pin("emulator", Some("0"), Some("8")),
        "<emulatorpin cpuset='0'/>",
        "<emulatorpin cpuset='8'/>",
    );
    assert_becomes(PINNED, pin("vcpu 1", None, Some("2")), "</cputune>", "<vcpupin vcpu='1' cpuset='2'/></cputune>");
    assert_becomes(
        PINNED,
        pin("iothread 1", None, Some("2,5")),
        "</cputune>",
        "<iothreadpin iothread='1' cpuset='2,5'/></cputune>",
    );

    let bare = "<domain><name>x</name><devices/></domain>";
    let pinned = "<domain><name>x</name><cputune><emulatorpin cpuset='1'/></cputune><devices/></domain>";
    assert_becomes(bare, pin("emulator", None, Some("1")), bare, pinned);
    assert_becomes(pinned, pin("emulator", Some("1"), None), pinned, bare);
}

#[test]
fn a_pin_that_is_another_by_now_refuses_also_in_the_definition() {
    let edits = Edits(vec![edit(EditKind::CpuPin, Some("vcpu 0"), Some("2"), Some("4-7"))]);
    for which in [Which::Present, Which::Definition] {
        let why = rewritten(PINNED, &edits, which).unwrap_err().message;
        for part in ["transform-site", "vcpu 0 pin", "0-3", "made for 2"] {
            assert!(why.contains(part), "{part}: {why}");
        }
    }
}

#[test]
fn nodes_of_the_memory_are_set_replaced_and_removed() {
    let nodes = |before, after| edit(EditKind::MemoryNodes, None, before, after);
    assert_becomes(PINNED, nodes(Some("0"), Some("1")), "nodeset='0'", "nodeset='1'");
    let whole = "<numatune>\n    <memory mode='interleave' nodeset='0'/>\n  </numatune>";
    assert_becomes(PINNED, nodes(Some("0"), None), whole, "");
    let each = PINNED.replace("</numatune>", "<memnode cellid='0' mode='strict' nodeset='0'/></numatune>");
    assert_becomes(&each, nodes(Some("0"), None), "<memory mode='interleave' nodeset='0'/>", "");

    let bare = "<domain><name>x</name><devices/></domain>";
    let placed = "<domain><name>x</name><numatune><memory mode='strict' nodeset='0-1'/></numatune><devices/></domain>";
    assert_becomes(bare, nodes(None, Some("0-1")), bare, placed);
    let automatic = placed.replace("nodeset='0-1'", "placement='auto'");
    assert_becomes(
        &automatic,
        nodes(Some("auto"), Some("1")),
        "<memory mode='strict' placement='auto'/>",
        "<memory nodeset='1' mode='strict' placement='static'/>",
    );
}

#[test]
fn what_becomes_of_a_domain_whose_guest_ends_is_set_and_replaced() {
    assert_becomes(
        PINNED,
        edit(EditKind::OnCrash, None, Some("destroy"), Some("restart")),
        "<on_crash>destroy</on_crash>",
        "<on_crash>restart</on_crash>",
    );
    for (kind, name) in [(EditKind::OnPoweroff, "on_poweroff"), (EditKind::OnReboot, "on_reboot")] {
        let to = format!("<name>web</name><{name}>preserve</{name}>");
        assert_becomes(PINNED, edit(kind, None, None, Some("preserve")), "<name>web</name>", &to);
    }
    // Of the definition it doesn't matter what stood there: the word is good on every host.
    let edits = Edits(vec![edit(EditKind::OnCrash, None, Some("preserve"), Some("restart"))]);
    let text = rewritten(PINNED, &edits, Which::Definition).unwrap();
    assert!(text.contains("<on_crash>restart</on_crash>"), "{text}");
}

#[test]
fn an_edit_that_is_a_bomb_of_xml_is_refused_in_its_own_name() {
    let nested = format!("<o:x xmlns:o='urn:other'>{}{}</o:x>", "<o:y>".repeat(50_000), "</o:y>".repeat(50_000));
    let laughs = "<!DOCTYPE x [<!ENTITY a 'ha'><!ENTITY b '&a;&a;'>]><o:x xmlns:o='urn:other'>&b;</o:x>";
    for (element, why) in [(laughs, "DTD"), (nested.as_str(), "within each other")] {
        let edits = Edits(vec![edit(EditKind::Metadata, Some("urn:other"), None, Some(element))]);
        let message = rewritten(DOMAIN, &edits, Which::Present).unwrap_err().message;
        assert!(message.contains("transform-site") && message.contains(why), "{message:.300}");
    }
}

#[test]
fn edits_are_made_one_after_the_other() {
    let edits = Edits(vec![
        edit(EditKind::Title, None, None, Some("t")),
        edit(EditKind::GraphicsListen, Some("vnc"), Some("10.0.0.1"), Some("10.0.0.2")),
        edit(EditKind::GraphicsPort, Some("vnc"), Some("auto"), Some("5950")),
    ]);
    let text = rewritten(DOMAIN, &edits, Which::Present).unwrap();
    assert!(text.contains("port='5950' autoport='no' listen='10.0.0.2' passwd='s3cret'"), "{text}");
    assert_eq!(rewritten(&text, &edits, Which::Present).unwrap(), text, "what is as it should be stays");
}

#[test]
fn a_document_that_is_not_the_one_that_was_thought_about_is_refused_with_the_policy_and_the_place() {
    let moved = edit(EditKind::DiskSource, Some("vda"), Some("/srv/before.qcow2"), Some("/srv/b.qcow2"));
    let edits = Edits(vec![moved]);
    for which in [Which::Present, Which::Definition] {
        let why = rewritten(DOMAIN, &edits, which).unwrap_err().message;
        for part in ["transform-site", "disk vda", "/srv/a/web.qcow2", "/srv/before.qcow2"] {
            assert!(why.contains(part), "{part}: {why}");
        }
    }
    let gone = Edits(vec![edit(EditKind::DiskSource, Some("vdb"), Some("/x"), Some("/y"))]);
    let why = rewritten(DOMAIN, &gone, Which::Present).unwrap_err().message;
    assert!(why.contains("disk vdb: the domain has no such device"), "{why}");
    // It was plugged into the running domain only.
    assert_eq!(rewritten(DOMAIN, &gone, Which::Definition).unwrap(), DOMAIN);
}

#[test]
fn attributes_that_are_missing_are_added() {
    let document = "<domain><name>x</name><devices><graphics type='vnc'/></devices></domain>";
    let edits = Edits(vec![edit(EditKind::GraphicsPort, Some("vnc"), None, Some("5950"))]);
    let text = rewritten(document, &edits, Which::Present).unwrap();
    assert!(text.contains("<graphics autoport='no' port='5950' type='vnc'/>"), "{text}");
}

#[test]
fn a_definition_takes_the_name_that_the_domain_will_have() {
    assert_eq!(renamed(DOMAIN, "a<b").unwrap(), DOMAIN.replace("<name>web</name>", "<name>a&lt;b</name>"));
}
