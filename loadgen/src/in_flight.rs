//! Frames that a session has sent and that have no answer yet, each with what its sender wants to
//! remember of it.

use std::collections::VecDeque;

use types::Nonce;

/// Frames without an answer. Nonces follow each other, so finding one is an index.
#[derive(Debug)]
pub(crate) struct InFlight<T> {
    /// The nonce of the first slot.
    first: Nonce,
    /// `None`: answered, but an earlier frame is not yet.
    slots: VecDeque<Option<T>>,
    unanswered: usize,
}

impl<T> InFlight<T> {
    /// Room for `capacity` frames without allocating.
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self {
            first: Nonce::ZERO,
            slots: VecDeque::with_capacity(capacity),
            unanswered: 0,
        }
    }

    /// A frame was sent. Panics if its nonce does not follow the one before.
    pub(crate) fn push(&mut self, nonce: Nonce, frame: T) {
        if self.slots.is_empty() {
            self.first = nonce;
        }
        let expected = self.first.advance(self.slots.len() as u64);
        assert_eq!(nonce, expected, "a session numbers its frames in order");
        self.slots.push_back(Some(frame));
        self.unanswered += 1;
    }

    /// A frame was answered. `None`: no such frame waits for an answer.
    pub(crate) fn answer(&mut self, nonce: Nonce) -> Option<T> {
        let offset = nonce.get().checked_sub(self.first.get())?;
        let slot = self.slots.get_mut(usize::try_from(offset).ok()?)?;
        let frame = slot.take()?;
        self.unanswered -= 1;
        while let Some(None) = self.slots.front() {
            self.slots.pop_front();
            self.first = self.first.next();
        }
        Some(frame)
    }

    /// How many frames wait for an answer.
    pub(crate) const fn len(&self) -> usize {
        self.unanswered
    }

    /// What is remembered of the frames that wait.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.slots.iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_frame_is_answered_once_in_any_order() {
        let mut in_flight = InFlight::with_capacity(4);
        for nonce in 10..14 {
            in_flight.push(Nonce::new(nonce), nonce);
        }
        for (nonce, expected, left) in [
            (9, None, 4),
            (14, None, 4),
            (11, Some(11), 3),
            (11, None, 3),
            (10, Some(10), 2),
            (10, None, 2),
            (13, Some(13), 1),
            (12, Some(12), 0),
            (12, None, 0),
        ] {
            assert_eq!(in_flight.answer(Nonce::new(nonce)), expected, "{nonce}");
            assert_eq!(in_flight.len(), left);
            assert_eq!(in_flight.iter().count(), left);
        }
        in_flight.push(Nonce::new(14), 14);
        assert_eq!(in_flight.answer(Nonce::new(14)), Some(14));
    }

    #[test]
    #[should_panic(expected = "in order")]
    fn a_gap_in_the_nonces_is_a_broken_invariant() {
        let mut in_flight = InFlight::with_capacity(2);
        in_flight.push(Nonce::new(1), ());
        in_flight.push(Nonce::new(3), ());
    }
}
