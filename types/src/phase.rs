//! Whether the whole exchange is open: logged by its node, above the statuses that operators give to
//! markets and never instead of them (`docs/adr/0023-restart-protocol.md`).

use crate::command::MarketStatus;

/// What the exchange lets markets do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Phase {
    /// What their statuses say.
    #[default]
    Open = 0,
    /// Orders may only become smaller: the node has come back, and its clients may not have.
    CancelOnly = 1,
}

impl Phase {
    /// The phase with this number, if there is one.
    pub const fn from_code(code: u8) -> Option<Self> {
        match code {
            0 => Some(Self::Open),
            1 => Some(Self::CancelOnly),
            _ => None,
        }
    }

    /// The stable name, as machines see it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::CancelOnly => "cancel_only",
        }
    }

    /// What may happen in a market of this status: the stricter of both.
    #[inline]
    pub const fn effective(self, status: MarketStatus) -> MarketStatus {
        match (self, status) {
            (Self::Open, _) | (Self::CancelOnly, MarketStatus::Halted) => status,
            (Self::CancelOnly, _) => MarketStatus::CancelOnly,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stricter_of_phase_and_status_holds() {
        use MarketStatus::{Auction, CancelOnly, Halted, Open, PostOnly};
        let closed = [CancelOnly, CancelOnly, CancelOnly, CancelOnly, Halted];
        for (phase, expected) in [
            (Phase::Open, [Open, PostOnly, Auction, CancelOnly, Halted]),
            (Phase::CancelOnly, closed),
        ] {
            let found = MarketStatus::ALL.map(|status| phase.effective(status));
            assert_eq!(found, expected, "{phase:?}");
        }
    }

    #[test]
    fn a_phase_survives_its_number() {
        for phase in [Phase::Open, Phase::CancelOnly] {
            assert_eq!(Phase::from_code(phase as u8), Some(phase));
        }
        assert_eq!(Phase::from_code(2), None);
    }
}
