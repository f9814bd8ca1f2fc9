//! The description for programs, as it is committed.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use waypost::OutcomeKind;
use waypost::core::phase::Phase;
use waypost::core::ports::DecisionVerdict;
use waypost::service::Code;

#[test]
fn the_committed_description_is_that_of_the_routes() {
    let output = Command::new(env!("CARGO_BIN_EXE_waypost")).arg("openapi").output().unwrap();
    assert!(output.status.success());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/openapi.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let made = String::from_utf8(output.stdout).unwrap();
    assert!(committed == made, "docs/openapi.json is out of date: `waypost openapi > docs/openapi.json` makes it");
}

#[test]
fn the_description_is_whole() {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    assert_eq!(document["openapi"], "3.1.0");
    let schemas = document["components"]["schemas"].as_object().unwrap();
    // Every reference leads somewhere, every route can fail in the one way, every name is described.
    let text = document.to_string();
    for reference in text.split("#/components/schemas/").skip(1) {
        let name = reference.split('"').next().unwrap();
        assert!(schemas.contains_key(name), "{name} is referred to and not described");
    }
    for (path, operations) in document["paths"].as_object().unwrap() {
        assert!(path.starts_with("/api/v1/"), "{path}");
        for (method, operation) in operations.as_object().unwrap() {
            assert!(
                operation["responses"].get("default").is_none(),
                "whatever else it answers is a mistake: {method} {path}"
            );
            for always in ["400", "401", "403", "429", "500", "503", "504"] {
                let problem = &operation["responses"][always]["content"]["application/problem+json"];
                assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{always} {method} {path}");
            }
            assert!(operation["summary"].is_string() || operation["description"].is_string(), "{method} {path}");
            for part in path.split('/').filter_map(|part| part.strip_prefix('{')) {
                let name = part.trim_end_matches('}');
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|p| p["name"] == name && p["in"] == "path"), "{method} {path}");
            }
        }
    }
}

/// Clients are generated from the file as it is; their generators know no default that is an object or a list.
#[test]
fn a_default_is_one_word_or_number() {
    fn look(at: &str, value: &Value) {
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let is_schema =
                        fields.keys().any(|key| ["type", "$ref", "oneOf", "anyOf", "allOf"].contains(&key.as_str()));
                    assert!(
                        !(name == "default" && is_schema && (field.is_object() || field.is_array())),
                        "{at}: {field}"
                    );
                    look(&format!("{at}/{name}"), field);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| look(at, item)),
            _ => {}
        }
    }
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    look("", &document);
}

/// Each code comes with its status, of the routes that answer it; two say that there is no such route.
#[test]
fn every_code_is_described_with_its_status() {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    let operations =
        document["paths"].as_object().unwrap().values().flat_map(|path| path.as_object().unwrap().values());
    let responses: Vec<(String, String)> = operations
        .flat_map(|operation| operation["responses"].as_object().unwrap())
        .map(|(status, response)| (status.clone(), response["description"].as_str().unwrap().to_owned()))
        .collect();
    for code in Code::ALL {
        let word = format!("`{}`", code.as_str());
        let statuses: BTreeSet<&str> =
            responses.iter().filter(|(_, told)| told.contains(&word)).map(|(status, _)| status.as_str()).collect();
        let no_route = matches!(code, Code::NoSuchRoute | Code::WrongMethod);
        let own = code.status().as_u16().to_string();
        let expected: BTreeSet<&str> = if no_route { BTreeSet::new() } else { [own.as_str()].into() };
        assert_eq!(statuses, expected, "{word}");
    }
}

/// Who reads either of the two relies on the same.
#[test]
fn the_stream_of_events_is_promised_with_its_exceptions_in_the_description_and_on_the_page() {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    let operation = &document["paths"]["/api/v1/events"]["get"];
    let described = format!("{} {}", operation["summary"], operation["description"]).replace("\\n", " ");
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/service.md")).unwrap();
    for text in [described, page] {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        let scoped = "from before it was known that the task is within it";
        for told in ["records of tasks that were", "a caller with a scope", scoped] {
            assert!(text.contains(told), "{told:?} is missing in: {text}");
        }
    }
}

/// What is refused for its name alone is no name by the description either.
#[test]
fn the_name_of_a_policy_in_a_path_is_described_wherever_it_stands() {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    let mut found = 0;
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            for parameter in operation["parameters"].as_array().into_iter().flatten() {
                if (&parameter["name"], &parameter["in"]) == (&Value::from("plugin"), &Value::from("path")) {
                    let schema = json!({"type": "string", "minLength": 1, "maxLength": 64, "pattern": "^[A-Za-z0-9][A-Za-z0-9_-]*$"});
                    assert_eq!(parameter["schema"], schema, "{method} {path}");
                    found += 1;
                }
            }
        }
    }
    assert_eq!(found, 9, "{found} operations name a policy");
}

/// What a program may ask for is described by the words that there are.
#[test]
fn the_patterns_of_words_have_all_of_them() {
    let document: Value = serde_json::to_value(waypost::service::openapi()).unwrap();
    let pattern = |path: &str, name: &str| -> Vec<String> {
        let parameters = document["paths"][path]["get"]["parameters"].as_array().unwrap();
        let parameter = parameters.iter().find(|parameter| parameter["name"] == name).unwrap();
        let pattern = parameter["schema"]["pattern"].as_str().unwrap();
        let words = pattern.split(|sign: char| !(sign.is_ascii_lowercase() || sign == '-'));
        words.filter(|word| !word.is_empty()).map(str::to_owned).collect()
    };
    let phases = Phase::ALL.iter().map(|phase| phase.as_str());
    let outcomes = OutcomeKind::ALL.iter().map(|kind| kind.as_str());
    let states: Vec<&str> = ["unfinished"].into_iter().chain(phases).chain(outcomes).collect();
    assert_eq!(pattern("/api/v1/tasks", "state"), [&states[..], &states[..]].concat());
    let verdicts: Vec<&str> = DecisionVerdict::ALL.iter().map(|verdict| verdict.as_str()).collect();
    assert_eq!(pattern("/api/v1/decisions", "verdict"), verdicts);
}
