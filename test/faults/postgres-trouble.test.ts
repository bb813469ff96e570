import { setTimeout as pause } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openFaultWorld, upTo } from '../support/fault-world.ts'
import { startOwnPostgres } from '../support/own-postgres.ts'
import { TcpProxy } from '../support/tcp-proxy.ts'

const ROUNDS = Number(process.env['FAULT_BACKEND_ROUNDS'] ?? 25)
const RESTARTS = Number(process.env['FAULT_RESTARTS'] ?? 2)
const AWAY_SECONDS = Number(process.env['FAULT_AWAY_SECONDS'] ?? 10)
const TIMEOUT_MS = 300_000 + ROUNDS * 1_000 + RESTARTS * 15_000 + AWAY_SECONDS * 1_000

/** A strict provider: nothing that is presented twice is forgiven. */
const STRICT = {
  tokens: 80,
  replicas: 3,
  policy: { beforeCommitMs: upTo(300), afterCommitMs: upTo(300) },
  entry: { timeout: 5 },
}

const KILL = `select count(pg_terminate_backend(pid))::int as killed from pg_stat_activity
  where datname = current_database() and application_name like 'token-vault%' and random() < 0.3`

test(
  'backends that are killed and a Postgres that crashes lose no token',
  async () => {
    const postgres = await startOwnPostgres()
    const world = await openFaultWorld({ ...STRICT, database: postgres })
    let killed = 0
    for (let round = 1; round <= ROUNDS; round += 1) {
      killed += (await postgres.query<{ killed: number }>(KILL))[0]?.killed ?? 0
      await pause(100)
    }
    for (let restart = 1; restart <= RESTARTS; restart += 1) {
      await postgres.crash()
      await pause(Math.random() * 3_000)
    }
    expect(await world.settle()).toEqual([])
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
    console.info(
      `${ROUNDS} rounds with ${killed} backends killed, ${RESTARTS} crashes, ${world.provider.log.length} requests`,
    )
  },
  TIMEOUT_MS,
)

test(
  'while Postgres is away nothing unclaimed is sent, and answers in hand are stored when it is back',
  async () => {
    const world = await openFaultWorld({
      ...STRICT,
      policy: { beforeCommitMs: upTo(800), afterCommitMs: upTo(800) },
      reach: (url) => TcpProxy.start(url),
    })
    await expect.poll(() => world.provider.log.length, { timeout: 30_000 }).toBeGreaterThan(30)
    await world.proxy?.refuse()
    const awayAtMs = Date.now()
    await pause(AWAY_SECONDS * 1_000)
    const backAtMs = Date.now()
    await world.proxy?.restore()
    expect(await world.settle()).toEqual([])
    const { claims } = await world.ledger()
    // One that was on its way to Postgres may have been made all the same: nobody heard of it, and so it sent nothing.
    const unheard = claims.filter(({ claimedAtMs }) => claimedAtMs > awayAtMs && claimedAtMs < backAtMs)
    expect(unheard.filter(({ presented }) => presented !== null)).toEqual([])
    const inHand = claims.filter(
      ({ claimedAtMs, endedAtMs }) => claimedAtMs <= awayAtMs && endedAtMs >= backAtMs,
    )
    expect(inHand.length).toBeGreaterThan(0)
    // Such a claim may be taken over. An answer may not.
    expect(await world.unheard()).toEqual([])
    expect(await world.outOfStep()).toEqual([])
    expect(await world.discrepancies()).toEqual([])
    const landed = Math.max(...inHand.map(({ endedAtMs }) => endedAtMs - backAtMs))
    const next = Math.min(...claims.map(({ claimedAtMs }) => claimedAtMs - backAtMs).filter((ms) => ms > 0))
    console.info(
      `${AWAY_SECONDS} s without Postgres: ${inHand.length} answers in hand were stored within ${landed} ms, the next claim came after ${next} ms`,
    )
  },
  TIMEOUT_MS,
)
