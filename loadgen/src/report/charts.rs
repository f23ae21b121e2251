//! The six charts of the page: which figures of a run are drawn, and how they are told in words.

use super::plot::{Axis, Bar, Plot, Step, bars, nines};
use super::series::SeriesRow;
use super::{RunReport, grouped};

/// A chart with what belongs above it.
#[derive(Debug)]
pub(super) struct Chart {
    pub(super) title: &'static str,
    /// Unit and direction.
    pub(super) note: String,
    /// Color class and meaning of each line, where there is more than one.
    pub(super) legend: Vec<(&'static str, &'static str)>,
    pub(super) svg: String,
}

/// All, in the order of the page.
pub(super) fn all(report: &RunReport) -> [Chart; 6] {
    [
        throughput(report),
        latency_over_time(report),
        latency_by_percentile(report),
        stages(report),
        cpu_per_order(report),
        cpu_over_time(report),
    ]
}

fn throughput(report: &RunReport) -> Chart {
    let rows = drawn(&report.series);
    let rates = || rows.iter().map(|row| row.orders_per_second);
    let offered = report.offered_per_second.map(|rate| rate as f64);
    let mut plot = over_time(rows, highest(rates().chain(offered)), compact);
    let steps = steps(rows, |row| Some(row.orders_per_second));
    plot.steps("a", &steps, true);
    if let Some(offered) = offered {
        plot.level("c", offered, &format!("offered {}", compact(offered)));
    }
    tips(&mut plot, rows, |row| {
        format!("{} orders/s", grouped(row.orders_per_second as u64))
    });
    let least = rates().fold(f64::INFINITY, f64::min).min(highest(rates()));
    let words = format!(
        "Orders with a durable answer a second, over {:.1} seconds: {} in all, at least {} and at \
         most {} in an interval.",
        report.seconds,
        grouped(report.orders_per_second as u64),
        grouped(least as u64),
        grouped(highest(rates()) as u64)
    );
    Chart {
        title: "Throughput over time",
        note: "orders with a durable answer a second".to_owned(),
        legend: Vec::new(),
        svg: plot.svg(&words),
    }
}

fn latency_over_time(report: &RunReport) -> Chart {
    let rows = drawn(&report.series);
    let millis = |us: Option<f64>| us.map(|us| us / 1_000.0);
    let slowest = rows.iter().filter_map(|row| millis(row.p99_us));
    let mut plot = over_time(rows, highest(slowest), short);
    plot.steps("b", &steps(rows, |row| millis(row.p99_us)), false);
    plot.steps("a", &steps(rows, |row| millis(row.p50_us)), false);
    tips(&mut plot, rows, |row| match (row.p50_us, row.p99_us) {
        (Some(p50), Some(p99)) => format!("p50 {}, p99 {}", in_millis(p50), in_millis(p99)),
        _ => "no answer".to_owned(),
    });
    let highest_p99 = highest(rows.iter().filter_map(|row| row.p99_us));
    let words = format!(
        "Latency of the frames answered in each interval: the highest 99th percentile of an \
         interval is {}.",
        in_millis(highest_p99)
    );
    Chart {
        title: "Latency over time",
        note: "ms, intended send to ack".to_owned(),
        legend: vec![("a", "p50"), ("b", "p99")],
        svg: plot.svg(&words),
    }
}

fn latency_by_percentile(report: &RunReport) -> Chart {
    let curve = &report.ack_latency_curve_us;
    let latency = &report.ack_latency_us;
    // The last point before the slowest says how many nines the count of frames can tell.
    let told = curve.iter().rev().find(|point| point.percentile < 100.0);
    let count = told.map_or(1.0, |point| nines(point.percentile)).ceil();
    let y = Axis::linear(latency.max / 1_000.0, short);
    let mut plot = Plot::new(Axis::of_nines(count as u32), y);
    let points: Vec<_> = curve
        .iter()
        .map(|point| (nines(point.percentile), point.us / 1_000.0))
        .collect();
    plot.line("a", &points);
    for (percentile, us) in [
        (50.0, latency.p50),
        (99.0, latency.p99),
        (99.9, latency.p999),
        (100.0, latency.max),
    ] {
        // A short run has no 99.9th percentile to speak of.
        if percentile == 100.0 || nines(percentile) <= count - 0.5 {
            plot.mark("a", nines(percentile), us / 1_000.0, &in_millis(us));
        }
    }
    let words = format!(
        "Latency by percentile: p50 {}, p90 {}, p99 {}, p99.9 {}, slowest {}.",
        in_millis(latency.p50),
        in_millis(latency.p90),
        in_millis(latency.p99),
        in_millis(latency.p999),
        in_millis(latency.max)
    );
    Chart {
        title: "Latency by percentile",
        note: "ms that so many of 100 frames took at most".to_owned(),
        legend: Vec::new(),
        svg: plot.svg(&words),
    }
}

fn stages(report: &RunReport) -> Chart {
    let (median, p99) = (&report.stage_median_us, &report.stage_p99_us);
    let stages = [
        ("sequenced", median.sequenced, p99.sequenced),
        ("executed", median.executed, p99.executed),
        ("durable", median.durable, p99.durable),
        ("sent", median.sent, p99.sent),
    ];
    let bar = |name: &str, class, us: f64| Bar {
        name: name.to_owned(),
        class,
        value: us,
        text: in_millis(us),
    };
    let drawn: Vec<_> = stages
        .iter()
        .flat_map(|(name, median, p99)| [bar(name, "a", *median), bar("", "b", *p99)])
        .collect();
    let told = stages
        .map(|(name, median, p99)| format!("{name} {} and {}", in_millis(median), in_millis(p99)));
    let words = format!(
        "Time from the gateway until a frame was in each stage, median and 99th percentile: {}.",
        told.join("; ")
    );
    Chart {
        title: "Stages within the node",
        note: "since a frame came in, until".to_owned(),
        legend: vec![("a", "p50"), ("b", "p99")],
        svg: bars(&drawn, &words),
    }
}

fn cpu_per_order(report: &RunReport) -> Chart {
    let node = report.node.as_ref().and_then(|node| node.cpu_us_per_order);
    let sides = [
        ("generator", "a", Some(report.generator_cpu_us_per_order)),
        ("node", "b", node),
        ("together", "c", Some(report.cpu_us_per_order)),
    ];
    let text =
        |us: Option<f64>| us.map_or_else(|| NOT_MEASURED.to_owned(), |us| format!("{us:.2} us"));
    let drawn = sides.map(|(name, class, us)| Bar {
        name: name.to_owned(),
        class,
        value: us.unwrap_or(0.0),
        text: text(us),
    });
    let told = sides.map(|(name, _, us)| format!("{name} {}", text(us)));
    let words = format!("CPU time for each order: {}.", told.join(", "));
    Chart {
        title: "CPU time per order",
        note: "user and system, both sides".to_owned(),
        legend: Vec::new(),
        svg: bars(&drawn, &words),
    }
}

fn cpu_over_time(report: &RunReport) -> Chart {
    let rows = drawn(&report.series);
    let cores = |row: &SeriesRow| super::ratio(row.generator_cpu_us, row.seconds * 1e6);
    let node = report.node.as_ref().and_then(|node| node.cpu_seconds);
    let node = node.map(|cpu| super::ratio(cpu, report.seconds));
    let top = highest(rows.iter().map(cores).chain(node));
    let mut plot = over_time(rows, top, short);
    plot.steps("a", &steps(rows, |row| Some(cores(row))), true);
    if let Some(node) = node {
        plot.level("b", node, &format!("node, on average {node:.2}"));
    }
    tips(&mut plot, rows, |row| {
        format!("generator {:.2} cores", cores(row))
    });
    let node = node.map_or_else(|| NOT_MEASURED.to_owned(), |node| format!("{node:.2}"));
    let words = format!(
        "Cores that the generator used in each interval, at most {:.2}; the node on average: {node}.",
        highest(rows.iter().map(cores))
    );
    Chart {
        title: "Cores in use",
        note: format!("generator, of {} cores", report.machine.cores),
        legend: Vec::new(),
        svg: plot.svg(&words),
    }
}

/// An empty chart over the time of the measurement.
fn over_time(rows: &[SeriesRow], top: f64, label: fn(f64) -> String) -> Plot {
    let end = rows.last().map_or(0.0, |row| row.at_s + row.seconds);
    let x = Axis::up_to(end, |second| format!("{} s", short(second)));
    Plot::new(x, Axis::linear(top, label))
}

/// All intervals but a last one of a few milliseconds: its rate is chance, and would set the scale.
fn drawn(rows: &[SeriesRow]) -> &[SeriesRow] {
    match rows {
        [first, .., last] if last.seconds < first.seconds / 2.0 => &rows[..rows.len() - 1],
        rows => rows,
    }
}

fn steps(rows: &[SeriesRow], value: impl Fn(&SeriesRow) -> Option<f64>) -> Vec<Step> {
    let step = |row: &SeriesRow| Step {
        from: row.at_s,
        to: row.at_s + row.seconds,
        value: value(row),
    };
    rows.iter().map(step).collect()
}

/// What a pointer is told about each interval, unless there are too many to hit one.
fn tips(plot: &mut Plot, rows: &[SeriesRow], text: impl Fn(&SeriesRow) -> String) {
    let rows = if rows.len() <= TIPS_MAX { rows } else { &[] };
    for row in rows {
        let text = format!("at {} s: {}", short(row.at_s), text(row));
        plot.tip(row.at_s, row.at_s + row.seconds, &text);
    }
}

fn highest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, f64::max)
}

/// `1.2M`, `300k`, `5`.
fn compact(value: f64) -> String {
    match value {
        1e6.. => format!("{}M", short(value / 1e6)),
        1e3.. => format!("{}k", short(value / 1e3)),
        _ => short(value),
    }
}

/// At most two decimals, and none that say nothing.
fn short(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Microseconds as milliseconds, with three digits that say something.
pub(super) fn in_millis(us: f64) -> String {
    let millis = us / 1_000.0;
    match millis {
        100.0.. => format!("{millis:.0} ms"),
        10.0.. => format!("{millis:.1} ms"),
        1.0.. => format!("{millis:.2} ms"),
        _ => format!("{millis:.3} ms"),
    }
}

/// In the place of a figure that nobody took.
pub(super) const NOT_MEASURED: &str = "not measured";

/// On a wide screen an interval is then two pixels wide.
const TIPS_MAX: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_at_the_end_is_not_drawn() {
        let row = |seconds| SeriesRow {
            at_s: 0.0,
            seconds,
            frames: 0,
            orders: 0,
            orders_per_second: 0.0,
            rejects: 0,
            p50_us: None,
            p99_us: None,
            generator_cpu_us: 0.0,
        };
        for (lengths, expected) in [
            (&[][..], 0),
            (&[0.01], 1),
            (&[0.1, 0.1, 0.04], 2),
            (&[0.1, 0.1, 0.06], 3),
        ] {
            let rows: Vec<_> = lengths.iter().copied().map(row).collect();
            assert_eq!(drawn(&rows).len(), expected, "{lengths:?}");
        }
    }

    #[test]
    fn numbers_have_the_digits_that_say_something() {
        for (value, expected) in [
            (0.0, "0"),
            (250.0, "250"),
            (400_000.0, "400k"),
            (1_250_000.0, "1.25M"),
        ] {
            assert_eq!(compact(value), expected);
        }
        for (us, expected) in [
            (5.4, "0.005 ms"),
            (1_234.0, "1.23 ms"),
            (12_345.0, "12.3 ms"),
            (123_456.0, "123 ms"),
        ] {
            assert_eq!(in_millis(us), expected);
        }
    }
}
