//! What must be: the journal executed again from the genesis, and by an exchange written from the
//! rules alone; and every answer that ever left the node.

use std::collections::BTreeMap;

use bytes::Bytes;
use engine::State;
use engine::feeds::{Feeds, Positions};
use engine::market_data::MarketData;
use engine::replay::{RecordedBlock, Replay};
use gateway::AnswerBook;
use store::{Folders, Identity, JournalReader, Record};
use types::block::{Block, Entry, ReleasedBlock};
use types::genesis::Genesis;
use types::limits::NONCE_WINDOW;
use types::outcome::{BlockOutcome, Digest, Event, FrameReceipt, FrameVerdict, Receipt};
use types::wire::ack::CommandOutcome;
use types::wire::payload::encode_entry;
use types::{AccountId, AssetId, Height, KeyId, Nonce, SequenceNumber};

use crate::model::exchange::Exchange;
use crate::permits::Permits;
use crate::run::{Oracle, Violation};

/// A frame, what became of it, and what its commands came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) key: KeyId,
    pub(crate) nonce: Nonce,
    pub(crate) verdict: FrameVerdict,
    pub(crate) outcomes: Vec<CommandOutcome>,
}

impl Answer {
    /// All frames of a block with the sequence number of each.
    pub(crate) fn all(outcome: &BlockOutcome) -> Vec<(u64, Self)> {
        let mut rest = outcome.receipts.as_slice();
        let answer = |frame: &FrameReceipt| {
            let count = match frame.verdict {
                FrameVerdict::Executed => usize::from(frame.count),
                FrameVerdict::Repeated { .. } | FrameVerdict::Refused(_) => 0,
            };
            let (receipts, after) = rest.split_at(count);
            rest = after;
            let answer = Self {
                key: frame.key,
                nonce: frame.nonce,
                verdict: frame.verdict,
                outcomes: receipts.iter().map(CommandOutcome::from).collect(),
            };
            (frame.first_sequence.get(), answer)
        };
        outcome.frames.iter().map(answer).collect()
    }
}

/// A block as it was written, read from a journal or seen to leave a node.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) height: Height,
    first_sequence: SequenceNumber,
    command_count: u64,
    /// `None`: it was not seen.
    previous_outcome: Option<Digest>,
    payload: Vec<u8>,
    /// Of the record.
    pub(crate) hash: Digest,
}

impl From<Record> for Written {
    fn from(record: Record) -> Self {
        Self {
            height: record.height,
            first_sequence: record.first_sequence,
            command_count: record.command_count,
            previous_outcome: Some(record.previous_outcome),
            payload: record.payload,
            hash: record.hash,
        }
    }
}

impl From<&ReleasedBlock> for Written {
    fn from(released: &ReleasedBlock) -> Self {
        let block = &released.block;
        let mut payload = Vec::new();
        for entry in &block.entries {
            encode_entry(entry, &mut payload);
        }
        Self {
            height: block.height,
            first_sequence: block.first_sequence,
            command_count: block.command_count(),
            previous_outcome: None,
            payload,
            hash: released.record_hash,
        }
    }
}

/// A block as it is for good.
#[derive(Clone, Debug)]
pub(crate) struct Fact {
    pub(crate) record: Written,
    pub(crate) outcome_hash: Digest,
    /// Of the state after it.
    pub(crate) digest: Digest,
    pub(crate) root: Digest,
    pub(crate) has_fills: bool,
}

/// The history so far, and both executors at its end.
#[derive(Debug)]
pub(crate) struct Truth {
    genesis: Genesis,
    /// By height, from 1.
    pub(crate) facts: Vec<Fact>,
    replay: Replay,
    feeds: Feeds,
    model: Exchange,
    permits: Permits,
    /// By the sequence number of the frame.
    pub(crate) answers: BTreeMap<u64, Answer>,
    /// Where each nonce was executed.
    pub(crate) executed: BTreeMap<(KeyId, Nonce), u64>,
}

impl Truth {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        Self {
            genesis: genesis.clone(),
            facts: Vec::new(),
            replay: Replay::new(State::from_genesis(genesis, 77)),
            feeds: Feeds::new(
                MarketData::of(&State::from_genesis(genesis, 79), 79),
                Positions::default(),
            ),
            model: Exchange::new(genesis),
            permits: Permits::new(genesis),
            answers: BTreeMap::new(),
            executed: BTreeMap::new(),
        }
    }

    pub(crate) const fn state(&self) -> &State {
        self.replay.state()
    }

    /// Where the feeds stand at the end of the history.
    pub(crate) const fn positions(&self) -> &Positions {
        self.feeds.positions()
    }

    pub(crate) fn height(&self) -> Height {
        Height::new(self.facts.len() as u64)
    }

    pub(crate) fn fact(&self, height: Height) -> Option<&Fact> {
        self.facts
            .get(usize::try_from(height.get().checked_sub(1)?).ok()?)
    }

    /// Digest of the state after this block; zero is before the first.
    pub(crate) fn digest_at(&self, height: Height) -> Option<Digest> {
        match height {
            Height::ZERO => Some(State::from_genesis(&self.genesis, 5).digest()),
            height => self.fact(height).map(|fact| fact.digest),
        }
    }

    /// Compares blocks with the history, and takes what is new as history.
    pub(crate) fn extend(&mut self, records: &[Written]) -> Result<(), Violation> {
        for record in records {
            match self.fact(record.height) {
                Some(fact) => same_record(&fact.record, record)?,
                None => self.execute(record)?,
            }
        }
        self.state().assert_invariants();
        self.compare_balances()
    }

    /// The digests after these records, of which some are beyond the history, without taking them
    /// as history.
    pub(crate) fn scout(&self, records: &[Written]) -> Result<Vec<Digest>, Violation> {
        let mut scout = Replay::new(State::from_genesis(&self.genesis, 78));
        for fact in &self.facts {
            apply(&mut scout, &fact.record)?;
        }
        let mut digests = Vec::new();
        for record in records {
            match self.fact(record.height) {
                Some(fact) => same_record(&fact.record, record)?,
                None => {
                    apply(&mut scout, record)?;
                    digests.push(scout.state().digest());
                }
            }
        }
        Ok(digests)
    }

    /// Whether a book of last answers has the first answer of every frame that was executed, as
    /// long as its nonce is within the window of its key.
    pub(crate) fn check_answers(&self, book: &AnswerBook, upto: u64) -> Result<(), Violation> {
        let mut outcomes = Vec::new();
        let mut highest = BTreeMap::new();
        let known = |(_, sequence): &(_, &u64)| **sequence <= upto;
        for ((key, nonce), _) in self.executed.iter().filter(known) {
            // By key, then by nonce: the last one stays.
            highest.insert(*key, *nonce);
        }
        for ((key, nonce), sequence) in self.executed.iter().filter(known) {
            if NONCE_WINDOW <= highest[key].get() - nonce.get() {
                continue;
            }
            let expected = &self.answers[sequence];
            let Some(found) = book.answer(*key, *nonce) else {
                let what = format!("key {key}, nonce {nonce}: the last answers lack it");
                return Err(Violation::new(Oracle::Ledger, what));
            };
            found.outcomes(&mut outcomes);
            let is_same = found.first_sequence.get() == *sequence
                && found.refused.is_none()
                && outcomes == expected.outcomes;
            Violation::unless(is_same, Oracle::Ledger, || {
                format!("key {key}, nonce {nonce}: the last answers have another answer")
            })?;
        }
        Ok(())
    }

    fn execute(&mut self, record: &Written) -> Result<(), Violation> {
        apply(&mut self.replay, record)?;
        let state = self.replay.state();
        let outcome = self.replay.outcome();
        self.feeds.follow(outcome, |_, _, _| ());
        self.facts.push(Fact {
            record: record.clone(),
            outcome_hash: outcome.hash,
            digest: state.digest(),
            root: state.ledger().state_root(),
            has_fills: !outcome.receipts.is_empty()
                && outcome
                    .events
                    .iter()
                    .any(|event| matches!(event.event(), Event::Fill(_))),
        });
        for (sequence, answer) in Answer::all(outcome) {
            // A wallet's frames are counted where it is judged who may sign.
            if answer.verdict == FrameVerdict::Executed && answer.key != KeyId::WALLET {
                let before = self.executed.insert((answer.key, answer.nonce), sequence);
                Violation::unless(before.is_none(), Oracle::Ledger, || {
                    format!("key {}, nonce {}: executed twice", answer.key, answer.nonce)
                })?;
            }
            self.answers.insert(sequence, answer);
        }
        self.compare_with_model()
    }

    fn compare_with_model(&mut self) -> Result<(), Violation> {
        let outcome = self.replay.outcome();
        let found: Vec<Event> = outcome.events.iter().map(|it| it.event()).collect();
        self.permits.follow(&found)?;
        let oracles = (&mut self.model, &mut self.permits);
        let receipts = follow(oracles, self.replay.block(), outcome)?;
        let height = outcome.height;
        let expected = std::mem::take(&mut self.model.events);
        let at = expected.iter().zip(&found).position(|(a, b)| a != b);
        Violation::unless(expected == found, Oracle::Model, || {
            let at = at.unwrap_or(expected.len().min(found.len()));
            format!(
                "block {height}, event {at}: {:?}, not {:?}",
                found.get(at),
                expected.get(at)
            )
        })?;
        Violation::unless(receipts == outcome.receipts, Oracle::Model, || {
            format!("block {height}: other receipts")
        })
    }

    fn compare_balances(&self) -> Result<(), Violation> {
        let ledger = self.state().ledger();
        let accounts = (0..ledger.account_count()).map(AccountId::new);
        for account in accounts.chain([AccountId::FEES, AccountId::DUST]) {
            for asset in (0..ledger.asset_count()).map(AssetId::new) {
                let found = ledger.balance(account, asset);
                let found = (found.free.get(), found.held.get());
                let expected = self.model.funds.balance(account, asset).atoms();
                Violation::unless(found == expected, Oracle::Model, || {
                    format!("account {account}, asset {asset}: {found:?}, not {expected:?}")
                })?;
            }
        }
        Ok(())
    }
}

/// Executes a block by the rules alone; returns the receipts.
fn follow(
    (model, permits): (&mut Exchange, &mut Permits),
    block: &Block,
    outcome: &BlockOutcome,
) -> Result<Vec<Receipt>, Violation> {
    let mut receipts = Vec::new();
    let mut sequence = block.first_sequence;
    let mut frames = outcome.frames.iter();
    for entry in &block.entries {
        match entry {
            Entry::Tick(time) => model.tick(sequence, *time),
            Entry::Silence(key) => model.silence(sequence, *key),
            Entry::Phase(phase) => model.set_phase(sequence, *phase),
            Entry::Frame(sequenced) => {
                let frame = sequenced.frame.frame();
                let verdict = frames.next().expect("each frame has a verdict").verdict;
                permits.judge(model, frame, verdict)?;
                if verdict == FrameVerdict::Executed {
                    let header = frame.header();
                    let mut sequence = sequence;
                    for command in frame.commands() {
                        let who = (header.account, header.key);
                        receipts.push(model.execute(who, sequence, &command));
                        sequence = sequence.next();
                    }
                }
            }
        }
        sequence = sequence.advance(entry.command_count());
    }
    Ok(receipts)
}

fn same_record(expected: &Written, found: &Written) -> Result<(), Violation> {
    let is_same = found.hash == expected.hash && found.payload == expected.payload;
    Violation::unless(is_same, Oracle::Replay, || {
        format!("block {}: another record than before", found.height)
    })
}

fn apply(replay: &mut Replay, record: &Written) -> Result<(), Violation> {
    let block = RecordedBlock {
        height: record.height,
        first_sequence: record.first_sequence,
        command_count: record.command_count,
        previous_outcome: record
            .previous_outcome
            .unwrap_or(replay.state().position().outcome_hash),
        payload: Bytes::from(record.payload.clone()),
    };
    let applied = replay.apply(block);
    applied.map_err(|error| Violation::new(Oracle::Replay, error.to_string()))
}

/// All records that a journal still has.
pub(crate) fn read_journal(
    folders: &Folders,
    identity: &Identity,
) -> Result<Vec<Written>, store::StoreError> {
    let after = if folders.reaches_back()? {
        None
    } else {
        let checkpoints = folders.checkpoints();
        let mut after = None;
        for height in checkpoints.heights()? {
            if let Ok(checkpoint) = checkpoints.load(height, identity) {
                after = Some(checkpoint.meta().after());
            }
        }
        after
    };
    let mut reader = JournalReader::open_in(folders, identity, after.as_ref())?;
    let mut records = Vec::new();
    while let Some(record) = reader.next_record()? {
        records.push(Written::from(record));
    }
    Ok(records)
}
