//! Where a domain's threads run and its memory lies: what the document says of the host's CPUs and NUMA nodes.

use roxmltree::Node;
use waypost_core::edit::AUTO;
use waypost_core::facts::Pin;

use super::xml::{child, children, number};

/// Numbers of the I/O threads. The document gives all of them, or only how many: then the numbers are the lowest that are free.
pub(super) fn iothreads(root: Node<'_, '_>) -> Vec<u32> {
    let given = child(root, "iothreadids").into_iter().flat_map(|ids| children(ids, "iothread"));
    let mut numbers: Vec<u32> = given.filter_map(|thread| thread.attribute("id")?.parse().ok()).collect();
    let count: usize = number(child(root, "iothreads")).unwrap_or(0);
    let missing = count.min(MOST_IOTHREADS).saturating_sub(numbers.len());
    let free: Vec<u32> = (1..).filter(|number| !numbers.contains(number)).take(missing).collect();
    numbers.extend(free);
    numbers.sort_unstable();
    numbers
}

/// A document that tells of more is not believed.
const MOST_IOTHREADS: usize = 4096;

/// The threads that are pinned.
pub(super) fn pins(root: Node<'_, '_>) -> Vec<Pin> {
    let tuned = child(root, "cputune").into_iter().flat_map(|tune| tune.children());
    tuned.filter_map(|pin| Some(Pin { threads: pinned(pin)?, cpus: pin.attribute("cpuset")?.to_owned() })).collect()
}

/// Which threads an element pins, in the words of facts and edits; none where it is about something else.
pub(crate) fn pinned(pin: Node<'_, '_>) -> Option<String> {
    let numbered = |kind: &str| Some(format!("{kind} {}", pin.attribute(kind)?));
    match pin.tag_name().name() {
        "vcpupin" => numbered("vcpu"),
        "iothreadpin" => numbered("iothread"),
        "emulatorpin" => Some("emulator".to_owned()),
        _ => None,
    }
}

/// What the `<memory>` of a `<numatune>` says of NUMA nodes.
pub(crate) fn nodes(memory: Node<'_, '_>) -> Option<String> {
    match memory.attribute("placement") {
        Some("auto") => Some(AUTO.to_owned()),
        _ => memory.attribute("nodeset").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::super::xml::{at, parse};
    use super::*;

    #[test]
    fn pins_threads_and_nodes_are_read() {
        let document = parse(
            "domain",
            "<domain><iothreads>3</iothreads><iothreadids><iothread id='2'/></iothreadids><cputune><shares>1</shares>\
             <vcpupin vcpu='1' cpuset='0-3'/><emulatorpin cpuset='4'/><iothreadpin iothread='2' cpuset='5,7'/></cputune>\
             <numatune><memory mode='strict' nodeset='0-1'/></numatune></domain>",
        )
        .unwrap();
        let root = document.root_element();
        assert_eq!(iothreads(root), [1, 2, 3]);
        let read = pins(root);
        let pins: Vec<_> = read.iter().map(|pin| (pin.threads.as_str(), pin.cpus.as_str())).collect();
        assert_eq!(pins, [("vcpu 1", "0-3"), ("emulator", "4"), ("iothread 2", "5,7")]);
        assert_eq!(at(root, &["numatune", "memory"]).and_then(nodes).as_deref(), Some("0-1"));

        let automatic = parse("domain", "<domain><memory mode='strict' placement='auto'/></domain>").unwrap();
        assert_eq!(child(automatic.root_element(), "memory").and_then(nodes).as_deref(), Some("auto"));
        let bare = parse("domain", "<domain/>").unwrap();
        assert!(iothreads(bare.root_element()).is_empty() && self::pins(bare.root_element()).is_empty());
    }
}
