//! Long texts, cut in the middle.

/// The text with at most `limit` bytes of it: its beginning and its end, and in between how much is left out.
pub(crate) fn shorten(text: String, limit: usize) -> String {
    if text.len() <= limit {
        return text;
    }
    let head = floor(&text, limit * 2 / 3);
    let tail = ceil(&text, text.len() - limit / 3);
    let left_out = tail - head;
    format!("{}\n[{left_out} bytes of {} are left out here]\n{}", &text[..head], text.len(), &text[tail..])
}

fn floor(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

fn ceil(text: &str, mut at: usize) -> usize {
    while !text.is_char_boundary(at) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_keeps_its_beginning_and_its_end() {
        let text = shorten(format!("{}{}{}", "a".repeat(50), "ü".repeat(1000), "z".repeat(50)), 120);
        assert!(text.starts_with("aaa") && text.ends_with("zzz"), "{text}");
        assert!(text.contains("bytes of 2100 are left out"), "{text}");
        assert!(text.len() < 200);
        assert_eq!(shorten("short".into(), 5), "short");
        assert!(shorten("üüü".into(), 1).contains("6 bytes of 6"));
    }
}
