//! Volumes for disks that are copied: made where nothing is, looked at, and removed.
//!
//! libvirt knows a pool from the list that it made when the pool was refreshed last, so every question here refreshes it
//! first: a name that is free on an old list may be taken on the store.

use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use virt_sys as sys;
use waypost_core::copies::CopiedDisk;
use waypost_core::facts::DomainBrief;
use waypost_core::ids::DomainKey;
use waypost_core::ports::{Creation, FoundVolume};

use crate::error::{Failure, existing};
use crate::facts;
use crate::link::Session;
use crate::read::storage::plain;
use crate::read::{domain, host};

/// The volume of that name, if there is one.
pub(crate) fn find(session: &Session, pool: &str, name: &str) -> Result<Option<FoundVolume>, Failure> {
    let pool = refreshed(session, pool)?;
    let Some(volume) = existing(StorageVol::lookup_by_name(&pool, plain(name)?))? else { return Ok(None) };
    let Some(document) = existing(volume.get_xml_desc(0))? else { return Ok(None) };
    let backing = facts::backing_of_volume(&document)?.and_then(|layer| layer.source);
    Ok(Some(FoundVolume { volume: facts::volume(&document)?, backing }))
}

/// Makes an empty one. libvirt refuses a name that is on its list and, for a file, a path at which something is; both
/// are the same answer here.
pub(crate) fn create(session: &Session, disk: &CopiedDisk) -> Result<Creation, Failure> {
    let pool = refreshed(session, &disk.pool)?;
    if existing(StorageVol::lookup_by_name(&pool, plain(&disk.volume)?))?.is_some() {
        return Ok(Creation::Taken);
    }
    let kind = facts::pool(&pool.get_xml_desc(0)?, true)?.kind;
    match StorageVol::create_xml(&pool, &document(disk, &kind), 0).map_err(Failure::from) {
        Ok(_) => Ok(Creation::Made),
        Err(failure) if failure.code == sys::VIR_ERR_STORAGE_VOL_EXIST => Ok(Creation::Taken),
        Err(failure) => Err(failure),
    }
}

/// A file is made with nothing in it: what the guest's disk does not use, its copy need not. A logical volume has no
/// holes.
fn document(disk: &CopiedDisk, kind_of_pool: &str) -> String {
    let compat = if disk.format == "qcow2" { "<compat>1.1</compat>" } else { "" };
    let allocation = if kind_of_pool == "logical" { disk.capacity_bytes } else { 0 };
    format!(
        "<volume><name>{}</name><capacity unit='bytes'>{}</capacity><allocation unit='bytes'>{allocation}</allocation>\
         <target><format type='{}'/>{compat}</target></volume>",
        facts::escaped(&disk.volume),
        disk.capacity_bytes,
        facts::escaped(&disk.format),
    )
}

/// Removes the one of that name.
pub(crate) fn remove(session: &Session, pool: &str, name: &str) -> Result<(), Failure> {
    let pool = refreshed(session, pool)?;
    let Some(volume) = existing(StorageVol::lookup_by_name(&pool, plain(name)?))? else { return Ok(()) };
    existing(volume.delete(0)).map(drop)
}

/// Who names it anywhere in a definition, or in what runs.
pub(crate) fn users(session: &Session, disk: &CopiedDisk) -> Result<Vec<DomainBrief>, Failure> {
    let mut users = Vec::new();
    for brief in host::domains(session)?.0 {
        let Some(domain) = existing(domain::find(session, &DomainKey::Id(brief.id)))? else { continue };
        let as_it_runs = existing(domain.get_xml_desc(0))?;
        let definition =
            if brief.persistent { existing(domain.get_xml_desc(sys::VIR_DOMAIN_XML_INACTIVE))? } else { None };
        let mut uses = false;
        for document in [as_it_runs, definition].iter().flatten() {
            uses |= facts::names_volume(document, &disk.path, &disk.pool, &disk.volume)?;
        }
        if uses {
            users.push(brief);
        }
    }
    Ok(users)
}

fn refreshed(session: &Session, pool: &str) -> Result<StoragePool, Failure> {
    let pool = StoragePool::lookup_by_name(&session.connection, plain(pool)?)?;
    pool.refresh(0)?;
    Ok(pool)
}
