//! The macros that make a policy's type the exports of a `.wasm`.
//!
//! They expand to nothing on other targets: the symbols hold `:` and `/`, which native linkers refuse, and a policy's
//! unit tests are native.

#[cfg(target_family = "wasm")]
use crate::bindings::precheck::waypost::facts::{environment, inventory as raw};
#[cfg(target_family = "wasm")]
use crate::{
    Answer, Convergence, DomainFacts, Finding, HostFacts, Opening, OpeningQuestion, Precheck, Question, Recovery,
    Request, SteeringAnswer, SteeringQuestion,
};
#[cfg(all(target_family = "wasm", feature = "transform"))]
use crate::{Edit, Transform, TransformRequest};

/// Exports a type as the precheck of this crate.
#[macro_export]
macro_rules! export_precheck {
    ($policy:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::__private::precheck::waypost::facts::inventory as raw;
            struct Exported;
            impl $crate::__private::precheck::exports::waypost::precheck::check::Guest for Exported {
                fn check(
                    request: $crate::Request,
                    domain: &raw::DomainFacts,
                    source: &raw::HostFacts,
                    destinations: ::std::vec::Vec<raw::HostFacts>,
                ) -> ::std::vec::Vec<::std::vec::Vec<$crate::Finding>> {
                    $crate::__private::findings::<$policy>(&request, domain, source, destinations)
                }
                fn validate_settings(
                    settings: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::__private::on_panic();
                    <$policy as $crate::Precheck>::validate_settings(&settings)
                }
            }
    $crate::__private::precheck::export!(Exported with_types_in $crate::__private::precheck);
        };
    };
}

/// Exports a type as the transform policy of this crate.
#[cfg(feature = "transform")]
#[macro_export]
macro_rules! export_transform {
    ($policy:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            use $crate::__private::precheck::waypost::facts::inventory as raw;
            struct Exported;
            impl $crate::__private::transform::exports::waypost::transform::rewrite::Guest for Exported {
                fn rewrite(
                    request: $crate::TransformRequest,
                    domain: &raw::DomainFacts,
                    source: &raw::HostFacts,
                    destinations: ::std::vec::Vec<raw::HostFacts>,
                ) -> ::std::vec::Vec<::std::vec::Vec<$crate::Edit>> {
                    $crate::__private::edits::<$policy>(&request, domain, source, destinations)
                }
                fn validate_settings(
                    settings: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::__private::on_panic();
                    <$policy as $crate::Transform>::validate_settings(&settings)
                }
            }
    $crate::__private::transform::export!(Exported with_types_in $crate::__private::transform);
        };
    };
}

/// Exports a type as the recovery policy of this crate.
#[macro_export]
macro_rules! export_recovery {
    ($policy:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exported;
            impl $crate::__private::recovery::exports::waypost::recovery::recover::Guest for Exported {
                fn decide(question: $crate::Question) -> $crate::Answer {
                    $crate::__private::decide::<$policy>(&question)
                }
                fn validate_settings(
                    settings: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::__private::on_panic();
                    <$policy as $crate::Recovery>::validate_settings(&settings)
                }
            }
    $crate::__private::recovery::export!(Exported with_types_in $crate::__private::recovery);
        };
    };
}

/// Exports a type as the convergence policy of this crate.
#[macro_export]
macro_rules! export_convergence {
    ($policy:ty) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Exported;
            impl $crate::__private::convergence::exports::waypost::convergence::steer::Guest for Exported {
                fn open(question: $crate::OpeningQuestion) -> $crate::Opening {
                    $crate::__private::open::<$policy>(&question)
                }
                fn decide(question: $crate::SteeringQuestion) -> $crate::SteeringAnswer {
                    $crate::__private::steer::<$policy>(&question)
                }
                fn validate_settings(
                    settings: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    $crate::__private::on_panic();
                    <$policy as $crate::Convergence>::validate_settings(&settings)
                }
            }
    $crate::__private::convergence::export!(Exported with_types_in $crate::__private::convergence);
        };
    };
}

/// One call of a precheck.
#[cfg(target_family = "wasm")]
pub fn findings<P: Precheck>(
    request: &Request,
    domain: &raw::DomainFacts,
    source: &raw::HostFacts,
    destinations: Vec<raw::HostFacts>,
) -> Vec<Vec<Finding>> {
    on_panic();
    let facts: Vec<HostFacts> = destinations.iter().map(HostFacts::over).collect();
    let answer = P::check_all(request, &DomainFacts::over(domain), &HostFacts::over(source), &facts);
    // The instance ends with this call and the host's table of handles with it: giving handles back one by one would
    // only cost a call each.
    std::mem::forget((facts, destinations));
    answer
}

/// One call of a transform policy.
#[cfg(all(target_family = "wasm", feature = "transform"))]
pub fn edits<P: Transform>(
    request: &TransformRequest,
    domain: &raw::DomainFacts,
    source: &raw::HostFacts,
    destinations: Vec<raw::HostFacts>,
) -> Vec<Vec<Edit>> {
    on_panic();
    let facts: Vec<HostFacts> = destinations.iter().map(HostFacts::over).collect();
    let (domain, source) = (DomainFacts::over(domain), HostFacts::over(source));
    let answer = facts.iter().map(|destination| P::rewrite(request, &domain, &source, destination)).collect();
    // As with prechecks: the host's table of handles ends with the instance.
    std::mem::forget((facts, destinations));
    answer
}

/// One call of a recovery policy.
#[cfg(target_family = "wasm")]
pub fn decide<P: Recovery>(question: &Question) -> Answer {
    on_panic();
    P::decide(question)
}

/// One call of a convergence policy, before the transfer.
#[cfg(target_family = "wasm")]
pub fn open<P: Convergence>(question: &OpeningQuestion) -> Opening {
    on_panic();
    P::open(question)
}

/// One call of a convergence policy, while it runs.
#[cfg(target_family = "wasm")]
pub fn steer<P: Convergence>(question: &SteeringQuestion) -> SteeringAnswer {
    on_panic();
    P::decide(question)
}

/// Makes a panic tell the host its text and place before it traps.
#[cfg(target_family = "wasm")]
pub fn on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload_as_str().unwrap_or("a panic without text");
        let (file, line, column) =
            panic.location().map_or(("unknown", 0, 0), |place| (place.file(), place.line(), place.column()));
        environment::panicked(message, file, line, column);
    }));
}
