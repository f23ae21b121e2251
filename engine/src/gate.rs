//! The release gate: no outcome leaves before its block is durable.
//!
//! Blocks come in executed, in order; the journal says how far it is synced; blocks go out in order
//! once they are behind that mark. Promise 2 of the design rests on this file and on the journal
//! never naming a height that is not synced.

use std::collections::VecDeque;

use types::Height;
use types::block::ReleasedBlock;
use types::planted::{Bug, is_planted};

/// Executed blocks waiting to be durable.
#[derive(Debug)]
pub struct ReleaseGate {
    waiting: VecDeque<ReleasedBlock>,
    last_executed: Height,
    durable: Height,
}

impl ReleaseGate {
    /// Everything up to `height` is durable and released already.
    pub const fn after(height: Height) -> Self {
        Self {
            waiting: VecDeque::new(),
            last_executed: height,
            durable: height,
        }
    }

    /// Takes the next executed block.
    pub fn executed(&mut self, block: ReleasedBlock) {
        assert_eq!(block.outcome.height, self.last_executed.next());
        self.last_executed = block.outcome.height;
        self.waiting.push_back(block);
    }

    /// The journal has synced everything up to `height`. A mark never moves back.
    pub fn durable(&mut self, height: Height) {
        assert!(self.durable <= height, "a durable mark never moves back");
        self.durable = height;
    }

    /// The next block that may leave.
    pub fn release(&mut self) -> Option<ReleasedBlock> {
        let first = self.waiting.front()?;
        if first.outcome.height <= self.durable || is_planted(Bug::AckBeforeSync) {
            self.waiting.pop_front()
        } else {
            None
        }
    }

    /// How many executed blocks wait.
    pub fn waiting(&self) -> usize {
        self.waiting.len()
    }
}
