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
    let text = notice.map(element);
    let (key, live) = (text.as_ref().map(|_| "waypost-task"), sys::VIR_DOMAIN_AFFECT_LIVE);
    domain.set_metadata(KIND as i32, text.as_deref(), key, Some(NAMESPACE), live).map(drop).map_err(Into::into)
}

fn element(Notice { task, controller, since, destination }: &Notice) -> String {
    let destination = destination.map(|uuid| format!(" destination='{uuid}'")).unwrap_or_default();
    format!("<task id='{task}' controller='{}' since_ms='{}'{destination}/>", facts::escaped(controller), since.0)
}

fn notice(text: &str) -> Option<Notice> {
    let document = facts::xml::sound(text).ok()?;
    let task = document.root_element();
    Some(Notice {
        task: TaskId(Uuid::parse_str(task.attribute("id")?).ok()?),
        controller: task.attribute("controller")?.to_owned(),
        since: Moment(task.attribute("since_ms")?.parse().ok()?),
        destination: task.attribute("destination").and_then(|text| Uuid::parse_str(text).ok()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_is_what_is_read() {
        let uuid = |text: &str| Uuid::parse_str(text).unwrap();
        for destination in [None, Some(uuid("0197b3a0-0000-7000-8000-00000000000a"))] {
            let put = Notice {
                task: TaskId(uuid("01890a5d-ac96-774b-bcce-b302099a8057")),
                controller: "one of <ours> & 'theirs', /var/lib/state".into(),
                since: Moment(1_700_000_000_000),
                destination,
            };
            assert_eq!(notice(&element(&put)), Some(put));
        }
    }
}
