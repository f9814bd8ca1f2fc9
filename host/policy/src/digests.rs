//! Digests of files that are not loaded, remembered for as long as the files are what they were: a list of policies names the
//! digest of each, also of those that are switched off, and is asked for more often than files change.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use waypost_core::digest::sha256;

use crate::folders::{self, Stamp};

/// Files that are remembered: far more than a site has policies. Of one more all are looked at again.
const MOST: usize = 1024;

/// What files hold.
#[derive(Default)]
pub(crate) struct Digests(Mutex<BTreeMap<PathBuf, Known>>);

#[derive(Clone)]
struct Known {
    stamp: Stamp,
    digest: String,
    size: u64,
}

impl Digests {
    /// SHA-256, hexadecimal, and size in bytes of what is in a file right now; none where it can't be read, or is larger than any
    /// policy may be.
    pub fn of(&self, file: &Path) -> Option<(String, u64)> {
        let stamp = Stamp::of(&fs::metadata(file).ok()?);
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(file).cloned();
        if let Some(Known { digest, size, .. }) = known.filter(|known| known.stamp == stamp) {
            return Some((digest, size));
        }
        // Without the lock: of two who read the same both are right.
        let racy = stamp.is_racy();
        let bytes = folders::read(file).ok()?;
        let (digest, size) = (sha256(&bytes), bytes.len() as u64);
        let same = fs::metadata(file).is_ok_and(|seen| Stamp::of(&seen) == stamp);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if racy || !same {
            all.remove(file);
        } else {
            if all.len() >= MOST {
                all.clear();
            }
            all.insert(file.to_owned(), Known { stamp, digest: digest.clone(), size });
        }
        Some((digest, size))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn a_file_is_read_again_once_it_is_another_and_not_before() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rule.wasm");
        let digests = Digests::default();
        let remembered =
            |digest: &str| digests.0.lock().unwrap().get(&file).is_some_and(|known| known.digest == digest);
        assert_eq!(digests.of(&file), None);
        let until = Instant::now() + Duration::from_secs(60);
        for text in ["one", "two", "one and a half"] {
            fs::write(&file, text).unwrap();
            let digest = sha256(text.as_bytes());
            assert_eq!(digests.of(&file), Some((digest.clone(), text.len() as u64)), "at once, whatever is remembered");
            // As soon as another change would have another time.
            while !remembered(&digest) {
                assert!(Instant::now() < until);
                assert_eq!(digests.of(&file).map(|known| known.0), Some(digest.clone()));
            }
            assert_eq!(digests.of(&file), Some((digest, text.len() as u64)));
        }
        fs::remove_file(&file).unwrap();
        assert_eq!(digests.of(&file), None);
    }
}
