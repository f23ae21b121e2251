// Compiles the contracts and writes what Rust needs of each, ABI and bytecode, to the folder that
// is named: `node compile.js OUT`. The same sources give the same bytes, so `cargo xtask evm check`
// can compare. NODE_PATH says where the packages are.
const fs = require("fs");
const path = require("path");
const solc = require("solc");

const ROOTS = ["src", "test/contracts"];
const out = process.argv[2];

const sources = {};
for (const root of ROOTS) {
  for (const file of fs.readdirSync(path.join(__dirname, root)).sort()) {
    sources[`${root}/${file}`] = { content: fs.readFileSync(path.join(__dirname, root, file), "utf8") };
  }
}
const input = {
  language: "Solidity",
  sources,
  settings: {
    viaIR: true,
    evmVersion: "osaka",
    optimizer: { enabled: true, runs: 10000 },
    // Nothing of where or how it was compiled goes into the bytecode.
    metadata: { appendCBOR: false, bytecodeHash: "none" },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"] } },
  },
};
const find = (name) => {
  try {
    return { contents: fs.readFileSync(require.resolve(name), "utf8") };
  } catch (error) {
    return { error: error.message };
  }
};
const result = JSON.parse(solc.compile(JSON.stringify(input), { import: find }));
// Warnings of our own are failures; those of a dependency are its own.
const isOurs = (message) => message.severity === "error" || sources[message.sourceLocation?.file];
const messages = (result.errors ?? []).filter(isOurs);
messages.forEach((message) => console.error(message.formattedMessage));
if (messages.length > 0) process.exit(1);

fs.mkdirSync(out, { recursive: true });
for (const [file, contracts] of Object.entries(result.contracts)) {
  if (!sources[file]) continue;
  for (const [name, { abi, evm }] of Object.entries(contracts)) {
    // Interfaces have no code, and the library is part of its users.
    if (evm.bytecode.object === "" || abi.every((item) => item.type === "error")) continue;
    // The limit of EIP-170, for what is deployed in earnest.
    const size = evm.deployedBytecode.object.length / 2;
    if (file.startsWith("src/")) console.log(`${name}: ${size} bytes of 24576`);
    const artifact = { abi, bytecode: `0x${evm.bytecode.object}` };
    fs.writeFileSync(path.join(out, `${name}.json`), `${JSON.stringify(artifact, null, 1)}\n`);
  }
}
