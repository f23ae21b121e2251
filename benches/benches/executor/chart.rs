//! Curves as an SVG that is readable on white and on black.

use std::fmt::Write as _;

use crate::scaling::{Curve, WORKERS};

const WIDTH: f64 = 760.0;
const HEIGHT: f64 = 520.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 52.0;
const BOTTOM: f64 = 56.0;

/// The vertical axis, in powers of two.
const LOWEST: f64 = -1.0;
const HIGHEST: f64 = 6.0;

/// Of middle brightness.
const COLORS: [&str; 5] = ["#d9662b", "#a05fd0", "#2f87d8", "#2f9e62", "#b08a00"];

const STYLE: &str = "<style>\
    text { font: 13px system-ui, sans-serif; fill: #222 } \
    .title { font-size: 16px; font-weight: 600 } \
    .paper { fill: #fff } .grid { stroke: #888; stroke-opacity: .3 } .ideal { stroke: #888 } \
    @media (prefers-color-scheme: dark) { text { fill: #ddd } .paper { fill: #111 } }\
    </style>";

/// Both axes are logarithmic. Only what is published is drawn.
pub fn draw(title: &str, curves: &[Curve]) -> String {
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">\n\
         <title>{title}</title>\n{STYLE}\n\
         <rect class=\"paper\" width=\"{WIDTH}\" height=\"{HEIGHT}\"/>\n\
         <text class=\"title\" x=\"{LEFT}\" y=\"28\">{title}</text>\n"
    );
    axes(&mut svg);
    let published = curves.iter().filter(|curve| curve.fault.is_none());
    for (curve, color) in published.clone().zip(COLORS) {
        line(
            &mut svg,
            &curve.bound,
            &format!("stroke=\"{color}\" stroke-dasharray=\"5 5\" stroke-opacity=\".7\""),
        );
        line(
            &mut svg,
            &curve.simulated,
            &format!("stroke=\"{color}\" stroke-width=\"2\""),
        );
        for point in &curve.simulated {
            let (x, y) = at(*point);
            put(
                &mut svg,
                format_args!("<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"3\" fill=\"{color}\"/>"),
            );
        }
        for point in &curve.measured {
            let (x, y) = at(*point);
            put(
                &mut svg,
                format_args!(
                    "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"7\" fill=\"none\" stroke=\"{color}\" stroke-width=\"2\"/>"
                ),
            );
        }
    }
    legend(&mut svg, published);
    svg.push_str("</svg>\n");
    svg
}

fn legend<'a>(svg: &mut String, published: impl Iterator<Item = &'a Curve>) {
    let left = LEFT + 14.0;
    let mut y = TOP + 20.0;
    for (curve, color) in published.zip(COLORS) {
        put(
            svg,
            format_args!(
                "<path d=\"M{left} {}h22\" stroke=\"{color}\" stroke-width=\"2\"/>",
                y - 4.0
            ),
        );
        put(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{y}\">{}</text>",
                left + 30.0,
                curve.label
            ),
        );
        y += 18.0;
    }
    for key in [
        "dots: simulated",
        "rings: measured",
        "dashed: longest chain of the block",
        "gray: as many times as workers",
    ] {
        put(
            svg,
            format_args!("<text x=\"{left}\" y=\"{y}\">{key}</text>"),
        );
        y += 18.0;
    }
}

fn axes(svg: &mut String) {
    let (bottom, right) = (HEIGHT - BOTTOM, WIDTH - RIGHT);
    for workers in WORKERS {
        let (x, _) = at((workers, 1.0));
        put(
            svg,
            format_args!("<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>"),
        );
        put(
            svg,
            format_args!(
                "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{workers}</text>",
                bottom + 20.0
            ),
        );
    }
    for power in LOWEST as i32..=HIGHEST as i32 {
        let speedup = f64::from(power).exp2();
        let (_, y) = at((1, speedup));
        put(
            svg,
            format_args!("<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>"),
        );
        put(
            svg,
            format_args!(
                "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{speedup}x</text>",
                LEFT - 8.0,
                y + 4.0
            ),
        );
    }
    let (x, y) = ((LEFT + right) / 2.0, (TOP + bottom) / 2.0);
    put(
        svg,
        format_args!(
            "<text x=\"{x}\" y=\"{}\" text-anchor=\"middle\">workers</text>",
            HEIGHT - 14.0
        ),
    );
    put(
        svg,
        format_args!(
            "<text transform=\"translate(18 {y}) rotate(-90)\" text-anchor=\"middle\">speed-up over one core without it</text>"
        ),
    );
    let ideal = WORKERS.map(|workers| (workers, workers as f64));
    line(svg, &ideal, "class=\"ideal\"");
}

fn line(svg: &mut String, points: &[(usize, f64)], attributes: &str) {
    let mut path = String::new();
    for (place, point) in points.iter().enumerate() {
        let (x, y) = at(*point);
        let letter = if place == 0 { 'M' } else { 'L' };
        write!(path, "{letter}{x:.1} {y:.1}").expect("a string takes it");
    }
    put(
        svg,
        format_args!("<path d=\"{path}\" fill=\"none\" {attributes}/>"),
    );
}

fn put(svg: &mut String, element: std::fmt::Arguments<'_>) {
    writeln!(svg, "{element}").expect("a string takes it");
}

/// Where so much speed-up of so many workers is.
fn at((workers, speedup): (usize, f64)) -> (f64, f64) {
    let last = (WORKERS[WORKERS.len() - 1] as f64).log2();
    let right = (workers as f64).log2() / last;
    let up = (speedup.log2().clamp(LOWEST, HIGHEST) - LOWEST) / (HIGHEST - LOWEST);
    (
        LEFT + right * (WIDTH - LEFT - RIGHT),
        HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM),
    )
}
