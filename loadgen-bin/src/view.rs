//! What `--tui` shows, and what it remembers to show it: the rate of each half second, the last
//! percentiles and stages. Knows no terminal.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use loadgen::{Progress, Stages};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, LineGauge, Paragraph, Sparkline};

/// All that is on the screen.
#[derive(Debug, Default)]
pub(crate) struct View {
    last: Option<Progress>,
    /// Commands a second in each half second, the newest first.
    rates: VecDeque<u64>,
    /// When the half second that goes on began, and how many commands had been answered then.
    since: (Duration, u64),
    latency_us: Option<[f64; 2]>,
    stages: Option<Stages<f64>>,
}

impl View {
    /// Takes note of where the run is.
    pub(crate) fn look(&mut self, progress: Progress) {
        let (at, orders) = self.since;
        let passed = progress.elapsed.saturating_sub(at);
        if STEP <= passed {
            let answered = progress.orders.saturating_sub(orders);
            self.rates
                .push_front((answered as f64 / passed.as_secs_f64()) as u64);
            self.rates.truncate(RATES_MAX);
            self.since = (progress.elapsed, progress.orders);
        }
        if let Some(watch) = &progress.watch {
            self.latency_us = watch.latency_us.or(self.latency_us);
            self.stages = watch.stage_median_us.or(self.stages);
        }
        self.last = Some(progress);
    }

    /// Draws it all.
    pub(crate) fn draw(&self, frame: &mut Frame<'_>) {
        let Some(progress) = &self.last else {
            return;
        };
        let rows = [
            Constraint::Length(1),
            Constraint::Min(5),
            Constraint::Length(4),
            Constraint::Length(8),
            Constraint::Length(1),
        ];
        let [gauge, rates, latency, reasons, keys] = Layout::vertical(rows).areas(frame.area());
        self.draw_gauge(frame, gauge, progress);
        self.draw_rates(frame, rates);
        self.draw_times(frame, latency, progress);
        draw_reasons(frame, reasons, progress);
        frame.render_widget("q: end the run without a report", keys);
    }

    fn draw_gauge(&self, frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
        let total = progress.total.as_secs_f64();
        let elapsed = progress.elapsed.as_secs_f64().min(total);
        let ratio = if total > 0.0 { elapsed / total } else { 1.0 };
        let label = format!("{elapsed:.0} of {total:.0} s, {} answered", progress.orders);
        let gauge = LineGauge::default()
            .filled_style(Style::new().fg(Color::Blue))
            .label(label)
            .ratio(ratio);
        frame.render_widget(gauge, area);
    }

    fn draw_rates(&self, frame: &mut Frame<'_>, area: Rect) {
        let now = self.rates.front().copied().unwrap_or(0);
        let most = self.rates.iter().copied().max().unwrap_or(0);
        let title = format!(" {now} orders/s; highest bar {most} ");
        // The newest is on the right.
        let width = usize::from(area.width.saturating_sub(2));
        let shown: Vec<u64> = self.rates.iter().take(width).rev().copied().collect();
        let bars = Sparkline::default()
            .block(Block::bordered().title(title))
            .style(Style::new().fg(Color::Blue))
            .data(&shown);
        frame.render_widget(bars, area);
    }

    fn draw_times(&self, frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
        let latency = match self.latency_us {
            Some([p50, p99]) => format!(
                "ack latency   p50 {:.2}   p99 {:.2} ms in the last interval",
                p50 / 1_000.0,
                p99 / 1_000.0
            ),
            None => "ack latency   nothing measured yet".to_owned(),
        };
        let in_flight = progress.watch.as_ref().map_or(0, |watch| watch.in_flight);
        let stages = self.stages.map_or_else(String::new, |stages| {
            format!(
                "stage medians   sequenced {:.0}   executed {:.0}   durable {:.0}   sent {:.0} us",
                stages.sequenced, stages.executed, stages.durable, stages.sent
            )
        });
        let lines = vec![
            Line::from(format!("{latency};   {in_flight} frames in flight")),
            Line::from(stages),
        ];
        let block = Block::bordered().title(" times ");
        frame.render_widget(Paragraph::new(lines).block(block), area);
    }
}

fn draw_reasons(frame: &mut Frame<'_>, area: Rect, progress: &Progress) {
    let halves = [Constraint::Percentage(50), Constraint::Percentage(50)];
    let [left, right] = Layout::horizontal(halves).areas(area);
    let none = BTreeMap::new();
    let watch = progress.watch.as_ref();
    for (area, title, counts) in [
        (
            left,
            " rejected commands ",
            watch.map_or(&none, |it| &it.rejects),
        ),
        (
            right,
            " refused frames ",
            watch.map_or(&none, |it| &it.refused),
        ),
    ] {
        let mut counts: Vec<_> = counts.iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let line = |(reason, count): &(&&str, &u64)| Line::from(format!("{count:>10}  {reason}"));
        let lines: Vec<_> = counts.iter().map(line).collect();
        frame.render_widget(
            Paragraph::new(lines).block(Block::bordered().title(title)),
            area,
        );
    }
}

/// A bar each.
const STEP: Duration = Duration::from_millis(500);
/// Wider than any terminal.
const RATES_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use loadgen::Watch;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn progress(millis: u64, orders: u64, watch: Option<Watch>) -> Progress {
        Progress {
            elapsed: Duration::from_millis(millis),
            total: Duration::from_secs(10),
            orders,
            watch,
        }
    }

    fn drawn(view: &View) -> String {
        let mut terminal = Terminal::new(TestBackend::new(90, 24)).unwrap();
        terminal.draw(|frame| view.draw(frame)).unwrap();
        terminal.backend().to_string()
    }

    #[test]
    fn all_of_a_run_is_on_the_screen() {
        let mut view = View::default();
        let watch = Watch {
            in_flight: 37,
            rejects: [("ORDER_NOT_FOUND", 4_321), ("WOULD_CROSS", 5)].into(),
            refused: [("BUSY", 12)].into(),
            latency_us: Some([1_500.0, 9_250.0]),
            stage_median_us: Some(Stages {
                sequenced: 11.0,
                executed: 22.0,
                durable: 33.0,
                sent: 44.0,
            }),
        };
        view.look(progress(500, 50_000, None));
        view.look(progress(1_000, 150_000, Some(watch)));
        let screen = drawn(&view);
        for expected in [
            "1 of 10 s, 150000 answered",
            "200000 orders/s; highest bar 200000",
            "p50 1.50   p99 9.25 ms",
            "37 frames in flight",
            "sequenced 11   executed 22   durable 33   sent 44 us",
            "4321  ORDER_NOT_FOUND",
            "5  WOULD_CROSS",
            "12  BUSY",
            "q: end the run",
            "\u{2588}",
        ] {
            assert!(screen.contains(expected), "{expected}\n{screen}");
        }
        let [most, least] = ["ORDER_NOT_FOUND", "WOULD_CROSS"].map(|it| screen.find(it));
        assert!(most < least, "the most frequent comes first\n{screen}");
    }

    #[test]
    fn what_was_seen_last_stays() {
        let mut view = View::default();
        assert!(!drawn(&view).contains("orders/s"));
        let seen = Watch {
            latency_us: Some([1_000.0, 2_000.0]),
            stage_median_us: Some(Stages::default()),
            ..Watch::default()
        };
        view.look(progress(100, 1, Some(seen)));
        view.look(progress(200, 2, Some(Watch::default())));
        let screen = drawn(&view);
        assert!(screen.contains("p50 1.00   p99 2.00 ms"), "{screen}");
        assert!(screen.contains("sequenced 0"), "{screen}");
    }

    #[test]
    fn bars_are_of_half_a_second_and_bounded() {
        let mut view = View::default();
        for tenth in 0..20_000 {
            view.look(progress(tenth * 100, tenth * 10, None));
        }
        assert_eq!(view.rates.len(), RATES_MAX);
        assert!(
            view.rates.iter().all(|rate| *rate == 100),
            "{:?}",
            view.rates
        );
    }

    #[test]
    fn there_is_no_screen_without_a_terminal() {
        // Tests have a pipe for standard output, or a terminal, which they then leave alone.
        if !std::io::IsTerminal::is_terminal(&std::io::stdout()) {
            let refused = crate::screen::open().err().unwrap();
            assert!(refused.contains("standard output is none"), "{refused}");
        }
    }
}
