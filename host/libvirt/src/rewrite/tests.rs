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
