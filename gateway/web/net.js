// The node: questions and actions over HTTP, what happens over one socket that comes back by itself,
// and one drawing of whatever has changed per frame of the screen.

async function post(path, body) {
  const response = await fetch(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(await response.text());
  return response.json();
}

export const info = (question) => post("/info", question);
export const exchange = (request) => post("/exchange", request);
export const faucet = (address) => post("/faucet", { address });

export async function get(path) {
  const response = await fetch(path);
  if (!response.ok) throw Object.assign(new Error(await response.text()), { status: response.status });
  return response.json();
}

const waiting = new Map();

/** Draws before the next frame of the screen; what is asked for twice is drawn once. */
export function draw(view, work) {
  if (waiting.size === 0) requestAnimationFrame(drawAll);
  waiting.set(view, work);
}

function drawAll() {
  const works = [...waiting.values()];
  waiting.clear();
  for (const work of works) work();
}

/** After how long a socket tries again, doubling up to the second. */
const RETRY = [250, 5_000];
/** The node drops a socket that says nothing for 120 s. */
const PING = 15_000;

export class Socket {
  #subscriptions = new Map();
  #socket = null;
  #retry = RETRY[0];
  #pinged = 0;
  #questions = new Map();
  #asked = 0;

  /** `onState("open" | "closed")`, `onDelay(milliseconds there and back)`. */
  constructor({ onState, onDelay }) {
    this.onState = onState;
    this.onDelay = onDelay;
    this.#connect();
    setInterval(() => this.#ping(), PING);
  }

  /** Subscribes, now and after every reconnect; `begin` first, each time. Returns how to end it. */
  subscribe(subscription, { data, begin }) {
    const key = JSON.stringify(subscription);
    const entry = { subscription, data, begin };
    this.#subscriptions.set(key, entry);
    if (this.#isOpen()) this.#begin(entry);
    return () => {
      if (this.#subscriptions.get(key) !== entry) return;
      this.#subscriptions.delete(key);
      if (this.#isOpen()) this.#send({ method: "unsubscribe", subscription });
    };
  }

  /** Asks a question over the socket: its answer is never older than what was told before it. */
  ask(question) {
    if (!this.#isOpen()) return Promise.reject(new Error("The node is not there."));
    const id = (this.#asked += 1);
    this.#send({ method: "post", id, request: { type: "info", payload: question } });
    return new Promise((done, failed) => this.#questions.set(id, { done, failed }));
  }

  #answer({ id, response: { type, payload } }) {
    const question = this.#questions.get(id);
    this.#questions.delete(id);
    if (type === "info") question?.done(payload.data);
    else question?.failed(new Error(payload));
  }

  #isOpen() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #begin(entry) {
    // Subscribed first: what happens meanwhile is told, and the beginning does not miss it.
    this.#send({ method: "subscribe", subscription: entry.subscription });
    // What is lost with the connection is asked for again after it.
    entry.begin?.().catch(() => {});
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.#socket = socket;
    socket.onopen = () => {
      this.#retry = RETRY[0];
      this.onState("open");
      for (const entry of this.#subscriptions.values()) this.#begin(entry);
      this.#ping();
    };
    socket.onmessage = (event) => this.#hear(JSON.parse(event.data));
    socket.onclose = () => {
      this.onState("closed");
      for (const { failed } of this.#questions.values()) failed(new Error("The connection was lost."));
      this.#questions.clear();
      setTimeout(() => this.#connect(), this.#retry);
      this.#retry = Math.min(this.#retry * 2, RETRY[1]);
    };
  }

  #ping() {
    if (!this.#isOpen()) return;
    this.#pinged = performance.now();
    this.#send({ method: "ping" });
  }

  #hear({ channel, data }) {
    if (channel === "post") return this.#answer(data);
    if (channel === "pong") this.onDelay(performance.now() - this.#pinged);
    for (const { subscription, data: take } of this.#subscriptions.values()) {
      if (isOf(subscription, channel, data)) take(data);
    }
    return undefined;
  }
}

/** Names of channels that differ from their subscription's. */
const CHANNELS = { activeAssetCtx: "activeSpotAssetCtx" };

/** Whether a message is of a subscription. */
function isOf({ type, coin, interval, user }, channel, data) {
  if ((CHANNELS[type] ?? type) !== channel) return false;
  const first = Array.isArray(data) ? data[0] : data;
  if (type === "candle") return first.s === coin && first.i === interval;
  if (coin !== undefined) return first?.coin === coin;
  return user === undefined || first?.user === undefined || first.user === user;
}
