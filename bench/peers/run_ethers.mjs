// ethers: contract calls all at once; its provider gathers them into JSON-RPC batches by itself.
import { Contract, FetchRequest, JsonRpcProvider, Network, version } from 'ethers'
import { ABI, calls, run, work } from './common.mjs'

const request = new FetchRequest(work.url)
request.timeout = 600_000
const network = Network.from(work.chain_id)
const provider = new JsonRpcProvider(request, network, { staticNetwork: network })
const contracts = new Map()

function contract(address) {
  if (!contracts.has(address)) contracts.set(address, new Contract(address, ABI, provider))
  return contracts.get(address)
}

async function read() {
  return Promise.all(
    calls().map(([address, name, argument]) =>
      contract(address)[name](argument, { blockTag: work.block_number })),
  )
}

await run(read, version)
