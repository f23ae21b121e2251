//! The report as one page: no script, nothing from elsewhere, every figure in the text.
//!
//! The page is made from the JSON report, and each figure carries the key that it has there
//! (`data-figure`), so what the page says can be compared with what machines read; `cargo xtask
//! report` does. A figure that is shown in another unit says by which factor (`data-scale`).

use std::fmt::Write as _;

use serde_json::Value;

use super::charts::{self, Chart, NOT_MEASURED};
use super::plot::escaped;
use super::{RunReport, Verdict, grouped};

/// The whole page.
pub(crate) fn page(report: &RunReport) -> Result<String, serde_json::Error> {
    let json = serde_json::to_value(report)?;
    let title = format!("Keel load report: {}", report.scenario);
    Ok([
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
             <title>{}</title>\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
            escaped(&title),
            include_str!("page.css")
        ),
        header(report),
        tiles(&json),
        format!(
            "<h2>Charts</h2>\n<div class=\"charts\">\n{}</div>\n",
            charts::all(report).iter().map(figure).collect::<String>()
        ),
        tables(&json),
        rows(&json),
        format!(
            "<footer><p>Latency counts from the time a frame was meant to be sent, so a slow node \
             cannot hide behind a generator that waits for it. What each figure means is in \
             docs/LOAD.md of commit {}.</p></footer>\n</main>\n</body>\n</html>\n",
            escaped(report.commit)
        ),
    ]
    .concat())
}

fn header(report: &RunReport) -> String {
    let (class, verdict) = match report.verdict {
        Verdict::Pass => ("pass", "pass"),
        Verdict::Fail => ("fail", "fail"),
    };
    let item = |(number, why): (usize, &String)| {
        let why = escaped(why);
        format!("<li data-figure=\"failures.{number}\">{why}</li>\n")
    };
    let failures: String = report.failures.iter().enumerate().map(item).collect();
    let failures = match &*failures {
        "" => String::new(),
        items => format!("<ul class=\"failures\">\n{items}</ul>\n"),
    };
    format!(
        "<header>\n<h1>Keel load report</h1>\n\
         <span class=\"verdict {class}\" data-figure=\"verdict\">{verdict}</span>\n\
         <p>{}</p>\n</header>\n{failures}",
        escaped(&report.headline())
    )
}

/// How a figure of the report is shown.
struct Figure {
    /// Its place in the JSON report: keys with dots between.
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    decimals: usize,
    /// What is shown over what is in the report.
    scale: f64,
    /// What stands for no figure; nothing: the line is left out.
    absent: &'static str,
}

const fn figure_of(
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    decimals: usize,
) -> Figure {
    Figure {
        key,
        label,
        unit,
        decimals,
        scale: 1.0,
        absent: NOT_MEASURED,
    }
}

/// In other units than the report's.
const fn scaled(
    key: &'static str,
    label: &'static str,
    unit: &'static str,
    decimals: usize,
    scale: f64,
) -> Figure {
    Figure {
        scale,
        ..figure_of(key, label, unit, decimals)
    }
}

/// With words of its own for no figure.
const fn or(absent: &'static str, figure: Figure) -> Figure {
    Figure { absent, ..figure }
}

const MILLIS: f64 = 1e-3;
const MEBIBYTES: f64 = 1.0 / (1 << 20) as f64;
const GIBIBYTES: f64 = 1.0 / (1 << 30) as f64;

/// What most come for.
const TILES: &[Figure] = &[
    figure_of("orders_per_second", "Throughput", "orders/s", 0),
    scaled("ack_latency_us.p50", "Latency p50", "ms", 2, MILLIS),
    scaled("ack_latency_us.p99", "Latency p99", "ms", 2, MILLIS),
    scaled("ack_latency_us.p999", "Latency p99.9", "ms", 2, MILLIS),
    figure_of("cpu_us_per_order", "CPU per order", "us", 2),
];

/// All others, by subject.
#[rustfmt::skip] // A table.
const TABLES: &[(&str, &[Figure])] = &[
    ("Throughput", &[
        figure_of("orders_per_second", "Orders a second", "", 1),
        or("as fast as possible", figure_of("offered_per_second", "Offered a second", "", 0)),
        figure_of("trades_per_second", "Trades a second", "", 1),
        figure_of("orders", "Orders with a durable answer", "", 0),
        figure_of("trades", "Trades", "", 0),
        figure_of("seconds", "Measured", "s", 3),
    ]),
    ("Latency, intended send to durable ack", &[
        figure_of("ack_latency_us.p50", "50 %", "us", 1),
        figure_of("ack_latency_us.p90", "90 %", "us", 1),
        figure_of("ack_latency_us.p99", "99 %", "us", 1),
        figure_of("ack_latency_us.p999", "99.9 %", "us", 1),
        figure_of("ack_latency_us.max", "Slowest", "us", 1),
    ]),
    ("Stages within the node, from the gateway", &[
        figure_of("stage_median_us.sequenced", "Sequenced, median", "us", 1),
        figure_of("stage_median_us.executed", "Executed, median", "us", 1),
        figure_of("stage_median_us.durable", "Durable, median", "us", 1),
        figure_of("stage_median_us.sent", "Sent, median", "us", 1),
        figure_of("stage_p99_us.sequenced", "Sequenced, 99 %", "us", 1),
        figure_of("stage_p99_us.executed", "Executed, 99 %", "us", 1),
        figure_of("stage_p99_us.durable", "Durable, 99 %", "us", 1),
        figure_of("stage_p99_us.sent", "Sent, 99 %", "us", 1),
    ]),
    ("CPU and memory", &[
        figure_of("cpu_us_per_order", "CPU per order", "us", 3),
        figure_of("generator_cpu_us_per_order", "Of the generator", "us", 3),
        figure_of("node.cpu_us_per_order", "Of the node", "us", 3),
        figure_of("node.cpu_seconds", "CPU time of the node", "s", 2),
        scaled("node.resident_bytes_before", "Node's memory before", "MiB", 1, MEBIBYTES),
        scaled("node.resident_bytes_after", "Node's memory after", "MiB", 1, MEBIBYTES),
        or("", figure_of("node_problem", "Not known of the node", "", 0)),
    ]),
    ("Rejects and refusals", &[
        figure_of("rejects", "Commands rejected", "", 0),
        figure_of("refused_frames", "Frames refused", "", 0),
        figure_of("unanswered_frames", "Frames never answered", "", 0),
        figure_of("unexpected_answers", "Answers that fit no frame", "", 0),
    ]),
    ("Schedule and checks", &[
        figure_of("schedule_kept", "Schedule kept", "", 0),
        figure_of("schedule.frames", "Frames scheduled", "", 0),
        figure_of("schedule.late_frames", "Of them late", "", 0),
        figure_of("schedule.unsent_frames", "Of them not sent", "", 0),
        figure_of("schedule.lateness_max_us", "Latest", "us", 1),
        figure_of("skeleton_ratio", "Rate over a bare skeleton's", "", 2),
        figure_of("skeleton_orders_per_second", "Bare skeleton", "orders/s", 0),
        figure_of("replay_equal", "Replay equal", "", 0),
        figure_of("conserved", "Assets conserved", "", 0),
    ]),
    ("Run", &[
        figure_of("scenario", "Scenario", "", 0),
        figure_of("seed", "Seed", "", 0),
        figure_of("clients", "Clients", "", 0),
        figure_of("frame", "Commands in a frame", "", 0),
        figure_of("signature_mode", "Signature mode", "", 0),
        figure_of("signing", "Signatures are made", "", 0),
        figure_of("ack", "An ack means", "", 0),
        figure_of("commit", "Generator, commit", "", 0),
        figure_of("node.commit", "Node, commit", "", 0),
        figure_of("node.version", "Node, version", "", 0),
    ]),
    ("Machine of the generator", &[
        figure_of("machine.cpu", "CPU", "", 0),
        figure_of("machine.cores", "Cores", "", 0),
        figure_of("machine.kernel", "Kernel", "", 0),
        scaled("machine.memory_bytes", "Memory", "GiB", 1, GIBIBYTES),
    ]),
];

/// Counts by name, and the table that they belong to.
const BY_REASON: &[(&str, &str)] = &[
    ("Rejects and refusals", "rejects_by_reason"),
    ("Rejects and refusals", "refused_by_reason"),
];

fn tiles(json: &Value) -> String {
    let tile = |figure: &Figure| {
        format!(
            "<div class=\"tile\"><p>{}</p><strong>{} <small>{}</small></strong></div>\n",
            figure.label,
            figure.span(json),
            figure.unit
        )
    };
    let tiles: String = TILES.iter().map(tile).collect();
    format!("<div class=\"tiles\">\n{tiles}</div>\n")
}

fn figure(chart: &Chart) -> String {
    let key = |(class, name): &(&str, &str)| format!("<span class=\"{class}\">{name}</span>");
    let keys: String = chart.legend.iter().map(key).collect();
    format!(
        "<figure>\n<figcaption><h3>{}</h3><p>{}</p><div class=\"legend\">{keys}</div></figcaption>\n\
         {}\n</figure>\n",
        chart.title,
        escaped(&chart.note),
        chart.svg
    )
}

fn tables(json: &Value) -> String {
    let mut text = "<h2>All figures</h2>\n<div class=\"tables\">\n".to_owned();
    for (title, figures) in TABLES {
        let mut rows: String = figures.iter().map(|figure| figure.row(json)).collect();
        for (_, key) in BY_REASON.iter().filter(|(table, _)| table == title) {
            rows.push_str(&reasons(json, key));
        }
        append(
            &mut text,
            format_args!("<section>\n<h3>{title}</h3>\n<table>\n{rows}</table>\n</section>\n"),
        );
    }
    append(
        &mut text,
        format_args!(
            "</div>\n<section class=\"wide\">\n<h3>Command</h3>\n\
             <pre data-figure=\"command\">{}</pre>\n</section>\n",
            escaped(json["command"].as_str().unwrap_or_default())
        ),
    );
    text
}

fn reasons(json: &Value, key: &str) -> String {
    let counts = json[key].as_object();
    let row = |(reason, count): (&String, &Value)| {
        let count = show(count, 0, 1.0);
        let reason = escaped(reason);
        format!(
            "<tr><th scope=\"row\">{reason}</th><td data-figure=\"{key}.{reason}\">{count}</td></tr>\n"
        )
    };
    counts.map_or_else(String::new, |counts| counts.iter().map(row).collect())
}

/// What the charts are drawn from, for those who cannot see them or want the numbers.
fn rows(json: &Value) -> String {
    const SERIES: &[(&str, &str, usize)] = &[
        ("at_s", "At, s", 1),
        ("seconds", "Length, s", 3),
        ("frames", "Frames", 0),
        ("orders", "Orders", 0),
        ("orders_per_second", "Orders/s", 0),
        ("rejects", "Rejects", 0),
        ("p50_us", "p50, us", 1),
        ("p99_us", "p99, us", 1),
        ("generator_cpu_us", "Generator CPU, us", 0),
    ];
    const CURVE: &[(&str, &str, usize)] = &[("percentile", "Percentile", 6), ("us", "us", 1)];
    [
        row_table(json, "series", "Intervals", SERIES),
        row_table(json, "ack_latency_curve_us", "Latency by percentile", CURVE),
    ]
    .concat()
}

fn row_table(json: &Value, key: &str, title: &str, columns: &[(&str, &str, usize)]) -> String {
    let rows = json[key].as_array().map_or(&[][..], Vec::as_slice);
    if rows.len() > ROWS_MAX {
        return format!(
            "<section class=\"wide\"><p>{title}: {} rows, in the JSON report and with --csv.</p>\
             </section>\n",
            rows.len()
        );
    }
    let heads = columns.iter();
    let heads: String = heads
        .map(|(_, head, _)| format!("<th scope=\"col\">{head}</th>"))
        .collect();
    let mut body = String::new();
    for (number, row) in rows.iter().enumerate() {
        let cells = columns.iter().map(|(name, _, decimals)| {
            let value = show(&row[*name], *decimals, 1.0);
            format!("<td data-figure=\"{key}.{number}.{name}\">{value}</td>")
        });
        append(
            &mut body,
            format_args!("<tr>{}</tr>\n", cells.collect::<String>()),
        );
    }
    format!(
        "<section class=\"wide\">\n<details>\n<summary>{title}</summary>\n\
         <div class=\"scroll\" tabindex=\"0\">\n<table class=\"rows\">\n\
         <thead><tr>{heads}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>\n</div>\n</details>\n\
         </section>\n"
    )
}

impl Figure {
    fn row(&self, json: &Value) -> String {
        if self.absent.is_empty() && self.value(json).is_null() {
            return String::new();
        }
        format!(
            "<tr><th scope=\"row\">{}</th><td>{} <small>{}</small></td></tr>\n",
            self.label,
            self.span(json),
            self.unit
        )
    }

    fn span(&self, json: &Value) -> String {
        let shown = match self.value(json) {
            Value::Null => self.absent.to_owned(),
            value => show(value, self.decimals, self.scale),
        };
        let scale = match self.scale {
            1.0 => String::new(),
            scale => format!(" data-scale=\"{scale}\""),
        };
        format!("<span data-figure=\"{}\"{scale}>{shown}</span>", self.key)
    }

    fn value<'a>(&self, json: &'a Value) -> &'a Value {
        self.key.split('.').fold(json, |value, key| &value[key])
    }
}

/// A figure as text; counts are exact.
fn show(value: &Value, decimals: usize, scale: f64) -> String {
    match value {
        Value::Null => NOT_MEASURED.to_owned(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Number(number) => match number.as_u64() {
            Some(count) if scale == 1.0 => grouped(count),
            _ => decimal(number.as_f64().unwrap_or_default() * scale, decimals),
        },
        Value::String(text) => escaped(text),
        Value::Array(_) | Value::Object(_) => escaped(&value.to_string()),
    }
}

/// With so many decimals, and the digits before them in groups.
fn decimal(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let whole = whole
        .parse::<u64>()
        .map_or_else(|_| whole.to_owned(), grouped);
    match fraction {
        "" => whole,
        fraction => format!("{whole}.{fraction}"),
    }
}

fn append(text: &mut String, more: std::fmt::Arguments<'_>) {
    text.write_fmt(more).expect("memory takes every write");
}

/// A longer table is for a program, and for that there is CSV.
const ROWS_MAX: usize = 600;
