//! Random verbs against a naive twin: signed numbers in a map, fees as fractions, no shortcuts.

use std::collections::BTreeMap;

use ledger::{Fees, InsufficientFunds, Ledger, Trade};
use types::genesis::MarketSpec;
use types::{AccountId, AssetId, BaseLots, Side, Ticks};

use crate::common::{Rng, account, asset, atoms, for_seeds, genesis, market, rate};

const ASSETS: u16 = 3;
const ACCOUNTS: u32 = 4;
const RATES: [(i32, i32); 7] = [
    (0, 0),
    (1, 1),
    (100, 300),
    (-100, 300),
    (-300, 300),
    (100_000, 100_000),
    (-100_000, 100_000),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    Free(AccountId),
    Held(AccountId),
    Fees,
    Dust,
}

/// The naive twin.
#[derive(Default)]
struct Model {
    cells: BTreeMap<(Place, AssetId), i128>,
}

impl Model {
    fn at(&self, place: Place, asset: AssetId) -> i128 {
        self.cells.get(&(place, asset)).copied().unwrap_or(0)
    }

    fn add(&mut self, place: Place, asset: AssetId, amount: i128) {
        let cell = self.cells.entry((place, asset)).or_default();
        *cell += amount;
        assert!(0 <= *cell, "{place:?} of asset {asset} became {cell}");
    }

    fn settle(&mut self, market: &MarketSpec, trade: &Trade) -> Fees {
        let lots = i128::from(trade.quantity.get());
        let ticks = i128::from(trade.price.get());
        let base = lots * i128::from(market.factors.base_atoms_per_lot());
        let quote = ticks * lots * i128::from(market.factors.quote_atoms_per_tick_lot());
        let (maker_gives, maker_gets) = match trade.taker_side {
            Side::Bid => ((market.base, base), (market.quote, quote)),
            Side::Ask => ((market.quote, quote), (market.base, base)),
        };
        self.add(Place::Held(trade.maker), maker_gives.0, -maker_gives.1);
        self.add(Place::Free(trade.taker), maker_gets.0, -maker_gets.1);
        let taker_fee = self.receive(trade.taker, maker_gives, market.taker_fee.get());
        let maker_rate = market.maker_fee.get();
        let maker_fee = if maker_rate < 0 {
            self.receive(trade.maker, maker_gets, 0);
            let rebate = i128::from(-maker_rate) * maker_gives.1 / 1_000_000;
            self.add(Place::Fees, maker_gives.0, -rebate);
            self.add(Place::Free(trade.maker), maker_gives.0, rebate);
            -rebate
        } else {
            self.receive(trade.maker, maker_gets, maker_rate)
        };
        Fees {
            maker_fee,
            taker_fee: atoms(taker_fee.unsigned_abs()),
        }
    }

    /// Pays `amount` less its charge, and returns the charge.
    fn receive(&mut self, who: AccountId, (asset, amount): (AssetId, i128), rate: i32) -> i128 {
        let millionths = amount * i128::from(rate);
        let down = millionths / 1_000_000;
        let up = (millionths + 999_999) / 1_000_000;
        self.add(Place::Free(who), asset, amount - up);
        self.add(Place::Fees, asset, down);
        self.add(Place::Dust, asset, up - down);
        up
    }

    fn assert_equal(&self, ledger: &Ledger) {
        for asset in (0..ASSETS).map(asset) {
            let cell = |place| u128::try_from(self.at(place, asset)).unwrap();
            for who in (0..ACCOUNTS).map(account) {
                let balance = ledger.balance(who, asset);
                assert_eq!(balance.free.get(), cell(Place::Free(who)));
                assert_eq!(balance.held.get(), cell(Place::Held(who)));
            }
            assert_eq!(ledger.fees(asset).get(), cell(Place::Fees));
            assert_eq!(ledger.dust(asset).get(), cell(Place::Dust));
        }
        ledger.assert_conserved();
        assert_eq!(ledger.check_conservation(), Ok(()));
    }
}

struct Pair {
    ledger: Ledger,
    model: Model,
    markets: Vec<MarketSpec>,
    /// Trades of at least one lot.
    trades: u64,
}

impl Pair {
    fn new(rng: &mut Rng) -> Self {
        let scale = rng.pick(&[50, 5_000, 1 << 40, 1 << 90]);
        let rows: Vec<Vec<u128>> = (0..ACCOUNTS)
            .map(|_| (0..ASSETS).map(|_| rng.up_to(scale)).collect())
            .collect();
        let rows: Vec<&[u128]> = rows.iter().map(Vec::as_slice).collect();
        let mut model = Model::default();
        for (who, row) in (0..).map(account).zip(&rows) {
            for (asset, amount) in (0..).map(asset).zip(*row) {
                model.add(Place::Free(who), asset, i128::try_from(*amount).unwrap());
            }
        }
        let markets = [(0, 1), (1, 2), (2, 0)].map(|(base, quote)| {
            let steps = (1 + rng.below(5), 1 + rng.below(1_000));
            market(base, quote, steps, rng.pick(&RATES))
        });
        Self {
            ledger: Ledger::from_genesis(&genesis(ASSETS, &rows)),
            model,
            markets: markets.to_vec(),
            trades: 0,
        }
    }

    fn step(&mut self, rng: &mut Rng) {
        match rng.below(8) {
            0 => self.hold(rng),
            1 => self.release(rng),
            2 => self.transfer(rng),
            _ => self.settle(rng),
        }
    }

    fn hold(&mut self, rng: &mut Rng) {
        let (who, asset) = pick_cell(rng);
        let amount = around(rng, self.model.at(Place::Free(who), asset));
        let covered = amount <= self.model.at(Place::Free(who), asset);
        let held = self.ledger.hold(who, asset, atoms(amount.unsigned_abs()));
        assert_eq!(
            held,
            if covered {
                Ok(())
            } else {
                Err(InsufficientFunds)
            }
        );
        if covered {
            self.model.add(Place::Free(who), asset, -amount);
            self.model.add(Place::Held(who), asset, amount);
        }
    }

    fn release(&mut self, rng: &mut Rng) {
        let (who, asset) = pick_cell(rng);
        let held = self.model.at(Place::Held(who), asset).unsigned_abs();
        let amount = rng.up_to(held);
        self.ledger.release(who, asset, atoms(amount));
        let amount = i128::try_from(amount).unwrap();
        self.model.add(Place::Held(who), asset, -amount);
        self.model.add(Place::Free(who), asset, amount);
    }

    fn transfer(&mut self, rng: &mut Rng) {
        let (from, asset) = pick_cell(rng);
        let (to, _) = pick_cell(rng);
        let amount = around(rng, self.model.at(Place::Free(from), asset));
        let covered = amount <= self.model.at(Place::Free(from), asset);
        let moved = self
            .ledger
            .transfer(from, to, asset, atoms(amount.unsigned_abs()));
        assert_eq!(
            moved,
            if covered {
                Ok(())
            } else {
                Err(InsufficientFunds)
            }
        );
        if covered {
            self.model.add(Place::Free(from), asset, -amount);
            self.model.add(Place::Free(to), asset, amount);
        }
    }

    /// As much as both sides can pay, at a price that the taker's funds suggest.
    fn settle(&mut self, rng: &mut Rng) {
        let market = self.markets[rng.below(self.markets.len() as u64) as usize];
        let ((maker, _), (taker, _)) = (pick_cell(rng), pick_cell(rng));
        let taker_side = rng.pick(&Side::BOTH);
        let price = 1 + rng.below(20);
        let lot = i128::from(market.factors.base_atoms_per_lot());
        let tick_lot = i128::from(market.factors.quote_atoms_per_tick_lot()) * i128::from(price);
        let held = |asset| self.model.at(Place::Held(maker), asset);
        let free = |asset| self.model.at(Place::Free(taker), asset);
        let lots_max = match taker_side {
            Side::Bid => (held(market.base) / lot).min(free(market.quote) / tick_lot),
            Side::Ask => (held(market.quote) / tick_lot).min(free(market.base) / lot),
        };
        let lots = rng.up_to(lots_max.unsigned_abs().min((1 << 48) - 1));
        let trade = Trade {
            taker_side,
            price: Ticks::new(price),
            quantity: BaseLots::new(u64::try_from(lots).unwrap()),
            maker,
            taker,
        };
        self.trades += u64::from(!trade.quantity.is_zero());
        let expected = self.model.settle(&market, &trade);
        assert_eq!(self.ledger.settle(&market, &trade), expected, "{trade:?}");
    }
}

fn pick_cell(rng: &mut Rng) -> (AccountId, AssetId) {
    let who = account(rng.below(ACCOUNTS.into()) as u32);
    (who, asset(rng.below(ASSETS.into()) as u16))
}

/// Mostly at most `amount`, sometimes just above.
fn around(rng: &mut Rng, amount: i128) -> i128 {
    i128::try_from(rng.up_to(amount.unsigned_abs() + 1)).unwrap()
}

#[test]
fn every_verb_does_what_the_naive_twin_does() {
    let mut trades = 0;
    for_seeds(400, |rng| {
        let mut pair = Pair::new(rng);
        for _ in 0..1_000 {
            pair.step(rng);
            pair.model.assert_equal(&pair.ledger);
        }
        trades += pair.trades;
    });
    assert!(
        20_000 < trades,
        "the streams must trade, but did so only {trades} times"
    );
}

#[test]
fn one_stream_of_verbs_gives_one_state() {
    for_seeds(20, |rng| {
        let seed = rng.next();
        let [first, second] = [(); 2].map(|()| {
            let rng = &mut Rng::new(seed);
            let mut pair = Pair::new(rng);
            (0..200).for_each(|_| pair.step(rng));
            pair.ledger
        });
        assert_eq!(first.state_hash(), second.state_hash());
        assert_eq!(first.state_root(), second.state_root());
    });
}

#[test]
fn no_sequence_of_tiny_trades_makes_a_profit() {
    for_seeds(300, |rng| {
        let market = market(0, 1, (1 + rng.below(3), 1 + rng.below(3)), rng.pick(&RATES));
        let funds: &[u128] = &[1 << 30, 1 << 30];
        let mut ledger = Ledger::from_genesis(&genesis(2, &[funds; 3]));
        let mut totals = traders_total(&ledger);
        for _ in 0..500 {
            let trade = Trade {
                taker_side: rng.pick(&Side::BOTH),
                price: Ticks::new(1 + rng.below(8)),
                quantity: BaseLots::new(1 + rng.below(16)),
                maker: account(rng.below(3) as u32),
                taker: account(rng.below(3) as u32),
            };
            let (pays, amount) = match trade.taker_side {
                Side::Bid => (market.base, market.factors.base(trade.quantity)),
                Side::Ask => (
                    market.quote,
                    market.factors.notional(trade.price, trade.quantity),
                ),
            };
            ledger.hold(trade.maker, pays, amount).unwrap();
            ledger.settle(&market, &trade);
            let after = traders_total(&ledger);
            assert!(after[0] <= totals[0] && after[1] <= totals[1], "{trade:?}");
            totals = after;
        }
        assert_eq!(ledger.check_conservation(), Ok(()));
    });
}

fn traders_total(ledger: &Ledger) -> [u128; 2] {
    [0, 1].map(|number| {
        let of = |who| ledger.balance(account(who), asset(number));
        (0..3)
            .map(|who| of(who).free.get() + of(who).held.get())
            .sum()
    })
}

#[test]
fn splitting_an_order_never_saves_a_fee() {
    for_seeds(2_000, |rng| {
        let parts: Vec<u128> = (0..1 + rng.below(16)).map(|_| rng.up_to(40_000)).collect();
        let whole = parts.iter().sum();
        let charge = rate(rng.below(100_001) as i32);
        let rebate = rate(-(rng.below(100_001) as i32));
        let charged = |amount| charge.charge_rounded_up(atoms(amount)).get();
        let returned = |amount| rebate.magnitude_rounded_down(atoms(amount)).get();
        assert!(charged(whole) <= parts.iter().copied().map(charged).sum());
        assert!(parts.iter().copied().map(returned).sum::<u128>() <= returned(whole));
    });
}
