//! Seeded commands for a set of clients: the same seed gives the same commands, always.
//!
//! What a client sends depends on the seed, the number of the client and how many commands it has
//! made, and on nothing else: not on answers, on time or on other clients. So a run can be
//! repeated, split over processes or made ahead of time.
//!
//! The mix is the scenario's; the usual one: 48 % orders that rest near a moving mid (one in sixteen
//! of them post-only), 42 % cancels of such orders by label, 10 % immediate-or-cancel orders of up to
//! five ticks through the mid. Others also have replaces of resting orders, and quote sets. A client
//! remembers the labels of its resting orders, up to a fixed number per market; at that number it
//! cancels where it would have placed, so that in the long run it cancels as many orders as it places
//! and the book stays bounded. It does not learn of fills: a cancel that comes too late is a reject, as
//! on a real venue.
//!
//! Start with [`Workload`].

mod funds;
mod mid;
mod quotes;
mod random;
mod scenario;
mod spread;

use std::sync::Arc;

use types::command::{Cancel, OrderKind, OrderTarget, Place, QuoteLevel, Replace, SelfTrade};
use types::limits::OPEN_ORDERS_PER_ACCOUNT_MAX;
use types::wire::query::Reference;
use types::{AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, Side, Ticks};

pub use funds::WorkloadError;
use mid::MidWalk;
pub use quotes::Frame;
use quotes::Planned;
pub(crate) use random::Random;
pub use scenario::{Load, Mix, Scenario, Signatures};
use spread::MarketPicker;
pub use spread::Spread;

/// What the clients of one run have in common.
#[derive(Debug)]
pub struct WorkloadPlan {
    reference: Reference,
    scenario: Scenario,
    seed: u64,
    picker: MarketPicker,
    mids: Vec<MidWalk>,
    resting_max: usize,
}

impl WorkloadPlan {
    /// For `clients` clients on the markets of a network.
    pub fn new(
        reference: Reference,
        scenario: Scenario,
        clients: u32,
        seed: u64,
    ) -> Result<Arc<Self>, WorkloadError> {
        if reference.markets.is_empty() {
            return Err(WorkloadError::NoMarket);
        }
        let there = reference.markets.len();
        if let Some(asked) = scenario.market_count.filter(|asked| there < *asked) {
            return Err(WorkloadError::TooFewMarkets { asked, there });
        }
        if clients == 0 {
            return Err(WorkloadError::NoClient);
        }
        let markets = scenario.markets_used(reference.markets.len());
        let mids = (0..markets as u64)
            .map(|market| MidWalk::new(Random::new(seed, MID_STREAMS + market)))
            .collect();
        Ok(Arc::new(Self {
            picker: MarketPicker::new(scenario.spread, markets),
            reference,
            scenario,
            seed,
            mids,
            resting_max: resting_max(clients as usize, markets),
        }))
    }

    /// The scenario.
    pub const fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The seed.
    pub const fn seed(&self) -> u64 {
        self.seed
    }

    /// Orders that one client lets rest in one market, at most, beside its quotes.
    pub const fn resting_max(&self) -> usize {
        self.resting_max
    }

    /// Orders of one client on one side of one market, at most.
    const fn one_side_max(&self) -> usize {
        match self.scenario.mix.quote_set {
            0 => self.resting_max,
            _ => self.resting_max + self.scenario.quote_levels,
        }
    }
}

/// Splits a lively book over the clients, and an account's open orders over the markets.
fn resting_max(clients: usize, markets: usize) -> usize {
    let per_account = OPEN_ORDERS_PER_ACCOUNT_MAX as usize / 2 / markets;
    (RESTING_PER_MARKET / clients).clamp(RESTING_MIN, per_account)
}

/// The commands of one client.
#[derive(Debug)]
pub struct Workload {
    plan: Arc<WorkloadPlan>,
    random: Random,
    markets: Vec<MarketState>,
    commands: u64,
    last_label: u64,
    last_quote_set: u64,
}

/// What a client remembers of one market.
#[derive(Debug)]
struct MarketState {
    /// Its orders that rest, as far as it knows.
    resting: Vec<Resting>,
    /// The largest order whose worst case its funds cover.
    quantity_max: BaseLots,
}

/// An order that can be cancelled or moved.
#[derive(Clone, Copy, Debug)]
struct Resting {
    label: ClientOrderId,
    side: Side,
    quantity: BaseLots,
}

impl Workload {
    /// The `client`-th client, whose account has these free balances and has sent no quote set above
    /// `last_quote_set`.
    pub fn new(
        plan: &Arc<WorkloadPlan>,
        client: u32,
        free: &[(AssetId, Atoms)],
        last_quote_set: u64,
    ) -> Result<Self, WorkloadError> {
        let markets = plan.mids.len();
        let quantities = funds::quantities_max(
            &plan.reference,
            markets,
            plan.one_side_max(),
            highest_price(),
            free,
        );
        let markets = quantities
            .map_err(|(market, asset)| WorkloadError::Funds {
                client,
                market,
                asset,
            })?
            .into_iter()
            .map(|funded| MarketState {
                resting: Vec::with_capacity(plan.resting_max),
                quantity_max: funded.min(QUANTITY_MAX),
            })
            .collect();
        Ok(Self {
            random: Random::new(plan.seed, u64::from(client)),
            plan: Arc::clone(plan),
            markets,
            commands: 0,
            last_label: 0,
            last_quote_set,
        })
    }

    /// Replaces the content of `frame` by the next `count` commands.
    pub fn fill_frame(&mut self, frame: &mut Frame, count: usize) {
        frame.clear();
        for _ in 0..count {
            let planned = self.next(&mut frame.levels);
            frame.planned.push(planned);
        }
    }

    fn next(&mut self, levels: &mut Vec<QuoteLevel>) -> Planned {
        let market = self.plan.picker.pick(&mut self.random);
        let mid = self.plan.mids[market.index()].at(self.commands);
        self.commands += 1;
        match self.intent(market) {
            Intent::Rest => Planned::Command(Command::Place(self.resting_order(market, mid))),
            Intent::Cancel => Planned::Command(Command::Cancel(self.cancel(market))),
            Intent::Replace => Planned::Command(Command::Replace(self.replace(market, mid))),
            Intent::Quote => self.quote_set(market, mid, levels),
            Intent::Cross => Planned::Command(Command::Place(self.crossing_order(market, mid))),
        }
    }

    /// How many of its orders rest, as far as the client knows, over all markets.
    pub fn resting(&self) -> usize {
        self.markets.iter().map(|state| state.resting.len()).sum()
    }

    fn intent(&mut self, market: MarketId) -> Intent {
        let Mix {
            cancel,
            replace,
            quote_set,
            cross,
            ..
        } = self.plan.scenario.mix;
        let mut roll = self.random.below(self.plan.scenario.mix.total());
        let mut is_in = |share: u32| {
            let is_in = roll < u64::from(share);
            roll = roll.saturating_sub(share.into());
            is_in
        };
        let resting = self.markets[market.index()].resting.len();
        if is_in(cross) {
            Intent::Cross
        } else if is_in(cancel) {
            if resting == 0 {
                Intent::Rest
            } else {
                Intent::Cancel
            }
        } else if is_in(replace) {
            if resting == 0 {
                Intent::Rest
            } else {
                Intent::Replace
            }
        } else if is_in(quote_set) {
            Intent::Quote
        } else if resting < self.plan.resting_max {
            Intent::Rest
        } else {
            Intent::Cancel
        }
    }

    /// An order one tick and a Pareto-like distance away from the mid.
    fn resting_order(&mut self, market: MarketId, mid: Ticks) -> Place {
        let bits = self.random.next();
        let distance = 1 + pareto_distance(bits >> 48);
        let kind = if bits & 15 == 0 {
            OrderKind::POST_ONLY
        } else {
            OrderKind::GTC
        };
        let side = side_of(bits >> 4);
        let price = away(mid, side, distance);
        let quantity_max = self.markets[market.index()].quantity_max;
        let place = self.order(market, side, kind, price, quantity_max);
        self.markets[market.index()].resting.push(Resting {
            label: place.client_order_id,
            side,
            quantity: place.quantity,
        });
        place
    }

    /// An order that takes what it finds up to a few ticks through the mid, and never rests.
    fn crossing_order(&mut self, market: MarketId, mid: Ticks) -> Place {
        let side = side_of(self.random.next());
        let through = 1 + self.random.below(CROSS_TICKS_MAX);
        let price = match side {
            Side::Bid => mid.get() + through,
            Side::Ask => mid.get() - through,
        };
        // Smaller than what rests, so that most makers fill in parts.
        let quantity_max = self.markets[market.index()].quantity_max.get().div_ceil(2);
        let quantity_max = BaseLots::new(quantity_max);
        self.order(
            market,
            side,
            OrderKind::IOC,
            Ticks::new(price),
            quantity_max,
        )
    }

    fn order(
        &mut self,
        market: MarketId,
        side: Side,
        kind: OrderKind,
        price: Ticks,
        quantity_max: BaseLots,
    ) -> Place {
        self.last_label += 1;
        Place {
            market,
            side,
            kind,
            price,
            quantity: BaseLots::new(1 + self.random.below(quantity_max.get())),
            client_order_id: ClientOrderId::new(self.last_label),
            self_trade: SelfTrade::Allow,
            trigger: None,
        }
    }

    fn cancel(&mut self, market: MarketId) -> Cancel {
        let resting = &mut self.markets[market.index()].resting;
        let chosen = self.random.below(resting.len() as u64) as usize;
        Cancel::Client {
            market,
            client_order_id: resting.swap_remove(chosen).label,
            remember_until: LogTime::ZERO,
        }
    }

    /// The same size at another price, which must not take.
    fn replace(&mut self, market: MarketId, mid: Ticks) -> Replace {
        let distance = 1 + pareto_distance(self.random.next() >> 48);
        let resting = &self.markets[market.index()].resting;
        let chosen = resting[self.random.below(resting.len() as u64) as usize];
        Replace {
            target: OrderTarget::Client {
                market,
                client_order_id: chosen.label,
            },
            price: away(mid, chosen.side, distance),
            quantity: chosen.quantity,
            may_take: false,
            self_trade: SelfTrade::Allow,
        }
    }

    /// A ladder around the mid, beyond what the mids of clients differ by.
    fn quote_set(&mut self, market: MarketId, mid: Ticks, levels: &mut Vec<QuoteLevel>) -> Planned {
        self.last_quote_set += 1;
        let quantity_max = self.markets[market.index()].quantity_max.get();
        let first = levels.len();
        for side in [Side::Bid, Side::Ask] {
            for level in 0..self.plan.scenario.quote_levels as u64 {
                let price = away(mid, side, QUOTE_DISTANCE * (1 + level));
                let quantity = BaseLots::new(1 + self.random.below(quantity_max));
                levels.push(QuoteLevel::new(price, quantity));
            }
        }
        Planned::Quotes {
            market,
            number: self.last_quote_set,
            first,
        }
    }
}

/// So many ticks from the mid, on the passive side of it.
const fn away(mid: Ticks, side: Side, distance: u64) -> Ticks {
    match side {
        Side::Bid => Ticks::new(mid.get() - distance),
        Side::Ask => Ticks::new(mid.get() + distance),
    }
}

/// What a client is about to do.
enum Intent {
    Rest,
    Cancel,
    Replace,
    Quote,
    Cross,
}

const fn side_of(bits: u64) -> Side {
    if bits & 1 == 0 { Side::Bid } else { Side::Ask }
}

/// Half of the orders lie within [`DISTANCE_SCALE`] ticks, a quarter beyond three times that, and
/// so on; cut at [`DISTANCE_MAX`]. `sixteen_bits` is a number below 2^16.
fn pareto_distance(sixteen_bits: u64) -> u64 {
    (DISTANCE_SCALE * (1 << 16) / (sixteen_bits + 1) - DISTANCE_SCALE).min(DISTANCE_MAX)
}

/// The highest price that any order names.
const fn highest_price() -> Ticks {
    Ticks::new(mid::MID_HOME.get() + mid::MID_STRAY_MAX as u64 + 1 + DISTANCE_MAX)
}

/// How far beyond the mid a crossing order reaches.
const CROSS_TICKS_MAX: u64 = 5;
/// The median distance of a resting order from the mid.
const DISTANCE_SCALE: u64 = 8;
const DISTANCE_MAX: u64 = 1_000;
/// Ticks between quotes, and from the mid to the first.
const QUOTE_DISTANCE: u64 = 8;
/// The largest order, if funds allow.
const QUANTITY_MAX: BaseLots = BaseLots::new(1_000);
/// Orders that rest in one market, over all clients.
const RESTING_PER_MARKET: usize = 4_096;
/// A client that rests fewer than this in a market would hardly quote.
const RESTING_MIN: usize = 4;
/// Streams of the random numbers below this belong to clients.
const MID_STREAMS: u64 = 1 << 32;

// The lowest price is above zero.
const _: () = assert!(mid::MID_HOME.get() > mid::MID_STRAY_MAX as u64 + 1 + DISTANCE_MAX);
const _: () = assert!(highest_price().get() <= types::limits::PRICE_TICKS_MAX);
const _: () = assert!(QUOTE_DISTANCE * types::limits::QUOTE_LEVELS_MAX as u64 <= DISTANCE_MAX);
const _: () = assert!(QUANTITY_MAX.get() <= types::limits::QUANTITY_LOTS_MAX);

#[cfg(test)]
mod tests;
