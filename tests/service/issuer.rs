//! Tokens of an OpenID Connect issuer, which runs here: its document, its keys, and what it signs.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rcgen::KeyPair;
use serde_json::{Value, json};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};
use waypost::core::access::{Role, Scope};
use waypost::service::access::{Grant, Issuer};
use waypost::service::{Access, Limits};

use super::support::{Authority, Kept, OnPort};

/// A key of the issuer's, with its id.
struct Key {
    id: String,
    pair: KeyPair,
}

impl Key {
    fn new(id: &str) -> Self {
        Self { id: id.to_owned(), pair: KeyPair::generate().unwrap() }
    }

    fn published(&self) -> Value {
        // An uncompressed point: a byte that says so, and two coordinates.
        let point = self.pair.public_key_raw();
        let (x, y) = (URL_SAFE_NO_PAD.encode(&point[1..33]), URL_SAFE_NO_PAD.encode(&point[33..]));
        json!({"kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": self.id, "x": x, "y": y})
    }

    fn sign(&self, claims: &Value) -> String {
        let header = Header { kid: Some(self.id.clone()), ..Header::new(Algorithm::ES256) };
        encode(&header, claims, &EncodingKey::from_ec_der(&self.pair.serialize_der())).unwrap()
    }
}

/// A key of RSA, which is what most providers sign with unless they are told otherwise. It is published without the kind of signature,
/// as some do.
struct Rsa {
    published: Value,
    key: EncodingKey,
}

impl Rsa {
    fn new() -> Self {
        let der = PrivatePkcs1KeyDer::from_pem_slice(include_bytes!("issuer/rsa.pem")).unwrap();
        let published = serde_json::from_str(include_str!("issuer/rsa.jwk.json")).unwrap();
        Self { published, key: EncodingKey::from_rsa_der(der.secret_pkcs1_der()) }
    }

    fn sign(&self, algorithm: Algorithm, claims: &Value) -> String {
        encode(&Header { kid: Some("rsa".into()), ..Header::new(algorithm) }, claims, &self.key).unwrap()
    }
}

/// The issuer: what it publishes, and how often it was asked for its keys.
struct Published {
    url: String,
    keys: Arc<Mutex<Vec<Value>>>,
    asked: Arc<AtomicUsize>,
}

impl Published {
    /// Answers for as long as the test runs.
    fn start(authority: &Authority) -> Self {
        let (certificate, key) = authority.sign("issuer", "issuer", &["localhost"]);
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![CertificateDer::from_pem_file(certificate).unwrap()],
                PrivateKeyDer::from_pem_file(key).unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://localhost:{}/realm", listener.local_addr().unwrap().port());
        let (keys, asked) = (Arc::new(Mutex::new(Vec::new())), Arc::new(AtomicUsize::new(0)));
        let published = Self { url: url.clone(), keys: Arc::clone(&keys), asked: Arc::clone(&asked) };
        let config = Arc::new(config);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = BufReader::new(StreamOwned::new(connection, stream.unwrap()));
                let mut first = String::new();
                let mut line = String::new();
                // A client that does not like the certificate goes away here.
                while stream.read_line(&mut line).is_ok_and(|read| read > 2) {
                    if first.is_empty() {
                        first.clone_from(&line);
                    }
                    line.clear();
                }
                let body = if first.starts_with("GET /realm/.well-known/openid-configuration ") {
                    json!({"issuer": url, "jwks_uri": format!("{url}/keys")})
                } else if first.starts_with("GET /realm/keys ") {
                    asked.fetch_add(1, Ordering::SeqCst);
                    json!({"keys": *keys.lock().unwrap()})
                } else {
                    continue;
                };
                let body = body.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
                let mut stream = stream.into_inner();
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body.as_bytes()));
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        published
    }

    fn publish(&self, keys: &[&Key]) {
        let mut all = vec![json!({"kty": "of another time", "kid": "new"})];
        all.extend(keys.iter().map(|key| key.published()));
        *self.keys.lock().unwrap() = all;
    }

    fn publish_too(&self, key: &Value) {
        self.keys.lock().unwrap().push(key.clone());
    }

    fn trusted(&self, authority: &Authority) -> Access {
        let grant = |value: &str, role| Grant { value: value.into(), role, scope: Scope::default() };
        let issuer = Issuer {
            name: "corp".into(),
            url: self.url.clone(),
            audience: "waypost".into(),
            ca_file: Some(authority.path("ca.pem")),
            name_claim: "preferred_username".into(),
            role_claim: "realm_access.roles".into(),
            grants: vec![grant("staff", Role::Viewer), grant("ops", Role::Operator)],
        };
        Access { issuers: vec![issuer], ..Access::default() }
    }

    /// Claims that are good, with these instead; null: without it.
    fn claims(&self, instead: Value) -> Value {
        let now = now();
        let mut claims = json!({
            "iss": self.url, "aud": ["other", "waypost"], "sub": "1", "preferred_username": "anna",
            "exp": now + 300, "nbf": now - 10, "realm_access": {"roles": ["staff", "ops"]},
        });
        for (key, value) in instead.as_object().unwrap() {
            match value {
                Value::Null => drop(claims.as_object_mut().unwrap().remove(key)),
                value => claims[key] = value.clone(),
            }
        }
        claims
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

#[test]
fn an_issuer_vouches_for_whom_it_knows_and_nobody_else_does() {
    let authority = Authority::new();
    let issuer = Published::start(&authority);
    let key = Key::new("1");
    issuer.publish(&[&key]);
    let access = issuer.trusted(&authority);
    access.check().unwrap();
    let service = OnPort::with(authority, Limits::default(), access, |listen| listen);
    let client = service.client();
    let token = |instead: Value| key.sign(&issuer.claims(instead));

    let good = token(json!({}));
    let me = client.get("/session", &good).json(200);
    assert_eq!((&me["name"], &me["role"]), (&json!("corp:anna"), &json!("operator")));
    client.post("/tasks", &good, &json!({"domain": "g1", "to": "b"})).json(202);
    let audit = client.get("/audit", &service.admin()).json(200);
    assert_eq!(audit["entries"][0]["proof"], "issuer corp, subject 1");
    let looker = token(json!({"realm_access": {"roles": "staff"}}));
    assert_eq!(client.get("/session", &looker).json(200)["role"], "viewer");
    client.post("/tasks", &looker, &json!({"domain": "off", "to": "b"})).problem(403, "role-missing");
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1, "keys are fetched once");

    for (instead, said) in [
        (json!({"exp": now() - 31}), "has expired"),
        (json!({"nbf": now() + 100}), "is not good yet"),
        (json!({"aud": "other"}), "is for another service"),
        (json!({"aud": null}), "aud"),
        (json!({"exp": null}), "exp"),
        (json!({"exp": "tomorrow"}), "exp"),
        (json!({"sub": null}), "has no sub"),
        (json!({"sub": 7}), "has no sub"),
        (json!({"sub": ""}), "has a sub that is none"),
        (json!({"sub": "a\nb"}), "has a sub that is none"),
        (json!({"sub": "x".repeat(256)}), "has a sub that is none"),
        (json!({"nbf": "yesterday"}), "has an nbf that is no time"),
        (json!({"nbf": 1e300}), "has an nbf that is no time"),
    ] {
        let refused = client.get("/session", &token(instead)).problem(401, "bad-token");
        assert!(refused["detail"].as_str().unwrap().contains(said), "{said}: {refused}");
    }
    // Fractions of a second are in the specification, and a time that never comes overflows nothing.
    for exp in [json!(now() as f64 + 300.5), json!(u64::MAX)] {
        client.get("/session", &token(json!({"exp": exp}))).json(200);
    }
    for nobody in [
        json!({"realm_access": {"roles": ["guests"]}}),
        json!({"realm_access": null}),
        json!({"preferred_username": 7}),
    ] {
        client.get("/session", &token(nobody)).problem(403, "role-missing");
    }
}

#[test]
fn each_of_several_groups_grants_what_it_says_and_all_together_no_more() {
    let authority = Authority::new();
    let issuer = Published::start(&authority);
    let key = Key::new("1");
    issuer.publish(&[&key]);
    let mut access = issuer.trusted(&authority);
    let of = |domain: &str| Scope { domains: vec![domain.into()], ..Scope::default() };
    for domain in ["g1", "g3"] {
        let grant = Grant { value: format!("{domain}-team"), role: Role::Operator, scope: of(domain) };
        access.issuers[0].grants.push(grant);
    }
    let service = OnPort::with(authority, Limits::default(), access, |listen| listen);
    let client = service.client();
    let token = key.sign(&issuer.claims(json!({"realm_access": {"roles": ["guests", "staff", "g1-team", "g3-team"]}})));
    let me = client.get("/session", &token).json(200);
    let operator = json!({"role": "operator", "permissions": ["look", "move"], "hosts": [], "domains": ["g1", "g3"]});
    let viewer = json!({"role": "viewer", "permissions": ["look"], "hosts": [], "domains": []});
    assert_eq!(me["grants"], json!([operator, viewer]));
    // Whoever has all of them looks at everything, and moves what the teams may.
    client.post("/checks", &token, &json!({"domain": "g2", "to": ["b"]})).json(200);
    client.post("/tasks", &token, &json!({"domain": "g2", "to": "b"})).problem(403, "out-of-scope");
    client.post("/tasks", &token, &json!({"domain": "g1", "to": "b"})).json(202);
}

#[test]
fn two_subjects_with_one_name_share_neither_keys_nor_a_bucket_nor_sessions() {
    let authority = Authority::new();
    let issuer = Published::start(&authority);
    let key = Key::new("1");
    issuer.publish(&[&key]);
    let access = issuer.trusted(&authority);
    // One request a second comes back into each bucket, and both are far from empty.
    let limits = Limits { requests_per_second: 1, request_burst: 4000, ..Limits::default() };
    let service = OnPort::with(authority, limits, access, |listen| listen);
    let client = service.client();
    let token =
        |subject: &str, name: &str| key.sign(&issuer.claims(json!({"sub": subject, "preferred_username": name})));
    let (one, two, renamed) = (token("1", "anna"), token("2", "anna"), token("1", "anne"));
    for both in [&one, &two] {
        assert_eq!(client.get("/session", both).json(200)["name"], "corp:anna");
    }
    let make = |token: &str, domain: &str| {
        let headers = ["Idempotency-Key: move-1", &format!("Authorization: Bearer {token}")];
        client.ask("POST", "/api/v1/tasks", &headers, &json!({"domain": domain, "to": "b"}).to_string())
    };
    let first = make(&one, "g1").json(202)["id"].clone();
    let second = make(&two, "g2").json(202)["id"].clone();
    assert_ne!(first, second);
    assert_eq!(make(&one, "g1").json(202)["id"], first);
    assert_eq!(make(&two, "g2").json(202)["id"], second);
    // Whoever is given another name is the same one, and finds what was made.
    assert_eq!(make(&renamed, "g1").json(202)["id"], first);
    assert_eq!(make(&two, "g1").problem(422, "key-reused")["task"], second);

    // What is left of a bucket. Of one for both the second to ask would be told one less than the first, or more.
    let left = |token: &str| -> u32 {
        let back = client.get("/session", token);
        let said = back.header("ratelimit").unwrap();
        said.split("r=").nth(1).and_then(|rest| rest.split(';').next()).unwrap().parse().unwrap()
    };
    for _ in 0..100 {
        client.get("/session", &one).json(200);
    }
    let (theirs, own, other_name) = (left(&two), left(&one), left(&renamed));
    assert!(theirs > own + 2 && theirs > other_name + 2, "{theirs} {own} {other_name}");

    // The seventeenth session of one ends its own first, and none of the other's.
    let session = |token: &str| {
        service.clock.go_ahead(Duration::from_secs(1));
        let begun = client.connect_and_begin(token);
        let (_, rest) = begun.split_once("__Host-waypost=").unwrap();
        format!("Cookie: __Host-waypost={}", rest.split(';').next().unwrap())
    };
    let kept = session(&two);
    let own: Vec<String> = (0..17).map(|n| session(if n % 2 == 0 { &one } else { &renamed })).collect();
    let ask = |cookie: &String| client.ask("GET", "/api/v1/session", &[cookie], "").status;
    assert_eq!((ask(&kept), ask(&own[0]), ask(&own[16])), (200, 401, 200));
}

#[test]
fn what_is_forged_is_told_from_what_was_signed_and_made_up_keys_are_not_looked_for_long() {
    let authority = Authority::new();
    let issuer = Published::start(&authority);
    let key = Key::new("1");
    issuer.publish(&[&key]);
    let access = issuer.trusted(&authority);
    let service = OnPort::with(authority, Limits::default(), access, |listen| listen);
    let client = service.client();
    let claims = issuer.claims(json!({}));
    let good = key.sign(&claims);
    client.get("/session", &good).json(200);

    // Another key of the same id; a body that was changed; no signature at all; the public key taken for a shared secret.
    let stranger = Key::new("1").sign(&claims);
    let parts: Vec<&str> = good.split('.').collect();
    let more = URL_SAFE_NO_PAD.encode(issuer.claims(json!({"preferred_username": "root"})).to_string());
    let changed = format!("{}.{more}.{}", parts[0], parts[2]);
    let none = format!("{}.{}.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none","kid":"1"}"#), parts[1]);
    let shared = EncodingKey::from_secret(key.pair.public_key_raw());
    let header = Header { kid: Some("1".into()), ..Header::new(Algorithm::HS256) };
    let confused = encode(&header, &claims, &shared).unwrap();
    let elsewhere = key.sign(&issuer.claims(json!({"iss": "https://evil.example"})));
    for forged in [&stranger, &changed, &none, &confused, &elsewhere] {
        client.get("/session", forged).problem(401, "bad-token");
    }
    // The issuer has a new key, and takes the old one away.
    let newer = Key::new("2");
    issuer.publish(&[&newer]);
    client.get("/session", &newer.sign(&claims)).json(200);
    client.get("/session", &good).problem(401, "bad-token");
    // So often it is asked, and then nobody knows whether a key is made up or new.
    let unsettled = (0..8).find_map(|n| {
        let back = client.get("/session", &Key::new(&format!("made-up-{n}")).sign(&claims));
        (back.status != 401).then_some(back)
    });
    let unsettled = unsettled.expect("it is not asked for ever");
    let problem = unsettled.problem(503, "issuer-silent");
    assert!(problem["detail"].as_str().unwrap().contains("was asked for new ones 4 times within 60 s"), "{problem}");
    let wait: u64 = unsettled.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    let asked = issuer.asked.load(Ordering::SeqCst);
    assert!((2..=4).contains(&asked), "{asked}");
    // Whoever forges from the same address shuts nobody out: not whom the issuer vouches for, and no token of the service's own.
    for _ in 0..12 {
        client.get("/session", &Key::new("2").sign(&claims)).problem(401, "bad-token");
    }
    client.get("/session", &newer.sign(&claims)).json(200);
    client.get("/session", &service.admin()).json(200);
}

#[test]
fn a_provider_that_signs_with_rsa_is_taken_and_its_public_key_is_no_secret_to_sign_with() {
    let authority = Authority::new();
    let issuer = Published::start(&authority);
    let (curve, rsa) = (Key::new("1"), Rsa::new());
    issuer.publish(&[&curve]);
    issuer.publish_too(&rsa.published);
    let access = issuer.trusted(&authority);
    let service = OnPort::with(authority, Limits::default(), access, |listen| listen);
    let client = service.client();
    let claims = issuer.claims(json!({}));
    for algorithm in [Algorithm::RS256, Algorithm::RS384, Algorithm::PS256] {
        let me = client.get("/session", &rsa.sign(algorithm, &claims)).json(200);
        assert_eq!((&me["name"], &me["role"]), (&json!("corp:anna"), &json!("operator")), "{algorithm:?}");
    }
    // Both keys are good beside each other.
    client.get("/session", &curve.sign(&claims)).json(200);

    // Everybody has the public key: whoever signs with it as a shared secret, in whatever form, has proven nothing.
    let n = rsa.published["n"].as_str().unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(n).unwrap();
    let whole = rsa.published.to_string();
    for secret in [n.as_bytes(), &modulus, whole.as_bytes()] {
        for algorithm in [Algorithm::HS256, Algorithm::HS384, Algorithm::HS512] {
            let header = Header { kid: Some("rsa".into()), ..Header::new(algorithm) };
            let confused = encode(&header, &claims, &EncodingKey::from_secret(secret)).unwrap();
            client.get("/session", &confused).problem(401, "bad-token");
        }
    }
    // Signed well, and said to be signed otherwise; and one key's signature under the other's name.
    let good = rsa.sign(Algorithm::RS256, &claims);
    let (_, rest) = good.split_once('.').unwrap();
    let other_kind = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"HS256","kid":"rsa"}"#));
    let other_key = format!("{}.{rest}", URL_SAFE_NO_PAD.encode(r#"{"alg":"RS256","kid":"1"}"#));
    for forged in [&other_kind, &other_key] {
        client.get("/session", forged).problem(401, "bad-token");
    }
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 1, "all of these keys are known");
    client.get("/session", &good).json(200);
}

#[test]
fn a_stream_ends_with_the_issuers_token() {
    let authority = Authority::new();
    let issuer = Published::start(&authority);
    let key = Key::new("1");
    issuer.publish(&[&key]);
    let access = issuer.trusted(&authority);
    let limits = Limits { heartbeat: Duration::from_millis(50), ..Limits::default() };
    let service = OnPort::with(authority, limits, access, |listen| listen);
    // Good by the machine's clock, by which the signature is judged, and by the service's, which is turned.
    let decade = 10 * 366 * 24 * 3600;
    let streams = [300, 10 * decade].map(|lasts| {
        let token = key.sign(&issuer.claims(json!({"exp": now() + lasts})));
        Kept::listening(&service.client(), "/events", &[&format!("Authorization: Bearer {token}")])
    });
    service.clock.go_ahead(Duration::from_secs(5 * decade));
    let [ended, mut other] = streams;
    ended.ends();
    other.goes_on();
}

#[test]
fn an_issuer_that_does_not_answer_or_that_nobody_vouches_for_is_said() {
    let (authority, other) = (Authority::new(), Authority::new());
    let issuer = Published::start(&other);
    let key = Key::new("1");
    issuer.publish(&[&key]);
    // Its certificate is of an authority that the site does not know for it.
    let access = issuer.trusted(&authority);
    let service = OnPort::with(authority, Limits::default(), access, |listen| listen);
    let client = service.client();
    let back = client.get("/session", &key.sign(&issuer.claims(json!({}))));
    let silent = back.problem(503, "issuer-silent");
    assert!(silent["cause"].as_str().unwrap().contains("certificate"), "{silent}");
    assert_eq!(back.header("retry-after"), Some("1"));
    // Who has a token of the service itself is not bothered.
    client.get("/session", &service.admin()).json(200);
    assert_eq!(issuer.asked.load(Ordering::SeqCst), 0);
    let nowhere = issuer.trusted(&Authority::new());
    assert!(nowhere.check().is_err(), "a file that is gone");
}
