// Compile contracts/src/Relay.sol into chain/data/relay.json, the same bytes every time.
// Usage: node contracts/build_relay.mjs NODE_MODULES [OUTPUT]
// NODE_MODULES holds the compiler under the alias solc-0.8.27.
import { createRequire } from "node:module";
import { readFileSync, writeFileSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const [modules, output] = process.argv.slice(2);
const here = dirname(fileURLToPath(import.meta.url));
const solc = createRequire(join(resolve(modules), "x.js"))("solc-0.8.27");
const content = readFileSync(join(here, "src", "Relay.sol"), "utf8");
const { contracts, errors = [] } = JSON.parse(
  solc.compile(
    JSON.stringify({
      language: "Solidity",
      sources: { "Relay.sol": { content } },
      settings: {
        optimizer: { enabled: true, runs: 1000 },
        evmVersion: "paris", // no PUSH0: runs on every chain of the networks table
        metadata: { bytecodeHash: "none", appendCBOR: false },
        outputSelection: { "*": { "*": ["evm.bytecode.object", "evm.deployedBytecode.object"] } },
      },
    }),
  ),
);
for (const error of errors) console.error(error.formattedMessage);
if (errors.some((e) => e.severity === "error")) process.exit(1);
const built = contracts["Relay.sol"];
const text =
  JSON.stringify(
    {
      source: "contracts/src/Relay.sol",
      compiler: solc.version(),
      runtime: "0x" + built.Relay.evm.deployedBytecode.object,
      init: "0x" + built.RelayOnce.evm.bytecode.object,
    },
    null,
    2,
  ) + "\n";
writeFileSync(output ?? join(here, "..", "chain", "data", "relay.json"), text);
