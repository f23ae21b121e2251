//! Directories of every released format: they lead to the same hashes, roots and texts for ever.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::common::{Node, run, text};

/// One directory per released format.
fn fixtures() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// A copy that may be written to.
fn copied(fixture: &Path) -> tempfile::TempDir {
    let directory = tempfile::tempdir().unwrap();
    for folder in ["journal", "checkpoints"] {
        let to = directory.path().join(folder);
        fs::create_dir(&to).unwrap();
        for entry in fs::read_dir(fixture.join(folder)).unwrap() {
            let path = entry.unwrap().path();
            fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    }
    let genesis = "genesis.toml";
    fs::copy(fixture.join(genesis), directory.path().join(genesis)).unwrap();
    directory
}

#[test]
fn directories_of_every_released_format_are_read_as_ever() {
    let fixtures = fixtures();
    assert!(!fixtures.is_empty());
    for fixture in fixtures {
        let directory = copied(&fixture);
        let path = directory.path();
        let of = |name: &str| fs::read_to_string(fixture.join(name)).unwrap();
        text(&run("verify", path, &[]));
        let expected: Value = serde_json::from_str(&of("expected.json")).unwrap();
        let heights = fs::read_dir(path.join("checkpoints"))
            .unwrap()
            .map(|entry| {
                let name = entry.unwrap().file_name().into_string().unwrap();
                name.trim_start_matches('0').replace(".keel", "")
            });
        for from in heights.chain(["start".to_owned()]) {
            let arguments = ["--json", "--signatures", "--from", &from];
            let replayed = text(&run("replay", path, &arguments));
            let replayed: Value = serde_json::from_str(&replayed).unwrap();
            for (key, value) in expected.as_object().unwrap() {
                let is_whole = from == "start" || !matches!(&**key, "from_height" | "checkpoints");
                assert!(
                    !is_whole || replayed[key] == *value,
                    "{from} {key}: {replayed}"
                );
            }
        }
        for what in ["balances", "orders", "nonces"] {
            let dumped = text(&run("dump", path, &[&format!("--{what}")]));
            assert_eq!(dumped, of(&format!("{what}.txt")));
        }
        assert_eq!(
            text(&run("prove", path, &["--account", "0"])),
            of("proof.json")
        );
        let proof = fixture.join("proof.json");
        let root = expected["state_root"].as_str().unwrap();
        let checked = crate::common::keel()
            .arg("check-proof")
            .arg(proof)
            .args(["--root", root])
            .output()
            .unwrap();
        assert!(text(&checked).starts_with("proven\n"));
        // And a node of this version goes on with it.
        assert!(Node::serve(path).stop().success());
        text(&run("verify", path, &[]));
    }
}
