//! How often an address may ask: a bucket each, filled at a steady pace.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

/// Buckets of many addresses.
#[derive(Debug)]
pub(super) struct Rates<K> {
    per_second: f64,
    burst: f64,
    addresses_max: usize,
    buckets: HashMap<K, Bucket>,
}

#[derive(Debug)]
struct Bucket {
    level: f64,
    at: Instant,
}

impl<K: Copy + Eq + Hash> Rates<K> {
    pub(super) fn new(per_second: impl Into<f64>, burst: u32, addresses_max: usize) -> Self {
        Self {
            per_second: per_second.into(),
            burst: burst.into(),
            addresses_max,
            buckets: HashMap::new(),
        }
    }

    /// Takes so much of an address' share, if it is there. One that is larger than a whole bucket needs
    /// a full one.
    pub(super) fn take(&mut self, key: K, weight: u32, now: Instant) -> bool {
        if self.buckets.len() >= self.addresses_max && !self.buckets.contains_key(&key) {
            self.forget_at_rest(now);
            // Whoever cannot be counted cannot be let through.
            if self.buckets.len() >= self.addresses_max {
                return false;
            }
        }
        let full = self.burst;
        let bucket = self.buckets.entry(key).or_insert(Bucket {
            level: full,
            at: now,
        });
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        bucket.level = (bucket.level + passed * self.per_second).min(full);
        bucket.at = now;
        let weight = f64::from(weight);
        let takes = bucket.level >= weight.min(full);
        if takes {
            bucket.level -= weight;
        }
        takes
    }

    /// As if this address had never taken anything.
    pub(super) fn forget(&mut self, key: &K) {
        self.buckets.remove(key);
    }

    fn forget_at_rest(&mut self, now: Instant) {
        let (per_second, full) = (self.per_second, self.burst);
        self.buckets.retain(|_, bucket| {
            let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
            bucket.level + passed * per_second < full
        });
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_bucket_empties_and_fills() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut rates = Rates::new(10, 3, 2);
        for (address, weight, at, expected) in [
            (1, 1, 0, true),
            (1, 2, 0, true),
            (1, 1, 0, false),
            (2, 3, 0, true),
            // Nobody is at rest, and no more than two are remembered.
            (3, 1, 0, false),
            (1, 1, 100, true),
            (1, 1, 100, false),
            // More than a bucket holds: one needs all of it, and owes the rest.
            (1, 5, 500, true),
            (1, 1, 600, false),
            (3, 1, 5_000, true),
        ] {
            let found = rates.take(address, weight, after(at));
            assert_eq!(found, expected, "{address} {weight} {at}");
        }
    }
}
