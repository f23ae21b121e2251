//! Commands of several accounts through the sequential executor, one entry a block. After each the
//! state must be sound, funds conserved, each executed command answered once, and whoever follows
//! events must have the same balances, open orders and depth as the state itself.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::request::Request;
use crate::{Reached, agreed, draw, frame};
use engine::State;
use engine::follower::Follower;
use engine::market_data::MarketData;
use engine::sequential::execute;
use matching::{BookEvent, ShownLevel, ShownOrder};
use types::auth::AuthenticFrame;
use types::block::{Block, Entry, SequencedFrame};
use types::command::{MarketStatus, StopLeg};
use types::genesis::{Genesis, GenesisAccount, MarketLimits, PriceBand, development};
use types::outcome::{BlockOutcome, DoneReason, Event, EventRecord, FrameVerdict};
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::wire::query::IndicativePrice;
use types::{
    AccountId, AssetId, Atoms, BaseLots, Command, FeeRate, GroupId, KeyEpoch, KeyId, LogTime,
    Nonce, OrderId, RejectReason, Side,
};

/// What the corpus must reach.
pub const REACHES: &[&str] = &[
    "accepted",
    "repeated",
    "refused",
    "fill",
    "refreshed",
    "rested",
    "armed",
    "triggered",
    "reduced",
    "decremented",
    "iceberg reduced",
    "transferred",
    "cancelled",
    "unfilled",
    "expired",
    "self_trade",
    "replaced",
    "WOULD_CROSS",
    "NOT_FILLABLE",
    "INSUFFICIENT_FUNDS",
    "ORDER_NOT_FOUND",
    "CANCELLED_BEFORE",
    "STALE_QUOTE_SET",
    "ALREADY_FILLED",
    "stop rested",
    "stop set off",
    "protection",
    "status changed",
    "indicative",
    "nothing to indicate",
    "fill in auction",
    "NOT_OPERATOR",
    "NOTIONAL_TOO_SMALL",
    "INVALID_DISPLAY",
    "INVALID_TRIGGER",
    "INVALID_PROTECTION",
    "MARKET_STATUS",
    "PROTECTION_TRIPPED",
    "PRICE_OUT_OF_BAND",
    "TOO_MANY_OPEN_ORDERS",
];

/// What comes next in the total order.
#[derive(Clone, Debug, Arbitrary)]
enum Operation {
    /// An account's next frame, of one command.
    One(#[arbitrary(with = draw::account)] AccountId, Request),
    /// An account's next frame, of several.
    Several(
        #[arbitrary(with = draw::account)] AccountId,
        #[arbitrary(with = requests)] Vec<Request>,
    ),
    /// The last frame comes again.
    Repeat,
    /// A frame with whatever header.
    Strange(Strange, Request),
    /// Logged time moves, or a tick comes late.
    Tick(#[arbitrary(with = draw::time)] LogTime),
}

/// A header that may not be the account's next.
#[derive(Clone, Copy, Debug, Arbitrary)]
struct Strange {
    account: u8,
    key: u8,
    epoch: bool,
    nonce: u8,
    #[arbitrary(with = draw::time_or_never)]
    expires_at: LogTime,
}

fn requests(source: &mut Unstructured<'_>) -> Result<Vec<Request>> {
    let count = 1 + u8::arbitrary(source)? % 6;
    (0..count).map(|_| source.arbitrary()).collect()
}

/// Runs one input.
pub fn run(input: &[u8]) -> Reached {
    run_on(input, &GENESIS)
}

/// `followed`: what the follower takes fees and first statuses to be.
fn run_on(input: &[u8], followed: &Genesis) -> Reached {
    let mut source = Unstructured::new(input);
    let mut exchange = Exchange::new(followed);
    while !source.is_empty()
        && let Ok(operation) = source.arbitrary()
    {
        if let Some(entry) = exchange.entry(&operation) {
            exchange.execute(entry);
        }
    }
    exchange.reached
}

/// Two markets, one of which rebates, with fees that never divide evenly, and has limits of its own;
/// four accounts, of which two have so little that funds run out, and two so much that they never
/// do. Accounts 0 and 1 belong together, and the last is an operator.
static GENESIS: LazyLock<Genesis> = LazyLock::new(|| genesis(-33_333, MarketStatus::Open));

/// With this fee of the first market, and this status of the second.
fn genesis(maker_fee: i32, status: MarketStatus) -> Genesis {
    let development = development();
    let mut markets = development.markets().to_vec();
    markets[0].maker_fee = FeeRate::new(maker_fee).expect("a legal fee");
    markets[0].taker_fee = FeeRate::new(77_777).expect("a legal fee");
    markets[0].limits = MarketLimits {
        notional_min: Atoms::new(200),
        open_orders_max: 8,
        band: Some(PriceBand {
            width_ppm: 40_000,
            interval_ms: 0,
        }),
        ..MarketLimits::NONE
    };
    markets[1].limits.status = status;
    let accounts = development.accounts().iter().zip(0..draw::ACCOUNTS);
    let account = |(account, id): (&GenesisAccount, u32)| {
        let amount = Atoms::new(if id % 2 == 0 { 20_000 } else { 1 << 90 });
        GenesisAccount {
            balances: (0..3).map(|asset| (AssetId::new(asset), amount)).collect(),
            group: GroupId::new(id.max(1)),
            operator: id == draw::ACCOUNTS - 1,
            ..account.clone()
        }
    };
    Genesis::new(
        development.network(),
        development.assets().to_vec(),
        markets,
        accounts.map(account).collect(),
    )
    .expect("a legal genesis")
}

/// The engine, and who follows it.
struct Exchange {
    state: State,
    follower: Follower,
    data: MarketData,
    /// By market, as the public was told.
    told: [MarketStatus; 2],
    /// Orders that were armed: who else is set off has rested until then.
    armed: BTreeSet<OrderId>,
    nonces: [u64; draw::ACCOUNTS as usize],
    last: Option<OrdersFrame>,
    outcome: BlockOutcome,
    reached: Reached,
}

impl Exchange {
    fn new(followed: &Genesis) -> Self {
        Self {
            state: State::from_genesis(&GENESIS, 7),
            follower: Follower::from_genesis(followed),
            data: MarketData::new(2, 5),
            told: [MarketStatus::Open; 2],
            armed: BTreeSet::new(),
            nonces: [0; draw::ACCOUNTS as usize],
            last: None,
            outcome: BlockOutcome::default(),
            reached: Reached::new(),
        }
    }

    /// `None`: there is no frame to repeat.
    fn entry(&mut self, operation: &Operation) -> Option<Entry> {
        let frame = match operation {
            Operation::One(account, request) => self.next(*account, std::slice::from_ref(request)),
            Operation::Several(account, requests) => self.next(*account, requests),
            Operation::Repeat => self.last.clone()?,
            Operation::Strange(strange, request) => {
                let header = FrameHeader {
                    account: AccountId::new(strange.account.into()),
                    key: KeyId::new(strange.key.into()),
                    epoch: KeyEpoch::new(strange.epoch.into()),
                    nonce: Nonce::new(strange.nonce.into()),
                    expires_at: strange.expires_at,
                };
                self.frame(&header, std::slice::from_ref(request))
            }
            Operation::Tick(time) => return Some(Entry::Tick(*time)),
        };
        self.last = Some(frame.clone());
        Some(Entry::Frame(SequencedFrame {
            frame: AuthenticFrame::from_journal(frame, self.state.frame_key()),
            origin: None,
        }))
    }

    fn next(&mut self, account: AccountId, requests: &[Request]) -> OrdersFrame {
        let nonce = &mut self.nonces[account.index()];
        *nonce += 1;
        let header = FrameHeader {
            account,
            key: KeyId::new(account.get()),
            epoch: KeyEpoch::new(0),
            nonce: Nonce::new(*nonce),
            expires_at: LogTime::ZERO,
        };
        self.frame(&header, requests)
    }

    fn frame(&self, header: &FrameHeader, requests: &[Request]) -> OrdersFrame {
        let sequence = self.state.position().sequence;
        let commands: Vec<Command<'_>> = requests
            .iter()
            .map(|request| request.command(sequence))
            .collect();
        let frame = OrdersFrame::parse(frame::encode(header, &commands));
        let frame = frame.expect("what is encoded parses");
        assert!(frame.commands().eq(commands), "and says the same");
        frame
    }

    fn execute(&mut self, entry: Entry) {
        let block = self.state.position().next_block(vec![entry]);
        execute(&mut self.state, &block, &mut self.outcome);
        self.assert_answered(&block);
        self.state.assert_invariants();
        self.follower.follow(&self.outcome);
        self.assert_follows();
        self.data.follow(&self.outcome, |market, _, event| {
            if let BookEvent::StatusChanged(status) = event {
                self.told[market.index()] = *status;
            }
        });
        self.assert_shows();
        self.assert_status();
        self.reach();
    }

    /// Each frame has a verdict, and each executed command one receipt.
    fn assert_answered(&self, block: &Block) {
        let outcome = &self.outcome;
        assert_eq!(outcome.height, block.height);
        let sequences = (block.first_sequence.get()..).take(block.command_count() as usize);
        assert_eq!(Some(outcome.last_sequence.get()), sequences.clone().last());
        let is_frame = matches!(block.entries[..], [Entry::Frame(_)]);
        assert_eq!(outcome.frames.len(), usize::from(is_frame));
        let executed = outcome.frames.first().map(|frame| frame.verdict);
        let receipts = outcome
            .receipts
            .iter()
            .map(|receipt| receipt.sequence().get());
        if executed == Some(FrameVerdict::Executed) {
            assert!(receipts.eq(sequences), "one receipt per command, in order");
        } else {
            assert_eq!(receipts.count(), 0);
            assert!(outcome.events.is_empty() || !is_frame);
        }
    }

    fn assert_follows(&self) {
        let (ledger, followed) = (self.state.ledger(), self.follower.ledger());
        for account in (0..draw::ACCOUNTS).map(AccountId::new) {
            for asset in (0..3).map(AssetId::new) {
                agreed(
                    followed.balance(account, asset),
                    ledger.balance(account, asset),
                );
            }
            agreed(followed.open_orders(account), ledger.open_orders(account));
            let followed = self.follower.open_orders(account);
            let followed = followed.iter().map(|order| Open {
                order_id: order.order_id,
                remaining: order.remaining,
                stop: order.resting.stop,
                protected: order.resting.protected,
            });
            agreed(followed.collect(), self.open_orders(account));
        }
    }

    /// An account's open orders, oldest first.
    fn open_orders(&self, account: AccountId) -> Vec<Open> {
        let mut open = Vec::new();
        for (_, _, market) in self.state.market_states() {
            let resting = market.book.orders_of(account);
            open.extend(resting.map(|order| Open {
                order_id: order.order_id,
                remaining: order.remaining,
                stop: order.stop,
                protected: order.protected,
            }));
            let armed = market.triggers.orders();
            let armed = armed.filter(|order| order.account == account);
            open.extend(armed.map(|order| {
                let resting = order.kind.resting().unwrap_or_default();
                Open {
                    order_id: order.order_id,
                    remaining: order.quantity,
                    stop: resting.stop,
                    protected: resting.protected,
                }
            }));
        }
        open.sort_unstable_by_key(|order| order.order_id);
        open
    }

    fn assert_shows(&self) {
        for (id, _, market) in self.state.market_states() {
            let depth = self.data.depth(id).expect("every market is followed");
            for side in Side::BOTH {
                let orders = market.book.orders(side).map(|order| ShownOrder {
                    order_id: order.order_id,
                    side: order.side,
                    price: order.price,
                    shown: order.shown,
                });
                agreed(depth.orders(side).collect::<Vec<_>>(), orders.collect());
                let levels = market.book.levels(side).map(|level| ShownLevel {
                    price: level.price,
                    quantity: level.quantity,
                    orders: level.orders,
                });
                agreed(depth.levels(side).collect::<Vec<_>>(), levels.collect());
            }
        }
    }

    /// Whoever follows knows status and last trade, and what an auction would come to unless its
    /// book has changed since that was published.
    fn assert_status(&self) {
        let followed = self.follower.market_states();
        assert_eq!(followed.len(), self.told.len());
        for ((id, _, market), followed) in self.state.market_states().zip(followed) {
            agreed(
                (followed.market, followed.status, followed.last),
                (id, market.status, market.last_trade),
            );
            agreed(self.told[id.index()], market.status);
            if market.status != MarketStatus::Auction {
                agreed(followed.indicative, None);
            } else if !market.indicative.is_stale {
                let indication = market.book.indication(market.last_trade);
                let expected = indication.map(|indication| IndicativePrice {
                    price: indication.price,
                    volume: indication.volume,
                    surplus: indication.surplus,
                });
                agreed(followed.indicative, expected);
            }
        }
    }

    fn reach(&mut self) {
        let outcome = &self.outcome;
        let verdicts = outcome.frames.iter().map(|frame| match frame.verdict {
            FrameVerdict::Executed => "executed",
            FrameVerdict::Repeated { .. } => "repeated",
            FrameVerdict::Refused(_) => "refused",
        });
        self.reached.extend(verdicts);
        let answers = outcome.receipts.iter().map(|receipt| {
            let reason = receipt.reject_reason();
            reason.map_or("accepted", RejectReason::name)
        });
        self.reached.extend(answers);
        let events = outcome.events.iter().map(EventRecord::event);
        for event in events.collect::<Vec<Event>>() {
            let name = self.name(&event);
            self.reached.insert(name);
            if self.is_iceberg_reduced(&event) {
                self.reached.insert("iceberg reduced");
            }
        }
    }

    fn name(&mut self, event: &Event) -> &'static str {
        match event {
            Event::Fill(fill) if fill.auction.is_some() => "fill in auction",
            Event::Fill(fill) if fill.maker_refreshed => "refreshed",
            Event::Fill(_) => "fill",
            Event::Rested(rested) if rested.resting.stop.is_some() => "stop rested",
            Event::Rested(_) => "rested",
            Event::Armed(armed) => {
                self.armed.insert(armed.owner.order_id);
                "armed"
            }
            Event::Triggered(triggered) if self.armed.remove(&triggered.owner.order_id) => {
                "triggered"
            }
            Event::Triggered(_) => "stop set off",
            Event::Reduced(reduced) if reduced.reason == DoneReason::SelfTrade => "decremented",
            Event::Reduced(_) => "reduced",
            Event::Done(done) => done.reason.name(),
            Event::Transferred(_) => "transferred",
            Event::StatusChanged(_) => "status changed",
            Event::Indicative(indicative) if indicative.price.is_none() => "nothing to indicate",
            Event::Indicative(_) => "indicative",
            Event::KeyChanged(_) => "key changed",
            Event::PolicySet(_) => "policy set",
            Event::AccountOpened(_) => "account opened",
            Event::Deposited(_) => "deposited",
            Event::Withdrawn(_) => "withdrawn",
        }
    }

    /// What of an iceberg goes first is the follower's to know: events do not say what is shown.
    fn is_iceberg_reduced(&self, event: &Event) -> bool {
        let Event::Reduced(reduced) = event else {
            return false;
        };
        let market = self.state.market_state(reduced.market);
        let order = market.and_then(|(_, state)| state.book.order(reduced.owner.order_id));
        order.is_some_and(|order| order.shown < order.remaining)
    }
}

/// An open order, as far as one who follows events must know it.
#[derive(Debug, PartialEq, Eq)]
struct Open {
    order_id: OrderId,
    remaining: BaseLots,
    stop: Option<StopLeg>,
    protected: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A follower that takes a fee or a status to be another is found out by some input.
    #[test]
    fn a_planted_difference_is_found() {
        for (maker_fee, status, is_found) in [
            (-33_333, MarketStatus::Open, false),
            (33_333, MarketStatus::Open, true),
            (-33_333, MarketStatus::Halted, true),
        ] {
            let planted = genesis(maker_fee, status);
            assert_eq!(is_found_out(&planted), is_found, "{maker_fee} {status:?}");
        }
    }

    fn is_found_out(planted: &Genesis) -> bool {
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/commands");
        let mut inputs = std::fs::read_dir(corpus).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            std::fs::read(path).unwrap()
        });
        let is_found = |input: Vec<u8>| {
            let run = || run_on(&input, planted);
            std::panic::catch_unwind(run).is_err()
        };
        inputs.any(is_found)
    }
}
