//! Tokens of others: an OpenID Connect issuer vouches for a caller, with a signature by one of the keys that it publishes.
//!
//! Only asymmetric signatures count, because with a shared secret whoever can verify can forge. The keys are fetched when they are
//! first needed, kept for an hour, and fetched again for a key that is not known, four times a minute at most: so a key that an
//! issuer changes is found, and a stranger's made-up key ids don't become its load.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;
use waypost_core::access::Role;
use waypost_core::ids::Moment;

use super::fetch::Fetcher;
use super::{Grant, Issuer};
use crate::caller::{Caller, Proof};
use crate::problem::{Code, Failed};

const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// By how much two clocks may differ.
const LEEWAY: Duration = Duration::from_secs(30);

/// Keys are as good as new for so long, and no longer good at all after so long without an answer of their issuer.
const FRESH: Duration = Duration::from_secs(3600);
const KEPT: Duration = Duration::from_secs(24 * 3600);

/// So many attempts to fetch keys in so much time.
const ATTEMPTS: usize = 4;
const IN: Duration = Duration::from_secs(60);

/// Longest name of a caller.
const LONGEST_NAME: usize = 128;

/// Why a token names no caller.
#[derive(Debug)]
pub(super) enum Refused {
    /// It is none, or of nobody whom the site trusts, or not what it says it is.
    Forged(String),
    /// It was good once, or for another service.
    Worthless(String),
    /// It is good, and nothing in it grants a role.
    Nobody(String),
    /// The issuer can't be asked for its keys.
    Silent(String, String),
}

impl From<Refused> for Failed {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Forged(why) | Refused::Worthless(why) => {
                Self::new(Code::BadToken, why).remedy("get a new token from its issuer")
            }
            Refused::Nobody(why) => {
                Self::new(Code::RoleMissing, why).remedy("ask an administrator for a grant in [[service.issuer]]")
            }
            Refused::Silent(issuer, why) => {
                Self::new(Code::IssuerSilent, format!("can't get the keys of issuer {issuer}")).because(why)
            }
        }
    }
}

/// The issuers that a site trusts.
pub(super) struct Issuers(Vec<Trusted>);

struct Trusted {
    issuer: Issuer,
    /// Held while they are fetched, so that it is done once for all who wait for it.
    keys: Mutex<Keys>,
}

#[derive(Default)]
struct Keys {
    keys: Arc<Vec<Jwk>>,
    fetched: Option<Instant>,
    /// The last few attempts.
    tried: VecDeque<Instant>,
    trouble: String,
}

impl Issuers {
    pub(super) fn new(issuers: &[Issuer]) -> Self {
        Self(issuers.iter().map(|issuer| Trusted { issuer: issuer.clone(), keys: Mutex::default() }).collect())
    }

    /// Who a token stands for.
    pub(super) async fn caller(&self, text: &str) -> Result<Caller, Refused> {
        let unknown = || Refused::Forged("this token is not known here".to_owned());
        let claimed = claimed_issuer(text).ok_or_else(unknown)?;
        let trusted = self.0.iter().find(|trusted| trusted.issuer.url == claimed).ok_or_else(unknown)?;
        trusted.caller(text).await
    }
}

/// What a token says of its issuer, believed of nothing but which keys to try.
fn claimed_issuer(text: &str) -> Option<String> {
    let mut parts = text.split('.');
    let (_, payload, _) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
    Some(claims.get("iss")?.as_str()?.to_owned())
}

impl Trusted {
    async fn caller(&self, text: &str) -> Result<Caller, Refused> {
        let forged = |why: &str| Refused::Forged(format!("the token is none of {}: {why}", self.issuer.name));
        let header = decode_header(text).map_err(|_| forged("its head can't be read"))?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(forged("its signature is of a kind that is not taken"));
        }
        let key = self.key(header.kid.as_deref()).await?.ok_or_else(|| forged("its key is not published"))?;
        let stated = key.common.key_algorithm.map(|algorithm| algorithm.to_string());
        if stated.is_some_and(|stated| stated != format!("{:?}", header.alg)) {
            return Err(forged("its key is for another kind of signature"));
        }
        let key = DecodingKey::from_jwk(&key).map_err(|_| forged("its key can't be used"))?;
        let mut wanted = Validation::new(header.alg);
        wanted.set_issuer(&[&self.issuer.url]);
        wanted.set_audience(&[&self.issuer.audience]);
        wanted.set_required_spec_claims(&["exp", "iss", "aud"]);
        wanted.validate_nbf = true;
        wanted.leeway = LEEWAY.as_secs();
        let worthless = |why: &str| Refused::Worthless(format!("the token of {} {why}", self.issuer.name));
        let claims = match decode::<Value>(text, &key, &wanted) {
            Ok(decoded) => decoded.claims,
            Err(error) => {
                return Err(match error.kind() {
                    ErrorKind::ExpiredSignature => worthless("has expired"),
                    ErrorKind::ImmatureSignature => worthless("is not good yet"),
                    ErrorKind::InvalidAudience => worthless("is for another service"),
                    ErrorKind::MissingRequiredClaim(claim) => worthless(&format!("has no {claim}")),
                    _ => forged("its signature is wrong"),
                });
            }
        };
        self.granted(&claims)
    }

    fn granted(&self, claims: &Value) -> Result<Caller, Refused> {
        let issuer = &self.issuer;
        let nobody = |why: String| Refused::Nobody(format!("the token of {} is good, but {why}", issuer.name));
        let name = claim(claims, &issuer.name_claim).and_then(Value::as_str);
        let fits = |name: &&str| {
            !name.is_empty() && name.chars().count() <= LONGEST_NAME && !name.chars().any(char::is_control)
        };
        let name = name.filter(fits).ok_or_else(|| nobody(format!("{} in it is no name", issuer.name_claim)))?;
        let values: Vec<&str> = match claim(claims, &issuer.role_claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let granted = issuer.grants.iter().filter(|grant| values.contains(&grant.value.as_str())).max_by_key(rank);
        let grant = granted.ok_or_else(|| nobody(format!("nothing in its {} grants a role", issuer.role_claim)))?;
        let until = claims.get("exp").and_then(Value::as_u64).map(|s| Moment((s + LEEWAY.as_secs()) * 1000));
        let proof = Proof::Issuer(issuer.name.clone());
        let name = format!("{}:{name}", issuer.name);
        Ok(Caller::proven(name, grant.role, grant.scope.clone(), proof).until(until))
    }

    /// The key of that id; of an issuer with one key, also for a token that names none.
    async fn key(&self, id: Option<&str>) -> Result<Option<Jwk>, Refused> {
        let mut kept = self.keys.lock().await;
        let now = Instant::now();
        let young = |at: Option<Instant>, most: Duration| at.is_some_and(|at| now.duration_since(at) < most);
        let found = pick(&kept.keys, id);
        let wanted = found.is_none() || !young(kept.fetched, FRESH);
        kept.tried.retain(|at| young(Some(*at), IN));
        if wanted && kept.tried.len() < ATTEMPTS {
            kept.tried.push_back(now);
            match self.fetch().await {
                Ok(keys) => *kept = Keys { keys: Arc::new(keys), fetched: Some(now), ..std::mem::take(&mut *kept) },
                Err(why) => {
                    tracing::warn!(issuer = self.issuer.name, why, "the keys of an issuer can't be fetched");
                    kept.trouble = why;
                }
            }
        }
        if young(kept.fetched, KEPT) {
            return Ok(pick(&kept.keys, id));
        }
        Err(Refused::Silent(self.issuer.name.clone(), kept.trouble.clone()))
    }

    async fn fetch(&self) -> Result<Vec<Jwk>, String> {
        let ca_file = self.issuer.ca_file.clone();
        let fetcher = tokio::task::spawn_blocking(move || Fetcher::new(ca_file.as_deref()));
        let fetcher = fetcher.await.map_err(|error| error.to_string())??;
        let url = &self.issuer.url;
        let discovery = format!("{}/.well-known/openid-configuration", url.trim_end_matches('/'));
        let document = fetcher.json(&discovery).await.map_err(|why| format!("{discovery}: {why}"))?;
        if document.get("issuer").and_then(Value::as_str) != Some(url) {
            return Err(format!("{discovery} is of another issuer"));
        }
        let place = document.get("jwks_uri").and_then(Value::as_str).ok_or(format!("{discovery} names no jwks_uri"))?;
        let set = fetcher.json(place).await.map_err(|why| format!("{place}: {why}"))?;
        let keys = set.get("keys").and_then(Value::as_array).ok_or(format!("{place} has no keys"))?;
        // One by one: a key of a kind that is not known here must not hide the others.
        Ok(keys.iter().filter_map(|key| serde_json::from_value(key.clone()).ok()).filter(signs).collect())
    }
}

fn signs(key: &Jwk) -> bool {
    !matches!(key.common.public_key_use, Some(PublicKeyUse::Encryption))
}

fn pick(keys: &[Jwk], id: Option<&str>) -> Option<Jwk> {
    match (id, keys) {
        (Some(id), keys) => keys.iter().find(|key| key.common.key_id.as_deref() == Some(id)).cloned(),
        (None, [key]) => Some(key.clone()),
        (None, _) => None,
    }
}

/// Of several grants the one that lets its caller do most.
fn rank(grant: &&Grant) -> u8 {
    match grant.role {
        Role::Viewer => 0,
        Role::PolicyAdmin => 1,
        Role::Operator => 2,
        Role::Admin => 3,
    }
}

/// A claim, or one inside of another: `realm_access.roles`.
fn claim<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |inside, part| inside.get(part)))
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use waypost_core::access::Scope;

    use super::*;

    #[test]
    fn a_claim_is_found_by_its_name_or_by_its_way() {
        let claims = json!({"groups": ["a"], "x.y": 1, "x": {"y": 2}, "realm_access": {"roles": ["b"]}});
        assert_eq!(claim(&claims, "realm_access.roles"), Some(&json!(["b"])));
        assert_eq!(claim(&claims, "x.y"), Some(&json!(1)));
        assert_eq!(claim(&claims, "groups.a"), None);
    }

    #[test]
    fn of_several_grants_the_strongest_counts() {
        let grant = |role| Grant { value: String::new(), role, scope: Scope::default() };
        let grants = [Role::Viewer, Role::Operator, Role::PolicyAdmin].map(grant);
        assert_eq!(grants.iter().max_by_key(rank).map(|grant| grant.role), Some(Role::Operator));
    }

    #[test]
    fn what_is_no_token_claims_no_issuer() {
        let payload = URL_SAFE_NO_PAD.encode(r#"{"iss":"https://id.example"}"#);
        assert_eq!(claimed_issuer(&format!("x.{payload}.y")).as_deref(), Some("https://id.example"));
        for wrong in ["", "a.b", "a.b.c", &format!("x.{payload}.y.z")] {
            assert_eq!(claimed_issuer(wrong), None, "{wrong}");
        }
    }
}
