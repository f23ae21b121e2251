//! One digest of the whole ledger, for comparing two of them: executors, replays, build profiles.
//!
//! Unlike the state root it also covers what no exit needs: groups, open order counts, keys, agents
//! and nonces.
//! It is never stored and never signed, so its bytes are not frozen.

use types::outcome::Digest;

use crate::Ledger;

const STATE_CONTEXT: &str = "keel 2026-11-23 ledger state";

impl Ledger {
    /// BLAKE3 over all state in a canonical order. Two ledgers with one hash answer every
    /// query and every verb alike.
    pub fn state_hash(&self) -> Digest {
        let mut hasher = blake3::Hasher::new_derive_key(STATE_CONTEXT);
        self.hash_assets(&mut hasher);
        self.hash_accounts(&mut hasher);
        self.hash_keys(&mut hasher);
        self.hash_nonces(&mut hasher);
        self.hash_edge(&mut hasher);
        Digest::new(*hasher.finalize().as_bytes())
    }

    fn hash_assets(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&self.asset_count().to_le_bytes());
        for sums in self.cells.sums() {
            for amount in [sums.deposited, sums.fees, sums.dust] {
                hasher.update(&amount.get().to_le_bytes());
            }
        }
    }

    fn hash_accounts(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&self.account_count().to_le_bytes());
        for account in &self.accounts {
            hasher.update(&account.owner);
            hasher.update(&account.group.get().to_le_bytes());
            hasher.update(&account.open_orders.to_le_bytes());
        }
        for balance in self.cells.balances() {
            hasher.update(&balance.free.get().to_le_bytes());
            hasher.update(&balance.held.get().to_le_bytes());
        }
    }

    fn hash_keys(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&self.key_count().to_le_bytes());
        for key in self.keys.as_slice() {
            hasher.update(&key.account.get().to_le_bytes());
            hasher.update(key.public.as_bytes());
            hasher.update(&key.epoch.get().to_le_bytes());
        }
        for (key, status) in self.key_statuses() {
            hasher.update(&key.get().to_le_bytes());
            let grant = &status.grant;
            hasher.update(&[grant.scope as u8, u8::from(status.is_revoked)]);
            for market in grant.markets.numbers() {
                hasher.update(&market.to_le_bytes());
            }
            for amount in [
                grant.order_notional_max,
                grant.open_notional_max,
                grant.daily_loss_max,
            ] {
                hasher.update(&amount.get().to_le_bytes());
            }
            hasher.update(&grant.expires_at.get().to_le_bytes());
        }
        for (account, usage) in self.wallet_uses() {
            hasher.update(&account.get().to_le_bytes());
            for number in [
                usage.nonce.get(),
                usage.fingerprint,
                usage.first_sequence.get(),
            ] {
                hasher.update(&number.to_le_bytes());
            }
        }
    }

    fn hash_edge(&self, hasher: &mut blake3::Hasher) {
        for (account, asset, amount) in self.edge().withdrawals() {
            hasher.update(&account.get().to_le_bytes());
            hasher.update(&asset.get().to_le_bytes());
            hasher.update(&amount.get().to_le_bytes());
        }
        hasher.update(&self.edge().inbox().count.to_le_bytes());
        hasher.update(&self.edge().inbox().hash);
        for (account, name, key) in self.agents() {
            hasher.update(&account.get().to_le_bytes());
            hasher.update(name);
            hasher.update(&key.get().to_le_bytes());
        }
        for (signer, nonces) in self.action_nonces() {
            hasher.update(signer);
            for nonce in nonces.iter() {
                hasher.update(&nonce.to_le_bytes());
            }
        }
    }

    fn hash_nonces(&self, hasher: &mut blake3::Hasher) {
        hasher.update(&(self.nonces().count() as u64).to_le_bytes());
        for (key, _, window) in self.nonces() {
            hasher.update(&key.get().to_le_bytes());
            hasher.update(&window.base().get().to_le_bytes());
            hasher.update(&(window.uses().count() as u64).to_le_bytes());
            for (nonce, fingerprint, first_sequence) in window.uses() {
                for number in [nonce.get(), fingerprint, first_sequence.get()] {
                    hasher.update(&number.to_le_bytes());
                }
            }
        }
    }
}
