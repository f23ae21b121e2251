//! Every input of the corpus runs, and together they reach what a target is there for.

use std::path::{Path, PathBuf};

use fuzz::{Reached, TARGETS};

#[test]
fn every_input_of_the_corpus_runs() {
    for target in TARGETS {
        let mut reached = Reached::new();
        for path in inputs(target.name) {
            let input = std::fs::read(&path).expect("it was listed a moment ago");
            let named = Named(&path);
            reached.extend((target.run)(&input));
            drop(named);
        }
        for what in target.reaches {
            assert!(reached.contains(what), "{}: no {what}", target.name);
        }
    }
}

/// Whatever the fuzzer makes of nothing, or of too little, is an input too.
#[test]
fn short_inputs_run() {
    for target in TARGETS {
        for length in 0..64 {
            for byte in [0, 1, 0x7f, 0xff] {
                (target.run)(&vec![byte; length]);
            }
        }
    }
}

fn inputs(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let entries = std::fs::read_dir(folder.join(target)).expect("every target has a corpus");
    let paths = entries.map(|entry| entry.expect("a readable folder").path());
    let mut paths: Vec<PathBuf> = paths.collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no corpus");
    paths
}

/// Names the input if it is dropped in a panic.
struct Named<'a>(&'a Path);

impl Drop for Named<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("in {}", self.0.display());
        }
    }
}
