//! The digest by which facts, policies, pages and repeated requests are known again.

use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// SHA-256, 64 hexadecimal digits.
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing to a String can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
