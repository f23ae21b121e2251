//! When each frame of an open loop is meant to be sent: pure arithmetic, no clock.
//!
//! The frames of all clients are spread evenly over time; client `c` of `n` sends every `n`-th of
//! them, beginning with the `c`-th. Times are counted from the start of the run, and every one is
//! computed from the index of its frame, so that nothing drifts.

use std::num::NonZeroU64;
use std::time::Duration;

/// The schedule of one client.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Schedule {
    /// Commands a second, over all clients.
    pub(crate) rate: NonZeroU64,
    /// Commands in a frame.
    pub(crate) frame: u64,
    /// How many clients there are.
    pub(crate) clients: u64,
    /// Which of them this is.
    pub(crate) client: u64,
}

impl Schedule {
    /// When this client's frame of this index is meant to be sent.
    pub(crate) fn intended(&self, index: u64) -> Duration {
        let frames_before = u128::from(index * self.clients + self.client);
        let commands_before = frames_before * u128::from(self.frame);
        let nanoseconds = commands_before * NANOSECONDS_PER_SECOND / u128::from(self.rate.get());
        Duration::from_nanos(u64::try_from(nanoseconds).expect("runs end within centuries"))
    }

    /// How many of this client's frames are meant to be sent before `end`.
    pub(crate) fn frames_before(&self, end: Duration) -> u64 {
        // A frame is before `end` if commands_before x second < end x rate, nanoseconds being cut.
        let commands =
            (end.as_nanos() * u128::from(self.rate.get())).div_ceil(NANOSECONDS_PER_SECOND);
        let frames = commands.div_ceil(u128::from(self.frame));
        let own = frames
            .saturating_sub(u128::from(self.client))
            .div_ceil(u128::from(self.clients));
        u64::try_from(own).expect("runs end within centuries")
    }

    /// How many of this client's frames are due when `elapsed` has passed.
    pub(crate) fn due(&self, elapsed: Duration) -> u64 {
        self.frames_before(elapsed + Duration::from_nanos(1))
    }
}

const NANOSECONDS_PER_SECOND: u128 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;

    fn schedule(rate: u64, frame: u64, clients: u64, client: u64) -> Schedule {
        Schedule {
            rate: NonZeroU64::new(rate).unwrap(),
            frame,
            clients,
            client,
        }
    }

    #[test]
    fn frames_of_all_clients_interleave_evenly() {
        let micros = Duration::from_micros;
        for (client, index, expected) in [
            (0, 0, micros(0)),
            (1, 0, micros(80)),
            (3, 0, micros(240)),
            (0, 1, micros(320)),
            (2, 12_500, micros(4_000_160)),
        ] {
            let schedule = schedule(100_000, 8, 4, client);
            assert_eq!(schedule.intended(index), expected, "{client} {index}");
        }
    }

    #[test]
    fn a_second_holds_the_rate() {
        for (rate, frame, clients) in [(100_000, 8, 4), (1_000, 1, 3), (7, 2, 5), (999_999, 256, 7)]
        {
            let total: u64 = (0..clients)
                .map(|client| schedule(rate, frame, clients, client))
                .map(|schedule| schedule.frames_before(Duration::from_secs(60)))
                .sum();
            assert_eq!(
                total,
                (rate * 60).div_ceil(frame),
                "{rate} {frame} {clients}"
            );
        }
    }

    /// A hand-driven clock: at each frame's time, and not a nanosecond before, it is due.
    #[test]
    fn a_frame_is_due_from_its_time_on() {
        for (rate, frame, clients, client) in [(100_000, 8, 4, 3), (333_333, 7, 3, 1), (3, 1, 1, 0)]
        {
            let schedule = schedule(rate, frame, clients, client);
            for index in 0..1_000 {
                let intended = schedule.intended(index);
                assert_eq!(schedule.due(intended), index + 1, "{rate} {index}");
                assert_eq!(schedule.frames_before(intended), index, "{rate} {index}");
            }
        }
    }
}
