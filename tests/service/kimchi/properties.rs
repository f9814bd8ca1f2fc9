//! The request, property by property, as Kimchi's own description of it (`vm_migrate`, of 2020) has them: their names and types,
//! which must be there, and which code answers a wrong one. These are its facts in a table of our own.

use super::*;

/// What a property may be.
#[derive(Clone, Copy, PartialEq)]
enum Type {
    /// A text with at least so many characters.
    Text { least: usize },
    /// True or false.
    Truth,
}

struct Property {
    name: &'static str,
    kind: Type,
    required: bool,
    /// The code for a value that it can't have.
    code: &'static str,
}

const PROPERTIES: [Property; 4] = [
    Property { name: "remote_host", kind: Type::Text { least: 1 }, required: true, code: "KCHVM0060E" },
    Property { name: "user", kind: Type::Text { least: 1 }, required: false, code: "KCHVM0059E" },
    Property { name: "password", kind: Type::Text { least: 0 }, required: false, code: "KCHVM0069E" },
    Property { name: "enable_rdma", kind: Type::Truth, required: false, code: "KCHVM0091E" },
];

/// The code for a request without what is required, or with what there is not.
const SHAPE: &str = "WOKAPI0008E";

/// The code for a request that has its shape and names a host that is none of the site's, as all do here that are right.
const NO_HOST: &str = "KCHVM0090E";

const ELSEWHERE: &str = "kvm9.example";

impl Property {
    /// Values, and whether it may be that.
    fn values(&self) -> Vec<(Value, bool)> {
        let text = |least: usize| matches!(self.kind, Type::Text { least: needed } if least >= needed);
        let truth = self.kind == Type::Truth;
        vec![
            (json!(ELSEWHERE), text(ELSEWHERE.len())),
            (json!(""), text(0)),
            (json!("true"), text(4)),
            (json!(true), truth),
            (json!(false), truth),
            (json!(1), false),
            (json!(-1.5), false),
            (json!([]), false),
            (json!([ELSEWHERE]), false),
            (json!({}), false),
            (json!({"is": ELSEWHERE}), false),
            (Value::Null, false),
        ]
    }
}

#[test]
fn each_property_has_its_type_and_its_code() {
    in_virtual_time(async {
        let site = Site::new(TWO_HOSTS);
        let (_service, anna) = serve(&site, kimchi());
        let whole = json!({"remote_host": ELSEWHERE, "user": "root", "password": SECRET, "enable_rdma": false});
        let send = async |body: &Value| ask(&anna, Method::POST, "/vms/g1/migrate", body.clone()).await;
        refused(&send(&whole).await, 400, NO_HOST);
        for property in &PROPERTIES {
            let name = property.name;
            for (value, fits) in property.values() {
                let mut body = whole.clone();
                body[name] = value;
                let reason = refused(&send(&body).await, 400, if fits { NO_HOST } else { property.code });
                assert!(!reason.contains(SECRET), "{name}: {reason}");
            }
            let mut without = whole.clone();
            without.as_object_mut().unwrap().remove(name);
            refused(&send(&without).await, 400, if property.required { SHAPE } else { NO_HOST });
            // One letter more is another property, of which there is none.
            without["remote_host"] = json!(ELSEWHERE);
            without[format!("{name}s")] = whole[name].clone();
            let reason = refused(&send(&without).await, 400, SHAPE);
            assert!(!reason.contains(SECRET), "{name}: {reason}");
        }
        assert!(site.store_is_empty(), "none of this made a task");
    });
}
