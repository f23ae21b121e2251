//! How far the chain is behind the ledger, and whether withdrawals halt for it.
//!
//! What leaves the ledger can be claimed on the chain only under a later root. So when no root comes
//! any more, nobody's funds are to leave the ledger for nowhere: frames with a withdrawal are refused
//! before they are sequenced, and everything else goes on. Whether the chain is there, this asks
//! neither it nor its nodes, but the file of whoever publishes ([`store::Anchored`]).
//! Why it is so is in `docs/adr/0031`.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gateway::counters::Counter;
use store::Anchored;

use crate::threads::{Parking, Stop};

/// The lag as it was last seen.
#[derive(Debug)]
pub struct AnchorLag {
    limit: Duration,
    is_beyond: AtomicBool,
    /// Up to which sequence number the chain has the ledger, as far as is known.
    pub(crate) sequence: Counter,
    /// How long ago that was seen, in seconds.
    pub(crate) seconds: Counter,
}

impl AnchorLag {
    /// With this limit; nobody has looked yet.
    fn new(limit: Duration) -> Self {
        Self {
            limit,
            is_beyond: AtomicBool::new(false),
            sequence: Counter::default(),
            seconds: Counter::default(),
        }
    }

    /// As the file of this data directory says now.
    pub(crate) fn of(data: &Path, limit: Duration) -> Self {
        let lag = Self::new(limit);
        lag.look(data);
        lag
    }

    /// Whether it is beyond the limit, so that withdrawals halt. Relaxed: nothing else is read by it,
    /// and a moment late is early enough.
    pub(crate) fn is_beyond(&self) -> bool {
        self.is_beyond.load(Ordering::Relaxed)
    }

    fn look(&self, data: &Path) {
        // Both times are of the machine's clock, as it is now: the node's own does not follow it.
        let now = SystemTime::now().duration_since(UNIX_EPOCH);
        self.note(Anchored::read(data), now.unwrap_or_default());
    }

    /// Notes what the file said at this time since the Unix epoch. A file from the future counts as
    /// of now: the clock was set back.
    fn note(&self, anchored: Option<Anchored>, now: Duration) {
        let seen_at = anchored.map_or(0, |it| it.seen_at);
        let lag = now.as_secs().saturating_sub(seen_at);
        let is_beyond = anchored.is_none() || self.limit.as_secs() < lag;
        self.sequence
            .set(anchored.map_or(0, |it| it.sequence.get()));
        self.seconds.set(lag);
        if self.is_beyond.swap(is_beyond, Ordering::Relaxed) != is_beyond {
            match is_beyond {
                true => tracing::error!("withdrawals halt: the chain is {lag} s behind the ledger"),
                false => {
                    tracing::warn!("withdrawals go on: the chain is {lag} s behind the ledger")
                }
            }
        }
    }
}

/// Looks at the file of this data directory again and again, until told to stop.
pub(crate) fn run(lag: &AnchorLag, data: &Path, parking: &Parking, stop: &Stop) {
    while !stop.requested() {
        lag.look(data);
        parking.park_for(LOOK_EVERY);
    }
}

const LOOK_EVERY: Duration = Duration::from_secs(1);

#[cfg(test)]
mod tests {
    use types::SequenceNumber;

    use super::*;

    #[test]
    fn withdrawals_halt_beyond_the_limit_and_while_nothing_is_known() {
        let lag = AnchorLag::new(Duration::from_secs(60));
        // When the chain was seen, the time, and whether that is beyond, and by how many seconds.
        for (seen_at, now, expected, seconds) in [
            (Some(1_000), 1_000, false, 0),
            (Some(1_000), 1_060, false, 60),
            (Some(1_000), 1_061, true, 61),
            (Some(1_061), 1_061, false, 0),
            (Some(2_000), 1_061, false, 0),
            (None, 1_061, true, 1_061),
        ] {
            let sequence = SequenceNumber::new(7);
            let anchored = seen_at.map(|seen_at| Anchored { sequence, seen_at });
            lag.note(anchored, Duration::from_secs(now));
            let found = (lag.is_beyond(), lag.seconds.get());
            assert_eq!(found, (expected, seconds), "{seen_at:?} at {now}");
        }
    }
}
