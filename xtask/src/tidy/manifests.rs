//! Rules over configuration files taken together. A crate's own `clippy.toml` replaces the root's
//! instead of adding to it, so shared thresholds are repeated there and can drift; and a crate that
//! forgets to inherit the workspace's lints has none.

use super::Finding;
use crate::project::Source;

/// What every crate takes from the workspace, so that it is written once.
const INHERITED: &[&str] = &["version", "edition", "rust-version", "license"];

/// All findings in all `clippy.toml` and `Cargo.toml` files.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let Some(root) = sources.iter().find(|source| source.path == "clippy.toml") else {
        return vec![missing("clippy.toml")];
    };
    let Some(expected) = thresholds(root) else {
        return vec![Finding::new(root, 1, "not TOML")];
    };
    for source in sources {
        if source.path.ends_with("clippy.toml") {
            findings.extend(check_thresholds(source, &expected));
        }
        if source.path.ends_with("/Cargo.toml") {
            findings.extend(check_manifest(source));
        }
    }
    findings
}

fn missing(path: &str) -> Finding {
    Finding {
        path: path.to_owned(),
        line: 1,
        message: "is missing".to_owned(),
    }
}

/// Everything but the bans, which differ on purpose.
fn thresholds(source: &Source) -> Option<toml::Table> {
    let config: toml::Table = source.text.parse().ok()?;
    let shared = config.into_iter();
    Some(
        shared
            .filter(|(key, _)| !key.starts_with("disallowed-"))
            .collect(),
    )
}

fn check_thresholds(source: &Source, expected: &toml::Table) -> Option<Finding> {
    let equal = thresholds(source).as_ref() == Some(expected);
    (!equal).then(|| Finding::new(source, 1, "thresholds differ from those of the root"))
}

fn check_manifest(source: &Source) -> Vec<Finding> {
    let Ok(manifest) = source.text.parse::<toml::Table>() else {
        return vec![Finding::new(source, 1, "not TOML")];
    };
    let inherits = |value: Option<&toml::Value>| {
        value.and_then(|value| value.get("workspace")?.as_bool()) == Some(true)
    };
    let package = manifest.get("package");
    let mut findings = Vec::new();
    if !inherits(manifest.get("lints")) {
        findings.push(Finding::new(
            source,
            1,
            "`lints.workspace = true` is missing",
        ));
    }
    for field in INHERITED {
        if !inherits(package.and_then(|package| package.get(field))) {
            let message = format!("`{field}.workspace = true` is missing");
            findings.push(Finding::new(source, 1, message));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::super::planted;
    use super::*;

    #[test]
    fn thresholds_that_differ_are_found() {
        let root = planted("clippy.toml", "a = 1\nb = true\n");
        let check_with =
            |text: &str| check(&[root.clone(), planted("types/clippy.toml", text)]).len();
        assert_eq!(
            check_with("b = true\na = 1\ndisallowed-types = [\"X\"]\n"),
            0
        );
        assert_eq!(check_with("a = 2\nb = true\n"), 1);
        assert_eq!(check_with("a = 1\n"), 1);
        assert_eq!(check_with("a = 1\nb = true\nc = 3\n"), 1);
        assert_eq!(check_with("not toml"), 1);
        assert_eq!(check(&[]).len(), 1);
    }

    #[test]
    fn a_crate_that_does_not_inherit_is_found() {
        let root = planted("clippy.toml", "");
        let full = "[package]\nversion.workspace = true\nedition.workspace = true\n\
                    rust-version.workspace = true\nlicense.workspace = true\n\
                    [lints]\nworkspace = true\n";
        let check_with =
            |text: &str| check(&[root.clone(), planted("types/Cargo.toml", text)]).len();
        assert_eq!(check_with(full), 0);
        assert_eq!(check_with(&full.replace("[lints]", "[other]")), 1);
        assert_eq!(
            check_with(&full.replace("rust-version.workspace = true", "rust-version = \"1.0\"")),
            1
        );
        assert_eq!(check_with("not toml"), 1);
    }
}
