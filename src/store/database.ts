import { Socket } from 'node:net'
import { CamelCasePlugin, CompiledQuery, Kysely, PostgresDialect, sql } from 'kysely'
import pg from 'pg'
import type { Schema } from './schema.ts'
import { SQLSTATE } from './storage-faults.ts'

export type Db = Kysely<Schema>

/** Connections to Postgres, with a limit on everything that could wait for ever. */
export interface Database {
  db: Db
  /** Rejects when Postgres cannot be reached or takes no writes, as a managed one whose disk is full. */
  ping(): Promise<void>
  close(): Promise<void>
}

export interface DatabaseOptions {
  /** One for each host, in the order in which they are tried. */
  urls: readonly string[]
  /** Connections at most. */
  size: number
  /** Shown in pg_stat_activity. */
  name: string
  /** A migration, or what goes over all tokens, may take long: no limit on statements. */
  patient?: boolean
  /** Told of connections that broke while nobody waited for them. */
  onLost: (error: Error) => void
}

const CONNECT_MS = 2_000
/** A turn in the queue for a connection may take longer than making one. */
const QUEUE_MS = 10_000
const LIMITS = {
  statement_timeout: '5s',
  lock_timeout: '2s',
  // Of a process that stands still: a row that it has locked must be free while a provider's grace lasts.
  idle_in_transaction_session_timeout: '3s',
}
/**
 * A statement that is kept prepared is planned once, not for each set of values: of few look-ups Postgres would take the
 * plan for just these values to be the cheaper one, and make it each time, which takes longer than to carry it out. And
 * it is planned for an index, however small its tables are: it would go through them when they have grown, until
 * Postgres looks at them again.
 */
const PLANNING = {
  plan_cache_mode: 'force_generic_plan',
  enable_seqscan: 'off',
  enable_hashjoin: 'off',
  enable_mergejoin: 'off',
}
/** In which moments and bytes are read here, whatever the operator's database has for others. */
const FORMS = { TimeZone: 'UTC', DateStyle: 'ISO', bytea_output: 'hex' }
/** Postgres keeps the limits above by itself, unless it or the network is gone: then nothing ever comes. */
const ANSWER_MS = 8_000
/** After such a silence the network is asked whether the other end is there still: of long statements nothing else tells. */
const KEEP_ALIVE_MS = 30_000

export function createDatabase({ urls, size, name, patient = false, onLost }: DatabaseOptions): Database {
  const settings = { ...PLANNING, ...FORMS, ...(patient ? {} : LIMITS) }
  const pool = new pg.Pool({
    Client: clientOf(urls, patient ? null : ANSWER_MS, settings),
    max: size,
    application_name: name,
    connectionTimeoutMillis: QUEUE_MS,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE_MS,
    idleTimeoutMillis: 30_000,
  })
  pool.on('error', onLost)
  const db: Db = new Kysely<Schema>({
    dialect: new PostgresDialect({ pool }),
    plugins: [new CamelCasePlugin({ maintainNestedObjectKeys: true })],
  })
  return {
    db,
    async ping() {
      const { rows } = await sql<{ readOnly: boolean }>`
        select current_setting('transaction_read_only')::boolean as read_only`.execute(db)
      if (rows[0]?.readOnly === true) throw readOnlyError()
    },
    close: () => db.destroy(),
  }
}

/**
 * In one statement: poolers take no settings with the start of a connection. And a standby answers queries, but it is no
 * place to keep tokens.
 */
async function prepareSession(client: pg.ClientBase, settings: Record<string, string>): Promise<void> {
  const sets = Object.entries(settings).map(([name, value]) => `set_config('${name}', '${value}', false)`)
  const { rows } = await client.query<{ standby: boolean }>(
    `select pg_is_in_recovery() as standby, ${sets.join(', ')}`,
  )
  if (rows[0]?.standby === true) throw readOnlyError()
}

/** As Postgres itself would say with the first write. */
function readOnlyError(): Error {
  const error = new pg.DatabaseError('this Postgres takes no writes', 0, 'error')
  return Object.assign(error, { code: SQLSTATE.readOnlySqlTransaction })
}

/**
 * A client that goes to the host which served last; a host that fails passes the turn on. Connecting includes preparing: a
 * connection that pg-pool's own `verify` is through with only after its waiter has given up is never given back.
 */
function clientOf(
  urls: readonly string[],
  answerMs: number | null,
  settings: Record<string, string>,
): new () => pg.ClientBase {
  let current = 0
  return class extends pg.Client {
    readonly #chosen: number
    readonly #socket: Socket

    constructor(config?: pg.ClientConfig) {
      const connectionString = urls[current] ?? ''
      const socket = new Socket()
      super({ ...config, connectionString, connectionTimeoutMillis: CONNECT_MS, stream: () => socket })
      this.#chosen = current
      this.#socket = socket
      askInTime(this, socket, answerMs)
      // In use, whoever waits for its answer is told; idle, the pool is.
      this.on('error', () => undefined)
    }

    override connect(): Promise<this>
    override connect(connected: Connected): void
    override connect(connected?: Connected): unknown {
      const prepared = this.#prepare()
      if (connected === undefined) return prepared
      return prepared.then(() => {
        connected(null)
      }, connected)
    }

    async #prepare(): Promise<this> {
      try {
        await super.connect()
        await prepareSession(this, settings)
        return this
      } catch (error) {
        if (current === this.#chosen) current = (current + 1) % urls.length
        // Whose end is meant is not told of as lost; and one that the network has swallowed would never end by itself.
        this.end(() => undefined)
        this.#socket.destroy()
        throw error
      }
    }
  }
}

type Connected = (error: Error | null) => void

const NAME = /^\/\* (\w+) \*\//

/**
 * A statement that begins with a name in a comment is parsed and planned once by each connection. Its answer comes by a
 * callback: that of pg's own promise is held, by what is garbage already, until all of the heap is collected, which took
 * a tenth of a find, and p99 by a quarter more. Where none comes in time the connection is given up: pg's own
 * query_timeout would leave it in the pool, for the next one to wait on.
 */
function askInTime(client: pg.Client, socket: Socket, answerMs: number | null): void {
  const query = client.query.bind(client) as (...args: unknown[]) => unknown
  const ask = (text: unknown, values: unknown, ...more: unknown[]): unknown => {
    if (typeof text !== 'string' || more.length > 0) return query(text, values, ...more)
    const name = NAME.exec(text)?.[1]
    return new Promise((resolve, reject) => {
      const giveUp = () => socket.destroy(new Error('Connection terminated: no answer'))
      const timer = answerMs === null ? undefined : setTimeout(giveUp, answerMs)
      query({ name, text, values }, (error: Error | null, result: unknown) => {
        clearTimeout(timer)
        if (error === null) resolve(result)
        else reject(error)
      })
    })
  }
  client.query = ask as typeof client.query
}

/** Runs a statement of constant text that begins with its name; columns are named in it as they shall be called here. */
export async function runPrepared<Row>(db: Db, text: string, values: unknown[]): Promise<Row[]> {
  const { rows } = await db.withoutPlugins().executeQuery<Row>(CompiledQuery.raw(text, values))
  return rows
}
