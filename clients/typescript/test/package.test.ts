import { execFile } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FakeVault } from './fake-vault.ts'

const run = promisify(execFile)
const PACKAGE = fileURLToPath(new URL('..', import.meta.url))

/** What an application does first; `load` is how it comes by a module. */
const application = (load: (name: string) => string) => `
  const { createTokenVaultClient, TokenVaultError } = ${load('token-vault-client')}
  const { createZohoTokenStore } = ${load('token-vault-client/zoho')}
  const vault = createTokenVaultClient({ url: process.argv[1], apiKey: 'tv_app_key' })
  const unknown = vault.accessToken('unknown').catch((error) => error instanceof TokenVaultError && error.code)
  Promise.all([vault.get('a'), unknown]).then(([token, code]) => {
    console.log([token.id, code, typeof createZohoTokenStore].join())
  })`

const MODULES = [
  ['module', application((name) => `await import('${name}')`)],
  ['commonjs', application((name) => `require('${name}')`)],
] as const

/** The Node that runs the tests, and whatever others the PATH has. */
function nodesOfThisMachine(): string[] {
  const folders = (process.env['PATH'] ?? '').split(delimiter)
  const found = folders.map((folder) => join(folder, 'node')).filter((file) => existsSync(file))
  return [...new Set([process.execPath, ...found].map((file) => realpathSync(file)))]
}

describe('the packed package, installed where there is nothing else', () => {
  let folder: string
  let vault: FakeVault

  beforeAll(async () => {
    vault = await new FakeVault().start()
    vault.put({ id: 'a' })
    folder = await mkdtemp(join(tmpdir(), 'token-vault-client-'))
    await run('npm', ['pack', '--pack-destination', folder], { cwd: PACKAGE })
    const [packed = ''] = await readdir(folder)
    await run('npm', ['install', '--offline', `./${packed}`], { cwd: folder })
  })

  afterAll(async () => {
    await vault.stop()
    await rm(folder, { recursive: true })
  })

  test('brings nothing along', async () => {
    expect(await readdir(join(folder, 'node_modules'))).toEqual(['.package-lock.json', 'token-vault-client'])
  })

  describe.each(nodesOfThisMachine())('works in %s', (node) => {
    test.each(MODULES)('as a %s', async (type, source) => {
      const args = [`--input-type=${type}`, '--eval', source, vault.url]
      const { stdout } = await run(node, args, { cwd: folder })
      expect(stdout.trim()).toBe('a,not_found,function')
    })
  })
})
