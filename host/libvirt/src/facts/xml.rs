//! The few things that reading libvirt's XML takes.

use roxmltree::{Document, Node};

use crate::error::Failure;

/// A parsed document of libvirt's.
pub(crate) fn parse<'a>(what: &'static str, text: &'a str) -> Result<Document<'a>, Failure> {
    Document::parse(text).map_err(|error| Failure::document(what, &error.to_string()))
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
