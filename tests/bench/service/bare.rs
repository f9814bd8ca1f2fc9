//! What the service is compared with: an axum router with nothing behind it, over the same TLS, that answers the same bytes and
//! keeps as many streams, each of which is sent as much as often.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::get;
use bytes::Bytes;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

use super::program::Tls;

/// As often as a running transfer is read.
const EVERY: Duration = Duration::from_millis(250);

/// A server, until it is dropped.
pub struct Bare {
    pub address: SocketAddr,
    _runtime: Runtime,
}

impl Bare {
    /// Answers each path with its text.
    pub fn start(tls: &Tls, answers: &[(&str, String)]) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("a port");
        let address = listener.local_addr().expect("its address");
        let mut router =
            Router::new().route("/api/v1/events", get(async || Response::new(Body::from_stream(events()))));
        for (path, answer) in answers {
            let answer = Bytes::from(answer.clone());
            router = router.route(path, get(move || async move { json(Body::from(answer)) }));
        }
        runtime.spawn(serve(listener, TlsAcceptor::from(tls.server()), router));
        Self { address, _runtime: runtime }
    }
}

fn json(body: Body) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert("content-type", "application/json".parse().expect("a value"));
    response
}

fn events() -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + Send {
    let event = Bytes::from(format!("event: progress\ndata: \"{}\"\n\n", "x".repeat(500)));
    futures_util::stream::unfold((tokio::time::interval(EVERY), event), |(mut every, event)| async move {
        every.tick().await;
        Some((Ok(event.clone()), (every, event)))
    })
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, router: Router) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let (acceptor, router) = (acceptor.clone(), router.clone());
        tokio::spawn(async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                let service = TowerToHyperService::new(router);
                // A client that goes away in the middle is how a measurement ends.
                let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
            }
        });
    }
}
