import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { commandKeys } from '../../src/commands/keys.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { AuditEntry } from '../../src/domain/audit.ts'
import { StartupError } from '../../src/domain/errors.ts'
import { createDatabase } from '../../src/store/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { AuditLine, TestVault } from '../support/vault.ts'
import { startVault } from '../support/vault.ts'
import { endAll, tokenVault } from './command-line.ts'

const TOKEN_VAULT_MASTER_KEYS = generateMasterKey('k1')
const folder = mkdtempSync(join(tmpdir(), 'commands-'))
const TOKEN_VAULT_AUDIT_LOG = join(folder, 'audit.log')

let database: TestDatabase
let vault: TestVault

beforeAll(async () => {
  database = await createTestDatabase()
  vault = await startVault({ databaseUrl: database.url, env: { TOKEN_VAULT_MASTER_KEYS } })
})
afterAll(async () => {
  await endAll()
  await vault.close()
  await database.drop()
  rmSync(folder, { recursive: true })
})

const run = (...args: string[]) => runWith({ TOKEN_VAULT_AUDIT_LOG }, ...args)

async function runWith(env: Record<string, string>, ...args: string[]) {
  const command = tokenVault(args, { DATABASE_URL: database.url, TOKEN_VAULT_MASTER_KEYS, ...env })
  const code = await command.ended
  return { code, stdout: command.stdout(), stderr: command.stderr().split('\n').slice(0, -1) }
}

const rows = (table: string) => database.query(`select * from ${table}`)

const NAME = /^--name: .*, for example --name crm$/
const SCOPES = /^--scopes: .*tokens:list,.*, for example --scopes tokens:use,tokens:write$/
const EXPIRES_AT = /^--expires-at: .*, for example --expires-at 2030-01-31T12:00:00Z$/

/** What is asked for, as options and as a body, and what is said of it. */
const WRONG: [options: Record<string, string>, faults: RegExp[]][] = [
  [{}, [NAME]],
  [{ name: 'crm\nbilling' }, [NAME]],
  [{ name: 'x'.repeat(1025) }, [NAME]],
  [{ name: 'crm', scopes: '' }, [SCOPES]],
  [{ name: 'crm', scopes: 'tokens:everything' }, [SCOPES]],
  [{ name: 'crm', scopes: 'tokens:use,tokens:use' }, [SCOPES]],
  [{ name: 'crm', 'expires-at': '2020-01-31T12:00:00Z' }, [EXPIRES_AT]],
  [{ name: 'crm', 'expires-at': '+275760-09-13T00:00:00Z' }, [EXPIRES_AT]],
  [{ name: '', scopes: 'all', 'expires-at': 'tomorrow' }, [NAME, SCOPES, EXPIRES_AT]],
]

describe('keys create', () => {
  test.concurrent.each(WRONG)('refuses what REST refuses, an option a line (%#)', async (given, faults) => {
    const { name, scopes = 'tokens:use', 'expires-at': expires_at } = given
    const options = Object.entries({ scopes, ...given }).map(([option, value]) => `--${option}=${value}`)
    const { code, stdout, stderr } = await run('keys', 'create', ...options)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toEqual(faults.map((fault) => expect.stringMatching(fault) as string))
    const asked = await vault.call('POST', '/v1/keys', { name, scopes: scopes.split(','), expires_at })
    expect([asked.status, asked.body.code]).toEqual([400, 'invalid_request'])
  })

  test('stores nothing of what it refuses', async () => {
    expect(await rows('api_keys')).toEqual([])
    expect(await rows('events')).toEqual([])
  })

  test('takes what REST takes, and the key works', async () => {
    const expiry = ['--expires-at', '9999-12-31T23:59:59Z']
    const name = ['--name', `Büro 7, "crm" ${'x'.repeat(1000)}`]
    const { code, stdout } = await run('keys', 'create', ...name, '--scopes', 'tokens:use, admin', ...expiry)
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^tv_\w+_[\w-]{43}\n$/)])
    const authorization = `Bearer ${stdout.trim()}`
    expect((await vault.call('GET', '/v1/keys', undefined, { authorization })).status).toBe(200)
  })

  test('names a namespace that is not there, or cannot be', async () => {
    const words = ['keys', 'create', '--name', 'crm', '--scopes', 'admin', '--namespace']
    expect((await run(...words, 'nowhere')).stderr).toEqual([
      '--namespace: there is no nowhere: make it with: token-vault namespaces create nowhere',
    ])
    expect((await run(...words, 'no\nwhere')).stderr).toEqual([
      '--namespace: give a name of a-z 0-9 . _ -, for example --namespace billing',
    ])
  })

  test('revokes the key again where its creation cannot be written to the audit log', async () => {
    const opened = createDatabase({ urls: [database.url], size: 1, name: 'test', onLost: () => undefined })
    const before = await rows('api_keys')
    const told: string[] = []
    const during: unknown[] = []
    const record = async (entries: readonly AuditEntry[]) => {
      if (entries.length === 0) return
      during.push(...(await rows('api_keys')))
      throw new StartupError('the disk is full')
    }
    const asked = { subject: undefined, name: 'lost', scopes: 'tokens:use', expiresAt: 'never' }
    const parts = { db: opened.db, tell: (line: string) => told.push(line), record }
    await expect(commandKeys(parts, { action: 'create', ...asked })).rejects.toThrow('the disk is full')
    await opened.close()
    expect(during).toHaveLength(before.length + 1)
    expect([await rows('api_keys'), told]).toEqual([before, []])
  })
})

describe('keys revoke', () => {
  test('says where the ids are, and does not repeat what it was given', async () => {
    for (const [options, name] of [
      [[], 'default'],
      [['--namespace', 'default'], 'default'],
    ] as const) {
      const { code, stderr } = await run('keys', 'revoke', 'nope', ...options)
      const fault = `keys: there is no such key in ${name}: see token-vault keys list --namespace ${name}`
      expect([code, stderr]).toEqual([1, [fault]])
    }
  })

  test('says of the bootstrap key how it is taken away, as REST does', async () => {
    const { code, stderr } = await run('keys', 'revoke', 'bootstrap')
    expect([code, stderr]).toEqual([1, [expect.stringMatching(/^The bootstrap key is not revoked but/)]])
    const { status, body } = await vault.call('DELETE', '/v1/keys/bootstrap')
    expect([status, body.code, [body.detail]]).toEqual([404, 'not_found', stderr])
    expect(body.detail).toMatch(/TOKEN_VAULT_BOOTSTRAP_KEY.* bootstrap-key in the data folder.* restart/)
    expect((await vault.call('GET', '/v1/keys')).status).toBe(200)
  })
})

describe('namespaces', () => {
  test.each([[[]], [['remove']], [['remove', 'billing']]])(
    'says which actions there are before it asks for a name (%#)',
    async (words) => {
      const { code, stderr } = await run('namespaces', ...words)
      expect([code, stderr]).toEqual([1, ['namespaces: say create, list or delete']])
    },
  )

  test('asks for the name that create and delete lack', async () => {
    for (const action of ['create', 'delete']) {
      const { code, stderr } = await run('namespaces', action)
      expect([code, stderr]).toEqual([1, [expect.stringMatching(/^namespaces: give a name of a-z/)]])
    }
  })

  test('deletes nothing where an option of another command stands beside it, or the name is not there', async () => {
    await run('namespaces', 'create', 'kept')
    const before = await rows('namespaces')
    const tried = await run('namespaces', 'delete', 'kept', '--dry-run')
    expect([tried.code, tried.stderr[0]]).toEqual([1, 'namespaces delete takes no --dry-run.'])
    const gone = await run('namespaces', 'delete', 'nowhere')
    expect([gone.code, gone.stderr]).toEqual([
      1,
      ['namespaces: there is no nowhere: see token-vault namespaces list'],
    ])
    expect(await rows('namespaces')).toEqual(before)
  })
})

describe('the namespace "default"', () => {
  const namespaceRows = async () => [await rows('namespaces'), await rows('data_keys')]

  test('is not deleted: the command says why, and what to do instead', async () => {
    const before = await namespaceRows()
    const { code, stderr } = await run('namespaces', 'delete', 'default')
    expect([code, stderr]).toEqual([
      1,
      [
        expect.stringMatching(
          /^namespaces: "default" stays: .* bootstrap key.*; DELETE \/v1\/tokens\?all=true/,
        ),
      ],
    ])
    expect(await namespaceRows()).toEqual(before)
  })

  test('is there for a key that is made before the first start', async () => {
    const fresh = await createTestDatabase()
    const words = ['keys', 'create', '--name', 'crm', '--scopes', 'tokens:list']
    const { code, stdout, stderr } = await runWith(
      { TOKEN_VAULT_AUDIT_LOG, DATABASE_URL: fresh.url },
      ...words,
    )
    expect([code, stdout, stderr]).toEqual([0, expect.stringMatching(/^tv_/), []])
    const started = await startVault({ databaseUrl: fresh.url, env: { TOKEN_VAULT_MASTER_KEYS } })
    const authorization = `Bearer ${stdout.trim()}`
    expect((await started.call('GET', '/v1/tokens', undefined, { authorization })).status).toBe(200)
    await started.close()
    await fresh.drop()
  })

  test('that somebody took out of the database costs the others nothing, and the next start makes it anew', async () => {
    await run('namespaces', 'create', 'billing')
    const scopes = 'tokens:read,tokens:write'
    const made = await run('keys', 'create', '--namespace', 'billing', '--name', 'crm', '--scopes', scopes)
    const billing = { authorization: `Bearer ${made.stdout.trim()}` }
    await database.query(`delete from namespaces where name = 'default'`)

    expect((await vault.call('GET', '/readyz')).status).toBe(200)
    const saved = await vault.save({ id: 't-1', access_token: 'access-1' }, billing)
    expect([saved.status, saved.body.access_token]).toEqual([201, 'access-1'])
    const refused = await vault.save({ id: 't-1', access_token: 'access-1' })
    expect([refused.status, refused.body.code]).toEqual([401, 'unauthorized'])

    const env = { TOKEN_VAULT_MASTER_KEYS, TOKEN_VAULT_BOOTSTRAP_KEY: vault.key }
    const next = await startVault({ databaseUrl: database.url, env })
    expect((await next.save({ id: 't-1', access_token: 'access-1' })).status).toBe(201)
    expect((await next.call('GET', '/readyz')).status).toBe(200)
    await next.close()
  })
})

describe('the audit log', () => {
  const linesOf = (text: string) =>
    text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as AuditLine & { namespace?: string })
      .filter(({ action }) => action !== 'audit.opened')

  test('has what commands change, in a file of its own beside that of the service', async () => {
    const env = { TOKEN_VAULT_AUDIT_LOG: join(folder, 'own.log') }
    await runWith(env, 'namespaces', 'create', 'sales')
    const words = ['--namespace', 'sales', '--name', 'crm', '--scopes', 'tokens:use']
    const { stdout } = await runWith(env, 'keys', 'create', ...words)
    const keyId = stdout.split('_')[1] ?? ''
    await runWith(env, 'keys', 'list', '--namespace', 'sales')
    await runWith(env, 'keys', 'revoke', keyId, '--namespace', 'sales')
    await runWith(env, 'keys', 'revoke', 'nobody', '--namespace', 'sales')
    await runWith(env, 'namespaces', 'delete', 'sales')
    const file = join(folder, 'own.log.commands')
    const lines = linesOf(readFileSync(file, 'utf8'))
    const namespace_id = lines[0]?.namespace_id
    const common = { actor: 'cli', namespace_id, outcome: 'ok' }
    expect(lines).toMatchObject([
      { ...common, action: 'namespace.created', namespace: 'sales' },
      { ...common, action: 'key.created', key_id: keyId, disclosed: { key: expect.any(String) as string } },
      { ...common, action: 'key.revoked', key_id: keyId },
      { ...common, action: 'namespace.deleted', namespace: 'sales' },
    ])
    expect(readFileSync(file, 'utf8')).not.toContain(stdout.trim().slice(-43))
    expect((await runWith(env, 'audit', 'verify', file)).stdout).toMatch(/^OK /)
  })

  test('goes to standard error where it has no file, and a new key still stands alone', async () => {
    const { stdout, stderr } = await runWith({}, 'keys', 'create', '--name', 'x', '--scopes', 'tokens:use')
    expect(stdout).toMatch(/^tv_\w+_[\w-]{43}\n$/)
    expect(linesOf(stderr.join('\n'))).toMatchObject([{ action: 'key.created', actor: 'cli' }])
    expect(stderr.filter((line) => line.includes('"audit.opened"'))).toHaveLength(1)
  })

  test('that cannot be written lets nothing change', async () => {
    const before = [await rows('namespaces'), await rows('api_keys')]
    const env = { TOKEN_VAULT_AUDIT_LOG: join(folder, 'no', 'such', 'audit.log') }
    for (const args of [
      ['namespaces', 'create', 'lost'],
      ['namespaces', 'delete', 'billing'],
      ['keys', 'create', '--name', 'x', '--scopes', 'admin'],
    ]) {
      const { code, stdout, stderr } = await runWith(env, ...args)
      expect([code, stdout]).toEqual([1, ''])
      expect(stderr).toEqual([expect.stringMatching(/^TOKEN_VAULT_AUDIT_LOG: .* cannot be written/)])
    }
    expect([await rows('namespaces'), await rows('api_keys')]).toEqual(before)
  })

  test('is written by commands in turn', async () => {
    const names = Array.from({ length: 4 }, (_, index) => `at-once-${index}`)
    const env = { TOKEN_VAULT_AUDIT_LOG: join(folder, 'turns.log') }
    const ended = await Promise.all(names.map((name) => runWith(env, 'namespaces', 'create', name)))
    expect(ended.map(({ code }) => code)).toEqual([0, 0, 0, 0])
    const file = join(folder, 'turns.log.commands')
    expect(linesOf(readFileSync(file, 'utf8'))).toHaveLength(4)
    expect((await runWith(env, 'audit', 'verify', file)).stdout).toMatch(/^OK /)
  })
})
