//! What the description says of a request: which operation it is, and with which statuses it may be answered. The clients of these tests
//! hold every answer to it, so that what is not described is found where it is first met, and not by `make contract` alone, which
//! needs the network.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use serde_json::Value;

/// An operation of the description.
pub struct Operation {
    /// What it is called there.
    pub id: String,
    method: String,
    path: String,
    statuses: BTreeSet<u16>,
}

static OPERATIONS: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let document: Value = serde_json::to_value(waypost::service::openapi()).expect("it is JSON");
    let mut found = Vec::new();
    for (path, operations) in document["paths"].as_object().expect("paths") {
        for (method, operation) in operations.as_object().expect("operations") {
            let statuses = operation["responses"].as_object().expect("responses").keys();
            found.push(Operation {
                id: operation["operationId"].as_str().expect("a name").to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                statuses: statuses.map(|status| status.parse().expect("a status")).collect(),
            });
        }
    }
    found
});

/// The operation that a request asks for; none: the description has nothing of it.
pub fn operation(method: &str, path: &str) -> Option<&'static Operation> {
    let method = if method == "HEAD" { "GET" } else { method };
    OPERATIONS.iter().find(|operation| operation.method == method && fits(&operation.path, path))
}

/// Whether a path is one of those that a template stands for.
fn fits(template: &str, path: &str) -> bool {
    let (mut parts, mut given) = (template.split('/'), path.split('/'));
    loop {
        match (parts.next(), given.next()) {
            (None, None) => return true,
            (Some(part), Some(given)) if part.starts_with('{') && !given.is_empty() => {}
            (Some(part), Some(given)) if part == given => {}
            _ => return false,
        }
    }
}

impl Operation {
    /// Insists that the description has that status.
    pub fn permits(&self, status: u16) {
        let Self { id, method, path, statuses } = self;
        assert!(statuses.contains(&status), "{status} is not described: {id}, {method} {path} has {statuses:?}");
    }
}
