//! What a thread counts while it works, for whoever watches the node.
//!
//! Each struct here has one writer, the thread that owns the facts, and any number of readers. A
//! [`Counter`] is a relaxed atomic that its only writer loads and stores: no lock, no contended cache
//! line, no ordering. So a reader sees each number a moment late and no two of one instant; nothing
//! may be decided by them.

use std::sync::atomic::{AtomicU64, Ordering};

use types::RejectReason;

/// A number that one thread writes and others read.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts so many more. Only the thread that owns the counter may.
    pub fn add(&self, more: u64) {
        let sum = self.get().wrapping_add(more);
        self.set(sum);
    }

    /// What it is now. Only the thread that owns the counter may say so.
    pub fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    /// What it was a moment ago.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// How often values fell between powers of two: bucket `i` holds those up to `2^(FIRST + i)` that are
/// in none before it, and what is beyond the last is only in the count.
#[derive(Debug)]
pub struct Histogram<const FIRST: u32, const BUCKETS: usize> {
    buckets: [Counter; BUCKETS],
    count: Counter,
    sum: Counter,
}

impl<const FIRST: u32, const BUCKETS: usize> Default for Histogram<FIRST, BUCKETS> {
    fn default() -> Self {
        Self {
            buckets: std::array::from_fn(|_| Counter::default()),
            count: Counter::default(),
            sum: Counter::default(),
        }
    }
}

impl<const FIRST: u32, const BUCKETS: usize> Histogram<FIRST, BUCKETS> {
    /// Adds one value.
    pub fn observe(&self, value: u64) {
        // The number of bits of value - 1 is the exponent of the next power of two.
        let exponent = u64::BITS - value.saturating_sub(1).leading_zeros();
        let bucket = exponent.saturating_sub(FIRST) as usize;
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.add(1);
        }
        self.sum.add(value);
        self.count.add(1);
    }

    /// Upper bounds, and how many values were at most so high.
    pub fn cumulative(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        let counts = self.buckets.iter().scan(0, |sum, bucket| {
            *sum += bucket.get();
            Some(*sum)
        });
        let bounds = (FIRST..).map(|exponent| 1 << exponent);
        bounds.zip(counts)
    }

    /// How many values there were.
    pub fn count(&self) -> u64 {
        self.count.get()
    }

    /// What they add up to.
    pub fn sum(&self) -> u64 {
        self.sum.get()
    }
}

/// Nanoseconds, from 4 microseconds to 17 seconds.
pub type Latency = Histogram<12, 23>;
/// Things in one batch, from 1 to 65,536.
pub type Sizes = Histogram<0, 17>;

/// How often each reason was given.
#[derive(Debug)]
pub struct Rejects([Counter; REASONS]);

/// Above every reason's number.
const REASONS: usize = 256;

impl Default for Rejects {
    fn default() -> Self {
        Self(std::array::from_fn(|_| Counter::default()))
    }
}

impl Rejects {
    /// One more.
    pub fn add(&self, reason: RejectReason) {
        self.0[usize::from(reason.code())].add(1);
    }

    /// All reasons, and how often each was given.
    pub fn iter(&self) -> impl Iterator<Item = (RejectReason, u64)> + '_ {
        let count = |reason: &RejectReason| self.0[usize::from(reason.code())].get();
        RejectReason::ALL.iter().map(move |it| (*it, count(it)))
    }
}

/// From what to what a stage of an order's way goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Received to sequenced.
    Sequence,
    /// Sequenced to executed.
    Execute,
    /// Executed to durable: what the disk takes longer than the execution.
    Durable,
    /// Durable to handed to the session's writer.
    Send,
    /// Received to handed to the session's writer.
    Total,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [
        Self::Sequence,
        Self::Execute,
        Self::Durable,
        Self::Send,
        Self::Total,
    ];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sequence => "sequence",
            Self::Execute => "execute",
            Self::Durable => "durable",
            Self::Send => "send",
            Self::Total => "total",
        }
    }
}

/// What the gateway's thread counts.
#[derive(Debug, Default)]
pub struct GatewayCounters {
    /// Connections between their first packet and their session's opening.
    pub handshaking: Counter,
    /// Sessions that are open.
    pub open: Counter,
    /// Sessions that admit nothing more and are owed answers.
    pub draining: Counter,
    /// Connections that were let in to shake hands.
    pub connections_accepted: Counter,
    /// Connections that were turned away at their first packet.
    pub connections_refused: Counter,
    /// Connections that had to prove their address first.
    pub connections_retried: Counter,
    /// Bytes of streams that came in.
    pub bytes_received: Counter,
    /// Bytes of streams that went out.
    pub bytes_sent: Counter,
    /// Frames to the signature worker.
    pub frames_admitted: Counter,
    /// Commands in them.
    pub commands_admitted: Counter,
    /// Times that a session was not read for a while, because of what it was refused.
    pub pauses: Counter,
    /// Questions to the read models.
    pub questions_asked: Counter,
    /// Answers from there.
    pub replies_taken: Counter,
    /// Frames that the signature worker refused, as far as they were taken from it.
    pub rejected_taken: Counter,
    /// Frames that the pipeline refused, likewise.
    pub refused_taken: Counter,
    /// Released blocks that were answered.
    pub blocks_dispatched: Counter,
    /// The last sequence number that was answered.
    pub sequence: Counter,
    /// Messages that were refused and frames that were refused before they were sequenced, and
    /// connections that got no session.
    pub rejects: Rejects,
    /// How long each stage took, per frame.
    pub latency: [Latency; Stage::ALL.len()],
}

/// What the signature worker's thread counts.
#[derive(Debug, Default)]
pub struct SignatureCounters {
    /// Frames passed on.
    pub verified: Counter,
    /// Frames refused for their signature.
    pub bad: Counter,
    /// Frames refused because the pipeline had no room for them.
    pub busy: Counter,
    /// Signatures in one batch.
    pub batches: Sizes,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values and the bucket, by its upper bound, that each falls into; 0 for none.
    #[test]
    fn values_fall_into_the_bucket_below_their_power_of_two() {
        for (value, bound) in [
            (0, 4),
            (1, 4),
            (4, 4),
            (5, 8),
            (8, 8),
            (9, 16),
            (16, 16),
            (17, 0),
            (u64::MAX, 0),
        ] {
            let histogram = Histogram::<2, 3>::default();
            histogram.observe(value);
            let expected = [4, 8, 16].map(|it| (it, u64::from(bound != 0 && bound <= it)));
            assert!(histogram.cumulative().eq(expected), "{value}");
            assert_eq!((histogram.count(), histogram.sum()), (1, value));
        }
    }

    #[test]
    fn every_reason_has_a_place() {
        let rejects = Rejects::default();
        for reason in RejectReason::ALL {
            rejects.add(*reason);
        }
        assert!(rejects.iter().all(|(_, count)| count == 1));
    }
}
