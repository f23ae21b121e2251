//! Charts in SVG, as text: axes, lines, steps and bars. It knows no figure of a run.
//!
//! Colors and sizes of letters come from the page's style sheet by class, so a chart is readable in
//! light and dark and on a phone; what it shows is told in words too, for those who do not see it.

use std::fmt::{Display, Write as _};

/// One direction of a chart.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    low: f64,
    high: f64,
    /// Where lines are drawn, and what is written there.
    ticks: Vec<(f64, String)>,
}

impl Axis {
    /// From zero to a round number not below `max`, with a few round ticks.
    pub(super) fn linear(max: f64, label: impl Fn(f64) -> String) -> Self {
        let max = if max > 0.0 { max } else { 1.0 };
        let step = round_step(max / TICKS_WANTED);
        let count = (max / step - ROUNDING).ceil().max(1.0) as u32;
        let ticks = (0..=count).map(|tick| f64::from(tick) * step);
        Self {
            low: 0.0,
            high: f64::from(count) * step,
            ticks: ticks.map(|tick| (tick, label(tick))).collect(),
        }
    }

    /// From zero to exactly `max`.
    pub(super) fn up_to(max: f64, label: impl Fn(f64) -> String) -> Self {
        let mut axis = Self::linear(max, label);
        axis.ticks.retain(|(tick, _)| *tick <= max);
        if max > 0.0 {
            axis.high = max;
        }
        axis
    }

    /// Percentiles, each nine as wide as the one before: [`nines`] is the place of each.
    pub(super) fn of_nines(count: u32) -> Self {
        let label = |nines: u32| match nines {
            0 => "0".to_owned(),
            1 => "90".to_owned(),
            2 => "99".to_owned(),
            _ => format!("99.{}", "9".repeat(nines as usize - 2)),
        };
        Self {
            low: 0.0,
            high: f64::from(count.max(1)),
            ticks: (0..=count.max(1))
                .map(|nines| (f64::from(nines), label(nines)))
                .collect(),
        }
    }

    /// Between 0 and 1; what is beyond the axis is at its end.
    fn share(&self, value: f64) -> f64 {
        ((value - self.low) / (self.high - self.low)).clamp(0.0, 1.0)
    }
}

/// How many nines a percentile has: 90 has one, 99.9 three, 100 more than any chart.
pub(super) fn nines(percentile: f64) -> f64 {
    -(1.0 - percentile / 100.0).max(1e-12).log10()
}

/// A chart of lines under construction.
#[derive(Debug)]
pub(super) struct Plot {
    body: String,
    x: Axis,
    y: Axis,
}

/// A stretch of a line of steps.
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) from: f64,
    pub(super) to: f64,
    /// None: nothing is known there, and the line is broken.
    pub(super) value: Option<f64>,
}

impl Plot {
    /// An empty chart.
    pub(super) fn new(x: Axis, y: Axis) -> Self {
        let mut plot = Self {
            body: String::new(),
            x,
            y,
        };
        plot.grid();
        plot
    }

    /// A line of steps, and with `is_filled` what is under it.
    pub(super) fn steps(&mut self, class: &str, steps: &[Step], is_filled: bool) {
        for run in steps.split(|step| step.value.is_none()) {
            let (Some(first), Some(last)) = (run.first(), run.last()) else {
                continue;
            };
            let mut points = String::new();
            for step in run {
                let value = step.value.unwrap_or_default();
                self.point(&mut points, step.from, value);
                self.point(&mut points, step.to, value);
            }
            if is_filled {
                let mut area = points.clone();
                self.point(&mut area, last.to, self.y.low);
                self.point(&mut area, first.from, self.y.low);
                self.draw(format_args!(
                    "<polygon class=\"area {class}\" points=\"{area}\"/>"
                ));
            }
            self.draw(format_args!(
                "<polyline class=\"line {class}\" points=\"{points}\"/>"
            ));
        }
    }

    /// A line through points.
    pub(super) fn line(&mut self, class: &str, line: &[(f64, f64)]) {
        let mut points = String::new();
        for (x, y) in line {
            self.point(&mut points, *x, *y);
        }
        self.draw(format_args!(
            "<polyline class=\"line {class}\" points=\"{points}\"/>"
        ));
    }

    /// A line across, with its name.
    pub(super) fn level(&mut self, class: &str, value: f64, name: &str) {
        let y = self.y_of(value);
        self.draw(format_args!(
            "<path class=\"level {class}\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>"
        ));
        // Above the line, or below it where there is no room.
        let text_y = if y < TOP + 22.0 { y + 18.0 } else { y - 7.0 };
        self.draw(format_args!(
            "<text class=\"name\" x=\"{:.1}\" y=\"{text_y:.1}\" text-anchor=\"end\">{}</text>",
            RIGHT - 4.0,
            escaped(name)
        ));
    }

    /// A point with its value beside it.
    pub(super) fn mark(&mut self, class: &str, x: f64, y: f64, name: &str) {
        let (x, y) = (self.x_of(x), self.y_of(y));
        self.draw(format_args!(
            "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4.5\"/>"
        ));
        let anchor = if x > RIGHT - 50.0 { "end" } else { "middle" };
        let text_x = if x > RIGHT - 50.0 { x + 4.0 } else { x };
        let text_y = if y < TOP + 24.0 { y + 22.0 } else { y - 11.0 };
        self.draw(format_args!(
            "<text class=\"name\" x=\"{text_x:.1}\" y=\"{text_y:.1}\" \
             text-anchor=\"{anchor}\">{}</text>",
            escaped(name)
        ));
    }

    /// What a pointer over a stretch is told.
    pub(super) fn tip(&mut self, from: f64, to: f64, text: &str) {
        let (from, to) = (self.x_of(from), self.x_of(to));
        let (width, height) = (to - from, BOTTOM - TOP);
        self.draw(format_args!(
            "<rect class=\"tip\" x=\"{from:.1}\" y=\"{TOP}\" width=\"{width:.1}\" \
             height=\"{height}\"><title>{}</title></rect>",
            escaped(text)
        ));
    }

    /// The chart, and what it says in words.
    pub(super) fn svg(self, words: &str) -> String {
        svg(words, &self.body)
    }

    fn grid(&mut self) {
        for (tick, label) in self.y.ticks.clone() {
            let y = self.y_of(tick);
            self.draw(format_args!(
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{RIGHT}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.5,
                escaped(&label)
            ));
        }
        for (tick, label) in self.x.ticks.clone() {
            let x = self.x_of(tick);
            self.draw(format_args!(
                "<path class=\"tick\" d=\"M{x:.1} {BOTTOM}v5\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"{}\">{}</text>",
                // The last label would hang out of the chart.
                if x > RIGHT - 1.0 { WIDTH - 2.0 } else { x },
                BOTTOM + 23.0,
                if x > RIGHT - 1.0 { "end" } else { "middle" },
                escaped(&label)
            ));
        }
        self.draw(format_args!(
            "<path class=\"base\" d=\"M{LEFT} {BOTTOM}H{RIGHT}\"/>"
        ));
    }

    fn point(&self, points: &mut String, x: f64, y: f64) {
        let written = write!(points, "{:.1},{:.1} ", self.x_of(x), self.y_of(y));
        written.expect("memory takes every write");
    }

    fn x_of(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (RIGHT - LEFT)
    }

    fn y_of(&self, value: f64) -> f64 {
        BOTTOM - self.y.share(value) * (BOTTOM - TOP)
    }

    fn draw(&mut self, shape: impl Display) {
        writeln!(self.body, "{shape}").expect("memory takes every write");
    }
}

/// One bar, and what is written beside it.
#[derive(Clone, Debug)]
pub(super) struct Bar {
    /// Before the bar; empty: it belongs to the one above.
    pub(super) name: String,
    pub(super) class: &'static str,
    pub(super) value: f64,
    /// After the bar.
    pub(super) text: String,
}

/// Lying bars from one zero, and what they say in words.
pub(super) fn bars(bars: &[Bar], words: &str) -> String {
    let longest = bars.iter().map(|bar| bar.value).fold(0.0, f64::max);
    let (height, gap, mut y) = layout(bars);
    let mut body = String::new();
    for (index, bar) in bars.iter().enumerate() {
        if index > 0 && !bar.name.is_empty() {
            y += gap;
        }
        let share = if longest > 0.0 {
            bar.value / longest
        } else {
            0.0
        };
        let width = (share * (BAR_RIGHT - BAR_LEFT)).max(1.0);
        let middle = y + height / 2.0 + 4.5;
        let written = writeln!(
            body,
            "<text class=\"name\" x=\"{:.1}\" y=\"{middle:.1}\" text-anchor=\"end\">{}</text>\
             <rect class=\"bar {}\" x=\"{BAR_LEFT}\" y=\"{y:.1}\" width=\"{width:.1}\" \
             height=\"{height:.1}\" rx=\"2\"/>\
             <text x=\"{:.1}\" y=\"{middle:.1}\">{}</text>",
            BAR_LEFT - 10.0,
            escaped(&bar.name),
            bar.class,
            BAR_LEFT + width + 8.0,
            escaped(&bar.text)
        );
        written.expect("memory takes every write");
        y += height + BAR_SPACE;
    }
    svg(words, &body)
}

/// Height of a bar, gap between bars that do not belong together, and where the first begins: few
/// bars fill a chart without growing into blocks.
fn layout(bars: &[Bar]) -> (f64, f64, f64) {
    let count = bars.len().max(1) as f64;
    let gaps = bars.iter().skip(1).filter(|bar| !bar.name.is_empty());
    let gaps = gaps.count() as f64;
    let room = HEIGHT - 2.0 * TOP - (count - 1.0) * BAR_SPACE;
    let height = ((room - gaps * GAP_MIN) / count).min(BAR_HEIGHT_MAX);
    let gap = ((room - count * height) / gaps.max(1.0)).min(GAP_MAX);
    let left = room - count * height - gaps * gap;
    (height, gap, TOP + left / 2.0)
}

/// Text within markup.
pub(super) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            character => escaped.push(character),
        }
    }
    escaped
}

fn svg(words: &str, body: &str) -> String {
    format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>",
        escaped(words)
    )
}

/// The least of 1, 2 and 5 times a power of ten that is not below a number.
fn round_step(step: f64) -> f64 {
    let power = 10_f64.powf(step.log10().floor());
    let round = [1.0, 2.0, 5.0].map(|factor| factor * power);
    let fits = round
        .into_iter()
        .find(|round| step <= round * (1.0 + ROUNDING));
    fits.unwrap_or(10.0 * power)
}

/// Size of a chart, and within it of the field that is drawn on.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 290.0;
const LEFT: f64 = 66.0;
const RIGHT: f64 = 540.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 250.0;
/// Where bars begin and where the longest ends: names are before it and values after it.
const BAR_LEFT: f64 = 120.0;
const BAR_RIGHT: f64 = 450.0;
const BAR_HEIGHT_MAX: f64 = 38.0;
/// Between bars that belong together.
const BAR_SPACE: f64 = 3.0;
/// Between bars that do not.
const GAP_MIN: f64 = 14.0;
const GAP_MAX: f64 = 36.0;
/// As many intervals an axis should have, at least half of them it has.
const TICKS_WANTED: f64 = 5.0;
/// Sums of decimal fractions miss round numbers by less.
const ROUNDING: f64 = 1e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_and_reach_beyond_the_highest() {
        for (max, expected) in [
            (0.0, "0 0.2 0.4 0.6 0.8 1"),
            (1.0, "0 0.2 0.4 0.6 0.8 1"),
            (7.3, "0 2 4 6 8"),
            (100.0, "0 20 40 60 80 100"),
            (512_345.0, "0 200000 400000 600000"),
            (0.31, "0 0.1 0.2 0.3 0.4"),
        ] {
            let axis = Axis::linear(max, |tick| format!("{}", (tick * 1e6).round() / 1e6));
            let labels: Vec<_> = axis.ticks.iter().map(|(_, label)| &**label).collect();
            assert_eq!(labels.join(" "), expected, "{max}");
            assert!(max <= axis.high, "{max}");
        }
        let exact = Axis::up_to(7.3, |tick| tick.to_string());
        assert_eq!((exact.high, exact.ticks.len()), (7.3, 4));
    }

    #[test]
    fn each_nine_is_as_wide_as_the_one_before() {
        for (percentile, expected) in [(0.0, 0.0), (90.0, 1.0), (99.0, 2.0), (99.9, 3.0)] {
            assert!((nines(percentile) - expected).abs() < 1e-6, "{percentile}");
        }
        let axis = Axis::of_nines(3);
        let labels: Vec<_> = axis.ticks.iter().map(|(_, label)| &**label).collect();
        assert_eq!(labels, ["0", "90", "99", "99.9"]);
        assert_eq!(axis.share(nines(100.0)), 1.0);
    }

    #[test]
    fn values_are_drawn_where_the_axes_say() {
        let axis = |max| Axis::linear(max, |tick| tick.to_string());
        let mut plot = Plot::new(axis(10.0), axis(100.0));
        plot.line(
            "a",
            &[(0.0, 0.0), (5.0, 50.0), (10.0, 100.0), (99.0, 999.0)],
        );
        let expected = "points=\"66.0,250.0 303.0,133.0 540.0,16.0 540.0,16.0 \"";
        assert!(plot.body.contains(expected), "{}", plot.body);
    }

    #[test]
    fn what_is_not_known_breaks_the_line() {
        let axis = |max| Axis::linear(max, |tick| tick.to_string());
        let mut plot = Plot::new(axis(3.0), axis(1.0));
        let steps = [Some(0.5), None, Some(1.0)].into_iter().enumerate();
        let steps: Vec<_> = steps
            .map(|(at, value)| Step {
                from: at as f64,
                to: at as f64 + 1.0,
                value,
            })
            .collect();
        plot.steps("a", &steps, true);
        let svg = plot.svg("one < two");
        assert_eq!(svg.matches("<polyline").count(), 2);
        assert_eq!(svg.matches("<polygon").count(), 2);
        assert!(svg.contains("aria-label=\"one &lt; two\""));
    }

    #[test]
    fn the_longest_bar_has_the_whole_width() {
        let bar = |name: &str, value| Bar {
            name: name.to_owned(),
            class: "a",
            value,
            text: value.to_string(),
        };
        let svg = bars(&[bar("<b>", 5.0), bar("", 10.0), bar("c", 0.0)], "");
        for expected in ["width=\"165.0\"", "width=\"330.0\"", "&lt;b&gt;"] {
            assert!(svg.contains(expected), "{expected}: {svg}");
        }
        assert!(!bars(&[bar("a", 0.0)], "").contains("NaN"));
    }
}
