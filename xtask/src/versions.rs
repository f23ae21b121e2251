//! Minimum versions over `Cargo.lock`, each with the reason that set it. A lock file that resolves
//! to less is refused even if every manifest asks for more, for the lock is what gets built.

use std::collections::BTreeSet;
use std::fmt;

use crate::project::{Failure, Project};

/// A crate that must be at least of this version wherever it is linked.
struct Floor {
    name: &'static str,
    minimum: Version,
    reason: &'static str,
    /// The floor counts only for a copy that may link this crate.
    only_with: Option<&'static str>,
}

const fn floor(
    name: &'static str,
    major: u64,
    minor: u64,
    patch: u64,
    reason: &'static str,
) -> Floor {
    Floor {
        name,
        minimum: Version {
            major,
            minor,
            patch,
        },
        reason,
        only_with: None,
    }
}

const FLOORS: &[Floor] = &[
    floor(
        "quinn-proto",
        0,
        11,
        15,
        "memory exhaustion through stream gaps (RUSTSEC-2026-0185)",
    ),
    floor("rustls", 0, 23, 18, "panic in Acceptor (RUSTSEC-2024-0399)"),
    floor(
        "rustls-webpki",
        0,
        103,
        13,
        "CRL panic and name constraints (2026)",
    ),
    floor(
        "rkyv",
        0,
        8,
        17,
        "memory unsafety on validated archives (RUSTSEC-2026-0235)",
    ),
    floor(
        "memmap2",
        0,
        9,
        11,
        "unchecked flush and advise ranges (RUSTSEC-2026-0186)",
    ),
    floor(
        "bytes",
        1,
        11,
        1,
        "overflow in reserve, in release builds (RUSTSEC-2026-0007)",
    ),
    floor(
        "ruint",
        1,
        20,
        0,
        "wrong overflow flags (RUSTSEC-2026-0220)",
    ),
    floor("crossbeam-channel", 0, 5, 15, "double free"),
    floor("crossbeam-epoch", 0, 9, 20, "invalid dereference"),
    floor("ed25519-dalek", 2, 0, 0, "double-key signing oracle"),
    floor("curve25519-dalek", 4, 1, 3, "timing leak"),
    // dashmap 6 links hashbrown 0.14. The flaw is in hashbrown's borsh encoding of maps, which needs
    // borsh; a copy without it is harmless, whoever else names borsh in the lock file.
    Floor {
        only_with: Some("borsh"),
        ..floor(
            "hashbrown",
            0,
            15,
            1,
            "borsh encoding of maps is not canonical",
        )
    },
    floor(
        "tokio",
        1,
        44,
        2,
        "unsound broadcast channel (RUSTSEC-2025-0023)",
    ),
    floor(
        "alloy-dyn-abi",
        1,
        4,
        1,
        "panic on typed data, which strangers send",
    ),
    floor("ring", 0, 17, 0, "older ones are unmaintained"),
];

const BANNED: &[(&str, &str)] = &[
    (
        "bincode",
        "unmaintained (RUSTSEC-2025-0141); version 3 does not even build",
    ),
    ("fast-float", "unsound and unmaintained"),
];

/// Where every third-party crate has a row with the reason for it.
const REASONS: &str = "docs/adr/0008-dependencies.md";

/// Checks the lock file, the manifest and the reasons.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let lock = project.read("Cargo.lock")?;
    let packages = locked_packages(&lock.text)?;
    let mut findings = check_packages(&packages);
    let manifest = project.read("Cargo.toml")?;
    findings.extend(check_allocator(&manifest.text));
    let reasons = project.read(REASONS)?;
    findings.extend(check_reasons(&manifest.text, &reasons.text));
    Failure::unless_empty(findings)?;
    println!("versions: {} locked packages are fine", packages.len());
    Ok(())
}

/// The three numbers of a version; what follows a dash or a plus does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    major: u64,
    minor: u64,
    patch: u64,
}

impl Version {
    fn parse(text: &str) -> Option<Self> {
        let numbers = text.split(['-', '+']).next()?;
        let mut numbers = numbers.split('.').map(str::parse);
        let mut next = || numbers.next()?.ok();
        Some(Self {
            major: next()?,
            minor: next()?,
            patch: next()?,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// A package of a lock file.
struct Package {
    name: String,
    version: Version,
    /// Names of what it may link.
    uses: Vec<String>,
}

/// Every package in a lock file.
fn locked_packages(lock: &str) -> Result<Vec<Package>, Failure> {
    let bad = |what: &str| Failure::new(format!("Cargo.lock: {what}"));
    let lock: toml::Table = lock.parse().map_err(|_| bad("not TOML"))?;
    let packages = lock.get("package").and_then(toml::Value::as_array);
    let packages = packages.ok_or_else(|| bad("no packages"))?;
    let read = |package: &toml::Value| {
        let name = package.get("name")?.as_str()?;
        let version = Version::parse(package.get("version")?.as_str()?)?;
        let uses = package.get("dependencies").and_then(toml::Value::as_array);
        let uses = uses.into_iter().flatten().filter_map(toml::Value::as_str);
        // Such as `borsh`, or `hashbrown 0.14.5` where there are several.
        let uses = uses.filter_map(|text| text.split(' ').next());
        Some(Package {
            name: name.to_owned(),
            version,
            uses: uses.map(str::to_owned).collect(),
        })
    };
    packages
        .iter()
        .map(|package| read(package).ok_or_else(|| bad("a package without name or version")))
        .collect()
}

fn check_packages(packages: &[Package]) -> Vec<String> {
    let mut findings = Vec::new();
    for Package {
        name,
        version,
        uses,
    } in packages
    {
        for floor in FLOORS {
            let may_link = |crate_name: &str| uses.iter().any(|used| used == crate_name);
            let counts = floor.only_with.is_none_or(may_link);
            if floor.name == name && counts && *version < floor.minimum {
                findings.push(format!(
                    "Cargo.lock: {name} {version} is below {}: {}",
                    floor.minimum, floor.reason
                ));
            }
        }
        for (banned, reason) in BANNED {
            if banned == name {
                findings.push(format!("Cargo.lock: {name} is banned: {reason}"));
            }
        }
    }
    findings
}

/// mimalloc's default is version 3, which crashes under multi-threaded heap start-up in the bundled
/// release; feature `v2` picks the version that does not.
fn check_allocator(manifest: &str) -> Option<String> {
    let manifest: toml::Table = manifest.parse().ok()?;
    let mimalloc = manifest
        .get("workspace")?
        .get("dependencies")?
        .get("mimalloc")?;
    let features = mimalloc.get("features").and_then(toml::Value::as_array);
    let uses_v2 = features.is_some_and(|features| {
        let has = |name| {
            features
                .iter()
                .any(|feature| feature.as_str() == Some(name))
        };
        has("v2") && !has("v3")
    });
    (!uses_v2).then(|| "Cargo.toml: mimalloc must use feature v2: version 3 crashes".to_owned())
}

/// Third-party crates of the manifest without a row, and rows without a crate.
fn check_reasons(manifest: &str, reasons: &str) -> Vec<String> {
    let manifest: toml::Table = manifest.parse().unwrap_or_default();
    let dependencies = manifest
        .get("workspace")
        .and_then(|workspace| workspace.get("dependencies"))
        .and_then(toml::Value::as_table);
    let wanted: BTreeSet<&str> = dependencies
        .into_iter()
        .flatten()
        .filter(|(_, dependency)| dependency.get("path").is_none())
        .map(|(name, _)| name.as_str())
        .collect();
    let listed: BTreeSet<&str> = reasons
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let missing = wanted.difference(&listed);
    let stale = listed.difference(&wanted);
    missing
        .map(|name| format!("{REASONS}: no reason for {name}"))
        .chain(stale.map(|name| format!("{REASONS}: {name} is not in Cargo.toml")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(packages: &[(&str, &str)]) -> Vec<Package> {
        let entries = packages.iter().map(|(name, version)| {
            format!("[[package]]\nname = {name:?}\nversion = {version:?}\n")
        });
        locked_packages(&entries.collect::<String>()).unwrap()
    }

    #[test]
    fn a_version_below_its_floor_is_found() {
        for (name, version, findings) in [
            ("quinn-proto", "0.11.14", 1),
            ("quinn-proto", "0.11.15", 0),
            ("quinn-proto", "0.12.0", 0),
            ("rustls", "0.23.17", 1),
            ("rustls", "0.24.0-dev.1", 0),
            ("ring", "0.16.20", 1),
            ("ring", "0.17.14", 0),
            ("bytes", "1.9.99", 1),
            ("tokio", "1.44.2", 0),
            ("bincode", "9.9.9", 1),
            ("somebody-else", "0.0.1", 0),
        ] {
            let found = check_packages(&lock(&[(name, version)]));
            assert_eq!(found.len(), findings, "{name} {version}: {found:?}");
        }
    }

    #[test]
    fn every_copy_of_a_crate_counts() {
        let found = check_packages(&lock(&[("rustls", "0.23.46"), ("rustls", "0.21.0")]));
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn old_hashbrown_is_harmless_without_borsh() {
        assert!(check_packages(&lock(&[("hashbrown", "0.14.5")])).is_empty());
        let beside = lock(&[("hashbrown", "0.14.5"), ("borsh", "1.5.0")]);
        assert!(check_packages(&beside).is_empty());
        let with =
            "[[package]]\nname = \"hashbrown\"\nversion = \"0.14.5\"\ndependencies = [\"borsh\"]\n";
        assert_eq!(check_packages(&locked_packages(with).unwrap()).len(), 1);
    }

    #[test]
    fn an_unreadable_lock_file_is_a_failure() {
        assert!(locked_packages("not = [toml").is_err());
        assert!(locked_packages("version = 4").is_err());
        assert!(locked_packages("[[package]]\nname = \"x\"\nversion = \"1\"").is_err());
    }

    #[test]
    fn mimalloc_without_v2_is_found() {
        let manifest =
            |value: &str| check_allocator(&format!("[workspace.dependencies]\nmimalloc = {value}"));
        assert!(manifest("\"0.1\"").is_some());
        assert!(manifest("{ version = \"0.1\", features = [\"v3\"] }").is_some());
        assert!(manifest("{ version = \"0.1\", features = [\"v2\"] }").is_none());
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[workspace.dependencies]\ntypes = { path = \"types\" }\nbytes = \"1\"\n";
        assert!(check_reasons(manifest, "| `bytes` | 1 | why |\n").is_empty());
        assert_eq!(check_reasons(manifest, "").len(), 1);
        assert_eq!(
            check_reasons(manifest, "| `bytes` |\n| `gone` |\n").len(),
            1
        );
    }
}
