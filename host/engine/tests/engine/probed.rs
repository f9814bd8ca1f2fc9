//! A storage probe is the one thing that a check makes, so it is named where "nothing was touched" would else be said.

use std::sync::Arc;

use waypost_core::facts::Snapshot;
use waypost_core::finding::{Finding, Severity};
use waypost_core::ids::PluginName;
use waypost_core::outcome::OutcomeKind;
use waypost_core::ports::{DecisionRecord, Hypervisor as _, Judgement, Policies, StorageProbe};
use waypost_core::recovery::{RecoveryAnswer, RecoveryQuestion};
use waypost_core::request::CheckRequest;
use waypost_core::verdict::{Judged, PolicyMode};

use crate::support::{Case, Mind, Minded, Site, b};

/// Probes the shared pool, and refuses.
struct Probing;

impl Policies for Probing {
    fn precheck(&self, request: &CheckRequest, facts: &Arc<Snapshot>, probe: Option<&dyn StorageProbe>) -> Judgement {
        let found = probe.map(|probe| probe.shared(&b(), "shared", "shared"));
        assert_eq!(found, Some(Ok(true)), "both hosts have one store");
        let mut judgement = Minded::new(Mind::Conservative).precheck(request, facts, probe);
        let finding = Finding {
            code: "no".into(),
            severity: Severity::Blocker,
            message: "no".into(),
            evidence: vec![],
            remedy: None,
        };
        for verdict in &mut judgement.verdicts {
            let plugin = PluginName::new("test");
            verdict.findings.push(Judged { plugin, mode: PolicyMode::Enforce, finding: finding.clone() });
        }
        judgement
    }
    fn recover(&self, question: &RecoveryQuestion) -> (RecoveryAnswer, DecisionRecord) {
        Minded::new(Mind::Conservative).recover(question)
    }
}

/// In real time: a policy's thread waits for the probe, and virtual time stands still for as long as it does.
#[test]
fn a_refusal_names_the_probe_that_ran_before_it_and_no_other() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    runtime.block_on(async {
        let site = Site::new(Case::live());
        let engine = site.engine_with(Arc::new(Probing));
        for end in [
            "; nothing was touched but for the storage probe: a volume in pool shared of b, made and removed",
            // What was proven holds: nobody probes again.
            "; nothing was touched",
        ] {
            let outcome = engine.accept(site.request()).unwrap().drive().await.unwrap();
            assert_eq!(outcome.kind, OutcomeKind::Refused);
            assert!(outcome.summary.ends_with(end), "{outcome:?}");
        }
        assert_eq!(site.world.sees_probe(&b(), "shared", "none").await, Ok(false));
        assert!(site.store.open_probes().unwrap().is_empty());
    });
}
