//! What the benches share: the demo's stream of commands, sealed into blocks; and what the matching
//! bench compares, module [`matching`].
//!
//! Nothing here measures; start with a file under `benches/`, or with `README.md` for what they
//! gave, on which machine, and what they do not show.
#![forbid(unsafe_code)]

pub mod flow;
pub mod matching;
mod size;

pub use size::Size;

use bytes::BytesMut;
use engine::State;
use engine::sequencer::Sequencer;
use loadgen::workload::{Frame, Scenario, Spread, Workload, WorkloadPlan};
use types::auth::{AuthenticFrame, FrameKey, SigningKey};
use types::block::{Block, SequencedFrame};
use types::genesis::{self, Genesis};
use types::limits::COMMANDS_PER_BLOCK_MAX;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::wire::query::Reference;
use types::{AccountId, KeyEpoch, KeyId, LogTime, Nonce};

/// Commands in each frame of a stream.
pub const FRAME: usize = 32;
/// Accounts that send a stream, one frame each in turn.
pub const CLIENTS: u32 = 4;

/// Signed frames of the demo's mix, in sending order, as the signature worker passes them on.
#[derive(Debug)]
pub struct Stream {
    /// The network.
    pub genesis: Genesis,
    /// The frames.
    pub frames: Vec<SequencedFrame>,
}

impl Stream {
    /// At least `commands` commands of the demo's mix.
    pub fn demo(commands: usize, seed: u64) -> Self {
        let genesis = genesis::development();
        let frame_key = FrameKey::new(genesis.network(), genesis.hash());
        let reference = Reference::of(&genesis);
        let plan = WorkloadPlan::new(reference, Scenario::of(Spread::Uniform), CLIENTS, seed)
            .expect("the development network takes the demo's workload");
        let mut clients: Vec<_> = (0..CLIENTS)
            .map(|client| {
                let free = &genesis.accounts()[client as usize].balances;
                let workload = Workload::new(&plan, client, free, 0)
                    .expect("development accounts have enough");
                let name = genesis::development_name(AccountId::new(client));
                (workload, SigningKey::development(&name))
            })
            .collect();
        let mut frames = Vec::new();
        let mut buffer = Vec::new();
        // Frames share one buffer, as those do that a gateway splits off its receive buffer:
        // cloning one allocates nothing.
        let mut received = BytesMut::new();
        let mut list = Frame::new();
        for round in 0..commands.div_ceil(FRAME * CLIENTS as usize) {
            for (client, (workload, key)) in (0..).zip(&mut clients) {
                workload.fill_frame(&mut list, FRAME);
                let header = FrameHeader {
                    account: AccountId::new(client),
                    key: KeyId::new(client),
                    epoch: KeyEpoch::new(0),
                    nonce: Nonce::new(round as u64 + 1),
                    expires_at: LogTime::ZERO,
                };
                list.with(|commands| {
                    OrdersFrame::encode(&header, commands, &frame_key, key, &mut buffer);
                });
                received.extend_from_slice(&buffer);
                let frame = OrdersFrame::parse(received.split().freeze())
                    .expect("what was just encoded parses");
                frames.push(SequencedFrame {
                    frame: AuthenticFrame::from_journal(frame, &frame_key),
                    origin: None,
                });
            }
        }
        Self { genesis, frames }
    }

    /// How many commands it has.
    pub const fn commands(&self) -> u64 {
        (self.frames.len() * FRAME) as u64
    }

    /// A state before the stream.
    pub fn state(&self) -> State {
        State::from_genesis(&self.genesis, 1)
    }
}

/// Frames in the largest block.
pub const BLOCK_FRAMES: usize = COMMANDS_PER_BLOCK_MAX / FRAME / 4;

/// Sequences some frames and seals them, as the pipeline's thread does.
pub fn seal(sequencer: &mut Sequencer, frames: &[SequencedFrame], now: LogTime) -> Block {
    for frame in frames {
        sequencer.push(frame.clone(), now);
    }
    sequencer.seal().expect("there was a frame")
}
