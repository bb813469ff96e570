import { execFileSync } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { freePort } from '../../src/embedded/free-port.ts'
import { eventually, isAlive, postgresPidOf } from '../support/embedded-processes.ts'
import { endAll, tokenVault } from './command-line.ts'
import type { CommandLine } from './command-line.ts'

const KEY = /tv_bootstrap_[\w-]{43}/
const TOKEN = { user_name: 'ann', client_id: 'c', refresh_token: 'r' }

let folder: string
let env: Record<string, string>
let url: string
let key: string
let firstKey: string

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vault-start-')))
  chmodSync(folder, 0o755)
  const port = await freePort()
  url = `http://127.0.0.1:${port}`
  env = { PORT: String(port), TMPDIR: folder, LOG_LEVEL: 'warn' }
})
afterEach(endAll)
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** As "npm start" in that folder; resolves when it serves. */
async function start(...args: string[]): Promise<CommandLine> {
  const service = tokenVault(args, env, folder)
  await service.says(`serves on ${url}`)
  return service
}

async function call(method: string, path: string, body?: object): Promise<unknown> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}${path}`, { method, headers, body: body ? JSON.stringify(body) : null })
  return answer.json()
}

const users = async () =>
  ((await call('GET', '/v1/tokens')) as { tokens: { user_name: string }[] }).tokens.map(
    (token) => token.user_name,
  )

describe('in an empty folder, one start after the other', () => {
  it('the first one prints its key once, in a curl line that works as pasted', async () => {
    const service = await start()
    key = firstKey = KEY.exec(service.stdout())?.[0] ?? ''
    const line = /^ +(curl .*)$/m.exec(service.stdout())?.[1] ?? ''
    expect(JSON.parse(execFileSync('bash', ['-c', `${line} --silent`], { encoding: 'utf8' }))).toEqual({
      tokens: [],
    })
    await call('POST', '/v1/tokens', TOKEN)
    service.signal('SIGTERM')
    expect(await service.ended).toBe(0)
    expect(service.stderr()).toBe('')
  })

  it('the second one prints no key and finds the data of the first', async () => {
    const service = await start()
    expect(service.stdout()).not.toMatch(KEY)
    expect(await users()).toEqual(['ann'])
    service.signal('SIGINT')
    service.signal('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it('one with other master keys than the folder keeps names the key that is missing', async () => {
    const TOKEN_VAULT_MASTER_KEYS = generateMasterKey('k2')
    const service = tokenVault([], { ...env, TOKEN_VAULT_MASTER_KEYS }, folder)
    expect(await service.ended).toBe(1)
    expect(service.stderr()).toBe(
      'TOKEN_VAULT_MASTER_KEYS: key "k1" is missing, 2 stored data keys, and 1 token with them, need it: add it to the list\n',
    )
  })

  it('while one serves, another one on the same folder says which process has it', async () => {
    const service = await start()
    const second = tokenVault([], { ...env, PORT: '0' }, folder)
    expect(await second.ended).toBe(1)
    expect(second.stderr()).toMatch(
      new RegExp(
        `^TOKEN_VAULT_DATA_DIR: .* is in use by another token vault, process ${service.pid}\\. .*\\n$`,
      ),
    )
    expect(await users()).toEqual(['ann'])
  })

  it('a used port is a fault, which leaves no Postgres behind', async () => {
    const service = await start()
    const second = tokenVault([], { ...env, TOKEN_VAULT_DATA_DIR: 'second' }, folder)
    expect(await second.ended).toBe(1)
    expect(second.stderr()).toMatch(/^PORT: \d+ is in use on 127\.0\.0\.1/)
    expect(second.stdout() + second.stderr()).not.toMatch(KEY)
    expect(existsSync(join(folder, 'second/postgres/postmaster.pid'))).toBe(false)
    service.signal('SIGTERM')
    expect(await service.ended).toBe(0)
  })

  it('the first one that serves prints the key, whatever those before it came to', async () => {
    const next = tokenVault([], { ...env, TOKEN_VAULT_DATA_DIR: 'second' }, folder)
    await next.says(`${url}/v1/tokens`)
    key = KEY.exec(next.stdout())?.[0] ?? ''
    expect(await users()).toEqual([])
    next.signal('SIGTERM')
    expect(await next.ended).toBe(0)
    key = firstKey
  })

  it('after kill -9 the next one starts, with all that was saved', async () => {
    const service = await start()
    await call('POST', '/v1/tokens', { ...TOKEN, user_name: 'ben', refresh_token: 's' })
    const postgres = postgresPidOf(join(folder, '.token-vault/postgres'))
    service.signal('SIGKILL')
    await service.ended
    const next = await start()
    expect(isAlive(postgres)).toBe(false)
    expect((await users()).sort()).toEqual(['ann', 'ben'])
    next.signal('SIGTERM')
    expect(await next.ended).toBe(0)
  })

  it('Ctrl-C to the whole process group stops it in good order', async () => {
    const service = await start()
    const postgres = postgresPidOf(join(folder, '.token-vault/postgres'))
    service.interruptGroup()
    service.interruptGroup()
    expect(await service.ended).toBe(0)
    expect(service.stderr()).toBe('')
    await eventually(() => !isAlive(postgres))
  })
})

it('keeps no master keys of the operator, nor makes others for a command that lacks them', async () => {
  const kept = { ...env, TOKEN_VAULT_DATA_DIR: 'of-the-operator' }
  const service = tokenVault([], { ...kept, TOKEN_VAULT_MASTER_KEYS: generateMasterKey('k1') }, folder)
  await service.says(`serves on ${url}`)
  service.signal('SIGTERM')
  await service.ended
  const listing = tokenVault(['keys', 'list'], kept, folder)
  expect(await listing.ended).toBe(1)
  expect(listing.stderr()).toBe(
    'TOKEN_VAULT_MASTER_KEYS: give the master keys, or the TOKEN_VAULT_DATA_DIR that keeps them\n',
  )
  expect(existsSync(join(folder, 'of-the-operator/master-keys'))).toBe(false)
})

describe('--ephemeral', () => {
  it('keeps nothing: each start is a first one', async () => {
    const before = readdirSync(folder).sort()
    const first = await start('--ephemeral')
    key = KEY.exec(first.stdout())?.[0] ?? ''
    expect(await users()).toEqual([])
    await call('POST', '/v1/tokens', TOKEN)
    first.signal('SIGTERM')
    expect(await first.ended).toBe(0)
    expect(readdirSync(folder).sort()).toEqual(before)

    const second = await start('serve', '--ephemeral')
    expect(second.stdout()).toMatch(KEY)
    expect(second.stdout()).not.toContain(key)
  })
})
