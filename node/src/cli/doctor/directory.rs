//! What lies in a data directory, by names and lengths. Content is for `keel verify`.

use std::path::Path;

use store::SegmentNumber;

use super::Check;
use crate::data_dir::DataDir;
use crate::recovery::describe;

pub(super) fn checks(path: &Path, in_use: bool) -> Vec<Check> {
    let journal = names(&path.join("journal"));
    let checkpoints = names(&path.join("checkpoints"));
    if !path.join("genesis.toml").exists() && journal.is_empty() {
        return vec![Check::ok("directory", "not a data directory yet")];
    }
    let used = if in_use {
        "in use by a running node"
    } else {
        "not in use"
    };
    vec![
        match DataDir::open(path) {
            Ok(opened) => Check::ok(
                "directory",
                format!("{used}, {}", describe(opened.genesis())),
            ),
            Err(error) => {
                let found = error.to_string().replace('\n', "; ");
                Check::fail(
                    "directory",
                    found,
                    "bring its genesis.toml back from a copy",
                )
            }
        },
        segments(&journal, !checkpoints.is_empty()),
        checkpoint_files(&checkpoints),
    ]
}

/// Names of the files in a folder, sorted; none if there is no such folder.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<_> = entries
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect();
    names.sort_unstable();
    names
}

fn segments(names: &[String], checkpointed: bool) -> Check {
    const WHAT: &str = "journal";
    let numbers: Vec<u64> = names
        .iter()
        .filter_map(|name| SegmentNumber::from_file_name(name))
        .map(SegmentNumber::get)
        .collect();
    let torn = names
        .iter()
        .filter(|name| name.starts_with("torn-"))
        .count();
    let (Some(first), Some(last)) = (numbers.first(), numbers.last()) else {
        return Check::ok(WHAT, "empty");
    };
    let mut found = format!("{} segments, {first} to {last}", numbers.len());
    if 0 < torn {
        found += &format!(", {torn} torn tails kept aside");
    }
    let gap = numbers.windows(2).any(|pair| pair[0] + 1 != pair[1]);
    if gap || (*first != 1 && !checkpointed) {
        let advice = "a segment is missing: do not start a node; bring it back from a copy";
        return Check::fail(WHAT, found, advice);
    }
    Check::ok(WHAT, found)
}

fn checkpoint_files(names: &[String]) -> Check {
    // They are named by height as segments are by number.
    let heights = names
        .iter()
        .filter_map(|name| SegmentNumber::from_file_name(name));
    let newest = heights.clone().next_back().map(SegmentNumber::get);
    let found = match newest {
        Some(height) => format!("{}, the newest of height {height}", heights.count()),
        None => "none".to_owned(),
    };
    Check::ok("checkpoints", found)
}

#[cfg(test)]
mod tests {
    use super::super::Verdict::{Fail, Ok};
    use super::*;

    fn files(numbers: &[u64]) -> Vec<String> {
        let name = |number: &u64| SegmentNumber::new(*number).file_name();
        let mut names: Vec<_> = numbers.iter().map(name).collect();
        names.extend(["lock".to_owned(), "torn-1-4096-1.bin".to_owned()]);
        names
    }

    #[test]
    fn a_missing_segment_is_seen() {
        for (numbers, checkpointed, verdict) in [
            (&[][..], false, Ok),
            (&[1, 2, 3], false, Ok),
            (&[1, 3], false, Fail),
            (&[1, 3], true, Fail),
            (&[2, 3], false, Fail),
            (&[2, 3], true, Ok),
        ] {
            let check = segments(&files(numbers), checkpointed);
            assert_eq!(check.verdict, verdict, "{check:?}");
        }
    }

    #[test]
    fn checkpoints_are_named_by_height() {
        for (heights, found) in [(&[][..], "none"), (&[7, 42], "2, the newest of height 42")] {
            assert_eq!(checkpoint_files(&files(heights)).found, found);
        }
    }
}
