import { readFileSync } from 'node:fs'
import { v7 as uuidv7 } from 'uuid'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Event } from '../../src/contract/events.ts'
import { startVault, useVault } from '../support/vault.ts'

const { database, vault } = useVault()

interface Page {
  events: Event[]
  next_cursor?: string
}
const bearer = (key: string) => ({ authorization: `Bearer ${key}` })

async function eventsOf(path: string, key = vault.key): Promise<Page> {
  const { status, body } = await vault.call('GET', path, undefined, bearer(key))
  expect(status).toBe(200)
  return body as Page
}

async function makeKey(scopes: string[]): Promise<string> {
  const { body } = await vault.call('POST', '/v1/keys', { name: 'test', scopes })
  return (body as { key: string }).key
}

const save = async (name: string, more: object = {}) => {
  const { body } = await vault.save({
    user_name: name,
    client_id: 'c1',
    access_token: `secret of ${name}`,
    ...more,
  })
  return body.id ?? ''
}

test('the history of a token is told newest first, with who did it, and outlives the token', async () => {
  const id = await save('ann')
  await save('ann', { access_token: 'another secret' })
  await vault.call('DELETE', `/v1/tokens/${id}`)
  const { events } = await eventsOf(`/v1/tokens/${id}/events`)
  expect(events.map(({ type }) => type)).toEqual(['token.deleted', 'token.updated', 'token.created'])
  for (const event of events) expect(event).toMatchObject({ actor: 'bootstrap', token_id: id })
  expect(JSON.stringify(events)).not.toContain('secret')
  const times = events.map(({ at }) => Date.parse(at))
  expect(times).toEqual(times.toSorted((one, other) => other - one))
})

test('an event tells what it was about, and a renewal how it ended', async () => {
  const id = await save('bob', { expires_in: 3600 })
  await save('bob', { access_token: 'late', expires_in: 60 })
  const [stale] = (await eventsOf(`/v1/tokens/${id}/events`)).events
  expect(stale).toMatchObject({ type: 'save.stale', detail: { ignored: ['access_token'] } })
  const insert = `insert into events (namespace_id, id, token_id, type, at, actor, facts)
    select namespace_id, overlay(id::text placing '7fff' from 15 for 4)::uuid, token_id, $2, at, 'refresher', $3::jsonb
    from events where token_id = $1 and type = 'save.stale'`
  await database.query(insert, [id, 'renewal.failed', '{"code":"provider_error","attempts":1}'])
  const [failed] = (await eventsOf(`/v1/tokens/${id}/events`)).events
  expect(failed).toMatchObject({ type: 'renewal.failed', actor: 'refresher', outcome: 'provider_error' })
})

test('pages hang together: each event is on exactly one', async () => {
  const ids = await Promise.all(Array.from({ length: 9 }, (_, at) => save(`page-${at}`)))
  const seen: string[] = []
  let path: string | null = '/v1/events?limit=4'
  while (path !== null) {
    const page: Page = await eventsOf(path)
    seen.push(...page.events.map(({ id }) => id))
    path =
      page.next_cursor === undefined
        ? null
        : `/v1/events?limit=4&cursor=${encodeURIComponent(page.next_cursor)}`
  }
  expect(new Set(seen).size).toBe(seen.length)
  const all = (await eventsOf('/v1/events?limit=1000')).events
  expect(seen).toEqual(all.map(({ id }) => id))
  for (const id of ids) expect(all.some(({ token_id }) => token_id === id)).toBe(true)
  for (const last of [`/v1/events?limit=${all.length}`, `/v1/tokens/${ids[0] ?? ''}/events?limit=1`])
    expect((await eventsOf(last)).next_cursor).toBeUndefined()
})

test('behind the last event of a token there are none, also once it is deleted; of no token there is no page', async () => {
  const id = await save('fay')
  const [created] = (await eventsOf(`/v1/tokens/${id}/events`)).events
  const end = `events?cursor=${created?.id ?? ''}`
  expect(await eventsOf(`/v1/tokens/${id}/${end}`)).toEqual({ events: [] })
  await vault.call('DELETE', `/v1/tokens/${id}`)
  expect(await eventsOf(`/v1/tokens/${id}/${end}`)).toEqual({ events: [] })
  expect((await vault.call('GET', `/v1/tokens/unknown/${end}`)).body.code).toBe('not_found')
})

test('what happened to keys is told only to those who may list keys', async () => {
  const key = await makeKey(['tokens:list'])
  await save('eve')
  const types = async (by: string) => (await eventsOf('/v1/events', by)).events.map(({ type }) => type)
  expect(await types(vault.key)).toContain('key.created')
  expect(await types(key)).toContain('token.created')
  expect(await types(key)).not.toContain('key.created')
})

test("another namespace's token has the same answer as one that never was", async () => {
  await database.query(
    `with other as (insert into namespaces (id, name) values (gen_random_uuid(), 'other') returning id)
     insert into events (namespace_id, id, token_id, type, at, actor)
     select id, gen_random_uuid(), 'foreign', 'token.created', now(), 'x' from other`,
  )
  const foreign = await vault.call('GET', '/v1/tokens/foreign/events')
  const unknown = await vault.call('GET', '/v1/tokens/unknown/events')
  expect([foreign.status, foreign.body.code]).toEqual([404, 'not_found'])
  expect({ ...foreign.body, request_id: '' }).toEqual({ ...unknown.body, request_id: '' })
})

test('a token without events has an empty history, and a made-up cursor is a fault of the query', async () => {
  const id = await save('dan')
  await database.query('delete from events where token_id = $1', [id])
  expect(await eventsOf(`/v1/tokens/${id}/events`)).toEqual({ events: [] })
  for (const cursor of ['x', 't1', '01A00000-0000-7000-8000-000000000000']) {
    const { status, body } = await vault.call('GET', `/v1/events?cursor=${cursor}`)
    expect([status, body.errors?.[0]?.pointer]).toEqual([400, '/cursor'])
  }
})

test('both lists are read backwards along an index', async () => {
  const other = '01a00000-0000-7000-8000-000000000000'
  const plan = async (where: string) => {
    const rows = await database.query<{ 'QUERY PLAN': string }>(
      `explain select * from events where namespace_id = '${other}' ${where} order by id desc limit 100`,
    )
    return rows.map((row) => row['QUERY PLAN']).join('\n')
  }
  await database.query(
    `insert into events (namespace_id, id, token_id, type, at, actor)
     select case when n % 2 = 0 then gen_random_uuid() else '${other}' end, gen_random_uuid(), 't' || n, 'token.created', now(), 'x' from generate_series(1, 20000) n`,
  )
  await database.query('analyze events')
  expect(await plan("and token_id = 't1'")).toMatch(/Index Scan Backward using events_token/)
  expect(await plan('')).toContain('Index Scan Backward using events_pkey')
})

test('docs/events.md has each event that there is, once', () => {
  const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
  const types = textOf('src/domain/event.ts').matchAll(/^ {4}\| '(.*)'$/gm)
  const rows = textOf('docs/events.md').matchAll(/^\| `(.*?)` /gm)
  const explained = [...rows].map(([, type]) => type)
  expect(explained.sort()).toEqual([...types].map(([, type]) => type).sort())
  expect(explained.length).toBeGreaterThan(0)
})

test('events older than TOKEN_VAULT_EVENTS_DAYS are deleted by the service itself', async () => {
  const id = await save('of old')
  const told = async () => (await eventsOf(`/v1/tokens/${id}/events`)).events.map(({ type }) => type)
  await database.query(
    `insert into events (namespace_id, id, token_id, type, at, actor)
      select id, $1, $2, 'token.updated', now() - interval '2 days', 'test' from namespaces where name = 'default'`,
    [uuidv7({ msecs: Date.now() - 2 * 86_400_000 }), id],
  )
  expect(await told()).toEqual(['token.created', 'token.updated'])
  // It waits for a part of an hour.
  const random = vi.spyOn(Math, 'random').mockReturnValue(1e-5)
  const sweeping = await startVault({
    databaseUrl: database.url,
    env: { TOKEN_VAULT_EVENTS_DAYS: '1', TOKEN_VAULT_MASTER_KEYS: vault.masterKeys },
  })
  onTestFinished(async () => {
    random.mockRestore()
    await sweeping.close()
  })
  await expect.poll(told).toEqual(['token.created'])
})
