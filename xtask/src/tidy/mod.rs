//! House rules that no other tool checks. Each rule is a pure function from text to findings, with
//! a test in which it fails on a planted text.
//!
//! | file | rules |
//! |---|---|
//! | [`rust_rules`] | module docs, file length, stray markers, names |
//! | [`rust_text`] | what of a Rust file is code, comment or literal |
//! | [`markdown`] | one title, links that lead somewhere |
//! | [`leaks`] | no path of this machine, no host of a package registry |
//! | [`manifests`] | equal clippy thresholds, inherited lints and versions |

mod leaks;
mod manifests;
mod markdown;
mod rust_rules;
mod rust_text;

use std::fmt;

use crate::project::{Failure, Project, Source};

/// One broken rule, at one place.
#[derive(Debug, PartialEq, Eq)]
struct Finding {
    path: String,
    line: usize,
    message: String,
}

impl Finding {
    /// `line` counts from 1.
    fn new(source: &Source, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: source.path.clone(),
            line,
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// Applies every rule to every file that is tracked or could be.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let sources = project.sources()?;
    let root = project.root().to_string_lossy();
    let mut findings = manifests::check(&sources);
    for source in &sources {
        findings.extend(leaks::check(source, &root));
        if source.path.ends_with(".rs") {
            findings.extend(rust_rules::check(source));
        }
        if source.path.ends_with(".md") {
            let exists = |path: &str| project.root().join(path).exists();
            findings.extend(markdown::check(source, exists));
        }
    }
    Failure::unless_empty(findings.iter().map(Finding::to_string).collect())?;
    println!("tidy: {} files keep the house rules", sources.len());
    Ok(())
}

/// A source for tests.
#[cfg(test)]
fn planted(path: &str, text: &str) -> Source {
    Source {
        path: path.to_owned(),
        text: text.to_owned(),
    }
}
