//! The other forms of a report: intervals, distribution and page.

use super::*;
use crate::report::{hgrm, html, series};
use crate::series::{Answer, Intervals, Series};

/// A tally with a series: so many commands answered at so many milliseconds of the measurement.
fn tally_over_time(answers: &[(u64, u64)]) -> Tally {
    let mut tally = tally(&[1_000, 2_000, 4_000], 0);
    let begin = options().warm_up;
    let mut series = Series::new(Intervals::of(begin, Duration::from_secs(2)));
    for (at, commands) in answers {
        let at = begin + Duration::from_millis(*at);
        series.answer(&Answer {
            at,
            latency: Duration::from_millis(*commands),
            commands: *commands,
            rejects: 1,
        });
        tally.answered += commands;
        tally.last_answer = at;
    }
    series.charge(
        begin + Duration::from_millis(100),
        Duration::from_millis(50),
    );
    // Closing the connections, long after the last answer.
    series.charge(begin + Duration::from_secs(5), Duration::from_millis(1));
    tally.series = Some(series);
    tally
}

#[test]
fn the_series_ends_with_the_last_answer() {
    let report = report_of(&tally_over_time(&[(10, 10), (60, 30), (250, 20)]));
    let rows: Vec<_> = report
        .series
        .iter()
        .map(|row| (row.at_s, row.seconds, row.orders, row.orders_per_second))
        .collect();
    assert_eq!(
        rows,
        [
            (0.0, 0.1, 40, 400.0),
            (0.1, 0.1, 0, 0.0),
            (0.2, 0.05, 20, 400.0),
        ]
    );
    assert_eq!(
        series::csv(&report.series, report.signing),
        "at_s,seconds,frames,orders,orders_per_second,rejects,p50_us,p99_us,generator_cpu_us,signing\n\
         0,0.1,2,40,400,2,10027.007,30015.487,50000,live\n\
         0.1,0.1,0,0,0,0,,,0,live\n\
         0.2,0.05,1,20,400,1,20054.015,20054.015,0,live\n"
    );
    assert_eq!(report_of(&tally(&[5], 1)).series, []);
}

#[test]
fn the_distribution_is_in_the_format_of_hdrhistogram() {
    let latencies: Vec<u64> = (1..=1_000).map(|latency| latency * 10).collect();
    let text = hgrm::text(&report_of(&tally(&latencies, 1_000)).latency);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[..3],
        [
            "       Value     Percentile TotalCount 1/(1-Percentile)",
            "",
            "       0.010 0.000000000000          1           1.00",
        ]
    );
    let median = lines.iter().find(|line| line.contains(" 0.500000000000 "));
    assert_eq!(
        median,
        Some(&"       5.001 0.500000000000        500           2.00")
    );
    let end = lines.len() - 3;
    assert_eq!(
        lines[end - 1..],
        [
            "      10.002 1.000000000000       1000",
            "#[Mean    =        5.005, StdDeviation   =        2.887]",
            "#[Max     =       10.002, Total count    =         1000]",
            "#[Buckets =           26, SubBuckets     =         2048]",
        ]
    );
}

#[test]
fn the_curve_ends_with_the_slowest() {
    let latencies: Vec<u64> = (1..=1_000).collect();
    let curve = report_of(&tally(&latencies, 1)).ack_latency_curve_us;
    assert!(curve.is_sorted_by(|a, b| a.percentile < b.percentile && a.us <= b.us));
    let last = curve[curve.len() - 1];
    assert_eq!(last.percentile, 100.0);
    assert!(close(last.us, 1_000.0), "{last:?}");
    assert_eq!(report_of(&Tally::new()).ack_latency_curve_us, []);
}

#[test]
fn the_page_has_every_figure_of_the_report() {
    let mut report = report_of(&tally_over_time(&[(10, 1_234_567), (250, 20)]));
    report.rejects_by_reason.insert("ORDER_NOT_FOUND", 7);
    report.command = "loadgen run --html '<b>'".to_owned();
    let page = html::page(&report).unwrap();
    for expected in [
        "data-figure=\"orders\">1,234,587</span>",
        "data-figure=\"replay_equal\">not measured</span>",
        "data-figure=\"schedule_kept\">yes</span>",
        "data-figure=\"rejects_by_reason.ORDER_NOT_FOUND\">7</td>",
        "data-figure=\"ack_latency_us.p50\" data-scale=\"0.001\">2.00</span>",
        "data-figure=\"series.1.p50_us\">not measured</td>",
        "loadgen run --html &#39;&lt;b&gt;&#39;",
    ] {
        assert!(page.contains(expected), "{expected} is missing");
    }
    let json = serde_json::to_value(&report).unwrap();
    let mut missing = Vec::new();
    leaves(&json, "", &mut |key| {
        if !page.contains(&format!("data-figure=\"{key}\"")) {
            missing.push(key.to_owned());
        }
    });
    assert_eq!(missing, [""; 0]);
    assert_eq!(page.matches("<svg").count(), 6);
}

#[test]
fn the_page_needs_nothing_else() {
    let page = html::page(&report_of(&tally_over_time(&[(10, 5)]))).unwrap();
    for banned in ["<script", "://", "src=", "<link", "@import", "url("] {
        let line = page.lines().find(|line| line.contains(banned));
        assert_eq!(line, None, "{banned}");
    }
}

#[test]
fn a_page_of_nothing_is_a_page() {
    let report = report_of(&Tally::new());
    let page = html::page(&report).unwrap();
    assert!(page.contains("no command was answered"));
    assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
}

fn report_of(tally: &Tally) -> RunReport {
    RunReport::new(&options(), tally, Duration::from_millis(320))
}

/// Keys of all that is no list or object.
fn leaves(value: &serde_json::Value, key: &str, found: &mut impl FnMut(&str)) {
    let join = |part: &str| match key {
        "" => part.to_owned(),
        key => format!("{key}.{part}"),
    };
    match value {
        serde_json::Value::Object(fields) => {
            for (name, value) in fields {
                leaves(value, &join(name), found);
            }
        }
        serde_json::Value::Array(items) => {
            for (number, value) in items.iter().enumerate() {
                leaves(value, &join(&number.to_string()), found);
            }
        }
        // What the node would have said, or what is wrong with it.
        serde_json::Value::Null if key.starts_with("node") => {}
        _ => found(key),
    }
}
