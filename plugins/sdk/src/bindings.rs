//! The WIT packages as Rust, one module per world. Everything else of this crate is written over them.

#[allow(missing_docs, clippy::all, reason = "generated; the WIT holds the documentation")]
pub mod precheck {
    wit_bindgen::generate!({
        path: ["../../wit/facts", "../../wit/precheck"],
        world: "waypost:precheck/precheck",
        pub_export_macro: true,
        additional_derives: [PartialEq],
        generate_all,
    });
}

#[cfg(feature = "transform")]
#[allow(missing_docs, clippy::all, reason = "generated; the WIT holds the documentation")]
pub mod transform {
    wit_bindgen::generate!({
        path: ["../../wit/facts", "../../wit/transform"],
        world: "waypost:transform/transform",
        pub_export_macro: true,
        additional_derives: [PartialEq],
        with: {
            "waypost:facts/types@0.1.0": crate::bindings::precheck::waypost::facts::types,
            "waypost:facts/inventory@0.1.0": crate::bindings::precheck::waypost::facts::inventory,
            "waypost:facts/environment@0.1.0": crate::bindings::precheck::waypost::facts::environment,
            "waypost:facts/volumes@0.1.0": crate::bindings::precheck::waypost::facts::volumes,
            "waypost:facts/documents@0.1.0": crate::bindings::precheck::waypost::facts::documents,
            "waypost:facts/node-devices@0.1.0": crate::bindings::precheck::waypost::facts::node_devices,
        },
    });
}

#[allow(missing_docs, clippy::all, reason = "generated; the WIT holds the documentation")]
pub mod recovery {
    wit_bindgen::generate!({
        path: ["../../wit/facts", "../../wit/recovery"],
        world: "waypost:recovery/recovery",
        pub_export_macro: true,
        additional_derives: [PartialEq],
        with: {
            "waypost:facts/types@0.1.0": crate::bindings::precheck::waypost::facts::types,
            "waypost:facts/environment@0.1.0": crate::bindings::precheck::waypost::facts::environment,
        },
    });
}

#[allow(missing_docs, clippy::all, reason = "generated; the WIT holds the documentation")]
pub mod convergence {
    wit_bindgen::generate!({
        path: ["../../wit/facts", "../../wit/convergence"],
        world: "waypost:convergence/convergence",
        pub_export_macro: true,
        additional_derives: [PartialEq],
        with: {
            "waypost:facts/environment@0.1.0": crate::bindings::precheck::waypost::facts::environment,
        },
    });
}
