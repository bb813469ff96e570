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

/** One round, over TCP as the service does it. */
export async function runPgbench(plan: PgbenchPlan): Promise<Figures> {
  const { hostname, port, username, password, pathname } = new URL(plan.databaseUrl)
  const folder = await mkdtemp(join(tmpdir(), 'token-vault-pgbench-'))
  try {
    await writeFile(join(folder, 'script.sql'), scriptFor(plan.tokens))
    const options = ['--no-vacuum', '--protocol=prepared', '--file=script.sql', '--log']
    const measure = [`--client=${plan.clients}`, `--time=${Math.ceil(plan.seconds)}`]
    const server = ['--host', hostname, '--port', port, '--username', username, pathname.slice(1)]
    const env = { ...process.env, PGPASSWORD: decodeURIComponent(password) }
    const { stdout } = await promisify(execFile)(plan.program, [...options, ...measure, ...server], {
      cwd: folder,
      env,
    })
    const latenciesMs = await readLatencies(folder)
    const part = (share: number) => latenciesMs[Math.floor(latenciesMs.length * share)] ?? NaN
    return {
      perSecond: Number(/tps = ([\d.]+)/.exec(stdout)?.[1]),
      p50Ms: part(0.5),
      p99Ms: part(0.99),
      cpuSecondsPer1000: null,
      rssMb: null,
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** The third column of its log is the latency in microseconds. Sorted. */
async function readLatencies(folder: string): Promise<Float64Array> {
  const logs = (await readdir(folder)).filter((file) => file.startsWith('pgbench_log'))
  const texts = await Promise.all(logs.map((log) => readFile(join(folder, log), 'utf8')))
  const lines = texts.flatMap((text) => text.trimEnd().split('\n'))
  return Float64Array.from(lines, (line) => Number(line.split(' ')[2]) / 1000).sort()
}
