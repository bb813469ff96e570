import { afterAll, beforeAll, expect, test } from 'vitest'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { createMasterKeys } from '../../src/crypto/master-keys.ts'
import { VaultError } from '../../src/domain/errors.ts'
import type { CodeClaim, CodeRef, CodeStore } from '../../src/domain/exchange.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createCodeStore } from '../../src/store/code-store.ts'
import { createDataKeyStore } from '../../src/store/data-key-store.ts'
import type { Database } from '../../src/store/database.ts'
import { createDatabase } from '../../src/store/database.ts'
import { ensureNamespace } from '../../src/store/namespaces.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'

const REFUSED = new VaultError('grant_refused', 'The provider refuses the code.')
const FAILED = { type: 'exchange.failed', actor: 'test' } as const

let own: TestDatabase
let database: Database
let codes: CodeStore
let namespaceId: string
let codesMade = 0

beforeAll(async () => {
  own = await createTestDatabase()
  database = createDatabase({ urls: [own.url], size: 4, name: 'test', onLost: () => undefined })
  namespaceId = await ensureNamespace(database.db, 'default')
  const master = createMasterKeys([{ id: 'k1', bytes: Buffer.alloc(32, 1) }])
  codes = createCodeStore(database.db, createKeyring(createDataKeyStore(database.db), master, Date.now))
})
afterAll(async () => {
  await database.close()
  await own.drop()
})

const newCode = () => ({
  namespaceId,
  provider: 'zoho',
  clientId: 'client',
  grantToken: new Secret(`code-${(codesMade += 1)}`),
})
const claim = (code: CodeRef, takeOver = true) => codes.claim(code, { leaseSeconds: 25, takeOver })
const endLeases = () => own.query("update exchanges set lease_until = now() - interval '1 second'")

async function claimed(code: CodeRef): Promise<CodeClaim> {
  const made = await claim(code)
  if (made === null) throw new Error('the code was not claimed')
  return made
}

/** A claim whose lease has run out, and from which another one took over. */
async function takenOver() {
  const code = newCode()
  const first = await claimed(code)
  await endLeases()
  await claimed(code)
  return { code, first }
}

test('a code is left to an owner whose lease has run out while nobody may take over', async () => {
  const code = newCode()
  await claimed(code)
  await endLeases()
  expect(await claim(code, false)).toBeNull()
  expect(await claim(code)).toMatchObject({ fence: 2, uncertain: true })
})

test('a code that has failed is nobody’s: it is claimed anew without a take-over', async () => {
  const code = newCode()
  await codes.fail(await claimed(code), REFUSED, false, FAILED)
  expect(await claim(code, false)).toMatchObject({ fence: 2, uncertain: false })
})

test('the end of a claim that was taken over leaves the other one alone', async () => {
  const { code, first } = await takenOver()
  await codes.end(first)
  expect(await codes.read(code)).toBe('under_way')
  expect(await claim(code)).toBeNull()
})

test('a code that was traded is not claimed again, and its token is known', async () => {
  const code = newCode()
  await claimed(code)
  await codes.succeed(code, { namespaceId, id: 'traded' })
  await endLeases()
  expect(await claim(code)).toBeNull()
  expect(await codes.read(code)).toEqual({ namespaceId, id: 'traded' })
})

test('a token that comes late is kept, whatever became of the claim that took over', async () => {
  const { code } = await takenOver()
  await codes.succeed(code, { namespaceId, id: 'late' })
  await codes.fail({ code, fence: 2, claimedAt: new Date(), uncertain: true }, REFUSED, true, FAILED)
  expect(await codes.read(code)).toEqual({ namespaceId, id: 'late' })
  expect(await claim(code)).toBeNull()
})

test('a failure is told once, however often it is kept', async () => {
  const claim = await claimed(newCode())
  const told = () => own.query('select type from events')
  const before = await told()
  for (let tries = 0; tries < 2; tries += 1) await codes.fail(claim, REFUSED, false, FAILED)
  expect(await told()).toHaveLength(before.length + 1)
  expect(await codes.read(claim.code)).toMatchObject({ code: 'grant_refused' })
})

test('a failure of a claim that was taken over is not kept', async () => {
  const { code, first } = await takenOver()
  await codes.fail(first, REFUSED, false, FAILED)
  expect(await codes.read(code)).toBe('under_way')
})
