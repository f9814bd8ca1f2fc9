//! The tick guest: a boot sector, assembled once and then kept in the cache, with its parameters written into it.

use std::{fs, path::Path};

use crate::{
    error::{Attempt, LabError, Result},
    process::run,
    requirements::program,
};

const SOURCE: &str = include_str!("../guests/tick.asm");
const SECTOR: usize = 512;
/// Where the parameters lie: a doubleword and two words. See the end of the source.
const PARAMETERS: usize = 0x1b0;

/// A disk's first sector with a tick guest in it.
pub(crate) fn boot_sector(cache: &Path, working_set_mib: u32, rate: u16, every: u16) -> Result<Vec<u8>> {
    let mut sector = assembled(cache)?;
    let parameters = [&(working_set_mib * 256).to_le_bytes()[..], &rate.to_le_bytes(), &every.to_le_bytes()].concat();
    sector[PARAMETERS..PARAMETERS + parameters.len()].copy_from_slice(&parameters);
    Ok(sector)
}

/// From the cache only if it was made from this very source, which therefore lies beside it.
fn assembled(cache: &Path) -> Result<Vec<u8>> {
    let folder = cache.join("tick");
    let (source, binary) = (folder.join("tick.asm"), folder.join("tick.bin"));
    if let (Ok(text), Ok(sector)) = (fs::read_to_string(&source), fs::read(&binary))
        && text == SOURCE
        && sector.len() == SECTOR
    {
        return Ok(sector);
    }
    fs::create_dir_all(&folder).attempt(|| format!("create {}", folder.display()))?;
    // Written aside and renamed, because several labs may do this at once.
    let aside = |name: &str| folder.join(format!("{name}.{}.{:?}", std::process::id(), std::thread::current().id()));
    let (new_source, new_binary) = (aside("asm"), aside("bin"));
    fs::write(&new_source, SOURCE).attempt(|| format!("write {}", new_source.display()))?;
    run(program("nasm").args(["-f", "bin", "-o"]).arg(&new_binary).arg(&new_source))?;
    let sector = fs::read(&new_binary).attempt(|| format!("read {}", new_binary.display()))?;
    for (from, to) in [(&new_binary, &binary), (&new_source, &source)] {
        fs::rename(from, to).attempt(|| format!("write {}", to.display()))?;
    }
    if sector.len() != SECTOR {
        return Err(LabError::Spec(format!("the tick guest has {} bytes, not {SECTOR}", sector.len())));
    }
    Ok(sector)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parameters_land_where_the_guest_reads_them() {
        let cache = tempfile::tempdir().unwrap();
        let sector = boot_sector(cache.path(), 8, 300, 10).unwrap();
        assert_eq!(sector.len(), 512);
        assert_eq!(sector[0x1b0..0x1b8], [0, 8, 0, 0, 0x2c, 1, 10, 0]);
        assert_eq!(sector[510..], [0x55, 0xaa]);
        assert_eq!(boot_sector(cache.path(), 8, 300, 10).unwrap(), sector, "from the cache");
    }
}
