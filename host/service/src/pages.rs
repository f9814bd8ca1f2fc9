//! The pages: the dashboard at `/`, and the module with its elements for pages of others. They are in the program, so that
//! there is nothing to install and nothing that could be of another version; they ask for everything over `/api/v1`, as any
//! client does.

use std::sync::LazyLock;

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use sha2::{Digest as _, Sha256};

use crate::service::Service;

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Page {
    path: &'static str,
    kind: &'static str,
    bytes: &'static [u8],
    /// Its digest, quoted: a browser that has it gets an empty answer.
    tag: LazyLock<HeaderValue, fn() -> HeaderValue>,
}

macro_rules! pages {
    ($($name:ident: $path:literal, $file:literal, $kind:literal;)*) => {
        $(static $name: Page = Page {
            path: $path,
            kind: $kind,
            bytes: include_bytes!(concat!("../web/dist/", $file)),
            tag: LazyLock::new(|| tag(include_bytes!(concat!("../web/dist/", $file)))),
        };)*
        static PAGES: &[&Page] = &[$(&$name),*];
    };
}

pages! {
    INDEX: "/", "index.html", "text/html; charset=utf-8";
    MODULE: "/waypost.js", "waypost.js", "text/javascript; charset=utf-8";
    STYLE: "/dashboard.css", "dashboard.css", "text/css; charset=utf-8";
    ICON: "/waypost.svg", "waypost.svg", "image/svg+xml";
    NOTICES: "/third-party.txt", "third-party.txt", "text/plain; charset=utf-8";
}

fn tag(bytes: &[u8]) -> HeaderValue {
    let digest: String = Sha256::digest(bytes).iter().take(16).map(|byte| format!("{byte:02x}")).collect();
    // Hexadecimal digits can stand in a header.
    HeaderValue::from_str(&format!("\"{digest}\"")).unwrap_or(HeaderValue::from_static("\"\""))
}

/// Their routes.
pub(crate) fn routes() -> Router<Service> {
    PAGES.iter().fold(Router::new(), |router, page| {
        router.route(page.path, get(async move |asked: HeaderMap| page.answer(&asked)))
    })
}

impl Page {
    fn answer(&self, asked: &HeaderMap) -> Response {
        let tag = &*self.tag;
        let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag);
        let mut response = match known {
            true => StatusCode::NOT_MODIFIED.into_response(),
            false => self.bytes.into_response(),
        };
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(self.kind));
        headers.insert(header::ETAG, tag.clone());
        // Kept, and asked after each time: a new version of the program is a new page at once.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
        headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
        response
    }
}
