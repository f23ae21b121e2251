//! What must not leave this machine: its paths, and the hosts that it gets packages from. Both are
//! facts of one place, and a clone elsewhere can do nothing with them.

use super::Finding;
use crate::project::Source;

// Written in two pieces, so that this file keeps its own rule.
const PATHS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
];
const HOSTS: &[&str] = &[
    concat!("crates", ".io"),
    concat!("pypi", ".org"),
    concat!("pythonhosted", ".org"),
    concat!("npmjs", ".org"),
    concat!("npmjs", ".com"),
    concat!("debian", ".org"),
    concat!("golang", ".org"),
];
/// The one source that a lock file may name. Cargo writes it there itself, wherever it fetches from.
const LOCKED_SOURCE: &str = concat!(
    "source = \"registry+https://github.com/rust-lang/crates",
    ".io-index\""
);

/// All findings in one file. `root` is where the checkout is.
pub(super) fn check(source: &Source, root: &str) -> Vec<Finding> {
    let is_lock = source.path == "Cargo.lock";
    let mut findings = Vec::new();
    for (number, line) in (1..).zip(source.text.lines()) {
        if is_lock && line.starts_with("source = ") {
            if line != LOCKED_SOURCE {
                findings.push(Finding::new(
                    source,
                    number,
                    "a package of another registry",
                ));
            }
            continue;
        }
        if line.contains(root) || PATHS.iter().any(|path| starts_a_path(line, path)) {
            findings.push(Finding::new(source, number, "a path of this machine"));
        }
        if HOSTS.iter().any(|host| line.contains(host)) {
            findings.push(Finding::new(
                source,
                number,
                "the host of a package registry",
            ));
        }
    }
    findings
}

/// Whether an absolute path in `line` starts with `path`; a relative one may go through a folder of
/// that name.
fn starts_a_path(line: &str, path: &str) -> bool {
    line.match_indices(path).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        !before.is_some_and(|c| c.is_alphanumeric() || "._-/}*".contains(c))
    })
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    fn count(path: &str, text: &str) -> usize {
        check(&planted(path, text), "/srv/checkout").len()
    }

    #[test]
    fn paths_of_this_machine_are_found() {
        for path in PATHS {
            assert_eq!(count("a.md", &format!("see {path}x")), 1);
            assert_eq!(count("a.md", &format!("(\"{path}x\")")), 1);
            assert_eq!(count("a.md", &format!("under ..{path}x and a{path}x")), 0);
        }
        assert_eq!(count("a.rs", "in /srv/checkout/target"), 1);
        assert_eq!(count("a.rs", "in /srv/other"), 0);
    }

    #[test]
    fn registry_hosts_are_found() {
        for host in HOSTS {
            assert_eq!(count("a.toml", &format!("https://index.{host}/simple")), 1);
        }
        assert_eq!(count("a.md", "a PyPI wheel"), 0);
    }

    #[test]
    fn a_lock_file_names_one_registry() {
        assert_eq!(count("Cargo.lock", LOCKED_SOURCE), 0);
        assert_eq!(
            count("Cargo.lock", "source = \"git+https://example.org/x\""),
            1
        );
    }
}
