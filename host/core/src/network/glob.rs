//! Names with `*` and `?`. A rule's pattern comes from a person and a name from anybody, so the time it takes must not
//! explode: one mark to come back to is enough, because what an earlier star took never needs to change.

/// Whether the whole name fits the pattern.
pub fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
    let (mut p, mut n, mut mark) = (0, 0, None);
    while n < name.len() {
        match pattern.get(p) {
            Some('*') => {
                mark = Some((p, n));
                p += 1;
            }
            Some('?') => (p, n) = (p + 1, n + 1),
            Some(c) if *c == name[n] => (p, n) = (p + 1, n + 1),
            _ => match mark {
                // The last star takes one character more.
                Some((star, taken)) => {
                    mark = Some((star, taken + 1));
                    (p, n) = (star + 1, taken + 1);
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn stars_take_any_text_and_marks_one_character() {
        for (pattern, name, expected) in [
            ("web-*", "web-1", true),
            ("web-*", "web-", true),
            ("web-*", "db-1", false),
            ("*", "", true),
            ("", "", true),
            ("", "a", false),
            ("?", "ü", true),
            ("?", "", false),
            ("*-db-?", "a-db-b-db-1", true),
            ("*-db-?", "a-db-12", false),
            ("a*b*c", "a-x-b-b-c-c", true),
            ("a*b*c", "a-x-c-b", false),
            ("g1", "g1", true),
            ("g1", "g11", false),
        ] {
            assert_eq!(fits(pattern, name), expected, "{pattern} {name}");
        }
        let (pattern, name) = ("*a".repeat(40) + "b", "a".repeat(4000));
        assert!(!fits(&pattern, &name));
    }
}
