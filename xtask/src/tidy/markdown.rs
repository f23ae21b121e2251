//! Rules over one Markdown file: exactly one level-one title, and relative links that lead to
//! files that are there.

use super::Finding;
use crate::project::Source;

/// All findings in one file. `exists` tells whether a path from the root is there.
pub(super) fn check(source: &Source, exists: impl Fn(&str) -> bool) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut titles = 0;
    for (number, line) in prose(&source.text) {
        if line.starts_with("# ") {
            titles += 1;
        }
        for target in targets(&line) {
            match resolve(&source.path, target) {
                Some(path) if !exists(&path) => {
                    let message = format!("the link to {target} leads nowhere");
                    findings.push(Finding::new(source, number, message));
                }
                _ => {}
            }
        }
    }
    if titles != 1 {
        let message = format!("{titles} level-one titles; a document has exactly one");
        findings.push(Finding::new(source, 1, message));
    }
    findings
}

/// Numbered lines outside fenced blocks, without inline code.
fn prose(text: &str) -> impl Iterator<Item = (usize, String)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter_map(move |(number, line)| {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
            return None;
        }
        let outside_code = line.split('`').step_by(2);
        (!fenced).then(|| (number, outside_code.collect::<Vec<_>>().join("`")))
    })
}

/// Targets of `[text](target)` and of `[label]: target`.
fn targets(line: &str) -> Vec<&str> {
    let inline = line.split("](").skip(1).filter_map(|rest| {
        let end = rest.find([')', ' '])?;
        Some(&rest[..end])
    });
    let definition = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("]: "))
        .and_then(|(_, target)| target.split_whitespace().next());
    inline.chain(definition).collect()
}

/// The path from the root that a link means, or `None` if it leaves the project or stays on its
/// page.
fn resolve(page: &str, target: &str) -> Option<String> {
    let target = target.trim_start_matches('<').trim_end_matches('>');
    let file = target.split('#').next()?;
    if file.is_empty() || target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    fn check_page(text: &str, expected: &[&str]) {
        let exists = |path: &str| ["README.md", "docs/adr/0001-a.md", "docs"].contains(&path);
        let findings = check(&planted("docs/PAGE.md", text), exists);
        let found: Vec<String> = findings.iter().map(Finding::to_string).collect();
        assert_eq!(found.len(), expected.len(), "{text}: {found:?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "{text}: {found}");
        }
    }

    #[test]
    fn a_page_has_one_title() {
        check_page("# One\n## Two\n", &[]);
        check_page("## Two\n", &["0 level-one"]);
        check_page("# One\n# Another\n", &["2 level-one"]);
        check_page("# One\n```sh\n# a comment\n```\n", &[]);
    }

    #[test]
    fn a_dead_link_is_found() {
        check_page(
            "# One\n[a](../README.md) [b](adr/0001-a.md#part) [c](.)\n",
            &[],
        );
        check_page("# One\n[a](README.md)\n", &["README.md"]);
        check_page("# One\n[a](adr/0001-a.md), [b](adr/0002-b.md)\n", &["0002"]);
        check_page("# One\n[a]: adr/0003-c.md\n", &["0003"]);
        check_page(
            "# One\n[a](https://example.org/x) [b](#one) `[c](nowhere)`\n",
            &[],
        );
        check_page("# One\n```\n[a](nowhere)\n```\n", &[]);
    }
}
