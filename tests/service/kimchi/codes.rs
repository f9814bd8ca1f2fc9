//! Every code that Kimchi has for a migration: it is answered here where Kimchi would, or `docs/kimchi.md` says why it never is.

use std::sync::Arc;

use waypost::core::facts::Snapshot;
use waypost::core::finding::{Finding, Severity};
use waypost::core::ids::PluginName;
use waypost::core::ports::{DecisionRecord, Judgement, Policies, StorageProbe};
use waypost::core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost::core::request::CheckRequest;
use waypost::core::verdict::{Judged, PolicyMode};

use super::*;
use crate::support::TriesAgain;

/// What brings a code about.
enum Cause {
    /// A request to move g1.
    Asked(&'static str),
    /// What a rule finds against it.
    Found(&'static str),
    /// Nothing, for a reason that the page gives.
    Never,
}
use Cause::{Asked, Found, Never};

/// Each code with what Kimchi means by it, the status of an answer with it, and what brings it about here.
const KIMCHIS: [(&str, &str, u16, Cause); 19] = [
    ("KCHVM0055E", "the destination is the machine itself", 500, Asked(r#"{"remote_host": "localhost"}"#)),
    ("KCHVM0056E", "no way in without a password, and none is given", 500, Asked(r#"{"remote_host": "closed"}"#)),
    ("KCHVM0057E", "the guest's state", 400, Found("state-unsuitable")),
    ("KCHVM0058E", "it failed", 400, Found("name-taken")),
    ("KCHVM0059E", "user is no text", 400, Asked(r#"{"remote_host": "b", "user": 1}"#)),
    ("KCHVM0060E", "remote_host is no text", 400, Asked(r#"{"remote_host": 1}"#)),
    ("KCHVM0061E", "the file in a drive can't be made there", 400, Found("media-not-found")),
    ("KCHVM0062E", "a disk's size can't be looked up by its path", 400, Found("storage-unproven")),
    ("KCHVM0063E", "a disk's image can't be made there", 400, Found("storage-not-found")),
    ("KCHVM0064E", "another architecture", 500, Found("architecture-differs")),
    ("KCHVM0065E", "another hypervisor", 500, Found("hypervisor-differs")),
    ("KCHVM0066E", "the other side's architecture and hypervisor can't be found out", 500, Never),
    ("KCHVM0067E", "another number of subcores, on POWER", 500, Never),
    (
        "KCHVM0068E",
        "the password does not open the way in",
        400,
        Asked(r#"{"remote_host": "closed", "user": "carla", "password": "guess"}"#),
    ),
    ("KCHVM0069E", "password is no text", 400, Asked(r#"{"remote_host": "b", "password": 1}"#)),
    ("KCHVM0070E", "root's own key can't be made", 500, Never),
    ("KCHVM0089E", "the folder for the key is missing there", 500, Never),
    ("KCHVM0090E", "no connection to libvirt there", 400, Asked(r#"{"remote_host": "nowhere"}"#)),
    ("KCHVM0091E", "enable_rdma is neither true nor false", 400, Asked(r#"{"remote_host": "b", "enable_rdma": 1}"#)),
];

const FLEET: &str = r#"
host = [{ name = "a" }, { name = "b" }, { name = "closed", login = { user = "carla", password = "right", peers = false } }]
domain = [{ name = "g1", host = "a" }]
"#;

/// A rule that finds one thing against every destination.
struct Finds(&'static str);

impl Policies for Finds {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        let mut judgement = TriesAgain.precheck(request, facts, probe);
        for verdict in &mut judgement.verdicts {
            let finding = Finding {
                code: self.0.to_owned(),
                severity: Severity::Blocker,
                message: "it can't go there".to_owned(),
                evidence: vec![],
                remedy: None,
            };
            verdict.findings.push(Judged { plugin: PluginName::new("finds"), mode: PolicyMode::Enforce, finding });
        }
        judgement
    }

    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        TriesAgain.recover(question)
    }
}

#[test]
fn each_code_of_kimchis_is_answered_where_kimchi_has_the_case() {
    in_virtual_time(async {
        for (code, meaning, status, cause) in &KIMCHIS {
            let (site, body) = match cause {
                Asked(body) => (Site::new(FLEET), serde_json::from_str(body).unwrap()),
                Found(finding) => (Site::new(FLEET).with_policies(Finds(finding)), json!({"remote_host": "b"})),
                Never => continue,
            };
            let (_service, anna) = serve(&site, kimchi());
            let answer = ask(&anna, Method::POST, "/vms/g1/migrate", body).await;
            assert!(
                answer.1["reason"].as_str().is_some_and(|reason| reason.starts_with(*code)),
                "{meaning}: {answer:?}"
            );
            refused(&answer, *status, code);
            assert!(site.store_is_empty(), "{code}: none of this makes a task");
        }
    });
}

#[test]
fn the_page_tells_each_code_of_kimchis_once() {
    let page = include_str!("../../../docs/kimchi.md");
    let part = |title: &str| {
        let (_, part) = page.split_once(&format!("\n### {title}\n")).unwrap_or_else(|| panic!("no part {title}"));
        part.split("\n### ").next().unwrap_or_default()
    };
    // The first column of a table's rows; one row may have several codes.
    let codes = |part: &str| -> Vec<String> {
        let rows = part.lines().filter(|line| line.starts_with("| `KCH"));
        let first = rows.filter_map(|row| row.split('|').nth(1));
        first.flat_map(|cell| cell.split('`')).filter(|code| code.starts_with("KCH")).map(str::to_owned).collect()
    };
    let (answered, never) =
        (codes(part("What is said when it goes wrong")), codes(part("Codes that can't occur here, and why")));
    for (code, meaning, _, cause) in &KIMCHIS {
        let told = |codes: &[String]| codes.iter().filter(|told| *told == code).count();
        let expected = if matches!(cause, Never) { (0, 1) } else { (1, 0) };
        assert_eq!((told(&answered), told(&never)), expected, "{code}: {meaning}");
    }
    let known = |code: &&String| KIMCHIS.iter().any(|(known, ..)| known == *code);
    let others: Vec<&String> = answered.iter().chain(&never).filter(|code| !known(code)).collect();
    assert_eq!(others, ["KCHVM0002E"], "and no other, but for a guest that is nowhere");
}
