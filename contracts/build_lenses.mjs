// Compile the lenses of contracts/src, and the actor, into chain/data, the same bytes every time.
// Usage: node contracts/build_lenses.mjs NODE_MODULES [OUTPUT_FOLDER]
// NODE_MODULES holds the compiler under the alias solc-0.8.27.
import { createRequire } from "node:module";
import { readFileSync, readdirSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const PROGRAMS = {
  actor: "Actor",
  grid_lens: "GridLens",
  lending_lens: "LendingLens",
  storage_lens: "StorageLens",
  uniswap_lens: "UniswapLens",
};

const [modules, folder] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(resolve(modules), "x.js"))("solc-0.8.27");
const source = (name) => ({ content: readFileSync(join(here, "src", name), "utf8") });

for (const [file, name] of Object.entries(PROGRAMS)) {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(
      readdirSync(join(here, "src"))
        .filter((one) => one === "Tape.sol" || one.startsWith(name))
        .map((one) => [one, source(one)]),
    ),
    settings: {
      optimizer: { enabled: true, runs: 1000 },
      evmVersion: "paris", // no PUSH0: runs on every chain of the networks table
      metadata: { bytecodeHash: "none", appendCBOR: false },
      outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
    },
  };
  const { contracts, errors = [] } = JSON.parse(solc.compile(JSON.stringify(input)));
  for (const error of errors) console.error(error.formattedMessage);
  if (errors.some((e) => e.severity === "error")) process.exit(1);
  const built = contracts[`${name}.sol`];
  const artifact = {
    source: `contracts/src/${name}.sol`,
    compiler: solc.version(),
    runtime: "0x" + built[name].evm.deployedBytecode.object,
    // One that stands at contracts of others cannot run as init code.
    init: built[`${name}Once`] ? "0x" + built[`${name}Once`].evm.bytecode.object : "",
  };
  const output = join(folder ?? join(here, "..", "chain", "data"), `${file}.json`);
  writeFileSync(output, JSON.stringify(artifact, null, 2) + "\n");
}
