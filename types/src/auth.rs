//! Digests, signatures, and the frames that have passed them.
//!
//! A frame is signed with Ed25519 over a 32-byte BLAKE3 digest, not over its bytes: SHA-512 over a
//! frame of 32 orders would cost more than the curve (`limits.md` section 1). The digest is keyed
//! with everything a signature must be bound to but that need not travel: domain, protocol
//! version, network and genesis.
//!
//! Verification follows ZIP-215, single and in batches, so both accept exactly the same
//! signatures (crate `ed25519-zebra`). Keys here never leave their process; secret keys print as
//! nothing.
//!
//! A session may sign its frames one by one, or all since its last signature at once: see
//! [`RollingChain`].

mod rolling;

use std::sync::Arc;

use crate::genesis::OwnerAddress;
use crate::limits::PROTOCOL_VERSION;
use crate::outcome::Digest;
use crate::wire::action::SignedAction;
use crate::wire::orders::OrdersFrame;
use crate::wire::rolling::RollingSignature;
use crate::{NetworkId, RejectReason};

pub use rolling::{OpenRun, RollingChain, SignatureAudit, SignedRun};

/// Context of the BLAKE3 key that binds frame digests to their network.
const FRAME_CONTEXT: &str = "keel 2026-11-23 signed frame";
/// Context of the digest that a client signs to open a session.
const SESSION_CONTEXT: &str = "keel 2026-11-23 session opening";
/// Context of the published development keys.
const DEVELOPMENT_CONTEXT: &str = "keel 2026-11-23 development key";

/// Both signs of these are all encodings of points whose order divides eight, as ZIP-215 reads them.
/// Order eight twice, then y of -1, 0 and 1, and those of 0 and 1 that are not reduced.
const WEAK: [[u8; 32]; 7] = [
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98,
        0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53,
        0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67,
        0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac,
        0x03, 0x7a,
    ],
    ends(0xec, 0xff, 0x7f),
    ends(0x00, 0x00, 0x00),
    ends(0x01, 0x00, 0x00),
    ends(0xed, 0xff, 0x7f),
    ends(0xee, 0xff, 0x7f),
];

const fn ends(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut bytes = [between; 32];
    bytes[0] = first;
    bytes[31] = last;
    bytes
}

/// What the bytes of an agent begin with.
const AGENT: [u8; 12] = *b"keel agent: ";

/// An Ed25519 public key, or what stands for an agent.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Wraps the bytes; whether they are a point is seen at the first verification.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// What stands for an agent where keys are listed: a wallet that signs actions, and nothing else.
    /// Nobody knows a secret for these bytes.
    pub fn of_agent(address: &OwnerAddress) -> Self {
        let mut bytes = [0; 32];
        bytes[..AGENT.len()].copy_from_slice(&AGENT);
        bytes[AGENT.len()..].copy_from_slice(address);
        Self(bytes)
    }

    /// The address of the agent that these bytes stand for, if they do.
    pub fn agent(&self) -> Option<OwnerAddress> {
        self.0.strip_prefix(&AGENT)?.try_into().ok()
    }

    /// From 64 hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        crate::decimal::bytes_from_hex(text).map(Self)
    }

    /// Whether it is a point whose order divides eight, in any way of writing it: under the rules of
    /// ZIP-215 anybody can make signatures of such a key, so nobody may have it. 32 zero bytes, which a
    /// program that forgot its key would send, are one.
    pub fn is_weak(&self) -> bool {
        let mut y = self.0;
        y[31] &= 0x7f;
        WEAK.contains(&y)
    }

    /// Whether `signature` is this key's over `digest`.
    pub fn verifies(&self, digest: &Digest, signature: &Signature) -> bool {
        ed25519_zebra::VerificationKey::try_from(self.0)
            .and_then(|key| key.verify(&signature.0.into(), digest.as_bytes()))
            .is_ok()
    }
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Digest::new(self.0).fmt(f)
    }
}

impl std::fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Digest::new(self.0).fmt(f)
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Wraps the bytes.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

/// An Ed25519 secret key.
#[derive(Clone)]
pub struct SigningKey {
    key: ed25519_zebra::SigningKey,
    public: PublicKey,
}

impl SigningKey {
    /// From a 32-byte seed. The caller brings the entropy.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let key = ed25519_zebra::SigningKey::from(seed);
        let public = ed25519_zebra::VerificationKey::from(&key);
        Self {
            key,
            public: PublicKey(public.into()),
        }
    }

    /// The published key of this name on a development network. Everybody knows it.
    pub fn development(name: &str) -> Self {
        Self::from_seed(development_seed(name))
    }

    /// The public half.
    pub const fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs a digest.
    pub fn sign(&self, digest: &Digest) -> Signature {
        Signature(self.key.sign(digest.as_bytes()).into())
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SigningKey(public {})", self.public)
    }
}

/// The seed of the published development key of this name.
pub fn development_seed(name: &str) -> [u8; 32] {
    blake3::derive_key(DEVELOPMENT_CONTEXT, name.as_bytes())
}

/// The digest that a client signs to open a session: over the TLS exporter value of its
/// connection, so that the proof is worthless on any other connection, and then over the signed
/// part of the message, which is everything but the signature, as in frames.
pub fn session_digest(exporter: &[u8; 32], signed: &[u8]) -> Digest {
    let mut hasher = blake3::Hasher::new_derive_key(SESSION_CONTEXT);
    hasher.update(exporter);
    hasher.update(signed);
    Digest::new(*hasher.finalize().as_bytes())
}

/// The key under which all frames of one network are digested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameKey([u8; 32]);

impl FrameKey {
    /// Binds to domain, protocol version (u8), network id (u32) and genesis hash, in this order.
    pub fn new(network: NetworkId, genesis_hash: Digest) -> Self {
        let mut material = [0; 37];
        material[0] = PROTOCOL_VERSION;
        material[1..5].copy_from_slice(&network.get().to_le_bytes());
        material[5..].copy_from_slice(genesis_hash.as_bytes());
        Self(blake3::derive_key(FRAME_CONTEXT, &material))
    }

    /// The digest of the signed part of a frame: everything but the signature.
    pub fn digest(&self, signed: &[u8]) -> Digest {
        Digest::new(*blake3::keyed_hash(&self.0, signed).as_bytes())
    }
}

/// A frame whose signature has been verified, its own or the rolling one over it. Only this module
/// makes one.
#[derive(Clone, Debug)]
pub struct AuthenticFrame {
    frame: OrdersFrame,
    digest: Digest,
    evidence: Evidence,
}

/// Where the signature over a frame is.
#[derive(Clone, Debug)]
enum Evidence {
    /// In the frame, or with a later one of the same run.
    InFrame,
    /// With this one, which is the last of the frames that it covers.
    Rolling(Arc<RollingSignature>),
    /// Over the action that the frame came from.
    Action(Arc<SignedAction>),
}

impl AuthenticFrame {
    /// Verifies one frame.
    pub fn verify(
        frame: OrdersFrame,
        frame_key: &FrameKey,
        public: &PublicKey,
    ) -> Result<Self, RejectReason> {
        let digest = frame_key.digest(frame.signed_bytes());
        if public.verifies(&digest, &frame.signature()) {
            Ok(Self::alone(frame, digest))
        } else {
            Err(RejectReason::BadSignature)
        }
    }

    /// Takes a frame back out of our own journal. Its signature was verified before it was
    /// written, and the caller has checked the record's hashes; an auditor who trusts neither
    /// asks [`SignatureAudit`].
    pub fn from_journal(frame: OrdersFrame, frame_key: &FrameKey) -> Self {
        let digest = frame_key.digest(frame.signed_bytes());
        Self::alone(frame, digest)
    }

    const fn alone(frame: OrdersFrame, digest: Digest) -> Self {
        Self {
            frame,
            digest,
            evidence: Evidence::InFrame,
        }
    }

    /// The frame that a signed action came to. Whoever calls has recovered the signer, or takes both
    /// back out of our own journal.
    pub fn of_action(frame: OrdersFrame, action: SignedAction, frame_key: &FrameKey) -> Self {
        Self {
            digest: frame_key.digest(frame.signed_bytes()),
            frame,
            evidence: Evidence::Action(Arc::new(action)),
        }
    }

    /// Notes the rolling signature that lies behind this frame in our own journal. Refused behind a
    /// frame that has a signature.
    pub(crate) fn followed_by(&mut self, signature: RollingSignature) -> Result<(), RejectReason> {
        if self.is_signed() {
            return Err(RejectReason::UnexpectedMessage);
        }
        self.evidence = Evidence::Rolling(Arc::new(signature));
        Ok(())
    }

    /// The rolling signature whose last frame this is.
    pub fn rolling(&self) -> Option<&RollingSignature> {
        match &self.evidence {
            Evidence::Rolling(signature) => Some(signature),
            Evidence::InFrame | Evidence::Action(_) => None,
        }
    }

    /// The signed action that it came from.
    pub fn action(&self) -> Option<&SignedAction> {
        match &self.evidence {
            Evidence::Action(action) => Some(action),
            Evidence::InFrame | Evidence::Rolling(_) => None,
        }
    }

    /// Whether a signature is with it: its own, a rolling one that ends here, or that of its action. If
    /// not, the frames right behind it go on to the one that covers it.
    pub fn is_signed(&self) -> bool {
        !matches!(self.evidence, Evidence::InFrame) || !self.frame.is_unsigned()
    }

    /// The frame.
    pub const fn frame(&self) -> &OrdersFrame {
        &self.frame
    }

    /// What was signed.
    pub const fn digest(&self) -> &Digest {
        &self.digest
    }
}

/// Frames under one signature that was not verified yet.
#[derive(Clone, Debug)]
pub enum SignedFrames {
    /// One with a signature of its own.
    One(OrdersFrame),
    /// Those under a rolling signature.
    Run(SignedRun),
}

impl SignedFrames {
    /// The frames, in order.
    pub fn iter(&self) -> impl Iterator<Item = &OrdersFrame> {
        let (one, run) = match self {
            Self::One(frame) => (Some(frame), None),
            Self::Run(run) => (None, Some(run.frames())),
        };
        one.into_iter().chain(run.into_iter().flatten())
    }

    /// How many they are.
    #[allow(clippy::len_without_is_empty)] // There is always one.
    pub fn len(&self) -> usize {
        match self {
            Self::One(_) => 1,
            Self::Run(run) => run.len(),
        }
    }
}

/// Verifies many signatures at once. One bad signature makes the batch fail, and then each is
/// verified alone, so a forger costs himself a session and the others only time.
#[derive(Debug)]
pub struct BatchVerifier {
    frame_key: FrameKey,
}

/// What a signature is over, and up to where its results go.
struct Check {
    public: PublicKey,
    message: Digest,
    signature: Signature,
    end: usize,
}

impl BatchVerifier {
    /// For the frames of one network.
    pub const fn new(frame_key: FrameKey) -> Self {
        Self { frame_key }
    }

    /// One result per frame, in order. `rng` must be unpredictable to the signers.
    pub fn verify<R: rand_core::CryptoRng>(
        &self,
        signed: impl IntoIterator<Item = (SignedFrames, PublicKey)>,
        rng: R,
        results: &mut Vec<Result<AuthenticFrame, (OrdersFrame, RejectReason)>>,
    ) {
        results.clear();
        let mut batch = ed25519_zebra::batch::Verifier::new();
        let mut checks = Vec::new();
        for (frames, public) in signed {
            let (message, signature) = match frames {
                SignedFrames::One(frame) => {
                    let digest = self.frame_key.digest(frame.signed_bytes());
                    let signature = frame.signature();
                    results.push(Ok(AuthenticFrame::alone(frame, digest)));
                    (digest, signature)
                }
                SignedFrames::Run(run) => run.hand_over(|frame| results.push(Ok(frame))),
            };
            batch.queue((
                ed25519_zebra::VerificationKeyBytes::from(public.0),
                signature.0.into(),
                message.as_bytes(),
            ));
            checks.push(Check {
                public,
                message,
                signature,
                end: results.len(),
            });
        }
        if checks.len() > 1 && batch.verify(rng).is_ok() {
            return;
        }
        let mut start = 0;
        for check in checks {
            if !check.public.verifies(&check.message, &check.signature) {
                for result in &mut results[start..check.end] {
                    let Ok(authentic) = result else { continue };
                    *result = Err((authentic.frame.clone(), RejectReason::BadSignature));
                }
            }
            start = check.end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_bound_to_key_and_digest() {
        let key = SigningKey::development("dev-0");
        let other = SigningKey::development("dev-1");
        let digest = Digest::new([1; 32]);
        let signature = key.sign(&digest);
        assert!(key.public().verifies(&digest, &signature));
        assert!(!other.public().verifies(&digest, &signature));
        assert!(!key.public().verifies(&Digest::new([2; 32]), &signature));
    }

    #[test]
    fn digests_are_bound_to_network_and_genesis() {
        let keys = [
            FrameKey::new(NetworkId::new(1), Digest::ZERO),
            FrameKey::new(NetworkId::new(2), Digest::ZERO),
            FrameKey::new(NetworkId::new(1), Digest::new([1; 32])),
        ];
        let digests = keys.map(|key| key.digest(b"frame"));
        assert!(digests[0] != digests[1] && digests[0] != digests[2] && digests[1] != digests[2]);
    }
}
