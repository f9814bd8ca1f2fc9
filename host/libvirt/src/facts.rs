//! From libvirt's documents and numbers to the core's facts.
use crate::error::Failure;
use uuid::Uuid;
pub(crate) fn host_uuid(capabilities: &str) -> Result<Option<Uuid>, Failure> {
    let document =
        roxmltree::Document::parse(capabilities).map_err(|e| Failure::document("capabilities", &e.to_string()))?;
    Ok(document
        .descendants()
        .find(|n| n.has_tag_name("uuid"))
        .and_then(|n| n.text())
        .and_then(|t| Uuid::parse_str(t).ok()))
}
