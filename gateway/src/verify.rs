//! The signature worker: verifies frames in batches, between the gateway and the sequencer.
//!
//! It takes whatever is there, up to a limit, and never waits for a batch to fill: under load
//! batches are long and cheap, on an idle node a frame goes through alone and at once. It takes no
//! more than it has room to pass on, so it never holds a frame back: what the sequencer has no
//! room for is refused `BUSY` before a signature is computed, and while there is no room for
//! refusals nothing is taken at all.

use std::convert::Infallible;
use std::sync::Arc;

use crossbeam_utils::CachePadded;
use rtrb::{Consumer, Producer};
use types::RejectReason;
use types::auth::{AuthenticFrame, BatchVerifier, FrameKey, PublicKey, SignedFrames};
use types::block::{Origin, SequencedFrame};
use types::wire::orders::OrdersFrame;

use crate::counters::SignatureCounters;
use crate::ports::{RESERVED_PART, RejectedFrame, UnverifiedFrames};

/// Signatures in one batch: beyond this a longer batch is hardly cheaper per signature.
const BATCH_MAX: usize = 64;

/// The body of the signature thread's loop.
#[derive(Debug)]
pub struct SignatureWorker {
    unverified: Consumer<UnverifiedFrames>,
    verified: Producer<SequencedFrame>,
    rejected: Producer<RejectedFrame>,
    verifier: BatchVerifier,
    entropy: Entropy,
    batch: Vec<(SignedFrames, PublicKey)>,
    /// Of each frame of the batch.
    origins: Vec<Origin>,
    results: Vec<Result<AuthenticFrame, (OrdersFrame, RejectReason)>>,
    counters: Arc<CachePadded<SignatureCounters>>,
}

/// What one round did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Frames passed on; if any, wake the sequencer.
    pub verified: usize,
    /// Frames refused; if any, wake the gateway.
    pub refused: usize,
    /// Whether frames are left in the ring only because there is no room for refusals. The gateway
    /// wakes this thread once there is.
    pub blocked: bool,
}

impl Progress {
    /// Whether there was nothing to do, so that the thread may park until it is woken.
    pub const fn is_idle(&self) -> bool {
        self.verified == 0 && self.refused == 0
    }
}

impl SignatureWorker {
    /// For the frames of one network.
    pub fn new(
        unverified: Consumer<UnverifiedFrames>,
        verified: Producer<SequencedFrame>,
        rejected: Producer<RejectedFrame>,
        frame_key: FrameKey,
    ) -> Self {
        Self {
            unverified,
            verified,
            rejected,
            verifier: BatchVerifier::new(frame_key),
            entropy: Entropy::new(),
            batch: Vec::with_capacity(BATCH_MAX),
            origins: Vec::with_capacity(BATCH_MAX),
            results: Vec::with_capacity(BATCH_MAX),
            counters: Arc::default(),
        }
    }

    /// What it counts.
    pub fn counters(&self) -> Arc<CachePadded<SignatureCounters>> {
        Arc::clone(&self.counters)
    }

    /// Verifies one batch of what is there. Never waits.
    pub fn run_once(&mut self) -> Progress {
        // Each frame may have to be refused, so that much room is reserved before it is taken.
        let mut refusals = self.rejected.slots();
        let mut room = self.verified.slots();
        // The last places are for cancels.
        let reserve = self.verified.buffer().capacity() / RESERVED_PART;
        let (mut taken, mut refused, mut blocked) = (0, 0, false);
        self.origins.clear();
        while taken < BATCH_MAX
            && let Ok(next) = self.unverified.peek()
        {
            let count = next.frames.len();
            if refusals < count {
                blocked = taken == 0;
                break;
            }
            let next = self.unverified.pop().expect("it was seen a moment ago");
            taken += 1;
            refusals -= count;
            let takes = |frame: &OrdersFrame| frame.is_cancel();
            let kept = if next.frames.iter().all(takes) {
                0
            } else {
                reserve
            };
            if count + kept <= room {
                room -= count;
                let arrivals = next.origin.arrival..;
                let origin = |arrival| Origin {
                    arrival,
                    ..next.origin
                };
                self.origins.extend(arrivals.take(count).map(origin));
                self.batch.push((next.frames, next.public_key));
            } else {
                // Nothing behind it may overtake it.
                room = 0;
                refused += count;
                for frame in next.frames.iter() {
                    refuse(&mut self.rejected, frame, &next.origin, RejectReason::Busy);
                }
            }
        }
        let batch = self.origins.len();
        let verified = self.verify();
        let counters = &self.counters;
        if batch > 0 {
            counters.batches.observe(batch as u64);
        }
        counters.verified.add(verified as u64);
        counters.bad.add((batch - verified) as u64);
        counters.busy.add(refused as u64);
        Progress {
            verified,
            refused: refused + self.origins.len() - verified,
            blocked,
        }
    }

    /// Verifies the batch and returns how many frames were good.
    fn verify(&mut self) -> usize {
        let batch = self.batch.drain(..);
        self.verifier
            .verify(batch, &mut self.entropy, &mut self.results);
        let mut verified = 0;
        for (result, origin) in self.results.drain(..).zip(&self.origins) {
            match result {
                Ok(frame) => {
                    verified += 1;
                    let origin = Some(*origin);
                    let pushed = self.verified.push(SequencedFrame { frame, origin });
                    pushed.expect("room was counted, and only this side fills it");
                }
                Err((frame, reason)) => refuse(&mut self.rejected, &frame, origin, reason),
            }
        }
        verified
    }
}

fn refuse(
    rejected: &mut Producer<RejectedFrame>,
    frame: &OrdersFrame,
    origin: &Origin,
    reason: RejectReason,
) {
    let refusal = RejectedFrame {
        session: origin.session,
        nonce: frame.header().nonce,
        commands: frame.count(),
        reason,
    };
    let pushed = rejected.push(refusal);
    pushed.expect("room was counted, and only this side fills it");
}

/// The operating system's entropy, fetched for a whole batch at a time: a batch draws 16 bytes per
/// signature, and a system call for each would cost as much as a hundredth of the verification.
struct Entropy {
    bytes: [u8; BATCH_MAX * 16],
    used: usize,
}

impl Entropy {
    const fn new() -> Self {
        let bytes = [0; BATCH_MAX * 16];
        Self {
            used: bytes.len(),
            bytes,
        }
    }
}

impl rand_core::TryRng for Entropy {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    /// Panics if the operating system gives no entropy: without it forgers could aim at a batch.
    fn try_fill_bytes(&mut self, out: &mut [u8]) -> Result<(), Infallible> {
        for chunk in out.chunks_mut(self.bytes.len()) {
            if self.used + chunk.len() > self.bytes.len() {
                getrandom::fill(&mut self.bytes).expect("the operating system gives entropy");
                self.used = 0;
            }
            let end = self.used + chunk.len();
            chunk.copy_from_slice(&self.bytes[self.used..end]);
            self.used = end;
        }
        Ok(())
    }
}

impl rand_core::TryCryptoRng for Entropy {}

impl std::fmt::Debug for Entropy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entropy")
    }
}

#[cfg(test)]
mod tests {
    use rand_core::Rng;
    use rtrb::RingBuffer;
    use types::auth::{OpenRun, RollingChain, SigningKey};
    use types::command::CancelScope;
    use types::outcome::Digest;
    use types::wire::orders::FrameHeader;
    use types::{AccountId, Command, KeyEpoch, KeyId, LogTime, NetworkId, Nonce, SessionId};

    use super::*;

    struct Bench {
        worker: SignatureWorker,
        unverified: Producer<UnverifiedFrames>,
        verified: Consumer<SequencedFrame>,
        rejected: Consumer<RejectedFrame>,
    }

    fn frame_key() -> FrameKey {
        FrameKey::new(NetworkId::DEVELOPMENT, Digest::ZERO)
    }

    /// Rings of these capacities: unverified, verified, rejected.
    fn bench(capacities: [usize; 3]) -> Bench {
        let (unverified, from_gateway) = RingBuffer::new(capacities[0]);
        let (to_sequencer, verified) = RingBuffer::new(capacities[1]);
        let (to_gateway, rejected) = RingBuffer::new(capacities[2]);
        Bench {
            worker: SignatureWorker::new(from_gateway, to_sequencer, to_gateway, frame_key()),
            unverified,
            verified,
            rejected,
        }
    }

    fn header(nonce: u64) -> FrameHeader {
        FrameHeader {
            account: AccountId::new(0),
            key: KeyId::new(0),
            epoch: KeyEpoch::new(0),
            nonce: Nonce::new(nonce),
            expires_at: LogTime::ZERO,
        }
    }

    impl Bench {
        fn push(&mut self, nonce: u64, signer: &str) {
            let mut bytes = Vec::new();
            let key = SigningKey::development(signer);
            let commands = [Command::CancelAll(CancelScope::EVERYTHING)];
            OrdersFrame::encode(&header(nonce), &commands, &frame_key(), &key, &mut bytes);
            let frame = OrdersFrame::parse(bytes.into()).unwrap();
            self.push_frames(SignedFrames::One(frame), nonce);
        }

        /// A run of frames of these nonces.
        fn push_run(&mut self, nonces: std::ops::Range<u64>) {
            let key = SigningKey::development("dev-0");
            let chain = || RollingChain::new(frame_key(), &[0; 32], b"", b"");
            let (mut client, mut server) = (chain(), OpenRun::new(chain()));
            let received_at = nonces.start;
            for nonce in nonces {
                let header = header(nonce);
                let mut bytes = Vec::new();
                let commands = [Command::CancelAll(CancelScope::EVERYTHING)];
                OrdersFrame::encode_unsigned(&header, &commands, &mut bytes);
                let frame = OrdersFrame::parse(bytes.into()).unwrap();
                client.absorb(frame.signed_bytes());
                server.push(frame).unwrap();
            }
            let run = server.close(client.sign(&key)).unwrap();
            self.push_frames(SignedFrames::Run(run), received_at);
        }

        fn push_frames(&mut self, frames: SignedFrames, received_at: u64) {
            let unverified = UnverifiedFrames {
                frames,
                public_key: SigningKey::development("dev-0").public(),
                origin: Origin {
                    session: SessionId::new(7),
                    received_at,
                    arrival: received_at,
                },
            };
            self.unverified.push(unverified).unwrap();
        }

        fn check(&mut self, verified: usize, refused: usize, blocked: bool) {
            let expected = Progress {
                verified,
                refused,
                blocked,
            };
            assert_eq!(self.worker.run_once(), expected);
        }

        fn verified(&mut self) -> Vec<u64> {
            std::iter::from_fn(|| self.verified.pop().ok())
                .map(|sequenced| {
                    let nonce = sequenced.frame.frame().header().nonce.get();
                    assert_eq!(sequenced.origin.unwrap().arrival, nonce);
                    nonce
                })
                .collect()
        }

        fn rejected(&mut self) -> Vec<(u64, RejectReason)> {
            std::iter::from_fn(|| self.rejected.pop().ok())
                .map(|refusal| (refusal.nonce.get(), refusal.reason))
                .collect()
        }
    }

    #[test]
    fn a_forger_in_a_batch_harms_only_himself() {
        let mut bench = bench([8, 8, 8]);
        bench.push(1, "dev-0");
        bench.push(2, "dev-1");
        bench.push(3, "dev-0");
        bench.check(2, 1, false);
        assert_eq!(bench.verified(), [1, 3]);
        assert_eq!(bench.rejected(), [(2, RejectReason::BadSignature)]);
        bench.check(0, 0, false);
        assert!(bench.worker.run_once().is_idle());
    }

    #[test]
    fn what_the_sequencer_has_no_room_for_is_refused() {
        let mut bench = bench([8, 2, 8]);
        for nonce in 1..=4 {
            bench.push(nonce, "dev-0");
        }
        bench.check(2, 2, false);
        assert_eq!(bench.verified(), [1, 2]);
        let busy = RejectReason::Busy;
        assert_eq!(bench.rejected(), [(3, busy), (4, busy)]);
    }

    #[test]
    fn a_run_passes_or_is_refused_whole() {
        let mut bench = bench([8, 4, 8]);
        bench.push_run(1..4);
        bench.push_run(4..7);
        bench.push(7, "dev-0");
        bench.check(3, 4, false);
        assert_eq!(bench.verified(), [1, 2, 3]);
        let busy = [4, 5, 6, 7].map(|nonce| (nonce, RejectReason::Busy));
        assert_eq!(bench.rejected(), busy);
        // Without room to refuse all of it, a run stays where it is.
        for nonce in 1..=6 {
            bench.push(nonce, "dev-1");
        }
        bench.push_run(7..10);
        bench.check(0, 6, false);
        bench.check(0, 0, true);
        assert_eq!(bench.rejected().len(), 6);
        bench.check(3, 0, false);
        assert_eq!(bench.verified(), [7, 8, 9]);
    }

    #[test]
    fn without_room_for_refusals_nothing_is_taken() {
        let mut bench = bench([8, 8, 1]);
        bench.push(1, "dev-1");
        bench.push(2, "dev-0");
        bench.check(0, 1, false);
        bench.check(0, 0, true);
        assert_eq!(bench.rejected(), [(1, RejectReason::BadSignature)]);
        bench.check(1, 0, false);
        assert_eq!(bench.verified(), [2]);
    }

    #[test]
    fn entropy_is_not_handed_out_twice() {
        let mut entropy = Entropy::new();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..1_000 {
            assert!(seen.insert(entropy.next_u64()));
        }
        let mut long = [0; 3_000];
        entropy.fill_bytes(&mut long);
        assert!(long.chunks(8).all(|chunk| chunk != [0; 8]));
    }
}
