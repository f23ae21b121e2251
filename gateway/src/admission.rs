//! Who may come in, and how much of it: limits of addresses, keys and accounts.
//!
//! All of it is bookkeeping of the gateway's own thread, and every answer comes before anything was
//! accepted: a newcomer is turned away at its first packet, a session with `TOO_MANY_SESSIONS`, a frame
//! with `RATE_LIMITED` or `BUSY`. Commands that only take orders off have budgets and room of their
//! own, so that a flood of orders, somebody's own too, never keeps anybody from getting out.
//!
//! Refusing costs time too, and everybody's. So what is refused is counted, and who has been refused too
//! much is not read for a while ([`Refusals`]): QUIC's flow control then stops him at his end.

use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use types::AccountId;

use crate::config::GatewayConfig;

/// So many a second, and so many at once after a silence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// A second; not 0.
    pub per_second: u32,
    /// At once.
    pub burst: u32,
}

impl Pace {
    /// Nanoseconds between two, of somebody who counts `weight` times.
    fn interval(self, weight: u32) -> u64 {
        let rate = u64::from(self.per_second.max(1)) * u64::from(weight.max(1));
        (1_000_000_000 / rate).max(1)
    }
}

/// A token bucket as one number: the moment at which it will be full again.
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    full_at: u64,
}

impl Bucket {
    /// Takes so many, if they are there. `burst` is at least `count`, or they never are.
    fn take(&mut self, count: u64, interval: u64, burst: u64, now: u64) -> bool {
        let full_at = self.full_at.max(now);
        let after = full_at.saturating_add(count.saturating_mul(interval));
        let allowed = after - now <= burst.saturating_mul(interval);
        if allowed {
            self.full_at = after;
        }
        allowed
    }

    /// Takes so many whether they are there or not.
    fn charge(&mut self, count: u64, interval: u64, now: u64) {
        let full_at = self.full_at.max(now);
        self.full_at = full_at.saturating_add(count.saturating_mul(interval));
    }

    /// How long it takes until no more is taken than there was.
    const fn debt(self, interval: u64, burst: u64, now: u64) -> u64 {
        let until_full = self.full_at.saturating_sub(now);
        until_full.saturating_sub(burst.saturating_mul(interval))
    }

    const fn is_full(self, now: u64) -> bool {
        self.full_at <= now
    }
}

/// How many shares of the usual pace an account has; 1 where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Weights(BTreeMap<AccountId, u32>);

impl FromIterator<(AccountId, u32)> for Weights {
    fn from_iter<T: IntoIterator<Item = (AccountId, u32)>>(weights: T) -> Self {
        Self(weights.into_iter().collect())
    }
}

/// What each account may still send now.
#[derive(Debug)]
pub(crate) struct Rates {
    weights: Weights,
    /// By account: of commands, and of commands in frames of nothing but cancels.
    buckets: Vec<[Bucket; 2]>,
}

impl Rates {
    pub(crate) const fn new(weights: Weights) -> Self {
        Self {
            weights,
            buckets: Vec::new(),
        }
    }

    /// Takes so many commands off an account's budget, if that allows it.
    pub(crate) fn take(
        &mut self,
        account: AccountId,
        commands: u32,
        is_cancel: bool,
        config: &GatewayConfig,
        now: u64,
    ) -> bool {
        let pace = match is_cancel {
            true => config.cancels,
            false => config.commands,
        };
        let Some(pace) = pace else { return true };
        let index = account.index();
        if self.buckets.len() <= index {
            self.buckets.resize_with(index + 1, Default::default);
        }
        let weight = self.weights.0.get(&account).copied().unwrap_or(1);
        // The longest frame must pass some time.
        let burst = u64::from(pace.burst).max(types::limits::COMMANDS_PER_FRAME_MAX as u64);
        let burst = burst.saturating_mul(u64::from(weight.max(1)));
        let bucket = &mut self.buckets[index][usize::from(is_cancel)];
        // Frames under one signature may be more than that: they wait for a full bucket.
        let count = u64::from(commands).min(burst);
        bucket.take(count, pace.interval(weight), burst, now)
    }
}

/// What each account was refused.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    accounts: Vec<Bucket>,
    /// Of all guests together, who have no account.
    guests: Bucket,
}

impl Refusals {
    /// Counts refusals of an account, or of a guest.
    pub(crate) fn charge(&mut self, account: Option<AccountId>, count: u64, pace: Pace, now: u64) {
        let bucket = match account.map(AccountId::index) {
            None => &mut self.guests,
            Some(index) => {
                if self.accounts.len() <= index {
                    self.accounts.resize_with(index + 1, Bucket::default);
                }
                &mut self.accounts[index]
            }
        };
        bucket.charge(count, pace.interval(1), now);
    }

    /// For how long who was refused is not to be read.
    pub(crate) fn debt(&self, account: Option<AccountId>, pace: Pace, now: u64) -> Duration {
        let (interval, burst) = (pace.interval(1), u64::from(pace.burst));
        Duration::from_nanos(self.bucket(account).debt(interval, burst, now))
    }

    /// Whether all that an account was refused is forgotten.
    pub(crate) fn is_clear(&self, account: Option<AccountId>, now: u64) -> bool {
        self.bucket(account).is_full(now)
    }

    fn bucket(&self, account: Option<AccountId>) -> Bucket {
        let Some(account) = account else {
            return self.guests;
        };
        let bucket = self.accounts.get(account.index());
        bucket.copied().unwrap_or_default()
    }
}

/// What is known of one address.
#[derive(Clone, Copy, Debug, Default)]
struct Neighbor {
    /// Its connections, from the first packet on.
    connections: u32,
    /// Those of them that have proved a known key.
    sessions: u32,
    arrivals: Bucket,
}

/// Everybody's connections, by address.
#[derive(Debug, Default)]
pub(crate) struct Neighbors {
    by_address: HashMap<IpAddr, Neighbor>,
    arrivals: Bucket,
    /// How many addresses to have before looking for those that need not be remembered.
    sweep_at: usize,
}

/// Below so many addresses nobody looks for old ones.
const SWEEP_FROM: usize = 1_024;

impl Neighbors {
    /// Whether somebody with a known key has a session from there.
    pub(crate) fn is_known(&self, address: IpAddr) -> bool {
        let neighbor = self.by_address.get(&network_of(address));
        neighbor.is_some_and(|it| it.sessions > 0)
    }

    /// Whether another connection may begin there; if so, it has. A known address takes no part in the
    /// pace of strangers.
    pub(crate) fn arrive(&mut self, address: IpAddr, config: &GatewayConfig, now: u64) -> bool {
        let address = network_of(address);
        let mut neighbor = self.by_address.get(&address).copied().unwrap_or_default();
        if config.limits_loopback || !address.is_loopback() {
            let pace = config.arrivals_per_address;
            let (interval, burst) = (pace.interval(1), u64::from(pace.burst));
            if neighbor.connections >= config.connections_per_address
                || !neighbor.arrivals.take(1, interval, burst, now)
            {
                return false;
            }
        }
        let pace = config.arrivals;
        let (interval, burst) = (pace.interval(1), u64::from(pace.burst));
        if neighbor.sessions == 0 && !self.arrivals.take(1, interval, burst, now) {
            return false;
        }
        neighbor.connections += 1;
        self.by_address.insert(address, neighbor);
        self.sweep(now);
        true
    }

    /// A connection from there has proved a known key.
    pub(crate) fn introduce(&mut self, address: IpAddr) {
        self.of(address).sessions += 1;
    }

    /// A connection from there is over.
    pub(crate) fn leave(&mut self, address: IpAddr, was_introduced: bool) {
        let neighbor = self.of(address);
        neighbor.connections -= 1;
        neighbor.sessions -= u32::from(was_introduced);
    }

    fn of(&mut self, address: IpAddr) -> &mut Neighbor {
        let neighbor = self.by_address.get_mut(&network_of(address));
        neighbor.expect("an address is remembered while it has connections")
    }

    /// Forgets addresses that would get the same answers if they were new.
    fn sweep(&mut self, now: u64) {
        if self.by_address.len() < self.sweep_at.max(SWEEP_FROM) {
            return;
        }
        self.by_address
            .retain(|_, it| it.connections > 0 || !it.arrivals.is_full(now));
        self.sweep_at = self.by_address.len() * 2;
    }
}

/// What one subscriber of an internet provider has: an address, or of the newer kind a network of 64
/// bits.
fn network_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) if !address.is_loopback() => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_bucket_fills_with_time() {
        let (interval, burst) = (SECOND / 10, 5);
        let mut bucket = Bucket::default();
        // When, how many, and whether they are there.
        for (at, count, expected) in [
            (0, 6, false),
            (0, 5, true),
            (0, 1, false),
            (SECOND / 10 - 1, 1, false),
            (SECOND / 10, 1, true),
            (SECOND / 10, 1, false),
            (SECOND, 5, true),
            (SECOND, 1, false),
            (100 * SECOND, 6, false),
            (100 * SECOND, 5, true),
        ] {
            let taken = bucket.take(count, interval, burst, at);
            assert_eq!(taken, expected, "{count} at {at}");
        }
    }

    #[test]
    fn budgets_are_weighted_and_cancels_have_their_own() {
        let pace = Some(Pace {
            per_second: 100,
            burst: 256,
        });
        let config = GatewayConfig {
            commands: pace,
            cancels: pace,
            ..GatewayConfig::default()
        };
        let (plain, heavy) = (AccountId::new(3), AccountId::new(1));
        let mut rates = Rates::new(Weights::from_iter([(heavy, 4)]));
        // Account, commands, cancels or not, when, and whether it is allowed.
        for (account, commands, is_cancel, now, expected) in [
            (plain, 256, false, 0, true),
            (plain, 1, false, 0, false),
            (plain, 256, true, 0, true),
            (plain, 1, true, 0, false),
            (plain, 100, false, SECOND, true),
            (plain, 1, false, SECOND, false),
            (heavy, 256, false, 0, true),
            (heavy, 256, false, 0, true),
            (heavy, 256, false, 0, true),
            (heavy, 256, false, 0, true),
            (heavy, 1, false, 0, false),
            (heavy, 200, false, SECOND / 2, true),
            (heavy, 1, false, SECOND / 2, false),
        ] {
            let taken = rates.take(account, commands, is_cancel, &config, now);
            assert_eq!(taken, expected, "{account} {commands} {is_cancel} at {now}");
        }
        let unlimited = GatewayConfig::default();
        assert!((0..1_000).all(|_| rates.take(plain, 256, false, &unlimited, 0)));
    }

    #[test]
    fn refusals_are_free_up_to_a_burst_and_then_cost_time() {
        let pace = Pace {
            per_second: 10,
            burst: 5,
        };
        let tenths = |count: u64| Duration::from_millis(100 * count);
        let mut refusals = Refusals::default();
        let (plain, other) = (Some(AccountId::new(3)), Some(AccountId::new(1)));
        // Whose, how many, when, and for how long he is not read.
        for (account, count, now, expected) in [
            (plain, 5, 0, 0),
            (plain, 2, 0, 2),
            (plain, 0, SECOND / 10, 1),
            (plain, 0, SECOND / 5, 0),
            (plain, 1_000, SECOND, 995),
            (other, 5, SECOND, 0),
            (None, 6, SECOND, 1),
            (None, 0, 2 * SECOND, 0),
        ] {
            refusals.charge(account, count, pace, now);
            let debt = refusals.debt(account, pace, now);
            assert_eq!(debt, tenths(expected), "{account:?} {count} at {now}");
        }
        // A thousand of them one after the other, a tenth of a second each.
        assert!(!refusals.is_clear(plain, 100 * SECOND));
        assert!(refusals.is_clear(plain, 102 * SECOND));
        assert_eq!(refusals.debt(Some(AccountId::new(9)), pace, 0), tenths(0));
    }

    fn config() -> GatewayConfig {
        let pace = |per_second, burst| Pace { per_second, burst };
        GatewayConfig {
            connections_per_address: 3,
            arrivals_per_address: pace(1, 4),
            arrivals: pace(10, 6),
            ..GatewayConfig::default()
        }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_address_has_so_many_connections_and_so_many_new_ones() {
        let (config, mut neighbors) = (config(), Neighbors::default());
        let here = address("192.0.2.1");
        for expected in [true, true, true, false] {
            assert_eq!(neighbors.arrive(here, &config, 0), expected);
        }
        neighbors.leave(here, false);
        assert!(neighbors.arrive(here, &config, 0));
        neighbors.leave(here, false);
        assert!(!neighbors.arrive(here, &config, 0), "too fast");
        assert!(neighbors.arrive(address("192.0.2.2"), &config, 0));
        assert!(neighbors.arrive(here, &config, SECOND));
    }

    #[test]
    fn strangers_share_a_pace_and_known_addresses_do_not() {
        let (config, mut neighbors) = (config(), Neighbors::default());
        let known = address("192.0.2.1");
        assert!(neighbors.arrive(known, &config, 0));
        assert!(!neighbors.is_known(known));
        neighbors.introduce(known);
        assert!(neighbors.is_known(known));
        let strangers = (0..6).map(|last| IpAddr::from([198, 51, 100, last]));
        let admitted = strangers.filter(|it| neighbors.arrive(*it, &config, 0));
        assert_eq!(admitted.count(), 5, "six in all at once");
        assert!(neighbors.arrive(known, &config, 0));
        neighbors.leave(known, true);
        assert!(!neighbors.is_known(known));
        assert!(!neighbors.arrive(known, &config, 0));
    }

    #[test]
    fn loopback_is_limited_only_if_it_is_meant_to_be() {
        let mut config = GatewayConfig {
            arrivals: GatewayConfig::default().arrivals,
            ..config()
        };
        let mut neighbors = Neighbors::default();
        let here = address("127.0.0.1");
        assert!((0..20).all(|_| neighbors.arrive(here, &config, 0)));
        config.limits_loopback = true;
        assert!(!neighbors.arrive(here, &config, 0));
    }

    #[test]
    fn one_subscriber_is_one_address() {
        for (left, right, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ] {
            let networks = [left, right].map(|it| network_of(address(it)));
            assert_eq!(networks[0] == networks[1], same, "{left} {right}");
        }
    }

    #[test]
    fn addresses_are_forgotten_when_they_mean_nothing() {
        let config = GatewayConfig::default();
        let mut neighbors = Neighbors::default();
        for number in 0..100_000_u32 {
            let address = IpAddr::from(number.to_be_bytes());
            let now = u64::from(number) * SECOND / 1_000;
            assert!(neighbors.arrive(address, &config, now));
            neighbors.leave(address, false);
        }
        assert!(neighbors.by_address.len() < 4 * SWEEP_FROM);
    }
}
