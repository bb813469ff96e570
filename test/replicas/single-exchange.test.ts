import { expect, test } from 'vitest'
import { useWorld } from '../support/renewal-world.ts'

const CALLERS = 50
const world = useWorld({ replicas: 2, acme: { timeout: 1 } })
const soon = { timeout: 10_000 }

const codeOf = (more: object = {}) => ({
  client_id: world.zoho.client.id,
  client_secret: world.zoho.client.secret,
  grant_token: world.zoho.grant(),
  api_domain: world.zoho.url,
  ...more,
})
const exchange = (code: object, vault = world.vault) => vault.call('POST', '/v1/tokens/exchange', code)
const byAll = (code: object) =>
  Promise.all(Array.from({ length: CALLERS }, (_, number) => exchange(code, world.vaults[number % 2])))
const requests = () => world.zoho.count('exchange')

test.each([
  ['answers at once', 0],
  ['takes its time', 500],
])(
  '50 callers of one code on two replicas make one request, where the provider %s',
  async (_how, delayMs) => {
    world.zoho.make({ delayMs }, 'exchange')
    const answers = await byAll(codeOf({ user_name: 'ann' }))
    expect(requests()).toBe(1)
    expect(answers.map(({ status }) => status).toSorted()).toEqual([
      ...Array<number>(CALLERS - 1).fill(200),
      201,
    ])
    const tokens = answers.map(
      ({ body }) => `${body.id ?? ''} ${body.access_token ?? ''} ${body.refresh_token ?? ''}`,
    )
    expect(new Set(tokens).size).toBe(1)
    const kept = await world.database.query('select token_id from exchanges')
    expect(kept).toEqual([{ token_id: answers[0]?.body.id }])
  },
)

test('a code whose token has a newer one by now makes no request on any replica, also where a take-over won', async () => {
  const tokens = (name: string) => JSON.stringify({ access_token: `${name}-access` })
  world.zoho.make({ delayMs: 800, status: 200, body: tokens('owner') }, 'exchange', 1)
  const code = codeOf({ user_name: 'ann' })
  const owner = exchange(code, world.vaults[0])
  await expect.poll(requests, soon).toBe(1)
  await lapse()
  world.zoho.make({ delayMs: 1600, status: 400, body: '{"error":"invalid_code"}' }, 'exchange', 1)
  const taken = exchange(code, world.vaults[1])
  const { body } = await owner
  expect(await taken).toMatchObject({ status: 200, body: { id: body.id } })
  expect((await exchange(codeOf({ user_name: 'ann' }))).body.id).toBe(body.id)
  expect(requests()).toBe(3)
  const again = await byAll(code)
  expect(new Set(again.map((answer) => `${answer.status} ${answer.body.id ?? ''}`))).toEqual(
    new Set([`200 ${body.id ?? ''}`]),
  )
  expect(requests()).toBe(3)
})

test('all who wait for a code that is refused are told so by the one request', async () => {
  world.zoho.make({ delayMs: 500 }, 'exchange')
  const answers = await byAll(codeOf({ grant_token: 'unknown' }))
  expect(new Set(answers.map(({ status, body }) => `${status} ${body.code}`))).toEqual(
    new Set(['422 grant_refused']),
  )
  expect(requests()).toBe(1)
})

test('of two users who bring one code at once, only one gets its token', async () => {
  for (const vaults of [world.vaults, [world.vault, world.vault]]) {
    world.zoho.make({ delayMs: 200 }, 'exchange', 1)
    const code = codeOf()
    const users = ['ann', 'bob'].map((user) => ({ ...code, user_name: user }))
    const answers = await Promise.all(users.map((each, number) => exchange(each, vaults[number])))
    expect(answers.map(({ status }) => status).toSorted()).toEqual([201, 409])
    await world.reset()
  }
})

test('codes of different clients, and of different users, are different exchanges', async () => {
  world.zoho.grants.addClient('other', 'other-secret')
  const codes = [
    ...Array.from({ length: 20 }, (_, number) => codeOf({ user_name: `user-${number}` })),
    codeOf({
      client_id: 'other',
      client_secret: 'other-secret',
      grant_token: world.zoho.grant(world.zoho.user, 'other'),
    }),
  ]
  const answers = await Promise.all(codes.map((code, number) => exchange(code, world.vaults[number % 2])))
  expect(answers.map(({ status }) => status)).toEqual(codes.map(() => 201))
  expect(new Set(answers.map(({ body }) => body.id)).size).toBe(codes.length)
})

/** As if the owner of the exchange had died: its lease has run out, and nobody has heard of it. */
const lapse = () => world.database.query(`update exchanges set lease_until = now() - interval '1 second'`)

test('a code whose lease has run out is sent once more, and the late answer is kept for all', async () => {
  world.zoho.make({ delayMs: 800 }, 'exchange', 1)
  const code = codeOf()
  const [owner] = world.vaults
  const late = exchange(code, owner)
  await expect.poll(requests, soon).toBe(1)
  await lapse()
  // The stand-in answers the second request first, and refuses the first one for it.
  const taken = await exchange(code, world.vaults[1])
  expect(taken.status).toBe(201)
  expect(await late).toMatchObject({
    status: 200,
    body: { id: taken.body.id, access_token: taken.body.access_token },
  })
  expect(requests()).toBe(2)
})

test('an answer that comes when another replica has stored one is recorded and dropped', async () => {
  const code = codeOf()
  const tokens = (name: string) =>
    JSON.stringify({ access_token: `${name}-access`, refresh_token: `${name}-refresh` })
  world.zoho.make({ delayMs: 800, status: 200, body: tokens('late') }, 'exchange', 1)
  const late = exchange(code, world.vaults[0])
  await expect.poll(requests, soon).toBe(1)
  await lapse()
  world.zoho.make({ status: 200, body: tokens('first') }, 'exchange', 1)
  expect((await exchange(code, world.vaults[1])).body.refresh_token).toBe('first-refresh')
  expect((await late).body.refresh_token).toBe('first-refresh')
  const { body } = await world.vault.call('GET', '/v1/events?limit=1')
  expect(body).toMatchObject({ events: [{ type: 'exchange.dropped', outcome: 'dropped' }] })
})

test('what failed, or was traded, is swept away with later exchanges', async () => {
  for (const code of [codeOf({ grant_token: 'unknown' }), codeOf()]) await exchange(code)
  expect(await world.database.query('select failure from exchanges')).toHaveLength(2)
  await world.database.query(`update exchanges set lease_until = now() - interval '2 hours'`)
  expect((await exchange(codeOf())).status).toBe(201)
  expect(await world.database.query('select failure from exchanges')).toEqual([{ failure: null }])
})
