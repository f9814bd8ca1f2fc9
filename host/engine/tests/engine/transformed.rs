//! Definitions that are edited on their way: what arrives, what is on record, and what refuses.

use std::sync::Arc;

use waypost_core::edit::{Edit, EditKind, Edits};
use waypost_core::facts::{DomainFacts, Snapshot};
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::{DomainKey, HostName, PluginName};
use waypost_core::journal::Record;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{
    DecisionRecord, FaultKind, Hypervisor as _, Judgement, Policies, StorageProbe, Transformation, Transformed,
};
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::CheckRequest;
use waypost_core::verdict::{Judged, PolicyMode};
use waypost_engine::{Adopted, Engine, Question, Targets};
use waypost_sim::{Scripted, Step, What};

use crate::support::{Case, Mind, Minded, Site, a, b, in_virtual_time, judge};

/// Wants these edits of every destination, and remembers what the prechecks were shown.
struct Rewriter {
    wanted: Transformed,
    shown: std::sync::Mutex<Vec<Arc<DomainFacts>>>,
}

impl Rewriter {
    fn wanting(edits: Vec<Edit>) -> Arc<Self> {
        Self::answering(Transformed { edits: Edits(edits), findings: vec![] })
    }
    fn answering(wanted: Transformed) -> Arc<Self> {
        Arc::new(Self { wanted, shown: Default::default() })
    }
}

impl Policies for Rewriter {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        self.shown.lock().unwrap().push(Arc::clone(&facts.domain));
        Minded::new(Mind::Conservative).precheck(request, facts, probe)
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        Minded::new(Mind::Conservative).recover(question)
    }
    fn transforms(&self) -> bool {
        true
    }
    fn transform(&self, _: &CheckRequest, facts: &Arc<Snapshot>) -> Transformation {
        Transformation { each: facts.candidates.iter().map(|_| self.wanted.clone()).collect(), decisions: vec![] }
    }
}

fn edit(kind: EditKind, device: Option<&str>, before: Option<&str>, after: &str) -> Edit {
    Edit {
        plugin: PluginName::new("transform-site"),
        kind,
        device: device.map(str::to_owned),
        before: before.map(str::to_owned),
        after: Some(after.to_owned()),
        reason: "because".into(),
    }
}

fn edits() -> Vec<Edit> {
    vec![
        edit(EditKind::Title, None, None, "moved"),
        edit(EditKind::GraphicsListen, Some("vnc"), Some("127.0.0.1"), "10.0.0.2"),
        edit(EditKind::Metadata, Some("urn:x"), None, "<x xmlns='urn:x'/>"),
        edit(EditKind::CpuPin, Some("vcpu 0"), None, "2-3"),
        edit(EditKind::MemoryNodes, None, None, "0"),
        edit(EditKind::OnCrash, None, Some("destroy"), "restart"),
    ]
}

async fn facts(site: &Site, host: HostName) -> DomainFacts {
    site.world.domain_facts(&host, &DomainKey::Id(site.id)).await.unwrap()
}

fn question() -> Question {
    Question {
        domain: DomainKey::Name("g1".into()),
        source: None,
        targets: Targets::These(vec![b()]),
        options: Default::default(),
        requester: "test".into(),
    }
}

#[test]
fn every_kind_of_domain_arrives_with_its_edits_and_the_plan_is_on_record() {
    for case in [Case::live(), Case::paused(), Case::transient(), Case::offline()] {
        in_virtual_time(async {
            let site = Site::new(case);
            let policies = Rewriter::wanting(edits());
            let engine = site.engine_with(Arc::clone(&policies) as Arc<dyn Policies>);

            let report = engine.check(&question()).await.unwrap();
            let dry = engine.dry_run(&report, &b()).await.unwrap().unwrap().unwrap();
            assert_eq!(dry.plan.edits.0, edits(), "the dry run shows them");
            assert_eq!(facts(&site, a()).await.title, None, "and makes none of them");

            let driver = engine.accept(site.request()).unwrap();
            let task = driver.id();
            let outcome = driver.drive().await.unwrap();
            assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
            assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
            let there = facts(&site, b()).await;
            assert_eq!(there.title.as_deref(), Some("moved"));
            assert_eq!(there.graphics[0].listen, ["10.0.0.2"]);
            assert_eq!(there.metadata[0].namespace, "urn:x");
            assert_eq!((there.pins[0].threads.as_str(), there.pins[0].cpus.as_str()), ("vcpu 0", "2-3"));
            assert_eq!((there.memory_nodes.as_deref(), there.on_crash.as_deref()), (Some("0"), Some("restart")));
            assert_eq!(engine.read(task).unwrap().plan.unwrap().edits.0, edits());
            let shown = policies.shown.lock().unwrap();
            assert!(
                shown.iter().all(|domain| domain.title.as_deref() == Some("moved")),
                "the prechecks judge what arrives"
            );
        });
    }
}

#[test]
fn what_stands_against_an_edit_refuses_the_migration() {
    in_virtual_time(async {
        let site = Site::new(Case::live());
        let finding = Finding {
            code: "plugin-trapped".into(),
            severity: Severity::Blocker,
            message: "policy transform-site trapped".into(),
            evidence: vec![],
            remedy: Some("tell its author".into()),
        };
        let findings = vec![Judged { plugin: PluginName::new("transform-site"), mode: PolicyMode::Enforce, finding }];
        let engine = site.engine_with(Rewriter::answering(Transformed { edits: Edits::default(), findings }));
        let report = engine.check(&question()).await.unwrap();
        assert!(engine.dry_run(&report, &b()).await.unwrap().is_none());
        let outcome = engine.accept(site.request()).unwrap().drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused, "{outcome:?}");
        assert!(outcome.summary.contains("policy transform-site trapped"), "{outcome:?}");
        assert_eq!(site.world.truth(site.id), site.before);
    });
}

#[test]
fn an_edit_of_a_definition_that_is_another_by_now_is_refused_before_anything_is_touched() {
    in_virtual_time(async {
        let site = Site::new(Case::live());
        let stale = edit(EditKind::GraphicsListen, Some("vnc"), Some("10.9.9.9"), "10.0.0.2");
        let engine = site.engine_with(Rewriter::wanting(vec![stale]));
        let outcome = engine.accept(site.request()).unwrap().drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused, "{outcome:?}");
        for part in ["transform-site", "vnc address", "127.0.0.1", "10.9.9.9"] {
            assert!(outcome.summary.contains(part), "{part}: {outcome:?}");
        }
        assert_eq!(site.world.truth(site.id), site.before);
    });
}

#[test]
fn what_the_guest_would_notice_is_refused_by_the_host_and_named() {
    in_virtual_time(async {
        // The hypervisor compares what the guest sees when the migration begins.
        let refusal = Scripted::at(Step::Begin, What::Error(FaultKind::Incompatible));
        let site = Site::new(Case::live().fault(refusal));
        let engine = site.engine_with(Rewriter::wanting(edits()));
        let driver = engine.accept(site.request()).unwrap();
        let task = driver.id();
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::RolledBack, "{outcome:?}");
        let said = outcome.causes.join("; ");
        assert!(said.contains("title by transform-site") && said.contains("correct the policy"), "{outcome:?}");
        assert_eq!(judge(&site, task, outcome).await.wrong, Vec::<String>::new());
        assert_eq!(site.world.truth(site.id).running_on, [a()]);
        assert_eq!(facts(&site, a()).await.title, None);
    });
}

#[test]
fn a_disk_that_is_copied_is_not_moved_to_another_path_as_well() {
    in_virtual_time(async {
        let site = Site::new(Case::copying());
        let path = facts(&site, a()).await.disks[0].source.clone().unwrap();
        let engine =
            site.engine_with(Rewriter::wanting(vec![edit(EditKind::DiskSource, Some("vda"), Some(&path), "/x")]));
        let outcome = engine.accept(site.request()).unwrap().drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Refused, "{outcome:?}");
        assert!(outcome.summary.contains("vda is copied") && outcome.summary.contains("transform-site"), "{outcome:?}");
    });
}

#[test]
fn another_controller_without_the_policy_goes_on_with_the_edits_on_record() {
    in_virtual_time(async {
        let site = Site::new(Case::live());
        let engine = site.engine_with(Rewriter::wanting(edits()));
        let driver = engine.accept(site.request()).unwrap();
        let task = driver.id();
        let driving = tokio::spawn(driver.drive());
        until_performing(&site, task).await;
        driving.abort();
        let _ = driving.await;

        let (other, _): (Engine, _) = site.engine(None);
        let Adopted::Driver(driver) = other.adopt(task).unwrap() else { panic!("nobody drives it") };
        let outcome = driver.drive().await.unwrap();
        assert_eq!(outcome.kind, OutcomeKind::Completed, "{outcome:?}");
        assert_eq!(other.read(task).unwrap().plan.unwrap().edits.0, edits());
        assert_eq!(facts(&site, b()).await.title.as_deref(), Some("moved"));
    });
}

async fn until_performing(site: &Site, task: waypost_core::ids::TaskId) {
    loop {
        let journal = site.store.journal(task).unwrap();
        if journal.iter().any(|(_, record)| *record == Record::PerformIntended) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
}
