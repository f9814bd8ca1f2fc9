//! JSON text into the core's tree and back. The core writes its canonical text itself, because a digest depends on it;
//! reading is done here.

use serde_json::{Map, Number, Value};
use thiserror::Error;
use waypost_core::tree::Tree;

/// A JSON text that is no tree of facts.
#[derive(Debug, Error)]
pub enum JsonError {
    /// It is no JSON.
    #[error("the text is not JSON")]
    Syntax(#[source] serde_json::Error),
    /// It holds a number with a fraction, which facts never do.
    #[error("{0} is not a whole number; facts hold whole numbers only")]
    Fraction(Number),
}

/// Reads a text.
pub fn read(text: &str) -> Result<Tree, JsonError> {
    tree(serde_json::from_str(text).map_err(JsonError::Syntax)?)
}

/// A parsed value as a tree.
pub fn tree(value: Value) -> Result<Tree, JsonError> {
    Ok(match value {
        Value::Null => Tree::Null,
        Value::Bool(value) => Tree::Bool(value),
        Value::Number(number) => {
            let whole = number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from));
            Tree::Int(whole.ok_or(JsonError::Fraction(number))?)
        }
        Value::String(text) => Tree::Text(text),
        Value::Array(items) => Tree::List(items.into_iter().map(tree).collect::<Result<_, _>>()?),
        Value::Object(entries) => {
            Tree::Map(entries.into_iter().map(|(k, v)| Ok((k, tree(v)?))).collect::<Result<_, JsonError>>()?)
        }
    })
}

/// A tree as a value. A whole number beyond 64 bits, which no fact holds, becomes text rather than another number.
pub fn value(tree: &Tree) -> Value {
    match tree {
        Tree::Null => Value::Null,
        Tree::Bool(value) => Value::Bool(*value),
        Tree::Int(value) => match (u64::try_from(*value), i64::try_from(*value)) {
            (Ok(value), _) => Value::from(value),
            (_, Ok(value)) => Value::from(value),
            _ => Value::String(value.to_string()),
        },
        Tree::Text(text) => Value::String(text.clone()),
        Tree::List(items) => Value::Array(items.iter().map(value).collect()),
        Tree::Map(entries) => Value::Object(entries.iter().map(|(k, v)| (k.clone(), value(v))).collect::<Map<_, _>>()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tree_survives_the_way_through_json() {
        let tree = Tree::Map(vec![
            ("a".into(), Tree::List(vec![Tree::Null, Tree::Bool(true), Tree::Int(i128::from(u64::MAX))])),
            ("b".into(), Tree::Map(vec![("text".into(), Tree::Text("ü \"x\"\n".into())), ("n".into(), Tree::Int(-7))])),
        ]);
        let back = read(&tree.canonical()).unwrap();
        // JSON objects have no order that could be relied on: the values are compared.
        assert_eq!(value(&back), value(&tree));
        assert_eq!(back.get("a"), tree.get("a"));
    }

    #[test]
    fn a_fraction_is_refused_and_named() {
        assert_eq!(read("[1.5]").unwrap_err().to_string(), "1.5 is not a whole number; facts hold whole numbers only");
        assert!(matches!(read("{"), Err(JsonError::Syntax(_))));
    }
}
