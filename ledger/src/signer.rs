//! The nonces of signed actions: milliseconds, of which the highest are remembered.
//!
//! Traders' clients number their actions by the clock, and several of them may act for one account, so
//! numbers come out of order. Of each signer the [`ACTION_NONCES_MAX`] highest are kept. A new one must
//! not be among them, must be above the lowest once there are so many, and must be near logged time
//! (Hyperliquid's rule, "Nonces and API wallets" in its documentation).

use std::collections::{BTreeMap, BTreeSet};

use types::genesis::OwnerAddress;
use types::limits::{ACTION_NONCE_FUTURE_MS, ACTION_NONCE_PAST_MS, ACTION_NONCES_MAX};
use types::{LogTime, RejectReason};

use crate::Ledger;
use crate::snapshot::Contradiction;

/// The highest nonces of one signer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ActionNonces(BTreeSet<u64>);

/// Those of all signers.
#[derive(Clone, Debug, Default)]
pub(crate) struct Signers(BTreeMap<OwnerAddress, ActionNonces>);

impl ActionNonces {
    fn check(&self, nonce: u64) -> Result<(), RejectReason> {
        if self.0.contains(&nonce) {
            return Err(RejectReason::NonceReused);
        }
        match self.0.first() {
            Some(lowest) if self.0.len() == ACTION_NONCES_MAX && nonce < *lowest => {
                Err(RejectReason::NonceTooOld)
            }
            _ => Ok(()),
        }
    }

    fn insert(&mut self, nonce: u64) {
        self.0.insert(nonce);
        if ACTION_NONCES_MAX < self.0.len() {
            self.0.pop_first();
        }
    }

    /// Them, ascending.
    pub fn iter(&self) -> impl Iterator<Item = u64> + '_ {
        self.0.iter().copied()
    }
}

impl Ledger {
    /// Whether an action of this nonce, in milliseconds since the Unix epoch, may execute.
    pub fn check_action_nonce(
        &self,
        signer: &OwnerAddress,
        nonce: u64,
        now: LogTime,
    ) -> Result<(), RejectReason> {
        let now = now.get() / 1_000_000;
        if nonce < now.saturating_sub(ACTION_NONCE_PAST_MS) {
            return Err(RejectReason::NonceTooOld);
        }
        if now.saturating_add(ACTION_NONCE_FUTURE_MS) < nonce {
            return Err(RejectReason::NonceTooHigh);
        }
        self.signers
            .0
            .get(signer)
            .map_or(Ok(()), |nonces| nonces.check(nonce))
    }

    /// Marks the nonce of an action as used. The caller has checked it.
    pub fn use_action_nonce(&mut self, signer: OwnerAddress, nonce: u64) {
        self.signers.0.entry(signer).or_default().insert(nonce);
    }

    /// The nonces of all signers, by address.
    pub fn action_nonces(&self) -> impl Iterator<Item = (&OwnerAddress, &ActionNonces)> {
        self.signers.0.iter()
    }

    /// What signers have used, as it was.
    pub fn restore_action_nonces(
        &mut self,
        nonces: impl IntoIterator<Item = (OwnerAddress, Vec<u64>)>,
    ) -> Result<(), Contradiction> {
        for (signer, listed) in nonces {
            let nonces: BTreeSet<u64> = listed.iter().copied().collect();
            let is_sound =
                nonces.len() == listed.len() && (1..=ACTION_NONCES_MAX).contains(&listed.len());
            Contradiction::unless(is_sound, "a signer's nonces are few and each its own")?;
            let before = self.signers.0.insert(signer, ActionNonces(nonces));
            Contradiction::unless(before.is_none(), "a signer is listed once")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use types::genesis::development;

    use super::*;

    const DAY: u64 = 24 * 60 * 60 * 1_000;
    const NOW: u64 = 1_764_000_000_000;
    const SIGNER: OwnerAddress = [7; 20];

    #[test]
    fn the_highest_hundred_are_remembered() {
        let mut ledger = Ledger::from_genesis(&development());
        let now = LogTime::new(NOW * 1_000_000);
        let check = |ledger: &Ledger, nonce| ledger.check_action_nonce(&SIGNER, nonce, now);
        for nonce in (NOW..NOW + 200).step_by(2) {
            assert_eq!(check(&ledger, nonce), Ok(()));
            ledger.use_action_nonce(SIGNER, nonce);
        }
        assert_eq!(check(&ledger, NOW), Err(RejectReason::NonceReused));
        assert_eq!(check(&ledger, NOW - 1), Err(RejectReason::NonceTooOld));
        // Out of order within the window is legal, and pushes the lowest out.
        assert_eq!(check(&ledger, NOW + 1), Ok(()));
        ledger.use_action_nonce(SIGNER, NOW + 1);
        assert_eq!(check(&ledger, NOW), Err(RejectReason::NonceTooOld));
        assert_eq!(check(&ledger, NOW + 1), Err(RejectReason::NonceReused));
        // Each signer has its own.
        assert_eq!(ledger.check_action_nonce(&[8; 20], NOW, now), Ok(()));
        let (_, nonces) = ledger.action_nonces().next().unwrap();
        assert_eq!(nonces.iter().count(), ACTION_NONCES_MAX);
    }

    #[test]
    fn nonces_are_near_logged_time() {
        let ledger = Ledger::from_genesis(&development());
        let now = LogTime::new(NOW * 1_000_000);
        for (nonce, expected) in [
            (NOW - 2 * DAY - 1, Err(RejectReason::NonceTooOld)),
            (NOW - 2 * DAY, Ok(())),
            (NOW + DAY, Ok(())),
            (NOW + DAY + 1, Err(RejectReason::NonceTooHigh)),
        ] {
            assert_eq!(ledger.check_action_nonce(&SIGNER, nonce, now), expected);
        }
    }
}
