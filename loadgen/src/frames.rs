//! Where a client's frames come from: made and signed as they are sent, or all of them before the clock
//! starts.
//!
//! A frame's own signature binds account, key, epoch, nonce, network and commands, and no connection, so
//! it can be made ahead. A rolling signature is over everything that its connection has carried, so it
//! cannot.

use client::{FrameSigner, Sender};
use types::limits::SLOTS_PER_FRAME_MAX;
use types::wire::command::SLOT_LENGTH;
use types::wire::orders::{HEAD_LENGTH, SIGNATURE_LENGTH};
use types::{LogTime, Nonce};

use crate::workload::{Frame, Workload};

/// When frames are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signing {
    /// As they are sent; the generator's CPU time has it in it.
    #[default]
    Live,
    /// Before the clock starts.
    Ahead {
        /// How many commands to sign, over all clients, for a run at maximum rate: it ends when the
        /// first client has sent all of its. A run on a schedule knows.
        orders: Option<u64>,
    },
}

impl Signing {
    /// As it is called in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ahead { .. } => "ahead",
        }
    }
}

/// Bytes of `frames` frames with so many commands, each of so many slots at most.
pub(crate) const fn bytes_max(frames: u64, commands: usize, slots: usize) -> u64 {
    let slots = if commands * slots < SLOTS_PER_FRAME_MAX {
        commands * slots
    } else {
        SLOTS_PER_FRAME_MAX
    };
    let frame = HEAD_LENGTH + slots * SLOT_LENGTH + SIGNATURE_LENGTH;
    frames.saturating_mul(frame as u64)
}

/// The frames of one client, one after the other.
#[derive(Debug)]
pub(crate) struct Frames {
    source: Source,
    /// Commands in each.
    pub(crate) size: usize,
    /// Of the next one.
    pub(crate) next_nonce: Nonce,
}

#[derive(Debug)]
enum Source {
    /// The commands of the next one are made in a buffer that is used again.
    Live(Box<Workload>, Frame),
    /// All, one behind the other.
    Ahead {
        bytes: Vec<u8>,
        /// Where each one ends.
        ends: Vec<usize>,
        sent: usize,
    },
}

impl Frames {
    pub(crate) fn live(workload: Workload, size: usize, next_nonce: Nonce) -> Self {
        Self {
            source: Source::Live(Box::new(workload), Frame::new()),
            size,
            next_nonce,
        }
    }

    /// Makes and signs `count` frames now.
    pub(crate) fn ahead(
        mut workload: Workload,
        size: usize,
        next_nonce: Nonce,
        count: u64,
        mut signer: FrameSigner,
    ) -> Self {
        let mut frame = Frame::new();
        let (mut bytes, mut ends) = (Vec::new(), Vec::new());
        for index in 0..count {
            workload.fill_frame(&mut frame, size);
            let nonce = next_nonce.advance(index);
            frame.with(|commands| signer.sign(nonce, LogTime::ZERO, commands, &mut bytes));
            ends.push(bytes.len());
        }
        Self {
            source: Source::Ahead {
                bytes,
                ends,
                sent: 0,
            },
            size,
            next_nonce,
        }
    }

    /// How many are left; `None`: as many as one likes.
    pub(crate) fn left(&self) -> Option<usize> {
        match &self.source {
            Source::Live(..) => None,
            Source::Ahead { ends, sent, .. } => Some(ends.len() - sent),
        }
    }

    /// Queues the next one and returns its nonce. Panics if none is left.
    pub(crate) fn queue(&mut self, sender: &mut Sender) -> Nonce {
        let nonce = self.take_nonce();
        match &mut self.source {
            Source::Live(workload, frame) => {
                workload.fill_frame(frame, self.size);
                frame.with(|commands| sender.queue_frame_with(nonce, LogTime::ZERO, commands));
            }
            Source::Ahead { bytes, ends, sent } => {
                let begin = sent.checked_sub(1).map_or(0, |last| ends[last]);
                sender.queue_bytes(&bytes[begin..ends[*sent]]);
                *sent += 1;
            }
        }
        nonce
    }

    /// The next nonce, for a frame that is not one of these.
    pub(crate) const fn take_nonce(&mut self) -> Nonce {
        let nonce = self.next_nonce;
        self.next_nonce = nonce.next();
        nonce
    }
}
