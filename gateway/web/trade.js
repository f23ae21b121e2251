// The trading page: puts its parts together, and knows which market is shown.

import { AccountView } from "./account.js";
import { BookView } from "./book.js";
import { ChartView } from "./chart.js";
import { EntryView } from "./entry.js";
import { LoginView, Session } from "./login.js";
import { draw, get, Socket } from "./net.js";
import { byId, clock, make, parseDecimal, pretty, setText } from "./text.js";

const INTERVALS = ["1m", "5m", "15m", "1h", "4h", "1d"];
/** Trades that are shown. */
const TRADES = 40;
/** How often the node is asked how it is. */
const STATUS_EVERY = 1_000;

class TradePage {
  #market = null;
  #interval = INTERVALS[0];
  #trades = [];
  #endBook = () => {};

  constructor(status) {
    this.markets = new Map(status.markets.map((market) => [market.coin, {
      ...market,
      tickStep: parseDecimal(market.tick),
      lotStep: parseDecimal(market.lot),
      tickDecimals: parseDecimal(market.tick).decimals,
      lotDecimals: parseDecimal(market.lot).decimals,
      trades: [],
      last: null,
      context: null,
    }]));
    this.socket = new Socket({
      onState: (state) => this.#connection(state),
      onDelay: (delay) => setText(byId("delay"), delay.toFixed(1)),
    });
    this.book = new BookView((price) => {
      this.entry.setPrice(price);
      this.entry.focus("size");
    });
    this.chart = new ChartView(this.socket);
    this.session = new Session(status, (current) => this.#use(current));
    this.entry = new EntryView(this.session, this.book);
    this.account = new AccountView({
      socket: this.socket,
      session: this.session,
      markets: this.markets,
      onBalances: (balances) => this.entry.takeBalances(balances),
      tell: (words, kind) => this.entry.tell(words, kind),
    });
    this.login = new LoginView(this.session);
    byId("network").hidden = !status.isDevelopment;
    this.#choices();
    this.#followMarkets();
    this.#status(status);
    this.#keys();
    const named = new URLSearchParams(location.search).get("market");
    this.show(this.markets.get(named) ?? this.markets.values().next().value);
    this.session.resume().catch((error) => this.entry.tell(error.message, "bad"));
  }

  #use(current) {
    this.account.follow(current?.address ?? null);
    this.login?.show(current);
  }

  #connection(state) {
    const dot = byId("connection");
    dot.dataset.state = state;
    setText(dot, state === "open" ? "connected" : "not connected");
  }

  #choices() {
    const market = ({ coin }) => make("button", {
      type: "button", class: "market", role: "radio", "data-coin": coin, onclick: () => this.show(this.markets.get(coin)),
    }, make("span", { class: "name" }, coin), make("span", { class: "price" }, "–"),
    make("span", { class: "day" }, ""), make("span", { class: "change" }, ""));
    byId("markets").append(...[...this.markets.values()].map(market));
    const interval = (name) => make("button", { type: "button", role: "radio", onclick: () => this.#showInterval(name) }, name);
    byId("intervals").append(...INTERVALS.map(interval));
    for (const id of ["markets", "intervals"]) byId(id).addEventListener("keydown", arrows);
  }

  #followMarkets() {
    for (const market of this.markets.values()) {
      const { coin } = market;
      this.socket.subscribe({ type: "activeAssetCtx", coin }, {
        data: ({ ctx }) => {
          market.context = ctx;
          draw(market, () => this.#paintMarket(market));
        },
      });
      this.socket.subscribe({ type: "trades", coin }, {
        begin: async () => this.#takeTrades(market, await this.socket.ask({ type: "recentTrades", coin })),
        data: (trades) => this.#takeTrades(market, trades.toReversed()),
      });
    }
  }

  /** Trades, latest first; some of them may be known. */
  #takeTrades(market, trades) {
    const news = new Set(trades.map(({ tid }) => tid));
    const known = market.trades.filter(({ tid }) => !news.has(tid));
    market.trades = [...trades, ...known].sort((a, b) => b.tid - a.tid).slice(0, TRADES);
    market.last = market.trades[0] ?? null;
    draw(market, () => this.#paintMarket(market));
    if (market === this.#market) draw("trades", () => this.#paintTrades());
  }

  #paintMarket(market) {
    const [, price, day, change] = byId("markets").querySelector(`[data-coin="${market.coin}"]`).children;
    const last = market.last?.px ?? null;
    const before = Number(market.context?.prevDayPx ?? 0);
    const percent = last && before ? (Number(last) / before - 1) * 100 : 0;
    const sign = percent > 0 ? "+" : "";
    setText(price, last ? pretty(last, market.tickDecimals) : "–");
    setText(change, last ? `${sign}${percent.toFixed(2)} %` : "");
    change.className = `change ${percent > 0 ? "up" : percent < 0 ? "down" : ""}`;
    setText(day, market.context ? `24 h ${pretty(Number(market.context.dayNtlVlm).toFixed(0))} ${market.quote}` : "");
    if (market !== this.#market) return;
    setText(byId("last"), price.textContent);
    byId("last").className = `last ${market.last ? (market.last.side === "B" ? "up" : "down") : ""}`;
    document.title = last ? `${price.textContent} ${market.coin} – Keel` : `${market.coin} – Keel`;
  }

  #paintTrades() {
    const { trades, tickDecimals, lotDecimals } = this.#market;
    const row = (trade) => make("li", {},
      make("span", { class: trade.side === "B" ? "up" : "down" }, pretty(trade.px, tickDecimals)),
      make("span", {}, pretty(trade.sz, lotDecimals)), make("span", {}, clock(trade.time)));
    byId("trades").replaceChildren(...trades.map(row));
  }

  show(market) {
    if (market === this.#market) return;
    this.#market = market;
    history.replaceState(null, "", `?${new URLSearchParams({ market: market.coin })}`);
    check("markets", (button) => button.dataset.coin === market.coin);
    setText(byId("chart-title"), market.coin);
    this.book.show(market);
    this.entry.show(market);
    this.#endBook();
    this.#endBook = this.socket.subscribe({ type: "l2Book", coin: market.coin }, { data: (book) => this.book.take(book) });
    this.#showInterval(this.#interval);
    this.#paintMarket(market);
    this.#paintTrades();
  }

  #showInterval(interval) {
    this.#interval = interval;
    check("intervals", (button) => button.textContent === interval);
    this.chart.show(this.#market, interval);
  }

  #status(status) {
    setText(byId("durable"), pretty(status.durableSequence));
    setTimeout(async () => {
      if (document.hidden) return this.#status(status);
      // What does not answer shows as not connected.
      const [next, checkpoint] = await Promise.all([get("/status"), get("/checkpoint")].map((it) => it.catch(() => null)));
      if (checkpoint) setText(byId("checkpoint"), pretty(checkpoint.sequence));
      return this.#status(next ?? status);
    }, STATUS_EVERY);
  }

  #keys() {
    const shortcuts = byId("shortcuts");
    shortcuts.checked = localStorage.getItem("keel.shortcuts") !== "off";
    shortcuts.addEventListener("change", () => localStorage.setItem("keel.shortcuts", shortcuts.checked ? "on" : "off"));
    const help = () => byId("help").showModal();
    byId("help-open").addEventListener("click", help);
    const side = (side) => () => {
      this.entry.side = side;
      this.entry.focus("size");
    };
    const kind = (kind, field) => () => {
      this.entry.kind = kind;
      this.entry.focus(field);
    };
    const open = (panel) => () => {
      this.account.open(panel);
      byId(panel).focus();
    };
    const actions = {
      b: side("bid"), s: side("ask"),
      l: kind("limit", "price"), m: kind("market", "size"), t: kind("stop-market", "trigger"),
      p: () => this.entry.focus("price"), q: () => this.entry.focus("size"),
      o: open("orders"), f: open("fills"), a: open("balances"),
      x: () => this.account.cancelAll(), "?": help,
    };
    document.addEventListener("keydown", (event) => {
      const isField = event.target.closest("input:not([type=radio]), select, textarea, dialog");
      if (isField || event.ctrlKey || event.metaKey || event.altKey || !shortcuts.checked) return;
      const numbered = [...this.markets.values()][Number(event.key) - 1];
      const action = actions[event.key.toLowerCase()] ?? (numbered && (() => this.show(numbered)));
      if (!action) return;
      event.preventDefault();
      action();
    });
  }
}

/** Marks one of a group's radio buttons; only that one is reached by Tab. */
function check(group, isChecked) {
  for (const button of byId(group).children) {
    button.setAttribute("aria-checked", String(isChecked(button)));
    button.tabIndex = isChecked(button) ? 0 : -1;
  }
}

/** Arrow keys within such a group. */
function arrows(event) {
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (!step) return;
  event.preventDefault();
  const buttons = [...event.currentTarget.children];
  const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
  next.click();
  next.focus();
}

/** Waits for a node that is about to start. */
async function begin() {
  try {
    return await get("/status");
  } catch {
    await new Promise((done) => setTimeout(done, STATUS_EVERY));
    return begin();
  }
}

const status = await begin();
new TradePage(status);
