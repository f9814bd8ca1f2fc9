//! The one encoding of facts: a plain tree, and its canonical text.
//!
//! Facts are digested, stored beside the decision that was made on them, shown to programs and read back for tests.
//! All of that goes through [`Tree`], so there is one shape and not four. Core knows no serialisation crate: turning JSON
//! text into a [`Tree`] is the border crates' work, the canonical text is written here because the digest depends on it.

use std::fmt::Write as _;

use thiserror::Error;
use uuid::Uuid;

use crate::ids::{DomainId, HostName, Moment, PluginName};

/// A value without a schema. Maps keep the order of the struct's declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tree {
    /// Nothing known.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number; facts hold no fractions, so that two machines write the same text.
    Int(i128),
    /// Text.
    Text(String),
    /// An ordered list.
    List(Vec<Tree>),
    /// Named values.
    Map(Vec<(String, Tree)>),
}

/// A tree that isn't of the shape asked for.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("facts: {path}: expected {expected}")]
pub struct ShapeError {
    /// Where, as `disks[2].cache`.
    pub path: String,
    /// What should have been there.
    pub expected: &'static str,
}

impl ShapeError {
    fn expected(expected: &'static str) -> Self {
        Self { path: String::new(), expected }
    }
    /// The same error seen from one level further out.
    pub fn under(mut self, segment: &str) -> Self {
        let dot = if self.path.is_empty() || self.path.starts_with('[') { "" } else { "." };
        self.path = format!("{segment}{dot}{}", self.path);
        self
    }
}

/// What has a place in a [`Tree`].
pub trait Shape: Sized {
    /// Into the tree.
    fn to_tree(&self) -> Tree;
    /// Out of the tree.
    fn from_tree(tree: &Tree) -> Result<Self, ShapeError>;
    /// What an absent key stands for; `None` makes the key mandatory.
    fn absent() -> Option<Self> {
        None
    }
}

impl Tree {
    /// The canonical text: JSON without spaces, keys in the order of declaration, text escaped minimally.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// The value under a key of a map.
    pub fn get(&self, key: &str) -> Option<&Tree> {
        match self {
            Self::Map(entries) => entries.iter().find(|(k, _)| k == key).map(|(_, v)| v),
            _ => None,
        }
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            // Writing to a String can't fail.
            Self::Int(value) => {
                let _ = write!(out, "{value}");
            }
            Self::Text(text) => write_text(out, text),
            Self::List(items) => {
                out.push('[');
                for (i, item) in items.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    item.write(out);
                }
                out.push(']');
            }
            Self::Map(entries) => {
                out.push('{');
                for (i, (key, value)) in entries.iter().enumerate() {
                    if i > 0 {
                        out.push(',');
                    }
                    write_text(out, key);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if (c as u32) < 0x20 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

impl Shape for bool {
    fn to_tree(&self) -> Tree {
        Tree::Bool(*self)
    }
    fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
        if let Tree::Bool(value) = tree { Ok(*value) } else { Err(ShapeError::expected("true or false")) }
    }
    fn absent() -> Option<Self> {
        Some(false)
    }
}

impl Shape for String {
    fn to_tree(&self) -> Tree {
        Tree::Text(self.clone())
    }
    fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
        if let Tree::Text(text) = tree { Ok(text.clone()) } else { Err(ShapeError::expected("text")) }
    }
}

macro_rules! whole_number {
    ($($type:ty),*) => {$(
        impl Shape for $type {
            fn to_tree(&self) -> Tree {
                Tree::Int(i128::from(*self))
            }
            fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
                let Tree::Int(value) = tree else { return Err(ShapeError::expected("a whole number")) };
                Self::try_from(*value).map_err(|_| ShapeError::expected("a whole number in range"))
            }
        }
    )*};
}
whole_number!(u16, u32, u64, i32, i64);

impl<T: Shape> Shape for Option<T> {
    fn to_tree(&self) -> Tree {
        self.as_ref().map_or(Tree::Null, Shape::to_tree)
    }
    fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
        if *tree == Tree::Null { Ok(None) } else { T::from_tree(tree).map(Some) }
    }
    fn absent() -> Option<Self> {
        Some(None)
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn to_tree(&self) -> Tree {
        Tree::List(self.iter().map(Shape::to_tree).collect())
    }
    fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
        let Tree::List(items) = tree else { return Err(ShapeError::expected("a list")) };
        items.iter().enumerate().map(|(i, item)| T::from_tree(item).map_err(|e| e.under(&format!("[{i}]")))).collect()
    }
    fn absent() -> Option<Self> {
        Some(Vec::new())
    }
}

impl Shape for Uuid {
    fn to_tree(&self) -> Tree {
        Tree::Text(self.to_string())
    }
    fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
        let Tree::Text(text) = tree else { return Err(ShapeError::expected("a UUID")) };
        Uuid::parse_str(text).map_err(|_| ShapeError::expected("a UUID"))
    }
}

macro_rules! newtype {
    ($($type:ident($inner:ty): $read:expr, $write:expr;)*) => {$(
        impl Shape for $type {
            fn to_tree(&self) -> Tree {
                let write: fn(&Self) -> Tree = $write;
                write(self)
            }
            fn from_tree(tree: &Tree) -> Result<Self, ShapeError> {
                <$inner>::from_tree(tree).map($read)
            }
        }
    )*};
}
newtype! {
    HostName(String): HostName::new, |name| Tree::Text(name.as_str().to_owned());
    PluginName(String): PluginName::new, |name| Tree::Text(name.as_str().to_owned());
    DomainId(Uuid): DomainId, |id| id.0.to_tree();
    Moment(u64): Moment, |moment| moment.0.to_tree();
}

/// Declares a struct of facts together with its [`Shape`], so that no field can be forgotten in the encoding.
#[macro_export]
macro_rules! facts {
    ($($(#[$doc:meta])* pub struct $name:ident { $($(#[$fdoc:meta])* pub $field:ident : $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub struct $name { $($(#[$fdoc])* pub $field: $type,)* }

        impl $crate::tree::Shape for $name {
            fn to_tree(&self) -> $crate::tree::Tree {
                $crate::tree::Tree::Map(vec![$((stringify!($field).to_owned(), $crate::tree::Shape::to_tree(&self.$field)),)*])
            }
            fn from_tree(tree: &$crate::tree::Tree) -> Result<Self, $crate::tree::ShapeError> {
                Ok(Self { $($field: $crate::tree::field(tree, stringify!($field))?,)* })
            }
        }
    )*};
}

/// Declares a closed set of words together with its text form and its [`Shape`].
#[macro_export]
macro_rules! words {
    ($($(#[$doc:meta])* pub enum $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$vdoc])* $variant,)* }

        impl $name {
            /// Every word of the set, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];
            /// The word as it is written in records, findings and interfaces.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
            /// The member that is written so.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
        impl $crate::tree::Shape for $name {
            fn to_tree(&self) -> $crate::tree::Tree {
                $crate::tree::Tree::Text(self.as_str().to_owned())
            }
            fn from_tree(tree: &$crate::tree::Tree) -> Result<Self, $crate::tree::ShapeError> {
                match tree {
                    $crate::tree::Tree::Text(text) => Self::parse(text),
                    _ => None,
                }
                .ok_or($crate::tree::ShapeError { path: String::new(), expected: concat!("one of:" $(, " ", $text)*) })
            }
        }
    )*};
}

/// One field of a map, or what its absence stands for. Used by [`facts!`].
pub fn field<T: Shape>(tree: &Tree, key: &str) -> Result<T, ShapeError> {
    let Tree::Map(_) = tree else { return Err(ShapeError::expected("a map")) };
    match tree.get(key) {
        Some(value) => T::from_tree(value).map_err(|e| e.under(key)),
        None => T::absent().ok_or_else(|| ShapeError::expected("a value").under(key)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    facts! {
        /// A sample.
        pub struct Leaf {
            /// Text.
            pub name: String,
            /// Number.
            pub size: Option<u64>,
        }
        /// A sample that nests.
        pub struct Branch {
            /// Nested.
            pub leaves: Vec<Leaf>,
            /// Flag.
            pub on: bool,
        }
    }

    #[test]
    fn what_is_written_is_read_back_and_the_text_is_canonical() {
        let branch = Branch {
            leaves: vec![Leaf { name: "a \"b\"\n\u{1}".into(), size: None }, Leaf { name: "ü".into(), size: Some(7) }],
            on: true,
        };
        let tree = branch.to_tree();
        assert_eq!(Branch::from_tree(&tree), Ok(branch));
        assert_eq!(
            tree.canonical(),
            r#"{"leaves":[{"name":"a \"b\"\n\u0001","size":null},{"name":"ü","size":7}],"on":true}"#
        );
    }

    #[test]
    fn a_wrong_shape_says_where() {
        let tree = Tree::Map(vec![(
            "leaves".into(),
            Tree::List(vec![Tree::Map(vec![
                ("name".into(), Tree::Text("a".into())),
                ("size".into(), Tree::Bool(true)),
            ])]),
        )]);
        let error = Branch::from_tree(&tree).unwrap_err();
        assert_eq!(error.to_string(), "facts: leaves[0].size: expected a whole number");
        assert_eq!(Leaf::from_tree(&Tree::Map(vec![])).unwrap_err().path, "name");
    }
}
