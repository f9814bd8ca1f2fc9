//! Words for people: versions, sizes, lists.

/// A version as libvirt encodes it, as people write it: 9,000,003 is `9.0.3`.
pub fn version(encoded: u64) -> String {
    format!("{}.{}.{}", encoded / 1_000_000, encoded / 1000 % 1000, encoded % 1000)
}

/// A size in the largest unit that leaves at least 1, one decimal: `1.5 GiB`.
pub fn kib(kib: u64) -> String {
    let units = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (kib.saturating_mul(10), 0);
    while tenths >= 10_240 && unit + 1 < units.len() {
        tenths /= 1024;
        unit += 1;
    }
    match tenths % 10 {
        0 => format!("{} {}", tenths / 10, units[unit]),
        tenth => format!("{}.{tenth} {}", tenths / 10, units[unit]),
    }
}

/// A size given in bytes.
pub fn bytes(bytes: u64) -> String {
    if bytes < 1024 { format!("{bytes} B") } else { kib(bytes / 1024) }
}

/// Items with commas between them; `none` if there are no items.
pub fn list<T: AsRef<str>>(items: impl IntoIterator<Item = T>, none: &str) -> String {
    let mut text = String::new();
    for item in items {
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(item.as_ref());
    }
    if text.is_empty() { none.to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_versions_are_as_people_write_them() {
        assert_eq!(version(7_002_019), "7.2.19");
        assert_eq!(kib(512), "512 KiB");
        assert_eq!(kib(1536), "1.5 MiB");
        assert_eq!(kib(4 * 1024 * 1024), "4 GiB");
        assert_eq!(bytes(100), "100 B");
        assert_eq!(bytes(10 * 1024 * 1024 * 1024), "10 GiB");
        assert_eq!(list(["a", "b"], "none"), "a, b");
        assert_eq!(list(Vec::<String>::new(), "none"), "none");
    }
}
