//! The definitions that are sent in place of the domain's own, where a plan edits something.
//!
//! libvirt compares the first with the domain before anything moves, and refuses what the guest would notice. The second
//! it takes as it is, so it gets the same edits and nothing else. Both are read right before the call, with the passwords
//! that facts leave out.

use virt::domain::Domain;
use virt_sys as sys;
use waypost_core::plan::{DestinationFate, Plan, TransferMode};

use crate::error::Failure;
use crate::rewrite::{Which, renamed, rewritten};

/// What is sent.
#[derive(Debug)]
pub(super) struct Definitions {
    /// As it shall arrive.
    pub(super) present: String,
    /// As it shall be defined there; none: nothing is defined, or what arrives is the definition.
    pub(super) definition: Option<String>,
}

/// None for a plan that edits nothing: then libvirt does as ever.
pub(super) fn definitions(domain: &Domain, plan: &Plan) -> Result<Option<Definitions>, Failure> {
    if plan.edits.is_empty() {
        return Ok(None);
    }
    let read = |flags| domain.get_xml_desc(sys::VIR_DOMAIN_XML_MIGRATABLE | sys::VIR_DOMAIN_XML_SECURE | flags);
    let present = rewritten(&read(0)?, &plan.edits, Which::Present)?;
    let definition = match (plan.mode, plan.destination_fate) {
        (TransferMode::Live, DestinationFate::Define) => {
            let document = if domain.is_persistent()? {
                rewritten(&read(sys::VIR_DOMAIN_XML_INACTIVE)?, &plan.edits, Which::Definition)?
            } else {
                present.clone()
            };
            Some(renamed(&document, &plan.destination_name)?)
        }
        _ => None,
    };
    Ok(Some(Definitions { present, definition }))
}
