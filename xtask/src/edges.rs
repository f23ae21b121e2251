//! Which crate may use which: the table of the design, and the proof that the core stays pure.
//!
//! A missing edge cannot be seen in code, so it is checked here: normal dependencies between our
//! crates against [`ALLOWED`], the full normal dependency tree of the pure crates against
//! [`IMPURE`], and the clippy bans of the pure crates against [`BANS`]. Dev-dependencies are free.

use std::collections::{BTreeMap, BTreeSet};

use crate::project::{Failure, Project};

/// What each of our crates may use of ours. A crate that is not here is not allowed to exist.
const ALLOWED: &[(&str, &[&str])] = &[
    ("types", &[]),
    ("matching", &["types"]),
    ("ledger", &["types"]),
    ("engine", &["types", "matching", "ledger"]),
    ("store", &["types"]),
    ("gateway", &["types"]),
    ("client", &["types"]),
    ("loadgen", &["types", "client"]),
    // `engine` for the layout of a checkpoint alone, which proofs are read from.
    ("anchor", &["types", "ledger", "engine", "store", "client"]),
    // The terminal is here and not in the library, which `keel` links.
    ("loadgen-bin", &["loadgen"]),
    (
        "node",
        &[
            "types", "matching", "ledger", "engine", "store", "gateway", "client", "loadgen",
        ],
    ),
    (
        "benches",
        &[
            "types", "matching", "ledger", "engine", "store", "gateway", "client", "loadgen",
            "node",
        ],
    ),
    ("fuzz", &["types", "matching", "engine"]),
    (
        "sim",
        &[
            "types", "matching", "ledger", "engine", "store", "gateway", "node",
        ],
    ),
    ("xtask", &[]),
];

/// Crates that take time, entropy and bytes as arguments.
const PURE: &[&str] = &["types", "matching", "ledger", "engine"];

/// Runtimes, sockets, clocks and entropy: nowhere below a pure crate.
const IMPURE: &[&str] = &[
    "tokio",
    "quinn",
    "rustls",
    "mio",
    "rand",
    "getrandom",
    "socket2",
    "rustix",
];

/// What draws on terminals is not for the node.
const NOT_IN_NODE: &[&str] = &["ratatui", "crossterm"];

/// Features for tests alone, and the only crate whose dependencies may switch each on; the binaries
/// have none of them.
const FOR_TESTS: &[(&str, Option<&str>)] = &[
    ("planted-bugs", None),
    ("simulation", Some("sim")),
    ("shuttle", None),
    ("loom", None),
];

/// What clippy must refuse in a pure crate.
const BANS: &[(&str, &[&str])] = &[
    (
        "disallowed-methods",
        &[
            "std::time::Instant::now",
            "std::time::SystemTime::now",
            "std::thread::sleep",
            "std::thread::spawn",
            "std::env::var",
            "std::env::vars",
            "std::env::args",
        ],
    ),
    (
        "disallowed-types",
        &[
            "std::collections::HashMap",
            "std::collections::HashSet",
            "std::collections::hash_map::RandomState",
            "std::fs::File",
            "std::net::TcpStream",
            "std::net::UdpSocket",
        ],
    ),
];

/// Our crates, and what each uses of ours.
type Graph = BTreeMap<String, BTreeSet<String>>;

/// Checks the manifests, the resolved trees and the bans.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let graph = graph(project)?;
    let mut findings = check_graph(&graph);
    let tree = |name: &str| {
        let mut tree = project.command("cargo");
        tree.args(["tree", "--locked", "--package", name, "--edges", "normal"]);
        tree.args(["--prefix", "none", "--format", "{p}"]);
        project.capture(tree)
    };
    findings.extend(check_tree("node", NOT_IN_NODE, &tree("node")?));
    for name in PURE {
        findings.extend(check_tree(name, IMPURE, &tree(name)?));
        let bans = project.read(&format!("{name}/clippy.toml"))?;
        findings.extend(check_bans(&bans.path, &bans.text));
    }
    for name in graph.keys() {
        let path = format!("{name}/Cargo.toml");
        let manifest = parse_manifest(&path, &project.read(&path)?.text)?;
        findings.extend(check_features(name, &manifest));
    }
    Failure::unless_empty(findings)?;
    println!(
        "edges: {} crates use only what they may; {} are pure",
        graph.len(),
        PURE.len()
    );
    Ok(())
}

fn graph(project: &Project) -> Result<Graph, Failure> {
    let workspace = parse_manifest("Cargo.toml", &project.read("Cargo.toml")?.text)?;
    let members = workspace
        .get("workspace")
        .and_then(|workspace| workspace.get("members"))
        .and_then(toml::Value::as_array)
        .ok_or_else(|| Failure::new("Cargo.toml: no workspace members"))?;
    let members: Vec<String> = members
        .iter()
        .filter_map(|member| member.as_str().map(str::to_owned))
        .collect();
    let mut graph = Graph::new();
    for member in &members {
        let path = format!("{member}/Cargo.toml");
        let manifest = parse_manifest(&path, &project.read(&path)?.text)?;
        graph.insert(member.clone(), uses(&manifest, &members));
    }
    Ok(graph)
}

fn parse_manifest(path: &str, text: &str) -> Result<toml::Table, Failure> {
    text.parse()
        .map_err(|error| Failure::new(format!("{path}: {error}")))
}

/// The members that a manifest names outside its dev-dependencies, under whatever name.
fn uses(manifest: &toml::Table, members: &[String]) -> BTreeSet<String> {
    let targets = manifest.get("target").and_then(toml::Value::as_table);
    let targets = targets.into_iter().flat_map(toml::Table::values);
    let tables = targets.filter_map(toml::Value::as_table);
    std::iter::once(manifest)
        .chain(tables)
        .flat_map(|table| {
            ["dependencies", "build-dependencies"]
                .into_iter()
                .filter_map(|kind| table.get(kind).and_then(toml::Value::as_table))
        })
        .flatten()
        .map(|(name, dependency)| {
            let renamed = dependency.get("package").and_then(toml::Value::as_str);
            renamed.unwrap_or(name).to_owned()
        })
        .filter(|name| members.contains(name))
        .collect()
}

/// Who switches on what is for tests alone: by a feature of another name, or by a dependency.
fn check_features(name: &str, manifest: &toml::Table) -> Vec<String> {
    let mut findings = Vec::new();
    let features = manifest.get("features").and_then(toml::Value::as_table);
    for (feature, enabled) in features.into_iter().flatten() {
        let enabled = enabled.as_array().into_iter().flatten();
        for item in enabled.filter_map(toml::Value::as_str) {
            let item = item.rsplit('/').next().unwrap_or(item);
            if FOR_TESTS.iter().any(|(test, _)| *test == item) && item != feature {
                findings.push(format!("{name}: feature {feature} switches on {item}"));
            }
        }
    }
    let tables = ["dependencies", "build-dependencies", "dev-dependencies"];
    let tables = tables
        .into_iter()
        .filter_map(|table| manifest.get(table)?.as_table());
    for (dependency, value) in tables.flatten() {
        let enabled = value.get("features").and_then(toml::Value::as_array);
        for item in enabled
            .into_iter()
            .flatten()
            .filter_map(toml::Value::as_str)
        {
            let known = FOR_TESTS.iter().find(|(test, _)| *test == item);
            if known.is_some_and(|(_, only)| *only != Some(name)) {
                findings.push(format!(
                    "{name}: dependency {dependency} switches on {item}"
                ));
            }
        }
    }
    findings
}

fn check_graph(graph: &Graph) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, uses) in graph {
        let Some((_, allowed)) = ALLOWED.iter().find(|(listed, _)| listed == name) else {
            findings.push(format!(
                "edges: crate {name} is not in the table of xtask/src/edges.rs"
            ));
            continue;
        };
        for used in uses {
            if !allowed.contains(&used.as_str()) {
                findings.push(format!("edges: {name} must not use {used}"));
            }
        }
    }
    findings
}

/// `tree`: one `name vVERSION ...` a line, as cargo prints it without a prefix; nothing that is `banned`
/// may be in it.
fn check_tree(name: &str, banned: &[&str], tree: &str) -> Vec<String> {
    let below: BTreeSet<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    if !below.contains(name) {
        return vec![format!("edges: cargo tree does not know {name}")];
    }
    banned
        .iter()
        .filter(|banned| below.contains(*banned))
        .map(|banned| {
            format!("edges: {name} must not link {banned}; see cargo tree -p {name} -i {banned}")
        })
        .collect()
}

fn check_bans(path: &str, text: &str) -> Vec<String> {
    let Ok(config) = text.parse::<toml::Table>() else {
        return vec![format!("{path}: not TOML")];
    };
    let mut findings = Vec::new();
    for (list, wanted) in BANS {
        let entries = config.get(*list).and_then(toml::Value::as_array);
        let banned: Vec<&str> = entries
            .into_iter()
            .flatten()
            .filter_map(|entry| entry.get("path").unwrap_or(entry).as_str())
            .collect();
        for item in *wanted {
            if !banned.contains(item) {
                findings.push(format!("{path}: {list} must name {item}"));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn graph(edges: &[(&str, &[&str])]) -> Graph {
        let owned = |uses: &[&str]| uses.iter().map(|&name| name.to_owned()).collect();
        edges
            .iter()
            .map(|(name, uses)| ((*name).to_owned(), owned(uses)))
            .collect()
    }

    #[test]
    fn the_table_itself_is_allowed_and_has_no_cycle() {
        assert!(check_graph(&graph(ALLOWED)).is_empty());
        let mut known: Vec<&str> = Vec::new();
        let mut rest: Vec<_> = ALLOWED.to_vec();
        while !rest.is_empty() {
            let ready = rest
                .iter()
                .position(|(_, uses)| uses.iter().all(|name| known.contains(name)));
            let (name, _) = rest.remove(ready.expect("the table has a cycle"));
            known.push(name);
        }
    }

    #[test]
    fn a_forbidden_edge_is_found() {
        for (name, used, allowed) in [
            ("engine", "ledger", true),
            ("engine", "store", false),
            ("matching", "ledger", false),
            ("ledger", "matching", false),
            ("gateway", "engine", false),
            ("types", "matching", false),
            ("loadgen", "gateway", false),
            ("node", "loadgen", true),
        ] {
            let findings = check_graph(&graph(&[(name, &[used])]));
            assert_eq!(findings.is_empty(), allowed, "{name} -> {used}");
        }
        assert_eq!(check_graph(&graph(&[("newcomer", &[])])).len(), 1);
    }

    #[test]
    fn edges_are_read_from_every_kind_of_dependency_but_dev() {
        let manifest = r#"
            [dependencies]
            types.workspace = true
            bytes = "1"
            hidden = { package = "ledger", path = "../ledger" }
            [build-dependencies]
            store = { path = "../store" }
            [target.'cfg(unix)'.dependencies]
            gateway.workspace = true
            [dev-dependencies]
            client.workspace = true
        "#;
        let manifest = parse_manifest("x", manifest).unwrap();
        let members: Vec<String> = ALLOWED.iter().map(|(name, _)| (*name).to_owned()).collect();
        let found = uses(&manifest, &members);
        let expected = ["gateway", "ledger", "store", "types"];
        assert_eq!(found.iter().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn an_impure_crate_below_the_core_is_found() {
        let tree = "engine v0.1.0 (/x)\ntypes v0.1.0 (/x)\nbytes v1.12.2\n";
        assert!(check_tree("engine", IMPURE, tree).is_empty());
        for impure in IMPURE {
            let findings = check_tree("engine", IMPURE, &format!("{tree}{impure} v1.0.0\n"));
            assert_eq!(findings.len(), 1, "{impure}");
        }
        // Names are compared whole, and an empty answer proves nothing.
        assert!(check_tree("engine", IMPURE, &format!("{tree}rand_core v0.10.1\n")).is_empty());
        assert_eq!(check_tree("engine", IMPURE, "").len(), 1);
    }

    #[test]
    fn a_feature_for_tests_in_a_binary_is_found() {
        let manifest = r#"
            [features]
            default = ["types/planted-bugs"]
            planted-bugs = ["types/planted-bugs"]
            [dependencies]
            types = { path = "../types", features = ["planted-bugs"] }
            store = { workspace = true, features = ["simulation"] }
            tokio = { workspace = true, features = ["signal"] }
        "#;
        let manifest = parse_manifest("x", manifest).unwrap();
        assert_eq!(check_features("node", &manifest).len(), 3);
        assert_eq!(check_features("sim", &manifest).len(), 2);
    }

    #[test]
    fn a_missing_ban_is_found() {
        let full = |entry: fn(&str) -> String| {
            let list = |(name, items): &(&str, &[&str])| {
                let items: Vec<String> = items.iter().map(|item| entry(item)).collect();
                format!("{name} = [{}]\n", items.join(", "))
            };
            BANS.iter().map(list).collect::<String>()
        };
        let tables = full(|item| format!("{{ path = {item:?}, reason = \"x\" }}"));
        assert!(check_bans("clippy.toml", &tables).is_empty());
        assert!(check_bans("clippy.toml", &full(|item| format!("{item:?}"))).is_empty());
        let planted = tables.replace("std::time::Instant::now", "std::time::Instant::later");
        assert_eq!(check_bans("clippy.toml", &planted).len(), 1);
        let all: usize = BANS.iter().map(|(_, items)| items.len()).sum();
        assert_eq!(check_bans("clippy.toml", "").len(), all);
    }
}
