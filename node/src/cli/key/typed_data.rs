//! What a wallet signs, as the JSON that `eth_signTypedData_v4` takes, and the signature that comes
//! back. Field names and types are read from the type strings of `types::wallet`, so that they are
//! written once.

use serde_json::{Map, Value, json};
use types::auth::PublicKey;
use types::decimal;
use types::keys::{KeyGrant, WalletSignature};
use types::wallet::{DOMAIN, DOMAIN_NAME, DOMAIN_VERSION, REGISTER, REVOKE, WalletContext};

/// A registration, for a wallet to sign.
pub(super) fn registration(context: &WalletContext, key: PublicKey, grant: &KeyGrant) -> Value {
    let markets: Vec<u16> = grant.markets.iter().map(|market| market.get()).collect();
    let message = json!({
        "account": context.account.get(),
        "key": bytes(key.as_bytes()),
        "scope": grant.scope as u8,
        "markets": markets,
        "orderNotional": grant.order_notional_max.get().to_string(),
        "openNotional": grant.open_notional_max.get().to_string(),
        "dailyLoss": grant.daily_loss_max.get().to_string(),
        "expiresAt": grant.expires_at.get().to_string(),
        "nonce": context.nonce.get().to_string(),
    });
    typed_data(context, REGISTER, message)
}

/// A revocation, for a wallet to sign.
pub(super) fn revocation(context: &WalletContext, key: PublicKey) -> Value {
    let message = json!({
        "account": context.account.get(),
        "key": bytes(key.as_bytes()),
        "nonce": context.nonce.get().to_string(),
    });
    typed_data(context, REVOKE, message)
}

/// Numbers of 64 bits and more are texts, for most readers of JSON round them.
fn typed_data(context: &WalletContext, encoded: &str, message: Value) -> Value {
    let (name, fields) = fields(encoded);
    let (domain, domain_fields) = self::fields(DOMAIN);
    let types: Map<String, Value> = [(domain, domain_fields), (name, fields)]
        .map(|(name, fields)| (name.to_owned(), fields))
        .into_iter()
        .collect();
    json!({
        "types": types,
        "primaryType": name,
        "domain": {
            "name": DOMAIN_NAME,
            "version": DOMAIN_VERSION,
            "salt": bytes(context.genesis_hash.as_bytes()),
        },
        "message": message,
    })
}

/// Name and fields of a type such as `Name(uint32 first,bytes32 second)`.
fn fields(encoded: &str) -> (&str, Value) {
    let split = encoded.strip_suffix(')').and_then(|it| it.split_once('('));
    let (name, list) = split.expect("types are written as EIP-712 encodes them");
    let fields = list.split(',').map(|field| {
        let (kind, name) = field.split_once(' ').expect("a field has type and name");
        json!({"name": name, "type": kind})
    });
    (name, fields.collect())
}

fn bytes(bytes: &[u8]) -> String {
    format!("0x{}", decimal::to_hex(bytes))
}

/// The 65 bytes that a wallet answers with: r, s and v, which is 27 or 28, or of some wallets 0 or 1.
pub(super) fn parse_signature(text: &str) -> Result<WalletSignature, String> {
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let bytes: Option<[u8; 65]> = decimal::bytes_from_hex(digits);
    let signature = bytes.and_then(|bytes| {
        let (compact, v) = bytes.split_first_chunk()?;
        let v = match v {
            [v @ (27 | 28)] => *v,
            [v @ (0 | 1)] => 27 + v,
            _ => return None,
        };
        Some(WalletSignature {
            compact: *compact,
            v,
        })
    });
    signature.ok_or_else(|| "not 65 bytes of r, s and v in hexadecimal digits".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_of_wallets_are_read_in_both_dialects() {
        let text = |v: &str| format!("0x{}{v}", "ab".repeat(64));
        for (v, expected) in [("1b", 27), ("1c", 28), ("00", 27), ("01", 28)] {
            let signature = parse_signature(&text(v)).map(|it| (it.compact, it.v));
            assert_eq!(signature, Ok(([0xab; 64], expected)));
        }
        for v in ["02", "1a", "1d", "", "1b1b", "zz"] {
            assert!(parse_signature(&text(v)).is_err(), "{v}");
        }
        assert!(parse_signature("").is_err());
    }
}
