//! Texts of a foreign schema, shortened.

/// The text, at most `max` bytes of it and then an ellipsis, cut between words; nothing when `max` is 0.
pub(super) fn cut(text: &str, max: usize) -> String {
    if max == 0 {
        return String::new();
    }
    if text.len() <= max {
        return text.to_owned();
    }
    let end = text.floor_char_boundary(max);
    let end = text[..end].rfind(char::is_whitespace).unwrap_or(end);
    format!("{}…", text[..end].trim_end())
}
