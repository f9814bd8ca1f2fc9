//! Compiled policies on disk, so that a command starts in milliseconds.
//!
//! Loading machine code is the one thing here that could break the sandbox, so an entry is trusted only if this
//! installation wrote it: the folder belongs to us alone (0700), and each entry carries an HMAC-SHA256 under a key that
//! lies beside it (0600). The bytes are read once, verified, and those same bytes are loaded. Mapping the file instead
//! would save about 0.1 ms per policy and leave a window between the check and the use.
//!
//! An entry belongs to one file (SHA-256), one engine configuration and one wasmtime; anything that doesn't fit, can't
//! be read or isn't authentic is compiled again and replaced. A cache that can't be used never stops a policy.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use thiserror::Error;
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::artifact::Kind;

const MAGIC: &[u8; 8] = b"waypostc";
const KEY_BYTES: usize = 32;
const MAC_BYTES: usize = 32;
/// Kept at most; beyond that the oldest go.
const ENTRIES: usize = 128;
const ENDING: &str = "cwasm";

/// Why the folder isn't used.
#[derive(Debug, Error)]
pub enum CacheError {
    /// A file operation.
    #[error("{attempted} {}", path.display())]
    Io {
        /// What was attempted.
        attempted: &'static str,
        /// With what.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// Somebody else could write there.
    #[error("{} {why}: machine code from there can't be trusted; give a folder that only this user can reach (mode 0700)", path.display())]
    NotPrivate {
        /// Folder or key.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// A private folder of compiled policies.
pub(crate) struct CodeCache {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    /// What besides the file decides whether an entry fits.
    engine: String,
    counter: AtomicU64,
}

impl CodeCache {
    /// Opens the folder, and makes it and its key if they aren't there.
    pub fn open(folder: &Path, engine: &Engine) -> Result<Self, CacheError> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(io_error("create", folder))?;
        let seen = fs::symlink_metadata(folder).map_err(io_error("look at", folder))?;
        if !seen.is_dir() {
            return Err(CacheError::NotPrivate { path: folder.to_owned(), why: "is no folder".to_owned() });
        }
        private(folder, &seen)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let engine = format!("{:016x}", hasher.finish());
        Ok(Self { folder: folder.to_owned(), key: key(folder)?, engine, counter: AtomicU64::new(0) })
    }

    /// Whether there is code of a file. It may still turn out to be none that can be used.
    pub fn holds(&self, digest: &str) -> bool {
        self.path(digest).is_file()
    }

    /// The code of a file, if it is there, fits and is authentic.
    pub fn load(&self, digest: &str, engine: &Engine) -> Option<(Kind, Component)> {
        let path = self.path(digest);
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
            Err(error) => return self.unusable(&path, &error.to_string()),
        };
        let header = MAGIC.len() + MAC_BYTES + 1;
        let Some((magic, rest)) = bytes.split_first_chunk::<8>().filter(|_| bytes.len() > header) else {
            return self.unusable(&path, "it is too short");
        };
        let (mac, content) = rest.split_at(MAC_BYTES);
        if magic != MAGIC || self.mac(digest, content).verify_slice(mac).is_err() {
            return self.unusable(&path, "it is not authentic");
        }
        let kind = match content[0] {
            b'c' => Kind::Component,
            b'm' => Kind::CoreModule,
            _ => return self.unusable(&path, "it is of no known kind"),
        };
        // SAFETY: the HMAC shows that these very bytes were written by `store`, under a key that only this user can
        // read, as the output of `Component::serialize`; whether they fit this engine is checked by wasmtime.
        #[expect(unsafe_code, reason = "loading machine code can't be anything else; the only place in this crate")]
        let loaded = unsafe { Component::deserialize(engine, &content[1..]) };
        match loaded {
            Ok(component) => Some((kind, component)),
            Err(error) => self.unusable(&path, &format!("{error:#}")),
        }
    }

    /// Keeps the code of a file. Trouble is logged: it costs time at the next start and nothing else.
    pub fn store(&self, digest: &str, kind: Kind, component: &Component) {
        if let Err(error) = self.try_store(digest, kind, component) {
            tracing::warn!(folder = %self.folder.display(), %error, "keep a compiled policy");
        }
    }

    fn try_store(&self, digest: &str, kind: Kind, component: &Component) -> io::Result<()> {
        let mut content = vec![if kind == Kind::Component { b'c' } else { b'm' }];
        content.extend(component.serialize().map_err(|error| io::Error::other(format!("{error:#}")))?);
        let mac = self.mac(digest, &content).finalize().into_bytes();
        let path = self.path(digest);
        self.replace(&path, &[MAGIC.as_slice(), mac.as_slice(), &content])?;
        self.sweep(&path)
    }

    /// Whole or not at all: a reader sees the old file or the new one, also after a power cut.
    fn replace(&self, path: &Path, parts: &[&[u8]]) -> io::Result<()> {
        let number = self.counter.fetch_add(1, Ordering::Relaxed);
        let fresh = self.folder.join(format!(".{}-{number}.new", std::process::id()));
        let written = (|| {
            let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
            for part in parts {
                file.write_all(part)?;
            }
            file.sync_all()?;
            fs::rename(&fresh, path)?;
            File::open(&self.folder)?.sync_all()
        })();
        if written.is_err() && fs::remove_file(&fresh).is_ok() {
            tracing::debug!(file = %fresh.display(), "removed a half-written cache entry");
        }
        written
    }

    fn sweep(&self, keep: &Path) -> io::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|ending| ending == ENDING) && path != keep {
                // Another process may have swept it meanwhile.
                if let Ok(seen) = fs::metadata(&path).and_then(|seen| seen.modified()) {
                    entries.push((seen, path));
                }
            }
        }
        entries.sort();
        for (_, path) in entries.iter().take((entries.len() + 1).saturating_sub(ENTRIES)) {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(format!("{digest}-{}.{ENDING}", self.engine))
    }

    fn mac(&self, digest: &str, content: &[u8]) -> Hmac<Sha256> {
        let mut mac = match Hmac::<Sha256>::new_from_slice(&self.key) {
            Ok(mac) => mac,
            Err(_) => unreachable!("HMAC takes keys of any length"),
        };
        for part in [MAGIC.as_slice(), digest.as_bytes(), b"\0", self.engine.as_bytes(), b"\0", content] {
            mac.update(part);
        }
        mac
    }

    fn unusable<T>(&self, path: &Path, why: &str) -> Option<T> {
        tracing::warn!(file = %path.display(), why, "a compiled policy can't be used and is made again");
        None
    }
}

/// The key of this installation, made by whoever comes first.
fn key(folder: &Path) -> Result<[u8; KEY_BYTES], CacheError> {
    let path = folder.join("key");
    if let Some(key) = read_key(&path)? {
        return Ok(key);
    }
    let mut key = [0; KEY_BYTES];
    getrandom::fill(&mut key)
        .map_err(|error| io_error("make a key for", &path)(io::Error::other(error.to_string())))?;
    let fresh = folder.join(format!(".key-{}.new", std::process::id()));
    let write = || {
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&fresh)?;
        file.write_all(&key)?;
        file.sync_all()?;
        // A link, unlike a rename, never replaces the key that another process made meanwhile.
        let linked = fs::hard_link(&fresh, &path);
        fs::remove_file(&fresh)?;
        linked
    };
    match write() {
        Ok(()) => Ok(key),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => match read_key(&path)? {
            Some(key) => Ok(key),
            None => Err(io_error("read", &path)(io::ErrorKind::NotFound.into())),
        },
        Err(error) => Err(io_error("write", &path)(error)),
    }
}

fn read_key(path: &Path) -> Result<Option<[u8; KEY_BYTES]>, CacheError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(io_error("open", path)(error)),
    };
    private(path, &file.metadata().map_err(io_error("look at", path))?)?;
    let mut key = Vec::new();
    file.take(KEY_BYTES as u64 + 1).read_to_end(&mut key).map_err(io_error("read", path))?;
    let broken = |_| CacheError::NotPrivate { path: path.to_owned(), why: format!("is no key of {KEY_BYTES} bytes") };
    key.try_into().map(Some).map_err(broken)
}

fn private(path: &Path, seen: &fs::Metadata) -> Result<(), CacheError> {
    let refuse = |why: String| Err(CacheError::NotPrivate { path: path.to_owned(), why });
    let (owner, us) = (seen.uid(), nix::unistd::geteuid().as_raw());
    if owner != us {
        return refuse(format!("belongs to user {owner} and not to user {us}"));
    }
    match seen.mode() & 0o077 {
        0 => Ok(()),
        _ => refuse(format!("is open to others (mode {:04o})", seen.mode() & 0o7777)),
    }
}

fn io_error(attempted: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CacheError {
    let path = path.to_owned();
    move |source| CacheError::Io { attempted, path, source }
}
