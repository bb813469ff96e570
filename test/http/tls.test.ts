import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { get as getPlain } from 'node:http'
import { request } from 'node:https'
import type { RequestOptions } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import type { IncomingMessage } from 'node:http'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { endAll, tokenVault } from '../cli/command-line.ts'
import { certified } from '../providers/self-signed.ts'
import type { Certified } from '../providers/self-signed.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'

const folder = mkdtempSync(join(tmpdir(), 'vault-tls-'))
const file = (name: string, pem: string): string => {
  writeFileSync(join(folder, name), pem)
  return join(folder, name)
}
const server = certified({ name: 'vault' })
const authority = { name: 'clients', ...certified({ name: 'clients', isAuthority: true }) }
const stranger = { name: 'clients', ...certified({ name: 'clients', isAuthority: true }) }
const env = {
  TOKEN_VAULT_REFRESHER: 'off',
  TOKEN_VAULT_TLS_CERT: file('tls.crt', server.cert),
  TOKEN_VAULT_TLS_KEY: file('tls.key', server.key),
}

let database: TestDatabase
let open: TestVault
let closed: TestVault

beforeAll(async () => {
  database = await createTestDatabase()
  open = await startVault({ databaseUrl: database.url, env })
  const more = {
    TOKEN_VAULT_TLS_CLIENT_CA: file('ca.crt', authority.cert),
    TOKEN_VAULT_MASTER_KEYS: open.masterKeys,
  }
  closed = await startVault({ databaseUrl: database.url, env: { ...env, ...more } })
})
afterAll(async () => {
  await endAll()
  await Promise.all([open.close(), closed.close()])
  await database.drop()
  rmSync(folder, { recursive: true })
})

async function ask(
  vault: TestVault,
  options: RequestOptions = {},
): Promise<{ status: number; body: string }> {
  const authorization = `Bearer ${vault.key}`
  const sent = request(`${vault.url}/v1/tokens`, {
    ca: server.cert,
    agent: false,
    headers: { authorization },
    ...options,
  })
  const [answer] = (await once(sent.end(), 'response')) as [IncomingMessage]
  return { status: answer.statusCode ?? 0, body: await text(answer) }
}

test('with a certificate the service speaks HTTPS, and nothing else', async () => {
  expect(open.url).toMatch(/^https:/)
  expect(await ask(open)).toMatchObject({ status: 200 })
  await expect(once(getPlain(open.url.replace('https:', 'http:')), 'response')).rejects.toThrow()
})

test('a client that does not trust the certificate sends nothing', async () => {
  await expect(ask(open, { ca: certified({ name: 'vault' }).cert })).rejects.toThrow(/self-signed/)
})

test('TLS of before 1.2 is refused', async () => {
  const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const
  await expect(ask(open, old)).rejects.toThrow()
})

test('with a client CA, a client with a certificate of it is served', async () => {
  expect(await ask(closed, certified({ name: 'app', issuer: authority }))).toMatchObject({ status: 200 })
  await expect.poll(() => closed.log()).toContain('answered')
})

test.each<[string, Partial<Certified>]>([
  ['no certificate', {}],
  ['a certificate of its own', certified({ name: 'app' })],
  ['one of another CA of the same name', certified({ name: 'app', issuer: stranger })],
  ['an expired one', certified({ name: 'app', issuer: authority, isExpired: true })],
  ["the service's own", server],
  ['one that another client of the CA has signed', intermediate()],
])('with a client CA, a client with %s reaches no route', async (_what, client) => {
  const before = closed.log()
  for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const)
    await expect(ask(closed, { ...client, maxVersion })).rejects.toThrow()
  expect(closed.log()).toBe(before)
})

test.each([
  ['plain HTTP beyond loopback', { HOST: '0.0.0.0' }, true],
  ['plain HTTP on loopback', { HOST: '127.0.0.1' }, false],
  ['HTTPS beyond loopback', { HOST: '0.0.0.0', ...env }, false],
])('of %s the start warns as it should', async (_what, host, warns) => {
  const keys = { TOKEN_VAULT_MASTER_KEYS: open.masterKeys, TOKEN_VAULT_BOOTSTRAP_KEY: open.key }
  const service = tokenVault([], { PORT: '0', DATABASE_URL: database.url, ...keys, ...host })
  await service.says('serves on')
  service.signal('SIGTERM')
  expect(await service.ended).toBe(0)
  expect(service.stdout().includes('tokens travel unencrypted')).toBe(warns)
})

function intermediate(): Certified {
  const parent = certified({ name: 'app', issuer: authority })
  const child = certified({ name: 'other', issuer: { name: 'app', key: parent.key } })
  return { key: child.key, cert: child.cert + parent.cert }
}
