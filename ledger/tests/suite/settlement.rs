//! Tables of single trades: who ends with what, in whole atoms.

use ledger::{Balance, Fees, InsufficientFunds, Ledger, Trade};
use types::limits::ATOMS_MAX;
use types::{AccountId, Atoms, BaseLots, Side, Ticks};

use crate::common::{account, asset, atoms, genesis, market};

const MAKER: AccountId = account(0);
const TAKER: AccountId = account(1);
const BASE: u16 = 0;
const QUOTE: u16 = 1;
const FUNDS: u128 = 1_000_000;

/// One trade at 10 ticks. Columns: maker and taker rate; taker side; lots; then the changes of
/// maker base, maker quote, taker base, taker quote; then base and quote of fees and dust; then
/// what the trade says it cost maker and taker.
struct Row {
    rates: (i32, i32),
    taker_side: Side,
    lots: u64,
    maker: (i128, i128),
    taker: (i128, i128),
    fees: (u128, u128),
    dust: (u128, u128),
    cost: (i128, u128),
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    // Free of charge: both sides get exactly what the other pays.
    Row { rates: (0, 0), taker_side: Side::Bid, lots: 7, maker: (-7, 70), taker: (7, -70), fees: (0, 0), dust: (0, 0), cost: (0, 0) },
    Row { rates: (0, 0), taker_side: Side::Ask, lots: 7, maker: (7, -70), taker: (-7, 70), fees: (0, 0), dust: (0, 0), cost: (0, 0) },
    // 1 % and 2 % of round amounts: no dust.
    Row { rates: (10_000, 20_000), taker_side: Side::Bid, lots: 1_000, maker: (-1_000, 9_900), taker: (980, -10_000), fees: (20, 100), dust: (0, 0), cost: (100, 20) },
    Row { rates: (10_000, 20_000), taker_side: Side::Ask, lots: 1_000, maker: (990, -10_000), taker: (-1_000, 9_800), fees: (10, 200), dust: (0, 0), cost: (10, 200) },
    // Amounts that do not divide: the charge rounds up, and the atom it gains is dust.
    Row { rates: (10_000, 20_000), taker_side: Side::Bid, lots: 1_001, maker: (-1_001, 9_909), taker: (980, -10_010), fees: (20, 100), dust: (1, 1), cost: (101, 21) },
    Row { rates: (10_000, 20_000), taker_side: Side::Ask, lots: 1_049, maker: (1_038, -10_490), taker: (-1_049, 10_280), fees: (10, 209), dust: (1, 1), cost: (11, 210) },
    // A single atom is worth less than any fee: all of it is dust.
    Row { rates: (1, 1), taker_side: Side::Bid, lots: 1, maker: (-1, 9), taker: (0, -10), fees: (0, 0), dust: (1, 1), cost: (1, 1) },
    // The highest rates.
    Row { rates: (100_000, 100_000), taker_side: Side::Bid, lots: 1, maker: (-1, 9), taker: (0, -10), fees: (0, 1), dust: (1, 0), cost: (1, 1) },
    // Rebates are in the asset that the taker receives, and rounded down.
    Row { rates: (-10_000, 20_000), taker_side: Side::Bid, lots: 1_000, maker: (-990, 10_000), taker: (980, -10_000), fees: (10, 0), dust: (0, 0), cost: (-10, 20) },
    Row { rates: (-10_000, 20_000), taker_side: Side::Ask, lots: 1_000, maker: (1_000, -9_900), taker: (-1_000, 9_800), fees: (0, 100), dust: (0, 0), cost: (-100, 200) },
    Row { rates: (-10_000, 10_000), taker_side: Side::Bid, lots: 1_099, maker: (-1_089, 10_990), taker: (1_088, -10_990), fees: (0, 0), dust: (1, 0), cost: (-10, 11) },
    Row { rates: (-20_000, 20_000), taker_side: Side::Bid, lots: 49, maker: (-49, 490), taker: (48, -490), fees: (0, 0), dust: (1, 0), cost: (0, 1) },
    Row { rates: (-100_000, 100_000), taker_side: Side::Ask, lots: 3, maker: (3, -27), taker: (-3, 27), fees: (0, 0), dust: (0, 0), cost: (-3, 3) },
];

#[test]
fn every_atom_of_a_trade_has_a_place() {
    for (line, row) in ROWS.iter().enumerate() {
        let mut ledger = Ledger::from_genesis(&genesis(2, &[&[FUNDS, FUNDS], &[FUNDS, FUNDS]]));
        let cost = trade(&mut ledger, row, MAKER, TAKER);
        let expected = Fees {
            maker_fee: row.cost.0,
            taker_fee: atoms(row.cost.1),
        };
        assert_eq!(cost, expected, "line {line}");
        for (who, change) in [(MAKER, row.maker), (TAKER, row.taker)] {
            let found = [BASE, QUOTE].map(|number| ledger.balance(who, asset(number)));
            let free = [change.0, change.1].map(|change| free(FUNDS.strict_add_signed(change)));
            assert_eq!(found, free, "line {line} account {who}");
        }
        check_venue(&ledger, row, line);
    }
}

#[test]
fn an_account_may_trade_with_itself() {
    for (line, row) in ROWS.iter().enumerate() {
        let mut ledger = Ledger::from_genesis(&genesis(2, &[&[FUNDS, FUNDS]]));
        trade(&mut ledger, row, MAKER, MAKER);
        let found = [BASE, QUOTE].map(|number| ledger.balance(MAKER, asset(number)));
        let changes = [row.maker.0 + row.taker.0, row.maker.1 + row.taker.1];
        let expected = changes.map(|change| free(FUNDS.strict_add_signed(change)));
        assert_eq!(found, expected, "line {line}");
        check_venue(&ledger, row, line);
    }
}

#[test]
fn partial_fills_use_up_a_hold_exactly() {
    let market = market(BASE, QUOTE, (3, 7), (10_000, 20_000));
    for taker_side in Side::BOTH {
        let mut ledger = Ledger::from_genesis(&genesis(2, &[&[FUNDS, FUNDS], &[FUNDS, FUNDS]]));
        let (price, lots) = (Ticks::new(11), BaseLots::new(100));
        let (held_asset, amount) = match taker_side {
            Side::Bid => (asset(BASE), market.factors.base(lots)),
            Side::Ask => (asset(QUOTE), market.factors.notional(price, lots)),
        };
        ledger.hold(MAKER, held_asset, amount).unwrap();
        for lots in [1, 30, 2, 67] {
            let trade = Trade {
                taker_side,
                price,
                quantity: BaseLots::new(lots),
                maker: MAKER,
                taker: TAKER,
            };
            ledger.settle(&market, &trade);
        }
        assert_eq!(ledger.balance(MAKER, held_asset).held, Atoms::ZERO);
        ledger.assert_conserved();
        assert_eq!(ledger.check_conservation(), Ok(()));
    }
}

#[test]
fn the_whole_supply_can_change_hands() {
    // 2^31 x 2^32 x 2^32 quote atoms are the whole supply plus one, so leave out one tick.
    let factor = 1 << 32;
    let market = market(BASE, QUOTE, (1, factor), (-100_000, 100_000));
    let whole: &[u128] = &[ATOMS_MAX, 0];
    let mut ledger = Ledger::from_genesis(&genesis(2, &[whole, &[0, ATOMS_MAX]]));
    let trade = Trade {
        taker_side: Side::Bid,
        price: Ticks::new((1 << 31) - 1),
        quantity: BaseLots::new(1 << 32),
        maker: MAKER,
        taker: TAKER,
    };
    ledger.hold(MAKER, asset(BASE), atoms(ATOMS_MAX)).unwrap();
    let cost = ledger.settle(&market, &trade);
    let base = 1u128 << 64;
    let quote = ((1 << 31) - 1) * base;
    assert_eq!(cost.taker_fee, atoms(base.div_ceil(10)));
    assert_eq!(cost.maker_fee, -i128::try_from(base / 10).unwrap());
    assert_eq!(ledger.balance(MAKER, asset(QUOTE)), free(quote));
    assert_eq!(ledger.balance(TAKER, asset(QUOTE)), free(ATOMS_MAX - quote));
    assert_eq!(ledger.dust(asset(BASE)), atoms(1));
    ledger.assert_conserved();
    assert_eq!(ledger.check_conservation(), Ok(()));
}

#[test]
fn holds_and_transfers_stop_at_what_is_free() {
    let mut ledger = Ledger::from_genesis(&genesis(1, &[&[100], &[0]]));
    let only = asset(0);
    let before = ledger.state_hash();
    assert_eq!(ledger.hold(MAKER, only, atoms(101)), Err(InsufficientFunds));
    assert_eq!(ledger.hold(TAKER, only, atoms(1)), Err(InsufficientFunds));
    let refused = ledger.transfer(MAKER, TAKER, only, atoms(101));
    assert_eq!(refused, Err(InsufficientFunds));
    assert_eq!(ledger.state_hash(), before);

    ledger.hold(MAKER, only, atoms(60)).unwrap();
    let refused = ledger.transfer(MAKER, TAKER, only, atoms(41));
    assert_eq!(refused, Err(InsufficientFunds));
    ledger.transfer(MAKER, TAKER, only, atoms(40)).unwrap();
    ledger.release(MAKER, only, atoms(10));
    ledger.transfer(MAKER, MAKER, only, atoms(10)).unwrap();
    let expected = Balance {
        free: atoms(10),
        held: atoms(50),
    };
    assert_eq!(ledger.balance(MAKER, only), expected);
    assert_eq!(ledger.balance(TAKER, only), free(40));
    assert_eq!(ledger.check_conservation(), Ok(()));
}

#[test]
#[should_panic(expected = "has 9 atoms, 10 were taken")]
fn a_maker_without_a_hold_is_a_broken_invariant() {
    let mut ledger = Ledger::from_genesis(&genesis(2, &[&[FUNDS, FUNDS], &[FUNDS, FUNDS]]));
    ledger.hold(MAKER, asset(BASE), atoms(9)).unwrap();
    let trade = Trade {
        taker_side: Side::Bid,
        price: Ticks::new(1),
        quantity: BaseLots::new(10),
        maker: MAKER,
        taker: TAKER,
    };
    ledger.settle(&market(BASE, QUOTE, (1, 1), (0, 0)), &trade);
}

#[test]
#[should_panic(expected = "index out of bounds")]
fn an_unknown_asset_never_aliases_another_account() {
    let mut ledger = Ledger::from_genesis(&genesis(2, &[&[1, 1], &[1, 1]]));
    let _ = ledger.hold(MAKER, asset(2), atoms(1));
}

#[test]
fn open_orders_are_counted_per_account() {
    let mut ledger = Ledger::from_genesis(&genesis(1, &[&[1], &[1]]));
    ledger.order_opened(MAKER);
    ledger.order_opened(MAKER);
    ledger.order_opened(TAKER);
    ledger.order_closed(MAKER);
    assert_eq!(
        (ledger.open_orders(MAKER), ledger.open_orders(TAKER)),
        (1, 1)
    );
}

#[test]
#[should_panic(expected = "every order that closes was opened")]
fn closing_an_order_that_never_opened_is_a_broken_invariant() {
    Ledger::from_genesis(&genesis(1, &[&[1]])).order_closed(MAKER);
}

/// Holds for the maker as the engine would, then settles.
fn trade(ledger: &mut Ledger, row: &Row, maker: AccountId, taker: AccountId) -> Fees {
    let market = market(BASE, QUOTE, (1, 1), row.rates);
    let trade = Trade {
        taker_side: row.taker_side,
        price: Ticks::new(10),
        quantity: BaseLots::new(row.lots),
        maker,
        taker,
    };
    let (pays, amount) = match row.taker_side {
        Side::Bid => (BASE, market.factors.base(trade.quantity)),
        Side::Ask => (QUOTE, market.factors.notional(trade.price, trade.quantity)),
    };
    ledger.hold(maker, asset(pays), amount).unwrap();
    ledger.settle(&market, &trade)
}

fn check_venue(ledger: &Ledger, row: &Row, line: usize) {
    let both = [BASE, QUOTE].map(asset);
    let fees = both.map(|asset| ledger.fees(asset).get());
    let dust = both.map(|asset| ledger.dust(asset).get());
    assert_eq!((fees[0], fees[1]), row.fees, "line {line}");
    assert_eq!((dust[0], dust[1]), row.dust, "line {line}");
    for asset in both {
        assert_eq!(
            ledger.balance(AccountId::FEES, asset),
            free(ledger.fees(asset).get())
        );
        assert_eq!(
            ledger.balance(AccountId::DUST, asset),
            free(ledger.dust(asset).get())
        );
    }
    ledger.assert_conserved();
    assert_eq!(ledger.check_conservation(), Ok(()), "line {line}");
}

fn free(amount: u128) -> Balance {
    Balance {
        free: atoms(amount),
        held: Atoms::ZERO,
    }
}
