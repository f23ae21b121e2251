//! What a reconciliation comes to.

use serde::Serialize;

use crate::report::{Verdict, grouped, line};

/// What does not fit. The first ones are named, the others counted.
#[derive(Debug, Default)]
pub(super) struct Problems {
    named: Vec<String>,
    count: u64,
}

/// Problems that are named.
const NAMED_MAX: usize = 20;

impl Problems {
    pub(super) fn add(&mut self, problem: String) {
        self.count += 1;
        if self.named.len() < NAMED_MAX {
            self.named.push(problem);
        }
    }
}

/// What one client's record had.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) answered_frames: u64,
    pub(super) refused_frames: u64,
    pub(super) unanswered_frames: u64,
    pub(super) unanswered_executed: u64,
    pub(super) commands: u64,
    pub(super) fills: u64,
    pub(super) ended: u64,
    /// Whether the client came to its end with all answers.
    pub(super) is_whole: bool,
}

/// What clients saw, and whether the journal says the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Clients with a record.
    pub clients: usize,
    /// Of them, those that did not come to their end with an answer to each frame: what they were not
    /// told is no discrepancy, and balances explain nothing.
    pub cut_clients: u64,
    /// Frames with an answer.
    pub answered_frames: u64,
    /// Commands of these that were executed.
    pub commands: u64,
    /// Frames that were refused before they were sequenced.
    pub refused_frames: u64,
    /// Frames without an answer.
    pub unanswered_frames: u64,
    /// Of them, those that are in the journal.
    pub unanswered_executed: u64,
    /// Fills of the clients' orders in the journal.
    pub fills: u64,
    /// Other ends of their orders there.
    pub ended: u64,
    /// How much does not fit.
    pub discrepancies: u64,
    /// The first of it.
    pub problems: Vec<String>,
    /// Whether all fits.
    pub verdict: Verdict,
}

impl CheckReport {
    pub(super) const fn new(clients: usize) -> Self {
        Self {
            clients,
            cut_clients: 0,
            answered_frames: 0,
            commands: 0,
            refused_frames: 0,
            unanswered_frames: 0,
            unanswered_executed: 0,
            fills: 0,
            ended: 0,
            discrepancies: 0,
            problems: Vec::new(),
            verdict: Verdict::Pass,
        }
    }

    pub(super) fn add(&mut self, seen: &Seen) {
        self.cut_clients += u64::from(!seen.is_whole);
        self.answered_frames += seen.answered_frames;
        self.commands += seen.commands;
        self.refused_frames += seen.refused_frames;
        self.unanswered_frames += seen.unanswered_frames;
        self.unanswered_executed += seen.unanswered_executed;
        self.fills += seen.fills;
        self.ended += seen.ended;
    }

    pub(super) fn judge(&mut self, problems: Problems) {
        self.discrepancies = problems.count;
        self.problems = problems.named;
        if self.answered_frames == 0 {
            self.problems
                .push("no frame was answered: nothing is shown".to_owned());
            self.discrepancies += 1;
        }
        if self.discrepancies > 0 {
            self.verdict = Verdict::Fail;
        }
    }

    /// For people: one fact a line, aligned.
    pub fn text(&self) -> String {
        let cut = match self.cut_clients {
            0 => String::new(),
            cut => format!("   ({cut} did not come to their end)"),
        };
        let executed = grouped(self.unanswered_executed);
        let mut lines = vec![
            line("clients", &format!("{}{cut}", self.clients)),
            line(
                "answered",
                &format!(
                    "{} frames, {} commands",
                    grouped(self.answered_frames),
                    grouped(self.commands)
                ),
            ),
            line("refused frames", &grouped(self.refused_frames)),
            line(
                "no answer",
                &format!(
                    "{}   ({executed} of them executed)",
                    grouped(self.unanswered_frames)
                ),
            ),
            line("fills", &grouped(self.fills)),
            line("other ends", &grouped(self.ended)),
        ];
        lines.extend(
            self.problems
                .iter()
                .map(|problem| line("DISCREPANCY", problem)),
        );
        let unnamed = self.discrepancies - self.problems.len() as u64;
        if unnamed > 0 {
            lines.push(line("", &format!("and {} more", grouped(unnamed))));
        }
        let verdict = match self.verdict {
            Verdict::Pass => "PASS: clients, journal and ledger agree".to_owned(),
            Verdict::Fail => format!("FAIL: {} discrepancies", grouped(self.discrepancies)),
        };
        lines.push(line("verdict", &verdict));
        lines.concat()
    }
}
