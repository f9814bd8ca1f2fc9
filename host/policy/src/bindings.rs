//! The Rust side of wit/, generated: one module per hook over the same facts.
//!
//! Host functions may fail (`trappable`): that is how a limit of the host ends a call with a typed error.

/// `waypost:precheck`, and with it all of `waypost:facts`.
pub(crate) mod precheck {
    wasmtime::component::bindgen!({
        path: ["../../wit/facts", "../../wit/precheck"],
        world: "waypost:precheck/precheck",
        imports: { default: trappable },
        with: {
            "waypost:facts/inventory.domain-facts": crate::view::DomainHandle,
            "waypost:facts/inventory.host-facts": crate::view::HostHandle,
        },
    });
}

/// `waypost:transform`, over the facts of [`precheck`].
pub(crate) mod transform {
    wasmtime::component::bindgen!({
        path: ["../../wit/facts", "../../wit/transform"],
        world: "waypost:transform/transform",
        imports: { default: trappable },
        with: {
            "waypost:facts/types": super::precheck::waypost::facts::types,
            "waypost:facts/inventory": super::precheck::waypost::facts::inventory,
            "waypost:facts/environment": super::precheck::waypost::facts::environment,
            "waypost:facts/volumes": super::precheck::waypost::facts::volumes,
            "waypost:facts/documents": super::precheck::waypost::facts::documents,
            "waypost:facts/node-devices": super::precheck::waypost::facts::node_devices,
        },
    });
}

/// `waypost:recovery`, over the facts of [`precheck`].
pub(crate) mod recovery {
    wasmtime::component::bindgen!({
        path: ["../../wit/facts", "../../wit/recovery"],
        world: "waypost:recovery/recovery",
        imports: { default: trappable },
        with: {
            "waypost:facts/types": super::precheck::waypost::facts::types,
            "waypost:facts/environment": super::precheck::waypost::facts::environment,
        },
    });
}

/// `waypost:convergence`, over the environment of [`precheck`].
pub(crate) mod convergence {
    wasmtime::component::bindgen!({
        path: ["../../wit/facts", "../../wit/convergence"],
        world: "waypost:convergence/convergence",
        imports: { default: trappable },
        with: {
            "waypost:facts/environment": super::precheck::waypost::facts::environment,
        },
    });
}

pub(crate) use convergence::exports::waypost::convergence::steer;
pub(crate) use precheck::exports::waypost::precheck::check;
pub(crate) use precheck::waypost::facts::{
    documents, environment, inventory, node_devices, storage_probe, types, volumes,
};
pub(crate) use recovery::exports::waypost::recovery::recover;
pub(crate) use transform::exports::waypost::transform::rewrite;
