//! Which keys and wallets the clients have, and what they sign with them. Which number a key has, or
//! whether it still may sign, is the node's to say: clients look, and may be wrong after a crash.

use std::collections::BTreeMap;

use bytes::Bytes;
use ledger::Ledger;
use store::disk::Random;
use types::auth::{AuthenticFrame, FrameKey, PublicKey, SigningKey};
use types::genesis::{Genesis, development_name};
use types::keys::{GrantedMarkets, KeyGrant, KeyScope};
use types::outcome::Digest;
use types::wallet::{WalletContext, WalletKey};
use types::wire::orders::{FrameHeader, OrdersFrame};
use types::{AccountId, Atoms, Command, KeyEpoch, KeyId, LogTime, MarketId, Nonce};

use crate::clients::{chance, index};
use crate::plan::{ACCOUNTS, Plan};

/// Keys that wallets may register: few, so that they are registered again, by others too.
const SESSION_KEYS: u32 = 10;

#[derive(Debug)]
pub(crate) struct Keyring {
    frame_key: FrameKey,
    genesis_hash: Digest,
    keys: BTreeMap<PublicKey, SigningKey>,
    /// Those of them that are not in the genesis.
    session_keys: Vec<PublicKey>,
    wallets: Vec<WalletKey>,
    nonces: BTreeMap<KeyId, u64>,
    wallet_nonces: Vec<u64>,
}

impl Keyring {
    pub(crate) fn new(genesis: &Genesis) -> Self {
        let name = |account| development_name(AccountId::new(account));
        let owners = (0..ACCOUNTS).map(|account| SigningKey::development(&name(account)));
        let session = |number| SigningKey::development(&format!("session-{number}"));
        let session: Vec<_> = (0..SESSION_KEYS).map(session).collect();
        let wallets = (0..ACCOUNTS).map(|account| WalletKey::development(&name(account)));
        Self {
            frame_key: FrameKey::new(genesis.network(), genesis.hash()),
            genesis_hash: genesis.hash(),
            session_keys: session.iter().map(SigningKey::public).collect(),
            keys: owners
                .chain(session)
                .map(|key| (key.public(), key))
                .collect(),
            wallets: wallets.collect(),
            nonces: BTreeMap::new(),
            wallet_nonces: vec![0; ACCOUNTS as usize],
        }
    }

    pub(crate) fn fresh_nonce(&mut self, key: KeyId) -> u64 {
        let nonce = self.nonces.entry(key).or_default();
        *nonce += 1;
        *nonce
    }

    /// Mostly the next one; now and then one that was used, or a later one.
    pub(crate) fn draw_nonce(&mut self, random: &mut Random, plan: &Plan, key: KeyId) -> u64 {
        let nonce = self.nonces.entry(key).or_default();
        if 0 < *nonce && chance(random, plan.reused) {
            return 1 + random.below(*nonce);
        }
        *nonce += 1 + u64::from(chance(random, plan.skipped)) * random.below(5);
        *nonce
    }

    pub(crate) fn sign(
        &self,
        ledger: &Ledger,
        (key, nonce): (KeyId, u64),
        expires_at: LogTime,
        commands: &[Command<'_>],
    ) -> AuthenticFrame {
        let found = ledger.key(key).expect("it was looked up");
        let header = FrameHeader {
            account: found.account,
            key,
            epoch: found.epoch,
            nonce: Nonce::new(nonce),
            expires_at,
        };
        self.encode(&header, commands, &self.keys[&found.public])
    }

    /// A wallet lets a key sign.
    pub(crate) fn register(&mut self, random: &mut Random, now: u64) -> AuthenticFrame {
        let (wallet, context) = self.draw_wallet(random);
        let public = self.draw_public(random);
        let registration = wallet.register(&context, public, &draw_grant(random, now));
        self.sign_as_wallet(&context, &Command::Register(&registration))
    }

    /// A wallet takes a key back, of its own or not.
    pub(crate) fn revoke(&mut self, random: &mut Random) -> AuthenticFrame {
        let (wallet, context) = self.draw_wallet(random);
        let revocation = wallet.revoke(&context, self.draw_public(random));
        self.sign_as_wallet(&context, &Command::Revoke(&revocation))
    }

    /// An account, and a wallet that signs for it: in a few cases another one's.
    fn draw_wallet(&mut self, random: &mut Random) -> (WalletKey, WalletContext) {
        let account = index(random, self.wallets.len());
        let signer = match chance(random, 5) {
            true => index(random, self.wallets.len()),
            false => account,
        };
        self.wallet_nonces[account] += 1;
        let context = WalletContext {
            genesis_hash: self.genesis_hash,
            account: AccountId::new(u32::try_from(account).expect("four accounts")),
            nonce: Nonce::new(self.wallet_nonces[account]),
        };
        (self.wallets[signer].clone(), context)
    }

    fn draw_public(&self, random: &mut Random) -> PublicKey {
        self.session_keys[index(random, self.session_keys.len())]
    }

    fn sign_as_wallet(&self, context: &WalletContext, command: &Command<'_>) -> AuthenticFrame {
        let header = FrameHeader {
            account: context.account,
            key: KeyId::WALLET,
            epoch: KeyEpoch::new(0),
            nonce: context.nonce,
            expires_at: LogTime::ZERO,
        };
        // The frame's own signature is no wallet's: any key's will do.
        let anybody = &self.keys[&self.session_keys[0]];
        self.encode(&header, std::slice::from_ref(command), anybody)
    }

    fn encode(
        &self,
        header: &FrameHeader,
        commands: &[Command<'_>],
        key: &SigningKey,
    ) -> AuthenticFrame {
        let mut bytes = Vec::new();
        OrdersFrame::encode(header, commands, &self.frame_key, key, &mut bytes);
        let frame = OrdersFrame::parse(Bytes::from(bytes)).expect("what was encoded decodes");
        AuthenticFrame::from_journal(frame, &self.frame_key)
    }
}

/// Limits of about what a few orders come to, each absent now and then.
fn draw_grant(random: &mut Random, now: u64) -> KeyGrant {
    let mut limit = |scales: [u64; 3]| {
        let has_limit = random.below(5) < 3;
        let most = random.choose(&scales) * (1 + random.below(20));
        Atoms::new(u128::from(if has_limit { most } else { 0 }))
    };
    let order = limit([10_000; 3]);
    let open = limit([20_000; 3]);
    let loss = limit([100, 500, 2_000]);
    KeyGrant {
        scope: match random.below(6) {
            0 => KeyScope::CancelOnly,
            _ => KeyScope::Trade,
        },
        markets: match random.below(3) {
            0 => GrantedMarkets::new(&[MarketId::new(u16::from(random.coin()))])
                .expect("one market ascends"),
            _ => GrantedMarkets::ALL,
        },
        order_notional_max: order,
        open_notional_max: open,
        daily_loss_max: loss,
        expires_at: LogTime::new(match random.below(5) {
            0 => now + random.below(50_000_000),
            _ => 0,
        }),
    }
}
