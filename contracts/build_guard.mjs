// Compile the guards of contracts/src/guard into executor/guard/data, the same bytes every time.
// Usage: node contracts/build_guard.mjs NODE_MODULES [OUTPUT_FOLDER [PROTOCOL]]
// NODE_MODULES holds the compiler under the alias solc-0.8.27.
import { createRequire } from "node:module";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [modules, folder, only] = process.argv.slice(2);
const GUARDS = {};
for (const name of only ? [only] : ["Aave", "Compound", "Morpho"]) {
  for (const form of ["Delegate", "Module"]) {
    GUARDS[`${name}_${form}`.toLowerCase()] = [`${name}Guards.sol`, `${name}Guard${form}`];
  }
}
const TRANSIENT = "2394"; // a warning of every use of transient storage

const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(resolve(modules), "x.js"))("solc-0.8.27");
const sources = Object.fromEntries(
  readdirSync(join(here, "src", "guard"))
    .sort()
    .map((one) => [one, { content: readFileSync(join(here, "src", "guard", one), "utf8") }]),
);
const wanted = ["abi", "evm.bytecode.object", "evm.deployedBytecode.object"];
const input = {
  language: "Solidity",
  sources,
  settings: {
    optimizer: { enabled: true, runs: 200 },
    evmVersion: "cancun", // transient storage
    metadata: { bytecodeHash: "none", appendCBOR: false },
    outputSelection: {},
  },
};
for (const [file, name] of Object.values(GUARDS)) {
  (input.settings.outputSelection[file] ??= {})[name] = wanted;
}
const { contracts, errors = [] } = JSON.parse(solc.compile(JSON.stringify(input)));
const serious = errors.filter((error) => error.errorCode !== TRANSIENT);
for (const error of serious) console.error(error.formattedMessage);
if (serious.length) process.exit(1); // warnings too
const output = folder ?? join(here, "..", "executor", "guard", "data");
mkdirSync(output, { recursive: true });
for (const [artifactName, [file, name]] of Object.entries(GUARDS)) {
  const { abi, evm } = contracts[file][name];
  const artifact = {
    source: `contracts/src/guard/${file}`,
    compiler: solc.version(),
    abi,
    runtime: "0x" + evm.deployedBytecode.object,
    init: "0x" + evm.bytecode.object,
  };
  writeFileSync(join(output, `${artifactName}.json`), JSON.stringify(artifact, null, 1) + "\n");
}
