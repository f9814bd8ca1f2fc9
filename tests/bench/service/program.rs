//! The program that is measured, on a port of this machine, and what it takes to ask it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use axum::body::Body;
use axum::http::{Request, Response};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

/// A certificate for this machine, and who vouches for it.
pub struct Tls {
    authority: String,
    certificate: String,
    key: String,
}

impl Tls {
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().expect("a key");
        let authority = params.self_signed(&key).expect("an authority").pem();
        let issuer = Issuer::new(params, key);
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned(), "127.0.0.1".to_owned()]).expect("names");
        let certificate = params.signed_by(&key, &issuer).expect("a certificate").pem();
        Self { authority, certificate, key: key.serialize_pem() }
    }

    pub fn client(&self) -> Arc<ClientConfig> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.as_bytes()).expect("PEM")).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }

    pub fn server(&self) -> Arc<ServerConfig> {
        let chain = vec![CertificateDer::from_pem_slice(self.certificate.as_bytes()).expect("PEM")];
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("PEM");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a pair");
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Arc::new(config)
    }
}

/// One request on a connection of its own, which lasts as long as what is answered beside the answer.
pub async fn send(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    request: Request<Body>,
) -> (Response<Incoming>, SendRequest<Body>) {
    let stream = TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(config).connect(name, stream).await.expect("a handshake");
    let (mut sender, connection) = handshake(TokioIo::new(stream)).await.expect("HTTP");
    tokio::spawn(connection);
    let response = sender.send_request(request).await.expect("an answer");
    (response, sender)
}

/// `waypost serve` over simulated hosts, until the last clone is dropped.
#[derive(Clone)]
pub struct Program {
    pub address: SocketAddr,
    pub token: String,
    tls: Arc<ClientConfig>,
    running: Arc<Running>,
}

struct Running {
    child: Child,
    _folder: TempDir,
}

impl Program {
    pub fn start(tls: &Tls, fleet: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("its mode");
        };
        write("fleet.toml", fleet);
        write("server.pem", &tls.certificate);
        write("server.key", &tls.key);
        write(
            "waypost.toml",
            "state_dir = 'state'\ncache_dir = 'cache'\n[service]\nlisten = '127.0.0.1:0'\nsocket = 'waypost.sock'\n\
             [service.tls]\ncertificate = 'server.pem'\nkey = 'server.key'\n\
             # All of them come from one address and are one caller.\n\
             [service.limits]\nrequests_per_second = 0\nconnections_of_one = 4096\n",
        );
        let mut child = command(folder.path(), &["serve"]).stderr(Stdio::piped()).spawn().expect("waypost runs");
        let mut lines = BufReader::new(child.stderr.take().expect("its notes"));
        let address = loop {
            let mut line = String::new();
            assert!(lines.read_line(&mut line).expect("a note") > 0, "it ended before it listened");
            if let Some((_, address)) = line.trim_end().split_once("listening on https://") {
                break address.parse().expect("an address");
            }
        };
        // Whatever else it says is read, so that it never waits for a reader.
        std::thread::spawn(move || lines.lines().map_while(Result::ok).for_each(|line| println!("  waypost: {line}")));
        let made = command(folder.path(), &["token", "create", "--name", "load", "--role", "operator"]).output();
        let made = made.expect("waypost runs");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let token = String::from_utf8_lossy(&made.stdout).trim().to_owned();
        Self { address, token, tls: tls.client(), running: Arc::new(Running { child, _folder: folder }) }
    }

    /// One request of `/api/v1` and its document.
    pub async fn ask(&self, method: &str, path: &str, body: &Value) -> Value {
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("host", "localhost")
            .header("authorization", format!("Bearer {}", self.token))
            .header("content-type", "application/json")
            .body(if body.is_null() { Body::empty() } else { Body::from(body.to_string()) })
            .expect("a request");
        let (response, _connection) = send(self.address, Arc::clone(&self.tls), request).await;
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("a body").to_bytes();
        let text = String::from_utf8_lossy(&bytes);
        assert!(status.is_success(), "{method} {path}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Memory that it holds right now, MiB.
    pub fn resident_mib(&self) -> f64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.running.child.id())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        let kib: f64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kib / 1024.0
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Its hosts are simulated and go with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(folder: &Path, words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_waypost"));
    command.current_dir(folder).args(["--sim", "fleet.toml"]).args(words).stdin(Stdio::null());
    command
}
