//! `Hello`, `Welcome`, `Refused`: opening a session, and refusing what cannot be sequenced.

use zerocopy::little_endian::{U16, U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::orders::SIGNATURE_LENGTH;
use super::{Kind, Prefix, read_fixed};
use crate::auth::{PublicKey, Signature, SigningKey, session_digest};
use crate::limits::FRAMES_PER_RUN_MAX;
use crate::outcome::Digest;
use crate::{AccountId, KeyEpoch, KeyId, NetworkId, Nonce, RejectReason};

/// Client to server, first message. By offset: 0 prefix, 8 network u32 (0: whichever),
/// 12 signature mode u8, 13 flags u8 (bit 0: send receipts, bit 1: a guest's), 14 reserved (2),
/// 16 public key (32), 48 signature (64) over [`session_digest`] of the TLS
/// exporter value of this connection (label [`EXPORTER_LABEL`], empty context, 32 bytes) and of
/// everything before the signature.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Hello {
    prefix: Prefix,
    network: U32,
    signatures: u8,
    flags: u8,
    reserved: [u8; 2],
    public_key: [u8; 32],
    signature: [u8; SIGNATURE_LENGTH],
}

/// Label of the TLS exporter value that binds a session to its connection.
pub const EXPORTER_LABEL: &[u8] = b"EXPORTER-keel-session-1";

/// The application protocol that both ends name in the TLS handshake.
pub const ALPN: &[u8] = b"keel/1";

/// What a client wants of its session.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SessionWishes {
    /// How frames are signed.
    pub signatures: SignatureMode,
    /// Whether the server signs when they arrived and where they were sequenced.
    pub receipts: bool,
    /// Whether it is for frames of a wallet alone.
    pub guest: bool,
}

const RECEIPTS: u8 = 1;
const GUEST: u8 = 1 << 1;

impl SessionWishes {
    const fn flags(self) -> u8 {
        let receipts = if self.receipts { RECEIPTS } else { 0 };
        receipts | if self.guest { GUEST } else { 0 }
    }
}

/// How a session's frames are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignatureMode {
    /// Each has a signature of its own.
    #[default]
    Frame,
    /// Rolling signatures cover them.
    Rolling,
}

impl SignatureMode {
    /// Its stable name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frame => "frame",
            Self::Rolling => "rolling",
        }
    }
}

impl Hello {
    /// Signs the opening of a session. `network` `None`: whichever the server runs.
    pub fn new(network: Option<NetworkId>, key: &SigningKey, exporter: &[u8; 32]) -> Self {
        Self::with_wishes(network, SessionWishes::default(), key, exporter)
    }

    /// The same, of a session that is to be like this.
    pub fn with_wishes(
        network: Option<NetworkId>,
        wishes: SessionWishes,
        key: &SigningKey,
        exporter: &[u8; 32],
    ) -> Self {
        let mut hello = Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Hello, 0),
            network: U32::new(network.map_or(0, NetworkId::get)),
            signatures: wishes.signatures as u8,
            flags: wishes.flags(),
            reserved: [0; 2],
            public_key: *key.public().as_bytes(),
            signature: [0; SIGNATURE_LENGTH],
        };
        hello.signature = *key.sign(&hello.digest(exporter)).as_bytes();
        hello
    }

    /// Checks one whole message, and that its signature is for this connection.
    pub fn parse(bytes: &[u8], exporter: &[u8; 32]) -> Result<Self, RejectReason> {
        let hello: Self = read_fixed(bytes, Kind::Hello)?;
        if hello.signatures > SignatureMode::Rolling as u8
            || hello.flags > RECEIPTS | GUEST
            || hello.reserved != [0; 2]
        {
            return Err(RejectReason::Malformed);
        }
        let signature = Signature::new(hello.signature);
        if hello
            .public_key()
            .verifies(&hello.digest(exporter), &signature)
        {
            Ok(hello)
        } else {
            Err(RejectReason::BadSignature)
        }
    }

    /// The network that the client wants; `None`: whichever.
    pub fn network(&self) -> Option<NetworkId> {
        match self.network.get() {
            0 => None,
            network => Some(NetworkId::new(network)),
        }
    }

    /// The key that the session's frames will be signed with.
    pub const fn public_key(&self) -> PublicKey {
        PublicKey::new(self.public_key)
    }

    /// What the session is to be like.
    pub const fn wishes(&self) -> SessionWishes {
        SessionWishes {
            signatures: match self.signatures {
                0 => SignatureMode::Frame,
                _ => SignatureMode::Rolling,
            },
            receipts: self.flags & RECEIPTS != 0,
            guest: self.flags & GUEST != 0,
        }
    }

    /// What the signature is over.
    fn digest(&self, exporter: &[u8; 32]) -> Digest {
        let bytes = self.as_bytes();
        session_digest(exporter, &bytes[..bytes.len() - SIGNATURE_LENGTH])
    }
}

/// Server to client: the session is open. By offset: 0 prefix, 8 network u32, 12 account u32,
/// 16 key u32, 20 epoch u32, 24 genesis hash (32), 56 next nonce u64, 64 frames in flight u32,
/// 68 unsigned frames u32.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Welcome {
    prefix: Prefix,
    network: U32,
    account: U32,
    key: U32,
    epoch: U32,
    genesis_hash: Digest,
    next_nonce: U64,
    frames_in_flight: U32,
    unsigned_frames: U32,
}

/// What a client needs to sign frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionTerms {
    /// The network that the server runs.
    pub network: NetworkId,
    /// Its genesis.
    pub genesis_hash: Digest,
    /// The account that the key belongs to.
    pub account: AccountId,
    /// The key's number.
    pub key: KeyId,
    /// The key's epoch.
    pub epoch: KeyEpoch,
    /// One above the highest nonce of this key in any released frame. Others may be in flight.
    pub next_nonce: Nonce,
    /// How many frames the session may have unanswered.
    pub frames_in_flight: u32,
    /// How many frames a rolling signature may cover; zero: each frame has a signature of its own.
    pub unsigned_frames: u32,
}

impl Welcome {
    /// The message.
    pub fn new(terms: &SessionTerms) -> Self {
        Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Welcome, 0),
            network: U32::new(terms.network.get()),
            account: U32::new(terms.account.get()),
            key: U32::new(terms.key.get()),
            epoch: U32::new(terms.epoch.get()),
            genesis_hash: terms.genesis_hash,
            next_nonce: U64::new(terms.next_nonce.get()),
            frames_in_flight: U32::new(terms.frames_in_flight),
            unsigned_frames: U32::new(terms.unsigned_frames),
        }
    }

    /// Reads one whole message.
    pub fn parse(bytes: &[u8]) -> Result<SessionTerms, RejectReason> {
        let welcome: Self = read_fixed(bytes, Kind::Welcome)?;
        let unsigned = welcome.unsigned_frames.get() as usize;
        if unsigned > FRAMES_PER_RUN_MAX || welcome.network.get() == 0 {
            return Err(RejectReason::Malformed);
        }
        Ok(SessionTerms {
            network: NetworkId::new(welcome.network.get()),
            genesis_hash: welcome.genesis_hash,
            account: AccountId::new(welcome.account.get()),
            key: KeyId::new(welcome.key.get()),
            epoch: KeyEpoch::new(welcome.epoch.get()),
            next_nonce: Nonce::new(welcome.next_nonce.get()),
            frames_in_flight: welcome.frames_in_flight.get(),
            unsigned_frames: welcome.unsigned_frames.get(),
        })
    }
}

/// Server to client: a message was refused and had no effect. By offset: 0 prefix, 8 nonce u64 (of
/// a refused frame, else 0), 16 reason u16, 18 reserved (6).
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
pub struct Refused {
    prefix: Prefix,
    nonce: U64,
    reason: U16,
    reserved: [u8; 6],
}

impl Refused {
    /// The message.
    pub fn new(nonce: Nonce, reason: RejectReason) -> Self {
        Self {
            prefix: Prefix::new(size_of::<Self>(), Kind::Refused, 0),
            nonce: U64::new(nonce.get()),
            reason: U16::new(reason.code()),
            reserved: [0; 6],
        }
    }

    /// Reads one whole message.
    pub fn parse(bytes: &[u8]) -> Result<(Nonce, RejectReason), RejectReason> {
        let refused: Self = read_fixed(bytes, Kind::Refused)?;
        let reason = RejectReason::from_code(refused.reason.get());
        match reason {
            Some(reason) if refused.reserved == [0; 6] => {
                Ok((Nonce::new(refused.nonce.get()), reason))
            }
            _ => Err(RejectReason::Malformed),
        }
    }
}

const _: () = assert!(size_of::<Hello>() == 112);
const _: () = assert!(size_of::<Welcome>() == 72);
const _: () = assert!(size_of::<Refused>() == 24);
