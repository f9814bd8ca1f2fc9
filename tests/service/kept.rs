//! What was changed of policies over REST and has to last: in a backup, and where a change of it ended in the middle.

use std::fs;

use axum::body::Body;
use axum::http::Method;
use serde_json::{Value, json};

use super::plugins::{NEW, Site, ask, blockers, codes, upload};
use super::support::{Client, Program, command, guests, in_virtual_time};

#[test]
fn a_backup_brings_back_what_was_uploaded_and_said() {
    let site = command::Site::new(command::TWO_HOSTS);
    let program = Program::start(&site);
    let put = |path: &str, headers: &str, body: &[u8]| {
        program.ask_raw(&format!("PUT /api/v1/plugins/{path} HTTP/1.1\r\n{headers}"), body).0
    };
    let wasm = "Content-Type: application/wasm\r\nIf-None-Match: *\r\n";
    assert_eq!(put("friday", wasm, &guests::picky("not on a friday")), 422);
    assert_eq!(put("friday?enabled=false", wasm, &guests::picky("not on a friday")), 201);
    let json = "Content-Type: application/json\r\nIf-Match: *\r\n";
    assert_eq!(put("friday/settings", json, br#"{"limit":3}"#), 200);
    for change in ["friday/enable", "precheck-passthrough/disable"] {
        assert_eq!(program.ask("POST", &format!("/plugins/{change}"), &Value::Null).0, 200);
    }
    let seen = |program: &Program| {
        let (status, check) = program.ask("POST", "/checks", &json!({"domain": "pinned", "to": ["b"]}));
        assert_eq!(status, 200, "{check}");
        codes(&check)
    };
    let judged = seen(&program);
    assert!(judged.contains(&"made-up".to_owned()), "{judged:?}");
    let listed = program.get("/plugins")["plugins"].clone();
    let made = site.document(0, &["state", "backup", "b.db"]);
    assert_eq!((&made["tasks"], &made["policies"]), (&json!(0), &json!(2)), "{made}");

    // Something else since.
    assert_eq!(put("monday", wasm, &guests::saying("not on a monday")), 201);
    assert_eq!(program.end("TERM").code, 0);
    let restored = site.document(0, &["state", "restore", "b.db"]);
    assert_eq!((&restored["policies"], &restored["queued"]), (&json!(2), &json!(0)), "{restored}");
    let kept = fs::read_dir(site.path("state/simulated/replaced-1/plugins")).expect("what was there is kept");
    assert_eq!(kept.count(), 4);
    let program = Program::start(&site);
    assert_eq!((seen(&program), program.get("/plugins")["plugins"].clone()), (judged.clone(), listed.clone()));
    assert_eq!(program.end("TERM").code, 0);

    // And where all of it is lost.
    fs::remove_dir_all(site.path("state")).expect("it goes");
    let said = site.expect(0, &["state", "restore", "b.db"]).out;
    assert!(said.contains("0 tasks, 0 of them not over, and 2 uploaded or changed policies, are on record"), "{said}");
    let program = Program::start(&site);
    assert_eq!((seen(&program), program.get("/plugins")["plugins"].clone()), (judged, listed));
    assert_eq!(program.get("/plugins/friday/settings")["settings"], json!({"limit": 3}));
    assert_eq!(program.end("TERM").code, 0);
}

#[test]
fn a_deletion_that_ended_in_the_middle_says_nothing_of_another_file_of_that_name() {
    in_virtual_time(async {
        let site = Site::new();
        let (waypost, _service, anna) = site.serve();
        let get = async |client: &Client| ask(client, Method::GET, "/precheck-state", &[], Body::empty()).await;
        let shipped = get(&anna).await.expect(200).clone();
        let said = r#"{"disabled":true,"settings":{"limit":3},"leaving":true}"#;
        // The machine went down after the file was removed.
        fs::write(site.folder().join("precheck-state.json"), said).unwrap();
        waypost.reload(&waypost.config()).unwrap();
        assert_eq!(get(&anna).await.expect(200), &shipped, "it is asked, with the settings that are its own");
        // What is uploaded next is not switched off by it either.
        let made = upload(&anna, "precheck-state", ("if-match", "*"), guests::saying("before it")).await;
        assert_eq!((&made.expect(200)["enabled"], &made.body["settings_by"]), (&json!(true), &Value::Null));
        assert_eq!(site.files(), ["precheck-state.wasm"]);
        assert_eq!(blockers(&anna).await, ["before it"]);

        // It went down before: the upload is there, and switched off, as it was.
        fs::write(site.folder().join("precheck-state.json"), said).unwrap();
        waypost.reload(&waypost.config()).unwrap();
        let there = get(&anna).await;
        assert_eq!((&there.expect(200)["uploaded"], &there.body["enabled"]), (&json!(true), &json!(false)));
        assert_eq!(blockers(&anna).await.len(), 0);
        // Asked for again it is deleted as a whole.
        ask(&anna, Method::DELETE, "/precheck-state", &[("if-match", "*")], Body::empty()).await.expect(204);
        assert_eq!((site.files().len(), get(&anna).await.expect(200)), (0, &shipped));
        upload(&anna, "other", NEW, guests::saying("no")).await.expect(201);
    });
}
