// Bytes as hexadecimal text, and back.

export const toHex = (bytes) => `0x${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;

/** Refuses what is not pairs of digits: a part that is passed over would be a part that nobody has checked. */
export function fromHex(text) {
  const digits = text.replace(/^0x/, "");
  if (!/^([0-9a-f]{2})*$/i.test(digits)) throw new Error("these are no hexadecimal bytes");
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}
