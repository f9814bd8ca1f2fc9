//! A program with pages and users of its own that has Waypost under a path of it: `cargo run --example axum_dashboard`, then log in
//! as anna with the password `example` (or as ben, who may only look). The hosts are simulated; over real ones it is
//! `Waypost::open(&Config::find(None)?)`.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::get;
use axum::{Extension, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use waypost::core::access::{Role, Scope};
use waypost::service::{Caller, Limits, Service};
use waypost::{Config, Pace, Waypost};

const FLEET: &str = r#"
host = [{ name = "kvm1" }, { name = "kvm2" }]
link = [{ between = ["kvm1", "kvm2"], bandwidth_mib_s = 100 }]
domain = [{ name = "web1", host = "kvm1", memory_mib = 4096 }, { name = "mail", host = "kvm2" }]
"#;

/// A page of this program: two elements of Waypost's among its own words.
const PAGE: &str = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Our machines</title>
<script type="module" src="/waypost/waypost.js"></script>
<h1>Our machines</h1>
<p>Whatever else we have to say. Waypost's own dashboard is <a href="/waypost/">here</a>.</p>
<waypost-hosts></waypost-hosts>
<waypost-migrations state="unfinished" compact></waypost-migrations>
</html>
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = tempfile::tempdir()?;
    let config =
        Config { state_dir: folder.path().join("state"), cache_dir: folder.path().join("cache"), ..Config::default() };
    let fleet = folder.path().join("fleet.toml");
    std::fs::write(&fleet, FLEET)?;
    let waypost = Waypost::builder().config(config).simulated(fleet, Pace::Real).open()?;
    let service = waypost.serve(Limits::default());

    // What Waypost answers goes through the same door as the rest.
    let app = Router::new()
        .route("/", get(async || Html(PAGE)))
        .route("/machines/busy", get(busy))
        .with_state(service.clone())
        .nest_service("/waypost", service.router())
        .layer(from_fn(logged_in));

    // Another port than the one of the examples: `PORT=0 cargo run --example axum_dashboard`.
    let port: u16 = std::env::var("PORT").ok().and_then(|port| port.parse().ok()).unwrap_or(8080);
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    println!("http://{}/", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let app = TowerToHyperService::new(app.clone());
        tokio::spawn(async move {
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), app).await {
                eprintln!("a connection ended early: {error}");
            }
        });
    }
}

/// This program's own door. What it knows of whoever asks becomes Waypost's [`Caller`], whose name stands in the records. What that
/// one may do is Waypost's to judge, by its role: a method says nothing, because a check is a POST that touches nothing.
async fn logged_in(mut request: Request, next: Next) -> Response {
    let Some((user, role)) = user(request.headers()) else {
        let how = [(header::WWW_AUTHENTICATE, "Basic realm=\"our machines\"")];
        return (StatusCode::UNAUTHORIZED, how, "Who are you?").into_response();
    };
    request.extensions_mut().insert(Caller::named(user).with(role, Scope::default()));
    next.run(request).await
}

/// Stands for whatever users the program has, and what they may do here.
fn user(headers: &HeaderMap) -> Option<(String, Role)> {
    let given = headers.get(header::AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let given = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
    let (name, password) = given.split_once(':')?;
    let role = match name {
        "anna" => Role::Operator,
        "ben" => Role::Viewer,
        _ => return None,
    };
    (password == "example").then(|| (name.to_owned(), role))
}

/// A route of this program that asks Waypost without any HTTP between.
async fn busy(State(service): State<Service>, Extension(caller): Extension<Caller>) -> String {
    format!("{} migrations are driven right now, {}\n", service.driven(), caller.name())
}
