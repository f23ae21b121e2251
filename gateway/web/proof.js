// Checks inclusion proofs of the state tree, as docs/STATE_TREE.md says: with SHA-256 of the browser.

import { fromHex, toHex } from "./hex.js";

const DEPTH = 32;
/** The accounts of the system, by name. */
export const SYSTEM_NUMBERS = new Map([["inbox", 0xfffffffd], ["dust", 0xfffffffe], ["fees", 0xffffffff]]);
const SYSTEM = new Map([...SYSTEM_NUMBERS].map(([name, number]) => [number, name]));
const TAGS = { account: "6b65656c61636331", inbox: "6b65656c696e6231" };
const LENGTHS = { inbox: 72, word: 32, entry: 64 };

/** SHA-256. WebCrypto is only there on secure origins: https, or this machine. */
async function sha256(bytes) {
  if (globalThis.crypto?.subtle) return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return (await import("./vendor/noble-hashes/sha2.js")).sha256(bytes);
}

/** What an account is called. */
export const nameOf = (account) => SYSTEM.get(account) ?? String(account);

/**
 * The root that a proof leads to. The position comes from the record and never from who made the proof;
 * of an account that does not exist, from which account was asked for.
 */
export async function rootOf(proof, asked) {
  const siblings = proof.siblings.map(fromHex);
  if (siblings.length !== DEPTH || siblings.some((it) => it.length !== LENGTHS.word)) throw new Error("a proof has 32 siblings of 32 bytes");
  const record = proof.record === null ? null : fromHex(proof.record);
  let index = record ? readRecord(record).account : asked;
  if (index !== asked) throw new Error(`the record is of account ${nameOf(index)}`);
  let node = record ? await sha256(record) : new Uint8Array(LENGTHS.word);
  for (const sibling of siblings) {
    const pair = new Uint8Array(2 * LENGTHS.word);
    pair.set(index % 2 === 0 ? node : sibling);
    pair.set(index % 2 === 0 ? sibling : node, LENGTHS.word);
    node = await sha256(pair);
    index = Math.floor(index / 2);
  }
  return toHex(node).slice(2);
}

/** What a record says: account, owner, and by asset what is free, held and withdrawn; in atoms. */
export function readRecord(record) {
  const view = new DataView(record.buffer, record.byteOffset, record.byteLength);
  const tag = toHex(record.slice(0, 8)).slice(2);
  const account = view.getUint32(8);
  if (tag === TAGS.inbox && record.length === LENGTHS.inbox) {
    return { account, owner: null, consumed: view.getBigUint64(32), assets: [] };
  }
  if (tag !== TAGS.account || record.length % LENGTHS.entry !== LENGTHS.word) throw new Error("this is no record of an account");
  const wide = (at) => (view.getBigUint64(at) << 64n) | view.getBigUint64(at + 8);
  const assets = [];
  for (let at = LENGTHS.word; at < record.length; at += LENGTHS.entry) {
    assets.push({ asset: Number(wide(at)), free: wide(at + 16), withdrawn: wide(at + 32), held: wide(at + 48) });
  }
  return { account, owner: toHex(record.slice(12, 32)), assets };
}
