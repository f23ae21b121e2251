//! What a wallet signs (EIP-712), and who signed it (secp256k1, by libsecp256k1).
//!
//! The domain is `EIP712Domain(string name,string version,bytes32 salt)` with the name "Keel", the
//! version "1" and the genesis hash as salt: a signature means nothing on another network, and no
//! chain is involved. Wallets show every field of the two messages in [`REGISTER`] and [`REVOKE`].

use secp256k1::ecdsa::{RecoverableSignature, RecoveryId};
use secp256k1::{Message, SecretKey};
use sha3::{Digest as _, Keccak256};

use crate::auth::PublicKey;
use crate::genesis::OwnerAddress;
use crate::keys::{KeyGrant, Registration, Revocation, WalletSignature};
use crate::outcome::Digest;
use crate::wire::orders::OrdersFrame;
use crate::{AccountId, Command, Nonce};

/// The type of the domain.
pub const DOMAIN: &str = "EIP712Domain(string name,string version,bytes32 salt)";
/// The name in it.
pub const DOMAIN_NAME: &str = "Keel";
/// The version in it.
pub const DOMAIN_VERSION: &str = "1";
/// The type of a registration.
pub const REGISTER: &str = "RegisterKey(uint32 account,bytes32 key,uint8 scope,uint16[] markets,\
    uint128 orderNotional,uint128 openNotional,uint128 dailyLoss,uint64 expiresAt,uint64 nonce)";
/// The type of a revocation.
pub const REVOKE: &str = "RevokeKey(uint32 account,bytes32 key,uint64 nonce)";
/// Context of the published development wallets.
const DEVELOPMENT_CONTEXT: &str = "keel 2026-11-26 development wallet";

/// Who asks, and for which frame: what a wallet's signature covers besides the record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WalletContext {
    /// The network's genesis.
    pub genesis_hash: Digest,
    /// The account.
    pub account: AccountId,
    /// The nonce of the frame: each higher than the one before it.
    pub nonce: Nonce,
}

impl WalletContext {
    /// The address that signed a registration; `None`: nobody did.
    pub fn registrant(&self, registration: &Registration) -> Option<OwnerAddress> {
        let digest = self.register_digest(registration.key(), &registration.grant());
        recover(digest, registration.signature())
    }

    /// The address that signed a revocation; `None`: nobody did.
    pub fn revoker(&self, revocation: &Revocation) -> Option<OwnerAddress> {
        recover(self.revoke_digest(revocation.key()), revocation.signature())
    }

    /// The address whose wallet signed what stands in its frame; `None`: nobody's.
    pub fn signer_of(&self, frame: &OrdersFrame) -> Option<OwnerAddress> {
        match frame.commands().next()? {
            Command::Register(registration) => self.registrant(registration),
            Command::Revoke(revocation) => self.revoker(revocation),
            _ => None,
        }
    }

    fn register_digest(&self, key: PublicKey, grant: &KeyGrant) -> [u8; 32] {
        let mut markets = Keccak256::new();
        for market in grant.markets.iter() {
            markets.update(word(market.get().into()));
        }
        let fields = [
            keccak(REGISTER.as_bytes()),
            word(self.account.get().into()),
            *key.as_bytes(),
            word(grant.scope as u128),
            markets.finalize().into(),
            word(grant.order_notional_max.get()),
            word(grant.open_notional_max.get()),
            word(grant.daily_loss_max.get()),
            word(grant.expires_at.get().into()),
            word(self.nonce.get().into()),
        ];
        self.digest(&keccak(fields.as_flattened()))
    }

    fn revoke_digest(&self, key: PublicKey) -> [u8; 32] {
        let fields = [
            keccak(REVOKE.as_bytes()),
            word(self.account.get().into()),
            *key.as_bytes(),
            word(self.nonce.get().into()),
        ];
        self.digest(&keccak(fields.as_flattened()))
    }

    fn digest(&self, message: &[u8; 32]) -> [u8; 32] {
        let domain = [
            keccak(DOMAIN.as_bytes()),
            keccak(DOMAIN_NAME.as_bytes()),
            keccak(DOMAIN_VERSION.as_bytes()),
            *self.genesis_hash.as_bytes(),
        ];
        let mut hasher = Keccak256::new();
        hasher.update([0x19, 0x01]);
        hasher.update(keccak(domain.as_flattened()));
        hasher.update(message);
        hasher.finalize().into()
    }
}

/// A wallet's secret key: of tests, of the development network, and of tools that act for an owner.
#[derive(Clone)]
pub struct WalletKey(SecretKey);

impl WalletKey {
    /// From 32 bytes; `None` for the few that are no key.
    pub fn new(secret: [u8; 32]) -> Option<Self> {
        SecretKey::from_secret_bytes(secret).ok().map(Self)
    }

    /// The published wallet of this name on a development network. Everybody knows it.
    pub fn development(name: &str) -> Self {
        let secret = blake3::derive_key(DEVELOPMENT_CONTEXT, name.as_bytes());
        Self::new(secret).expect("all but one in 2^127 are keys")
    }

    /// Its address.
    pub fn address(&self) -> OwnerAddress {
        address(&secp256k1::PublicKey::from_secret_key(&self.0))
    }

    /// Registers a key.
    pub fn register(
        &self,
        context: &WalletContext,
        key: PublicKey,
        grant: &KeyGrant,
    ) -> Registration {
        let signature = self.sign(context.register_digest(key, grant));
        Registration::new(key, grant, signature)
    }

    /// Revokes a key.
    pub fn revoke(&self, context: &WalletContext, key: PublicKey) -> Revocation {
        Revocation::new(key, self.sign(context.revoke_digest(key)))
    }

    /// Signs what typed data comes to.
    pub fn sign(&self, digest: [u8; 32]) -> WalletSignature {
        let message = Message::from_digest(digest);
        let signature = RecoverableSignature::sign_ecdsa_recoverable(message, &self.0);
        let (recovery, compact) = signature.serialize_compact();
        WalletSignature {
            compact,
            v: 27 + recovery.to_u8(),
        }
    }
}

impl std::fmt::Debug for WalletKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WalletKey(address {:02x?})", self.address())
    }
}

/// The address of an owner's further accounts, numbered from 1: the last 20 bytes of
/// `keccak256("keel sub-account" | owner | number u32, big-endian)`. Nobody has a key for it.
pub fn sub_account_address(owner: &OwnerAddress, number: u32) -> OwnerAddress {
    let mut hasher = Keccak256::new();
    hasher.update(b"keel sub-account");
    hasher.update(owner);
    hasher.update(number.to_be_bytes());
    let hash: [u8; 32] = hasher.finalize().into();
    *hash.last_chunk().expect("32 bytes have 20")
}

pub(crate) fn recover(digest: [u8; 32], signature: WalletSignature) -> Option<OwnerAddress> {
    let parity = RecoveryId::try_from(i32::from(signature.v.checked_sub(27)?)).ok()?;
    let signature = RecoverableSignature::from_compact(&signature.compact, parity).ok()?;
    let key = signature.recover_ecdsa(Message::from_digest(digest)).ok()?;
    Some(address(&key))
}

fn address(key: &secp256k1::PublicKey) -> OwnerAddress {
    let hash = keccak(&key.serialize_uncompressed()[1..]);
    *hash.last_chunk().expect("32 bytes have 20")
}

pub(crate) fn keccak(bytes: &[u8]) -> [u8; 32] {
    Keccak256::digest(bytes).into()
}

/// A number as a word of the EVM: 32 bytes, big-endian.
pub(crate) fn word(number: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    word
}
