// viem: `multicall`, as it comes (batchSize 1024 bytes) or tuned (large chunks, JSON-RPC batching).
import { createPublicClient, http, parseAbi } from 'viem'
import { readFileSync } from 'node:fs'
import { ABI, calls, run, work } from './common.mjs'

const abi = parseAbi(ABI)
const tuned = work.options.how === 'tuned'
const client = createPublicClient({
  chain: {
    id: work.chain_id,
    name: 'bench',
    nativeCurrency: { name: 'Ether', symbol: 'ETH', decimals: 18 },
    rpcUrls: { default: { http: [work.url] } },
    contracts: { multicall3: { address: work.multicall3 } },
  },
  transport: http(work.url, { timeout: 600_000, ...(tuned ? { batch: { wait: 0 } } : {}) }),
})

async function read() {
  return client.multicall({
    contracts: calls().map(([address, functionName, argument]) => ({
      address, abi, functionName, args: [argument],
    })),
    blockNumber: BigInt(work.block_number),
    allowFailure: false,
    ...(tuned ? { batchSize: 100_000 } : {}),
  })
}

const manifest = new URL('./node_modules/viem/package.json', import.meta.url)
await run(read, JSON.parse(readFileSync(manifest, 'utf8')).version)
