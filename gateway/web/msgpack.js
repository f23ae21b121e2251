// MessagePack, as far as actions need it: maps in the order of their keys, lists, texts, booleans,
// nothing, and whole numbers from zero; each value in its shortest form. That is what is signed.

export function encode(value) {
  const bytes = [];
  write(value, bytes);
  return Uint8Array.from(bytes);
}

function write(value, bytes) {
  if (value === null) bytes.push(0xc0);
  else if (typeof value === "boolean") bytes.push(value ? 0xc3 : 0xc2);
  else if (typeof value === "number") writeNumber(value, bytes);
  else if (typeof value === "string") writeText(value, bytes);
  else if (Array.isArray(value)) {
    writeLength(value.length, 0x90, 16, [null, 0xdc, 0xdd], bytes);
    for (const item of value) write(item, bytes);
  } else if (typeof value === "object") {
    const entries = Object.entries(value);
    writeLength(entries.length, 0x80, 16, [null, 0xde, 0xdf], bytes);
    for (const [key, item] of entries) {
      writeText(key, bytes);
      write(item, bytes);
    }
  } else throw new TypeError(`no MessagePack of a ${typeof value}`);
}

function writeNumber(number, bytes) {
  if (!Number.isSafeInteger(number) || number < 0) throw new RangeError(`no whole number: ${number}`);
  if (number < 0x80) bytes.push(number);
  else if (number <= 0xff) bytes.push(0xcc, number);
  else if (number <= 0xffff) bytes.push(0xcd, ...bigEndian(number, 2));
  else if (number <= 0xffffffff) bytes.push(0xce, ...bigEndian(number, 4));
  else bytes.push(0xcf, ...bigEndian(number, 8));
}

function writeText(text, bytes) {
  const utf8 = new TextEncoder().encode(text);
  writeLength(utf8.length, 0xa0, 32, [0xd9, 0xda, 0xdb], bytes);
  bytes.push(...utf8);
}

/** A length within the first byte if it fits there, else behind a mark of 1, 2 or 4 bytes. */
function writeLength(length, fixed, limit, [one, two, four], bytes) {
  if (length < limit) bytes.push(fixed | length);
  else if (one !== null && length <= 0xff) bytes.push(one, length);
  else if (length <= 0xffff) bytes.push(two, ...bigEndian(length, 2));
  else bytes.push(four, ...bigEndian(length, 4));
}

/** A number as so many bytes, most significant first. */
export function bigEndian(number, count) {
  const bytes = [];
  for (let rest = BigInt(number); bytes.length < count; rest >>= 8n) bytes.unshift(Number(rest & 0xffn));
  return bytes;
}
