//! Who may sign, and what stays off: each verdict of the engine is held against the keys of the model
//! as they are before the frame, so that a grant binds from the command after it and a revocation
//! ends a key before the next frame; and no order that went because its client or its key was gone is
//! ever heard of again. What a key may do with each command is in the receipts, which the model gives
//! too.

use std::collections::{BTreeMap, BTreeSet};

use types::genesis::{Genesis, OwnerAddress};
use types::outcome::{Digest, DoneReason, Event, FrameVerdict};
use types::wallet::WalletContext;
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{AccountId, KeyId, Nonce, OrderId, RejectReason};

use crate::model::exchange::Exchange;
use crate::run::{Oracle, Violation};

#[derive(Debug)]
pub(crate) struct Permits {
    genesis_hash: Digest,
    /// By account.
    owners: Vec<OwnerAddress>,
    /// The last frame of each wallet.
    wallet_nonces: BTreeMap<AccountId, Nonce>,
    /// Orders that went because nobody was there for them.
    gone: BTreeSet<OrderId>,
}

impl Permits {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let owners = genesis.accounts().iter().map(|account| account.owner);
        Self {
            genesis_hash: genesis.hash(),
            owners: owners.collect(),
            wallet_nonces: BTreeMap::new(),
            gone: BTreeSet::new(),
        }
    }

    /// Whether the verdict about a frame is right, as far as that is about who signed it.
    pub(crate) fn judge(
        &mut self,
        model: &Exchange,
        frame: &OrdersFrame,
        verdict: FrameVerdict,
    ) -> Result<(), Violation> {
        let header = frame.header();
        let refusal = match header.key {
            KeyId::WALLET => self.refuses_wallet(&header, frame),
            _ => model.keys.refusal(&header, model.now),
        };
        let is_right = match verdict {
            FrameVerdict::Executed => refusal.is_none(),
            FrameVerdict::Refused(
                reason @ (RejectReason::UnknownKey
                | RejectReason::StaleEpoch
                | RejectReason::KeyRevoked
                | RejectReason::KeyExpired
                | RejectReason::WrongWallet),
            ) => refusal == Some(reason),
            FrameVerdict::Refused(_) | FrameVerdict::Repeated { .. } => true,
        };
        Violation::unless(is_right, Oracle::Keys, || {
            format!("{header:?}: {verdict:?}, and what speaks against it is {refusal:?}")
        })?;
        if verdict == FrameVerdict::Executed && header.key == KeyId::WALLET {
            let before = self.wallet_nonces.insert(header.account, header.nonce);
            Violation::unless(before < Some(header.nonce), Oracle::Keys, || {
                format!("{header:?}: a wallet's frame after {before:?}")
            })?;
        }
        Ok(())
    }

    fn refuses_wallet(&self, header: &FrameHeader, frame: &OrdersFrame) -> Option<RejectReason> {
        let context = WalletContext {
            genesis_hash: self.genesis_hash,
            account: header.account,
            nonce: header.nonce,
        };
        let owner = self.owners.get(header.account.index()).copied();
        let is_owner = owner.is_some() && context.signer_of(frame) == owner;
        (!is_owner).then_some(RejectReason::WrongWallet)
    }

    /// Nothing is heard of those that are gone.
    pub(crate) fn follow(&mut self, events: &[Event]) -> Result<(), Violation> {
        for event in events {
            let [first, second] = match event {
                Event::Fill(fill) => [Some(fill.maker), Some(fill.taker)],
                Event::Rested(rested) => [Some(rested.owner), None],
                Event::Armed(armed) => [Some(armed.owner), None],
                Event::Triggered(triggered) => [Some(triggered.owner), None],
                Event::Reduced(reduced) => [Some(reduced.owner), None],
                Event::Done(done) => [Some(done.owner), None],
                _ => [None, None],
            };
            let parties = first.into_iter().chain(second);
            let gone = parties
                .map(|it| it.order_id)
                .find(|id| self.gone.contains(id));
            Violation::unless(gone.is_none(), Oracle::Keys, || {
                format!("order {gone:?} was taken off, and then {event:?}")
            })?;
            if let Event::Done(done) = event
                && matches!(
                    done.reason,
                    DoneReason::Disconnected
                        | DoneReason::Timer
                        | DoneReason::DailyLoss
                        | DoneReason::KeyRevoked
                )
            {
                self.gone.insert(done.owner.order_id);
            }
        }
        Ok(())
    }
}
