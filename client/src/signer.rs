//! Signing frames, with or without a connection.

use types::auth::{FrameKey, SigningKey};
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::wire::session::SessionTerms;
use types::{Command, LogTime, Nonce};

/// Signs frames for one key on one network. Terms of a session stay valid after it, so a signer
/// can make frames ahead of time and from any thread.
#[derive(Clone, Debug)]
pub struct FrameSigner {
    terms: SessionTerms,
    key: SigningKey,
    frame_key: FrameKey,
    frame: Vec<u8>,
}

impl FrameSigner {
    /// `terms` come with a session; only the nonce in them goes stale.
    pub fn new(terms: SessionTerms, key: SigningKey) -> Self {
        Self {
            frame_key: FrameKey::new(terms.network, terms.genesis_hash),
            terms,
            key,
            frame: Vec::new(),
        }
    }

    /// What the frames are signed for.
    pub const fn terms(&self) -> &SessionTerms {
        &self.terms
    }

    /// Appends a signed frame to `out`. The node refuses it once its logged time has passed
    /// `expires_at`; zero: never. Panics on no commands, or on more than fit one frame, which is
    /// [`SLOTS_PER_FRAME_MAX`](types::limits::SLOTS_PER_FRAME_MAX) slots of
    /// [`slots_needed`](types::wire::command::slots_needed).
    pub fn sign(
        &mut self,
        nonce: Nonce,
        expires_at: LogTime,
        commands: &[Command<'_>],
        out: &mut Vec<u8>,
    ) {
        let header = self.header(nonce, expires_at);
        OrdersFrame::encode(
            &header,
            commands,
            &self.frame_key,
            &self.key,
            &mut self.frame,
        );
        out.extend_from_slice(&self.frame);
    }

    /// A frame that a rolling signature is to cover.
    pub(crate) fn unsigned(
        &mut self,
        nonce: Nonce,
        expires_at: LogTime,
        commands: &[Command<'_>],
    ) -> &[u8] {
        let header = self.header(nonce, expires_at);
        OrdersFrame::encode_unsigned(&header, commands, &mut self.frame);
        &self.frame
    }

    const fn header(&self, nonce: Nonce, expires_at: LogTime) -> FrameHeader {
        FrameHeader {
            account: self.terms.account,
            key: self.terms.key,
            epoch: self.terms.epoch,
            nonce,
            expires_at,
        }
    }
}
