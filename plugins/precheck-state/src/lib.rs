//! The domain must be in a state in which it can travel: running, paused and shut off each its own way, and nothing else
//! may be going on with it.
//!
//! libvirt finds some of this itself and some too late: `--offline` on a running domain succeeds and merely copies the
//! definition; a managed-save image stays on the source, from where the domain could be started a second time.

use waypost_plugin::{DomainFacts, DomainState, Finding, HostFacts, Precheck, Request, Travel, export_precheck, text};

/// The policy.
pub struct State;

impl Precheck for State {
    fn check(request: &Request, domain: &DomainFacts, source: &HostFacts, _: &HostFacts) -> Vec<Finding> {
        about(request, domain, source)
    }

    // No destination changes any of it.
    fn check_all(request: &Request, domain: &DomainFacts, source: &HostFacts, to: &[HostFacts]) -> Vec<Vec<Finding>> {
        vec![about(request, domain, source); to.len()]
    }
}

fn about(request: &Request, domain: &DomainFacts, source: &HostFacts) -> Vec<Finding> {
    let travel = request.travel(domain);
    let mut findings = Vec::new();
    // Who moves a domain with Waypost leaves a notice on it.
    let notice = domain.metadata("urn:waypost:task:1");
    // A migration under way explains everything else that could be said of the state.
    if let Some(finding) = migrating(domain) {
        return vec![finding.with_option("notice", notice, "none: no Waypost moves it")];
    }
    if let Some(notice) = notice {
        findings.push(
            Finding::warning("notice-of-another", "The domain carries the notice of another migration task.")
                .with("notice", notice)
                .remedy(
                    "Ask that controller what became of the task (waypost task ID); one that is over left it behind.",
                ),
        );
    }
    findings.extend(fits(travel, domain));
    findings.extend(perhaps_never_ran(travel, domain, source));
    findings.extend(definition(request, travel, domain));
    if let Some(job) = domain.job() {
        findings.push(
            Finding::blocker("job-running", format!("A job of libvirt's runs on the domain: {}.", job.operation))
                .with("operation", &job.operation)
                .with_option("running for (ms)", job.elapsed_ms, "unknown")
                .remedy("Wait until it ends, or abort it (virsh domjobabort)."),
        );
    }
    for job in domain.block_jobs() {
        findings.push(
            Finding::blocker("block-job-running", format!("A block job runs on the disk {}.", job.disk))
                .with("disk", &job.disk)
                .with("job", &job.kind)
                .remedy(format!("Wait until it ends, or abort it (virsh blockjob DOMAIN {} --abort).", job.disk)),
        );
    }
    findings.extend(left_behind(travel, domain));
    findings
}

fn migrating(domain: &DomainFacts) -> Option<Finding> {
    let job = domain.job().map(|job| job.operation.as_str()).filter(|operation| operation.starts_with("migration"));
    let reason = Some(domain.state_reason()).filter(|reason| {
        matches!((domain.state(), *reason), (DomainState::Paused, "migration"))
            || matches!(*reason, "post-copy" | "post-copy-failed")
    });
    let sign = job.or(reason)?;
    Some(
        Finding::blocker("already-migrating", "The domain is being migrated already.")
            .with("sign", sign)
            .with("state", domain.state().words())
            .with("reason", domain.state_reason())
            .remedy("Wait for that migration, or cancel it; after a failed post-copy phase it must be resumed."),
    )
}

fn fits(travel: Travel, domain: &DomainFacts) -> Option<Finding> {
    let (state, reason) = (domain.state(), domain.state_reason());
    let (code, message, remedy) = match (travel, state) {
        (Travel::Live, DomainState::Running | DomainState::Blocked) | (Travel::Offline, DomainState::ShutOff) => {
            return None;
        }
        (Travel::Live, DomainState::Paused) => {
            return match reason {
                "io-error" => Some(
                    Finding::warning(
                        "paused-by-io-error",
                        "The domain is paused because its storage failed; it arrives paused.",
                    )
                    .with("reason", reason)
                    .remedy("Mend the storage first, unless the other host reaches it better."),
                ),
                "save" | "dump" | "snapshot" | "shutting-down" | "starting-up" => Some(
                    Finding::blocker("state-in-transition", "The domain is paused in the middle of something else.")
                        .with("reason", reason)
                        .remedy("Wait until it is over, then try again."),
                ),
                _ => None,
            };
        }
        (Travel::Live, DomainState::ShutOff) => (
            "not-running",
            "A live migration was asked for and the domain is shut off.",
            "Start it, or leave the mode to its state: a shut-off domain travels as its definition.",
        ),
        (Travel::Offline, state) if state.is_active() => (
            "still-active",
            "An offline migration was asked for and the domain is active: libvirt would only copy its definition.",
            "Shut it down first, or leave the mode to its state.",
        ),
        (_, DomainState::PmSuspended) => {
            ("state-unsuitable", "The guest has suspended itself.", "Wake it up (virsh dompmwakeup), then migrate it.")
        }
        (_, DomainState::Shutdown) => {
            ("state-unsuitable", "The domain is shutting down.", "Wait until it is off and migrate it offline.")
        }
        (_, DomainState::Crashed) => {
            ("state-unsuitable", "The guest has crashed.", "Restart it, or destroy it and migrate it offline.")
        }
        _ => ("state-unsuitable", "libvirt doesn't tell the domain's state.", "Look what its driver supports."),
    };
    Some(Finding::blocker(code, message).with("state", state.words()).with("reason", reason).remedy(remedy))
}

/// There are hypervisors that abort, and the guest is lost, when a guest leaves that arrived paused and has not run since: its
/// images were never taken over. libvirt shows it as one that a person paused, so it can only be warned of.
fn perhaps_never_ran(travel: Travel, domain: &DomainFacts, source: &HostFacts) -> Option<Finding> {
    let paused = domain.state() == DomainState::Paused && domain.state_reason() == "user";
    let aborts = source.arrived_paused_may_leave() == Some(false);
    (travel == Travel::Live && paused && aborts && !domain.disks().is_empty()).then(|| {
        Finding::warning(
            "paused-perhaps-never-ran",
            "The domain is paused. If it arrived so by a migration and has not run since, this hypervisor aborts when it leaves, \
             and the guest is lost; libvirt doesn't tell.",
        )
        .with("reason", domain.state_reason())
        .with_option("hypervisor", source.hypervisor_version().map(text::version), "unknown")
        .remedy("Unless it ran on this host, let it run for a moment first: virsh resume, then virsh suspend.")
    })
}

fn definition(request: &Request, travel: Travel, domain: &DomainFacts) -> Option<Finding> {
    (travel == Travel::Offline && request.persistence == "transient").then(|| {
        Finding::blocker(
            "definition-needed",
            "A shut-off domain is nothing but its definition; it can't go as transient.",
        )
        .with("persistence", &request.persistence)
        .with("state", domain.state().words())
        .remedy("Leave the persistence as it is on the source.")
    })
}

/// What libvirt keeps beside a domain and does not carry along.
fn left_behind(travel: Travel, domain: &DomainFacts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if domain.managed_save() {
        let (message, remedy) = match travel {
            Travel::Offline => (
                "A managed-save image holds the guest's memory; it would stay on the source.",
                "Start the domain and migrate it live, or drop the image (virsh managedsave-remove).",
            ),
            Travel::Live => (
                "An outdated managed-save image exists; the next start on the source would restore it.",
                "Drop the image (virsh managedsave-remove).",
            ),
        };
        findings.push(Finding::blocker("managed-save-image", message).with("managed save", "present").remedy(remedy));
    }
    let snapshots = domain.snapshots();
    if !snapshots.is_empty() {
        findings.push(
            Finding::blocker("has-snapshots", "libvirt does not migrate a domain with snapshots, running or not.")
                .with("snapshots", text::list(snapshots, "none"))
                .remedy("Delete them (virsh snapshot-delete; with --metadata only if another tool keeps the data)."),
        );
    }
    let checkpoints = domain.checkpoints();
    if !checkpoints.is_empty() {
        findings.push(
            Finding::warning("has-checkpoints", "Checkpoints stay behind: the next backup must be a full one.")
                .with("checkpoints", text::list(checkpoints, "none")),
        );
    }
    findings
}

export_precheck!(State);

#[cfg(test)]
mod tests {
    use waypost_plugin::Severity;
    use waypost_plugin::Severity::{Blocker, Warning};
    use waypost_plugin::testing::{self, codes};
    use waypost_plugin::types::{ActiveJob, BlockJob};

    use super::*;

    fn check(mode: &str, change: impl FnOnce(&mut DomainFacts)) -> Vec<(String, Severity)> {
        let request = testing::request_with(|request| request.mode = mode.into());
        let found = testing::check::<State>(&request, &testing::domain_with(change), &testing::host("kvm2"));
        codes(&found).into_iter().map(|(code, weight)| (code.to_owned(), weight)).collect()
    }

    fn one(code: &str, weight: Severity) -> Vec<(String, Severity)> {
        vec![(code.to_owned(), weight)]
    }

    #[test]
    fn running_paused_and_shut_off_each_go_their_own_way() {
        for (mode, state) in [
            ("auto", DomainState::Running),
            ("live", DomainState::Blocked),
            ("auto", DomainState::Paused),
            ("auto", DomainState::ShutOff),
            ("offline", DomainState::ShutOff),
        ] {
            assert_eq!(check(mode, |domain| domain.state = state), [], "{mode} {state:?}");
        }
    }

    #[test]
    fn a_mode_that_does_not_fit_the_state_is_refused() {
        assert_eq!(check("live", |domain| domain.state = DomainState::ShutOff), one("not-running", Blocker));
        assert_eq!(check("offline", |_| {}), one("still-active", Blocker));
        assert_eq!(check("offline", |domain| domain.state = DomainState::Paused), one("still-active", Blocker));
    }

    #[test]
    fn no_other_state_can_travel() {
        for state in [DomainState::Shutdown, DomainState::Crashed, DomainState::PmSuspended] {
            assert_eq!(check("auto", |domain| domain.state = state), one("state-unsuitable", Blocker), "{state:?}");
        }
        assert_eq!(check("auto", |domain| domain.state = DomainState::NoState), one("state-unsuitable", Blocker));
    }

    #[test]
    fn a_pause_is_judged_by_its_reason() {
        let paused = |reason: &str| {
            check("auto", |domain| {
                domain.state = DomainState::Paused;
                domain.state_reason = reason.into();
            })
        };
        assert_eq!(paused("user"), one("paused-perhaps-never-ran", Warning));
        assert_eq!(paused("watchdog"), []);
        assert_eq!(paused("io-error"), one("paused-by-io-error", Warning));
        assert_eq!(paused("snapshot"), one("state-in-transition", Blocker));
        assert_eq!(paused("migration"), one("already-migrating", Blocker));
        assert_eq!(paused("post-copy-failed"), one("already-migrating", Blocker));
    }

    #[test]
    fn a_paused_guest_is_warned_of_only_where_its_hypervisor_may_abort() {
        let paused = testing::domain_with(|domain| {
            domain.state = DomainState::Paused;
            domain.state_reason = "user".into();
        });
        let found = |domain: &DomainFacts, change: fn(&mut HostFacts)| {
            let source = testing::host_with("kvm1", change);
            testing::check_from::<State>(&testing::request(), domain, &source, &testing::host("kvm2")).len()
        };
        assert_eq!(found(&paused, |_| {}), 1);
        assert_eq!(found(&paused, |host| host.arrived_paused_may_leave = Some(true)), 0);
        assert_eq!(found(&paused, |host| host.arrived_paused_may_leave = None), 0);
        let without_disks = testing::domain_with(|domain| {
            domain.state = DomainState::Paused;
            domain.state_reason = "user".into();
            domain.disks.clear();
        });
        assert_eq!(found(&without_disks, |_| {}), 0, "no image was to be taken over");
    }

    #[test]
    fn jobs_are_waited_for() {
        let job = |operation: &str| Some(ActiveJob { operation: operation.into(), elapsed_ms: Some(1500) });
        assert_eq!(check("auto", |domain| domain.job = job("migration-out")), one("already-migrating", Blocker));
        assert_eq!(check("auto", |domain| domain.job = job("backup")), one("job-running", Blocker));
        let copy = BlockJob { disk: "vda".into(), kind: "copy".into() };
        assert_eq!(check("auto", |domain| domain.block_jobs = vec![copy]), one("block-job-running", Blocker));
    }

    #[test]
    fn what_would_stay_behind_is_said() {
        for state in [DomainState::ShutOff, DomainState::Running] {
            let with = |change: fn(&mut DomainFacts)| {
                check("auto", |domain| {
                    domain.state = state;
                    change(domain);
                })
            };
            assert_eq!(with(|domain| domain.managed_save = true), one("managed-save-image", Blocker));
            assert_eq!(with(|domain| domain.snapshots = vec!["before-update".into()]), one("has-snapshots", Blocker));
            assert_eq!(with(|domain| domain.checkpoints = vec!["monday".into()]), one("has-checkpoints", Warning));
        }
    }

    #[test]
    fn a_definition_can_not_go_as_transient() {
        let request = testing::request_with(|request| request.persistence = "transient".into());
        let off = testing::domain_with(|domain| domain.state = DomainState::ShutOff);
        let found = testing::check::<State>(&request, &off, &testing::host("kvm2"));
        assert_eq!(codes(&found), [("definition-needed", Blocker)]);
        assert_eq!(testing::check::<State>(&request, &testing::domain(), &testing::host("kvm2")), []);
    }

    #[test]
    fn every_destination_gets_the_same_answer() {
        let off = testing::domain_with(|domain| domain.managed_save = true);
        let hosts = [testing::host("kvm2"), testing::host("kvm3")];
        let all = State::check_all(&testing::request(), &off, &testing::host("kvm1"), &hosts);
        assert_eq!(all.len(), 2);
        assert_eq!(all[0], State::check(&testing::request(), &off, &testing::host("kvm1"), &hosts[0]));
        assert_eq!(all[0], all[1]);
    }
}
