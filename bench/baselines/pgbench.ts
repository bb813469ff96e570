import { execFile } from 'node:child_process'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { Figures } from '../rounds.ts'
import { NAMESPACE_ID_PREFIX, NAMESPACES, TOKEN_ID_PREFIX } from '../tokens.ts'

export const INSTALL_PGBENCH =
  'pgbench is not installed: left out. It comes with Postgres: apt-get install postgresql'

/** The row that a find reads, by its primary key, by a statement that was prepared: as fast as Postgres gives it. */
const scriptFor = (tokens: number) => `\\set index random(0, ${tokens - 1})
\\set namespace :index % ${NAMESPACES}
select * from tokens
where namespace_id = ('${NAMESPACE_ID_PREFIX}' || lpad(:namespace::text, 12, '0'))::uuid
  and id = '${TOKEN_ID_PREFIX}' || lpad(:index::text, 12, '0');
`

export interface PgbenchPlan {
  program: string
  databaseUrl: string
  tokens: number
  clients: number
  seconds: number
}

/** Of a run: its connections plan their statement, which those of the services have done before their rounds. */
const WARM_UP = 1 / 3

/** One round, over TCP as the service does it. */
export async function runPgbench(plan: PgbenchPlan): Promise<Figures> {
  const folder = await mkdtemp(join(tmpdir(), 'token-vault-pgbench-'))
  try {
    await writeFile(join(folder, 'script.sql'), scriptFor(plan.tokens))
    await promisify(execFile)(plan.program, argumentsFor(plan), {
      cwd: folder,
      env: { ...process.env, PGPASSWORD: decodeURIComponent(new URL(plan.databaseUrl).password) },
    })
    return figuresOf(await readLog(folder))
  } finally {
    await rm(folder, { recursive: true })
  }
}

function argumentsFor({ databaseUrl, clients, seconds }: PgbenchPlan): string[] {
  const { hostname, port, username, pathname } = new URL(databaseUrl)
  const script = ['--no-vacuum', '--protocol=prepared', '--file=script.sql', '--log']
  const load = [`--client=${clients}`, `--time=${Math.ceil(seconds / (1 - WARM_UP))}`]
  return [...script, ...load, '--host', hostname, '--port', port, '--username', username, pathname.slice(1)]
}

interface Transaction {
  endedAtMs: number
  ms: number
}

/** A line a transaction: client, number, latency in microseconds, script, and the end in seconds and microseconds. */
async function readLog(folder: string): Promise<Transaction[]> {
  const logs = (await readdir(folder)).filter((file) => file.startsWith('pgbench_log'))
  const texts = await Promise.all(logs.map((log) => readFile(join(folder, log), 'utf8')))
  return texts.flatMap((text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => {
        const [, , latencyUs, , seconds, us] = line.split(' ').map(Number)
        return { endedAtMs: (seconds ?? NaN) * 1000 + (us ?? NaN) / 1000, ms: (latencyUs ?? NaN) / 1000 }
      }),
  )
}

function figuresOf(transactions: Transaction[]): Figures {
  const ends = transactions.map(({ endedAtMs }) => endedAtMs).sort((one, other) => one - other)
  const [first = NaN, last = NaN] = [ends[0], ends.at(-1)]
  const beginsAt = first + (last - first) * WARM_UP
  const counted = transactions.filter(({ endedAtMs }) => endedAtMs >= beginsAt)
  const sorted = counted.map(({ ms }) => ms).sort((one, other) => one - other)
  return {
    perSecond: counted.length / ((last - beginsAt) / 1000),
    p50Ms: sorted[Math.floor(sorted.length * 0.5)] ?? NaN,
    p99Ms: sorted[Math.floor(sorted.length * 0.99)] ?? NaN,
    cpuSecondsPer1000: null,
    rssMb: null,
  }
}
