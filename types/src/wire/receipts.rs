//! `Receipts`: the node's signature over when frames arrived and where they were sequenced, so that
//! anyone can compare the two afterwards.

use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::orders::SIGNATURE_LENGTH;
use super::{Kind, Prefix, read_list, write_list};
use crate::auth::{PublicKey, Signature, SigningKey};
use crate::limits::MESSAGE_LENGTH_MAX;
use crate::outcome::Digest;
use crate::{KeyId, NetworkId, Nonce, RejectReason, SequenceNumber};

/// By offset: 0 prefix (count: receipts), 8 run u64, 16 key u32, 20 reserved u32, 24 signature (64)
/// of the server's key over [`ReceiptKey`]'s digest of everything else. Receipts follow.
#[derive(Debug, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
#[repr(C)]
struct Head {
    prefix: Prefix,
    run: U64,
    key: U32,
    reserved: U32,
    signature: [u8; SIGNATURE_LENGTH],
}

const _: () = assert!(size_of::<Head>() == SIGNED_HEAD + SIGNATURE_LENGTH);

/// Bytes of the head before its signature.
const SIGNED_HEAD: usize = 24;

/// One frame's: nonce u64, arrival u64, first sequence u64.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned,
)]
#[repr(C)]
pub struct Receipt {
    nonce: U64,
    arrival: U64,
    first_sequence: U64,
}

/// Receipts that fit one message.
pub const RECEIPTS_PER_MESSAGE_MAX: usize =
    (MESSAGE_LENGTH_MAX - size_of::<Head>()) / size_of::<Receipt>();

impl Receipt {
    /// The frame of this nonce arrived as the `arrival`-th and has its commands from here on.
    pub const fn new(nonce: Nonce, arrival: u64, first_sequence: SequenceNumber) -> Self {
        Self {
            nonce: U64::new(nonce.get()),
            arrival: U64::new(arrival),
            first_sequence: U64::new(first_sequence.get()),
        }
    }

    /// The frame's nonce.
    pub const fn nonce(&self) -> Nonce {
        Nonce::new(self.nonce.get())
    }

    /// Its position among all frames that this run of the node has taken in, from 1.
    pub const fn arrival(&self) -> u64 {
        self.arrival.get()
    }

    /// The sequence number of its first command.
    pub const fn first_sequence(&self) -> SequenceNumber {
        SequenceNumber::new(self.first_sequence.get())
    }
}

/// The key under which all receipts of one network are digested.
#[derive(Clone, Copy, Debug)]
pub struct ReceiptKey([u8; 32]);

/// Context of that key.
const RECEIPT_CONTEXT: &str = "keel 2026-11-26 receipts";

impl ReceiptKey {
    /// Binds to domain, network id (u32) and genesis hash, in this order.
    pub fn new(network: NetworkId, genesis_hash: Digest) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(RECEIPT_CONTEXT);
        hasher.update(&network.get().to_le_bytes());
        hasher.update(genesis_hash.as_bytes());
        Self(*hasher.finalize().as_bytes())
    }

    fn digest(&self, head: &Head, receipts: &[Receipt]) -> Digest {
        let mut hasher = blake3::Hasher::new_keyed(&self.0);
        hasher.update(&head.as_bytes()[..SIGNED_HEAD]);
        hasher.update(receipts.as_bytes());
        Digest::new(*hasher.finalize().as_bytes())
    }
}

/// Receipts of one session key under one signature.
#[derive(Debug)]
pub struct Receipts<'a> {
    head: Head,
    receipts: &'a [Receipt],
}

impl<'a> Receipts<'a> {
    /// Reads one whole message; whether the signature is good is asked separately.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RejectReason> {
        let (head, receipts): (Head, &[Receipt]) = read_list(bytes, Kind::Receipts)?;
        if head.reserved.get() != 0 || receipts.is_empty() {
            return Err(RejectReason::Malformed);
        }
        Ok(Self { head, receipts })
    }

    /// Appends a message of one to [`RECEIPTS_PER_MESSAGE_MAX`] receipts, signed.
    pub fn encode(
        run: u64,
        key: KeyId,
        receipts: &[Receipt],
        receipt_key: &ReceiptKey,
        signer: &SigningKey,
        out: &mut Vec<u8>,
    ) {
        write_list(out, Kind::Receipts, receipts, |prefix| {
            let mut head = Head {
                prefix,
                run: U64::new(run),
                key: U32::new(key.get()),
                reserved: U32::ZERO,
                signature: [0; SIGNATURE_LENGTH],
            };
            let digest = receipt_key.digest(&head, receipts);
            head.signature = *signer.sign(&digest).as_bytes();
            head
        });
    }

    /// Whether the server of this key signed them.
    pub fn are_signed_by(&self, server: &PublicKey, receipt_key: &ReceiptKey) -> bool {
        let digest = receipt_key.digest(&self.head, self.receipts);
        server.verifies(&digest, &Signature::new(self.head.signature))
    }

    /// Which run of the node: arrivals are counted anew in each.
    pub const fn run(&self) -> u64 {
        self.head.run.get()
    }

    /// The key that signed the frames.
    pub const fn key(&self) -> KeyId {
        KeyId::new(self.head.key.get())
    }

    /// The receipts, in the order of their answers.
    pub const fn receipts(&self) -> &'a [Receipt] {
        self.receipts
    }
}
