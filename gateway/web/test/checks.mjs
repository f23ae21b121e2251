// What a test has found to hold: counted, and the first thing that does not ends it.

import assert from "node:assert/strict";

export let count = 0;

export function check(what, holds) {
  assert.ok(holds, what);
  count += 1;
}

export function same(what, found, expected) {
  assert.deepEqual(found, expected, what);
  count += 1;
}

/** Waits until a question has a good answer: its last answer is in the failure. */
export async function eventually(what, ask) {
  const end = Date.now() + 20_000;
  for (;;) {
    const { holds, found } = await ask();
    if (holds) {
      count += 1;
      return;
    }
    assert.ok(Date.now() < end, `${what}: ${JSON.stringify(found)}`);
    await new Promise((done) => setTimeout(done, 50));
  }
}
