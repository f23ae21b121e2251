//! What each command means, step by step: one line a step, the expected result beside it.

#![allow(clippy::unwrap_used)] // Test support: a panic is a failed test.

mod common;

use common::{Signer, poor_genesis};
use engine::State;
use engine::sequencer::Sequencer;
use types::command::{Cancel, CancelScope, OrderKind, Place, SelfTrade, Transfer};
use types::limits::{PRICE_TICKS_MAX, QUANTITY_LOTS_MAX};
use types::outcome::{BlockOutcome, FrameVerdict};
use types::{
    AccountId, AssetId, Atoms, BaseLots, ClientOrderId, Command, LogTime, MarketId, OrderId,
    RejectReason, SequenceNumber, Side, Ticks,
};

const GTC: OrderKind = OrderKind::GTC;
const IOC: OrderKind = OrderKind::IOC;
const FOK: OrderKind = OrderKind::FOK;
const POST: OrderKind = OrderKind::POST_ONLY;

const fn order(
    side: Side,
    price: u64,
    quantity: u64,
    kind: OrderKind,
    label: u64,
) -> Command<'static> {
    Command::Place(Place {
        market: MarketId::new(0),
        side,
        kind,
        price: Ticks::new(price),
        quantity: BaseLots::new(quantity),
        client_order_id: ClientOrderId::new(label),
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

const fn bid(price: u64, quantity: u64, kind: OrderKind) -> Command<'static> {
    order(Side::Bid, price, quantity, kind, 0)
}

const fn ask(price: u64, quantity: u64, kind: OrderKind) -> Command<'static> {
    order(Side::Ask, price, quantity, kind, 0)
}

const fn cancel_at(sequence: u64) -> Command<'static> {
    let sequence = SequenceNumber::new(sequence);
    let order_id = OrderId::new_at(sequence, MarketId::new(0), 0);
    Command::Cancel(Cancel::Order(order_id))
}

const fn cancel_label(label: u64) -> Command<'static> {
    Command::Cancel(Cancel::Client {
        market: MarketId::new(0),
        client_order_id: ClientOrderId::new(label),
        remember_until: LogTime::ZERO,
    })
}

fn transfer(to: u32, asset: u16, amount: u128) -> Command<'static> {
    Command::Transfer(Transfer {
        to: AccountId::new(to),
        asset: AssetId::new(asset),
        amount: Atoms::new(amount),
    })
}

/// What a step must say: fills and lots of the receipt, or the reject.
type Expected = Result<(u32, u64), RejectReason>;

/// Runs steps of (account, command, expected), each as a frame and a block of its own: the n-th step
/// has sequence number n.
fn check(steps: &[(u32, Command<'_>, Expected)]) -> State {
    let genesis = poor_genesis();
    let mut state = State::from_genesis(&genesis, 0);
    let mut signer = Signer::new(&genesis);
    let mut sequencer = Sequencer::after(state.position());
    let mut outcome = BlockOutcome::default();
    for (step, (account, command, expected)) in steps.iter().enumerate() {
        sequencer.push(signer.frame(*account, &[*command]), LogTime::ZERO);
        let block = sequencer.seal().unwrap();
        engine::sequential::execute(&mut state, &block, &mut outcome);
        state.assert_invariants();
        let receipt = &outcome.receipts[0];
        assert_eq!(receipt.sequence().get(), step as u64 + 1);
        let result = match receipt.reject_reason() {
            None => Ok((receipt.affected(), receipt.lots().get())),
            Some(reason) => {
                assert!(outcome.events.is_empty(), "a reject has no effect");
                Err(reason)
            }
        };
        assert_eq!(result, *expected, "step {}: {command:?}", step + 1);
    }
    state
}

#[test]
fn orders_meet_by_price_then_time() {
    check(&[
        (0, ask(101, 10, GTC), Ok((0, 0))),
        (1, ask(100, 10, GTC), Ok((0, 0))),
        (2, ask(100, 10, GTC), Ok((0, 0))),
        (3, bid(100, 15, GTC), Ok((2, 15))),
        (3, cancel_at(4), Err(RejectReason::OrderNotFound)),
        (1, cancel_at(2), Err(RejectReason::OrderNotFound)),
        (3, bid(101, 20, GTC), Ok((2, 15))),
        (3, cancel_at(7), Ok((1, 5))),
    ]);
}

#[test]
fn time_in_force_says_what_becomes_of_the_rest() {
    check(&[
        (0, ask(100, 10, GTC), Ok((0, 0))),
        (1, bid(99, 5, IOC), Ok((0, 0))),
        (1, bid(100, 4, IOC), Ok((1, 4))),
        (1, bid(100, 7, FOK), Err(RejectReason::NotFillable)),
        (1, bid(100, 6, FOK), Ok((1, 6))),
        (1, bid(100, 1, FOK), Err(RejectReason::NotFillable)),
        (1, bid(100, 1, POST), Ok((0, 0))),
        (0, ask(100, 1, POST), Err(RejectReason::WouldCross)),
        (0, ask(101, 1, POST), Ok((0, 0))),
    ]);
}

#[test]
fn every_field_has_its_reject_in_order_of_precedence() {
    let unknown = Command::Place(Place {
        market: MarketId::new(2),
        side: Side::Bid,
        kind: GTC,
        price: Ticks::ZERO,
        quantity: BaseLots::ZERO,
        client_order_id: ClientOrderId::NONE,
        self_trade: SelfTrade::Allow,
        trigger: None,
    });
    let too_high = PRICE_TICKS_MAX + 1;
    let too_large = QUANTITY_LOTS_MAX + 1;
    check(&[
        (0, unknown, Err(RejectReason::UnknownMarket)),
        (0, bid(0, 0, GTC), Err(RejectReason::ZeroPrice)),
        (0, bid(too_high, 0, GTC), Err(RejectReason::PriceTooHigh)),
        (0, bid(u64::MAX, 0, GTC), Err(RejectReason::PriceTooHigh)),
        (0, bid(1, 0, GTC), Err(RejectReason::ZeroQuantity)),
        (
            0,
            bid(1, too_large, GTC),
            Err(RejectReason::QuantityTooLarge),
        ),
        (
            0,
            bid(1, u64::MAX, GTC),
            Err(RejectReason::QuantityTooLarge),
        ),
        (
            0,
            bid(PRICE_TICKS_MAX, QUANTITY_LOTS_MAX, GTC),
            Err(RejectReason::InsufficientFunds),
        ),
        (0, order(Side::Bid, 1, 1, GTC, 9), Ok((0, 0))),
        (
            0,
            order(Side::Bid, 1, 1, GTC, 9),
            Err(RejectReason::DuplicateClientOrderId),
        ),
        (1, order(Side::Bid, 1, 1, GTC, 9), Ok((0, 0))),
        (0, cancel_label(8), Err(RejectReason::OrderNotFound)),
        (0, cancel_label(9), Ok((1, 1))),
        (0, cancel_label(9), Err(RejectReason::OrderNotFound)),
        (0, cancel_at(11), Err(RejectReason::OrderNotFound)),
        (1, cancel_at(11), Ok((1, 1))),
    ]);
}

/// 3,000,000 atoms of each asset; a lot of BTC is 100 atoms, a tick-lot is 1 atom of USD.
#[test]
fn funds_are_held_by_the_products_that_settle() {
    let state = check(&[
        (
            0,
            ask(100, 30_001, GTC),
            Err(RejectReason::InsufficientFunds),
        ),
        (0, ask(100, 30_000, GTC), Ok((0, 0))),
        (0, ask(100, 1, GTC), Err(RejectReason::InsufficientFunds)),
        (
            1,
            bid(101, 29_703, GTC),
            Err(RejectReason::InsufficientFunds),
        ),
        (1, bid(101, 29_702, IOC), Ok((1, 29_702))),
    ]);
    let balance = |account, asset| {
        let balance = state
            .ledger()
            .balance(AccountId::new(account), AssetId::new(asset));
        (balance.free.get(), balance.held.get())
    };
    // Sold 29,702 lots at 100 = 2,970,200 USD atoms, less 100 ppm rounded up.
    assert_eq!(balance(0, 2), (3_000_000 + 2_970_200 - 298, 0));
    assert_eq!(balance(0, 0), (0, 29_800));
    // Paid the maker's price, received 2,970,200 BTC atoms less 300 ppm rounded up.
    assert_eq!(balance(1, 2), (3_000_000 - 2_970_200, 0));
    assert_eq!(balance(1, 0), (3_000_000 + 2_970_200 - 892, 0));
}

#[test]
fn cancel_all_keeps_to_its_scope() {
    let all = |market: Option<u16>, side| {
        Command::CancelAll(CancelScope {
            market: market.map(MarketId::new),
            side,
            prices: None,
        })
    };
    check(&[
        (0, bid(10, 1, GTC), Ok((0, 0))),
        (0, bid(11, 1, GTC), Ok((0, 0))),
        (0, ask(20, 1, GTC), Ok((0, 0))),
        (1, bid(10, 1, GTC), Ok((0, 0))),
        (0, all(Some(1), None), Ok((0, 0))),
        (0, all(Some(2), None), Err(RejectReason::UnknownMarket)),
        (0, all(Some(0), Some(Side::Ask)), Ok((1, 0))),
        (0, all(None, None), Ok((2, 0))),
        (0, all(None, None), Ok((0, 0))),
        (1, cancel_at(4), Ok((1, 1))),
    ]);
}

#[test]
fn transfers_move_free_funds_only() {
    check(&[
        (0, transfer(9, 0, 1), Err(RejectReason::UnknownAccount)),
        (
            0,
            transfer(u32::MAX, 0, 1),
            Err(RejectReason::UnknownAccount),
        ),
        (0, transfer(1, 9, 1), Err(RejectReason::UnknownAsset)),
        (0, transfer(1, 0, 0), Err(RejectReason::ZeroQuantity)),
        (
            0,
            transfer(1, 0, u128::MAX),
            Err(RejectReason::QuantityTooLarge),
        ),
        (0, transfer(0, 0, 1), Err(RejectReason::SelfTransfer)),
        (0, ask(100, 1, GTC), Ok((0, 0))),
        (
            0,
            transfer(1, 0, 2_999_901),
            Err(RejectReason::InsufficientFunds),
        ),
        (0, transfer(1, 0, 2_999_900), Ok((0, 0))),
    ]);
}

#[test]
fn a_self_trade_conserves_funds() {
    check(&[
        (0, ask(100, 10, GTC), Ok((0, 0))),
        (0, bid(100, 10, GTC), Ok((1, 10))),
        (0, cancel_at(1), Err(RejectReason::OrderNotFound)),
    ]);
}

#[test]
fn frames_are_judged_by_nonce_expiry_and_epoch() {
    let genesis = poor_genesis();
    let mut state = State::from_genesis(&genesis, 0);
    let mut signer = Signer::new(&genesis);
    let mut sequencer = Sequencer::after(state.position());
    let mut outcome = BlockOutcome::default();
    let one = [bid(1, 1, GTC)];
    let two = [bid(2, 1, GTC), bid(2, 2, GTC)];
    let second = 1_000_000_000;
    let first = signer.frame_with(0, 5, 0, &one);
    // (frame, clock in seconds, expected verdict)
    let repeated = |sequence| FrameVerdict::Repeated {
        first_sequence: SequenceNumber::new(sequence),
    };
    let refused = FrameVerdict::Refused;
    let steps = [
        (first.clone(), 1, FrameVerdict::Executed), // tick 1, command 2
        (first, 1, repeated(2)),
        (
            signer.frame_with(0, 5, 0, &two),
            1,
            refused(RejectReason::NonceReused),
        ),
        (signer.frame_with(1, 5, 0, &two), 1, FrameVerdict::Executed),
        (signer.frame_with(0, 3, 0, &one), 1, FrameVerdict::Executed),
        (
            signer.frame_with(0, 5_000, 0, &one),
            1,
            FrameVerdict::Executed,
        ),
        (
            signer.frame_with(0, 3_976, 0, &one),
            1,
            refused(RejectReason::NonceTooOld),
        ),
        (
            signer.frame_with(0, 3_977, 0, &one),
            1,
            FrameVerdict::Executed,
        ),
        (
            signer.frame_with(2, 1, 2 * second, &one),
            2,
            FrameVerdict::Executed,
        ),
        (
            signer.frame_with(2, 2, 2 * second, &one),
            3,
            refused(RejectReason::Expired),
        ),
        (signer.frame_with(2, 2, 0, &one), 3, FrameVerdict::Executed),
        (signer.frame_with(2, 1, 2 * second, &one), 4, repeated(13)),
    ];
    for (step, (frame, seconds, expected)) in steps.into_iter().enumerate() {
        sequencer.push(frame, LogTime::new(seconds * second));
        let block = sequencer.seal().unwrap();
        engine::sequential::execute(&mut state, &block, &mut outcome);
        state.assert_invariants();
        let verdict = outcome.frames[0].verdict;
        assert_eq!(
            verdict, expected,
            "step {step}, at {:?}",
            block.first_sequence
        );
        let executed = verdict == FrameVerdict::Executed;
        assert_eq!(!outcome.receipts.is_empty(), executed);
    }
}
