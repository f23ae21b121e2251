//! `keel audit`: compares the order in which frames arrived, as the node signed it, with the order
//! in which they were executed.
//!
//! Receipts alone prove nothing and neither does the journal: together they show whether what came
//! first was sequenced first. The more clients bring theirs, the less can be hidden.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use gateway::Identity;
use types::auth::PublicKey;
use types::block::{Block, Entry};
use types::wire::receipts::{ReceiptKey, Receipts};
use types::{KeyId, Nonce, SequenceNumber, decimal};

use super::connect::public_key;
use super::{Failure, print_line};
use crate::data_dir::DataDir;
use crate::recovery::{ReplayFrom, Workers, replay_directory};

/// Options of `keel audit`.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// The data directory.
    #[arg(long, value_name = "D")]
    dir: PathBuf,
    /// What clients kept (`keel client --receipts`): a message a line, in hexadecimal.
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    receipts: Vec<PathBuf>,
    /// The public key of the node that signed them; without it, that of the directory.
    #[arg(long, value_name = "HEX")]
    pin: Option<String>,
    /// Print one machine-readable object.
    #[arg(long)]
    json: bool,
}

/// Pairs and faults that are named; the others are counted.
const NAMED_MAX: usize = 20;

pub(super) fn run(options: &Options) -> Result<(), Failure> {
    let directory = DataDir::open(&options.dir)?;
    let server = match &options.pin {
        None => Identity::from_seed(directory.tls_seed()?).public_key(),
        Some(text) => public_key("--pin", text)?,
    };
    let genesis = directory.genesis();
    let mut audit = Audit {
        server,
        receipt_key: ReceiptKey::new(genesis.network(), genesis.hash()),
        sequenced: BTreeMap::new(),
        arrived: BTreeMap::new(),
        faults: Vec::new(),
    };
    replay_directory(&directory, ReplayFrom::Start, Workers::ONE, |executed| {
        audit.note(executed.block);
        Ok(())
    })?;
    for file in &options.receipts {
        audit.read(file)?;
    }
    let comparison = Comparison::of(&audit.arrived);
    report(options, &audit, &comparison);
    let wrong = audit.faults.len() + comparison.swapped.len();
    match wrong {
        0 => Ok(()),
        _ => Err(Failure::Failed(format!(
            "{} receipts are false, {} pairs were swapped",
            audit.faults.len(),
            comparison.swapped.len()
        ))),
    }
}

/// A frame that was sequenced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Frame {
    key: KeyId,
    nonce: Nonce,
    first_sequence: SequenceNumber,
    is_cancel: bool,
}

/// Which run of the node a frame came to, and as the how manieth.
type Arrival = (u64, u64);

struct Audit {
    server: PublicKey,
    receipt_key: ReceiptKey,
    /// What the journal says.
    sequenced: BTreeMap<SequenceNumber, Frame>,
    /// What the receipts say, as far as the journal bears them out.
    arrived: BTreeMap<Arrival, Frame>,
    faults: Vec<String>,
}

impl Audit {
    fn note(&mut self, block: &Block) {
        let mut first_sequence = block.first_sequence;
        for entry in &block.entries {
            if let Entry::Frame(sequenced) = entry {
                let frame = sequenced.frame.frame();
                let header = frame.header();
                let frame = Frame {
                    key: header.key,
                    nonce: header.nonce,
                    first_sequence,
                    is_cancel: frame.is_cancel(),
                };
                self.sequenced.insert(first_sequence, frame);
            }
            first_sequence = first_sequence.advance(entry.command_count());
        }
    }

    fn read(&mut self, file: &Path) -> Result<(), Failure> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|error| Failure::failed(&name, error))?;
        for (line, number) in text.lines().zip(1..) {
            let place = format!("{name}:{number}");
            if let Err(fault) = self.take(line.trim()) {
                self.faults.push(format!("{place}: {fault}"));
            }
        }
        Ok(())
    }

    /// Takes one message of receipts. An error says what is false about it.
    fn take(&mut self, line: &str) -> Result<(), String> {
        let bytes = decimal::from_hex(line).ok_or("not hexadecimal")?;
        let receipts = Receipts::parse(&bytes).map_err(|reason| reason.to_string())?;
        if !receipts.are_signed_by(&self.server, &self.receipt_key) {
            return Err("the node did not sign this".to_owned());
        }
        for receipt in receipts.receipts() {
            let (key, nonce) = (receipts.key(), receipt.nonce());
            let first_sequence = receipt.first_sequence();
            let found = self.sequenced.get(&first_sequence);
            let found = found.filter(|frame| (frame.key, frame.nonce) == (key, nonce));
            let frame = *found.ok_or_else(|| {
                format!("key {key} nonce {nonce} is not at sequence {first_sequence}")
            })?;
            let arrival = (receipts.run(), receipt.arrival());
            let before = self.arrived.insert(arrival, frame);
            if before.is_some_and(|before| before != frame) {
                return Err(format!("two frames were the arrival {}", receipt.arrival()));
            }
        }
        Ok(())
    }
}

/// How far execution order is from arrival order.
#[derive(Debug, Default, PartialEq, Eq)]
struct Comparison {
    runs: usize,
    /// Neighbors in arrival of one class, of which the later one was sequenced first.
    swapped: Vec<(Frame, Frame)>,
    /// How many frames are how many places from where they arrived: 0, 1, up to 3, up to 7, ...
    distances: BTreeMap<usize, usize>,
}

impl Comparison {
    /// Arrivals are counted anew in each run, so each is compared by itself. Cancels may pass
    /// orders, so each class is compared by itself for swaps.
    fn of(arrived: &BTreeMap<Arrival, Frame>) -> Self {
        let mut comparison = Self::default();
        let mut runs: BTreeMap<u64, Vec<Frame>> = BTreeMap::new();
        for ((run, _), frame) in arrived {
            runs.entry(*run).or_default().push(*frame);
        }
        comparison.runs = runs.len();
        for frames in runs.values() {
            for class in [true, false] {
                let class = frames.iter().filter(|frame| frame.is_cancel == class);
                let class: Vec<&Frame> = class.collect();
                let pairs = class.windows(2);
                let swapped = pairs.filter(|it| it[1].first_sequence < it[0].first_sequence);
                comparison
                    .swapped
                    .extend(swapped.map(|it| (*it[0], *it[1])));
            }
            comparison.measure(frames);
        }
        comparison
    }

    fn measure(&mut self, frames: &[Frame]) {
        let mut by_sequence: Vec<SequenceNumber> =
            frames.iter().map(|frame| frame.first_sequence).collect();
        by_sequence.sort_unstable();
        for (place, frame) in frames.iter().enumerate() {
            let rank = by_sequence.partition_point(|it| *it < frame.first_sequence);
            let distance = place.abs_diff(rank);
            let bucket = (distance + 1).next_power_of_two() - 1;
            *self.distances.entry(bucket).or_default() += 1;
        }
    }
}

fn report(options: &Options, audit: &Audit, comparison: &Comparison) {
    let name = |frame: &Frame| {
        let Frame {
            key,
            nonce,
            first_sequence,
            ..
        } = frame;
        format!("key {key} nonce {nonce} sequence {first_sequence}")
    };
    let swapped = comparison.swapped.iter().take(NAMED_MAX);
    let swapped = swapped.map(|(first, second)| format!("{} before {}", name(first), name(second)));
    let swapped: Vec<String> = swapped.collect();
    let faults: Vec<&String> = audit.faults.iter().take(NAMED_MAX).collect();
    if options.json {
        let distances = comparison.distances.iter();
        let distances = distances.map(|(upto, frames)| serde_json::json!([upto, frames]));
        let object = serde_json::json!({
            "receipts": audit.arrived.len(),
            "runs": comparison.runs,
            "false_receipts": audit.faults.len(),
            "swapped_pairs": comparison.swapped.len(),
            "distances": distances.collect::<Vec<_>>(),
            "faults": faults,
            "swapped": swapped,
        });
        print_line(&object.to_string());
        return;
    }
    print_line(&format!(
        "{} frames with receipts, {} runs of the node",
        audit.arrived.len(),
        comparison.runs
    ));
    for (upto, frames) in &comparison.distances {
        print_line(&format!(
            "up to {upto} places from arrival: {frames} frames"
        ));
    }
    for fault in faults {
        print_line(&format!("false receipt: {fault}"));
    }
    for pair in swapped {
        print_line(&format!("arrived {pair}, executed after it"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Swapped pairs by their sequence numbers, and frames by their distance.
    type Found = (Vec<(u64, u64)>, Vec<(usize, usize)>);

    /// Frames in arrival order: their sequence numbers, those of cancels negative.
    fn compare(sequences: &[i64]) -> Found {
        let frame = |sequence: &i64| Frame {
            key: KeyId::new(1),
            nonce: Nonce::new(1),
            first_sequence: SequenceNumber::new(sequence.unsigned_abs()),
            is_cancel: *sequence < 0,
        };
        let arrivals = (1..).map(|arrival| (7, arrival));
        let arrived = arrivals.zip(sequences.iter().map(frame)).collect();
        let comparison = Comparison::of(&arrived);
        let swapped = comparison.swapped.iter();
        let swapped = swapped.map(|(a, b)| (a.first_sequence.get(), b.first_sequence.get()));
        let distances = comparison.distances.into_iter().collect();
        (swapped.collect(), distances)
    }

    #[test]
    fn swaps_are_named_and_distances_counted() {
        for (sequences, swapped, distances) in [
            (&[1, 2, 5, 9][..], &[][..], &[(0, 4)][..]),
            (&[1, 5, 2, 9], &[(5, 2)], &[(0, 2), (1, 2)]),
            (&[2, 3, 4, 5, 1], &[(5, 1)], &[(1, 4), (7, 1)]),
            // A cancel may pass orders, not other cancels.
            (&[1, 3, -2, 4], &[], &[(0, 2), (1, 2)]),
            (&[1, -3, -2, 4], &[(3, 2)], &[(0, 2), (1, 2)]),
            (&[], &[], &[]),
        ] {
            let found = compare(sequences);
            assert_eq!(
                found,
                (swapped.to_vec(), distances.to_vec()),
                "{sequences:?}"
            );
        }
    }
}
