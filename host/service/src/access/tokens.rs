//! Bearer tokens: `wp_`, sixteen hexadecimal digits by which the token is found, and a secret of 256 random bits.
//!
//! Kept is the secret's hash by argon2id. That takes tens of milliseconds and megabytes on purpose, so it happens off the threads
//! that drive tasks, few at a time, and once per token: what was proven is remembered by a keyed digest, in memory alone. The
//! token's row is read for each request all the same, so one that is taken back is worth nothing from then on, whoever took it
//! back.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use argon2::Argon2;
use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;
use thiserror::Error;
use tokio::sync::Semaphore;
use waypost_core::access::{Ledger, Role, Scope, Token};
use waypost_core::ids::Moment;

use crate::problem::{Code, Failed};

/// What every token begins with, so that one that was left lying about is known for what it is.
const BEGINS: &str = "wp_";

const SECRET_BYTES: usize = 32;

/// Hashes that are computed at once, and those that may wait for it.
const HASHING: usize = 2;
const WAITING: usize = 64;

/// Proven tokens that are remembered.
const REMEMBERED: usize = 1024;

/// What a new token is to be.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The name that will stand in records: 1 to 64 letters, digits, `.`, `_`, `-`, `@`.
    pub name: String,
    /// Role.
    pub role: Role,
    /// How far it reaches.
    pub scope: Scope,
    /// From then on it is worth nothing; none: until it is taken back.
    pub expires_at: Option<Moment>,
}

/// Why there is no new token.
#[derive(Debug, Error)]
pub enum MintError {
    /// A name that could be taken for something else.
    #[error("{0:?} is no name for a token: 1 to 64 letters, digits, `.`, `_`, `-`, `@`")]
    Name(String),
    /// No random numbers.
    #[error("the system gives no random numbers: {0}")]
    Random(String),
    /// No hash.
    #[error("the secret can't be hashed: {0}")]
    Hash(String),
}

/// Makes a token: what is to be kept, and the token itself, which is shown once and kept nowhere. Takes tens of milliseconds.
pub fn mint(new: NewToken, by: &str, now: Moment) -> Result<(Token, String), MintError> {
    let sign = |c: char| c.is_ascii_alphanumeric() || "._-@".contains(c);
    if new.name.is_empty() || new.name.len() > 64 || !new.name.chars().all(sign) {
        return Err(MintError::Name(new.name));
    }
    let (mut id, mut secret, mut salt) = ([0; 8], [0; SECRET_BYTES], [0; 16]);
    for bytes in [&mut id[..], &mut secret[..], &mut salt[..]] {
        getrandom::fill(bytes).map_err(|error| MintError::Random(error.to_string()))?;
    }
    let id: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
    let secret = URL_SAFE_NO_PAD.encode(secret);
    let hashed = SaltString::encode_b64(&salt).and_then(|salt| {
        let hash = Argon2::default().hash_password(secret.as_bytes(), &salt)?;
        Ok(hash.to_string())
    });
    let hash = hashed.map_err(|error| MintError::Hash(error.to_string()))?;
    let shown = format!("{BEGINS}{id}_{secret}");
    let NewToken { name, role, scope, expires_at } = new;
    let created_by = by.to_owned();
    Ok((Token { id, name, role, scope, hash, created_at: now, created_by, expires_at, revoked_at: None }, shown))
}

/// Whether a text is meant to be a token of ours.
pub(super) fn is_ours(text: &str) -> bool {
    text.starts_with(BEGINS)
}

/// The id and the secret in a text that has the shape of a token.
fn parts(text: &str) -> Option<(&str, &str)> {
    let (id, secret) = text.strip_prefix(BEGINS)?.split_once('_')?;
    let hex = |c: char| c.is_ascii_digit() || ('a'..='f').contains(&c);
    let fits = id.len() == 16 && id.chars().all(hex) && URL_SAFE_NO_PAD.decode(secret).ok()?.len() == SECRET_BYTES;
    fits.then_some((id, secret))
}

/// What a text comes to.
pub(super) enum Presented {
    /// It has not the shape of a token, or its id stands for none.
    Unknown,
    /// The token of that id was proven before.
    Proven(Token),
    /// It has yet to be proven that this is the secret of that token.
    Claimed(Claim),
}

/// A secret that may be a token's.
pub(super) struct Claim {
    pub(super) token: Token,
    secret: String,
    digest: Option<[u8; 32]>,
}

pub(super) struct Tokens {
    ledger: Arc<dyn Ledger>,
    /// Of this process alone; none where the system gives no random numbers, and then nothing is remembered.
    key: Option<[u8; 32]>,
    /// By id: the digest of the token, and the hash that it was proven by.
    proven: Mutex<HashMap<String, ([u8; 32], String)>>,
    hashing: Semaphore,
    waiting: Semaphore,
}

impl Tokens {
    pub(super) fn new(ledger: Arc<dyn Ledger>) -> Self {
        let mut key = [0; 32];
        let key = getrandom::fill(&mut key).is_ok().then_some(key);
        let (hashing, waiting) = (Semaphore::new(HASHING), Semaphore::new(WAITING));
        Self { ledger, key, proven: Mutex::default(), hashing, waiting }
    }

    /// Whether exactly that was proven before, as far as memory tells: what the token is worth now says its row alone.
    pub(super) fn remembers(&self, text: &str) -> bool {
        let (Some((id, _)), Some(digest)) = (parts(text), self.digest(text)) else { return false };
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        proven.get(id).is_some_and(|(known, _)| bool::from(known.ct_eq(&digest)))
    }

    /// Looks a text up.
    pub(super) async fn look_up(&self, text: &str) -> Result<Presented, Failed> {
        let Some((id, secret)) = parts(text) else { return Ok(Presented::Unknown) };
        let Some(token) = self.by_id(id).await? else {
            self.forget(id);
            return Ok(Presented::Unknown);
        };
        let digest = self.digest(text);
        let proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned();
        let same = match (proven, digest) {
            (Some((known, hash)), Some(digest)) => bool::from(known.ct_eq(&digest)) && hash == token.hash,
            _ => false,
        };
        Ok(if same {
            Presented::Proven(token)
        } else {
            Presented::Claimed(Claim { token, secret: secret.to_owned(), digest })
        })
    }

    /// The token of that id as it is right now.
    pub(super) async fn by_id(&self, id: &str) -> Result<Option<Token>, Failed> {
        let (ledger, id) = (Arc::clone(&self.ledger), id.to_owned());
        match tokio::task::spawn_blocking(move || ledger.token(&id)).await {
            Ok(token) => Ok(token?),
            Err(_) => Err(Failed::new(Code::Defect, "a defect in the service; its log has more")),
        }
    }

    /// Whether the secret is the token's.
    pub(super) async fn prove(&self, claim: Claim) -> Result<Option<Token>, Failed> {
        let busy = || Failed::new(Code::Busy, "too many tokens are being verified");
        let _waiting = self.waiting.try_acquire().map_err(|_| busy())?;
        let _place = self.hashing.acquire().await.map_err(|_| busy())?;
        let Claim { token, secret, digest } = claim;
        let hash = token.hash.clone();
        let verified = tokio::task::spawn_blocking(move || {
            let hash = PasswordHash::new(&hash).map_err(|error| error.to_string())?;
            Ok::<_, String>(Argon2::default().verify_password(secret.as_bytes(), &hash).is_ok())
        });
        match verified.await {
            Ok(Ok(true)) => {
                self.remember(&token, digest);
                Ok(Some(token))
            }
            Ok(Ok(false)) => Ok(None),
            Ok(Err(why)) => Err(Failed::new(Code::StoreFailed, format!("can't read the hash of token {}", token.id))
                .because(why)
                .remedy("take the token back and make another one")),
            Err(_) => Err(Failed::new(Code::Defect, "a defect in the service; its log has more")),
        }
    }

    fn remember(&self, token: &Token, digest: Option<[u8; 32]>) {
        let Some(digest) = digest else { return };
        let mut proven = self.proven.lock().unwrap_or_else(PoisonError::into_inner);
        if proven.len() >= REMEMBERED && !proven.contains_key(&token.id) {
            // They are proven again as they come; there are most often a handful.
            proven.clear();
        }
        proven.insert(token.id.clone(), (digest, token.hash.clone()));
    }

    /// From here on the token of that id has to be proven again.
    pub(super) fn forget(&self, id: &str) {
        self.proven.lock().unwrap_or_else(PoisonError::into_inner).remove(id);
    }

    /// A digest that means nothing outside of this process.
    pub(super) fn digest(&self, text: &str) -> Option<[u8; 32]> {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.key?).ok()?;
        mac.update(text.as_bytes());
        Some(mac.finalize().into_bytes().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(name: &str) -> NewToken {
        NewToken { name: name.into(), role: Role::Viewer, scope: Scope::default(), expires_at: None }
    }

    #[test]
    fn a_token_is_random_has_its_id_in_it_and_is_kept_as_a_hash() {
        let (one, shown) = mint(new("dashboard"), "anna", Moment(1)).unwrap();
        let (two, other) = mint(new("dashboard"), "anna", Moment(1)).unwrap();
        assert_ne!((&one.id, &one.hash, &shown), (&two.id, &two.hash, &other));
        let (id, secret) = parts(&shown).unwrap();
        assert_eq!(id, one.id);
        assert!(one.hash.starts_with("$argon2id$") && !one.hash.contains(secret), "{}", one.hash);
        assert_eq!(shown.len(), 3 + 16 + 1 + 43);
    }

    #[test]
    fn what_has_another_shape_is_no_token() {
        let good = mint(new("a"), "anna", Moment(1)).unwrap().1;
        for wrong in
            ["", "wp_", "wp__", "wp_0123456789abcdef_", "Wp_0123456789abcdef_x", &good[1..], &format!("{good}A")]
        {
            assert!(parts(wrong).is_none(), "{wrong}");
        }
        assert!(parts(&good.replacen("wp_", "wp_G", 1)).is_none());
        for name in ["", "a b", "a:b", "a\nb", &"x".repeat(65)] {
            assert!(matches!(mint(new(name), "anna", Moment(1)), Err(MintError::Name(_))), "{name:?}");
        }
    }
}
