//! The pages: served as they are in the repository, made of the sources that are there, under a policy that lets nothing else in.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use axum::body::Body;
use axum::http::{Request, StatusCode};
use http_body_util::BodyExt as _;
use sha2::{Digest as _, Sha256};

use super::support::{Site, TWO_HOSTS, in_virtual_time};

fn web() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("host/service/web")
}

fn asked(path: &str, tag: Option<&str>) -> Request<Body> {
    let request = Request::get(path);
    match tag {
        Some(tag) => request.header("if-none-match", tag),
        None => request,
    }
    .body(Body::empty())
    .unwrap()
}

#[test]
fn each_page_is_served_as_it_is_and_once() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, client) = site.serve();
        for (path, file, kind) in [
            ("/", "index.html", "text/html; charset=utf-8"),
            ("/login", "login.html", "text/html; charset=utf-8"),
            ("/login.js", "login.js", "text/javascript; charset=utf-8"),
            ("/login.css", "login.css", "text/css; charset=utf-8"),
            ("/waypost.js", "waypost.js", "text/javascript; charset=utf-8"),
            ("/dashboard.css", "dashboard.css", "text/css; charset=utf-8"),
            ("/waypost.svg", "waypost.svg", "image/svg+xml"),
            ("/third-party.txt", "third-party.txt", "text/plain; charset=utf-8"),
        ] {
            let answer = client.raw(asked(path, None)).await;
            let head = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
            let (tag, found) =
                (head("etag"), [head("content-type"), head("cache-control"), head("x-content-type-options")]);
            assert_eq!((answer.status(), found), (StatusCode::OK, [kind, "no-cache", "nosniff"].map(str::to_owned)));
            let policy = head("content-security-policy");
            assert!(policy.starts_with("default-src 'none'; ") && !policy.contains("unsafe"), "{policy}");
            let body = answer.into_body().collect().await.unwrap().to_bytes();
            assert!(body == fs::read(web().join("dist").join(file)).unwrap(), "{path}");
            let again = client.raw(asked(path, Some(&tag))).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
            assert!(again.into_body().collect().await.unwrap().to_bytes().is_empty());
        }
    });
}

#[test]
fn nothing_stands_inline_in_a_page() {
    for name in ["index.html", "login.html"] {
        let page = fs::read_to_string(web().join("dist").join(name)).unwrap();
        for inline in ["<style", "style=", "onclick", "onsubmit", "javascript:"] {
            assert!(!page.contains(inline), "{name}: {inline} is not let in by the policy");
        }
        assert!(page.matches("<script").count() == page.matches("<script type=\"module\" src=").count(), "{page}");
    }
}

/// As `npm run build` leaves it, found out without node.
#[test]
fn the_pages_are_made_of_the_sources_that_are_here() {
    let list = fs::read_to_string(web().join("dist/SHA256SUMS")).unwrap();
    let listed: BTreeMap<&str, &str> =
        list.lines().map(|line| line.split_once("  ").unwrap()).map(|(digest, path)| (path, digest)).collect();
    let apart = ["node_modules", "dev", "test", "README.md", ".gitignore", "dist/SHA256SUMS"];
    let mut found = BTreeMap::new();
    let mut folders = vec![web()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(web()).unwrap().to_str().unwrap().to_owned();
            if apart.contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let digest = Sha256::digest(fs::read(&path).unwrap());
                let hex = digest.iter().fold(String::new(), |mut hex, byte| {
                    write!(hex, "{byte:02x}").unwrap();
                    hex
                });
                found.insert(name, hex);
            }
        }
    }
    let found: BTreeMap<&str, &str> = found.iter().map(|(path, digest)| (path.as_str(), digest.as_str())).collect();
    assert!(found.len() > 20, "the sources were not found");
    assert_eq!(found, listed, "run npm run build in host/service/web, and commit dist");
}
