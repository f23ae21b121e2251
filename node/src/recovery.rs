//! From a data directory to the state: a checkpoint, then the journal after it, re-executed and
//! checked against every hash and root that was recorded.

use std::collections::VecDeque;
use std::sync::{LazyLock, mpsc};
use std::time::Instant;

use bytes::Bytes;
use engine::State;
use engine::executor::{Executor, ExecutorKind};
use engine::feeds::Positions;
use engine::market_data::MarketData;
use engine::replay::{DecodedBlock, RecordedBlock, Replay};
use engine::snapshot::{self, Beside, BesideBytes, ChangedAccounts, Image};
use gateway::AnswerBook;
use ledger::StateTree;
use store::{
    After, AlignedBuffer, Checkpoint, CheckpointMeta, Checkpoints, Ending, Folders, Identity,
    Journal, JournalConfig, JournalReader, Location, Parts, Record, StoreError, Tag, TornTail,
};
use types::auth::FrameKey;
use types::block::Block;
use types::genesis::Genesis;
use types::outcome::{BlockOutcome, Digest};
use types::{Height, SequenceNumber};

use crate::checkpoint_thread::Buffer;
use crate::cli::Failure;
use crate::data_dir::DataDir;
use crate::feeds;
use crate::shadow::Beginning;

/// What a node goes on from: built from the data directory and nothing else.
#[derive(Debug)]
pub struct Recovered {
    /// The journal, open to write.
    pub journal: Journal,
    /// The state after its last block, for the pipeline.
    pub state: State,
    /// The answers up to there, for the gateway.
    pub answers: AnswerBook,
    /// The feeds, for whoever makes them.
    pub feeds: feeds::Beginning,
    /// The same state once more and what goes with it, for the shadow.
    pub beginning: Beginning,
    /// Worth a message: what a torn tail lost and where it is kept, and which checkpoints are
    /// damaged.
    pub warnings: Vec<String>,
}

/// Reads, checks and re-executes the journal from the newest checkpoint on, then opens it for
/// writing. The seeds keep hash tables of both states out of strangers' aim and change no outcome.
pub fn recover(
    folders: &Folders,
    config: &JournalConfig,
    genesis: &Genesis,
    [shadow_seed, state_seed]: [u64; 2],
) -> Result<Recovered, Failure> {
    let mut warnings = Vec::new();
    let restored = Restored::newest(&folders.checkpoints(), genesis, shadow_seed, |what| {
        warnings.push(format!("{what}; an older one is used"));
    })?;
    let mut reading = store::Recovery::begin_in(folders, config, restored.after.as_ref())?;
    let written = restored.state.position().height;
    let data = MarketData::of(&restored.state, shadow_seed);
    let mut feeds = feeds::Beginning::new(data, restored.feeds.clone());
    let restored = restored.replay(&mut reading, Workers::ONE, |executed| {
        feeds.follow(executed.outcome);
        Ok(())
    })?;
    let (journal, recovered) = Journal::open(reading)?;
    warnings.extend(recovered.cut.map(|cut| {
        let tail = describe_tail(&cut.tail);
        format!("{tail}; cut, and kept in {}", cut.copy.display())
    }));
    let height = restored.state.position().height;
    Ok(Recovered {
        state: restored.copy_state(genesis, state_seed),
        answers: restored.answers.clone(),
        beginning: Beginning {
            state: restored.state,
            tree: restored.tree,
            answers: restored.answers,
            feeds: feeds.positions().clone(),
            record_hash: journal.last_record_hash(),
            is_written: height == written,
        },
        feeds,
        journal,
        warnings,
    })
}

/// What every journal segment and checkpoint of a network must say.
pub fn identity_of(genesis: &Genesis) -> Identity {
    Identity {
        network: genesis.network(),
        genesis_hash: genesis.hash(),
    }
}

/// Somewhere that records come from, in order.
pub(crate) trait Records {
    /// The next good record; `None` where they end.
    fn next(&mut self) -> Result<Option<Record>, StoreError>;
}

impl Records for JournalReader {
    fn next(&mut self) -> Result<Option<Record>, StoreError> {
        self.next_record()
    }
}

impl Records for store::Recovery {
    fn next(&mut self) -> Result<Option<Record>, StoreError> {
        self.next_record()
    }
}

/// A block that a replay has executed.
#[derive(Clone, Copy)]
pub(crate) struct Executed<'a> {
    /// The state behind it.
    pub(crate) state: &'a State,
    /// The block.
    pub(crate) block: &'a Block,
    /// What came of it.
    pub(crate) outcome: &'a BlockOutcome,
    /// Hash of its record in the journal.
    pub(crate) record_hash: Digest,
}

/// A state with what goes with it, at one point of the total order.
pub(crate) struct Restored {
    /// The state.
    pub(crate) state: State,
    /// Its state tree.
    pub(crate) tree: StateTree,
    /// The last answers per key.
    pub(crate) answers: AnswerBook,
    /// Where the feeds stood in the checkpoint that it comes from.
    pub(crate) feeds: Positions,
    /// The checkpoint that it comes from; `None` before the first block.
    pub(crate) after: Option<After>,
}

impl Restored {
    /// The state before the first block.
    pub(crate) fn genesis(genesis: &Genesis, hash_seed: u64) -> Self {
        let state = State::from_genesis(genesis, hash_seed);
        Self {
            tree: StateTree::new(state.ledger()),
            state,
            answers: AnswerBook::new(),
            feeds: Positions::default(),
            after: None,
        }
    }

    /// The state of a checkpoint, once its root has come out again.
    pub(crate) fn from_checkpoint(
        checkpoint: &Checkpoint,
        genesis: &Genesis,
        hash_seed: u64,
    ) -> Result<Self, String> {
        let meta = checkpoint.meta();
        let archived = snapshot::access(checkpoint.section(0)).map_err(|it| it.to_string())?;
        let parts = Parts::read(checkpoint.version(), checkpoint.section(1));
        let parts = parts.map_err(|error| error.to_string())?;
        let beside = Beside {
            sessions: parts.part(Tag::Sessions),
            edge: parts.part(Tag::Edge),
            phase: parts.part(Tag::Phase),
        };
        let state = State::restore(archived, beside, genesis, hash_seed);
        let state = state.map_err(|contradiction| contradiction.to_string())?;
        let position = state.position();
        let found = (position.height, position.sequence, position.outcome_hash);
        if found != (meta.height, meta.sequence, meta.outcome_hash) {
            return Err("its state is of another block".to_owned());
        }
        let tree = StateTree::new(state.ledger());
        if tree.root() != meta.state_root {
            let root = tree.root();
            return Err(format!(
                "its state has root {root}, and {} was recorded",
                meta.state_root
            ));
        }
        Ok(Self {
            answers: answers(&parts, &state)?,
            feeds: positions(&parts, &state)?,
            state,
            tree,
            after: Some(meta.after()),
        })
    }

    /// The newest checkpoint that can be used, or the genesis. What cannot be used is told to
    /// `warn`.
    pub(crate) fn newest(
        checkpoints: &Checkpoints,
        genesis: &Genesis,
        hash_seed: u64,
        mut warn: impl FnMut(String),
    ) -> Result<Self, Failure> {
        let newest = checkpoints.newest_accepted(&identity_of(genesis), |checkpoint| {
            Self::from_checkpoint(&checkpoint, genesis, hash_seed)
        })?;
        for damaged in newest.damaged {
            warn(damaged.to_string());
        }
        let beginning = newest.checkpoint;
        Ok(beginning.unwrap_or_else(|| Self::genesis(genesis, hash_seed)))
    }

    /// The same state once more, by way of a snapshot.
    pub(crate) fn copy_state(&self, genesis: &Genesis, hash_seed: u64) -> State {
        let mut image = Image::new(Buffer(AlignedBuffer::with_capacity(0)));
        image.update(&self.state, &self.tree, &[]);
        let beside = BesideBytes::of(&self.state);
        let copy = snapshot::access(image.memory().0.bytes())
            .and_then(|archived| State::restore(archived, beside.read(), genesis, hash_seed))
            .expect("what a state writes down is a state");
        assert_eq!(copy.digest(), self.state.digest());
        copy
    }

    /// Executes all records from here on. `follow` sees each block with what came of it.
    pub(crate) fn replay(
        self,
        records: &mut (impl Records + Send),
        workers: Workers,
        mut follow: impl FnMut(Executed<'_>) -> Result<(), Failure>,
    ) -> Result<Self, Failure> {
        let Self {
            state,
            mut tree,
            mut answers,
            feeds,
            after,
        } = self;
        let executor = workers.executor(&state)?;
        let mut replay = Replay::with_executor(state, executor);
        let mut changed = ChangedAccounts::new();
        let frame_key = *replay.state().frame_key();
        read_ahead(records, workers.count, &frame_key, |place, block| {
            replay.execute(block).map_err(|error| {
                let Location { segment, offset } = place.location;
                Failure::Corruption(format!("{}:{offset}: {error}", segment.file_name()))
            })?;
            let outcome = replay.outcome();
            answers.follow(outcome);
            changed.follow(outcome);
            follow(Executed {
                state: replay.state(),
                block: replay.block(),
                outcome,
                record_hash: place.record_hash,
            })
        })?;
        let state = replay.into_state();
        tree.update(state.ledger(), changed.as_slice().iter().copied());
        Ok(Self {
            state,
            tree,
            answers,
            feeds,
            after,
        })
    }
}

fn answers(parts: &Parts<'_>, state: &State) -> Result<AnswerBook, String> {
    let part = parts.part(Tag::Answers).ok_or("it has no answers")?;
    let answers = AnswerBook::decode(part, state.ledger().key_count());
    let answers = answers.map_err(|error| error.to_string())?;
    if answers.last_sequence() != state.position().sequence {
        return Err("its answers are of another block".to_owned());
    }
    Ok(answers)
}

/// Before there were feeds there was nothing to remember of them: they begin after that block.
fn positions(parts: &Parts<'_>, state: &State) -> Result<Positions, String> {
    let sequence = state.position().sequence;
    let Some(part) = parts.part(Tag::Feeds) else {
        return Ok(Positions::none(sequence));
    };
    let markets = state.markets().count() as u32;
    let feeds = Positions::decode(part, markets, state.ledger().account_count());
    let feeds = feeds.map_err(|error| error.to_string())?;
    if feeds.sequence() != sequence {
        return Err("its feeds are of another block".to_owned());
    }
    Ok(feeds)
}

/// Who executes, and how many help.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Workers {
    /// What executes.
    pub(crate) kind: ExecutorKind,
    /// Its workers. As many threads but one read, check and decode ahead of it.
    pub(crate) count: usize,
}

impl Workers {
    /// One thread does it all.
    pub(crate) const ONE: Self = Self {
        kind: ExecutorKind::Sequential,
        count: 1,
    };

    /// Their executor, for blocks that follow this state.
    pub(crate) fn executor(self, state: &State) -> Result<Executor, Failure> {
        Executor::new(self.kind, self.count, state, nanos)
            .map_err(|error| Failure::failed("cannot execute", error))
    }
}

/// The time since somebody first asked.
fn nanos() -> u64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

/// Where a replay begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReplayFrom {
    /// Before the first block, if the journal goes back that far; else at the oldest checkpoint.
    Start,
    /// At the newest checkpoint.
    Newest,
    /// At the checkpoint of this height; zero: before the first block.
    Height(Height),
}

/// What came of replaying a directory.
pub(crate) struct Replayed {
    /// The state at the end of the journal.
    pub(crate) end: Restored,
    /// Where it began: zero is before the first block.
    pub(crate) from: Height,
    /// The torn tail, if there is one.
    pub(crate) torn: Option<TornTail>,
    /// The checkpoints on the way whose hashes and roots came out again, the oldest first.
    pub(crate) roots: Vec<(SequenceNumber, Digest)>,
}

/// Replays a directory's journal without touching it, up to its end or its torn tail, and compares
/// with every checkpoint that it passes.
pub(crate) fn replay_directory(
    directory: &DataDir,
    from: ReplayFrom,
    workers: Workers,
    mut follow: impl FnMut(Executed<'_>) -> Result<(), Failure>,
) -> Result<Replayed, Failure> {
    let folders = Folders::open(directory.path());
    let identity = directory.identity();
    let beginning = begin(directory, &folders, from)?;
    let from = beginning.state.position().height;
    let mut recorded = Recorded::load(&folders.checkpoints(), &identity, from)?;
    let after = beginning.after;
    let mut reader = JournalReader::open_in(&folders, &identity, after.as_ref())?;
    let end = beginning.replay(&mut reader, workers, |executed| {
        recorded.compare(executed.state)?;
        follow(executed)
    })?;
    let torn = match reader.ending() {
        Some(Ending::Torn(tail)) => Some(tail.clone()),
        Some(Ending::Clean) | None => None,
    };
    recorded.finish(end.state.position().height)?;
    Ok(Replayed {
        end,
        from,
        torn,
        roots: recorded.compared,
    })
}

fn begin(directory: &DataDir, folders: &Folders, from: ReplayFrom) -> Result<Restored, Failure> {
    let checkpoints = folders.checkpoints();
    let genesis = directory.genesis();
    let height = match from {
        ReplayFrom::Newest => {
            return Restored::newest(&checkpoints, genesis, 0, |what| {
                eprintln!("keel: {what}; an older one is used");
            });
        }
        ReplayFrom::Start if folders.reaches_back()? => Height::ZERO,
        ReplayFrom::Start => {
            let oldest = checkpoints.heights()?.last().copied();
            oldest.unwrap_or(Height::ZERO)
        }
        ReplayFrom::Height(height) => height,
    };
    if height == Height::ZERO {
        return Ok(Restored::genesis(genesis, 0));
    }
    let checkpoint = checkpoints.load(height, &directory.identity())?;
    Restored::from_checkpoint(&checkpoint, genesis, 0)
        .map_err(|what| Failure::Corruption(format!("the checkpoint of height {height}: {what}")))
}

/// The hashes and roots that checkpoints recorded, to be compared on the way.
struct Recorded {
    /// The oldest first.
    expected: VecDeque<CheckpointMeta>,
    compared: Vec<(SequenceNumber, Digest)>,
}

impl Recorded {
    /// Those of all good checkpoints after a height. Damaged ones are `keel verify`'s to report.
    fn load(
        checkpoints: &Checkpoints,
        identity: &Identity,
        after: Height,
    ) -> Result<Self, Failure> {
        let mut expected = VecDeque::new();
        for height in checkpoints.heights()? {
            if after < height
                && let Ok(checkpoint) = checkpoints.load(height, identity)
            {
                expected.push_front(*checkpoint.meta());
            }
        }
        Ok(Self {
            expected,
            compared: Vec::new(),
        })
    }

    fn compare(&mut self, state: &State) -> Result<(), Failure> {
        let position = state.position();
        let is_next = |meta: &&CheckpointMeta| meta.height == position.height;
        let Some(meta) = self.expected.front().filter(is_next) else {
            return Ok(());
        };
        let root = state.ledger().state_root();
        let found = (position.sequence, position.outcome_hash, root);
        if found != (meta.sequence, meta.outcome_hash, meta.state_root) {
            return Err(Failure::Corruption(format!(
                "block {}: outcome hash {} and root {root} at sequence {}, but the checkpoint \
                 recorded {} and {} at {}",
                meta.height,
                position.outcome_hash,
                position.sequence,
                meta.outcome_hash,
                meta.state_root,
                meta.sequence
            )));
        }
        self.compared.push((meta.sequence, root));
        self.expected.pop_front();
        Ok(())
    }

    /// Whoever is left lies beyond the end of the journal.
    fn finish(&self, last: Height) -> Result<(), Failure> {
        let Some(meta) = self.expected.front() else {
            return Ok(());
        };
        Err(Failure::Corruption(format!(
            "the journal ends with height {last}, before the checkpoint of height {}: it lost what \
             was durable, or is of another generation",
            meta.height
        )))
    }
}

/// A torn tail as a failure: what was asked for was done up to there. Beside a running node it is
/// none: its last batch is being written.
pub(crate) fn torn_tail(directory: &DataDir, torn: Option<TornTail>) -> Result<(), Failure> {
    match torn {
        Some(tail) if !store::is_in_use(directory.path())? => {
            Err(Failure::TornTail(describe_tail(&tail)))
        }
        Some(_) | None => Ok(()),
    }
}

/// Where a torn tail is.
pub(crate) fn describe_tail(tail: &TornTail) -> String {
    let (file, offset, bytes) = (tail.file.display(), tail.offset, tail.bytes);
    format!("torn tail at {file}:{offset}, {bytes} bytes that were never durable")
}

/// Hands every record to `execute`, decoded and in order.
fn read_ahead(
    records: &mut (impl Records + Send),
    workers: usize,
    frame_key: &FrameKey,
    mut execute: impl FnMut(Place, DecodedBlock) -> Result<(), Failure>,
) -> Result<(), Failure> {
    if workers <= 1 {
        while let Some(record) = records.next()? {
            execute(Place::of(&record), recorded_block(record).decode(frame_key))?;
        }
        return Ok(());
    }
    std::thread::scope(|scope| {
        // Every decoder has a queue in and a queue out; records go round, and come back in order.
        let mut to_decode = Vec::new();
        let mut decoded = Vec::new();
        for _ in 0..(workers - 2).max(1) {
            let (to_decoder, records) = mpsc::sync_channel::<Record>(RECORDS_AHEAD);
            let (to_executor, blocks) = mpsc::sync_channel(RECORDS_AHEAD);
            scope.spawn(move || {
                for record in records {
                    let place = Place::of(&record);
                    let next = (place, recorded_block(record).decode(frame_key));
                    if to_executor.send(next).is_err() {
                        return;
                    }
                }
            });
            to_decode.push(to_decoder);
            decoded.push(blocks);
        }
        let reader = scope.spawn(move || {
            for decoder in to_decode.iter().cycle() {
                let Some(record) = records.next()? else {
                    break;
                };
                // A decoder that is gone has nobody to decode for.
                if decoder.send(record).is_err() {
                    break;
                }
            }
            Ok::<(), StoreError>(())
        });
        for blocks in decoded.iter().cycle() {
            let Ok((place, block)) = blocks.recv() else {
                break;
            };
            execute(place, block)?;
        }
        drop(decoded);
        Ok(reader.join().expect("a panic ends the process")?)
    })
}

/// Records in each queue between the threads of a replay.
const RECORDS_AHEAD: usize = 16;

/// Which record a block is from.
#[derive(Clone, Copy)]
struct Place {
    location: Location,
    record_hash: Digest,
}

impl Place {
    const fn of(record: &Record) -> Self {
        Self {
            location: record.location,
            record_hash: record.hash,
        }
    }
}

fn recorded_block(record: Record) -> RecordedBlock {
    RecordedBlock {
        height: record.height,
        first_sequence: record.first_sequence,
        command_count: record.command_count,
        previous_outcome: record.previous_outcome,
        payload: Bytes::from(record.payload),
    }
}

/// Keeps hash tables of this process out of strangers' aim.
pub(crate) fn random_hash_seed() -> Result<u64, Failure> {
    getrandom::u64().map_err(|error| Failure::failed("no entropy", error))
}

/// A genesis' name in messages.
pub(crate) fn describe(genesis: &Genesis) -> String {
    format!("network {} genesis {}", genesis.network(), genesis.hash())
}
