//! The grace period after a restart: clients that are back take their orders off before anybody may
//! trade with them (`docs/adr/0023-restart-protocol.md`).
//!
//! This says which phase is to be logged and when. Logging it is the pipeline's, and what it means is
//! the engine's.

use engine::State;
use types::Height;
use types::phase::Phase;
use types::planted::{Bug, is_planted};

/// What is still to be logged of a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Grace {
    /// That the exchange is cancel-only, before anything else, and for so many nanoseconds.
    Begins(u64),
    /// That it is open, from this moment on: nanoseconds since the Unix epoch.
    EndsAt(u64),
    /// Nothing.
    Over,
}

impl Grace {
    /// Of a start from this state; of no length, an exchange that was left cancel-only opens at once.
    pub const fn after(state: &State, nanos: u64) -> Self {
        match (state.position().height, state.phase()) {
            // Nobody has an order before the first block.
            (Height::ZERO, _) => Self::Over,
            _ if 0 < nanos => Self::Begins(nanos),
            (_, Phase::CancelOnly) => Self::EndsAt(0),
            (_, Phase::Open) => Self::Over,
        }
    }

    /// Its length if it is about to begin, else zero.
    pub(crate) const fn length_ns(self) -> u64 {
        match self {
            Self::Begins(nanos) => nanos,
            Self::EndsAt(_) | Self::Over => 0,
        }
    }

    /// Whether nothing may be taken yet.
    pub(crate) const fn is_to_begin(self) -> bool {
        matches!(self, Self::Begins(_))
    }

    /// Whether the first block is to log a phase.
    pub(crate) const fn is_due_at_once(self) -> bool {
        matches!(self, Self::Begins(_) | Self::EndsAt(0))
    }

    /// When the next phase is to be logged; `None`: there is none.
    pub(crate) const fn due_at(self) -> Option<u64> {
        match self {
            Self::Begins(_) => Some(0),
            Self::EndsAt(at) => Some(at),
            Self::Over => None,
        }
    }

    /// The phase to log now.
    pub(crate) fn due(self, now: u64) -> Option<Phase> {
        match self {
            Self::Begins(_) => Some(Phase::CancelOnly),
            Self::EndsAt(at) if at <= now || is_planted(Bug::OpenedTooEarly) => Some(Phase::Open),
            Self::EndsAt(_) | Self::Over => None,
        }
    }

    /// What is to be logged once this has been. The node's own clock counts, which never runs
    /// backwards while it lives: logged time stands still where that clock is behind the last life's,
    /// and markets must not stay closed for that.
    pub(crate) const fn logged(self, now: u64) -> Self {
        match self {
            Self::Begins(nanos) => Self::EndsAt(now.saturating_add(nanos)),
            Self::EndsAt(_) | Self::Over => Self::Over,
        }
    }
}

#[cfg(test)]
mod tests {
    use types::block::Entry;
    use types::genesis::development;
    use types::outcome::BlockOutcome;

    use super::*;

    /// A state after these phases.
    fn state(phases: &[Phase]) -> State {
        let mut state = State::from_genesis(&development(), 0);
        for phase in phases {
            let block = state.position().next_block(vec![Entry::Phase(*phase)]);
            engine::sequential::execute(&mut state, &block, &mut BlockOutcome::default());
        }
        state
    }

    #[test]
    fn a_start_asks_for_what_its_journal_and_its_operator_want() {
        use Phase::{CancelOnly, Open};
        for (phases, nanos, expected) in [
            (&[][..], 0, Grace::Over),
            (&[], 7, Grace::Over),
            (&[Open], 0, Grace::Over),
            (&[Open], 7, Grace::Begins(7)),
            (&[CancelOnly], 0, Grace::EndsAt(0)),
            (&[CancelOnly], 7, Grace::Begins(7)),
            (&[CancelOnly, Open], 0, Grace::Over),
        ] {
            let found = Grace::after(&state(phases), nanos);
            assert_eq!(found, expected, "{phases:?}, {nanos}");
            assert_eq!(found.is_due_at_once(), found != Grace::Over);
        }
    }

    #[test]
    fn a_grace_begins_at_once_and_ends_after_its_length() {
        let grace = Grace::Begins(10);
        assert!(grace.is_to_begin() && grace.is_due_at_once());
        assert_eq!((grace.length_ns(), grace.due_at()), (10, Some(0)));
        assert_eq!(grace.due(100), Some(Phase::CancelOnly));
        let grace = grace.logged(100);
        assert!(!grace.is_to_begin() && !grace.is_due_at_once());
        assert_eq!((grace.length_ns(), grace.due_at()), (0, Some(110)));
        assert_eq!(
            [109, 110].map(|now| grace.due(now)),
            [None, Some(Phase::Open)]
        );
        let grace = grace.logged(111);
        assert_eq!((grace, grace.due_at()), (Grace::Over, None));
        assert_eq!(grace.due(u64::MAX), None);
    }
}
