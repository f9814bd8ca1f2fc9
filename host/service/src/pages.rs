//! The pages: the dashboard at `/`, and the module with its elements for pages of others. They are in the program, so that
//! there is nothing to install and nothing that could be of another version; they ask for everything over `/api/v1`, as any
//! client does.

use axum::Router;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use waypost_core::digest::sha256;

use crate::service::Service;

/// Nothing from elsewhere, nothing inline, in nobody's frame.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The elements. They are in every copy of the program and say nothing of this one, so that a page of any origin may load them; what
/// they may ask is another matter. All of them are in this one file.
const MODULE: &str = "/waypost.js";

/// Path, kind, bytes.
const PAGES: [(&str, &str, &[u8]); 8] = [
    ("/", "text/html; charset=utf-8", include_bytes!("../web/dist/index.html")),
    ("/login", "text/html; charset=utf-8", include_bytes!("../web/dist/login.html")),
    ("/login.js", "text/javascript; charset=utf-8", include_bytes!("../web/dist/login.js")),
    ("/login.css", "text/css; charset=utf-8", include_bytes!("../web/dist/login.css")),
    (MODULE, "text/javascript; charset=utf-8", include_bytes!("../web/dist/waypost.js")),
    ("/dashboard.css", "text/css; charset=utf-8", include_bytes!("../web/dist/dashboard.css")),
    ("/waypost.svg", "image/svg+xml", include_bytes!("../web/dist/waypost.svg")),
    ("/third-party.txt", "text/plain; charset=utf-8", include_bytes!("../web/dist/third-party.txt")),
];

/// Their routes.
pub(crate) fn routes() -> Router<Service> {
    PAGES.into_iter().fold(Router::new(), |router, (path, kind, bytes)| {
        // Its digest: a browser that has it gets an empty answer.
        let tag = format!("\"{}\"", &sha256(bytes)[..32]);
        router.route(path, get(async move |asked: HeaderMap| answer(&asked, path, kind, bytes, &tag)))
    })
}

fn answer(asked: &HeaderMap, path: &str, kind: &'static str, bytes: &'static [u8], tag: &str) -> Response {
    let known = asked.get(header::IF_NONE_MATCH).is_some_and(|known| known == tag);
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::ETAG, tag),
        // Kept, and asked after each time: a new version of the program is a new page at once.
        (header::CACHE_CONTROL, "no-cache"),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
    ];
    let mut response = match known {
        true => (StatusCode::NOT_MODIFIED, headers).into_response(),
        false => (headers, bytes).into_response(),
    };
    if path == MODULE {
        response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    }
    response
}
