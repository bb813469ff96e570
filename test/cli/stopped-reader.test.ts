import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { Pipe } from '../support/pipe.ts'
import { makePipe } from '../support/pipe.ts'
import type { VaultProcess, VaultSettings } from '../support/vault-process.ts'
import { CLI, startVaultProcess, vaultSettings } from '../support/vault-process.ts'

interface World extends VaultProcess {
  pipe: Pipe
  settings: VaultSettings
}

const preloaded = (code: string) => ['--import', `data:text/javascript,${encodeURIComponent(code)}`, CLI]
/** An end that has to leave threads behind is not to be needed. */
const WITHOUT_LAST_RESORT = preloaded('process.execve = () => undefined')
const READING_FOR_EVER = `
  import { open, read } from 'node:fs'
  open(process.env.TOKEN_VAULT_AUDIT_LOG, (_error, file) => {
    const readOn = () => read(file, Buffer.alloc(4096), readOn)
    readOn()
  })`
/** Far longer than it takes. */
const TIMEOUT = { timeout: 40_000 }

const TOKEN_VAULT_MASTER_KEYS = generateMasterKey('k1')
let database: TestDatabase
const worlds: World[] = []

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await Promise.all(worlds.map((world) => world.kill()))
  for (const { pipe } of worlds) pipe.close()
  await Promise.all(worlds.map(({ settings }) => settings.drop()))
  await database.drop()
})

/** The pipe is its standard output, or takes its audit log; whichever it is not is read, or a file. */
async function start(role: 'output' | 'audit' | 'both', program = WITHOUT_LAST_RESORT): Promise<World> {
  const settings = await vaultSettings(database.url, [], { TOKEN_VAULT_MASTER_KEYS })
  const pipe = makePipe(join(settings.folder, 'pipe'))
  const file = { output: join(settings.folder, 'audit.log'), audit: pipe.path, both: '' }[role]
  if (file !== '') settings.env['TOKEN_VAULT_AUDIT_LOG'] = file
  const vault = await startVaultProcess(settings, program, role === 'audit' ? 'pipe' : pipe.input)
  const world = { ...vault, pipe, settings }
  worlds.push(world)
  return world
}

async function call({ settings: { url, apiKey } }: World, path: string, body?: object): Promise<number> {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' }
  const answer = await fetch(`${url}${path}`, {
    headers,
    ...(body && { method: 'POST', body: JSON.stringify(body) }),
  })
  await answer.arrayBuffer()
  return answer.status
}

/** More than one piece of the log. */
async function logMuch(world: World): Promise<void> {
  for (let count = 0; count < 50; count += 1) expect(await call(world, '/v1/none')).toBe(404)
}

describe.concurrent('a signal ends the service with 0 though', TIMEOUT, () => {
  test('the reader of its log has stopped', async () => {
    const world = await start('output')
    world.pipe.fill()
    await logMuch(world)
    expect(await world.stop()).toBe(0)
  })

  test('the reader of its log has stopped, and dies meanwhile', async () => {
    const world = await start('output')
    world.pipe.fill()
    await logMuch(world)
    const stopped = world.stop()
    await sleep(500)
    world.pipe.abandon()
    expect(await stopped).toBe(0)
  })

  test('the reader of its log and audit log has stopped', async () => {
    const world = await start('both')
    world.pipe.fill()
    expect(await call(world, '/v1/tokens', { user_name: 'ann', access_token: 'a' })).toBe(503)
    expect(await world.stop()).toBe(0)
  })

  test('the reader of its audit log, a named pipe, has stopped', async () => {
    const world = await start('audit')
    world.pipe.fill()
    expect(await call(world, '/v1/tokens', { user_name: 'ben', access_token: 'b' })).toBe(503)
    expect(await world.stop()).toBe(0)
  })

  test('a thread waits for what never comes', async () => {
    const world = await start('audit', preloaded(READING_FOR_EVER))
    expect(await world.stop()).toBe(0)
  })
})

test(
  'what the reader of its log has not read by the signal is there for one who reads on',
  TIMEOUT,
  async () => {
    const world = await start('output')
    world.pipe.fill()
    await logMuch(world)
    const stopped = world.stop()
    let said = ''
    await expect.poll(() => (said += world.pipe.read()), TIMEOUT).toContain('"msg":"stopping"')
    expect(await stopped).toBe(0)
    expect(said.match(/"status":404/g)).toHaveLength(50)
  },
)
