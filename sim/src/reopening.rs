//! What a node owes its clients after a restart, seen from outside: nobody trades before the grace is
//! over, and then everybody may. This knows blocks and their outcomes, and nothing of the node.

use node::grace::Grace;
use store::disk::Random;
use types::block::{Entry, ReleasedBlock};
use types::outcome::{BlockOutcome, Event};
use types::phase::Phase;

use crate::run::{Oracle, Violation};

/// One life's grace, as far as its released blocks have come.
#[derive(Debug)]
pub(crate) struct Reopening {
    next: Next,
    phase: Phase,
}

/// What must come next of phases.
#[derive(Clone, Copy, Debug)]
enum Next {
    /// Cancel-only, first of all, and for so many nanoseconds.
    CancelOnly(u64),
    /// Open, first of all.
    OpenAtOnce,
    /// Open, not before this.
    OpenAfter(u64),
    Nothing,
}

impl Default for Reopening {
    fn default() -> Self {
        Self::of(Grace::Over)
    }
}

impl Reopening {
    /// Of a life that is to begin like this.
    pub(crate) const fn of(grace: Grace) -> Self {
        let (next, phase) = match grace {
            Grace::Begins(nanos) => (Next::CancelOnly(nanos), Phase::Open),
            Grace::EndsAt(_) => (Next::OpenAtOnce, Phase::CancelOnly),
            Grace::Over => (Next::Nothing, Phase::Open),
        };
        Self { next, phase }
    }

    /// Whether the last block left the exchange closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.phase == Phase::CancelOnly
    }

    /// Follows a block; a rare state, if it is one.
    pub(crate) fn follow(
        &mut self,
        block: &ReleasedBlock,
    ) -> Result<Option<&'static str>, Violation> {
        let mut entries = block.block.entries.iter();
        let first = entries.find(|entry| !matches!(entry, Entry::Tick(_)));
        let (told, now) = (first.and_then(phase), block.sequenced_at);
        let wrong = |what: &str| {
            let height = block.outcome.height;
            Err(Violation::new(
                Oracle::Reopening,
                format!("block {height}: {what}"),
            ))
        };
        if entries.any(|entry| phase(entry).is_some()) {
            return wrong("a phase is not first of its block");
        }
        let reached = match (self.next, told) {
            (Next::CancelOnly(nanos), Some(Phase::CancelOnly)) => {
                self.next = Next::OpenAfter(now.saturating_add(nanos));
                None
            }
            (Next::CancelOnly(_), _) => return wrong("the grace has not begun"),
            (Next::OpenAtOnce, Some(Phase::Open)) => {
                self.next = Next::Nothing;
                Some("an exchange that was left cancel-only opened at once")
            }
            (Next::OpenAtOnce, _) => return wrong("it stays cancel-only for nothing"),
            (Next::OpenAfter(end), Some(Phase::Open)) if now < end => {
                return wrong("the grace is not over");
            }
            (Next::OpenAfter(_), Some(Phase::Open)) => {
                self.next = Next::Nothing;
                Some("the exchange opened after a restart")
            }
            (Next::OpenAfter(_) | Next::Nothing, None) => None,
            _ => return wrong("a phase that nobody asked for"),
        };
        self.phase = told.unwrap_or(self.phase);
        if self.is_closed() && trades(&block.outcome) {
            return wrong("somebody trades while cancel-only");
        }
        let is_cancel = self.is_closed() && ends(&block.outcome);
        Ok(reached.or(is_cancel.then_some("an order was cancelled while cancel-only")))
    }
}

/// How long the next life is cancel-only: in some runs never, in others now and then not.
pub(crate) fn draw_grace(random: &mut Random, longest: u64) -> u64 {
    match random.below(4) {
        0 => 0,
        _ => longest,
    }
}

const fn phase(entry: &Entry) -> Option<Phase> {
    match entry {
        Entry::Phase(phase) => Some(*phase),
        Entry::Frame(_) | Entry::Tick(_) | Entry::Silence(_) => None,
    }
}

/// Whether an order came to rest, was armed, or met another.
fn trades(outcome: &BlockOutcome) -> bool {
    outcome.events.iter().any(|record| {
        matches!(
            record.event(),
            Event::Fill(_) | Event::Rested(_) | Event::Armed(_) | Event::Triggered(_)
        )
    })
}

/// Whether an order was taken off.
fn ends(outcome: &BlockOutcome) -> bool {
    let mut events = outcome.events.iter();
    events.any(|record| matches!(record.event(), Event::Done(_)))
}
