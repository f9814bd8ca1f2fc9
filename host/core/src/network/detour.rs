//! The ways that the rest of an interrupted post-copy may take: the one it began on, and what the site lets stand in for
//! it. They are planned with the migration, so that no other configuration changes what a network is while it carries one.

use super::MANAGEMENT;
use crate::facts;
use crate::journal::Course;
use crate::plan::Plan;
use crate::recovery::FailureClass;
use crate::stream::Stream;

facts! {
    /// A way that may stand in for the plan's own.
    pub struct Detour {
        /// Network; none: the one that libvirt's own connections take.
        pub network: Option<String>,
        /// Memory goes here; none: wherever libvirt on the destination says.
        pub migrate_uri: Option<String>,
        /// The destination listens here; none: on every address.
        pub listen_address: Option<String>,
        /// Limit of the rest over it, MiB/s: what the request names, else what the network is declared to carry; none: the plan's
        /// own, and where that has none, no limit.
        pub bandwidth_mib_s: Option<u64>,
    }
}

/// What may stand in for a plan's way, the first choice first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Detours(pub Vec<Detour>);

impl Detour {
    fn is_called(&self, name: &str) -> bool {
        called(self.network.as_deref()) == name
    }
}

fn called(network: Option<&str>) -> &str {
    network.unwrap_or(MANAGEMENT)
}

/// Every way that the rest of an interrupted post-copy may take, by name: the one that the migration began on, and what may
/// stand in for it in its order.
pub fn all_ways(plan: &Plan) -> Vec<String> {
    let mut ways: Vec<String> = vec![called(plan.network.as_deref()).to_owned()];
    ways.extend(plan.detours.0.iter().map(|detour| called(detour.network.as_deref()).to_owned()));
    ways
}

/// The ways that a resumption may take, by name and in the order in which they are tried; empty where nothing may stand
/// in for the one that the migration began on.
///
/// A way that carries nothing is left for the next one in turn, and after the last the first comes again, because a way may
/// be mended. It is kept where the failure says nothing about it: a daemon was lost, or a host refused, as a destination
/// does that has not noticed yet that the stream broke.
pub fn ways(plan: &Plan, course: &Course) -> Vec<String> {
    if plan.detours.0.is_empty() {
        return Vec::new();
    }
    let mut ways = all_ways(plan);
    let last = course.way.as_deref().unwrap_or(called(plan.network.as_deref()));
    let at = ways.iter().position(|way| way == last).unwrap_or(0);
    let kept = matches!(course.failure, Some((FailureClass::Unreachable | FailureClass::Refused, _)));
    ways.rotate_left(at);
    if !kept {
        ways.rotate_left(1);
    }
    ways
}

/// What a hypervisor is told so that it lifts a limit: one that it isn't told again stays in force.
const NO_LIMIT: u64 = 0;

impl Plan {
    /// The plan with a way for the rest of its post-copy; the plan's own where that names none of its detours. Where any of the
    /// ways has a limit, a way without one lifts it.
    pub fn over(&self, way: Option<&str>) -> Self {
        let detour = way.and_then(|way| self.detours.0.iter().find(|detour| detour.is_called(way)));
        let mut onward = match detour.cloned() {
            Some(Detour { network, migrate_uri, listen_address, bandwidth_mib_s }) => {
                let post_copy_bandwidth_mib_s = bandwidth_mib_s.or(self.stream.post_copy_bandwidth_mib_s);
                let stream = Stream { post_copy_bandwidth_mib_s, ..self.stream.clone() };
                Self { network, migrate_uri, listen_address, stream, ..self.clone() }
            }
            None => self.clone(),
        };
        if self.detours.0.iter().any(|detour| detour.bandwidth_mib_s.is_some()) {
            onward.stream.post_copy_bandwidth_mib_s.get_or_insert(NO_LIMIT);
        }
        onward
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::plan;

    fn detour(name: Option<&str>, bandwidth_mib_s: Option<u64>) -> Detour {
        Detour { network: name.map(str::to_owned), migrate_uri: None, listen_address: None, bandwidth_mib_s }
    }

    #[test]
    fn a_way_without_a_limit_lifts_the_one_of_the_way_before_it() {
        let limits = |own: Option<u64>, of_six: Option<u64>| {
            let stream = Stream { post_copy: true, post_copy_bandwidth_mib_s: own, ..Stream::default() };
            let detours = Detours(vec![detour(Some("six"), of_six), detour(None, None)]);
            let plan = Plan { network: Some("mig".into()), stream, detours, ..plan() };
            ["six", MANAGEMENT, "mig"].map(|way| plan.over(Some(way)).stream.post_copy_bandwidth_mib_s)
        };
        assert_eq!(limits(None, Some(20)), [Some(20), Some(0), Some(0)], "20 is lifted on the way back");
        assert_eq!(limits(None, None), [None; 3], "there is none to be lifted");
        assert_eq!(limits(Some(700), Some(20)), [Some(20), Some(700), Some(700)]);
        assert_eq!(limits(Some(700), None), [Some(700); 3]);
    }
}
