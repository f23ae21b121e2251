//! The hot-market curve: what the whole node carries, and how late its answers are at half of that, by
//! number of markets, for uniform and Zipf flow and both executors; written into `benches/README.md`
//! and drawn into `docs/hot-market.svg`.
//!
//! Every point is a node of its own with its own genesis: one run of `loadgen` as fast as possible, then
//! one at half of the rate that came out. One market is the hot one: nothing can be spread there.
//! `KEEL_CURVE_SECONDS` says how long each run measures.

mod chart;

use std::fmt::Write as _;
use std::path::Path;

use serde_json::Value;

use crate::node::{Folder, Node, binary, build};
use crate::project::{Failure, Project};

pub(crate) fn run(project: &Project) -> Result<(), Failure> {
    let seconds = std::env::var("KEEL_CURVE_SECONDS").unwrap_or_else(|_| SECONDS.to_owned());
    build(project, &["--release"])?;
    let folder = Folder::new("curve")?;
    let mut points = Vec::new();
    for executor in EXECUTORS {
        for spread in SPREADS {
            for markets in MARKETS {
                let at = At {
                    executor,
                    spread,
                    markets,
                };
                let point = measure(project, &folder.path, &at, &seconds)?;
                println!("{}", point.row());
                points.push(point);
            }
        }
    }
    let write = |path: &str, text: String| {
        std::fs::write(project.root().join(path), text)
            .map_err(|error| Failure::new(format!("{path}: {error}")))
    };
    write(PICTURE, chart::draw(&points))?;
    let readme = project.read(README)?.text;
    write(README, replaced(&readme, &section(&points, &seconds))?)
}

/// Of each run.
const SECONDS: &str = "8";
const README: &str = "benches/README.md";
const PICTURE: &str = "docs/hot-market.svg";
const MARKETS: [usize; 5] = [1, 2, 4, 16, 64];
const SPREADS: [&str; 2] = ["uniform", "zipf"];
const EXECUTORS: [&str; 2] = ["sequential", "parallel"];

/// What a point is of.
#[derive(Clone, Copy, Debug)]
struct At {
    executor: &'static str,
    spread: &'static str,
    markets: usize,
}

/// What was found there.
#[derive(Debug)]
struct Point {
    at: At,
    /// As fast as possible.
    orders_per_second: f64,
    cpu_us_per_order: f64,
    /// Milliseconds at half of that rate: p50, p99, p99.9.
    latency_ms: [f64; 3],
    /// Why the second run shows nothing.
    failures: String,
}

impl Point {
    fn row(&self) -> String {
        let At {
            executor,
            spread,
            markets,
        } = self.at;
        let [p50, p99, p999] = self.latency_ms;
        let failures = match self.failures.as_str() {
            "" => String::new(),
            why => format!(" ({why})"),
        };
        format!(
            "| {executor} | {spread} | {markets} | {:.0} | {:.2} | {p50:.2} ms | {p99:.2} ms | \
             {p999:.2} ms{failures} |",
            self.orders_per_second, self.cpu_us_per_order
        )
    }
}

fn measure(project: &Project, folder: &Path, at: &At, seconds: &str) -> Result<Point, Failure> {
    let name = format!("{}-{}-{}", at.executor, at.spread, at.markets);
    let genesis = folder.join(format!("{name}.toml"));
    let text = genesis_of(at.markets);
    std::fs::write(&genesis, text)
        .map_err(|error| Failure::new(format!("{}: {error}", genesis.display())))?;
    let data = folder.join(&name);
    let genesis = genesis.to_string_lossy();
    let arguments = [
        "--genesis",
        &genesis,
        "--executor",
        at.executor,
        "--workers",
        "2",
    ];
    let node = Node::start(project, &data, &arguments)?;
    let load = |rate: &str| {
        let mut loadgen = project.command(&binary(project, "release", "loadgen"));
        loadgen.args(["run", "--connect", &node.listen, "--scenario", at.spread]);
        loadgen.args([
            "--rate",
            rate,
            "--seconds",
            seconds,
            "--skeleton-seconds",
            "0",
        ]);
        // A run that fails reports, too, and says why.
        let output = loadgen.args(["--json", "-"]).output();
        let output = output.map_err(|error| Failure::new(format!("loadgen: {error}")))?;
        serde_json::from_slice::<Value>(&output.stdout).map_err(|_| {
            let said = String::from_utf8_lossy(&output.stderr);
            Failure::new(format!("loadgen at {at:?}: {said}"))
        })
    };
    let fast = load("max")?;
    let rate = number(&fast, "orders_per_second");
    let half = load(&format!("{:.0}", (rate / 2.0).max(1.0)))?;
    let latency = |key| number(&half["ack_latency_us"], key) / 1_000.0;
    let failures = half["failures"].as_array().into_iter().flatten();
    let failures: Vec<_> = failures.filter_map(Value::as_str).collect();
    let failures = match half["schedule_kept"].as_bool() {
        // The usual one, and long in full.
        Some(false) if failures.len() == 1 => "schedule not kept".to_owned(),
        _ => failures.join("; "),
    };
    node.kill()?;
    // The journal of a point is of no use to the next.
    std::fs::remove_dir_all(&data)
        .map_err(|error| Failure::new(format!("{}: {error}", data.display())))?;
    Ok(Point {
        at: *at,
        orders_per_second: rate,
        cpu_us_per_order: number(&fast, "cpu_us_per_order"),
        latency_ms: ["p50", "p99", "p999"].map(latency),
        failures,
    })
}

fn number(report: &Value, key: &str) -> f64 {
    report[key].as_f64().unwrap_or(0.0)
}

/// Markets over as many base assets, and the accounts that `loadgen` signs for.
fn genesis_of(markets: usize) -> String {
    let mut text = "network = 1\n\n[[asset]]\nsymbol = \"USD\"\ndecimals = 8\n".to_owned();
    let mut balances = "USD = \"1000000000000\"".to_owned();
    for market in 0..markets {
        let _ = write!(
            text,
            "\n[[asset]]\nsymbol = \"B{market}\"\ndecimals = 8\n\n[[market]]\nsymbol = \
             \"B{market}-USD\"\nbase = \"B{market}\"\nquote = \"USD\"\ntick = \"0.01\"\nlot = \
             \"0.000001\"\nmaker_fee_ppm = 100\ntaker_fee_ppm = 300\n"
        );
        let _ = write!(balances, ", B{market} = \"1000000000\"");
    }
    for account in 0..ACCOUNTS {
        let _ = write!(
            text,
            "\n[[account]]\nowner = \"0x{account:040x}\"\nkeys = [\"dev-{account}\"]\nbalances = {{ \
             {balances} }}\n"
        );
    }
    text
}

/// As many as clients of a run.
const ACCOUNTS: usize = 4;

/// The part of the page that is written here.
fn section(points: &[Point], seconds: &str) -> String {
    let mut text = format!(
        "{BEGIN}\n\nEach run {seconds} s, four clients, frames of 32, two workers for `parallel`; \
         latencies are those at half of the rate of the same row.\n\n| executor | flow | markets | \
         orders/s | CPU us per order, generator | ack p50 | p99 | p99.9 |\n\
         |---|---|---|---|---|---|---|---|\n"
    );
    for point in points {
        text += &point.row();
        text.push('\n');
    }
    text + "\n![Orders a second and p99 by markets](../docs/hot-market.svg)\n\n" + END
}

const BEGIN: &str = "<!-- cargo xtask curve -->";
const END: &str = "<!-- end of cargo xtask curve -->";

/// The page with another part between the two marks.
fn replaced(page: &str, section: &str) -> Result<String, Failure> {
    let marks = page.find(BEGIN).zip(page.find(END));
    match marks.filter(|(begin, end)| begin < end) {
        Some((begin, end)) => {
            let rest = &page[end + END.len()..];
            Ok(format!("{}{section}{rest}", &page[..begin]))
        }
        None => Err(Failure::new(format!(
            "{README}: {BEGIN} … {END} is not there"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(executor: &'static str, spread: &'static str, markets: usize) -> Point {
        Point {
            at: At {
                executor,
                spread,
                markets,
            },
            orders_per_second: 500_000.0,
            cpu_us_per_order: 1.5,
            latency_ms: [1.0, 10.0, 20.0],
            failures: String::new(),
        }
    }

    #[test]
    fn the_table_takes_the_place_of_the_last_one() {
        let points = [point("sequential", "zipf", 4)];
        let page = format!("before\n{BEGIN}\nold\n{END}\nafter\n");
        let once = replaced(&page, &section(&points, "8")).unwrap();
        assert!(
            once.starts_with("before\n") && once.ends_with("\nafter\n"),
            "{once}"
        );
        assert!(
            once.contains(
                "| sequential | zipf | 4 | 500000 | 1.50 | 1.00 ms | 10.00 ms | 20.00 ms |"
            )
        );
        assert!(!once.contains("old"));
        assert_eq!(replaced(&once, &section(&points, "8")).unwrap(), once);
        assert!(replaced("nothing", "").is_err());
        assert!(replaced(&format!("{END}{BEGIN}"), "").is_err());
    }

    #[test]
    fn every_curve_is_drawn_in_both_panels() {
        let mut points = Vec::new();
        for executor in EXECUTORS {
            for spread in SPREADS {
                points.extend(MARKETS.map(|markets| point(executor, spread, markets)));
            }
        }
        let svg = chart::draw(&points);
        assert_eq!(svg.matches("<polyline").count(), 8);
        assert_eq!(svg.matches("<circle").count(), 40);
        assert!(svg.contains("<title>") && svg.ends_with("</svg>\n"));
    }

    #[test]
    fn the_genesis_has_so_many_markets() {
        let table: toml::Table = genesis_of(3).parse().unwrap();
        assert_eq!(table["market"].as_array().unwrap().len(), 3);
        assert_eq!(table["asset"].as_array().unwrap().len(), 4);
        assert_eq!(table["account"].as_array().unwrap().len(), ACCOUNTS);
    }
}
