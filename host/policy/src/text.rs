//! Text that comes from a policy and goes to a terminal or a log.

/// One line of at most so many bytes. Control characters, which could steer a terminal, become spaces.
pub(crate) fn line(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut line: String = text[..end].chars().map(|c| if steers(c) { ' ' } else { c }).collect();
    if end < text.len() {
        line.push('…');
    }
    line
}

/// Control characters, and the invisible ones that turn the direction of writing.
fn steers(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn escapes_and_length_are_tamed() {
        assert_eq!(line("a\u{1b}[31mb\nc", 100), "a [31mb c");
        assert_eq!(line("äää", 3), "ä…");
        assert_eq!(line("\u{202e}x", 9), " x");
    }
}
