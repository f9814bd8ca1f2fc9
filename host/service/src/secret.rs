//! A look at a file with a secret before it is read: a key, a token, headers. What is seen of it is judged by the core, as of
//! libvirt's credentials.

use std::fs::{Metadata, canonicalize};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use waypost_core::secrecy::{Exposed, Readers, Seen};

/// Whether only those can read it who may: of a path and what was seen of the file that is there.
pub(crate) fn judged(path: &Path, metadata: &Metadata, readers: Readers) -> io::Result<Result<(), Exposed>> {
    // Which of its files a service manager has put there for this program, it says in the environment.
    let credentials = std::env::var_os("CREDENTIALS_DIRECTORY").and_then(|folder| canonicalize(folder).ok());
    judged_beside(path, metadata, readers, credentials.as_deref())
}

fn judged_beside(
    path: &Path,
    metadata: &Metadata,
    readers: Readers,
    credentials: Option<&Path>,
) -> io::Result<Result<(), Exposed>> {
    let real = canonicalize(path)?;
    let seen = Seen {
        path: &real,
        mode: metadata.mode(),
        owner: metadata.uid(),
        reader: nix::unistd::geteuid().as_raw(),
        credentials,
    };
    Ok(seen.judged(readers))
}

#[cfg(test)]
mod tests {
    use std::fs::{Permissions, metadata, set_permissions, write};
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_credential_of_systemds_is_known_by_its_folder_and_its_owner() {
        let folder = tempfile::tempdir().unwrap();
        let real = canonicalize(folder.path()).unwrap();
        let path = folder.path().join("token");
        write(&path, "wp_0123_abc").unwrap();
        set_permissions(&path, Permissions::from_mode(0o440)).unwrap();
        let seen = metadata(&path).unwrap();
        let judge = |readers, credentials| judged_beside(&path, &seen, readers, credentials).unwrap();
        // systemd's are root's.
        assert_eq!(judge(Readers::Owner, Some(&*real)).is_ok(), seen.uid() == 0);
        assert_eq!(judge(Readers::Owner, Some(Path::new("/nowhere"))), Err(Exposed::Mode(0o440)));
        assert_eq!(judge(Readers::Owner, None), Err(Exposed::Mode(0o440)));
        assert_eq!(judge(Readers::Group, None), Ok(()));
    }
}
