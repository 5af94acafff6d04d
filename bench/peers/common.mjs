// What the JavaScript peers share: the work, the clocks, the digest. See common.py.
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createInterface } from 'node:readline'

export const ABI = [
  'function scaledBalanceOf(address) view returns (uint256)',
  'function balanceOf(address) view returns (uint256)',
  'function getUserConfiguration(address) view returns ((uint256 data))',
  'function getReserveData(address) view returns (((uint256 data) configuration, uint128 a, uint128 b, uint128 c, uint128 d, uint128 e, uint40 f, uint16 g, address h, address i, address j, address k, uint128 l, uint128 m, uint128 n))',
  'function getAssetPrice(address) view returns (uint256)',
  'function getUserAccountData(address) view returns (uint256, uint256, uint256, uint256, uint256, uint256)',
]

export const work = JSON.parse(readFileSync(process.argv[2], 'utf8'))

export function calls() {
  const found = []
  for (const account of work.accounts) {
    if (work.task === 'health') {
      found.push([work.pool, 'getUserAccountData', account])
      continue
    }
    for (const reserve of work.reserves) {
      found.push([reserve.a_token, 'scaledBalanceOf', account])
      found.push([reserve.variable_debt, 'scaledBalanceOf', account])
      found.push([reserve.asset, 'balanceOf', account])
    }
    found.push([work.pool, 'getUserConfiguration', account])
  }
  if (work.task === 'full') {
    for (const reserve of work.reserves) {
      found.push([work.pool, 'getReserveData', reserve.asset])
      found.push([work.oracle, 'getAssetPrice', reserve.asset])
    }
  }
  return found
}

function* words(value) {
  if (typeof value === 'bigint') yield value
  else if (typeof value === 'number' || typeof value === 'string') yield BigInt(value)
  else for (const part of Object.values(value)) yield* words(part)
}

function digest(answers) {
  const state = createHash('sha256')
  for (const answer of answers)
    for (const word of words(answer)) state.update(Buffer.from(word.toString(16).padStart(64, '0'), 'hex'))
  return state.digest('hex').slice(0, 16)
}

const cells = work.accounts.length * (work.task === 'health' ? 1 : 3 * work.reserves.length + 1)

const say = (told) => process.stdout.write(JSON.stringify({ bench: told }) + '\n')

export async function run(read, version) {
  for (let i = 0; i < work.warm; i++) await read()
  if (work.mark) await fetch(work.mark).catch(() => null)
  const before = process.memoryUsage().rss
  say({ version })
  let answers = []
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== 'go') break
    const walls = [], cpus = []
    let spent = 0
    while (spent < 0.15 && walls.length < 9 && !(walls.length && work.mark)) {
      const wall = performance.now(), cpu = process.cpuUsage()
      answers = await read()
      walls.push((performance.now() - wall) / 1000)
      spent += walls.at(-1)
      const used = process.cpuUsage(cpu)
      cpus.push((used.user + used.system) / 1e6)
    }
    say({ walls, cpus })
  }
  const resident = process.resourceUsage().maxRSS * 1024
  const told = work.task === 'health' ? answers.map((answer) => [...words(answer)].at(-1)) : answers
  say({ peak: Math.max(0, resident - before), resident, digest: digest(told), cells: digest(told.slice(0, cells)) })
  process.exit(0)
}
