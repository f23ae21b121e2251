#!/usr/bin/env node
// The compiler for forge, which expects a native one: `--version`, or `--standard-json` on standard
// input. NODE_PATH says where the packages are.
const solc = require("solc");

if (process.argv.includes("--version")) {
  console.log(`solc, the solidity compiler commandline interface\nVersion: ${solc.version()}`);
} else {
  process.stdout.write(solc.compile(require("fs").readFileSync(0, "utf8")));
}
