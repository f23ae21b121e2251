// Who trades: a wallet that has let a key of this page trade, or a published development wallet.
// The session lives in this browser's local storage, and nowhere else, until somebody logs out.

import { fromHex, toHex } from "./hex.js";
import { exchange, faucet, info } from "./net.js";
import { byId, make, setText, shortAddress } from "./text.js";

const PLACE = "keel.session";
/** How long a key of this page may trade. */
const DAYS = 30;
/** Published accounts of a development network. */
const DEVELOPMENT_ACCOUNTS = 64;

/** Signing is loaded when it is needed: the page is there before. */
const signing = () => import("./sign.js");

export class Session {
  #nonce = 0;

  constructor(status, onChange) {
    this.status = status;
    this.onChange = onChange;
    this.current = null;
    /** The address of a wallet that has come without an account. */
    this.missing = null;
  }

  /** The address that is traded for. */
  get address() {
    return this.current?.address ?? null;
  }

  /** Takes up what was there before a reload, if it is of this network and still approved. */
  async resume() {
    const kept = read();
    if (!kept || kept.genesis !== this.status.genesis) return;
    if (kept.kind === "agent") {
      const role = await info({ type: "userRole", user: kept.agent });
      if (role.role !== "agent" || role.data.user !== kept.address) {
        forget();
        return;
      }
    }
    this.#use(kept);
  }

  /** A wallet approves a key that is made here. */
  async withWallet(provider) {
    const { addressOf, approveAgent, newSecret, splitSignature } = await signing();
    const [account] = await provider.request({ method: "eth_requestAccounts" });
    const address = account.toLowerCase();
    const role = await info({ type: "userRole", user: address });
    if (role.role === "missing") {
      this.missing = address;
      const how = this.status.faucet ? "get test money first." : "deposit first.";
      throw new Error(`${shortAddress(address)} has no account here: ${how}`);
    }
    const chainId = Number(await provider.request({ method: "eth_chainId" }));
    const secret = newSecret();
    const [agent, nonce] = [addressOf(secret), this.#nextNonce()];
    const name = `page-${agent.slice(2, 8)} valid_until ${nonce + DAYS * 86_400_000}`;
    const { action, typedData } = approveAgent(agent, name, nonce, chainId);
    const request = { method: "eth_signTypedData_v4", params: [account, JSON.stringify(typedData)] };
    const signature = splitSignature(await provider.request(request));
    const answer = await exchange({ action, nonce, signature });
    if (answer.status !== "ok") throw new Error(answer.response);
    this.#keep({ kind: "agent", address, agent, secret: toHex(secret) });
  }

  /** A published wallet trades itself. Its key is derived anew each time and not kept. */
  async withDevelopment(name) {
    const { addressOf, developmentWallet } = await signing();
    this.#keep({ kind: "development", name, address: addressOf(developmentWallet(name)) });
  }

  logOut() {
    forget();
    this.#use(null);
  }

  /** Signs an action with the session's key and sends it. */
  async act(action) {
    if (!this.current) throw new Error("Log in first.");
    const { developmentWallet, signAction } = await signing();
    const { kind, name, secret } = this.current;
    const key = kind === "agent" ? fromHex(secret) : developmentWallet(name);
    const nonce = this.#nextNonce();
    const answer = await exchange({ action, nonce, signature: signAction(key, action, nonce) });
    if (answer.status !== "ok") throw new Error(answer.response);
    return answer.response;
  }

  /** The time in milliseconds, but never one twice. */
  #nextNonce() {
    this.#nonce = Math.max(Date.now(), this.#nonce + 1);
    return this.#nonce;
  }

  #keep(session) {
    const kept = { ...session, genesis: this.status.genesis };
    localStorage.setItem(PLACE, JSON.stringify(kept));
    this.#use(kept);
  }

  #use(session) {
    this.current = session;
    this.onChange(session);
  }
}

function read() {
  try {
    return JSON.parse(localStorage.getItem(PLACE));
  } catch {
    return null;
  }
}

const forget = () => localStorage.removeItem(PLACE);

/** The dialog in which somebody logs in and out. */
export class LoginView {
  #dialog = byId("login");
  #wallets = new Map();

  constructor(session) {
    this.session = session;
    byId("account").addEventListener("click", () => this.open());
    byId("logout").addEventListener("click", () => {
      session.logOut();
      this.#say("Logged out. The key is forgotten here; its approval ends by itself.", "good");
    });
    const { isDevelopment } = session.status;
    byId("development").hidden = !isDevelopment;
    const names = Array.from({ length: DEVELOPMENT_ACCOUNTS }, (_, number) => `dev-${number}`);
    byId("development-name").append(...names.map((name) => make("option", {}, name)));
    byId("development-use").addEventListener("click", () => {
      this.#try(() => session.withDevelopment(byId("development-name").value));
    });
    byId("faucet-get").addEventListener("click", () => this.#pour());
    // EIP-6963: each wallet tells of itself, so that several can be chosen from.
    addEventListener("eip6963:announceProvider", (event) => {
      const { info: about, provider } = event.detail;
      this.#wallets.set(about.uuid, { name: about.name, provider });
      this.#list();
    });
    dispatchEvent(new Event("eip6963:requestProvider"));
    this.#list();
    this.show(session.current);
  }

  open() {
    this.#say("");
    this.#offer();
    dispatchEvent(new Event("eip6963:requestProvider"));
    this.#list();
    this.#dialog.showModal();
  }

  /** Shows who is logged in. */
  show(current) {
    byId("logged-in").hidden = !current;
    byId("logged-out").hidden = Boolean(current);
    this.#offer();
    setText(byId("account"), current ? current.name ?? shortAddress(current.address) : "Log in");
    if (!current) return;
    setText(byId("login-address"), current.address);
    setText(byId("login-how"), current.kind === "agent"
      ? `With the key ${shortAddress(current.agent)}, which is kept in this browser's local storage.`
      : `With the published wallet of ${current.name}.`);
  }

  #list() {
    const found = [...this.#wallets.values()];
    if (found.length === 0 && globalThis.ethereum) found.push({ name: "the browser's wallet", provider: globalThis.ethereum });
    const buttons = found.map(({ name, provider }) => make("button", {
      type: "button", onclick: () => this.#try(() => this.session.withWallet(provider)),
    }, `Use ${name}`));
    byId("wallets").replaceChildren(...buttons.length ? buttons : [make("p", {}, "No wallet was found in this browser.")]);
  }

  async #try(work) {
    this.#say("Waiting for the signature …");
    try {
      await work();
      this.#say("");
      this.#dialog.close();
    } catch (error) {
      this.#say(error.message ?? String(error), "bad");
      this.#offer();
    }
  }

  /** Test money, where the network has a faucet and somebody is there to be paid. */
  #offer() {
    const { status, address, missing } = this.session;
    const payee = address ?? missing;
    byId("faucet").hidden = !status.faucet || !payee;
    if (byId("faucet").hidden) return;
    setText(byId("faucet-address"), shortAddress(payee));
    setText(byId("faucet-amounts"), amounts(status.faucet.amounts));
    byId("faucet-get").dataset.payee = payee;
  }

  async #pour() {
    this.#say("Waiting for the payment …");
    try {
      const { paid } = await faucet(byId("faucet-get").dataset.payee);
      this.session.missing = null;
      this.#say(`Paid: ${amounts(paid)}.`, "good");
    } catch (error) {
      this.#say(error.message, "bad");
    }
  }

  #say(words, kind = "") {
    byId("login-result").dataset.kind = kind;
    setText(byId("login-result"), words);
  }
}

const amounts = (list) => list.map(({ token, amount }) => `${amount} ${token}`).join(", ");
