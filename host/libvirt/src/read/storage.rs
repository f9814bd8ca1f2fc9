//! Where a disk's path leads on a host, and the probe volume.
//!
//! libvirt answers for a pool from a list that it made when the pool was started or refreshed last: a file that another
//! host made since is not on it. So a path that isn't found where a pool should have it is looked for once more after a
//! refresh. That changes nothing on the store, and is the only thing here that isn't a plain question.

use std::path::Path;

use virt::storage_pool::StoragePool;
use virt::storage_vol::StorageVol;
use waypost_core::facts::{BackingLayer, Disk, DiskView, Volume};

use crate::error::{Failure, existing};
use crate::facts::{self, DiskSource};
use crate::link::Session;

/// Deeper chains are left as they are.
const LAYERS: usize = 16;

/// A disk's place on a host.
#[derive(Default)]
pub(crate) struct Place {
    pub(crate) pool: Option<String>,
    pub(crate) volume: Option<Volume>,
    /// The image behind it, as far as the volume tells.
    behind: Option<BackingLayer>,
}

/// What the host sees at the path of each of these disks; drives without a medium are left out.
pub(crate) fn views(session: &Session, disks: &[Disk]) -> Result<Vec<DiskView>, Failure> {
    let sources = disks.iter().filter_map(|disk| Some((disk, DiskSource::of(disk)?)));
    sources
        .map(|(disk, source)| {
            let place = place(session, &source)?;
            let source = source.shown();
            Ok(DiskView { target: disk.target.clone(), source, pool: place.pool, volume: place.volume })
        })
        .collect()
}

/// Looks a disk's source up.
pub(crate) fn place(session: &Session, source: &DiskSource) -> Result<Place, Failure> {
    let connection = &session.connection;
    let found = match source {
        DiskSource::Path(path) => {
            let path = plain(path)?;
            let find = || absent(StorageVol::lookup_by_path(connection, path));
            // One that is on the list and not on the store any more says that the list is old, as one that is missing may.
            if let Some(volume) = find()? {
                let place = describe(&volume, None)?;
                if place.volume.is_some() {
                    return Ok(place);
                }
            }
            let parent = Path::new(path).parent().and_then(Path::to_str).filter(|parent| !parent.is_empty());
            let Some(parent) = parent else { return Ok(Place::default()) };
            let Some(pool) = absent(StoragePool::lookup_by_target_path(connection, parent))? else {
                return Ok(Place::default());
            };
            refresh(session, &pool)?;
            (pool, find()?)
        }
        DiskSource::Key(key) => match absent(StorageVol::lookup_by_key(connection, plain(key)?))? {
            Some(volume) => return describe(&volume, None),
            None => return Ok(Place::default()),
        },
        DiskSource::Volume { pool, volume } => {
            let Some(pool) = absent(StoragePool::lookup_by_name(connection, plain(pool)?))? else {
                return Ok(Place::default());
            };
            let volume = plain(volume)?;
            let find = || absent(StorageVol::lookup_by_name(&pool, volume));
            let mut found = find()?;
            if found.is_none() {
                refresh(session, &pool)?;
                found = find()?;
            }
            (pool, found)
        }
    };
    let (pool, volume) = found;
    let pool = pool.get_name()?;
    match volume {
        Some(volume) => describe(&volume, Some(pool)),
        None => Ok(Place { pool: Some(pool), ..Place::default() }),
    }
}

/// Follows the images behind a place, for a domain that doesn't run: the document of one that does names them all.
pub(crate) fn chain(session: &Session, place: &Place) -> Result<Vec<BackingLayer>, Failure> {
    let mut chain = Vec::new();
    let mut next = place.behind.clone();
    while let Some(layer) = next.take()
        && chain.len() < LAYERS
    {
        let Place { volume, behind, .. } = place_of_layer(session, &layer)?;
        chain.push(holding(layer, volume.as_ref()));
        next = behind;
    }
    Ok(chain)
}

/// The images of a chain that a document names, each with what its volume holds. Of one that is in no pool libvirt doesn't tell,
/// and those below the deepest that is looked up are left as they are.
pub(crate) fn weighed(session: &Session, chain: Vec<BackingLayer>) -> Result<Vec<BackingLayer>, Failure> {
    let weigh = |(depth, layer): (usize, BackingLayer)| {
        let place = if depth < LAYERS { place_of_layer(session, &layer)? } else { Place::default() };
        Ok(holding(layer, place.volume.as_ref()))
    };
    chain.into_iter().enumerate().map(weigh).collect()
}

fn place_of_layer(session: &Session, layer: &BackingLayer) -> Result<Place, Failure> {
    match (layer.kind.as_str(), &layer.source) {
        ("file" | "block", Some(path)) => place(session, &DiskSource::Path(path.clone())),
        _ => Ok(Place::default()),
    }
}

fn holding(layer: BackingLayer, volume: Option<&Volume>) -> BackingLayer {
    BackingLayer { allocation_bytes: volume.map(|volume| volume.allocation_bytes), ..layer }
}

/// The volumes of an active pool.
pub(crate) fn volumes(pool: &StoragePool) -> Result<Vec<Volume>, Failure> {
    let mut volumes = Vec::new();
    for volume in existing(pool.list_all_volumes(0))?.unwrap_or_default() {
        if let Some(document) = existing(volume.get_xml_desc(0))? {
            volumes.push(facts::volume(&document)?);
        }
    }
    volumes.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(volumes)
}

fn describe(volume: &StorageVol, pool: Option<String>) -> Result<Place, Failure> {
    // libvirt looks at the file again for this, so its times and sizes are of now.
    let Some(document) = existing(volume.get_xml_desc(0))? else { return Ok(Place { pool, ..Place::default() }) };
    let pool = match pool {
        Some(pool) => Some(pool),
        None => existing(StoragePool::lookup_by_volume(volume))?.map(|pool| pool.get_name()).transpose()?,
    };
    Ok(Place { pool, volume: Some(facts::volume(&document)?), behind: facts::backing_of_volume(&document)? })
}

/// Refreshes a pool; one that can't be refreshed right now (it is inactive, or builds a volume) keeps its list.
fn refresh(session: &Session, pool: &StoragePool) -> Result<(), Failure> {
    match pool.refresh(0) {
        Ok(_) => Ok(()),
        Err(error) if session.connection.is_open() => {
            tracing::debug!(%error, "a pool can't be refreshed");
            Ok(())
        }
        Err(error) => Err(error.into()),
    }
}

/// Nothing there, a pool that is inactive, or a host without a storage driver: there is no such thing to be seen.
fn absent<T>(result: Result<T, virt::error::Error>) -> Result<Option<T>, Failure> {
    match result.map_err(Failure::from) {
        Ok(value) => Ok(Some(value)),
        Err(failure) if failure.is_gone() || failure.is_unsupported() || failure.is_invalid_operation() => Ok(None),
        Err(failure) => Err(failure),
    }
}

/// `virt` panics on a NUL byte.
pub(crate) fn plain(text: &str) -> Result<&str, Failure> {
    if text.contains('\0') { Err(Failure::nul(text)) } else { Ok(text) }
}

/// The largest volume that is taken for a probe.
const PROBE_BYTES: u64 = 1 << 20;

/// Makes a probe.
pub(crate) fn create_probe(session: &Session, pool: &str, name: &str) -> Result<(), Failure> {
    let name = probe_name(name)?;
    let pool = StoragePool::lookup_by_name(&session.connection, plain(pool)?)?;
    // A name that is taken on the store, though not on libvirt's list of it, must be refused, too.
    pool.refresh(0)?;
    let document = format!(
        "<volume><name>{name}</name><capacity unit='bytes'>4096</capacity><allocation unit='bytes'>0</allocation>\
         <target><format type='raw'/></target></volume>"
    );
    StorageVol::create_xml(&pool, &document, 0)?;
    Ok(())
}

/// Looks for a probe.
pub(crate) fn sees_probe(session: &Session, pool: &str, name: &str) -> Result<bool, Failure> {
    let pool = StoragePool::lookup_by_name(&session.connection, plain(pool)?)?;
    pool.refresh(0)?;
    Ok(existing(StorageVol::lookup_by_name(&pool, probe_name(name)?))?.is_some())
}

/// Removes a probe.
pub(crate) fn remove_probe(session: &Session, pool: &str, name: &str) -> Result<(), Failure> {
    let pool = StoragePool::lookup_by_name(&session.connection, plain(pool)?)?;
    pool.refresh(0)?;
    let Some(volume) = existing(StorageVol::lookup_by_name(&pool, probe_name(name)?))? else { return Ok(()) };
    let size = volume.get_info()?.capacity;
    if size > PROBE_BYTES {
        return Err(Failure::refused(format!("{name} holds {size} bytes, so it is not a probe: it is left alone")));
    }
    existing(volume.delete(0)).map(drop)
}

/// A name that needs no escaping anywhere.
fn probe_name(name: &str) -> Result<&str, Failure> {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if !name.is_empty() && !name.starts_with('.') && name.bytes().all(fine) {
        Ok(name)
    } else {
        Err(Failure::refused(format!("{name:?} can't be the name of a probe")))
    }
}
