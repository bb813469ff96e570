import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { StorePlan, StoreResult } from '../baselines/sdk-stores.ts'
import { underLoad } from '../contenders.ts'
import { startChild } from '../processes/child.ts'
import type { Child } from '../processes/child.ts'
import { usageOf } from '../processes/usage.ts'
import type { CaseResult } from '../report/case-result.ts'
import type { Contender } from '../rounds.ts'
import { byTurns, rowsOf } from '../rounds.ts'
import { isMariaDbInstalled, startMariaDb } from '../../test/import/mariadb.ts'
import { accessTokenOf, API_DOMAIN, CLIENT_ID, CLIENT_SECRET, refreshTokenOf, userNameOf } from '../tokens.ts'
import type { World } from '../world/world.ts'

/** As many as the SDK can save: from the 11th on its own ids are in its way. And what an import could bring. */
const SIZES = [10, 10_000]
const AT_ONCE = 32
const INSTALL = 'MariaDB is not installed: its store is left out. Install it: apt-get install mariadb-server'
const COLUMNS =
  'id,user_name,client_id,client_secret,refresh_token,access_token,grant_token,expiry_time,redirect_url,api_domain'

/** Where an application of Zoho's SDK keeps its tokens without a vault. */
export async function sdkStores(world: World): Promise<CaseResult> {
  const folder = mkdtempSync(join(tmpdir(), 'token-vault-sdk-'))
  const { child } = await startChild(new URL('../baselines/sdk-stores.ts', import.meta.url))
  const keys = world.database.readers
  const contenders: Record<string, Contender> = {
    vault: underLoad(world, world.vault, { request: 'find', connections: AT_ONCE, keys }),
  }
  const closings: (() => Promise<void>)[] = [() => child.stop()]
  try {
    for (const tokens of SIZES) {
      const file = join(folder, `${tokens}.txt`)
      writeFileSync(file, [COLUMNS, ...rowsTo(tokens).map((row) => row.join(','))].join('\n'))
      contenders[`FileStore of ${tokens} tokens`] = asking(world, child, { url: null, file, tokens })
      if (!isMariaDbInstalled) continue
      const mariaDb = await startMariaDb()
      closings.push(() => mariaDb.stop())
      await mariaDb.execute(tableOf(tokens))
      contenders[`MySQL store of ${tokens} tokens`] = asking(world, child, { url: mariaDb.url, file, tokens })
    }
    const rounds = await byTurns(contenders, world.options.rounds)
    return {
      title: 'Find by user beside the stores of Zoho’s SDK, 32 at once',
      rows: rowsOf(rounds),
      verdicts: [],
      notes: [
        'The stores are asked within the process of an application, the vault over HTTP.',
        ...(isMariaDbInstalled ? [] : [INSTALL]),
      ],
    }
  } finally {
    for (const closing of closings.reverse()) await closing()
    rmSync(folder, { recursive: true })
  }
}

function rowsTo(tokens: number): string[][] {
  return Array.from({ length: tokens }, (_, index) => [
    ...[
      String(index + 1),
      userNameOf(index),
      CLIENT_ID,
      CLIENT_SECRET,
      refreshTokenOf(index),
      accessTokenOf(index),
    ],
    ...['', '1900000000000', '', API_DOMAIN],
  ])
}

/** The table as Zoho's documents have it. */
function tableOf(tokens: number) {
  const create = `create table oauthtoken (id varchar(10) primary key, user_name varchar(255), client_id varchar(255),
    client_secret varchar(255), refresh_token varchar(255), access_token varchar(255), grant_token varchar(255),
    expiry_time varchar(20), redirect_url varchar(255), api_domain varchar(255))`
  const places = `(${COLUMNS.replace(/\w+/g, '?')})`
  const rows = rowsTo(tokens)
  return [
    { sql: create, values: [] },
    {
      sql: `insert into oauthtoken (${COLUMNS}) values ${rows.map(() => places).join(', ')}`,
      values: rows.flat(),
    },
  ]
}

function asking(world: World, child: Child, store: Pick<StorePlan, 'url' | 'file' | 'tokens'>): Contender {
  return async () => {
    const plan: StorePlan = { ...store, atOnce: AT_ONCE, seconds: world.options.secondsPerRound }
    const before = usageOf(child.pid)
    const { finds, seconds, p50Ms, p99Ms } = (await child.ask(plan)) as StoreResult
    const { cpuSeconds, rssMb } = usageOf(child.pid)
    const cpuSecondsPer1000 = ((cpuSeconds - before.cpuSeconds) / finds) * 1000
    return { perSecond: finds / seconds, p50Ms, p99Ms, cpuSecondsPer1000, rssMb }
  }
}
