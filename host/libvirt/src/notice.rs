//! The notice on a domain, in the metadata of the document that it runs with: it moves with the domain, and no definition
//! keeps it.

use uuid::Uuid;
use virt_sys as sys;
use waypost_core::ids::{DomainId, DomainKey, Moment, TaskId};
use waypost_core::notice::{NAMESPACE, Notice};

use crate::error::Failure;
use crate::facts;
use crate::link::Session;
use crate::read::domain;

const KIND: u32 = sys::VIR_DOMAIN_METADATA_ELEMENT;

/// What it carries. One that can't be read is none: whoever wrote it, it says nothing.
pub(crate) fn read(session: &Session, id: DomainId) -> Result<Option<Notice>, Failure> {
    let domain = domain::find(session, &DomainKey::Id(id))?;
    match domain.get_metadata(KIND as i32, Some(NAMESPACE), sys::VIR_DOMAIN_AFFECT_LIVE).map_err(Failure::from) {
        Ok(text) => Ok(notice(&text)),
        Err(failure) if failure.is_no_metadata() || failure.is_unsupported() => Ok(None),
        // Only what is active carries one.
        Err(failure) if failure.is_invalid_operation() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// Puts one in place of what is there, or takes it away.
pub(crate) fn put(session: &Session, id: DomainId, notice: Option<&Notice>) -> Result<(), Failure> {
    let domain = domain::find(session, &DomainKey::Id(id))?;
    let text = notice.map(|Notice { task, controller, since }| {
        format!("<task id='{task}' controller='{}' since_ms='{}'/>", facts::escaped(controller), since.0)
    });
    let (key, live) = (text.as_ref().map(|_| "waypost-task"), sys::VIR_DOMAIN_AFFECT_LIVE);
    domain.set_metadata(KIND as i32, text.as_deref(), key, Some(NAMESPACE), live).map(drop).map_err(Into::into)
}

fn notice(text: &str) -> Option<Notice> {
    let document = facts::xml::sound(text).ok()?;
    let task = document.root_element();
    Some(Notice {
        task: TaskId(Uuid::parse_str(task.attribute("id")?).ok()?),
        controller: task.attribute("controller")?.to_owned(),
        since: Moment(task.attribute("since_ms")?.parse().ok()?),
    })
}
