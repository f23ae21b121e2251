//! Rolling signatures: one over a running hash of all frames of a session so far.
//!
//! A signature costs as much as a thousand hashes, so a session that sends single orders may sign
//! once for all that it sends together. A *run* is the frames between two signatures. It is verified,
//! sequenced, journalled or refused as a whole, and its signature lies right behind it in the same
//! record: so whoever holds the record and the key can verify every frame in it
//! (`docs/adr/0021-rolling-signatures.md`).
//!
//! The running hash begins with everything that opened the session, and each frame moves it on:
//! `chain = BLAKE3.keyed_hash(frame key, chain before | digest of the frame)`. Its 64 bytes are no
//! frame, for the shortest has 72 before its signature, so no chain is ever a frame's digest.

use std::sync::Arc;

use super::{AuthenticFrame, Evidence, FrameKey, PublicKey, Signature, SigningKey};
use crate::action;
use crate::genesis::{Genesis, OwnerAddress};
use crate::limits::{FRAMES_PER_RUN_MAX, RUN_LENGTH_MAX};
use crate::outcome::Digest;
use crate::wire::action::SignedAction;
use crate::wire::orders::OrdersFrame;
use crate::wire::rolling::RollingSignature;
use crate::{AccountId, Command, KeyId, RejectReason};

/// Context of the running hash before a session's first frame.
const ROLLING_CONTEXT: &str = "keel 2026-11-26 rolling signatures";

/// The running hash over the frames of a session.
#[derive(Clone, Debug)]
pub struct RollingChain {
    frame_key: FrameKey,
    /// After the last frame.
    head: Digest,
    /// At the last signature.
    signed: Digest,
    /// Frames since then.
    frames: u32,
}

impl RollingChain {
    /// Of a session that these two whole messages opened, on the connection of this TLS exporter
    /// value.
    pub fn new(frame_key: FrameKey, exporter: &[u8; 32], hello: &[u8], welcome: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(ROLLING_CONTEXT);
        hasher.update(exporter).update(hello).update(welcome);
        Self::after(frame_key, Digest::new(*hasher.finalize().as_bytes()))
    }

    /// From a known value on.
    pub const fn after(frame_key: FrameKey, chain: Digest) -> Self {
        Self {
            frame_key,
            head: chain,
            signed: chain,
            frames: 0,
        }
    }

    /// Moves on by a frame: everything before its signature. Returns the frame's digest.
    pub fn absorb(&mut self, signed_bytes: &[u8]) -> Digest {
        let digest = self.frame_key.digest(signed_bytes);
        self.follow(&digest);
        digest
    }

    /// Moves on by a frame of this digest.
    fn follow(&mut self, digest: &Digest) {
        let mut link = [0; 64];
        link[..32].copy_from_slice(self.head.as_bytes());
        link[32..].copy_from_slice(digest.as_bytes());
        self.head = self.frame_key.digest(&link);
        self.frames += 1;
    }

    /// Signs all frames since the last signature. Panics if there are none.
    pub fn sign(&mut self, key: &SigningKey) -> RollingSignature {
        assert!(self.frames > 0, "there is something to sign");
        let signature = key.sign(&self.head);
        self.close(signature)
    }

    /// Begins the next run.
    fn close(&mut self, signature: Signature) -> RollingSignature {
        let closed = RollingSignature {
            frames: self.frames,
            chain_before: self.signed,
            signature,
        };
        self.signed = self.head;
        self.frames = 0;
        closed
    }

    /// Frames since the last signature.
    pub const fn unsigned_frames(&self) -> usize {
        self.frames as usize
    }

    /// The running hash after the last frame.
    pub const fn head(&self) -> &Digest {
        &self.head
    }
}

/// The frames of a session that wait for the signature over them.
#[derive(Debug)]
pub struct OpenRun {
    chain: RollingChain,
    frames: Vec<(OrdersFrame, Digest)>,
    length: usize,
}

impl OpenRun {
    /// Of a session that has sent nothing.
    pub const fn new(chain: RollingChain) -> Self {
        Self {
            chain,
            frames: Vec::new(),
            length: 0,
        }
    }

    /// Takes the session's next frame. An error is fatal for the session.
    pub fn push(&mut self, frame: OrdersFrame) -> Result<(), RejectReason> {
        let length = self.length + frame.bytes().len();
        if self.frames.len() == FRAMES_PER_RUN_MAX || length > RUN_LENGTH_MAX {
            return Err(RejectReason::SignatureMissing);
        }
        if !frame.is_unsigned() {
            return Err(RejectReason::BadSignature);
        }
        let digest = self.chain.absorb(frame.signed_bytes());
        self.frames.push((frame, digest));
        self.length = length;
        Ok(())
    }

    /// Takes the signature over all frames since the last one; whether it is the key's is seen
    /// later. An error is fatal for the session.
    pub fn close(&mut self, signature: RollingSignature) -> Result<SignedRun, RejectReason> {
        if self.frames.is_empty() {
            return Err(RejectReason::UnexpectedMessage);
        }
        if self.chain.close(signature.signature) != signature {
            return Err(RejectReason::BadSignature);
        }
        self.length = 0;
        Ok(SignedRun {
            frames: std::mem::take(&mut self.frames),
            chain_after: *self.chain.head(),
            signature: Arc::new(signature),
        })
    }

    /// Whether no frame waits.
    pub const fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }
}

/// A whole run, and the signature over it, which was not verified yet.
#[derive(Clone, Debug)]
pub struct SignedRun {
    frames: Vec<(OrdersFrame, Digest)>,
    chain_after: Digest,
    signature: Arc<RollingSignature>,
}

impl SignedRun {
    /// Its frames, in order.
    pub fn frames(&self) -> impl Iterator<Item = &OrdersFrame> {
        self.frames.iter().map(|(frame, _)| frame)
    }

    /// How many they are.
    #[allow(clippy::len_without_is_empty)] // There is always one.
    pub const fn len(&self) -> usize {
        self.frames.len()
    }

    /// Its frames as they are if the signature is good, which the caller finds out: it is to be over
    /// what is returned.
    pub(super) fn hand_over(self, mut take: impl FnMut(AuthenticFrame)) -> (Digest, Signature) {
        let last = self.frames.len() - 1;
        let signature = self.signature.signature;
        for (index, (frame, digest)) in self.frames.into_iter().enumerate() {
            take(AuthenticFrame {
                frame,
                digest,
                evidence: if index == last {
                    Evidence::Rolling(Arc::clone(&self.signature))
                } else {
                    Evidence::InFrame
                },
            });
        }
        (self.chain_after, signature)
    }
}

/// Verifies the signatures of a journal's frames again, of both modes, trusting nobody.
#[derive(Debug)]
pub struct SignatureAudit {
    frame_key: FrameKey,
    /// Frames whose signature is to come.
    open: Vec<(KeyId, Digest)>,
    frames: u64,
    signatures: u64,
}

impl SignatureAudit {
    /// For the frames of one network.
    pub const fn new(frame_key: FrameKey) -> Self {
        Self {
            frame_key,
            open: Vec::new(),
            frames: 0,
            signatures: 0,
        }
    }

    /// Takes a record's next frame, and the key that it names, if there is such a key. An error says
    /// that this frame, or one that its signature covers, is not authentic.
    pub fn check(
        &mut self,
        frame: &AuthenticFrame,
        public: Option<&PublicKey>,
    ) -> Result<(), RejectReason> {
        let key = frame.frame().header().key;
        assert!(frame.action().is_none(), "see check_action");
        if key == KeyId::WALLET {
            return self.check_wallet(frame);
        }
        let public = public.ok_or(RejectReason::UnknownKey)?;
        let is_good = match frame.rolling() {
            Some(signature) => {
                self.open.push((key, *frame.digest()));
                self.closes(signature, public)
            }
            None if frame.frame().is_unsigned() => {
                self.open.push((key, *frame.digest()));
                self.frames += 1;
                return Ok(());
            }
            None => {
                let signature = frame.frame().signature();
                self.open.is_empty() && public.verifies(frame.digest(), &signature)
            }
        };
        self.frames += 1;
        self.signatures += 1;
        is_good.then_some(()).ok_or(RejectReason::BadSignature)
    }

    /// The same for the frame of a signed action: it is translated again, and compared. `account_at` is
    /// the account of an address.
    pub fn check_action(
        &mut self,
        (frame, action): (&OrdersFrame, &SignedAction),
        genesis: &Genesis,
        account_at: impl Fn(&OwnerAddress) -> Option<AccountId>,
    ) -> Result<(), RejectReason> {
        let audited = action::audit(frame, action, genesis, account_at);
        self.frames += 1;
        self.signatures += 1;
        let is_good = audited.is_ok() && self.open.is_empty();
        is_good.then_some(()).ok_or(RejectReason::BadSignature)
    }

    /// Whose wallet has signed is found out by whoever executes the frame. Here only the key that is
    /// registered shows that somebody has it.
    fn check_wallet(&mut self, frame: &AuthenticFrame) -> Result<(), RejectReason> {
        let registered = match frame.frame().commands().next() {
            Some(Command::Register(registration)) => Some(registration.key()),
            _ => None,
        };
        let is_good = registered
            .is_none_or(|public| public.verifies(frame.digest(), &frame.frame().signature()));
        self.frames += 1;
        self.signatures += 1;
        (is_good && self.open.is_empty())
            .then_some(())
            .ok_or(RejectReason::BadSignature)
    }

    /// At the end of a record: a run does not go on in the next.
    pub fn end_record(&mut self) -> Result<(), RejectReason> {
        let is_whole = self.open.is_empty();
        is_whole.then_some(()).ok_or(RejectReason::SignatureMissing)
    }

    /// How many frames and how many signatures were verified.
    pub const fn counts(&self) -> (u64, u64) {
        (self.frames, self.signatures)
    }

    /// Whether this is the key's signature over exactly the frames that are open.
    fn closes(&mut self, signature: &RollingSignature, public: &PublicKey) -> bool {
        let mut chain = RollingChain::after(self.frame_key, signature.chain_before);
        let owner = self.open.last().map(|(key, _)| *key);
        let mut is_whole = true;
        for (key, digest) in self.open.drain(..) {
            is_whole &= Some(key) == owner;
            chain.follow(&digest);
        }
        is_whole
            && chain.frames == signature.frames
            && public.verifies(chain.head(), &signature.signature)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::CancelScope;
    use crate::wire::orders::FrameHeader;
    use crate::{AccountId, Command, KeyEpoch, LogTime, NetworkId, Nonce};

    fn chain() -> RollingChain {
        let frame_key = FrameKey::new(NetworkId::DEVELOPMENT, Digest::ZERO);
        RollingChain::new(frame_key, &[1; 32], b"hello", b"welcome")
    }

    fn frame(nonce: u64) -> OrdersFrame {
        let header = FrameHeader {
            account: AccountId::new(0),
            key: KeyId::new(0),
            epoch: KeyEpoch::new(0),
            nonce: Nonce::new(nonce),
            expires_at: LogTime::ZERO,
        };
        let mut bytes = Vec::new();
        let commands = [Command::CancelAll(CancelScope::EVERYTHING)];
        OrdersFrame::encode_unsigned(&header, &commands, &mut bytes);
        OrdersFrame::parse(bytes.into()).unwrap()
    }

    /// A run of so many frames, as they come out of the signature worker.
    fn run(frames: u64) -> Vec<AuthenticFrame> {
        let key = SigningKey::development("dev-0");
        let (mut client, mut server) = (chain(), OpenRun::new(chain()));
        for nonce in 0..frames {
            client.absorb(frame(nonce).signed_bytes());
            server.push(frame(nonce)).unwrap();
        }
        let run = server.close(client.sign(&key)).unwrap();
        let mut authentic = Vec::new();
        let (message, signature) = run.hand_over(|frame| authentic.push(frame));
        assert!(key.public().verifies(&message, &signature));
        authentic
    }

    fn audit(frames: &[AuthenticFrame]) -> Result<(), RejectReason> {
        let public = SigningKey::development("dev-0").public();
        let mut audit = SignatureAudit::new(chain().frame_key);
        for frame in frames {
            audit.check(frame, Some(&public))?;
        }
        audit.end_record()
    }

    #[test]
    fn an_auditor_accepts_whole_runs_only() {
        let bad = Err(RejectReason::BadSignature);
        for frames in [1, 2, 64] {
            let run = run(frames);
            assert_eq!(audit(&run), Ok(()), "{frames}");
            assert_eq!(audit(&[&run[..], &run[..]].concat()), Ok(()), "{frames}");
        }
        let run = run(5);
        assert_eq!(audit(&run[1..]), bad, "its first frame is missing");
        assert_eq!(audit(&run[..4]), Err(RejectReason::SignatureMissing));
        let swapped = [0, 2, 1, 3, 4].map(|index: usize| run[index].clone());
        assert_eq!(audit(&swapped), bad);
        let mut doubled = run.clone();
        doubled.insert(0, run[0].clone());
        assert_eq!(audit(&doubled), bad);
    }

    #[test]
    fn a_run_is_closed_by_its_own_signature_only() {
        let key = SigningKey::development("dev-0");
        let mut client = chain();
        client.absorb(frame(1).signed_bytes());
        let good = client.sign(&key);
        let mut earlier = chain();
        earlier.absorb(frame(7).signed_bytes());
        earlier.sign(&key);
        earlier.absorb(frame(1).signed_bytes());
        for (signature, expected) in [
            (good, Ok(1)),
            (
                RollingSignature { frames: 2, ..good },
                Err(RejectReason::BadSignature),
            ),
            (earlier.sign(&key), Err(RejectReason::BadSignature)),
        ] {
            let mut run = OpenRun::new(chain());
            run.push(frame(1)).unwrap();
            let closed = run.close(signature).map(|run| run.len());
            assert_eq!(closed, expected);
        }
        let nothing = OpenRun::new(chain()).close(good).map(|run| run.len());
        assert_eq!(nothing, Err(RejectReason::UnexpectedMessage));
    }

    #[test]
    fn a_run_has_limits() {
        let mut run = OpenRun::new(chain());
        for nonce in 0..FRAMES_PER_RUN_MAX as u64 {
            run.push(frame(nonce)).unwrap();
        }
        assert_eq!(run.push(frame(99)), Err(RejectReason::SignatureMissing));
    }

    #[test]
    fn a_chain_is_bound_to_what_opened_the_session() {
        let key = FrameKey::new(NetworkId::DEVELOPMENT, Digest::ZERO);
        let heads = [
            chain(),
            RollingChain::new(key, &[2; 32], b"hello", b"welcome"),
            RollingChain::new(key, &[1; 32], b"hallo", b"welcome"),
            RollingChain::new(key, &[1; 32], b"hello", b"welcame"),
        ]
        .map(|chain| *chain.head());
        for (index, head) in heads.iter().enumerate() {
            assert!(!heads[..index].contains(head));
        }
    }
}
