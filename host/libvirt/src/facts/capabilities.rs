//! The capabilities document: the host itself, its CPU and memory, and what guests it can run.

use roxmltree::Node;
use uuid::Uuid;
use waypost_core::facts::{GuestSupport, HostCpu, HugePages, Machine, NumaCell};

use super::xml::{at, attr, bytes, child, children, number, parse, text, unit};
use crate::error::Failure;

/// What the capabilities tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub(crate) uuid: Option<Uuid>,
    pub(crate) architecture: String,
    pub(crate) cpu: HostCpu,
    pub(crate) live_migration: bool,
    pub(crate) transports: Vec<String>,
    pub(crate) numa: Vec<NumaCell>,
    pub(crate) guests: Vec<GuestSupport>,
}

/// Reads the document. How much is free isn't in it: huge pages are all counted as free here.
pub(crate) fn capabilities(document: &str) -> Result<Capabilities, Failure> {
    let document = parse("capabilities", document)?;
    let root = document.root_element();
    let host = child(root, "host").ok_or_else(|| Failure::document("capabilities", "no <host>"))?;
    let cpu = child(host, "cpu");
    let small = smallest_page(cpu);
    let migration = child(host, "migration_features");
    let transports = migration.and_then(|node| child(node, "uri_transports"));
    Ok(Capabilities {
        uuid: text(child(host, "uuid")).and_then(|text| Uuid::parse_str(&text).ok()),
        architecture: text(cpu.and_then(|cpu| child(cpu, "arch"))).unwrap_or_default(),
        cpu: HostCpu {
            model: text(cpu.and_then(|cpu| child(cpu, "model"))),
            vendor: text(cpu.and_then(|cpu| child(cpu, "vendor"))),
            features: cpu
                .into_iter()
                .flat_map(|cpu| children(cpu, "feature"))
                .filter_map(|feature| attr(Some(feature), "name"))
                .collect(),
        },
        live_migration: migration.is_some_and(|node| child(node, "live").is_some()),
        transports: transports
            .into_iter()
            .flat_map(|node| children(node, "uri_transport"))
            .filter_map(|node| text(Some(node)))
            .collect(),
        numa: at(host, &["topology", "cells"])
            .into_iter()
            .flat_map(|cells| children(cells, "cell"))
            .map(|cell| numa_cell(cell, small))
            .collect(),
        guests: children(root, "guest").filter_map(|guest| child(guest, "arch")).flat_map(guest_support).collect(),
    })
}

/// Only the host UUID.
pub(crate) fn host_uuid(document: &str) -> Result<Option<Uuid>, Failure> {
    let document = parse("capabilities", document)?;
    let uuid = text(at(document.root_element(), &["host", "uuid"]));
    Ok(uuid.and_then(|text| Uuid::parse_str(&text).ok()))
}

/// Size in KiB of an ordinary page: the smallest of those that the CPU knows.
fn smallest_page(cpu: Option<Node<'_, '_>>) -> u64 {
    let sizes = cpu.into_iter().flat_map(|cpu| children(cpu, "pages")).filter_map(|pages| {
        let size: u64 = pages.attribute("size")?.parse().ok()?;
        Some(size * unit(pages.attribute("unit").unwrap_or("KiB"))? / 1024)
    });
    sizes.min().unwrap_or(4)
}

fn numa_cell(cell: Node<'_, '_>, small: u64) -> NumaCell {
    let huge_pages = children(cell, "pages").filter_map(|pages| {
        let size: u64 = pages.attribute("size")?.parse().ok()?;
        let size_kib = size * unit(pages.attribute("unit").unwrap_or("KiB"))? / 1024;
        let total = number(Some(pages))?;
        (size_kib > small).then_some(HugePages { size_kib, total, free: total })
    });
    let cpus = child(cell, "cpus").into_iter().flat_map(|cpus| children(cpus, "cpu"));
    NumaCell {
        id: cell.attribute("id").and_then(|id| id.parse().ok()).unwrap_or(0),
        memory_kib: bytes(child(cell, "memory")).unwrap_or(0) / 1024,
        free_memory_kib: None,
        cpus: cpus.filter_map(|cpu| cpu.attribute("id")?.parse().ok()).collect(),
        huge_pages: huge_pages.collect(),
    }
}

/// One entry per domain type; a type may have an emulator and machines of its own.
fn guest_support<'a>(arch: Node<'a, 'a>) -> impl Iterator<Item = GuestSupport> + 'a {
    let architecture = attr(Some(arch), "name").unwrap_or_default();
    let emulator = text(child(arch, "emulator"));
    let machines: Vec<Machine> = children(arch, "machine").filter_map(machine).collect();
    children(arch, "domain").map(move |domain| {
        let own: Vec<Machine> = children(domain, "machine").filter_map(machine).collect();
        GuestSupport {
            architecture: architecture.clone(),
            virt_type: attr(Some(domain), "type").unwrap_or_default(),
            emulator: text(child(domain, "emulator")).or_else(|| emulator.clone()),
            machines: if own.is_empty() { machines.clone() } else { own },
        }
    })
}

fn machine(node: Node<'_, '_>) -> Option<Machine> {
    Some(Machine {
        name: text(Some(node))?,
        canonical: attr(Some(node), "canonical"),
        vcpus_max: node.attribute("maxCpus").and_then(|count| count.parse().ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_real_host_is_read() {
        let read = capabilities(include_str!("../../tests/fixtures/capabilities.xml")).unwrap();
        assert_eq!(read.uuid, Some(Uuid::parse_str("7a7a7a01-0000-4000-8000-000000000001").unwrap()));
        assert_eq!(host_uuid(include_str!("../../tests/fixtures/capabilities.xml")).unwrap(), read.uuid);
        assert_eq!(read.architecture, "x86_64");
        assert_eq!(read.cpu.model.as_deref(), Some("kvm64"));
        assert!(read.cpu.features.contains(&"pclmuldq".to_owned()));
        assert!(read.live_migration);
        assert_eq!(read.transports, ["tcp", "rdma"]);
        let [cell] = read.numa.as_slice() else { panic!("one cell") };
        assert_eq!((cell.memory_kib, cell.cpus.as_slice()), (7_432_396, [0, 1].as_slice()));
        let sizes: Vec<u64> = cell.huge_pages.iter().map(|pages| pages.size_kib).collect();
        assert_eq!(sizes, [2048, 1_048_576]);
        let kinds: Vec<_> = read.guests.iter().map(|g| (g.architecture.as_str(), g.virt_type.as_str())).collect();
        assert_eq!(kinds, [("i686", "qemu"), ("i686", "kvm"), ("x86_64", "qemu"), ("x86_64", "kvm")]);
        let x86_64 = &read.guests[2];
        assert_eq!(x86_64.emulator.as_deref(), Some("/usr/bin/qemu-system-x86_64"));
        let pc = x86_64.machines.iter().find(|machine| machine.name == "pc").unwrap();
        assert_eq!((pc.canonical.as_deref(), pc.vcpus_max), (Some("pc-i440fx-7.2"), Some(255)));
    }

    #[test]
    fn what_isnt_a_capabilities_document_is_an_error() {
        assert!(capabilities("<nothing/>").is_err());
        assert!(capabilities("<broken").is_err());
    }
}
