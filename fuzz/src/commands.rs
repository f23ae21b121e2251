//! Commands of several accounts through the sequential executor, one entry a block. After each the
//! state must be sound, funds conserved, each executed command answered once, and whoever follows
//! events must have the same balances, open orders and depth as the state itself.

use std::sync::LazyLock;

use arbitrary::{Arbitrary, Result, Unstructured};

use crate::request::Request;
use crate::{Reached, agreed, draw, frame};
use engine::State;
use engine::follower::Follower;
use engine::market_data::MarketData;
use engine::sequential::execute;
use matching::{ShownLevel, ShownOrder};
use types::auth::AuthenticFrame;
use types::block::{Block, Entry, SequencedFrame};
use types::genesis::{Genesis, GenesisAccount, development};
use types::outcome::{BlockOutcome, DoneReason, Event, EventRecord, FrameVerdict};
use types::wire::orders::{FrameHeader, OrdersFrame};
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

/// `followed`: what the follower takes the fees to be.
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

/// Two markets, one of which rebates, with fees that never divide evenly; four accounts, of which
/// two have so little that funds run out, and two so much that they never do. Accounts 0 and 1
/// belong together.
static GENESIS: LazyLock<Genesis> = LazyLock::new(|| genesis(-33_333));

fn genesis(maker_fee: i32) -> Genesis {
    let development = development();
    let mut markets = development.markets().to_vec();
    markets[0].maker_fee = FeeRate::new(maker_fee).expect("a legal fee");
    markets[0].taker_fee = FeeRate::new(77_777).expect("a legal fee");
    let accounts = development.accounts().iter().zip(0..draw::ACCOUNTS);
    let account = |(account, id): (&GenesisAccount, u32)| {
        let amount = Atoms::new(if id % 2 == 0 { 20_000 } else { 1 << 90 });
        GenesisAccount {
            balances: (0..3).map(|asset| (AssetId::new(asset), amount)).collect(),
            group: GroupId::new(id.max(1)),
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
            data: MarketData::new(2),
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
        let position = *self.state.position();
        let block = Block {
            height: position.height.next(),
            first_sequence: position.sequence.next(),
            entries: vec![entry],
        };
        execute(&mut self.state, &block, &mut self.outcome);
        self.assert_answered(&block);
        self.state.assert_invariants();
        self.follower.follow(&self.outcome);
        self.assert_follows();
        self.data.follow(&self.outcome, |_, _, _| ());
        self.assert_shows();
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
            let mut open: Vec<(OrderId, BaseLots)> = Vec::new();
            for (_, _, market) in self.state.market_states() {
                let resting = market.book.orders_of(account);
                open.extend(resting.map(|order| (order.order_id, order.remaining)));
                let armed = market.triggers.orders();
                let armed = armed.filter(|order| order.account == account);
                open.extend(armed.map(|order| (order.order_id, order.quantity)));
            }
            open.sort_unstable();
            let followed = self.follower.open_orders(account);
            let followed = followed.iter();
            let followed = followed.map(|order| (order.order_id, order.remaining));
            agreed(followed.collect(), open);
        }
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
        let events = outcome.events.iter();
        self.reached
            .extend(events.clone().map(|record| name(&record.event())));
        if events
            .map(EventRecord::event)
            .any(|event| self.is_iceberg_reduced(&event))
        {
            self.reached.insert("iceberg reduced");
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

const fn name(event: &Event) -> &'static str {
    match event {
        Event::Fill(fill) if fill.maker_refreshed => "refreshed",
        Event::Fill(_) => "fill",
        Event::Rested(_) => "rested",
        Event::Armed(_) => "armed",
        Event::Triggered(_) => "triggered",
        Event::Reduced(reduced) if matches!(reduced.reason, DoneReason::SelfTrade) => "decremented",
        Event::Reduced(_) => "reduced",
        Event::Done(done) => done.reason.name(),
        Event::Transferred(_) => "transferred",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A follower that takes a fee to be another is found out by some input.
    #[test]
    fn a_planted_difference_is_found() {
        let planted = genesis(33_333);
        let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/commands");
        let mut inputs = std::fs::read_dir(corpus).unwrap().map(|entry| {
            let path = entry.unwrap().path();
            std::fs::read(path).unwrap()
        });
        let is_found = |input: Vec<u8>| {
            let run = || run_on(&input, &planted);
            std::panic::catch_unwind(run).is_err()
        };
        assert!(inputs.any(is_found));
    }
}
