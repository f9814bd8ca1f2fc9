//! Tokens of others: an OpenID Connect issuer vouches for a caller, with a signature by one of the keys that it publishes.
//!
//! Only asymmetric signatures count, because with a shared secret whoever can verify can forge. The keys are fetched when they are
//! first needed, again behind the back of whoever asks when they are an hour old, and for a key that is not known, four times a
//! minute at most: so a key that an issuer changes is found, a stranger's made-up key ids don't become its load, and an issuer that
//! hangs holds nobody up whose key is known.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::jwk::{Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::Value;
use tokio::sync::OwnedMutexGuard;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use waypost_core::ids::Moment;

use super::Issuer;
use super::fetch::Fetcher;
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

/// Longest `sub`, by the specification.
const LONGEST_SUBJECT: usize = 255;

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
    /// Its key is not known, and the issuer was asked so often that it is not asked again before so much time.
    TooSoon(String, Duration),
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
            Refused::TooSoon(issuer, wait) => {
                let seconds = wait.as_secs() + 1;
                let why = format!(
                    "the key of the token is none that is known of issuer {issuer}, which was asked for new ones {ATTEMPTS} times within \
                     {} s and is not asked again for {seconds} s",
                    IN.as_secs()
                );
                Self::new(Code::IssuerSilent, why).retry_after(seconds)
            }
        }
    }
}

/// The issuers that a site trusts.
pub(super) struct Issuers(Vec<Arc<Trusted>>);

struct Trusted {
    issuer: Issuer,
    keys: Mutex<Keys>,
    /// Held while they are fetched, so that it is done once for all who wait for it.
    turn: Arc<tokio::sync::Mutex<()>>,
}

#[derive(Default)]
struct Keys {
    keys: Vec<Jwk>,
    /// When they were asked for.
    fetched: Option<Instant>,
    /// When the last few attempts began.
    tried: VecDeque<Instant>,
    trouble: String,
}

impl Keys {
    /// A key that is still good.
    fn known(&self, id: Option<&str>, now: Instant) -> Option<Jwk> {
        let good = self.fetched.is_some_and(|at| now.saturating_duration_since(at) < KEPT);
        good.then(|| pick(&self.keys, id)).flatten()
    }

    fn asked_since(&self, then: Instant) -> bool {
        self.tried.back().is_some_and(|at| *at >= then)
    }

    fn may_ask(&mut self, now: Instant) -> bool {
        self.tried.retain(|at| now.saturating_duration_since(*at) < IN);
        self.tried.len() < ATTEMPTS
    }

    /// How long until it may be asked again.
    fn wait(&self, now: Instant) -> Duration {
        self.tried.front().map_or(Duration::ZERO, |at| (*at + IN).saturating_duration_since(now))
    }
}

impl Issuers {
    pub(super) fn new(issuers: &[Issuer]) -> Self {
        let trusted =
            |issuer: &Issuer| Trusted { issuer: issuer.clone(), keys: Mutex::default(), turn: Arc::default() };
        Self(issuers.iter().map(|issuer| Arc::new(trusted(issuer))).collect())
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
    async fn caller(self: &Arc<Self>, text: &str) -> Result<Caller, Refused> {
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
        wanted.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
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
        // Where it is no time, it was not looked at.
        if claims.get("nbf").is_some_and(|nbf| seconds(nbf).is_none()) {
            return Err(worthless("has an nbf that is no time"));
        }
        let until = claims.get("exp").and_then(seconds).ok_or_else(|| worthless("has an exp that is no time"))?;
        let until = Moment(until.saturating_add(LEEWAY.as_secs()).saturating_mul(1000));
        let subject = claims.get("sub").and_then(Value::as_str).filter(|sub| is_plain(sub, LONGEST_SUBJECT));
        let subject = subject.ok_or_else(|| worthless("has a sub that is none"))?;
        self.granted(&claims, subject, until)
    }

    /// Whom a good token stands for. Its `sub` says who that is: the name is what the site wants to read, and an issuer may let
    /// people choose theirs.
    fn granted(&self, claims: &Value, subject: &str, until: Moment) -> Result<Caller, Refused> {
        let issuer = &self.issuer;
        let nobody = |why: String| Refused::Nobody(format!("the token of {} is good, but {why}", issuer.name));
        let name = claim(claims, &issuer.name_claim).and_then(Value::as_str);
        let name = name
            .filter(|name| is_plain(name, LONGEST_NAME))
            .ok_or_else(|| nobody(format!("{} in it is no name", issuer.name_claim)))?;
        let values: Vec<&str> = match claim(claims, &issuer.role_claim) {
            Some(Value::String(one)) => vec![one],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => Vec::new(),
        };
        let fitting = issuer.grants.iter().filter(|grant| values.contains(&grant.value.as_str()));
        let granted: Vec<_> = fitting.map(|grant| (grant.role, grant.scope.clone())).collect();
        if granted.is_empty() {
            return Err(nobody(format!("nothing in its {} grants a role", issuer.role_claim)));
        }
        let proof = Proof::Issuer { issuer: issuer.name.clone(), subject: subject.to_owned() };
        let name = format!("{}:{name}", issuer.name);
        Ok(Caller::granted(name, &granted, proof).until(Some(until)))
    }

    /// The key of that id; of an issuer with one key, also for a token that names none. Who has a known one waits for nobody: what is
    /// not as good as new any more is fetched behind its back.
    async fn key(self: &Arc<Self>, id: Option<&str>) -> Result<Option<Jwk>, Refused> {
        let asked = Instant::now();
        let known = self.kept().known(id, asked);
        if let Some(known) = known {
            self.keep_fresh(asked);
            return Ok(Some(known));
        }
        let turn = Arc::clone(&self.turn).lock_owned().await;
        let (answered, may_ask) = {
            let mut kept = self.kept();
            let now = Instant::now();
            (kept.asked_since(asked), kept.may_ask(now))
        };
        // Whoever fetched them while this one waited did it for this one too.
        if !answered && may_ask {
            // To its end, also when the client goes away: others wait for the same.
            let _ = self.fetch_with(turn).await;
        }
        let kept = self.kept();
        let now = Instant::now();
        if let Some(known) = kept.known(id, now) {
            return Ok(Some(known));
        }
        let name = self.issuer.name.clone();
        match (kept.fetched, answered || may_ask) {
            (Some(at), _) if at >= asked => Ok(None),
            // It may be a new one: nobody is called a forger because others used up the questions.
            (Some(at), false) if at + KEPT > now => Err(Refused::TooSoon(name, kept.wait(now))),
            _ => Err(Refused::Silent(name, kept.trouble.clone())),
        }
    }

    /// Has keys that are not as good as new fetched, unless somebody does so already.
    fn keep_fresh(self: &Arc<Self>, now: Instant) {
        let due = {
            let mut kept = self.kept();
            kept.fetched.is_none_or(|at| now.saturating_duration_since(at) >= FRESH) && kept.may_ask(now)
        };
        let Some(turn) = due.then(|| Arc::clone(&self.turn).try_lock_owned().ok()).flatten() else { return };
        drop(self.fetch_with(turn));
    }

    fn fetch_with(self: &Arc<Self>, turn: OwnedMutexGuard<()>) -> JoinHandle<()> {
        let trusted = Arc::clone(self);
        tokio::spawn(async move {
            trusted.refresh().await;
            drop(turn);
        })
    }

    async fn refresh(&self) {
        let began = Instant::now();
        self.kept().tried.push_back(began);
        let fetched = self.fetch().await;
        let mut kept = self.kept();
        match fetched {
            Ok(keys) => {
                kept.keys = keys;
                kept.fetched = Some(began);
            }
            Err(why) => {
                tracing::warn!(issuer = self.issuer.name, why, "the keys of an issuer can't be fetched");
                kept.trouble = why;
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Keys> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Whether it is a short text on one line.
fn is_plain(text: &str, longest: usize) -> bool {
    !text.is_empty() && text.chars().count() <= longest && !text.chars().any(char::is_control)
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

/// A time in seconds since 1970, which may have a fraction; none where it is no such time.
fn seconds(claim: &Value) -> Option<u64> {
    const END: f64 = u64::MAX as f64;
    let rounded = |seconds: f64| (0.0..END).contains(&seconds).then_some(seconds as u64);
    claim.as_u64().or_else(|| claim.as_f64().and_then(rounded))
}

/// A claim, or one inside of another: `realm_access.roles`.
fn claim<'c>(claims: &'c Value, name: &str) -> Option<&'c Value> {
    claims.get(name).or_else(|| name.split('.').try_fold(claims, |inside, part| inside.get(part)))
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;
    use serde_json::json;

    use super::*;

    fn key(id: &str) -> Jwk {
        serde_json::from_value(json!({"kty": "oct", "kid": id, "k": "AA"})).unwrap()
    }

    #[test]
    fn a_claim_is_found_by_its_name_or_by_its_way() {
        let claims = json!({"groups": ["a"], "x.y": 1, "x": {"y": 2}, "realm_access": {"roles": ["b"]}});
        assert_eq!(claim(&claims, "realm_access.roles"), Some(&json!(["b"])));
        assert_eq!(claim(&claims, "x.y"), Some(&json!(1)));
        assert_eq!(claim(&claims, "groups.a"), None);
    }

    #[test]
    fn a_time_is_a_number_of_seconds_with_or_without_a_fraction() {
        assert_eq!(
            (seconds(&json!(1_700_000_000)), seconds(&json!(1.7e9 + 0.5))),
            (Some(1_700_000_000), Some(1_700_000_000))
        );
        assert_eq!(seconds(&json!(u64::MAX)), Some(u64::MAX));
        for wrong in [json!(-1), json!(-0.5), json!(1e300), json!("1700000000"), json!(null), json!([1])] {
            assert_eq!(seconds(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn keys_are_good_for_a_day_and_asked_for_so_often_in_a_minute() {
        let start = Instant::now();
        let mut keys = Keys { keys: vec![key("1")], fetched: Some(start), ..Keys::default() };
        assert!(keys.known(Some("1"), start).is_some() && keys.known(Some("2"), start).is_none());
        assert!(keys.known(None, start).is_some(), "there is only one");
        assert!(keys.known(Some("1"), start + KEPT).is_none());
        for _ in 0..ATTEMPTS {
            assert!(keys.may_ask(start));
            keys.tried.push_back(start);
        }
        assert!(!keys.may_ask(start) && keys.asked_since(start) && !keys.asked_since(start + IN));
        assert_eq!(keys.wait(start + Duration::from_secs(20)), Duration::from_secs(40));
        assert!(keys.may_ask(start + IN));
    }

    #[test]
    fn who_has_a_known_key_waits_for_no_issuer() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let hour_ago = Instant::now().checked_sub(FRESH).unwrap();
            let issuer = Issuer {
                name: "corp".into(),
                url: "https://localhost:1".into(),
                audience: "waypost".into(),
                ca_file: None,
                name_claim: "sub".into(),
                role_claim: "groups".into(),
                grants: Vec::new(),
            };
            let keys = Keys { keys: vec![key("1")], fetched: Some(hour_ago), ..Keys::default() };
            let trusted = Arc::new(Trusted { issuer, keys: Mutex::new(keys), turn: Arc::default() });
            // As while somebody asks an issuer that hangs.
            let turn = Arc::clone(&trusted.turn).lock_owned().await;
            assert!(matches!(trusted.key(Some("1")).now_or_never(), Some(Ok(Some(_)))));
            assert!(trusted.key(Some("2")).now_or_never().is_none());
            drop(turn);
            assert!(matches!(trusted.key(Some("1")).now_or_never(), Some(Ok(Some(_)))));
            assert!(trusted.turn.try_lock().is_err(), "what is an hour old is fetched behind its back");
        });
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
