//! How many instructions the hot functions take, against committed figures: times are noise on shared
//! machines, counts are not.
//!
//! `benches/src/bin/instructions.rs` runs one function at a time under callgrind, which counts what
//! happens within it. More than [`TOLERANCE`] above `benches/instructions.toml` fails; as much below
//! asks for `cargo xtask ratchet`, which writes what it finds, so that what was won stays won. A
//! slowdown that is planted on purpose must be found each time.
//!
//! Valgrind's processor is the same everywhere: that of the host without AVX-512 and without the SHA
//! extensions, so the code that picks its instructions at run time picks those of AVX2. On a host
//! without AVX2, or with another compiler, counts are others, and nothing is compared.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::node::binary;
use crate::project::{Failure, Project};

/// By name, instructions for each unit.
type Counts = BTreeMap<String, f64>;

/// Compares.
pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let kind = kind(project)?;
    let recorded = Recorded::parse(&project.read(FILE)?.text)?;
    if recorded.kind != kind {
        return Err(Failure::new(format!(
            "{FILE} is of {}, and this is {kind}: counts of one say nothing about the other; compare \
             on that kind of machine, or make this one the measure with `cargo xtask ratchet`",
            recorded.kind
        )));
    }
    let (mut counts, planted) = count_all(project)?;
    let comparison = compare(&recorded.counts, &counts);
    print!("{}", comparison.text);
    Failure::unless_empty(comparison.slower)?;
    // The same comparison has to find what is slow on purpose.
    counts.insert(SLOWED.to_owned(), planted);
    if compare(&recorded.counts, &counts).slower.is_empty() {
        return Err(Failure::new(format!(
            "the slowdown that is planted in {SLOWED} is not found: {planted:.1}"
        )));
    }
    println!(
        "instructions: within {:.0} %, and a planted slowdown is found",
        TOLERANCE * 100.0
    );
    Ok(())
}

/// Writes what is found.
pub(crate) fn ratchet(project: &Project) -> Result<(), Failure> {
    let recorded = Recorded {
        kind: kind(project)?,
        counts: count_all(project)?.0,
    };
    let path = project.root().join(FILE);
    std::fs::write(&path, recorded.text()).map_err(|error| Failure::new(format!("{FILE}: {error}")))
}

const FILE: &str = "benches/instructions.toml";
/// As a share of what is committed.
const TOLERANCE: f64 = 0.03;
/// What is slowed down on purpose, and under which name.
const SLOWED: &str = "settle_per_trade";
const PLANTED: &str = "planted_slowdown";

/// What counts depend on beside the code.
fn kind(project: &Project) -> Result<String, Failure> {
    let mut rustc = project.command("rustc");
    rustc.arg("--version");
    let rustc = project.capture(rustc)?;
    let version = rustc.split(' ').nth(1).unwrap_or_default();
    let processor = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let has_avx2 = processor.split_whitespace().any(|flag| flag == "avx2");
    let arch = std::env::consts::ARCH;
    Ok(format!(
        "rustc {version}, {arch}, {}",
        if has_avx2 { "AVX2" } else { "no AVX2" }
    ))
}

/// What is committed.
#[derive(Debug, PartialEq)]
struct Recorded {
    kind: String,
    counts: Counts,
}

impl Recorded {
    fn parse(text: &str) -> Result<Self, Failure> {
        let damaged = |why: &str| Failure::new(format!("{FILE}: {why}"));
        let table: toml::Table = text
            .parse()
            .map_err(|error: toml::de::Error| damaged(error.message()))?;
        let kind = table.get("kind").and_then(toml::Value::as_str);
        let counts = table.get("counts").and_then(toml::Value::as_table);
        let counts = counts.ok_or_else(|| damaged("no [counts]"))?;
        let count = |(name, value): (&String, &toml::Value)| {
            let count = value
                .as_float()
                .ok_or_else(|| damaged("a count is a number with a dot"))?;
            Ok((name.clone(), count))
        };
        Ok(Self {
            kind: kind.ok_or_else(|| damaged("no kind"))?.to_owned(),
            counts: counts.iter().map(count).collect::<Result<_, Failure>>()?,
        })
    }

    fn text(&self) -> String {
        let mut text = format!(
            "# Instructions for each unit, counted by callgrind; written by `cargo xtask ratchet`.\n\
             kind = \"{}\"\n\n[counts]\n",
            self.kind
        );
        for (name, count) in &self.counts {
            let _ = writeln!(text, "{name} = {count:.1}");
        }
        text
    }
}

/// All counts, and that of the planted slowdown.
fn count_all(project: &Project) -> Result<(Counts, f64), Failure> {
    let mut valgrind = project.command("valgrind");
    valgrind.arg("--version");
    project.capture(valgrind).map_err(|failure| {
        Failure::new(format!("{failure}\ninstall valgrind to count instructions"))
    })?;
    let mut cargo = project.command("cargo");
    cargo.args(["build", "--release", "--locked", "--workspace"]);
    // Of the whole workspace, so that crates have the features that they have in other steps.
    cargo.args(["--bin", "instructions"]);
    project.execute(cargo)?;
    let program = binary(project, "release", "instructions");
    let names = project.capture(project.command(&program))?;
    let mut counts = Counts::new();
    for name in names.lines() {
        counts.insert(name.to_owned(), count(project, &program, name)?);
    }
    let planted = counts.remove(PLANTED);
    let planted = planted.ok_or_else(|| Failure::new(format!("{program} lists no {PLANTED}")))?;
    Ok((counts, planted))
}

fn count(project: &Project, program: &str, name: &str) -> Result<f64, Failure> {
    let mut valgrind = project.command("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]);
    valgrind.args(["--toggle-collect=instructions::measured*", program, name]);
    let output = valgrind.output();
    let output = output.map_err(|error| Failure::new(format!("valgrind: {error}")))?;
    let said = [output.stdout, output.stderr].map(|it| String::from_utf8_lossy(&it).into_owned());
    let collected = collected(&said[1]).filter(|count| output.status.success() && *count > 0);
    let units = said[0]
        .trim()
        .parse::<u64>()
        .ok()
        .filter(|units| *units > 0);
    match (collected, units) {
        (Some(collected), Some(units)) => Ok(collected as f64 / units as f64),
        _ => Err(Failure::new(format!(
            "{name}: valgrind counted nothing: {}",
            said[1]
        ))),
    }
}

/// The number in `==1== Collected : 123`.
fn collected(said: &str) -> Option<u64> {
    let line = said
        .lines()
        .find_map(|line| line.split_once("Collected :"))?;
    line.1.split_whitespace().next()?.parse().ok()
}

/// What a comparison comes to.
#[derive(Debug, Default, PartialEq)]
struct Comparison {
    /// A line each.
    text: String,
    /// What fails.
    slower: Vec<String>,
}

fn compare(recorded: &Counts, found: &Counts) -> Comparison {
    let mut comparison = Comparison::default();
    for (name, count) in found {
        let Some(before) = recorded.get(name) else {
            let why = format!("{name} is not in {FILE}: `cargo xtask ratchet` adds it");
            comparison.slower.push(why);
            continue;
        };
        let change = count / before - 1.0;
        let percent = change * 100.0;
        let hint = if change < -TOLERANCE {
            "   fewer: keep it with `cargo xtask ratchet`"
        } else {
            ""
        };
        let _ = writeln!(
            comparison.text,
            "{name:<32} {count:>10.1} {percent:>+7.1} %{hint}"
        );
        if change > TOLERANCE {
            comparison.slower.push(format!(
                "{name} takes {count:.1} instructions, {percent:.1} % more than the {before:.1} of \
                 {FILE}; if that is the price of something, `cargo xtask ratchet` and say of what"
            ));
        }
    }
    for name in recorded.keys().filter(|name| !found.contains_key(*name)) {
        let why = format!("{name} of {FILE} is counted no more: `cargo xtask ratchet` forgets it");
        comparison.slower.push(why);
    }
    comparison
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(list: &[(&str, f64)]) -> Counts {
        list.iter()
            .map(|(name, count)| ((*name).to_owned(), *count))
            .collect()
    }

    #[test]
    fn more_fails_and_less_asks_to_be_kept() {
        let recorded = counts(&[("a", 100.0)]);
        for (count, fails, asks) in [
            (100.0, false, false),
            (102.9, false, false),
            (103.1, true, false),
            (97.1, false, false),
            (96.9, false, true),
        ] {
            let comparison = compare(&recorded, &counts(&[("a", count)]));
            assert_eq!(!comparison.slower.is_empty(), fails, "{count}");
            assert_eq!(comparison.text.contains("ratchet"), asks, "{count}");
        }
    }

    #[test]
    fn what_is_new_or_gone_is_told() {
        let comparison = compare(&counts(&[("old", 1.0)]), &counts(&[("new", 1.0)]));
        assert!(comparison.slower[0].contains("new is not in"));
        assert!(comparison.slower[1].contains("old of"));
    }

    #[test]
    fn what_is_written_is_read() {
        let recorded = Recorded {
            kind: "rustc 1.95.0, x86_64, AVX2".to_owned(),
            counts: counts(&[("a_per_b", 12.5), ("c", 3.0)]),
        };
        assert_eq!(Recorded::parse(&recorded.text()).unwrap(), recorded);
        for text in [
            "",
            "kind = 'x'",
            "[counts]",
            "kind = 'x'\n[counts]\na = 'b'",
            "=",
        ] {
            assert!(Recorded::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_count_of_callgrind_is_found() {
        let said = "==7== Events    : Ir\n==7== Collected : 1234\n==7== I   refs:      1,234\n";
        assert_eq!(collected(said), Some(1_234));
        assert_eq!(collected("==7== nothing"), None);
    }
}
