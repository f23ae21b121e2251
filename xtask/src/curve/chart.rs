//! Two panels over the number of markets: rate, and p99 at half of it. Readable on white and on black.

use std::fmt::Write as _;

use super::{EXECUTORS, MARKETS, Point, SPREADS};

const WIDTH: f64 = 760.0;
const PANEL: f64 = 250.0;
const LEFT: f64 = 84.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 56.0;
/// Between the panels, and below the second.
const GAP: f64 = 64.0;

/// Of middle brightness: one for each flow; the parallel executor is dashed.
const COLORS: [&str; SPREADS.len()] = ["#2f87d8", "#d9662b"];

const STYLE: &str = "<style>\
    text { font: 13px system-ui, sans-serif; fill: #222 } \
    .title { font-size: 16px; font-weight: 600 } \
    .paper { fill: #fff } .grid { stroke: #888; stroke-opacity: .3 } \
    @media (prefers-color-scheme: dark) { text { fill: #ddd } .paper { fill: #111 } }\
    </style>";

pub(super) fn draw(points: &[Point]) -> String {
    let height = TOP + 2.0 * (PANEL + GAP);
    let title = "One market to many: orders a second, and p99 at half of that rate";
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" role=\"img\">\n\
         <title>{title}</title>\n{STYLE}\n<rect class=\"paper\" width=\"{WIDTH}\" \
         height=\"{height}\"/>\n<text class=\"title\" x=\"{LEFT}\" y=\"24\">{title}</text>\n"
    );
    legend(&mut svg);
    panel(&mut svg, points, TOP, ("orders/s", 1.0), |point| {
        point.orders_per_second
    });
    panel(
        &mut svg,
        points,
        TOP + PANEL + GAP,
        ("ms, p99", 1.0),
        |point| point.latency_ms[1],
    );
    svg.push_str("</svg>\n");
    svg
}

fn legend(svg: &mut String) {
    let mut x = LEFT;
    for executor in EXECUTORS {
        for (spread, color) in SPREADS.into_iter().zip(COLORS) {
            let dash = dash(executor);
            let _ = write!(
                svg,
                "<path d=\"M{x} 41h22\" stroke=\"{color}\" stroke-width=\"2\"{dash}/>\n\
                 <text x=\"{}\" y=\"45\">{executor}, {spread}</text>\n",
                x + 28.0
            );
            x += 166.0;
        }
    }
}

fn dash(executor: &str) -> &'static str {
    if executor == EXECUTORS[0] {
        ""
    } else {
        " stroke-dasharray=\"6 4\""
    }
}

/// One panel, from zero up to a round number above the highest point.
fn panel(
    svg: &mut String,
    points: &[Point],
    top: f64,
    (unit, least): (&str, f64),
    value: impl Fn(&Point) -> f64,
) {
    let highest = round_up(points.iter().map(&value).fold(least, f64::max));
    let bottom = top + PANEL;
    let y = |value: f64| bottom - PANEL * value / highest;
    for step in 0..=STEPS {
        let value = highest * f64::from(step) / f64::from(STEPS);
        let _ = write!(
            svg,
            "<path class=\"grid\" d=\"M{LEFT} {0:.1}H{1}\"/>\n<text x=\"{2}\" y=\"{3:.1}\" \
             text-anchor=\"end\">{value}</text>\n",
            y(value),
            WIDTH - RIGHT,
            LEFT - 8.0,
            y(value) + 4.0
        );
    }
    for (column, markets) in MARKETS.into_iter().enumerate() {
        let _ = writeln!(
            svg,
            "<text x=\"{:.1}\" y=\"{}\" text-anchor=\"middle\">{markets}</text>",
            x(column),
            bottom + 20.0
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{0:.1}\" y=\"{1}\" text-anchor=\"middle\">markets</text>\n<text \
         transform=\"translate(18 {2}) rotate(-90)\" text-anchor=\"middle\">{unit}</text>\n",
        (LEFT + WIDTH - RIGHT) / 2.0,
        bottom + 40.0,
        top + PANEL / 2.0
    );
    for executor in EXECUTORS {
        for (spread, color) in SPREADS.into_iter().zip(COLORS) {
            let of = |point: &&Point| point.at.executor == executor && point.at.spread == spread;
            let places: Vec<_> = points
                .iter()
                .filter(of)
                .filter_map(|point| {
                    let column = MARKETS.iter().position(|it| *it == point.at.markets)?;
                    Some((x(column), y(value(point))))
                })
                .collect();
            line(svg, &places, color, dash(executor));
        }
    }
}

fn line(svg: &mut String, places: &[(f64, f64)], color: &str, dash: &str) {
    let joined: Vec<_> = places
        .iter()
        .map(|(x, y)| format!("{x:.1},{y:.1}"))
        .collect();
    let _ = writeln!(
        svg,
        "<polyline points=\"{}\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"{dash}/>",
        joined.join(" ")
    );
    for (x, y) in places {
        let _ = writeln!(
            svg,
            "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>"
        );
    }
}

fn x(column: usize) -> f64 {
    let width = WIDTH - LEFT - RIGHT;
    LEFT + width * (column as f64 + 0.5) / MARKETS.len() as f64
}

/// Steps of the vertical axis.
const STEPS: u32 = 4;

/// The next of 1, 2, 4, 8 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.log10().floor());
    let round = [1.0, 2.0, 4.0, 8.0, 10.0].map(|factor| factor * power);
    round.into_iter().find(|it| value <= *it).unwrap_or(value)
}
