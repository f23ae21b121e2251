// Signatures of actions, as docs/API.md says. Loaded when somebody logs in, not before.

import { getPublicKey, hashes, sign, utils } from "./vendor/noble-secp256k1/index.js";
import { blake3 } from "./vendor/noble-hashes/blake3.js";
import { hmac } from "./vendor/noble-hashes/hmac.js";
import { sha256 } from "./vendor/noble-hashes/sha2.js";
import { keccak_256 } from "./vendor/noble-hashes/sha3.js";
import { fromHex, toHex } from "./hex.js";
import { bigEndian, encode } from "./msgpack.js";

hashes.sha256 = sha256;
hashes.hmacSha256 = (key, message) => hmac(sha256, key, message);

const utf8 = (text) => new TextEncoder().encode(text);
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const hash = (text) => keccak_256(utf8(text));
const word = (number) => bigEndian(number, 32);

/** A new key: 32 bytes, from the browser's source of randomness. */
export const newSecret = () => utils.randomSecretKey();

/** The address of a key. */
export function addressOf(secret) {
  const point = getPublicKey(secret, false);
  return toHex(keccak_256(point.slice(1)).slice(12));
}

/** The published wallet of an account of the development network: docs/PROTOCOL.md. */
export function developmentWallet(name) {
  return blake3(utf8(name), { context: utf8("keel 2026-11-26 development wallet") });
}

const DOMAIN = hash("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
const TRADING = keccak_256(join(DOMAIN, hash("Exchange"), hash("1"), word(1337), word(0)));
const AGENT = hash("Agent(string source,bytes32 connectionId)");
// Never "a": that would be valid on another exchange's main network.
const SOURCE = hash("b");

/** Signs a trading action for the key's own account. */
export function signAction(secret, action, nonce) {
  const connection = keccak_256(join(encode(action), bigEndian(nonce, 8), [0]));
  const message = keccak_256(join(AGENT, SOURCE, connection));
  const digest = keccak_256(join([0x19, 0x01], TRADING, message));
  const signed = sign(digest, secret, { prehash: false, format: "recovered" });
  return { r: toHex(signed.slice(1, 33)), s: toHex(signed.slice(33)), v: 27 + signed[0] };
}

/** What a wallet is asked to sign, once: that this page's key may trade. */
export function approveAgent(agentAddress, agentName, nonce, chainId) {
  const field = (type, name) => ({ type, name });
  return {
    action: {
      type: "approveAgent",
      hyperliquidChain: "Testnet",
      signatureChainId: `0x${chainId.toString(16)}`,
      agentAddress,
      agentName,
      nonce,
    },
    typedData: {
      domain: {
        name: "HyperliquidSignTransaction",
        version: "1",
        chainId,
        verifyingContract: "0x0000000000000000000000000000000000000000",
      },
      types: {
        EIP712Domain: [
          field("string", "name"),
          field("string", "version"),
          field("uint256", "chainId"),
          field("address", "verifyingContract"),
        ],
        "HyperliquidTransaction:ApproveAgent": [
          field("string", "hyperliquidChain"),
          field("address", "agentAddress"),
          field("string", "agentName"),
          field("uint64", "nonce"),
        ],
      },
      primaryType: "HyperliquidTransaction:ApproveAgent",
      message: { hyperliquidChain: "Testnet", agentAddress, agentName, nonce },
    },
  };
}

/** A wallet's signature of 65 bytes in the three parts that are sent. */
export function splitSignature(signature) {
  const bytes = fromHex(signature);
  if (bytes.length !== 65) throw new Error("the wallet's signature does not have 65 bytes");
  const v = bytes[64] < 27 ? bytes[64] + 27 : bytes[64];
  return { r: toHex(bytes.slice(0, 32)), s: toHex(bytes.slice(32, 64)), v };
}
