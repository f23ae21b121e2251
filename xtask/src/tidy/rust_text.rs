//! Splits a Rust file into code and comments, so that a rule about one is not misled by the other
//! or by what stands in a literal. Not a parser: it knows only what it takes to find the ends of
//! comments and literals.

/// The same text twice, each with everything else replaced by spaces, so that lines and columns
/// still fit.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RustText {
    /// Without comments and without the contents of literals.
    pub(super) code: String,
    /// Only comments.
    pub(super) comments: String,
}

#[derive(Clone, Copy)]
enum Part {
    Code,
    Comment,
    Literal,
}

impl RustText {
    /// Splits `text`.
    pub(super) fn split(text: &str) -> Self {
        let mut parts = Self {
            code: String::with_capacity(text.len()),
            comments: String::new(),
        };
        let mut rest = text;
        while !rest.is_empty() {
            let (part, length) = next_part(rest, parts.code.chars().next_back());
            let (piece, later) = rest.split_at(length);
            parts.push(part, piece);
            rest = later;
        }
        parts
    }

    fn push(&mut self, part: Part, piece: &str) {
        let blank = |c: char| if c == '\n' { '\n' } else { ' ' };
        match part {
            Part::Code => {
                self.code.push_str(piece);
                self.comments.extend(piece.chars().map(blank));
            }
            Part::Comment => {
                self.code.extend(piece.chars().map(blank));
                self.comments.push_str(piece);
            }
            Part::Literal => {
                self.code.extend(piece.chars().map(blank));
                self.comments.extend(piece.chars().map(blank));
            }
        }
    }
}

/// What `rest` starts with, and how many bytes of it that is. Never zero.
fn next_part(rest: &str, before: Option<char>) -> (Part, usize) {
    if rest.starts_with("//") {
        return (Part::Comment, rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return (Part::Comment, block_comment_length(rest));
    }
    if rest.starts_with('"') {
        return (Part::Literal, quoted_length(rest, '"'));
    }
    let in_word = before.is_some_and(|c| c.is_alphanumeric() || c == '_');
    if !in_word && let Some(length) = raw_string_length(rest) {
        return (Part::Literal, length);
    }
    if rest.starts_with('\'') && is_character(rest) {
        return (Part::Literal, quoted_length(rest, '\''));
    }
    (Part::Code, rest.chars().next().map_or(1, char::len_utf8))
}

/// Block comments nest.
fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        let tail = &rest.as_bytes()[at..];
        if tail.starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

/// Length with both quotes; a backslash protects what follows it.
fn quoted_length(rest: &str, quote: char) -> usize {
    let mut characters = rest.char_indices().skip(1);
    while let Some((at, c)) = characters.next() {
        match c {
            '\\' => {
                characters.next();
            }
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"..."`, `r#"..."#` and so on, also after `b` or `c`.
fn raw_string_length(rest: &str) -> Option<usize> {
    let body = rest.strip_prefix(['b', 'c']).unwrap_or(rest);
    let body = body.strip_prefix('r')?;
    let hashes = body.len() - body.trim_start_matches('#').len();
    let content = body[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let length = content
        .find(&end)
        .map_or(content.len(), |at| at + end.len());
    Some(rest.len() - content.len() + length)
}

/// Tells `'x'` and `'\n'` from the lifetime `'x`.
fn is_character(rest: &str) -> bool {
    let mut characters = rest.chars().skip(1);
    match characters.next() {
        Some('\\') => true,
        Some(_) => characters.next() == Some('\''),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<&str> {
        text.split_whitespace().collect()
    }

    #[test]
    fn code_comments_and_literals_come_apart() {
        for (text, code, comments) in [
            ("a // b\nc", "a c", "// b"),
            ("a /* b /* c */ d */ e", "a e", "/* b /* c */ d */"),
            ("a \"b // c\" d", "a d", ""),
            ("a \"\\\" b\" c", "a c", ""),
            ("r#\"a \" b\"# c", "c", ""),
            ("br\"\\\" a", "a", ""),
            ("&'a str 'x' '\\'' b", "&'a str b", ""),
            ("for\"a\" b", "for b", ""),
            ("\"never closed", "", ""),
        ] {
            let split = RustText::split(text);
            assert_eq!(words(&split.code), words(code), "code of {text}");
            assert_eq!(
                words(&split.comments),
                words(comments),
                "comments of {text}"
            );
        }
    }

    #[test]
    fn every_split_keeps_lines_and_never_panics() {
        let text = include_str!("rust_text.rs");
        for (end, _) in text.char_indices() {
            let split = RustText::split(&text[..end]);
            let lines = text[..end].matches('\n').count();
            assert_eq!(split.code.matches('\n').count(), lines);
            assert_eq!(split.comments.matches('\n').count(), lines);
        }
    }
}
