// Who is there besides the page: a wallet in the browser, and clients of the native protocol.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { developmentWallet } from "../sign.js";
import { toHex } from "../hex.js";

/** `keel client`: one command a line, one reply a line; events between them are passed over. */
export class Native {
  #process;
  #replies = [];
  #waiting = [];

  constructor(keel, node, key) {
    this.#process = spawn(keel, ["client", "--connect", node, "--key", key], { stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const reply = JSON.parse(line);
      if (reply.event === undefined) (this.#waiting.shift() ?? ((it) => this.#replies.push(it)))(reply);
    });
  }

  ask(command) {
    this.#process.stdin.write(`${JSON.stringify(command)}\n`);
    return new Promise((done) => (this.#replies.length ? done(this.#replies.shift()) : this.#waiting.push(done)));
  }

  place(side, price, quantity, fields = {}) {
    return this.ask({ op: "place", market: "BTC-USD", side, price, quantity, ...fields });
  }

  end() {
    const ended = new Promise((done) => this.#process.once("exit", done));
    this.#process.stdin.end();
    return ended;
  }
}

/** A wallet as a browser has it (EIP-1193, announced by EIP-6963); its key is here, and not in the page. */
export class Wallet {
  requests = [];

  constructor(account) {
    this.account = account;
  }

  async install(context) {
    await context.exposeFunction("askTestWallet", (method, params) => this.#answer(method, params));
    await context.addInitScript(() => {
      const provider = { request: ({ method, params }) => globalThis.askTestWallet(method, params ?? []) };
      const info = Object.freeze({ uuid: "9f6e7a52-keel-test", name: "Test wallet", rdns: "test.wallet", icon: "data:," });
      const announce = () => dispatchEvent(new CustomEvent("eip6963:announceProvider", { detail: Object.freeze({ info, provider }) }));
      addEventListener("eip6963:requestProvider", announce);
      announce();
    });
  }

  async #answer(method, params) {
    this.requests.push(method);
    switch (method) {
      case "eth_requestAccounts": return [this.account.address];
      case "eth_chainId": return "0xa4b1";
      case "eth_signTypedData_v4": {
        const { domain, types, primaryType, message } = JSON.parse(params[1]);
        return this.account.signTypedData({ domain, types, primaryType, message });
      }
      default: throw new Error(`the wallet does not know ${method}`);
    }
  }
}

/** Pays to an address, which opens its account: signed by a published wallet, with viem and not our code. */
export async function pay({ privateKeyToAccount }, url, to, token, amount) {
  const payer = privateKeyToAccount(toHex(developmentWallet("dev-9")));
  const time = Date.now();
  const message = { hyperliquidChain: "Testnet", destination: to, token, amount, time };
  const signature = await payer.signTypedData({
    domain: { name: "HyperliquidSignTransaction", version: "1", chainId: 421_614, verifyingContract: `0x${"00".repeat(20)}` },
    types: { "HyperliquidTransaction:SpotSend": [
      { name: "hyperliquidChain", type: "string" }, { name: "destination", type: "string" }, { name: "token", type: "string" },
      { name: "amount", type: "string" }, { name: "time", type: "uint64" },
    ] },
    primaryType: "HyperliquidTransaction:SpotSend",
    message: { ...message, time: BigInt(time) },
  });
  const action = { type: "spotSend", signatureChainId: "0x66eee", ...message };
  const parts = { r: signature.slice(0, 66), s: `0x${signature.slice(66, 130)}`, v: parseInt(signature.slice(130), 16) };
  const response = await fetch(`${url}/exchange`, { method: "POST", body: JSON.stringify({ action, nonce: time, signature: parts }) });
  const answer = await response.json();
  if (answer.status !== "ok") throw new Error(`no payment: ${JSON.stringify(answer)}`);
}
