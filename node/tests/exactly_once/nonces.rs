//! Which nonces are under way, and where each was executed.

use std::collections::BTreeMap;

use types::{Nonce, SequenceNumber};

use crate::COMMANDS_PER_FRAME;

/// How far the nonces under way may lie apart: the window of a key is 1,024.
const SPREAD: u64 = 900;

#[derive(Debug)]
pub(crate) struct Nonces {
    next: u64,
    end: u64,
    open: BTreeMap<u64, Open>,
    /// By the first sequence number of each frame.
    executed: BTreeMap<u64, Nonce>,
    pub(crate) done: u64,
}

/// A nonce that is under way.
#[derive(Debug)]
struct Open {
    /// Traders that have not heard of it yet.
    holders: u64,
    /// What the first of them heard.
    sequence: Option<SequenceNumber>,
}

impl Nonces {
    pub(crate) const fn new(frames: u64) -> Self {
        Self {
            next: 1,
            end: frames + 1,
            open: BTreeMap::new(),
            executed: BTreeMap::new(),
            done: 0,
        }
    }

    /// The next nonce, for so many traders. `None`: for now there is none.
    pub(crate) fn take(&mut self, holders: u64) -> Option<Nonce> {
        let lowest = self
            .open
            .first_key_value()
            .map_or(self.next, |(nonce, _)| *nonce);
        if self.next == self.end || lowest + SPREAD <= self.next {
            return None;
        }
        let nonce = self.next;
        self.next += 1;
        let sequence = None;
        self.open.insert(nonce, Open { holders, sequence });
        Some(Nonce::new(nonce))
    }

    /// One of its traders has heard where it was executed.
    pub(crate) fn finish(&mut self, nonce: Nonce, sequence: SequenceNumber) {
        let open = self.open.get_mut(&nonce.get());
        let open = open.unwrap_or_else(|| panic!("nonce {nonce} is not under way"));
        match open.sequence {
            None => {
                open.sequence = Some(sequence);
                let before = self.executed.insert(sequence.get(), nonce);
                assert_eq!(before, None, "nonce {nonce}: another was executed there");
            }
            first => assert_eq!(first, Some(sequence), "nonce {nonce}: executed twice"),
        }
        open.holders -= 1;
        if open.holders == 0 {
            self.open.remove(&nonce.get());
            self.done += 1;
        }
    }

    /// Every frame was executed, and no two overlap.
    pub(crate) fn check(&self, frames: u64) {
        assert_eq!(
            (self.done, self.executed.len() as u64, self.open.len()),
            (frames, frames, 0)
        );
        let mut free = 0;
        for (first, nonce) in &self.executed {
            assert!(free <= *first, "nonce {nonce} overlaps with another");
            free = first + COMMANDS_PER_FRAME;
        }
    }
}
