// The page's own code against vectors that the rest of the project is tested with.

import { readFileSync } from "node:fs";
import { encode } from "../msgpack.js";
import { rootOf } from "../proof.js";
import { addressOf, developmentWallet, signAction } from "../sign.js";
import { isOnGrid, multiply, parseDecimal, roundToStep } from "../text.js";
import { check, same } from "./checks.mjs";

const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");

export async function vectors(root, viem) {
  // MessagePack as the Python SDK makes it.
  for (const line of readFileSync(`${root}/types/tests/actions/python_sdk.jsonl`, "utf8").trim().split("\n")) {
    const { name, body, msgpack } = JSON.parse(line);
    same(`MessagePack of ${name}`, hex(encode(JSON.parse(body).action)), msgpack.replace(/^0x/, ""));
  }
  // The published wallet of docs/PROTOCOL.md.
  const protocol = readFileSync(`${root}/docs/PROTOCOL.md`, "utf8");
  const published = /wallet address =\s+([0-9a-f]{40})/.exec(protocol)[1];
  same("the wallet of dev-0", addressOf(developmentWallet("dev-0")), `0x${published}`);
  await recovers(viem);
  await proofs(readFileSync(`${root}/docs/STATE_TREE.md`, "utf8"));
  decimals();
}

/** Another implementation finds the signer, so hash, domain and signature are right. */
async function recovers({ recoverTypedDataAddress, keccak256, concat, numberToHex }) {
  const secret = developmentWallet("dev-3");
  const [action, nonce] = [{ type: "cancel", cancels: [{ a: 10_000, o: 2 ** 40 }] }, 1_790_000_000_123];
  const { r, s, v } = signAction(secret, action, nonce);
  const connectionId = keccak256(concat([`0x${hex(encode(action))}`, numberToHex(nonce, { size: 8 }), "0x00"]));
  const signer = await recoverTypedDataAddress({
    domain: { name: "Exchange", version: "1", chainId: 1337, verifyingContract: `0x${"00".repeat(20)}` },
    types: { Agent: [{ name: "source", type: "string" }, { name: "connectionId", type: "bytes32" }] },
    primaryType: "Agent",
    message: { source: "b", connectionId },
    signature: concat([r, s, numberToHex(v, { size: 1 })]),
  });
  same("viem recovers the signer of an action", signer.toLowerCase(), addressOf(secret));
}

async function proofs(document) {
  const vector = (name) => new RegExp(`^${name} ([0-9a-f]+)$`, "m").exec(document)[1];
  const siblings = Array.from({ length: 32 }, (_, at) => vector(`sparse_5_sibling_${String(at).padStart(2, "0")}`));
  const proof = { record: vector("sparse_5_record"), siblings };
  const root = vector("sparse_root");
  same("a proof leads to its root", await rootOf(proof, 5), root);
  for (let at = 0; at < proof.record.length; at += 7) {
    const digit = proof.record[at] === "0" ? "1" : "0";
    const record = proof.record.slice(0, at) + digit + proof.record.slice(at + 1);
    const found = await rootOf({ record, siblings }, 5).catch(() => "refused");
    check(`digit ${at} of a record counts`, found !== root);
  }
  for (let at = 0; at < 32; at += 1) {
    const others = [...siblings];
    others[at] = others[at].replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
    check(`sibling ${at} counts`, await rootOf({ record: proof.record, siblings: others }, 5) !== root);
  }
  const elsewhere = await rootOf(proof, 6).catch(() => "refused");
  same("a record of another account is refused", elsewhere, "refused");
  const short = await rootOf({ record: proof.record, siblings: siblings.slice(1) }, 5).catch(() => "refused");
  same("a proof of 31 siblings is refused", short, "refused");
}

function decimals() {
  const step = parseDecimal("0.05");
  for (const [value, down, up] of [["1.07", "1.05", "1.1"], ["1.05", "1.05", "1.05"], ["0.049", "0", "0.05"]]) {
    same(`${value} down`, roundToStep(parseDecimal(value), step), down);
    same(`${value} up`, roundToStep(parseDecimal(value), step, true), up);
  }
  for (const [text, expected] of [["1.05", true], ["1.06", false], ["0", false], ["", false], ["-1", false], ["1e3", false], [".1", true]]) {
    same(`${text} on the grid`, isOnGrid(text, step), expected);
  }
  same("a product", multiply(parseDecimal("60000.01"), parseDecimal("0.123456"), 2), "7407.36");
}
