//! A frame's commands in buffers that are used again. Quote sets borrow their levels, so commands are
//! planned first and made when all levels are there.

use types::command::{QuoteLevel, QuoteSet};
use types::{Command, MarketId};

/// Commands of one frame.
#[derive(Debug, Default)]
pub struct Frame {
    pub(super) planned: Vec<Planned>,
    pub(super) levels: Vec<QuoteLevel>,
    /// Always empty; keeps its memory.
    commands: Vec<Command<'static>>,
}

/// A command, but for the levels of a quote set.
#[derive(Clone, Copy, Debug)]
pub(super) enum Planned {
    Command(Command<'static>),
    /// Its levels begin here and end where those of the next begin: half of them bids, then asks.
    Quotes {
        market: MarketId,
        number: u64,
        first: usize,
    },
}

impl Frame {
    /// Without any command.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many commands it has.
    pub const fn len(&self) -> usize {
        self.planned.len()
    }

    /// Whether it has none.
    pub const fn is_empty(&self) -> bool {
        self.planned.is_empty()
    }

    pub(super) fn clear(&mut self) {
        self.planned.clear();
        self.levels.clear();
    }

    /// Lends its commands.
    pub fn with<T>(&mut self, take: impl FnOnce(&[Command<'_>]) -> T) -> T {
        let sets = |it: &&Planned| matches!(it, Planned::Quotes { .. });
        let sets = self.planned.iter().filter(sets).count();
        // All sets of a frame have as many levels.
        let levels = self.levels.len().checked_div(2 * sets).unwrap_or(0);
        let mut commands: Vec<Command<'_>> = std::mem::take(&mut self.commands);
        commands.extend(self.planned.iter().map(|planned| match *planned {
            Planned::Command(command) => command,
            Planned::Quotes {
                market,
                number,
                first,
            } => Command::QuoteSet(QuoteSet {
                market,
                number,
                bids: &self.levels[first..first + levels],
                asks: &self.levels[first + levels..first + 2 * levels],
            }),
        }));
        let taken = take(&commands);
        commands.clear();
        // Of nothing, so that only the memory goes from one lifetime to the other.
        self.commands = commands
            .into_iter()
            .map(|_| unreachable!("it is empty"))
            .collect();
        taken
    }
}
