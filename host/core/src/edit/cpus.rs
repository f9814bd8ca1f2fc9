//! Sets of CPUs and of NUMA nodes, as people and policies write them and as libvirt does.

use std::collections::BTreeSet;

/// libvirt knows numbers below this.
const MOST: u32 = 16_384;

/// The set as libvirt writes it - `0-3,8` for `8,0-2,3` - so that what is the same is seen to be; none where it is no set, or
/// holds nothing. It is read from left to right, `^2` takes a number out of what came before.
pub(super) fn written(text: &str) -> Option<String> {
    let mut set = BTreeSet::new();
    for part in text.split(',').map(str::trim) {
        match (part.strip_prefix('^'), part.split_once('-')) {
            (Some(number), _) => {
                set.remove(&read(number)?);
            }
            (None, Some((first, last))) => {
                let (first, last) = (read(first)?, read(last)?);
                if last < first {
                    return None;
                }
                set.extend(first..=last);
            }
            (None, None) => {
                set.insert(read(part)?);
            }
        }
    }
    let mut ranges: Vec<(u32, u32)> = Vec::new();
    for number in set {
        match ranges.last_mut() {
            Some((_, last)) if *last + 1 == number => *last = number,
            _ => ranges.push((number, number)),
        }
    }
    let range = |(first, last): &(u32, u32)| if first == last { first.to_string() } else { format!("{first}-{last}") };
    (!ranges.is_empty()).then(|| ranges.iter().map(range).collect::<Vec<_>>().join(","))
}

fn read(number: &str) -> Option<u32> {
    // `parse` takes a sign, libvirt doesn't.
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse().ok().filter(|number| digits && *number < MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_set_is_written_as_libvirt_writes_it() {
        for (text, expected) in [
            ("0", "0"),
            ("8,0-2,3", "0-3,8"),
            ("0-7,^2,^3", "0-1,4-7"),
            (" 1, 2 ", "1-2"),
            ("^4,4", "4"),
            ("0-3,0-3", "0-3"),
            ("16383", "16383"),
        ] {
            assert_eq!(written(text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_set_or_an_empty_one_is_none() {
        for text in ["", ",", "a", "3-1", "-1", "+1", "1-", "^1", "1,^1", "16384", "0-99999999999", "1 2", "0-1-2"] {
            assert_eq!(written(text), None, "{text}");
        }
    }
}
