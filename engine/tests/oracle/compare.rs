//! Both exchanges over the same blocks, and the smallest stream that still tells them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};

use engine::State;
use engine::market::MarketState;
use engine::protection::Scope;
use engine::snapshot::{self, BesideBytes};
use ledger::StateTree;
use rkyv::rancor::Panic;
use types::block::{Block, Entry, SequencedFrame};
use types::command::{ProtectionLimits, Transfer};
use types::genesis::Genesis;
use types::outcome::{BlockOutcome, DoneReason, Event, Receipt};
use types::phase::Phase;
use types::wire::orders::FrameHeader;
use types::{AccountId, AssetId, Atoms, Command, KeyId, LogTime, Nonce, RejectReason, Side};

use crate::book::Order;
use crate::common::{Signer, cut_entries, with_ticks};
use crate::exchange::{Armed, Exchange, Market};
use crate::limits::Reference;
use crate::protection::Protection;

/// Frames in order, each with the time at which it arrives.
pub(crate) type Frames = Vec<(SequencedFrame, LogTime)>;

/// Runs frames through both exchanges and panics at the first difference, with the commands that
/// are enough to see it. Adds the kinds of answers and events that came to `reached`.
pub(crate) fn check(
    genesis: &Genesis,
    name: &str,
    frames: &Frames,
    reached: &mut BTreeSet<String>,
) {
    let exchanges = Exchanges {
        engine: genesis,
        oracle: genesis,
    };
    if let Err(difference) = exchanges.difference(frames, 20, reached) {
        panic!("{name}: {difference}\n{}", exchanges.shrink(frames));
    }
}

/// Now and then the exchange is cancel-only for a while, as after a restart. When follows from the frames
/// themselves, so a stream whose commands are idled keeps its phases.
fn with_phases(entries: Vec<Entry>) -> Vec<Entry> {
    let entries = entries.into_iter().flat_map(|entry| {
        let phase = match &entry {
            Entry::Frame(sequenced) => phase_before(&sequenced.frame.frame().header()),
            _ => None,
        };
        phase.map(Entry::Phase).into_iter().chain([entry])
    });
    entries.collect()
}

fn phase_before(header: &FrameHeader) -> Option<Phase> {
    match (header.account.get(), header.nonce.get() % 40) {
        (0, 30) => Some(Phase::CancelOnly),
        (0, 32) => Some(Phase::Open),
        _ => None,
    }
}

fn phase_name(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Phase(phase) => Some(format!("phase: {}", phase.name())),
        _ => None,
    }
}

/// Where both start; the same, unless a difference is planted.
#[derive(Clone, Copy)]
pub(crate) struct Exchanges<'a> {
    pub(crate) engine: &'a Genesis,
    pub(crate) oracle: &'a Genesis,
}

impl Exchanges<'_> {
    /// Runs both; an error says the first difference.
    pub(crate) fn difference(
        self,
        frames: &Frames,
        cut_percent: u64,
        reached: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let state = State::from_genesis(self.engine, 1);
        let entries = with_phases(with_ticks(&state, frames));
        self.difference_in(&cut_entries(&state, entries, cut_percent, 1), reached)
    }

    /// The same of blocks.
    pub(crate) fn difference_in(
        self,
        blocks: &[Block],
        reached: &mut BTreeSet<String>,
    ) -> Result<(), String> {
        let mut twins = Twins::new(self);
        for block in blocks {
            twins.execute(block, reached)?;
        }
        Ok(())
    }

    /// Replaces commands by idle ones, in ever smaller runs, as long as the exchanges still differ.
    pub(crate) fn shrink(self, frames: &Frames) -> String {
        let calls = frames.iter().map(|(frame, now)| call(frame, *now));
        let mut calls: Vec<Call<'_>> = calls.collect();
        let differs = |calls: &[Call<'_>]| {
            let frames = signed(self.engine, calls);
            self.difference(&frames, 100, &mut BTreeSet::new()).is_err()
        };
        let lengths: Vec<usize> = (0..calls.len()).collect();
        calls.truncate(lengths.partition_point(|length| !differs(&calls[..*length])));
        let total: usize = calls.iter().map(|call| call.commands.len()).sum();
        let mut trials = TRIALS_COMMANDS / total.max(1);
        let mut run = total.next_power_of_two() / 2;
        while run > 0 && trials > 0 {
            let mut start = 0;
            while start < total && trials > 0 {
                let mut fewer = calls.clone();
                let commands = fewer.iter_mut().flat_map(|call| &mut call.commands);
                let idled = commands.skip(start).take(run);
                let changed = idled.filter(|command| **command != IDLE);
                if changed.map(|command| *command = IDLE).count() > 0 {
                    trials -= 1;
                    if differs(&fewer) {
                        calls = fewer;
                    }
                }
                start += run;
            }
            run /= 2;
        }
        let frames = signed(self.engine, &calls);
        let difference = self.difference(&frames, 100, &mut BTreeSet::new());
        let difference = difference.err().unwrap_or_default();
        format!("enough to see it:\n{}{difference}", describe(&calls))
    }
}

/// After how many blocks the engine is restored from a snapshot.
const RESTART_EVERY: u64 = 16;

/// The engine and the oracle, at the same point of the total order.
struct Twins {
    genesis: Genesis,
    state: State,
    outcome: BlockOutcome,
    exchange: Exchange,
    receipts: Vec<Receipt>,
    used: BTreeSet<(AccountId, KeyId, Nonce)>,
}

impl Twins {
    fn new(exchanges: Exchanges<'_>) -> Self {
        Self {
            genesis: exchanges.engine.clone(),
            state: State::from_genesis(exchanges.engine, 1),
            outcome: BlockOutcome::default(),
            exchange: Exchange::new(exchanges.oracle),
            receipts: Vec::new(),
            used: BTreeSet::new(),
        }
    }

    /// Executes a block both ways; says the first difference.
    fn execute(&mut self, block: &Block, reached: &mut BTreeSet<String>) -> Result<(), String> {
        self.follow(block);
        let Self { state, outcome, .. } = self;
        let execution = || engine::sequential::execute(state, block, outcome);
        catch_unwind(AssertUnwindSafe(execution)).map_err(|_| "the engine panics".to_owned())?;
        self.compare_outcomes(block)?;
        if block.height.get().is_multiple_of(RESTART_EVERY) {
            self.restart();
        }
        self.compare_states()
            .map_err(|difference| format!("after block {}: {difference}", block.height))?;
        reached.extend(self.receipts.iter().map(answer_name));
        reached.extend(self.exchange.events.iter().map(event_name));
        reached.extend(block.entries.iter().filter_map(phase_name));
        Ok(())
    }

    /// The engine goes on with what a snapshot keeps of it.
    fn restart(&mut self) {
        let tree = StateTree::new(self.state.ledger());
        let bytes = rkyv::to_bytes::<Panic>(&self.state.snapshot(&tree)).unwrap();
        let archived = snapshot::access(&bytes).unwrap();
        let beside = BesideBytes::of(&self.state);
        let restored = State::restore(archived, beside.read(), &self.genesis, 3).unwrap();
        restored.assert_invariants();
        assert_eq!(restored.digest(), self.state.digest());
        self.state = restored;
    }

    fn follow(&mut self, block: &Block) {
        self.exchange.events.clear();
        self.receipts.clear();
        let mut sequence = block.first_sequence;
        for entry in &block.entries {
            match entry {
                Entry::Tick(time) => self.exchange.tick(sequence, *time),
                Entry::Silence(key) => self.exchange.silence(sequence, *key),
                Entry::Phase(phase) => self.exchange.set_phase(sequence, *phase),
                Entry::Frame(sequenced) => {
                    let frame = sequenced.frame.frame();
                    let header = frame.header();
                    let whose = (header.account, header.key);
                    let executes = self.executes(&header);
                    let commands = frame.commands().take(if executes { 256 } else { 0 });
                    let mut sequence = sequence;
                    for command in commands {
                        let receipt = self.exchange.execute(whose, sequence, &command);
                        self.receipts.push(receipt);
                        sequence = sequence.next();
                    }
                }
            }
            sequence = sequence.advance(entry.command_count());
        }
    }

    /// Whether a frame is of a key that may sign, and the first with its nonce. Wallets sign only what
    /// is theirs here.
    fn executes(&mut self, header: &FrameHeader) -> bool {
        let refusal = match header.key {
            KeyId::WALLET => None,
            _ => self.exchange.keys.refusal(header, self.exchange.now),
        };
        let nonce = (header.account, header.key, header.nonce);
        refusal.is_none() && self.used.insert(nonce)
    }

    fn compare_outcomes(&self, block: &Block) -> Result<(), String> {
        let found: Vec<Event> = self
            .outcome
            .events
            .iter()
            .map(|record| record.event())
            .collect();
        let expected = &self.exchange.events;
        let event = first_difference(expected, &found);
        let receipt = first_difference(&self.receipts, &self.outcome.receipts);
        let sequences = [
            event.and_then(|at| Some(sequence_of(expected.get(at).or(found.get(at))?))),
            receipt.and_then(|at| Some(self.outcome.receipts.get(at)?.sequence().get())),
        ];
        let Some(sequence) = sequences.into_iter().flatten().min() else {
            return Ok(());
        };
        let mut text = format!("sequence {sequence}: {}\n", command_at(block, sequence));
        for (who, receipts, events) in [
            ("expected", &self.receipts, expected),
            ("found", &self.outcome.receipts, &found),
        ] {
            let receipt = receipts
                .iter()
                .find(|receipt| receipt.sequence().get() == sequence);
            let answer = receipt.map_or("a tick".to_owned(), |receipt| {
                match receipt.reject_reason() {
                    Some(reason) => reason.name().to_owned(),
                    None => format!("{} affected, {} lots", receipt.affected(), receipt.lots()),
                }
            });
            writeln!(text, "{who}: {answer}").unwrap();
            let mine = |event: &&Event| sequence_of(event) == sequence;
            let shared = first_difference(
                &expected.iter().filter(mine).collect::<Vec<_>>(),
                &found.iter().filter(mine).collect::<Vec<_>>(),
            );
            let from = shared.unwrap_or(usize::MAX - 3);
            for (at, event) in events.iter().filter(mine).enumerate() {
                if (from.saturating_sub(1)..from + 3).contains(&at) {
                    writeln!(text, "  event {at}: {event:?}").unwrap();
                }
            }
        }
        Err(text)
    }

    fn compare_states(&self) -> Result<(), String> {
        let Self {
            state, exchange, ..
        } = self;
        let ledger = state.ledger();
        let system = [AccountId::FEES, AccountId::DUST];
        let accounts = (0..ledger.account_count()).map(AccountId::new);
        for account in accounts.clone().chain(system) {
            for asset in (0..ledger.asset_count()).map(AssetId::new) {
                let found = ledger.balance(account, asset);
                let expected = exchange.funds.balance(account, asset);
                let found = (found.free.get(), found.held.get());
                let name = || format!("account {account}, asset {asset}");
                same(name, expected.atoms(), found)?;
            }
        }
        for account in accounts {
            let (expected, found) = (
                exchange.open_orders[account.index()],
                ledger.open_orders(account),
            );
            let name = || format!("open orders of account {account}");
            same(name, expected, found)?;
        }
        self.compare_protections()?;
        for ((id, _, found), market) in state.market_states().zip(&exchange.markets) {
            compare_market(market, found, exchange.now)
                .map_err(|difference| format!("market {id}, {difference}"))?;
        }
        Ok(())
    }

    fn compare_protections(&self) -> Result<(), String> {
        let Self {
            state, exchange, ..
        } = self;
        let found: BTreeMap<_, _> = state
            .protections()
            .iter()
            .map(|(account, market, scope, count)| {
                let group = match scope {
                    Scope::Market(_) => 0,
                    Scope::Group(group) => group,
                };
                let counts = [count.fills.into(), count.lots, count.notional.get()];
                let since = (count.fills > 0).then_some(count.since.get());
                let window = Window {
                    limits: count.limits,
                    since,
                    counts,
                    tripped: count.is_tripped,
                };
                let window = window.at(exchange.now);
                ((account, market.index()), (group, window))
            })
            .collect();
        let expected = exchange.protections.iter().map(|(at, group, protection)| {
            let Protection {
                fills,
                lots,
                notional,
                ..
            } = *protection;
            let window = Window {
                limits: protection.limits,
                since: protection.since,
                counts: [fills, lots, notional],
                tripped: protection.tripped,
            };
            (at, (group, window.at(exchange.now)))
        });
        same(|| "protections".to_owned(), expected.collect(), found)
    }
}

/// A protection's window, both exchanges alike.
#[derive(Debug, PartialEq, Eq)]
struct Window {
    limits: ProtectionLimits,
    since: Option<u64>,
    counts: [u128; 3],
    tripped: bool,
}

impl Window {
    /// What was counted in a window that has ended, or that has tripped, plays no role.
    fn at(self, now: u64) -> Self {
        let runs = |since: u64| now - since < self.limits.window_ns;
        let ended = self.tripped || !self.since.is_some_and(runs);
        Self {
            since: self.since.filter(|_| !ended),
            counts: if ended { [0; 3] } else { self.counts },
            ..self
        }
    }
}

fn compare_market(market: &Market, found: &MarketState, now: u64) -> Result<(), String> {
    let last_trade = found.last_trade.map(|price| price.get());
    same(|| "last trade".to_owned(), market.last_trade, last_trade)?;
    same(|| "status".to_owned(), market.status, found.status)?;
    let reference = found.reference.map(|reference| Reference {
        price: reference.price.get(),
        taken_at: reference.since.get(),
    });
    if market.spec.limits.band.is_some() {
        same(|| "reference".to_owned(), market.reference, reference)?;
    }
    for side in Side::BOTH {
        let expected: Vec<Order> = market.book.orders(side).copied().map(timeless).collect();
        let orders: Vec<Order> = found.book.orders(side).map(resting).collect();
        same_lists(side.name(), &expected, &orders)?;
    }
    let expected: Vec<Armed> = market.armed.values().copied().collect();
    let armed: Vec<Armed> = found.triggers.orders().map(armed).collect();
    same_lists("armed", &expected, &armed)?;
    let is_open = |id: &types::OrderId| market.book.all().any(|order| order.id == *id);
    let expected: BTreeMap<_, _> = market
        .quote_sets
        .iter()
        .map(|(account, (number, orders))| {
            let open: Vec<_> = orders.iter().copied().filter(is_open).collect();
            (*account, (*number, open))
        })
        .collect();
    let sets: BTreeMap<_, _> = found
        .quotes
        .iter()
        .map(|(account, set)| {
            let open: Vec<_> = set.orders.concat().into_iter().filter(is_open).collect();
            (account, (set.number, open))
        })
        .collect();
    same(|| "quote sets".to_owned(), expected, sets)?;
    let expected: BTreeMap<_, _> = market
        .remembered
        .iter()
        .filter(|(_, until)| now <= **until)
        .map(|(label, until)| (*label, *until))
        .collect();
    let remembered: BTreeMap<_, _> = found
        .remembered
        .iter()
        .filter(|(_, _, until)| now <= until.get())
        .map(|(account, label, until)| ((account, label), until.get()))
        .collect();
    same(|| "remembered labels".to_owned(), expected, remembered)
}

fn same<T: PartialEq + std::fmt::Debug>(
    what: impl FnOnce() -> String,
    expected: T,
    found: T,
) -> Result<(), String> {
    if expected == found {
        Ok(())
    } else {
        let what = what();
        Err(format!("{what}:\nexpected {expected:?}\nfound {found:?}\n"))
    }
}

fn same_lists<T: PartialEq + std::fmt::Debug>(
    what: &str,
    expected: &[T],
    found: &[T],
) -> Result<(), String> {
    match first_difference(expected, found) {
        None => Ok(()),
        Some(at) => same(|| format!("{what} {at}"), expected.get(at), found.get(at)),
    }
}

fn first_difference<T: PartialEq>(expected: &[T], found: &[T]) -> Option<usize> {
    let length = expected.len().max(found.len());
    (0..length).find(|at| expected.get(*at) != found.get(*at))
}

fn timeless(order: Order) -> Order {
    Order {
        arrival: 0,
        ..order
    }
}

fn resting(order: matching::RestingOrder) -> Order {
    Order {
        id: order.order_id,
        account: order.account,
        label: order.client_order_id,
        side: order.side,
        price: order.price.get(),
        filled: order.filled().get(),
        remaining: order.remaining.get(),
        shown: order.shown.get(),
        resting: types::command::Resting {
            expires_at: order.expires_at,
            display: order.display,
            stop: order.stop,
            protected: order.protected,
        },
        arrival: 0,
    }
}

fn armed(order: matching::ArmedOrder) -> Armed {
    Armed {
        id: order.order_id,
        account: order.account,
        label: order.client_order_id,
        side: order.side,
        kind: order.kind,
        price: order.price.get(),
        quantity: order.quantity.get(),
        self_trade: order.self_trade,
        trigger: order.trigger,
    }
}

fn sequence_of(event: &Event) -> u64 {
    let sequence = match event {
        Event::Fill(fill) => fill.sequence,
        Event::Rested(rested) => rested.sequence,
        Event::Armed(armed) => armed.sequence,
        Event::Triggered(triggered) => triggered.sequence,
        Event::Reduced(reduced) => reduced.sequence,
        Event::Done(done) => done.sequence,
        Event::Transferred(transferred) => transferred.sequence,
        Event::StatusChanged(changed) => changed.sequence,
        Event::Indicative(indicative) => indicative.sequence,
        Event::KeyChanged(changed) => changed.sequence,
        Event::PolicySet(set) => set.sequence,
        Event::AccountOpened(opened) => opened.sequence,
        Event::Deposited(deposited) => deposited.sequence,
        Event::Withdrawn(withdrawn) => withdrawn.sequence,
    };
    sequence.get()
}

fn command_at(block: &Block, wanted: u64) -> String {
    let mut sequence = block.first_sequence.get();
    for entry in &block.entries {
        let next = sequence + entry.command_count();
        if wanted < next {
            return match entry {
                Entry::Tick(time) => format!("tick to {time}"),
                Entry::Silence(key) => format!("silence of key {key}"),
                Entry::Phase(phase) => format!("phase {}", phase.name()),
                Entry::Frame(sequenced) => {
                    let frame = sequenced.frame.frame();
                    let command = frame.commands().nth((wanted - sequence) as usize).unwrap();
                    format!("account {}: {command:?}", frame.header().account)
                }
            };
        }
        sequence = next;
    }
    "behind the block".to_owned()
}

pub(crate) fn answer_name(receipt: &Receipt) -> String {
    let name = receipt
        .reject_reason()
        .map_or("accepted", RejectReason::name);
    name.to_owned()
}

pub(crate) fn event_name(event: &Event) -> String {
    match event {
        Event::Fill(fill) if fill.auction.is_some_and(|taker| taker.refreshed) => {
            "met: refreshed".to_owned()
        }
        Event::Fill(fill) if fill.auction.is_some() => "met".to_owned(),
        Event::Fill(fill) if fill.maker_refreshed => "refreshed".to_owned(),
        Event::Fill(fill) if fill.maker_fee < 0 => "rebate".to_owned(),
        Event::Fill(_) => "fill".to_owned(),
        Event::Rested(rested) if rested.resting.stop.is_some() => "rested: stop".to_owned(),
        Event::Rested(rested) if rested.resting.protected => "rested: protected".to_owned(),
        Event::Rested(_) => "rested".to_owned(),
        Event::Armed(_) => "armed".to_owned(),
        Event::Triggered(_) => "triggered".to_owned(),
        Event::Reduced(reduced) => format!("reduced: {}", reduced.reason.name()),
        Event::Done(done) if done.reason == DoneReason::SelfTrade && !done.held => {
            "taker done: self_trade".to_owned()
        }
        Event::Done(done) => format!("done: {}", done.reason.name()),
        Event::Transferred(_) => "transferred".to_owned(),
        Event::StatusChanged(_) => "status changed".to_owned(),
        Event::Indicative(indicative) if indicative.price.is_none() => {
            "indicative: none".to_owned()
        }
        Event::Indicative(_) => "indicative".to_owned(),
        Event::KeyChanged(_) => "key changed".to_owned(),
        Event::PolicySet(_) => "policy set".to_owned(),
        Event::AccountOpened(_) => "account opened".to_owned(),
        Event::Deposited(_) => "deposited".to_owned(),
        Event::Withdrawn(_) => "withdrawn".to_owned(),
    }
}

/// What does nothing: an idle command keeps the sequence numbers of those behind it.
pub(crate) const IDLE: Command<'static> = Command::Transfer(Transfer {
    to: AccountId::new(0),
    asset: AssetId::new(0),
    amount: Atoms::ZERO,
});

/// A frame taken apart.
#[derive(Clone)]
struct Call<'a> {
    account: u32,
    nonce: u64,
    now: LogTime,
    commands: Vec<Command<'a>>,
}

/// How many commands all trials together may execute: a failure is reported within seconds.
const TRIALS_COMMANDS: usize = 3_000_000;

fn call(frame: &SequencedFrame, now: LogTime) -> Call<'_> {
    let frame = frame.frame.frame();
    Call {
        account: frame.header().account.get(),
        nonce: frame.header().nonce.get(),
        now,
        commands: frame.commands().collect(),
    }
}

fn signed(genesis: &Genesis, calls: &[Call<'_>]) -> Frames {
    let mut signer = Signer::new(genesis);
    let sign = |call: &Call<'_>| {
        let frame = signer.frame_with(call.account, call.nonce, 0, &call.commands);
        (frame, call.now)
    };
    calls.iter().map(sign).collect()
}

/// The last commands that are not idle; a run of equal ones is one line.
fn describe(calls: &[Call<'_>]) -> String {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for call in calls {
        for command in call.commands.iter().filter(|command| **command != IDLE) {
            let line = format!("at {}, account {}: {command:?}", call.now, call.account);
            match lines.last_mut() {
                Some((last, count)) if *last == line => *count += 1,
                _ => lines.push((line, 1)),
            }
        }
    }
    let left_out = lines.len().saturating_sub(LINES_MAX);
    let mut text = match left_out {
        0 => String::new(),
        _ => format!("  {left_out} more lines, then\n"),
    };
    for (line, count) in &lines[left_out..] {
        writeln!(text, "  {count} x {line}").unwrap();
    }
    text
}

const LINES_MAX: usize = 12;
