import { once } from 'node:events'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { endAll, tokenVault } from './command-line.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(async () => {
  await endAll()
  await database.drop()
})

async function run(command: string, env: Record<string, string>) {
  const settings = { DATABASE_URL: database.url, TOKEN_VAULT_MASTER_KEYS: generateMasterKey('k1') }
  const running = tokenVault([command], { ...settings, ...env })
  return { code: await running.ended, stdout: running.stdout(), stderr: running.stderr() }
}

describe('the doctor', () => {
  test('is content with an address whose port a running service has', async () => {
    const other = createServer().listen(0, '127.0.0.1')
    await once(other, 'listening')
    const { code, stdout } = await run('doctor', { PORT: String((other.address() as AddressInfo).port) })
    other.close()
    expect([code, stdout]).toEqual([0, expect.stringContaining('ok   address\n')])
  })

  test('says of an address of another machine what a start says', async () => {
    const doctor = await run('doctor', { HOST: '192.0.2.1' })
    const start = await run('serve', { HOST: '192.0.2.1', PORT: '0' })
    expect(doctor.stderr).toMatch(/^HOST: 192\.0\.2\.1 is no address of this machine: .*\n$/)
    expect([doctor.code, doctor.stderr]).toEqual([start.code, start.stderr])
  })
})
