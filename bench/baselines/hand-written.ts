/**
 * The few lines that a good developer would write instead of a vault: Fastify, a pool of connections, one indexed
 * select, AES-256-GCM. Nobody is asked for a key, nothing is recorded, nothing is renewed.
 */
import { createSecretKey } from 'node:crypto'
import type { CipherKey } from 'node:crypto'
import Fastify from 'fastify'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { ready } from '../processes/parent.ts'
import { decrypt, encrypt, hash } from './hand-written-secrets.ts'

interface Row {
  id: string
  user_name: string
  client_id: string
  client_secret: Buffer | null
  refresh_token: Buffer | null
  access_token: Buffer
  scope: string
  api_domain: string
  expires_at: Date
}

interface Wanted {
  namespace_id: string
  user_name?: string
  refresh_token?: string
}

interface Waiting {
  wanted: Wanted
  resolve: (row: Row | undefined) => void
  reject: (error: unknown) => void
}

interface Save {
  namespace_id: string
  user_name: string
  client_id: string
  access_token: string
  expires_in: number
}

const { HAND_WRITTEN_URL, HAND_WRITTEN_KEY = '' } = process.env
const pool = new pg.Pool({ connectionString: HAND_WRITTEN_URL, max: 16 })
const key = Buffer.from(HAND_WRITTEN_KEY, 'hex')
const app = Fastify()

function show(row: Row | undefined, by: CipherKey = key) {
  if (row === undefined) throw Object.assign(new Error('no such token'), { statusCode: 404 })
  const open = (sealed: Buffer | null) => sealed && decrypt(by, sealed)
  return {
    ...row,
    client_secret: open(row.client_secret),
    refresh_token: open(row.refresh_token),
    access_token: open(row.access_token),
  }
}

app.post<{ Body: Wanted }>('/find', async ({ body }) => {
  const { namespace_id, user_name, refresh_token } = body
  const { rows } =
    refresh_token === undefined
      ? await pool.query<Row>('select * from hand_written where namespace_id = $1 and user_name = $2', [
          namespace_id,
          user_name,
        ])
      : await pool.query<Row>('select * from hand_written where namespace_id = $1 and refresh_hash = $2', [
          namespace_id,
          hash(refresh_token),
        ])
  return show(rows[0])
})

/** By somebody who has measured: those of one turn of the event loop make one statement, and Node is handed the key once. */
let waiting: Waiting[] = []
const keyObject = createSecretKey(key)

async function findWaiting(): Promise<void> {
  const batch = waiting
  waiting = []
  try {
    const { rows } = await pool.query<Row & { nth: string }>({
      name: 'find',
      text: `select nth, found.* from unnest($1::uuid[], $2::text[]) with ordinality as asked (of_namespace, name, nth)
        join hand_written as found on found.namespace_id = of_namespace and found.user_name = name`,
      values: [batch.map(({ wanted }) => wanted.namespace_id), batch.map(({ wanted }) => wanted.user_name)],
    })
    const found = new Map(rows.map(({ nth, ...row }) => [Number(nth) - 1, row]))
    for (const [index, { resolve }] of batch.entries()) resolve(found.get(index))
  } catch (error) {
    for (const { reject } of batch) reject(error)
  }
}

app.post<{ Body: Wanted }>('/find-in-batches', async ({ body }) => {
  const row = await new Promise<Row | undefined>((resolve, reject) => {
    if (waiting.length === 0) setImmediate(() => void findWaiting())
    waiting.push({ wanted: body, resolve, reject })
  })
  return show(row, keyObject)
})

app.get<{ Params: { id: string } }>('/tokens/:id', async ({ params }) => {
  const { rows } = await pool.query<Row>('select * from hand_written where id = $1', [params.id])
  return show(rows[0])
})

app.get<{ Params: { id: string } }>('/tokens/:id/access-token', async ({ params }) => {
  const { rows } = await pool.query<Pick<Row, 'access_token' | 'expires_at'>>(
    'select access_token, expires_at from hand_written where id = $1',
    [params.id],
  )
  const [row] = rows
  if (row === undefined) throw Object.assign(new Error('no such token'), { statusCode: 404 })
  return { access_token: decrypt(key, row.access_token), expires_at: row.expires_at }
})

app.post<{ Body: Save }>('/tokens', async ({ body }) => {
  const { rows } = await pool.query<Row>(
    `insert into hand_written (id, namespace_id, user_name, client_id, access_token, expires_at)
     values (gen_random_uuid(), $1, $2, $3, $4, now() + $5 * interval '1 second')
     on conflict (namespace_id, user_name) do update
       set access_token = excluded.access_token, expires_at = excluded.expires_at
     returning *`,
    [body.namespace_id, body.user_name, body.client_id, encrypt(key, body.access_token), body.expires_in],
  )
  return show(rows[0])
})

await app.listen({ host: '127.0.0.1', port: 0 })
ready((app.server.address() as AddressInfo).port)
