// The explorer: a proof that is checked in the browser, and what it does with one that was tampered with.

import { check, eventually, same } from "./checks.mjs";

export async function explorer(page, { url, user, out, watch }) {
  watch(page);
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.emulateMedia({ colorScheme: "light" });
  const verdict = (what, kind, words) => eventually(what, async () => {
    const found = [await page.getAttribute("#verdict", "data-kind"), await page.locator("#verdict").textContent()];
    return { holds: found[0] === kind && words.test(found[1]), found };
  });
  await page.goto(`${url}/explorer?account=${user}`);
  await verdict("the account is proven", "good", /^Proven: this browser has computed this root/);
  check("its owner is the wallet", (await page.locator("#proof-facts").textContent()).includes(user));
  const info = { method: "POST", body: JSON.stringify({ type: "spotClearinghouseState", user }) };
  const { balances } = await (await fetch(`${url}/info`, info)).json();
  const usd = balances.find((it) => it.coin === "USD");
  await eventually("what is proven is what the account has", async () => {
    await page.reload();
    await verdict("proven again", "good", /^Proven/);
    const row = page.locator("#proof-assets tr:has-text('USD') td");
    const found = (await row.nth(1).textContent()).replaceAll(",", "");
    return { holds: found === usd.total, found };
  });
  await page.screenshot({ path: `${out}/explorer.png`, fullPage: true });

  const root = await page.inputValue("#root");
  await page.fill("#root", root.replace(/^./, (digit) => (digit === "0" ? "1" : "0")));
  await page.click("#root-form button");
  await verdict("another root is refused", "bad", /^Refused: the proof leads to another root/);
  same("and nothing of it is shown", await page.locator("#proof-assets tbody tr").count(), 0);

  const tampered = [
    ["a digit of the record", (proof) => ({ ...proof, record: proof.record.slice(0, -1) + (proof.record.endsWith("0") ? "1" : "0") })],
    ["a sibling", (proof) => ({ ...proof, siblings: proof.siblings.map((it, at) => (at === 3 ? "ab".repeat(32) : it)) })],
    ["a missing sibling", (proof) => ({ ...proof, siblings: proof.siblings.slice(1) })],
    ["a claim of absence", (proof) => ({ ...proof, record: null })],
  ];
  for (const [what, change] of tampered) {
    await page.route("**/proof/*", async (route) => {
      const response = await route.fetch();
      await route.fulfill({ response, json: change(await response.json()) });
    });
    await page.goto(`${url}/explorer?account=${user}`);
    await verdict(`tampered with: ${what}`, "bad", /^Refused/);
    await page.unroute("**/proof/*");
  }
  await page.route("**/proof/3", async (route) => route.fulfill({ response: await route.fetch({ url: `${url}/proof/4` }) }));
  await page.goto(`${url}/explorer?account=3`);
  await verdict("a true proof of another account", "bad", /the record is of account 4/);
  await page.unroute("**/proof/3");

  for (const [account, words] of [["3", /^Proven/], ["fees", /^Proven/], ["99999", /there is no such account/]]) {
    await page.goto(`${url}/explorer?account=${account}`);
    await verdict(`account ${account}`, "good", words);
  }
  await page.locator("#blocks tbody a").first().click();
  await eventually("a block is shown", async () => {
    const found = await page.locator("#block-facts").textContent();
    return { holds: /[0-9a-f]{64}/.test(found), found };
  });
  check("with its commands", await page.locator("#block-commands tbody tr").count() > 0);
  const missing = await fetch(`${url}/blocks/999999999`);
  same("a block that is not kept", missing.status, 404);
  for (const path of ["/proof/nobody", "/accounts/0x12"]) same(path, (await fetch(url + path)).status, 400);
}
