//! The few things that reading libvirt's XML takes.

use roxmltree::{Document, Node, ParsingOptions};

use crate::error::Failure;

/// Elements within each other. libvirt's documents have about ten.
const DEEPEST: usize = 100;
/// Nodes of a document. The largest of a real domain has some thousands.
const MOST_NODES: u32 = 1_000_000;

/// A parsed document of libvirt's.
pub(crate) fn parse<'a>(what: &'static str, text: &'a str) -> Result<Document<'a>, Failure> {
    sound(text).map_err(|why| Failure::document(what, &why))
}

/// A document that costs no more than it is long: a guest's metadata, and what a policy wants to stand in a definition, are other
/// people's words. Entities are not expanded, because a document type is not taken at all.
pub(crate) fn sound(text: &str) -> Result<Document<'_>, String> {
    let options = ParsingOptions { allow_dtd: false, nodes_limit: MOST_NODES, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
    // Parents come before their children.
    let mut depths: Vec<usize> = Vec::new();
    for node in document.root().descendants() {
        let depth = node.parent().map_or(0, |parent| depths[parent.id().get_usize()] + 1);
        if depth > DEEPEST {
            return Err(format!("more than {DEEPEST} elements stand within each other"));
        }
        depths.push(depth);
    }
    Ok(document)
}

/// The first child element of that name.
pub(crate) fn child<'a, 'i>(node: Node<'a, 'i>, name: &str) -> Option<Node<'a, 'i>> {
    node.children().find(|child| child.has_tag_name(name))
}

/// The element at the end of a path of names.
pub(crate) fn at<'a, 'i>(node: Node<'a, 'i>, path: &[&str]) -> Option<Node<'a, 'i>> {
    path.iter().try_fold(node, |node, name| child(node, name))
}

/// All child elements of that name.
pub(crate) fn children<'a, 'i>(node: Node<'a, 'i>, name: &str) -> impl Iterator<Item = Node<'a, 'i>> {
    node.children().filter(move |child| child.has_tag_name(name))
}

/// An attribute's text.
pub(super) fn attr(node: Option<Node<'_, '_>>, name: &str) -> Option<String> {
    node?.attribute(name).map(str::to_owned)
}

/// An element's own text, without the blanks around it; none where it is empty.
pub(crate) fn text(node: Option<Node<'_, '_>>) -> Option<String> {
    node?.text().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// A number that is an element's text.
pub(super) fn number<T: std::str::FromStr>(node: Option<Node<'_, '_>>) -> Option<T> {
    text(node)?.parse().ok()
}

/// A size in bytes, by its `unit`; libvirt writes `KiB` or `bytes`, and means bytes where it says nothing.
pub(super) fn bytes(node: Option<Node<'_, '_>>) -> Option<u64> {
    let node = node?;
    number::<u64>(Some(node))?.checked_mul(unit(node.attribute("unit").unwrap_or("bytes"))?)
}

/// Bytes in one unit of libvirt's.
pub(super) fn unit(name: &str) -> Option<u64> {
    Some(match name {
        "b" | "B" | "byte" | "bytes" => 1,
        "KB" => 1000,
        "k" | "K" | "KiB" => 1 << 10,
        "MB" => 1_000_000,
        "M" | "MiB" => 1 << 20,
        "GB" => 1_000_000_000,
        "G" | "GiB" => 1 << 30,
        "T" | "TiB" => 1 << 40,
        _ => return None,
    })
}

/// An element as it stands in the document.
pub(super) fn source(node: Node<'_, '_>) -> String {
    node.document().input_text()[node.range()].to_owned()
}

/// libvirt's `yes`/`on`.
pub(super) fn is_on(text: Option<&str>) -> bool {
    matches!(text, Some("yes" | "on"))
}

/// Text as it stands in a document that is made here.
pub(crate) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('\'', "&apos;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bomb_of_entities_is_refused_and_not_expanded() {
        let mut laughs = "<?xml version='1.0'?><!DOCTYPE d [<!ENTITY a0 'ha'>".to_owned();
        for level in 1..30 {
            laughs.push_str(&format!("<!ENTITY a{level} '&a{};&a{};'>", level - 1, level - 1));
        }
        laughs.push_str("]><domain>&a29;</domain>");
        let error = parse("domain", &laughs).unwrap_err();
        assert!(error.message.contains("libvirt's domain can't be read") && error.message.contains("DTD"), "{error:?}");
        let outside = "<!DOCTYPE d [<!ENTITY x SYSTEM 'file:///etc/passwd'>]><domain>&x;</domain>";
        assert!(sound(outside).unwrap_err().contains("DTD"));
        assert!(sound("<domain>&x;</domain>").unwrap_err().contains("entity"));
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_however_deep_it_is() {
        let nested = |levels: usize| format!("{}{}", "<a>".repeat(levels), "</a>".repeat(levels));
        assert!(sound(&nested(100)).is_ok());
        for levels in [101, 100_000] {
            assert!(sound(&nested(levels)).unwrap_err().contains("within each other"), "{levels}");
        }
        let attributes: String = (0..1000).map(|number| format!(" a{number}='&lt;'")).collect();
        assert!(sound(&format!("<a{attributes}/>")).is_ok());
    }
}
