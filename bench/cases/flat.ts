import { sql } from 'kysely'
import { underLoad } from '../contenders.ts'
import type { RequestName } from '../load/requests.ts'
import type { Vault } from '../processes/vault.ts'
import { createPostgresTokenStore } from '../../src/store/postgres-token-store.ts'
import type { CaseResult } from '../report/case-result.ts'
import { atMost, short } from '../report/case-result.ts'
import type { Contender, Figures } from '../rounds.ts'
import { byTurns, median, perSecondOf, ratio, rowsOf } from '../rounds.ts'
import { PROVIDER } from '../tokens.ts'
import type { BenchDatabase } from '../world/database.ts'
import { makeDue } from '../world/due.ts'
import type { World } from '../world/world.ts'
import { bytesPerToken } from '../world/sizes.ts'

const FEW_TOKENS = 10_000
const CLAIMED_AT_ONCE = 100
const CLAIMS_A_ROUND = 10

interface Side {
  database: BenchDatabase
  vault: Vault
}

/** What takes how much longer when there are many tokens. */
export async function flat(world: World): Promise<CaseResult> {
  const many = { database: world.database, vault: world.vault }
  const database = await world.createDatabase('bench_few', FEW_TOKENS)
  const few = { database, vault: await world.startVault(database) }
  const finds = await compare(world, few, many, 'find')
  const saves = await compare(world, few, many, 'save')
  for (const { vault } of [few, many]) vault.signal('SIGSTOP')
  const claims = await byTurns(
    { few: claiming(few.database), many: claiming(many.database) },
    world.options.rounds,
  )
  for (const { vault } of [few, many]) vault.signal('SIGCONT')
  await few.vault.stop()
  const named = (what: string, rounds: Record<'few' | 'many', Figures[]>) => ({
    [`${what}, ${short(FEW_TOKENS)} tokens`]: rounds.few,
    [`${what}, ${short(world.options.tokens)} tokens`]: rounds.many,
  })
  const longer = ({ few, many }: Record<'few' | 'many', Figures[]>) => ratio(few, many, perSecondOf)
  return {
    title: `${short(world.options.tokens)} tokens against ${short(FEW_TOKENS)}`,
    rows: rowsOf({
      ...named('find', finds),
      ...named('save', saves),
      ...named(`claim of ${CLAIMED_AT_ONCE} due`, claims),
    }),
    verdicts: [
      atMost('time of a find', longer(finds), 1.3, ' ×'),
      atMost(`time of a claim of ${CLAIMED_AT_ONCE} due`, longer(claims), 1.3, ' ×'),
      atMost('time of a save', longer(saves), 1.5, ' ×'),
    ],
    notes: [],
    extra: await bytesPerToken(many.database),
  }
}

function compare(world: World, few: Side, many: Side, request: RequestName) {
  const side = ({ database, vault }: Side): Contender => {
    const keys = request === 'save' ? database.writers : database.readers
    return underLoad(world, vault, { request, connections: 32, keys, tokens: database.used })
  }
  return byTurns({ few: side(few), many: side(many) }, world.options.rounds)
}

/** Claims as a refresher does, but settles nothing: the tokens are made due anew. No replica may run meanwhile. */
function claiming({ db, keyring }: BenchDatabase): Contender {
  const store = createPostgresTokenStore({ callers: db, renewals: db, keyring, owner: 'bench' })
  const terms = {
    provider: PROVIDER,
    places: CLAIMED_AT_ONCE,
    leaseSeconds: 60,
    replayLeaseSeconds: 60,
    replaySeconds: 0,
    minIntervalSeconds: 60,
    limit: null,
  }
  const options = { limit: CLAIMED_AT_ONCE, busy: [], takeOver: true }
  return async () => {
    const times: number[] = []
    for (let claim = 0; claim < CLAIMS_A_ROUND; claim += 1) {
      await makeDue(db, { count: CLAIMED_AT_ONCE, spreadSeconds: 0 })
      await sql`update tokens set lease_until = null, claimed_at = null from bench_due
        where tokens.namespace_id = bench_due.namespace_id and tokens.id = bench_due.id`.execute(db)
      const startedAt = performance.now()
      const claims = await store.claimDue([terms], options)
      times.push(performance.now() - startedAt)
      if (claims.length !== CLAIMED_AT_ONCE) throw new Error(`${claims.length} tokens were claimed`)
    }
    const ms = median(times)
    return { perSecond: 1000 / ms, p50Ms: ms, p99Ms: null, cpuSecondsPer1000: null, rssMb: null }
  }
}
