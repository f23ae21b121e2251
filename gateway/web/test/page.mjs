// The page in a real browser against a real node: `cargo xtask page` starts both.
//
// usage: node page.mjs API-URL NATIVE-ADDRESS KEEL-BINARY ROOT INSTALLED BROWSER OUT

import { createRequire } from "node:module";
import { count, check, eventually, same } from "./checks.mjs";
import { explorer } from "./explorer.mjs";
import { Native, pay, Wallet } from "./people.mjs";
import { vectors } from "./vectors.mjs";

const [url, native, keel, root, installed, executablePath, out] = process.argv.slice(2);
const require = createRequire(`${installed}/package.json`);
const { chromium } = require("playwright-core");
const viem = { ...require("viem"), ...require("viem/accounts") };

const info = async (question) => (await fetch(`${url}/info`, { method: "POST", body: JSON.stringify(question) })).json();
const result = (page) => page.locator("#result").textContent();
const saysThat = (page, what, words) => eventually(what, async () => {
  const found = await result(page);
  return { holds: words.test(found), found };
});
const rows = (page, table) => page.locator(`#${table} tbody tr`);
const hasRows = (page, table, expected) => eventually(`${expected} rows of ${table}`, async () => {
  const found = await rows(page, table).count();
  return { holds: found === expected, found };
});
const levels = (page, side) => page.locator(`#book-levels .level.${side}:not(.empty)`);

/** Whatever goes wrong in a page ends the test: errors, and what its policy has refused. */
function watch(page, failures) {
  page.on("pageerror", (error) => failures.push(`error: ${error.stack}`));
  page.on("console", (message) => message.type() === "error" && failures.push(`console: ${message.text()}`));
  page.on("requestfailed", (request) => {
    const words = request.failure()?.errorText;
    // A page that is left does not wait for its answers.
    if (words !== "net::ERR_ABORTED") failures.push(`request: ${request.url()} ${words}`);
  });
}

/** A market with something in it. */
async function market() {
  const [maker, taker] = [new Native(keel, native, "dev-1"), new Native(keel, native, "dev-2")];
  for (let step = 1; step <= 14; step += 1) {
    const size = (0.05 * (1 + ((step * 7) % 5))).toFixed(3);
    await maker.place("ask", (60_000 + step * 2.5).toFixed(2), size);
    await maker.place("bid", (60_000 - step * 2.5).toFixed(2), size);
  }
  for (let trade = 0; trade < 24; trade += 1) {
    const side = trade % 3 === 0 ? "ask" : "bid";
    await taker.place(side, side === "bid" ? "60010.00" : "59990.00", "0.004", { tif: "ioc" });
  }
  await taker.end();
  return maker;
}

async function firstPaint(page) {
  await page.goto(url);
  await page.waitForSelector(".market .price:not(:text-is('–'))");
  const paint = await page.evaluate(() => performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? null);
  check("the browser tells of its first paint", paint !== null);
  await eventually("the book is there", async () => {
    const found = [await levels(page, "ask").count(), await levels(page, "bid").count()];
    return { holds: found.every((it) => it === 12), found };
  });
  await eventually("connected", async () => {
    const found = await page.locator("#connection").textContent();
    return { holds: found === "connected", found };
  });
  check("trades are there", await page.locator("#trades li").count() >= 20);
  check("the node's position is told", Number((await page.locator("#durable").textContent()).replaceAll(",", "")) > 0);
  check("it is a development network", await page.locator("#network").isVisible());
  return paint;
}

/** A wallet without an account is told so, and gets one with test money by one button. */
async function testMoney(page, wallet, user) {
  await page.click("#account");
  check("no test money for nobody", await page.locator("#faucet").isHidden());
  await page.click("button:has-text('Use Test wallet')");
  const says = (what, pattern) => eventually(what, async () => {
    const found = await page.locator("#login-result").textContent();
    return { holds: pattern.test(found), found };
  });
  await says("it has no account", /no account here: get test money first/);
  await page.click("#faucet-get");
  await says("it is paid", /^Paid: 1 BTC, 10 ETH, 100000 USD\.$/);
  const state = await info({ type: "spotClearinghouseState", user });
  same("and has it", state.balances.map((it) => [it.coin, it.total]), [["BTC", "1"], ["ETH", "10"], ["USD", "100000"]]);
  await page.click("#login button[value=close]");
  wallet.requests.length = 0;
}

async function logIn(page, wallet) {
  await page.click("#account");
  await page.click("button:has-text('Use Test wallet')");
  await page.waitForSelector("#login", { state: "hidden" });
  same("the wallet was asked once for each thing", wallet.requests, ["eth_requestAccounts", "eth_chainId", "eth_signTypedData_v4"]);
  const kept = JSON.parse(await page.evaluate(() => localStorage.getItem("keel.session")));
  same("the key is for the wallet's account", [kept.kind, kept.address], ["agent", wallet.account.address.toLowerCase()]);
  const role = await info({ type: "userRole", user: kept.agent });
  same("the node knows the agent", role, { role: "agent", data: { user: kept.address } });
  return kept;
}

async function trade(page, maker, user) {
  await page.selectOption("#kind", "limit");
  await page.fill("#price", "60001.25");
  await page.fill("#size", "0.02");
  await page.click("#place");
  await saysThat(page, "the order is open", /^Order \d+: 0\.02 BTC at 60,001\.25 is open\.$/);
  await eventually("the page's book has it", async () => {
    const found = await levels(page, "bid").first().getAttribute("data-price");
    return { holds: found === "60001.25", found };
  });
  const book = await info({ type: "l2Book", coin: "BTC/USD" });
  same("and the node's", book.levels[0][0], { px: "60001.25", sz: "0.02", n: 1 });
  await hasRows(page, "orders", 1);
  const before = await page.locator("#balances tbody").textContent();
  await page.screenshot({ path: `${out}/trading-page.png` });
  const reply = await maker.place("ask", "60001.25", "0.02", { tif: "ioc" });
  check(`the native client trades: ${JSON.stringify(reply)}`, JSON.stringify(reply).includes("0.02"));
  await hasRows(page, "orders", 0);
  await page.click("#tab-fills");
  await hasRows(page, "fills", 1);
  const cells = await rows(page, "fills").first().locator("td").allTextContents();
  same("the fill", [...cells.slice(1, 5), cells[6]], ["BTC/USD", "Buy", "60,001.25", "0.020000", "maker"]);
  await page.click("#tab-balances");
  await eventually("balances have changed", async () => {
    const found = await page.locator("#balances tbody").textContent();
    return { holds: found !== before, found };
  });
  const state = await info({ type: "spotClearinghouseState", user });
  const total = state.balances.find((it) => it.coin === "USD").total;
  const shown = await page.locator("#balances tr:has-text('USD') td").nth(1).textContent();
  same("the page shows what the node says", shown.replaceAll(",", ""), total);
}

async function otherKinds(page) {
  await page.click("#tab-orders");
  await page.fill("#price", "60001");
  await page.selectOption("#tif", "Alo");
  await page.click("#place");
  await saysThat(page, "post only rests", /at 60,001 is open/);
  await hasRows(page, "orders", 1);
  await page.click("#orders tbody button");
  await saysThat(page, "it is cancelled", /^1 order cancelled\.$/);
  await hasRows(page, "orders", 0);
  await page.fill("#price", "61000");
  await page.click("#place");
  await saysThat(page, "post only is refused", /^Post only order would have immediately matched/);
  await page.fill("#price", "60000.001");
  await page.click("#place");
  await saysThat(page, "a price off the grid never leaves the page", /whole number of 0\.01/);
  same("and its field is marked", await page.getAttribute("#price", "aria-invalid"), "true");
  await page.selectOption("#kind", "market");
  await page.click("label.sell");
  await page.fill("#size", "0.01");
  await page.click("#place");
  await saysThat(page, "a market order fills", /^Filled 0\.01 BTC at 59,99/);
  await page.selectOption("#kind", "stop-market");
  await page.fill("#trigger", "50000");
  await page.click("#place");
  await saysThat(page, "a stop waits", /waits for its trigger/);
  await eventually("it is told as a stop", async () => {
    const found = await page.locator("#orders tbody").textContent();
    return { holds: found.includes("Stop Market 50,000"), found };
  });
  await page.selectOption("#kind", "limit");
  await page.selectOption("#tif", "Fok");
  await page.fill("#price", "70000");
  await page.click("#place");
  await saysThat(page, "fill or kill is all or nothing", /^Fill or kill order could not fill completely/);
  await page.selectOption("#tif", "Ioc");
  await page.click("#place");
  await saysThat(page, "immediate or cancel has nobody to meet", /^Order could not immediately match/);
  await page.selectOption("#tif", "Gtc");
  for (const price of ["61000", "62000"]) {
    await page.fill("#price", price);
    await page.click("#place");
    await saysThat(page, `an ask at ${price}`, new RegExp(`at ${price.slice(0, 2)},000 is open`));
  }
  await hasRows(page, "orders", 3);
  await page.click("#cancel-all");
  await saysThat(page, "all are cancelled", /^3 orders cancelled\.$/);
  await hasRows(page, "orders", 0);
}

/** Nothing but keys: from the skip link through the form, then by shortcuts. */
async function keyboard(page) {
  await page.evaluate(() => document.activeElement?.blur());
  const press = (...keys) => keys.reduce((before, key) => before.then(() => page.keyboard.press(key)), Promise.resolve());
  const focused = () => page.evaluate(() => document.activeElement.id || document.activeElement.value);
  await page.locator("body").focus();
  await press("Tab");
  check("the first stop is the skip link", await page.evaluate(() => document.activeElement.classList.contains("skip")));
  const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
  same("the focus is seen", outline, "solid");
  await press("Enter", "Tab");
  check("then the side", ["bid", "ask"].includes(await focused()));
  await press("ArrowRight");
  same("arrows change it", await focused(), "ask");
  await press("ArrowLeft");
  same("and back", await focused(), "bid");
  const stops = [];
  for (let stop = 0; stop < 4; stop += 1) {
    await press("Tab");
    stops.push(await focused());
    if (stops.at(-1) === "price") await page.keyboard.type("59000");
    if (stops.at(-1) === "size") await page.keyboard.type("0.03");
  }
  same("then kind, time in force, price and size", stops, ["kind", "tif", "price", "size"]);
  await press("Control+A");
  await page.keyboard.type("0.03");
  await press("ArrowUp", "Enter");
  await saysThat(page, "an order by keys alone", /^Order \d+: 0\.030001 BTC at 59,000 is open/);
  await hasRows(page, "orders", 1);
  await page.locator("#orders").focus();
  await press("x");
  await saysThat(page, "and cancelled by X", /^1 order cancelled/);
  await press("s");
  same("S goes to the size", await focused(), "size");
  check("and sells", await page.locator("input[value=ask]").isChecked());
  const said = await result(page);
  await page.locator("#book-levels").focus();
  await press("ArrowDown", "Enter");
  same("a level takes to the size, and places nothing", [await focused(), await result(page)], ["size", said]);
  check("a level's price is taken", Number(await page.inputValue("#price")) > 59_000);
  await page.locator("#orders").focus();
  await press("?");
  check("the list of keys", await page.locator("#help").isVisible());
  await press("Escape");
}

async function looks(page) {
  const controls = await page.locator("body").ariaSnapshot();
  const nameless = controls.split("\n").filter((line) => /^\s*- (button|textbox|combobox|radio|tab|link|img)( \[.*\])?:?$/.test(line));
  same("every control has a name", nameless, []);
  for (const [name, colorScheme, viewport] of [
    ["light", "light", { width: 1440, height: 900 }], ["phone-dark", "dark", { width: 390, height: 844 }],
    ["phone-light", "light", { width: 390, height: 844 }], ["tablet", "dark", { width: 900, height: 1100 }],
  ]) {
    await page.emulateMedia({ colorScheme });
    await page.setViewportSize(viewport);
    await eventually(`${name}: nothing is wider than the screen`, async () => {
      const found = await page.evaluate(() => document.documentElement.scrollWidth);
      return { holds: found <= viewport.width, found };
    });
    const ground = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    same(`${name}: the ground`, ground, colorScheme === "dark" ? "rgb(11, 18, 23)" : "rgb(238, 242, 244)");
    await page.screenshot({ path: `${out}/${name}.png`, fullPage: true });
  }
}

/** Without a wallet: a published key, and a logout that forgets. */
async function developmentKey(browser, failures) {
  const context = await browser.newContext();
  const page = await context.newPage();
  watch(page, failures);
  await page.goto(`${url}/?market=ETH%2FUSD`);
  await page.click("#account");
  check("no wallet, and it says so", (await page.locator("#wallets").textContent()).includes("No wallet was found"));
  await page.selectOption("#development-name", "dev-7");
  await page.click("#development-use");
  await page.waitForSelector("#login", { state: "hidden" });
  same("it is dev-7", await page.locator("#account").textContent(), "dev-7");
  await page.fill("#price", "3000");
  await page.fill("#size", "1.5");
  await page.click("#place");
  await saysThat(page, "in the other market", /1\.5 ETH at 3,000 is open/);
  await page.reload();
  await hasRows(page, "orders", 1);
  await page.click("#account");
  await page.click("#logout");
  same("nothing is left of it", await page.evaluate(() => localStorage.getItem("keel.session")), null);
  await hasRows(page, "orders", 0);
  await context.close();
}

/** A connection that is lost comes back by itself, and what happened meanwhile is there. */
async function reconnect(browser, maker, failures) {
  const context = await browser.newContext();
  const sockets = [];
  await context.routeWebSocket("**/ws", (socket) => {
    socket.connectToServer();
    sockets.push(socket);
  });
  const page = await context.newPage();
  watch(page, failures);
  await page.goto(url);
  await eventually("the book is there", async () => {
    const found = await levels(page, "bid").count();
    return { holds: found === 12, found };
  });
  await sockets[0].close({ code: 1013, reason: "behind" });
  await maker.place("bid", "60001.75", "0.01");
  await eventually("it is back, and knows", async () => {
    const found = [sockets.length, await levels(page, "bid").first().getAttribute("data-price")];
    return { holds: found[0] === 2 && found[1] === "60001.75", found };
  });
  await context.close();
}

const failures = [];
await vectors(root, viem);
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });
try {
  const maker = await market();
  const account = viem.privateKeyToAccount(viem.generatePrivateKey());
  const [wallet, user] = [new Wallet(account), account.address.toLowerCase()];
  const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: "dark" });
  await wallet.install(context);
  const page = await context.newPage();
  watch(page, failures);
  const paint = await firstPaint(page);
  await testMoney(page, wallet, user);
  await pay(viem, url, user, "BTC", "1");
  const kept = await logIn(page, wallet);
  await trade(page, maker, user);
  await otherKinds(page);
  await page.reload();
  await eventually("logged in after a reload", async () => {
    const found = await page.locator("#account").textContent();
    return { holds: found.toLowerCase().startsWith(user.slice(0, 6)), found };
  });
  same("with the same key", JSON.parse(await page.evaluate(() => localStorage.getItem("keel.session"))), kept);
  same("and without the wallet", wallet.requests.length, 3);
  await keyboard(page);
  await looks(page);
  await developmentKey(browser, failures);
  await reconnect(browser, maker, failures);
  await explorer(await context.newPage(), { url, user, out, watch: (it) => watch(it, failures) });
  await maker.end();
  same("nothing went wrong in a page", failures, []);
  console.log(`page: ${count} checks passed; first paint after ${paint.toFixed(0)} ms`);
} finally {
  await browser.close();
}
