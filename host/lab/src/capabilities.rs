//! What libvirt found out about QEMU, kept from one lab to the next.
//!
//! The first use of a QEMU binary costs libvirtd more than a second of probing, on every new host. The result is a file
//! that libvirt itself checks for validity (change times of QEMU and libvirtd, versions, kernel, microcode) before it
//! believes it, so that a stale one does no harm.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::layout::HostLayout;

/// Gives a new host what is known. Doing without only costs time, so nothing here is an error.
pub(crate) fn recall(cache: &Path, host: &HostLayout) {
    copy_all(&cache.join("capabilities"), &inside(host));
}

/// Keeps what a host has found out.
pub(crate) fn remember(cache: &Path, host: &HostLayout) {
    copy_all(&inside(host), &cache.join("capabilities"));
}

fn inside(host: &HostLayout) -> PathBuf {
    host.dir.join("var-cache/qemu/capabilities")
}

fn copy_all(from: &Path, to: &Path) {
    let Ok(entries) = fs::read_dir(from) else { return };
    for entry in entries.flatten() {
        let (source, destination) = (entry.path(), to.join(entry.file_name()));
        let new = fs::read(&source).ok().filter(|bytes| Some(bytes) != fs::read(&destination).ok().as_ref());
        if let Some(bytes) = new.filter(|_| source.extension().is_some_and(|extension| extension == "xml")) {
            // Written aside and renamed, because several labs may do this at once.
            let aside = to.join(format!("{}.new", std::process::id()));
            let written = fs::create_dir_all(to).and_then(|()| fs::write(&aside, bytes));
            if written.and_then(|()| fs::rename(&aside, &destination)).is_err() {
                let _ = fs::remove_file(&aside);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_host_found_out_the_next_one_knows() {
        let dir = tempfile::tempdir().unwrap();
        let host = |name: &str| HostLayout { dir: dir.path().join(name) };
        let (old, new) = (host("old"), host("new"));
        fs::create_dir_all(inside(&old)).unwrap();
        fs::write(inside(&old).join("ab.xml"), "<qemuCaps/>").unwrap();
        fs::write(inside(&old).join("ab.tmp"), "").unwrap();
        remember(&dir.path().join("cache"), &old);
        recall(&dir.path().join("cache"), &new);
        assert_eq!(fs::read_to_string(inside(&new).join("ab.xml")).unwrap(), "<qemuCaps/>");
        assert_eq!(fs::read_dir(inside(&new)).unwrap().count(), 1);
    }
}
