//! A domain's document with the edits of a plan made in it: what a migration hands over in place of its own.
//!
//! Each edit replaces the few bytes that it is about, so that everything else stays as libvirt wrote it, also what this
//! program knows nothing of. Before that it is looked at whether the place still holds what the plan was made on.

use std::ops::Range;

use roxmltree::{Document, Node};
use waypost_core::edit::{AUTO, BRIDGE, Edit, EditKind, Edits, NETWORK};

use crate::error::Failure;
use crate::facts::threads;
use crate::facts::xml::{at, child, children, escaped, parse, sound, text};

/// Which of a domain's documents it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// As it runs; of a domain that is shut off, as it is defined.
    Present,
    /// As it starts next. It may lack a device that was plugged into the running domain only.
    Definition,
}

/// The document with all edits made.
pub(crate) fn rewritten(document: &str, edits: &Edits, which: Which) -> Result<String, Failure> {
    let mut document = document.to_owned();
    for edit in &edits.0 {
        for (range, text) in changes(&document, edit, which)?.into_iter().rev() {
            document.replace_range(range, &text);
        }
    }
    // What is handed over must at least be a document.
    parse("domain with its edits", &document)?;
    Ok(document)
}

/// The definition under another name.
pub(crate) fn renamed(document: &str, name: &str) -> Result<String, Failure> {
    let change = {
        let parsed = parse("domain", document)?;
        let root = parsed.root_element();
        child(root, "name").map(|node| (node.range(), format!("<name>{}</name>", escaped(name))))
    };
    let mut document = document.to_owned();
    if let Some((range, text)) = change {
        document.replace_range(range, &text);
    }
    Ok(document)
}

type Changes = Vec<(Range<usize>, String)>;

/// What an edit replaces, in the order of the document.
fn changes(document: &str, edit: &Edit, which: Which) -> Result<Changes, Failure> {
    let parsed = parse("domain", document)?;
    let place = Place { document: &parsed, edit };
    let Some(now) = place.now() else {
        return match which {
            Which::Definition => Ok(Vec::new()),
            Which::Present => Err(refused(edit, GONE)),
        };
    };
    if now == edit.after {
        return Ok(Vec::new());
    }
    if now != edit.before && (which == Which::Present || place.ties_to_host()) {
        let words = match which {
            Which::Present => "it is",
            Which::Definition => "in the definition, which takes effect with the next start, it is",
        };
        return Err(Failure::refused(edit.outdated(words, now.as_deref())));
    }
    let mut changes = place.changes(edit.after.as_deref())?;
    changes.sort_by_key(|(range, _)| range.start);
    Ok(changes)
}

fn refused(edit: &Edit, why: &str) -> Failure {
    Failure::refused(edit.refused(why))
}

const GONE: &str = "the domain has no such device any more";

struct Place<'d, 'i> {
    document: &'d Document<'i>,
    edit: &'d Edit,
}

impl<'d, 'i> Place<'d, 'i> {
    fn root(&self) -> Node<'d, 'i> {
        self.document.root_element()
    }

    fn devices(&self, name: &'d str) -> impl Iterator<Item = Node<'d, 'i>> {
        child(self.root(), "devices").into_iter().flat_map(move |devices| children(devices, name))
    }

    fn device(&self) -> &'d str {
        self.edit.device.as_deref().unwrap_or_default()
    }

    /// Whether the value is good on one host only: one that isn't what was thought would be wrong on the other.
    fn ties_to_host(&self) -> bool {
        !matches!(
            self.edit.kind,
            EditKind::Title
                | EditKind::Description
                | EditKind::Metadata
                | EditKind::GraphicsPort
                | EditKind::OnPoweroff
                | EditKind::OnReboot
                | EditKind::OnCrash
        )
    }

    /// The element that is edited, of a device.
    fn node(&self) -> Option<Node<'d, 'i>> {
        let device = self.device();
        match self.edit.kind {
            EditKind::DiskSource => self
                .devices("disk")
                .find(|disk| child(*disk, "target").and_then(|target| target.attribute("dev")) == Some(device)),
            EditKind::InterfaceSource => self.devices("interface").find(|interface| {
                let mac = child(*interface, "mac").and_then(|mac| mac.attribute("address"));
                mac.is_some_and(|mac| mac.eq_ignore_ascii_case(device))
            }),
            EditKind::GraphicsListen | EditKind::GraphicsPort => {
                self.devices("graphics").find(|graphics| graphics.attribute("type") == Some(device))
            }
            EditKind::CharacterPath => {
                let (name, at) = device.split_once(' ')?;
                self.devices(name).nth(at.parse().ok()?)
            }
            EditKind::Emulator => at(self.root(), &["devices", "emulator"]),
            EditKind::Loader => at(self.root(), &["os", "loader"]),
            EditKind::Title => child(self.root(), "title"),
            EditKind::Description => child(self.root(), "description"),
            EditKind::Metadata => child(self.root(), "metadata")?
                .children()
                .find(|node| node.is_element() && node.tag_name().namespace() == Some(device)),
            EditKind::CpuPin => {
                child(self.root(), "cputune")?.children().find(|pin| threads::pinned(*pin).as_deref() == Some(device))
            }
            EditKind::MemoryNodes => at(self.root(), &["numatune", "memory"]),
            EditKind::OnPoweroff => child(self.root(), "on_poweroff"),
            EditKind::OnReboot => child(self.root(), "on_reboot"),
            EditKind::OnCrash => child(self.root(), "on_crash"),
        }
    }

    /// What stands there, in the words of edits; none: there is no such device.
    fn now(&self) -> Option<Option<String>> {
        let node = self.node();
        Some(match self.edit.kind {
            EditKind::DiskSource => {
                let source = child(node?, "source");
                source.and_then(|source| source.attribute("file").or(source.attribute("dev"))).map(str::to_owned)
            }
            EditKind::InterfaceSource => {
                let source = child(node?, "source")?;
                match (source.attribute("network"), source.attribute("bridge")) {
                    (Some(network), _) => Some(format!("{NETWORK}{network}")),
                    (None, Some(bridge)) => Some(format!("{BRIDGE}{bridge}")),
                    (None, None) => None,
                }
            }
            EditKind::GraphicsListen => {
                let listen = child(node?, "listen").and_then(|listen| listen.attribute("address"));
                listen.or(node?.attribute("listen")).map(str::to_owned)
            }
            EditKind::GraphicsPort => match (node?.attribute("autoport"), node?.attribute("port")) {
                (Some("yes"), _) => Some(AUTO.to_owned()),
                (_, port) => port.map(str::to_owned),
            },
            EditKind::CharacterPath => {
                child(node?, "source").and_then(|source| source.attribute("path")).map(str::to_owned)
            }
            EditKind::CpuPin => node.and_then(|pin| pin.attribute("cpuset")).map(str::to_owned),
            EditKind::MemoryNodes => node.and_then(threads::nodes),
            EditKind::Emulator
            | EditKind::Loader
            | EditKind::Title
            | EditKind::Description
            | EditKind::OnPoweroff
            | EditKind::OnReboot
            | EditKind::OnCrash => text(node),
            EditKind::Metadata => node.map(|node| self.document.input_text()[node.range()].to_owned()),
        })
    }

    fn changes(&self, after: Option<&str>) -> Result<Changes, Failure> {
        let gone = || refused(self.edit, GONE);
        let device = || self.node().ok_or_else(gone);
        Ok(match (self.edit.kind, after) {
            (EditKind::DiskSource, path) => {
                let source = child(device()?, "source").ok_or_else(gone)?;
                let name = if source.has_attribute("dev") { "dev" } else { "file" };
                match path {
                    Some(path) => vec![attribute(source, name, path)],
                    None => vec![(source.range(), String::new())],
                }
            }
            (EditKind::InterfaceSource, Some(to)) => {
                let interface = device()?;
                let source = child(interface, "source").ok_or_else(gone)?;
                let (kind, name) = match to.strip_prefix(NETWORK) {
                    Some(network) => ("network", network),
                    None => ("bridge", to.strip_prefix(BRIDGE).unwrap_or(to)),
                };
                vec![
                    attribute(interface, "type", kind),
                    (source.range(), format!("<source {kind}='{}'/>", escaped(name))),
                ]
            }
            (EditKind::GraphicsListen, Some(address)) => {
                let graphics = device()?;
                let mut changes = Vec::new();
                if graphics.has_attribute("listen") {
                    changes.push(attribute(graphics, "listen", address));
                }
                if let Some(listen) = child(graphics, "listen").filter(|listen| listen.has_attribute("address")) {
                    changes.push(attribute(listen, "address", address));
                }
                changes
            }
            (EditKind::GraphicsPort, Some(port)) => {
                let (auto, port) = if port == AUTO { ("yes", "-1") } else { ("no", port) };
                // Two insertions at one place would change places when the later one is made first.
                let mut changes = vec![attribute(device()?, "autoport", auto), attribute(device()?, "port", port)];
                if changes[0].0 == changes[1].0 {
                    let second = changes.remove(1).1;
                    changes[0].1.push_str(&second);
                }
                changes
            }
            (EditKind::CharacterPath, Some(path)) => {
                let node = device()?;
                let mut nodes = vec![node];
                // libvirt shows the first serial port a second time, as a console.
                if node.has_tag_name("serial") {
                    let port =
                        |node: Node<'_, '_>| child(node, "target").and_then(|t| t.attribute("port")).map(str::to_owned);
                    let twin = |other: &Node<'_, '_>| {
                        child(*other, "target").and_then(|target| target.attribute("type")) == Some("serial")
                            && port(*other) == port(node)
                    };
                    nodes.extend(self.devices("console").filter(twin));
                }
                let sources = nodes.into_iter().filter_map(|node| child(node, "source"));
                sources.map(|source| attribute(source, "path", path)).collect()
            }
            (EditKind::Emulator | EditKind::Loader, Some(path)) => vec![inner(device()?, path)],
            (EditKind::Title | EditKind::Description, text) => self.child_of_root(text.map(escaped)),
            (EditKind::Metadata, element) => self.metadata(element)?,
            (EditKind::CpuPin, cpus) => self.pin(cpus),
            (EditKind::MemoryNodes, nodes) => self.memory_nodes(nodes),
            (EditKind::OnPoweroff | EditKind::OnReboot | EditKind::OnCrash, Some(word)) => {
                self.child_of_root(Some(escaped(word)))
            }
            (_, None) => return Err(refused(self.edit, "something has to stand there")),
        })
    }

    /// An element of the domain itself that is its text; a new one stands behind the name, where libvirt has the title.
    fn child_of_root(&self, content: Option<String>) -> Changes {
        let name = self.edit.kind.as_str().replace('-', "_");
        let element = content.map(|content| format!("<{name}>{content}</{name}>")).unwrap_or_default();
        match (self.node(), child(self.root(), "name")) {
            (Some(node), _) => vec![(node.range(), element)],
            (None, Some(after)) => vec![(after.range().end..after.range().end, element)],
            (None, None) => Vec::new(),
        }
    }

    fn metadata(&self, element: Option<&str>) -> Result<Changes, Failure> {
        let element = element.unwrap_or_default();
        if !element.is_empty() {
            let parsed = sound(element)
                .map_err(|error| refused(self.edit, &format!("what shall stand there is no XML element: {error}")))?;
            if parsed.root_element().tag_name().namespace() != Some(self.device()) {
                return Err(refused(self.edit, "the element that shall stand there has another namespace"));
            }
        }
        Ok(match self.node() {
            Some(node) => vec![(node.range(), element.to_owned())],
            None => self.within("metadata", element),
        })
    }

    fn pin(&self, cpus: Option<&str>) -> Changes {
        match (self.node(), cpus) {
            (Some(pin), Some(cpus)) => vec![attribute(pin, "cpuset", cpus)],
            (Some(pin), None) => vec![(with_empty_parent(pin), String::new())],
            (None, Some(cpus)) => {
                let threads = match self.device().split_once(' ') {
                    Some((kind, number)) => format!("{kind}pin {kind}='{}'", escaped(number)),
                    None => format!("{}pin", self.device()),
                };
                self.within("cputune", &format!("<{threads} cpuset='{}'/>", escaped(cpus)))
            }
            (None, None) => Vec::new(),
        }
    }

    fn memory_nodes(&self, nodes: Option<&str>) -> Changes {
        match (self.node(), nodes) {
            (Some(memory), Some(nodes)) => {
                let mut changes = vec![attribute(memory, "nodeset", nodes)];
                if memory.has_attribute("placement") {
                    changes.push(attribute(memory, "placement", "static"));
                }
                changes
            }
            (Some(memory), None) => vec![(with_empty_parent(memory), String::new())],
            // `strict` is what libvirt takes where no mode is named.
            (None, Some(nodes)) => {
                self.within("numatune", &format!("<memory mode='strict' nodeset='{}'/>", escaped(nodes)))
            }
            (None, None) => Vec::new(),
        }
    }

    /// One more element in that child of the domain, which is made behind the name where it isn't there.
    fn within(&self, parent: &str, element: &str) -> Changes {
        match (child(self.root(), parent), child(self.root(), "name")) {
            (Some(all), _) => vec![(all.range(), with_child(all, element))],
            (None, Some(name)) => {
                vec![(name.range().end..name.range().end, format!("<{parent}>{element}</{parent}>"))]
            }
            (None, None) => Vec::new(),
        }
    }
}

/// An attribute's new value, or the attribute if it isn't there.
fn attribute(node: Node<'_, '_>, name: &str, value: &str) -> (Range<usize>, String) {
    match node.attribute_node(name) {
        Some(attribute) => (attribute.range(), format!("{name}='{}'", escaped(value))),
        None => {
            let end = node.range().start + 1 + node.tag_name().name().len();
            (end..end, format!(" {name}='{}'", escaped(value)))
        }
    }
}

/// An element's new text.
fn inner(node: Node<'_, '_>, text: &str) -> (Range<usize>, String) {
    match (node.first_child(), node.last_child()) {
        (Some(first), Some(last)) => (first.range().start..last.range().end, escaped(text)),
        _ => (node.range(), format!("<{0}>{1}</{0}>", node.tag_name().name(), escaped(text))),
    }
}

/// What goes with an element: also the one around it, where that holds no other.
fn with_empty_parent(node: Node<'_, '_>) -> Range<usize> {
    let alone = |parent: &Node<'_, '_>| parent.children().filter(Node::is_element).count() == 1;
    node.parent_element().filter(alone).unwrap_or(node).range()
}

/// An element with another one at its end.
fn with_child(node: Node<'_, '_>, element: &str) -> String {
    let text = &node.document().input_text()[node.range()];
    match text.rfind("</") {
        Some(end) => format!("{}{element}{}", &text[..end], &text[end..]),
        // It had nothing in it.
        None => format!("{}>{element}</{}>", text.trim_end_matches("/>"), node.tag_name().name()),
    }
}

#[cfg(test)]
mod tests;
