//! What the server says, checked and typed.

use bytes::Bytes;
use types::wire::ack::{Ack, FillReport};
use types::wire::ended::EndedReport;
use types::wire::query::{BalanceRecord, MarketState, OpenOrder, Reference};
use types::wire::receipts::Receipts;
use types::{Nonce, RejectReason, SequenceNumber};

/// One message of the server. Replies that span several messages on the wire come as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// A frame is done and durable, or was refused as a whole by the engine.
    Ack(AckMessage),
    /// Executions of the account's orders.
    Fills(FillsMessage),
    /// What else happened to the account's open orders: they expired, met their own group, were
    /// triggered, or were pulled by the account's protection.
    Ended(EndedMessage),
    /// When frames arrived and where they were sequenced, signed by the server.
    Receipts(ReceiptsMessage),
    /// A message was refused before it was sequenced, and had no effect.
    Refused {
        /// Of the refused frame; zero for anything else.
        nonce: Nonce,
        /// Why.
        reason: RejectReason,
    },
    /// The answer to a subscription: what it tells comes on a stream of its own.
    Subscribed {
        /// The subscription's number.
        number: u64,
        /// Why there is none.
        refused: Option<RejectReason>,
    },
    /// The account's balances.
    Balances {
        /// Which question this answers.
        request: u64,
        /// The last sequence number that it includes.
        sequence: SequenceNumber,
        /// By asset.
        balances: Vec<BalanceRecord>,
    },
    /// The account's open orders.
    OpenOrders {
        /// Which question this answers.
        request: u64,
        /// The last sequence number that it includes.
        sequence: SequenceNumber,
        /// All of them.
        orders: Vec<OpenOrder>,
    },
    /// Assets and markets.
    Reference {
        /// Which question this answers.
        request: u64,
        /// The last sequence number that it includes.
        sequence: SequenceNumber,
        /// Both lists.
        reference: Reference,
    },
    /// What the markets are like.
    MarketStates {
        /// Which question this answers.
        request: u64,
        /// The last sequence number that it includes.
        sequence: SequenceNumber,
        /// By market.
        markets: Vec<MarketState>,
    },
    /// No frame of the nonce that was asked for is among the last ones.
    UnknownNonce {
        /// Which question this answers.
        request: u64,
        /// The last sequence number that it includes.
        sequence: SequenceNumber,
    },
}

/// An answer to one frame: a checked message that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AckMessage {
    bytes: Bytes,
    nonce: Nonce,
}

impl AckMessage {
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, RejectReason> {
        let nonce = Ack::parse(&bytes)?.nonce;
        Ok(Self { bytes, nonce })
    }

    /// Of the frame that this answers.
    pub const fn nonce(&self) -> Nonce {
        self.nonce
    }

    /// The whole message, for whoever keeps it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The answer. Reads the bytes again: take it once.
    pub fn view(&self) -> Ack<'_> {
        Ack::parse(&self.bytes).expect("checked when it was received")
    }
}

/// Executions: a checked message that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FillsMessage {
    bytes: Bytes,
}

impl FillsMessage {
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, RejectReason> {
        FillReport::parse_all(&bytes)?;
        Ok(Self { bytes })
    }

    /// The executions, in sequence order. Reads the bytes again: take it once.
    pub fn reports(&self) -> &[FillReport] {
        FillReport::parse_all(&self.bytes).expect("checked when it was received")
    }

    /// The whole message, for whoever keeps it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Changes of open orders without a trade: a checked message that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndedMessage {
    bytes: Bytes,
}

impl EndedMessage {
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, RejectReason> {
        EndedReport::parse_all(&bytes)?;
        Ok(Self { bytes })
    }

    /// The changes, in the order in which they happened. Reads the bytes again: take it once.
    pub fn reports(&self) -> &[EndedReport] {
        EndedReport::parse_all(&self.bytes).expect("checked when it was received")
    }

    /// The whole message, for whoever keeps it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Receipts: a checked message that owns its bytes. Its signature is for whoever audits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiptsMessage {
    bytes: Bytes,
}

impl ReceiptsMessage {
    pub(crate) fn parse(bytes: Bytes) -> Result<Self, RejectReason> {
        Receipts::parse(&bytes)?;
        Ok(Self { bytes })
    }

    /// The receipts. Reads the bytes again: take it once.
    pub fn view(&self) -> Receipts<'_> {
        Receipts::parse(&self.bytes).expect("checked when it was received")
    }

    /// The whole message, as it is to be kept for an audit.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}
