//! Whether a command printed what a page shows: `…` stands for any text in a line, a line of `…` for any lines.

/// Whether these lines are what the page shows.
pub fn matches(shown: &str, printed: &str) -> bool {
    let shown: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
    let printed: Vec<&str> = printed.trim_end().lines().map(str::trim_end).collect();
    lines_match(&shown, &printed)
}

fn lines_match(shown: &[&str], printed: &[&str]) -> bool {
    match shown.split_first() {
        None => printed.is_empty(),
        Some((&"…", rest)) => (0..=printed.len()).any(|skipped| lines_match(rest, &printed[skipped..])),
        Some((line, rest)) => {
            printed.split_first().is_some_and(|(first, others)| line_matches(line, first) && lines_match(rest, others))
        }
    }
}

/// Whether this line is what the page shows.
pub fn line_matches(shown: &str, printed: &str) -> bool {
    let Some((before, rest)) = shown.split_once('…') else { return shown == printed };
    let Some(printed) = printed.strip_prefix(before) else { return false };
    printed.char_indices().map(|(at, _)| at).chain([printed.len()]).any(|at| line_matches(rest, &printed[at..]))
}

#[test]
fn what_differs_is_left_open_and_nothing_else() {
    assert!(matches("a … c\n…\nend …", "a b c\nx\ny\nend 12\n"));
    assert!(matches("…\nend", "end"));
    assert!(!matches("a … c", "a b d"));
    assert!(!matches("a", "a\nb"));
    assert!(!matches("…\nend", "end\nmore"));
    assert!(!line_matches("x … y", "x y"));
}
