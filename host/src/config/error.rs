//! Why a configuration can't be used: which file, which line, which key, and what is allowed there.

use std::path::PathBuf;

use thiserror::Error;

/// A configuration error.
#[derive(Debug, Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("the configuration {path} can't be read")]
    Read {
        /// File.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no TOML, has an unknown key, or a value of the wrong kind.
    #[error("{path}:{line}:{column}: {message}\n    {text}")]
    Syntax {
        /// File.
        path: PathBuf,
        /// From 1.
        line: usize,
        /// From 1.
        column: usize,
        /// What is wrong, and what is allowed.
        message: String,
        /// The line.
        text: String,
    },
    /// A value that can't be.
    #[error("{path}: {key}: {message}")]
    Value {
        /// File.
        path: PathBuf,
        /// Key, as `host.kvm1.uri`.
        key: String,
        /// What is wrong, and what is allowed.
        message: String,
    },
}

impl ConfigError {
    /// A parser's error, with its place in the file.
    pub(super) fn syntax(path: &std::path::Path, text: &str, error: &toml::de::Error) -> Self {
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let before = &text[..at];
        let start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self::Syntax {
            path: path.to_owned(),
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            message: error.message().to_owned(),
            text: text[start..].lines().next().unwrap_or_default().trim_end().to_owned(),
        }
    }
}
