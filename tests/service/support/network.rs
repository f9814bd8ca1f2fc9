//! The service on a port of this machine, its certificates, and a plain client of it that may do everything wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc;
use std::thread::JoinHandle;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use waypost::core::access::{Ledger as _, Role, Scope};
use waypost::core::ids::Moment;
use waypost::service::access::tokens::{NewToken, mint};
use waypost::service::port::{ClientCertificates, Identity, Listen, Port};
use waypost::service::{Access, Limits};
use waypost_store::SqliteStore;

use super::{Site, TWO_HOSTS, VirtualClock, described};

/// An authority, and a folder for what it signs.
pub struct Authority {
    pub dir: TempDir,
    issuer: Issuer<'static, KeyPair>,
    certificate: String,
}

impl Authority {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap().pem();
        let dir = tempfile::Builder::new().prefix("waypost-tls-").tempdir().unwrap();
        let authority = Self { dir, issuer: Issuer::new(params, key), certificate };
        authority.write("ca.pem", &authority.certificate);
        authority
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Signs a certificate for these names, with a common name; answers the files with it and its key.
    pub fn sign(&self, file: &str, common_name: &str, names: &[&str]) -> (PathBuf, PathBuf) {
        self.sign_with(file, common_name, names, |_| {})
    }

    /// The same, with something else in it changed.
    pub fn sign_with(
        &self,
        file: &str,
        common_name: &str,
        names: &[&str],
        change: impl FnOnce(&mut CertificateParams),
    ) -> (PathBuf, PathBuf) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        params.distinguished_name.push(DnType::CommonName, common_name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let written = self.write(&format!("{file}.pem"), &certificate.pem());
        (written, self.write(&format!("{file}.key"), &key.serialize_pem()))
    }

    /// Writes a list of certificates that were taken back, by number, which is good until that year.
    pub fn take_back(&self, numbers: &[u64], until: i32) -> PathBuf {
        let revoked = |number: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*number),
            revocation_time: date_time_ymd(2020, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1_u64),
            issuing_distribution_point: None,
            revoked_certs: numbers.iter().map(revoked).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        self.write("crl.pem", &list.signed_by(&self.issuer).unwrap().pem().unwrap())
    }

    /// What a port of this machine needs.
    pub fn listen(&self) -> Listen {
        let (certificate, key) = self.sign("server", "server", &["localhost", "127.0.0.1"]);
        let address = "127.0.0.1:0".parse().unwrap();
        Listen { address, certificate, key, client_ca: None, client_crl: None, clients: ClientCertificates::Optional }
    }

    pub fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.certificate.as_bytes()).unwrap()).unwrap();
        roots
    }
}

/// A service on a port, in a thread of its own, until it is dropped.
pub struct OnPort {
    pub address: SocketAddr,
    pub authority: Authority,
    pub store: Arc<SqliteStore>,
    pub identity: Identity,
    pub clock: Arc<VirtualClock>,
    stop: Option<tokio::sync::oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl OnPort {
    pub fn start() -> Self {
        Self::with(Authority::new(), Limits::default(), Access::default(), |listen| listen)
    }

    pub fn with(authority: Authority, limits: Limits, access: Access, change: impl FnOnce(Listen) -> Listen) -> Self {
        let listen = change(authority.listen());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let site = Site::new(TWO_HOSTS).with_limits(limits.clone());
                let service = site.service().with_access(access);
                let port = Port::bind(&listen).unwrap();
                tell.send((port.address(), port.identity(), site.store(), site.clock())).unwrap();
                port.serve(&service, &limits, async { drop(stopped.await) }).await;
                service.drain(std::time::Duration::from_secs(1)).await;
            });
        });
        let (address, identity, store, clock) = told.recv().unwrap();
        Self { address, authority, store, identity, clock, stop: Some(stop), thread: Some(thread) }
    }

    /// A token; answers its id and the token.
    pub fn token(&self, name: &str, role: Role, scope: Scope, expires_at: Option<Moment>) -> (String, String) {
        let new = NewToken { name: name.into(), role, scope, expires_at };
        let (token, shown) = mint(new, "test", Moment(1)).unwrap();
        self.store.put_token(&token).unwrap();
        (token.id, shown)
    }

    pub fn admin(&self) -> String {
        self.token("admin", Role::Admin, Scope::default(), None).1
    }

    /// A client without a certificate.
    pub fn client(&self) -> Network {
        Network { address: self.address, roots: self.authority.roots(), certificate: None }
    }
}

impl Drop for OnPort {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let ended = thread.join();
            if !std::thread::panicking() {
                ended.unwrap();
            }
        }
    }
}

/// A client: one connection for each request.
pub struct Network {
    pub address: SocketAddr,
    pub roots: RootCertStore,
    pub certificate: Option<(PathBuf, PathBuf)>,
}

/// What came back.
#[derive(Debug)]
pub struct Back {
    pub status: u16,
    pub head: String,
    pub body: String,
}

impl Network {
    pub fn with_certificate(self, files: (PathBuf, PathBuf)) -> Self {
        Self { certificate: Some(files), ..self }
    }

    /// A connection, whose handshake is made with the first bytes.
    pub fn connect(&self) -> StreamOwned<ClientConnection, TcpStream> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let config = match &self.certificate {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => builder
                .with_client_auth_cert(
                    vec![CertificateDer::from_pem_file(certificate).unwrap()],
                    PrivateKeyDer::from_pem_file(key).unwrap(),
                )
                .unwrap(),
        };
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::new(config), name).unwrap();
        StreamOwned::new(connection, TcpStream::connect(self.address).unwrap())
    }

    /// Sends bytes as they are; none where the connection does not come to an answer.
    pub fn raw(&self, request: &str) -> Option<Back> {
        let mut stream = self.connect();
        // Who refuses a request before its end may be gone before all of it is sent, and has answered all the same.
        let _ = stream.write_all(request.as_bytes());
        let (mut connection, mut socket) = stream.into_parts();
        let mut bytes = Vec::new();
        while connection.read_tls(&mut socket).is_ok_and(|read| read > 0) && connection.process_new_packets().is_ok() {
            // Nothing more right now is an error here.
            let _ = connection.reader().read_to_end(&mut bytes);
        }
        Back::of(&bytes)
    }

    pub fn ask(&self, method: &str, path: &str, headers: &[&str], body: &str) -> Back {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        if !body.is_empty() {
            head.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
        }
        let back = self.raw(&format!("{head}\r\n{body}")).expect("an answer");
        let bare = path.split('?').next().unwrap_or(path);
        if let Some(operation) = described::operation(method, bare) {
            operation.permits(back.status);
        }
        back
    }

    /// Begins a session; answers what came back as it was.
    pub fn connect_and_begin(&self, token: &str) -> String {
        let mut stream = self.connect();
        let request = "POST /api/v1/session HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
        write!(stream, "{request}Authorization: Bearer {token}\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8(answer).unwrap()
    }

    /// A request of `/api/v1` with a token.
    pub fn get(&self, path: &str, token: &str) -> Back {
        self.ask("GET", &format!("/api/v1{path}"), &[&format!("Authorization: Bearer {token}")], "")
    }

    pub fn post(&self, path: &str, token: &str, body: &Value) -> Back {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.ask("POST", &format!("/api/v1{path}"), &[&format!("Authorization: Bearer {token}")], &body)
    }
}

impl Back {
    pub fn of(bytes: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Self { status, head: head.to_lowercase(), body: body.to_owned() })
    }

    /// Insists on a problem of that code.
    pub fn problem(&self, status: u16, code: &str) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        let body: Value = serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"));
        assert_eq!((&body["code"], &body["status"]), (&code.into(), &status.into()), "{self:?}");
        body
    }

    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{self:?}");
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The value of a header, its name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}
