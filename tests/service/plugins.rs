//! Policies over REST: uploaded, switched, given settings, by whoever may; and what is refused, each with its exact status.
//! One file, because every test of it needs the same site and the same few requests.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::Body;
use axum::http::{Method, Request};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use waypost::core::access::{Role, Scope};
use waypost::service::{Caller, Limits, Service};
use waypost::{Config, HostName, Pace, PluginName, Waypost};

use super::support::{Answer, Client, Program, TWO_HOSTS, command, guests, in_virtual_time};

/// Two simulated hosts and the shipped policies, with a state that outlives a service.
pub struct Site {
    dir: TempDir,
}

impl Site {
    pub fn new() -> Self {
        let dir = tempfile::Builder::new().prefix("waypost-plugins-").tempdir().unwrap();
        fs::write(dir.path().join("fleet.toml"), TWO_HOSTS).unwrap();
        Self { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Where uploads are put.
    pub fn folder(&self) -> PathBuf {
        self.path("state/simulated/plugins")
    }

    pub fn files(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    fn open(&self, said: &str) -> Waypost {
        let written = Config::parse(said, &self.path("waypost.toml")).unwrap();
        let config = Config {
            state_dir: self.path("state"),
            cache_dir: Path::new(env!("CARGO_TARGET_TMPDIR")).join("cli-cache"),
            plugin_folders: vec![command::shipped()],
            ..written
        };
        Waypost::builder().config(config).simulated(self.path("fleet.toml"), Pace::Virtual).open().unwrap()
    }

    pub fn serve(&self) -> (Waypost, Service, Client) {
        self.serve_with("", Limits::default())
    }

    fn serve_with(&self, said: &str, limits: Limits) -> (Waypost, Service, Client) {
        let waypost = self.open(said);
        let service = waypost.serve(limits);
        let client = Client::of(&service, "anna");
        (waypost, service, client)
    }
}

/// A request with whatever headers and body.
pub async fn ask(
    client: &Client,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: impl Into<Body>,
) -> Answer {
    let mut request = Request::builder().method(method).uri(format!("/api/v1/plugins{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    client.send(request.body(body.into()).unwrap()).await
}

pub const NEW: (&str, &str) = ("if-none-match", "*");
pub const WASM: (&str, &str) = ("content-type", "application/wasm");
pub const JSON: (&str, &str) = ("content-type", "application/json");

pub async fn upload(client: &Client, name: &str, condition: (&str, &str), file: Vec<u8>) -> Answer {
    ask(client, Method::PUT, &format!("/{name}"), &[WASM, condition], file).await
}

fn tag(answer: &Answer) -> String {
    answer.headers["etag"].to_str().unwrap().to_owned()
}

/// What the rules say of moving g1 to b: the messages of the blockers.
pub async fn blockers(client: &Client) -> Vec<String> {
    let checked = client.post("/checks", json!({"domain": "g1", "to": ["b"]})).await.expect(200).clone();
    let findings = checked["verdicts"][0]["findings"].as_array().unwrap().clone();
    let blockers = findings.iter().filter(|finding| finding["severity"] == "blocker");
    blockers.map(|finding| finding["message"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_uploaded_policy_judges_the_next_decision_until_it_is_deleted() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        assert_eq!(blockers(&anna).await, [] as [String; 0]);
        let first = guests::component(&guests::saying("not on a friday"));
        let made = upload(&anna, "friday", NEW, first.clone()).await;
        let body = made.expect(201).clone();
        let digest: String = Sha256::digest(&first).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            (&body["state"], &body["uploaded"], &body["enabled"], &body["digest"], &body["built_as"]),
            (&json!("ready"), &json!(true), &json!(true), &json!(digest), &json!("component")),
            "{body}"
        );
        assert_eq!(
            (&body["grants"], &body["size"], &body["etag"]),
            (&json!([]), &json!(first.len()), &json!(tag(&made)))
        );
        assert_eq!(blockers(&anna).await, ["not on a friday"]);
        assert_eq!(site.files(), ["friday.wasm"]);
        let mode = fs::metadata(site.folder()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);

        // Made once, and replaced only by whoever knows what is there.
        upload(&anna, "friday", NEW, first.clone()).await.problem(412, "changed-meanwhile");
        upload(&anna, "friday", ("if-match", "\"0\""), first.clone()).await.problem(412, "changed-meanwhile");
        upload(&anna, "other", ("if-match", "*"), first.clone()).await.problem(412, "changed-meanwhile");
        let unsaid = ask(&anna, Method::PUT, "/friday", &[WASM], first.clone()).await;
        unsaid.problem(428, "condition-missing");
        let second = guests::saying("not on a monday");
        let replaced = upload(&anna, "friday", ("if-match", &tag(&made)), second).await;
        assert_eq!(replaced.expect(200)["built_as"], "core module");
        assert_eq!(blockers(&anna).await, ["not on a monday"]);
        let got = ask(&anna, Method::GET, "/friday", &[], Body::empty()).await;
        assert_eq!((got.expect(200), tag(&got)), (&replaced.body, tag(&replaced)));

        // Switched off and on.
        for (verb, enabled, by, found) in [("disable", false, json!("service"), 0), ("enable", true, Value::Null, 1)] {
            for _ in 0..2 {
                let switched = ask(&anna, Method::POST, &format!("/friday/{verb}"), &[], Body::empty()).await;
                let body = switched.expect(200);
                assert_eq!((&body["enabled"], &body["switched_by"]), (&json!(enabled), &by), "{body}");
                assert_eq!(blockers(&anna).await.len(), found);
            }
        }
        let old = tag(&made);
        let stale = [("if-match", old.as_str())];
        ask(&anna, Method::POST, "/friday/disable", &stale, Body::empty()).await.problem(412, "changed-meanwhile");

        ask(&anna, Method::DELETE, "/friday", &[], Body::empty()).await.problem(428, "condition-missing");
        ask(&anna, Method::DELETE, "/friday", &stale, Body::empty()).await.problem(412, "changed-meanwhile");
        let now = tag(&ask(&anna, Method::GET, "/friday", &[], Body::empty()).await);
        ask(&anna, Method::DELETE, "/friday", &[("if-match", &now)], Body::empty()).await.expect(204);
        assert_eq!((blockers(&anna).await.len(), site.files().len()), (0, 0));
        for (method, path) in [
            (Method::GET, "/friday"),
            (Method::GET, "/friday/settings"),
            (Method::POST, "/friday/enable"),
            (Method::POST, "/friday/disable"),
        ] {
            ask(&anna, method, path, &[], Body::empty()).await.problem(404, "no-such-plugin");
        }

        // Each of these changes is on record, with which file it was about.
        let audit = anna.get("/audit?limit=500").await.expect(200)["entries"].as_array().unwrap().clone();
        let uploads: Vec<&Value> =
            audit.iter().filter(|entry| entry["what"] == "PUT /api/v1/plugins/{plugin}").collect();
        let first = uploads.last().unwrap();
        assert_eq!((&first["outcome"], &first["who"]), (&json!("done"), &json!("anna")));
        let details: Value = serde_json::from_str(first["details"].as_str().unwrap()).unwrap();
        assert_eq!((&details["plugin"], &details["asked"]["sha256"]), (&json!("friday"), &json!(digest)));
        let outcomes: Vec<&str> = uploads.iter().rev().map(|entry| entry["outcome"].as_str().unwrap()).collect();
        assert_eq!(
            outcomes,
            ["done", "changed-meanwhile", "changed-meanwhile", "changed-meanwhile", "condition-missing", "done"]
        );
    });
}

#[test]
fn what_is_no_policy_is_refused_and_never_put_down() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        let good = guests::saying("no");
        let whole = guests::component(&good);
        let wat = |text: &str| wat::parse_str(text).unwrap();
        let mut tar = vec![0; 512];
        tar[257..262].copy_from_slice(b"ustar");
        let mut laughs = "<?xml version='1.0'?><!DOCTYPE d [<!ENTITY a 'ha'>".to_owned();
        for level in 1..20 {
            laughs.push_str(&format!("<!ENTITY a{level} '&a{};&a{};'>", level - 1, level - 1));
        }
        laughs.push_str("]><domain>&a19;</domain>");
        let rows: Vec<(Vec<u8>, &str, &str)> = vec![
            (b"#!/bin/sh\nexit 0\n".to_vec(), "plugin-unusable", "no WebAssembly"),
            (Vec::new(), "plugin-unusable", "no WebAssembly"),
            (b"\0asm".to_vec(), "plugin-unusable", "valid WebAssembly"),
            (laughs.into_bytes(), "plugin-unusable", "no WebAssembly"),
            (good[..good.len() / 2].to_vec(), "plugin-unusable", "valid WebAssembly"),
            (whole[..whole.len() / 2].to_vec(), "plugin-unusable", "valid WebAssembly"),
            (wat("(module (func (export \"check\")))"), "plugin-unusable", "description of its interfaces"),
            (guests::stranger(), "plugin-unusable", "exports no hook"),
            (wat("(component)"), "plugin-unusable", "exports no hook"),
            (guests::bomb(), "plugin-unusable", "instances of components"),
            (wat("(component (core module (memory 65536)))"), "plugin-unusable", "bytes of memory"),
            (wat("(component (core module (table 4000000000 funcref)))"), "plugin-unusable", "places in a table"),
            (guests::curious("no"), "plugin-unusable", "grant `volumes`"),
            (b"PK\x03\x04\x14\0\0\0".to_vec(), "archive", ""),
            (b"\x1f\x8b\x08\0\0\0\0\0".to_vec(), "archive", ""),
            (b"\xfd7zXZ\0\0".to_vec(), "archive", ""),
            (tar, "archive", ""),
        ];
        for (file, code, cause) in rows {
            let begins = String::from_utf8_lossy(&file[..file.len().min(16)]).into_owned();
            let answer = upload(&anna, "mine", NEW, file).await;
            let problem = answer.problem(422, code);
            assert!(problem["remedy"].is_string(), "{begins:?}: {problem}");
            assert!(problem["cause"].as_str().unwrap_or_default().contains(cause), "{begins:?}: {problem}");
        }
        for headers in [&[NEW][..], &[NEW, JSON], &[NEW, ("content-type", "application/zip")]] {
            ask(&anna, Method::PUT, "/mine", headers, good.clone()).await.problem(415, "not-wasm");
        }
        for encoding in ["gzip", "br", "deflate, gzip", "x"] {
            let headers = [NEW, WASM, ("content-encoding", encoding)];
            ask(&anna, Method::PUT, "/mine", &headers, good.clone()).await.problem(415, "encoded-body");
        }
        upload(&anna, "waypost", NEW, good.clone()).await.problem(422, "plugin-unusable");
        let wrong = [WASM, NEW, ("if-match", "*")];
        ask(&anna, Method::PUT, "/mine", &wrong, good.clone()).await.problem(400, "bad-request");
        ask(&anna, Method::PUT, "/mine?enable=no", &[WASM, NEW], good.clone()).await.problem(400, "bad-request");
        // Nothing of all this is there, and nothing was judged by it.
        assert_eq!((site.files().len(), blockers(&anna).await.len()), (0, 0));
        ask(&anna, Method::GET, "/mine", &[], Body::empty()).await.problem(404, "no-such-plugin");
        let identity = [NEW, WASM, ("content-encoding", "identity")];
        ask(&anna, Method::PUT, "/mine", &identity, good).await.expect(201);
    });
}

#[test]
fn a_body_has_its_limit_whether_its_length_is_said_or_not() {
    in_virtual_time(async {
        let site = Site::new();
        let limits = Limits { upload_bytes: 100_000, ..Limits::default() };
        let (_waypost, _service, anna) = site.serve_with("", limits.clone());
        let piece = || Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[0; 1000]));
        let pieces = futures_util::stream::iter((0..101).map(move |_| piece()));
        upload(&anna, "mine", NEW, vec![0; 100_001]).await.problem(413, "too-large");
        ask(&anna, Method::PUT, "/mine", &[NEW, WASM], Body::from_stream(pieces)).await.problem(413, "too-large");
        // One that says too much is not even read, and one that fits is.
        upload(&anna, "mine", NEW, vec![0; 100_000]).await.problem(422, "plugin-unusable");
        let endless =
            futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(bytes::Bytes::from_static(&[0; 4096])));
        ask(&anna, Method::PUT, "/mine", &[NEW, WASM], Body::from_stream(endless)).await.problem(413, "too-large");
        // Settings have the limit of everything else.
        let long = json!({"x": "x".repeat(limits.body_bytes)}).to_string();
        let path = "/convergence-adaptive/settings";
        ask(&anna, Method::PUT, path, &[JSON, ("if-match", "*")], long).await.problem(413, "too-large");
        assert_eq!(site.files().len(), 0);
    });
}

#[test]
fn a_file_that_comes_byte_by_byte_keeps_its_place_for_so_long_and_no_longer() {
    in_virtual_time(async {
        let site = Site::new();
        let limits = Limits { uploads: 1, request_time: Duration::from_secs(1), ..Limits::default() };
        let (_waypost, _service, anna) = site.serve_with("", limits);
        // Its first byte is only asked for once it has its place.
        let (tell, told) = tokio::sync::oneshot::channel();
        let drips = futures_util::stream::unfold(Some(tell), |tell| async move {
            if let Some(tell) = tell {
                tell.send(()).unwrap();
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            Some((Ok::<_, std::io::Error>(bytes::Bytes::from_static(b"\0")), None))
        });
        let headers = [NEW, WASM];
        let slow = ask(&anna, Method::PUT, "/slow", &headers, Body::from_stream(drips));
        let meanwhile = async {
            told.await.unwrap();
            upload(&anna, "other", NEW, guests::saying("no")).await.problem(503, "busy");
            ask(&anna, Method::POST, "/precheck-cpu/disable", &[], Body::empty()).await.problem(503, "busy");
            // What changes no policy does not wait for one.
            ask(&anna, Method::GET, "", &[], Body::empty()).await.expect(200);
            anna.migrate("g1", "b").await
        };
        let (slow, moved) = tokio::join!(slow, meanwhile);
        slow.problem(504, "too-slow");
        assert_eq!(anna.end(&moved).await["status"], "completed");
        assert_eq!(site.files().len(), 0);
        // And then there is room again.
        upload(&anna, "other", NEW, guests::saying("no")).await.expect(201);
        assert_eq!(site.files(), ["other.wasm"]);
        // What was never there in full, or never let in, was never noted.
        let audit = anna.get("/audit?limit=500").await.expect(200)["entries"].as_array().unwrap().clone();
        let noted: Vec<_> = audit.iter().map(|entry| (entry["what"].as_str(), entry["outcome"].as_str())).collect();
        let done = |what| (Some(what), Some("done"));
        assert_eq!(noted, [done("PUT /api/v1/plugins/{plugin}"), done("POST /api/v1/tasks")]);
    });
}

#[test]
fn a_name_is_never_a_path() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        let file = guests::saying("no");
        let long = "x".repeat(65);
        for name in [
            "..",
            ".",
            "..%2fx",
            "..%2Fx",
            "%2e%2e%2fx",
            "%2e%2e",
            "..%5cx",
            "..\\x",
            "%5c%5chost%5cx",
            "%2fetc%2fpasswd",
            "a%2fb",
            "a%00",
            "a%00.wasm",
            "a%0a",
            "%c3%a4",
            "%ff",
            "%c0%ae%c0%ae%c0%afx",
            "%e2%80%aex",
            "%ef%bc%8e%ef%bc%8e%ef%bc%8fx",
            "%252e%252e%252fx",
            ".hidden",
            "-x",
            "a.wasm",
            "a%20b",
            "C:x",
            "~x",
            &long,
        ] {
            for (method, rest) in [
                (Method::PUT, ""),
                (Method::DELETE, ""),
                (Method::GET, ""),
                (Method::GET, "/settings"),
                (Method::POST, "/enable"),
                (Method::POST, "/disable"),
            ] {
                let headers = [WASM, if method == Method::PUT { NEW } else { ("if-match", "*") }];
                let path = format!("/{name}{rest}");
                ask(&anna, method, &path, &headers, file.clone()).await.problem(400, "bad-name");
            }
            let headers = [JSON, ("if-match", "*")];
            for method in [Method::PUT, Method::PATCH] {
                ask(&anna, method, &format!("/{name}/settings"), &headers, "{}").await.problem(400, "bad-name");
            }
        }
        // A slash that is one leads to no route at all.
        for path in ["/../x", "/a/../../x", "//etc/passwd", "/", "/a/", "/../../../../etc/x"] {
            ask(&anna, Method::PUT, path, &[WASM, NEW], file.clone()).await.problem(404, "no-such-route");
        }
        assert_eq!(site.files().len(), 0);
        let mut beside: Vec<_> =
            fs::read_dir(site.path("state/simulated")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        beside.retain(|name| name.to_string_lossy().ends_with(".wasm") || name.to_string_lossy().ends_with(".json"));
        assert_eq!(beside, [] as [&str; 0]);
        // The longest that may be is one.
        upload(&anna, &long[1..], NEW, file).await.expect(201);
    });
}

#[test]
fn only_who_may_change_policies_everywhere_does() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        let file = guests::saying("no");
        let changes = [
            (Method::PUT, "/mine", WASM),
            (Method::DELETE, "/precheck-cpu", JSON),
            (Method::POST, "/precheck-cpu/enable", JSON),
            (Method::POST, "/precheck-cpu/disable", JSON),
            (Method::PUT, "/precheck-cpu/settings", JSON),
            (Method::PATCH, "/precheck-cpu/settings", JSON),
            (Method::DELETE, "/precheck-cpu/settings", JSON),
        ];
        let everywhere = Scope::default();
        let hosts = Scope { hosts: vec![HostName::new("a")], domains: vec![] };
        let domains = Scope { hosts: vec![], domains: vec!["*".to_owned()] };
        for (role, scope, code) in [
            (Role::Viewer, &everywhere, "role-missing"),
            (Role::Operator, &everywhere, "role-missing"),
            (Role::Viewer, &hosts, "role-missing"),
            (Role::PolicyAdmin, &hosts, "out-of-scope"),
            (Role::PolicyAdmin, &domains, "out-of-scope"),
            (Role::Admin, &hosts, "out-of-scope"),
        ] {
            let client = anna.by(Caller::named("x").with(role, scope.clone()));
            for (method, path, kind) in changes.clone() {
                let headers = [kind, ("if-match", "*")];
                let answer = ask(&client, method, path, &headers, file.clone()).await;
                assert!(answer.problem(403, code)["remedy"].is_string(), "{role} {path}");
            }
            for path in ["", "/precheck-cpu", "/precheck-cpu/settings"] {
                ask(&client, Method::GET, path, &[], Body::empty()).await.expect(200);
            }
        }
        ask(&anna.named(None), Method::PUT, "/mine", &[WASM, NEW], file.clone()).await.problem(401, "no-caller");
        assert_eq!(site.files().len(), 0);
        let paula = anna.by(Caller::named("paula").with(Role::PolicyAdmin, everywhere));
        upload(&paula, "mine", NEW, file).await.expect(201);
        paula.post("/tasks", json!({"domain": "g1", "to": "b"})).await.problem(403, "role-missing");
        let last = anna.get("/audit?limit=1").await.expect(200)["entries"][0].clone();
        assert_eq!((&last["who"], &last["outcome"]), (&json!("paula"), &json!("done")));
    });
}

#[test]
fn what_settings_say_is_for_whoever_may_change_them() {
    in_virtual_time(async {
        let site = Site::new();
        let said = "[plugin.convergence-adaptive.settings]\nwindow_s = 9\n";
        let (_waypost, _service, anna) = site.serve_with(said, Limits::default());
        let path = "/convergence-adaptive/settings";
        let everywhere = Scope::default();
        let hosts = Scope { hosts: vec![HostName::new("a"), HostName::new("b")], domains: vec![] };
        let task = anna.migrate("g1", "b").await;
        anna.end(&task).await;
        let asked = json!({"domain": "g1", "from": "b", "to": ["a"]});
        let planned = json!({"domain": "g1", "from": "b", "to": "a"});
        for (role, scope, sees) in [
            (Role::Admin, &everywhere, true),
            (Role::PolicyAdmin, &everywhere, true),
            (Role::Viewer, &everywhere, false),
            (Role::Operator, &everywhere, false),
            (Role::PolicyAdmin, &hosts, false),
            (Role::Admin, &hosts, false),
        ] {
            let client = anna.by(Caller::named("x").with(role, scope.clone()));
            let answer = ask(&client, Method::GET, path, &[], Body::empty()).await;
            let shown = answer.expect(200);
            assert_eq!(
                (&shown["keys"], &shown["by"]),
                (&json!(["window_s"]), &json!("configuration")),
                "{role} {shown}"
            );
            let said = if sees { json!({"window_s": 9}) } else { Value::Null };
            assert_eq!((&shown["settings"], &shown["configured"]), (&said, &said), "{role} {shown}");
            assert_eq!(answer.headers.contains_key("etag"), sees, "{role}");
            // Nor are they told by what was decided with them, or would be.
            let records = client.get(&format!("/tasks/{task}/records")).await.expect(200)["decisions"].clone();
            let page = client.get("/decisions").await.expect(200)["decisions"].clone();
            let checked = client.post("/checks", asked.clone()).await.expect(200)["decisions"].clone();
            let dry_run = client.post("/dry-runs", planned.clone()).await.expect(200)["check"]["decisions"].clone();
            let page: Vec<Value> = page.as_array().unwrap().iter().map(|one| one["decision"].clone()).collect();
            for decisions in [records, Value::from(page), checked, dry_run] {
                let decisions = decisions.as_array().unwrap();
                assert!(!decisions.is_empty(), "{role}");
                assert!(decisions.iter().all(|one| one["settings"].is_string() == sees), "{role}: {decisions:?}");
            }
        }
        ask(&anna, Method::PUT, path, &[JSON, ("if-match", "*")], r#"{"window_s": 11}"#).await.expect(200);
        let narrow = anna.by(Caller::named("x").with(Role::Admin, hosts));
        narrow.get("/audit?limit=1").await.problem(403, "out-of-scope");
        // On record is that they were changed, and which: not what they say.
        let entry = anna.get("/audit?limit=1").await.expect(200)["entries"][0].clone();
        assert_eq!(entry["what"], "PUT /api/v1/plugins/{plugin}/settings");
        let details: Value = serde_json::from_str(entry["details"].as_str().unwrap()).unwrap();
        let digest: String = Sha256::digest(r#"{"window_s":11}"#).iter().map(|byte| format!("{byte:02x}")).collect();
        let asked = json!({"keys": ["window_s"], "sha256": digest});
        assert_eq!(details, json!({"plugin": "convergence-adaptive", "asked": asked}), "{entry}");
    });
}

#[test]
fn settings_are_what_the_policy_accepts_and_last() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, service, anna) = site.serve();
        let path = "/convergence-adaptive/settings";
        let get = async |client: &Client| ask(client, Method::GET, path, &[], Body::empty()).await;
        let first = get(&anna).await;
        assert_eq!(
            first.expect(200),
            &json!({"plugin": "convergence-adaptive", "settings": {}, "keys": [], "by": null, "configured": null, "schema": null})
        );
        let put = async |client: &Client, method: Method, condition: &str, body: Value| {
            let headers = [JSON, ("if-match", condition)];
            ask(client, method, path, &headers, body.to_string()).await
        };
        ask(&anna, Method::PUT, path, &[JSON], "{}").await.problem(428, "condition-missing");
        ask(&anna, Method::PUT, path, &[JSON, NEW], "{}").await.problem(400, "bad-request");
        ask(&anna, Method::DELETE, path, &[], Body::empty()).await.problem(428, "condition-missing");
        for stale in ["\"0\"", &format!("W/{}", tag(&first))] {
            put(&anna, Method::PUT, stale, json!({"window_s": 5})).await.problem(412, "changed-meanwhile");
        }
        let refused = put(&anna, Method::PUT, &tag(&first), json!({"window_s": 5000})).await;
        let problem = refused.problem(422, "settings-refused");
        assert!(problem["cause"].as_str().unwrap().contains("window_s is 5000; it must be from 2 to 60"), "{problem}");
        put(&anna, Method::PUT, &tag(&first), json!({"windows": 5})).await.problem(422, "settings-refused");
        put(&anna, Method::PATCH, &tag(&first), json!({"window_s": null, "x": 1}))
            .await
            .problem(422, "settings-refused");
        for wrong in [json!([]), json!("x"), json!(null)] {
            put(&anna, Method::PUT, &tag(&first), wrong).await.problem(422, "wrong-shape");
        }
        ask(&anna, Method::PUT, path, &[JSON, ("if-match", "*")], "{").await.problem(400, "bad-request");
        let plain = [("content-type", "text/plain"), ("if-match", "*")];
        ask(&anna, Method::PUT, path, &plain, "{}").await.problem(415, "not-json");

        let made = put(&anna, Method::PUT, &tag(&first), json!({"window_s": 5, "margin_percent": 10})).await;
        assert_eq!((&made.expect(200)["by"], &made.body["settings"]["window_s"]), (&json!("service"), &json!(5)));
        put(&anna, Method::PUT, &tag(&first), json!({})).await.problem(412, "changed-meanwhile");
        let merged = put(&anna, Method::PATCH, &tag(&made), json!({"margin_percent": null, "reserve_s": 7})).await;
        assert_eq!(merged.expect(200)["settings"], json!({"window_s": 5, "reserve_s": 7}));
        let listed = ask(&anna, Method::GET, "/convergence-adaptive", &[], Body::empty()).await;
        assert_eq!((&listed.expect(200)["settings_by"], &listed.body["state"]), (&json!("service"), &json!("ready")));
        assert_eq!(site.files(), ["convergence-adaptive.json"]);

        // They outlive the service, and go before those of the configuration, which are in force again when these are taken back.
        service.drain(Duration::from_secs(1)).await;
        drop((service, anna));
        let said = "[plugin.convergence-adaptive.settings]\nwindow_s = 9\n";
        let (waypost, _service, anna) = site.serve_with(said, Limits::default());
        let again = get(&anna).await;
        assert_eq!(again.expect(200)["settings"], json!({"window_s": 5, "reserve_s": 7}));
        assert_eq!(again.body["configured"], json!({"window_s": 9}));
        assert_eq!(
            waypost.config().policies.plugin(&PluginName::new("convergence-adaptive")).settings,
            r#"{"window_s":9}"#
        );
        waypost.reload(&waypost.config()).unwrap();
        assert_eq!(tag(&get(&anna).await), tag(&again), "a reload keeps them");
        let back = ask(&anna, Method::DELETE, path, &[("if-match", &tag(&again))], Body::empty()).await;
        assert_eq!(
            (&back.expect(200)["settings"], &back.body["by"]),
            (&json!({"window_s": 9}), &json!("configuration"))
        );
        assert_eq!(site.files().len(), 0);
    });
}

#[test]
fn of_two_who_change_the_same_one_is_told_so() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        let path = "/convergence-adaptive/settings";
        for round in 0..5 {
            let now = tag(&ask(&anna, Method::GET, path, &[], Body::empty()).await);
            let headers = [JSON, ("if-match", now.as_str())];
            let body = |value: u32| json!({"window_s": 10 + 2 * round + value}).to_string();
            let (one, other) = tokio::join!(
                ask(&anna, Method::PUT, path, &headers, body(0)),
                ask(&anna, Method::PUT, path, &headers, body(1)),
            );
            let mut statuses = [one.status.as_u16(), other.status.as_u16()];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412], "{} {}", one.body, other.body);
            let winner = if one.status.is_success() { &one } else { &other };
            let left = ask(&anna, Method::GET, path, &[], Body::empty()).await;
            assert_eq!((left.expect(200), tag(&left)), (&winner.body, tag(winner)));
        }
        // The same of a file that two make.
        let (one, other) = tokio::join!(
            upload(&anna, "mine", NEW, guests::saying("one")),
            upload(&anna, "mine", NEW, guests::saying("other")),
        );
        let mut statuses = [one.status.as_u16(), other.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 412], "{} {}", one.body, other.body);
        let message = if one.status.is_success() { "one" } else { "other" };
        assert_eq!(blockers(&anna).await, [message]);
        // And of one that is switched off: whoever switches it on has seen which one.
        let put = async |condition: &str, file: Vec<u8>| {
            ask(&anna, Method::PUT, "/mine?enabled=false", &[WASM, ("if-match", condition)], file).await
        };
        let enable =
            async |seen: &str| ask(&anna, Method::POST, "/mine/enable", &[("if-match", seen)], Body::empty()).await;
        let seen = put("*", guests::saying("this one")).await;
        assert_eq!((&seen.expect(200)["state"], &seen.body["enabled"]), (&json!("ignored"), &json!(false)));
        let replaced = put(&tag(&seen), guests::saying("that one")).await;
        assert_ne!(replaced.expect(200)["digest"], seen.body["digest"]);
        enable(&tag(&seen)).await.problem(412, "changed-meanwhile");
        put(&tag(&seen), guests::saying("a third one")).await.problem(412, "changed-meanwhile");
        assert_eq!(blockers(&anna).await.len(), 0);
        enable(&tag(&replaced)).await.expect(200);
        assert_eq!(blockers(&anna).await, ["that one"]);
    });
}

#[test]
fn what_was_said_of_one_that_is_gone_is_not_said_of_the_next() {
    in_virtual_time(async {
        let site = Site::new();
        let (waypost, _service, anna) = site.serve();
        // As it is left where the machine goes down in the middle of a deletion.
        fs::write(site.folder().join("friday.json"), r#"{"disabled":true,"settings":{"limit":3}}"#).unwrap();
        waypost.reload(&waypost.config()).unwrap();
        let made = upload(&anna, "friday", NEW, guests::saying("not on a friday")).await;
        assert_eq!((&made.expect(201)["enabled"], &made.body["settings_by"]), (&json!(true), &Value::Null));
        assert_eq!(site.files(), ["friday.wasm"]);
        assert_eq!(blockers(&anna).await, ["not on a friday"]);
    });
}

#[test]
fn somebody_is_left_who_is_asked_in_a_transfer_and_after_a_failure() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        let switch = async |path: &str| ask(&anna, Method::POST, path, &[], Body::empty()).await;
        // Without the default there are several, and none is named.
        for path in ["/convergence-adaptive/disable", "/recovery-conservative/disable"] {
            let answer = switch(path).await;
            let problem = answer.problem(409, "plugin-fixed");
            assert!(problem["remedy"].as_str().unwrap().contains("[plugins]"), "{problem}");
        }
        assert_eq!(site.files().len(), 0);
        switch("/convergence-nova/disable").await.expect(200);
        // One is left, who is asked then; and that one stays the only one.
        switch("/convergence-adaptive/disable").await.expect(200);
        switch("/convergence-ovirt/disable").await.problem(409, "plugin-fixed");
        switch("/convergence-nova/enable").await.problem(409, "plugin-fixed");
        switch("/convergence-adaptive/enable").await.expect(200);
        switch("/convergence-nova/enable").await.expect(200);
    });
}

#[test]
fn a_policy_that_wants_settings_is_put_down_first_and_switched_on_last() {
    in_virtual_time(async {
        let site = Site::new();
        let (_waypost, _service, anna) = site.serve();
        let refused = upload(&anna, "picky", NEW, guests::picky("too much")).await;
        let problem = refused.problem(422, "settings-refused");
        assert!(problem["cause"].as_str().unwrap().contains("a limit is missing"), "{problem}");
        assert!(problem["remedy"].as_str().unwrap().contains("enabled=false"), "{problem}");
        let headers = [WASM, NEW];
        let made = ask(&anna, Method::PUT, "/picky?enabled=false", &headers, guests::picky("too much")).await;
        assert_eq!(made.expect(201)["enabled"], false);
        ask(&anna, Method::POST, "/picky/enable", &[], Body::empty()).await.problem(422, "settings-refused");
        assert_eq!(blockers(&anna).await.len(), 0);
        let any = ("if-match", "*");
        ask(&anna, Method::PUT, "/picky/settings", &[JSON, any], "{}").await.problem(422, "settings-refused");
        ask(&anna, Method::PUT, "/picky/settings", &[JSON, any], r#"{"limit":3}"#).await.expect(200);
        ask(&anna, Method::POST, "/picky/enable", &[], Body::empty()).await.expect(200);
        assert_eq!(blockers(&anna).await, ["too much"]);
        assert_eq!(site.files(), ["picky.json", "picky.wasm"]);
        // With the file goes what was said of it.
        ask(&anna, Method::DELETE, "/picky", &[any], Body::empty()).await.expect(204);
        assert_eq!(site.files().len(), 0);
    });
}

#[test]
fn what_the_configuration_settles_stays() {
    in_virtual_time(async {
        let site = Site::new();
        let said = "[plugins]\nrecovery = 'recovery-retry'\n[plugin.precheck-cpu]\npresence = 'required'\n\
                    [plugin.precheck-versions]\npresence = 'never'\n[plugin.curious]\ngrants = ['volumes']\n\
                    [plugin.needed]\npresence = 'required'\n";
        let (_waypost, _service, anna) = site.serve_with(said, Limits::default());
        let any = ("if-match", "*");
        for (method, path) in [
            (Method::POST, "/precheck-cpu/disable"),
            (Method::POST, "/precheck-versions/enable"),
            (Method::POST, "/recovery-retry/disable"),
            (Method::DELETE, "/precheck-cpu"),
        ] {
            let answer = ask(&anna, method, path, &[any], Body::empty()).await;
            assert!(answer.problem(409, "plugin-fixed")["remedy"].is_string(), "{path}");
        }
        // What is asked after a failure can't become something else.
        upload(&anna, "recovery-retry", any, guests::saying("no")).await.problem(409, "plugin-fixed");
        // A grant is by name, and the site's to make.
        upload(&anna, "other", NEW, guests::curious("no")).await.problem(422, "plugin-unusable");
        let granted = upload(&anna, "curious", NEW, guests::curious("no")).await;
        assert_eq!((&granted.expect(201)["grants"], &granted.body["state"]), (&json!(["volumes"]), &json!("ready")));
        // One that has to be there is made, replaced, and not deleted.
        upload(&anna, "needed", NEW, guests::saying("needed")).await.expect(201);
        upload(&anna, "needed", any, guests::saying("needed still")).await.expect(200);
        ask(&anna, Method::DELETE, "/needed", &[any], Body::empty()).await.problem(409, "plugin-fixed");
        // A shipped one is shown again when the upload before it goes.
        let shipped = ask(&anna, Method::GET, "/precheck-state", &[], Body::empty()).await.expect(200).clone();
        let before = upload(&anna, "precheck-state", any, guests::saying("before it")).await;
        assert_eq!((&before.expect(200)["uploaded"], &shipped["uploaded"]), (&json!(true), &json!(false)));
        ask(&anna, Method::DELETE, "/precheck-state", &[any], Body::empty()).await.expect(204);
        let back = ask(&anna, Method::GET, "/precheck-state", &[], Body::empty()).await;
        assert_eq!(back.expect(200), &shipped);
        assert_eq!(site.files(), ["curious.wasm", "needed.wasm"]);
    });
}

#[test]
fn a_command_over_the_same_state_judges_as_the_service_does() {
    let site = command::Site::new(command::TWO_HOSTS);
    let program = Program::start(&site);
    let allowed = site.document(0, &["check", "g1", "--to", "b"]);
    assert_eq!(allowed["verdicts"][0]["decision"], "allowed");
    let before = codes(&site.document(3, &["check", "pinned", "--to", "b"]));
    let put = |program: &Program, path: &str, headers: &str, body: &[u8]| {
        program.ask_raw(&format!("PUT /api/v1/plugins/{path} HTTP/1.1\r\n{headers}"), body)
    };
    let file = guests::saying("not on a friday");
    let wasm = "Content-Type: application/wasm\r\nIf-None-Match: *\r\n";
    assert_eq!(put(&program, "friday", wasm, &file).0, 201);
    let json = "Content-Type: application/json\r\nIf-Match: *\r\n";
    assert_eq!(put(&program, "convergence-adaptive/settings", json, br#"{"window_s":5}"#).0, 200);
    let (status, _) = program.ask("POST", "/plugins/precheck-passthrough/disable", &Value::Null);
    assert_eq!(status, 200);

    let seen = |program: &Program| {
        let (status, check) = program.ask("POST", "/checks", &json!({"domain": "pinned", "to": ["b"]}));
        assert_eq!(status, 200);
        codes(&check)
    };
    let here = seen(&program);
    assert!(here.contains(&"made-up".to_owned()), "{here:?}");
    assert!(before.iter().any(|code| !here.contains(code)), "what was switched off says nothing: {before:?} {here:?}");
    assert_eq!(codes(&site.document(3, &["check", "pinned", "--to", "b"])), here);
    let listed = site.document(0, &["plugin", "list"]);
    let told = program.get("/plugins");
    assert_eq!(listed["plugins"], told["plugins"], "the same list, whoever is asked");
    let shown = site.expect(0, &["plugin", "list"]);
    for note in [
        "precheck-passthrough: it was switched off over the service",
        "convergence-adaptive: its settings were made over the service",
    ] {
        assert!(shown.err.contains(note) || shown.out.contains(note), "{note}\n{}\n{}", shown.out, shown.err);
    }
    // A plan is made alike as well.
    let dry = site.json(3, &["migrate", "g1", "--to", "b", "--dry-run"]);
    assert!(dry.iter().any(|document| document.to_string().contains("not on a friday")), "{dry:?}");

    // A new configuration, and a new start, keep it.
    let mut program = program;
    program.running.signal("HUP");
    program.running.wait_for_note("nothing is different");
    assert_eq!(seen(&program), here);
    assert_eq!(program.end("TERM").code, 0);
    let program = Program::start(&site);
    assert_eq!(seen(&program), here);
    assert_eq!(program.get("/plugins")["plugins"], listed["plugins"]);
    assert_eq!(program.end("TERM").code, 0);
    assert!(site.expect(0, &["serve", "--check", "--socket", "waypost.sock"]).out.contains("the service can start"));
    // What can't be read is not passed over.
    site.write("state/simulated/plugins/convergence-adaptive.json", "{");
    for words in [&["check", "g1", "--to", "b"][..], &["plugin", "list"]] {
        let err = site.expect(1, words).err;
        assert!(err.contains("convergence-adaptive.json"), "{err}");
    }
}

pub fn codes(check: &Value) -> Vec<String> {
    let findings = check["verdicts"][0]["findings"].as_array().unwrap().iter();
    let mut codes: Vec<String> = findings.map(|finding| finding["code"].as_str().unwrap().to_owned()).collect();
    codes.sort();
    codes
}
