//! A domain's documents without what is secret in them: facts reach policies, records and whoever may look.
//!
//! Facts are read without libvirt's SECURE flag, so libvirt leaves the passwords of consoles and the cookies of network disks
//! out of a domain's documents by itself, but for the migratable one, into which it puts them unasked. What it never hides
//! are the values by which secrets are commonly handed to a guest or its hypervisor: firmware settings, OEM strings, and the
//! environment and arguments that a definition adds to the process.

use std::ops::Range;

use roxmltree::Node;

use super::xml::{escaped, parse};
use crate::error::Failure;

/// The document without its secrets. What was left out is not marked; of an argument the option's own name stays, and of
/// an environment variable its name.
pub(crate) fn without_secrets(mut document: String) -> Result<String, Failure> {
    let mut cuts: Vec<(Range<usize>, String)> = Vec::new();
    {
        let parsed = parse("domain", &document)?;
        // In the order of the document: an element comes before what stands in it.
        for node in parsed.descendants().filter(|node| node.is_element()) {
            if cuts.last().is_none_or(|(cut, _)| cut.end <= node.range().start) {
                cuts.extend(cut(node));
            }
        }
    }
    for (range, instead) in cuts.into_iter().rev() {
        document.replace_range(range, &instead);
    }
    Ok(document)
}

/// What has to go of an element, and what stands there instead.
fn cut(node: Node<'_, '_>) -> Option<(Range<usize>, String)> {
    let parent = node.parent_element();
    let within = parent.as_ref().map_or("", |parent| parent.tag_name().name());
    let attribute = |name: &str| node.attributes().find(|attribute| attribute.name() == name);
    match (within, node.tag_name().name()) {
        (_, "graphics") => attribute("passwd").map(|password| (password.range(), String::new())),
        (_, "cookies") | ("sysinfo" | "oemStrings", "entry") => Some((node.range(), String::new())),
        ("commandline", "env") => attribute("value").map(|value| (value.range(), "value=''".to_owned())),
        ("commandline", "arg") => {
            attribute("value").map(|value| (value.range(), format!("value='{}'", escaped(option(value.value())))))
        }
        _ => None,
    }
}

/// `-fw_cfg`, of an argument that is an option's name; nothing of one that is a value.
fn option(argument: &str) -> &str {
    match argument.starts_with('-') {
        true => argument.split(|letter: char| letter == '=' || letter.is_whitespace()).next().unwrap_or_default(),
        false => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_never_gets_into_the_facts() {
        let secret = "<domain><devices><graphics type='vnc' passwd='geheim' port='-1'/>\
            <graphics type='spice' passwd=\"auch &lt; geheim\"><listen type='none'/></graphics></devices></domain>";
        let clean = without_secrets(secret.to_owned()).unwrap();
        assert!(!clean.contains("geheim") && !clean.contains("passwd"), "{clean}");
        assert!(clean.contains("port='-1'") && clean.contains("<listen type='none'/>"), "{clean}");
    }

    #[test]
    fn neither_does_what_libvirt_itself_shows_to_everybody() {
        let secret = "<domain xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>\
            <sysinfo type='fwcfg'><entry name='opt/token'>geheim</entry><entry name='opt/f' file='/srv/f'/></sysinfo>\
            <sysinfo type='smbios'><bios><entry name='vendor'>Acme</entry></bios>\
            <oemStrings><entry>io.systemd.credential:x=geheim</entry><entry><![CDATA[auch < geheim]]></entry></oemStrings>\
            </sysinfo><devices><disk type='network'><source protocol='https' name='a.iso'><host name='web'/>\
            <cookies><cookie name='session'>geheim</cookie></cookies></source></disk></devices>\
            <qemu:commandline><qemu:arg value='-object'/><qemu:arg value='secret,id=s,data=geheim'/>\
            <qemu:arg value='--token=geheim'/><qemu:env name='TOKEN' value='geheim'/><qemu:env name='EMPTY'/>\
            </qemu:commandline></domain>";
        let clean = without_secrets(secret.to_owned()).unwrap();
        assert!(!clean.contains("geheim") && !clean.contains("session"), "{clean}");
        for kept in [
            "<entry name='vendor'>Acme</entry>",
            "<host name='web'/>",
            "<qemu:arg value='-object'/><qemu:arg value=''/><qemu:arg value='--token'/>",
            "<qemu:env name='TOKEN' value=''/><qemu:env name='EMPTY'/>",
        ] {
            assert!(clean.contains(kept), "{kept} is not in {clean}");
        }
        parse("domain", &clean).unwrap();
        assert_eq!(without_secrets(clean.clone()).unwrap(), clean, "nothing is left to take out");
    }

    #[test]
    fn a_document_without_secrets_stays_as_it_is() {
        let document = include_str!("../../tests/fixtures/domain-inactive.xml");
        assert_eq!(without_secrets(document.to_owned()).unwrap(), document);
    }
}
