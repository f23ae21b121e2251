//! Rules over one Rust file.

use super::Finding;
use super::rust_text::RustText;
use crate::project::Source;

/// Lines of a file without its `mod tests`: beyond it, split by noun.
const LINES_MAX: usize = 800;

/// Words that say "later" or "not really"; whole words, in code and comments.
const MARKERS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

/// Code that must not stay.
const LEFTOVERS: &[&str] = &["todo!", "unimplemented!", "dbg!", "#[ignore"];

/// Words that the glossary has a better one for, or that name nothing. Only those that cannot mean
/// anything else; checked where a name is given, since the names of other crates are not ours.
const BANNED_WORDS: &[(&str, &str)] = &[
    ("amend", "replace"),
    ("commission", "fee"),
    ("helper", "what it does"),
    ("helpers", "what they do"),
    ("manager", "what it does"),
    ("misc", "what it holds"),
    ("mvcc", "multi-version memory"),
    ("persisted", "durable"),
    ("satoshi", "atoms"),
    ("smp", "self-trade prevention"),
    ("tps", "throughput, with its unit"),
    ("util", "what it holds"),
    ("utils", "what it holds"),
    ("uuid", "order id"),
    ("wal", "journal"),
    ("wei", "atoms"),
];

/// All findings in one file.
pub(super) fn check(source: &Source) -> Vec<Finding> {
    let text = RustText::split(&source.text);
    let mut findings = Vec::new();
    findings.extend(check_module_doc(source));
    findings.extend(check_length(source));
    findings.extend(check_markers(source, &text));
    findings.extend(check_names(source, &text));
    findings
}

fn check_module_doc(source: &Source) -> Option<Finding> {
    let documented = source.text.starts_with("//! ");
    (!documented).then(|| {
        let message = "a file opens with a `//!` promise: what it is, what it never does";
        Finding::new(source, 1, message)
    })
}

fn check_length(source: &Source) -> Option<Finding> {
    let lines: Vec<&str> = source.text.lines().collect();
    let tests = lines
        .windows(2)
        .position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests"));
    let length = tests.unwrap_or(lines.len());
    (length > LINES_MAX).then(|| {
        let message = format!("{length} lines without tests; above {LINES_MAX} split by noun");
        Finding::new(source, length, message)
    })
}

fn check_markers(source: &Source, text: &RustText) -> Vec<Finding> {
    let lines = text.code.lines().zip(text.comments.lines());
    let mut findings = Vec::new();
    for (number, (code, comment)) in (1..).zip(lines) {
        let has_word = |marker: &&&str| {
            words(code)
                .chain(words(comment))
                .any(|word| word == **marker)
        };
        let has_leftover = |leftover: &&&str| code.contains(**leftover);
        let marker = MARKERS.iter().find(has_word);
        if let Some(found) = marker.or_else(|| LEFTOVERS.iter().find(has_leftover)) {
            findings.push(Finding::new(source, number, format!("stray {found}")));
        }
    }
    findings
}

fn check_names(source: &Source, text: &RustText) -> Vec<Finding> {
    let mut findings: Vec<Finding> = source
        .path
        .split(['/', '.'])
        .filter_map(banned_word)
        .map(|reason| Finding::new(source, 1, format!("file name {reason}")))
        .collect();
    for (number, line) in (1..).zip(text.code.lines()) {
        for (name, is_function) in given_names(line) {
            if let Some(reason) = banned_word(name) {
                findings.push(Finding::new(source, number, format!("`{name}` {reason}")));
            }
            if is_function && name.starts_with("get_") {
                let message = format!("`{name}`: name what it returns, without `get_`");
                findings.push(Finding::new(source, number, message));
            }
        }
    }
    findings
}

fn banned_word(name: &str) -> Option<String> {
    let parts = name_parts(name);
    let found = BANNED_WORDS
        .iter()
        .find(|(banned, _)| parts.iter().any(|part| part == banned));
    found.map(|(banned, better)| format!("says \"{banned}\"; say {better}"))
}

/// Names that a line of code gives to something: after a defining keyword, or before a single
/// colon (fields, arguments, bindings with a type). With each, whether it is a function's.
fn given_names(code: &str) -> impl Iterator<Item = (&str, bool)> {
    const KEYWORDS: &[&str] = &[
        "fn", "struct", "enum", "union", "trait", "mod", "type", "const", "static", "let", "mut",
    ];
    let mut before = "";
    let mut at = 0;
    words(code).filter_map(move |word| {
        at += code[at..].find(word)? + word.len();
        let keyword = std::mem::replace(&mut before, word);
        let after = code[at..].trim_start();
        let has_type = after.starts_with(':') && !after.starts_with("::");
        (KEYWORDS.contains(&keyword) || has_type).then_some((word, keyword == "fn"))
    })
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty())
}

/// `orderManager_2` is `order`, `manager`, `2`; `TPSReport` is `tps`, `report`.
fn name_parts(name: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let characters: Vec<char> = name.chars().collect();
    for (at, &c) in characters.iter().enumerate() {
        let previous = at.checked_sub(1).map(|before| characters[before]);
        let next_is_lower = characters.get(at + 1).is_some_and(|c| c.is_lowercase());
        let hump = c.is_uppercase()
            && (previous.is_some_and(char::is_lowercase)
                || previous.is_some_and(char::is_uppercase) && next_is_lower);
        if hump || c == '_' || c == '-' {
            parts.push(String::new());
        }
        if c != '_' && c != '-' {
            let last = parts.last_mut().expect("starts with one part");
            last.extend(c.to_lowercase());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    fn messages(path: &str, text: &str) -> Vec<String> {
        let findings = check(&planted(path, text));
        findings.iter().map(Finding::to_string).collect()
    }

    fn check_rule(text: &str, expected: &[&str]) {
        let found = messages("a.rs", &format!("//! A promise.\n{text}\n"));
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    #[test]
    fn a_file_without_a_promise_is_found() {
        assert_eq!(messages("a.rs", "//! A promise.\n"), [""; 0]);
        for text in ["", "use x;\n", "// Not a doc.\n", "\n//! Late.\n", "//!\n"] {
            assert!(
                messages("tests/a.rs", text)[0].starts_with("tests/a.rs:1: "),
                "{text}"
            );
        }
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let body = "\n".repeat(LINES_MAX - 1);
        check_rule(&body[1..], &[]);
        check_rule(&body, &["801 lines"]);
        let tests = "#[cfg(test)]\nmod tests {\n".to_owned() + &body + "}";
        check_rule(&tests, &[]);
        check_rule(&format!("{body}{tests}"), &["800 lines"][..0]);
        check_rule(&format!("\n{body}{tests}"), &["801 lines"]);
    }

    #[test]
    fn stray_markers_are_found_in_code_and_comments_but_not_in_literals() {
        for marker in MARKERS {
            check_rule(&format!("fn f() {{}} // {marker}: later"), &[marker]);
            check_rule(&format!("/* {marker} */"), &[marker]);
            check_rule(&format!("const A: &str = \"{marker}\";"), &[]);
        }
        check_rule("fn f() { todo!() }", &["todo!"]);
        check_rule("fn f() { unimplemented!(\"x\") }", &["unimplemented!"]);
        check_rule("fn f() { dbg!(1); }", &["dbg!"]);
        check_rule("#[ignore = \"slow\"]", &["#[ignore"]);
        check_rule("// Prints what dbg!(x) would.", &[]);
        check_rule("fn todos() {}", &[]);
    }

    #[test]
    fn banned_words_are_found_where_a_name_is_given() {
        for (text, expected) in [
            ("struct OrderManager;", "manager"),
            ("mod test_utils;", "utils"),
            ("fn f(wal: &Wal) {}", "wal"),
            ("let mut helper = 1;", "helper"),
            ("const MAX_TPS: u64 = 1;", "tps"),
            ("struct TPSReport;", "tps"),
            ("struct A { order_uuid: u64 }", "uuid"),
            ("fn get_price() {}", "get_"),
        ] {
            check_rule(text, &[expected]);
        }
        for text in [
            "use crossbeam_utils::CachePadded;",
            "let x = tokio::util::f();",
            "fn get(&self) {}",
            "let weight = map.get_mut(1);",
            "// The helper of a manager.",
            "fn walk(wallet: Signal) {}",
        ] {
            check_rule(text, &[]);
        }
        assert_eq!(messages("src/order_utils.rs", "//! A promise.\n").len(), 1);
        assert_eq!(messages("helpers/mod.rs", "//! A promise.\n").len(), 1);
    }
}
