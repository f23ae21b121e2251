//! Replies as lines of JSON: each kind of answer, and what it must not tell.

use types::command::{OrderKind, Place, Resting, SetMarketStatus, StopLeg, Trigger};
use types::genesis::{MarketLimits, PriceBand, development};
use types::outcome::{Done, DoneReason, Fill, Party, Receipt, RestingTaker, Triggered};
use types::wire::ack::StageTimes;
use types::{Atoms, BaseLots, LogTime, Ticks};

use super::*;

const SEQUENCE: SequenceNumber = SequenceNumber::new(9);
const MARKET: MarketId = MarketId::new(0);

fn reference() -> Reference {
    Reference::of(&development())
}

fn party(order_id: OrderId) -> Party {
    Party {
        account: AccountId::new(1),
        order_id,
        client_order_id: ClientOrderId::new(7),
    }
}

/// An order that was there before.
fn earlier() -> OrderId {
    OrderId::new_at(SequenceNumber::new(3), MARKET, 0)
}

fn own() -> OrderId {
    OrderId::new_at(SEQUENCE, MARKET, 0)
}

fn report(taker: OrderId, role: Role) -> FillReport {
    FillReport::new(&traded(taker, None), role)
}

fn traded(taker: OrderId, auction: Option<RestingTaker>) -> Fill {
    Fill {
        sequence: SEQUENCE,
        market: MARKET,
        taker_side: Side::Bid,
        price: Ticks::new(10_050),
        quantity: BaseLots::new(250_000),
        maker: party(earlier()),
        taker: party(taker),
        maker_remaining: BaseLots::new(500_000),
        maker_refreshed: false,
        auction,
        maker_fee: -50_000_000,
        taker_fee: Atoms::new(1),
    }
}

fn place() -> Command<'static> {
    Command::Place(Place {
        market: MARKET,
        side: Side::Bid,
        kind: OrderKind::GTC,
        price: Ticks::new(10_050),
        quantity: BaseLots::new(250_000),
        client_order_id: ClientOrderId::new(7),
        self_trade: SelfTrade::Allow,
        trigger: None,
    })
}

fn replace(target: OrderTarget) -> Command<'static> {
    Command::Replace(types::command::Replace {
        target,
        price: Ticks::new(1),
        quantity: BaseLots::new(1),
        may_take: true,
        self_trade: SelfTrade::Allow,
    })
}

fn by_label(label: u64) -> OrderTarget {
    OrderTarget::Client {
        market: MARKET,
        client_order_id: ClientOrderId::new(label),
    }
}

fn accepted(affected: u32, lots: u64) -> CommandOutcome {
    let lots = BaseLots::new(lots);
    CommandOutcome::from(&Receipt::accepted(SEQUENCE, affected, lots))
}

fn rejected(reason: RejectReason) -> CommandOutcome {
    CommandOutcome::from(&Receipt::rejected(SEQUENCE, reason))
}

fn ack(outcomes: &[CommandOutcome]) -> Ack<'_> {
    Ack {
        nonce: Nonce::new(4),
        first_sequence: SEQUENCE,
        times: StageTimes::default(),
        repeated: false,
        refused: None,
        outcomes,
    }
}

/// Every field that is expected must be there, and every one that is null must not.
fn check(reply: &Value, expected: &Value) {
    for (name, value) in expected.as_object().unwrap() {
        let found = reply.get(name).unwrap_or(&Value::Null);
        assert_eq!(found, value, "{name} of {reply}");
    }
}

#[test]
fn a_reply_tells_what_its_own_order_took_and_nothing_else() {
    let by_id = OrderTarget::Order(earlier());
    for (command, taker, role, told) in [
        (place(), own(), Role::Taker, true),
        (place(), own(), Role::Maker, false),
        (place(), earlier(), Role::Taker, false),
        (replace(by_id), earlier(), Role::Taker, true),
        (replace(by_id), own(), Role::Taker, false),
        (replace(by_label(7)), earlier(), Role::Taker, true),
        (replace(by_label(8)), earlier(), Role::Taker, false),
        (replace(by_label(7)), earlier(), Role::Maker, false),
    ] {
        let fill = report(taker, role);
        let found = told_by_reply(&command, SEQUENCE, &fill);
        assert_eq!(found, told, "{command:?} {taker} {role:?}");
        assert!(!told_by_reply(&command, SEQUENCE.next(), &fill));
    }
}

#[test]
fn an_answer_fits_its_command() {
    let reference = &reference();
    let level = types::command::QuoteLevel::new(Ticks::new(1), BaseLots::new(1));
    let quotes = Command::QuoteSet(QuoteSet {
        market: MARKET,
        number: 1,
        bids: &[level, level],
        asks: &[level],
    });
    let everything = Command::CancelAll(types::command::CancelScope::EVERYTHING);
    let first = SEQUENCE.get() << 16;
    for (command, outcome, expected) in [
        (
            place(),
            accepted(2, 250_000),
            json!({"status": "accepted", "order_id": first, "filled": "0.25", "fills": [1]}),
        ),
        (
            replace(by_label(7)),
            accepted(1, 500_000),
            json!({"status": "accepted", "order_id": null, "filled": "0.5", "fills": [1]}),
        ),
        (
            quotes,
            accepted(3, 0),
            json!({"new_order_ids": {"bids": [first, first + 1], "asks": [first + 32]}}),
        ),
        (
            everything,
            accepted(5, 0),
            json!({"cancelled": 5, "fills": null}),
        ),
        (
            Command::SetMarketStatus(SetMarketStatus {
                market: MARKET,
                status: MarketStatus::Open,
            }),
            accepted(2, 250_000),
            json!({"trades": 2, "traded": "0.25", "fills": null}),
        ),
        (
            place(),
            rejected(RejectReason::WouldCross),
            json!({"status": "rejected", "reason": "WOULD_CROSS", "order_id": null}),
        ),
    ] {
        let outcomes = [outcome];
        let reply = executed(reference, &ack(&outcomes), &command, vec![json!(1)]);
        check(&reply, &expected);
        check(
            &reply,
            &json!({"sequence": 9, "nonce": 4, "repeated": null}),
        );
    }
}

#[test]
fn a_nonce_tells_every_outcome() {
    let outcomes = [accepted(2, 5), rejected(RejectReason::ZeroPrice)];
    let repeated = Ack {
        repeated: true,
        ..ack(&outcomes)
    };
    let listed = json!([{"affected": 2, "lots": 5}, {"reason": "ZERO_PRICE"}]);
    let expected = json!({"status": "accepted", "outcomes": listed, "repeated": true});
    let reply = outcome(&repeated, None);
    check(&reply, &expected);
    check(&reply, &json!({"order_id": null}));
    let reply = outcome(&repeated, Some(MARKET));
    check(&reply, &expected);
    check(&reply, &json!({"order_id": SEQUENCE.get() << 16}));

    let refused = Ack {
        refused: Some(RejectReason::Expired),
        ..ack(&[])
    };
    let expected =
        json!({"status": "rejected", "reason": "EXPIRED", "order_id": null, "outcomes": null});
    check(&outcome(&refused, Some(MARKET)), &expected);
    let unknown = json!({"status": "unknown", "nonce": 4});
    check(&unknown_nonce(Nonce::new(4)), &unknown);
}

#[test]
fn events_say_what_happened_to_which_order() {
    let reference = &reference();
    let fill = fill_event(reference, &report(own(), Role::Maker)).unwrap();
    let expected = json!({
        "event": "fill", "role": "maker", "side": "ask", "market": "BTC-USD",
        "order_id": earlier().get(), "client_order_id": 7, "price": "100.5",
        "quantity": "0.25", "remaining": "0.5", "fee": "-0.5", "fee_asset": "BTC",
    });
    check(&fill, &expected);
    check(&fill, &json!({"auction": null}));
    let fill = fill_event(reference, &report(own(), Role::Taker)).unwrap();
    check(
        &fill,
        &json!({"role": "taker", "remaining": null, "auction": null}),
    );
    let auction = RestingTaker {
        remaining: BaseLots::new(1_000_000),
        refreshed: false,
    };
    let auction = traded(own(), Some(auction));
    for (role, remaining) in [(Role::Maker, "0.5"), (Role::Taker, "1")] {
        let fill = fill_event(reference, &FillReport::new(&auction, role)).unwrap();
        let expected = json!({"role": role.name(), "remaining": remaining, "auction": true});
        check(&fill, &expected);
    }
    let done = |reason| {
        EndedReport::from(&Done {
            sequence: SEQUENCE,
            market: MARKET,
            side: Side::Bid,
            reason,
            price: Ticks::new(10_050),
            remaining: BaseLots::new(250_000),
            owner: party(earlier()),
            held: true,
        })
    };
    let triggered = EndedReport::from(&Triggered {
        sequence: SEQUENCE,
        market: MARKET,
        side: Side::Bid,
        price: Ticks::new(10_050),
        quantity: BaseLots::new(500_000),
        owner: party(earlier()),
    });
    for (report, reason, quantity, remaining) in [
        (done(DoneReason::Expired), "expired", "0.25", "0"),
        (done(DoneReason::SelfTrade), "self_trade", "0.25", "0"),
        (done(DoneReason::Unfilled), "unfilled", "0.25", "0"),
        (done(DoneReason::Protection), "protection", "0.25", "0"),
        (triggered, "triggered", "0", "0.5"),
    ] {
        let expected = json!({
            "event": "ended", "reason": reason, "sequence": 9, "side": "bid",
            "order_id": earlier().get(), "client_order_id": 7, "market": "BTC-USD",
            "price": "100.5", "quantity": quantity, "remaining": remaining,
        });
        check(&ended_event(reference, &report).unwrap(), &expected);
    }
}

#[test]
fn an_open_order_shows_only_what_it_has() {
    let plain = OpenOrder {
        order_id: earlier(),
        client_order_id: ClientOrderId::NONE,
        market: MARKET,
        side: Side::Bid,
        price: Ticks::new(10_050),
        remaining: BaseLots::new(250_000),
        resting: Resting::PLAIN,
        trigger: None,
    };
    let rich = OpenOrder {
        resting: Resting {
            expires_at: LogTime::new(5),
            display: BaseLots::new(100_000),
            stop: Some(StopLeg {
                trigger: Ticks::new(20_000),
                limit: Ticks::new(20_050),
                self_trade: SelfTrade::CancelMaker,
            }),
            protected: true,
        },
        trigger: Some(Trigger {
            condition: TriggerCondition::TakeProfit,
            price: Ticks::new(100),
        }),
        ..plain
    };
    let account = AccountId::new(1);
    let reply = orders(&reference(), account, SEQUENCE, &[plain, rich]);
    check(
        &reply,
        &json!({"status": "accepted", "account": 1, "sequence": 9}),
    );
    let nothing = json!({
        "display": null, "expires_at": null, "trigger": null, "stop": null, "protected": null,
    });
    check(&reply["orders"][0], &nothing);
    let trigger = json!({"condition": "take_profit", "price": "1"});
    let stop = json!({"trigger": "200", "limit": "200.5", "stp": "cancel_maker"});
    let everything = json!({
        "display": "0.1", "expires_at": 5, "trigger": trigger, "stop": stop, "protected": true,
    });
    check(&reply["orders"][1], &everything);
}

#[test]
fn a_market_shows_only_the_limits_that_it_has() {
    let mut reference = reference();
    reference.markets[1].limits = MarketLimits {
        notional_min: Atoms::new(500_000_000),
        open_orders_max: 100,
        band: Some(PriceBand {
            width_ppm: 50_000,
            interval_ms: 0,
        }),
        status: MarketStatus::PostOnly,
    };
    let reply = markets(&reference);
    let nothing = json!({
        "market": "BTC-USD", "min_notional": null, "max_open_orders": null,
        "price_band_ppm": null, "price_band_interval_ms": null, "first_status": null,
    });
    check(&reply["markets"][0], &nothing);
    let everything = json!({
        "market": "ETH-USD", "min_notional": "5", "max_open_orders": 100,
        "price_band_ppm": 50_000, "price_band_interval_ms": 0, "first_status": "post_only",
    });
    check(&reply["markets"][1], &everything);
}

#[test]
fn a_market_tells_its_auction_while_there_is_one() {
    let reference = &reference();
    let quiet = MarketState {
        market: MARKET,
        status: MarketStatus::Halted,
        last: None,
        indicative: None,
    };
    let auction = |surplus| MarketState {
        status: MarketStatus::Auction,
        last: Some(Ticks::new(10_050)),
        indicative: Some(IndicativePrice {
            price: Ticks::new(10_100),
            volume: 250_000,
            surplus,
        }),
        ..quiet
    };
    for (state, expected) in [
        (
            quiet,
            json!({"market_status": "halted", "last": null, "indicative": null}),
        ),
        (
            auction(0),
            json!({"market_status": "auction", "last": "100.5",
                "indicative": {"price": "101", "quantity": "0.25"}}),
        ),
        (
            auction(500_000),
            json!({"indicative": {"price": "101", "quantity": "0.25",
                "surplus": {"side": "bid", "quantity": "0.5"}}}),
        ),
        (
            auction(-1),
            json!({"indicative": {"price": "101", "quantity": "0.25",
                "surplus": {"side": "ask", "quantity": "0.000001"}}}),
        ),
    ] {
        let reply = market_state(reference, SEQUENCE, MARKET, &[state]).unwrap();
        check(&reply, &expected);
        let head = json!({"status": "accepted", "sequence": 9, "market": "BTC-USD"});
        check(&reply, &head);
    }
    let elsewhere = market_state(reference, SEQUENCE, MarketId::new(1), &[quiet]);
    assert_eq!(elsewhere, None);
}
