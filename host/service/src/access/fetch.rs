//! One small document over https, for the keys of issuers: no redirects, no proxies, a bound on time and size.

use std::path::Path;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use serde_json::Value;
use tokio_rustls::TlsConnector;

use crate::dial::dial;
use crate::trust;

/// From the name to the last byte.
const TIME: Duration = Duration::from_secs(10);

/// Of a document.
const MOST_BYTES: usize = 1 << 20;

/// Fetches documents from whoever certain authorities vouch for.
pub(super) struct Fetcher(TlsConnector);

impl Fetcher {
    /// With the authorities of a file, or those that this machine trusts.
    pub(super) fn new(ca_file: Option<&Path>) -> Result<Self, String> {
        trust::connector(ca_file).map(Self)
    }

    /// The JSON document at an https URL.
    pub(super) async fn json(&self, url: &str) -> Result<Value, String> {
        let fetched = tokio::time::timeout(TIME, self.fetch(url)).await;
        fetched.unwrap_or_else(|_| Err(format!("there is no answer within {} s", TIME.as_secs())))
    }

    async fn fetch(&self, url: &str) -> Result<Value, String> {
        let uri: Uri = url.parse().map_err(|error| format!("{url} is no URL: {error}"))?;
        let (Some("https"), Some(host)) = (uri.scheme_str(), uri.host()) else {
            return Err(format!("{url} is no https URL"));
        };
        let mut sender = dial(&uri, Some(&self.0)).await?;
        let authority = uri.authority().map_or(host, |authority| authority.as_str());
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::get(path)
            .header(header::HOST, authority)
            .header(header::ACCEPT, "application/json")
            .body(Body::empty())
            .map_err(|error| error.to_string())?;
        let response = sender.send_request(request).await.map_err(|error| error.to_string())?;
        if response.status() != StatusCode::OK {
            return Err(format!("it answers {}", response.status()));
        }
        let body = Limited::new(response.into_body(), MOST_BYTES).collect().await.map_err(|error| error.to_string())?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| format!("it is no JSON: {error}"))
    }
}
