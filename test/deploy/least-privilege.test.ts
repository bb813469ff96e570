import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { startVault } from '../support/vault.ts'

const role = `vault_${randomBytes(6).toString('hex')}`
let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
  await database.query(`create role ${role} login password 'app'`)
})
afterAll(async () => {
  await database.query(`drop owned by ${role}`)
  await database.query(`drop role ${role}`)
  await database.drop()
})

it('a role that may only read and write the tables is enough to serve, as docs/deploy.md says', async () => {
  await database.query(`grant select, insert, update, delete on all tables in schema public to ${role}`)
  const databaseUrl = Object.assign(new URL(database.url), { username: role, password: 'app' }).href
  const vault = await startVault({ databaseUrl })
  try {
    const saved = await vault.save({ user_name: 'ann', client_id: 'c', refresh_token: 'r' })
    expect(saved.status).toBe(201)
    expect((await vault.find({ user_name: 'ann' })).body.id).toBe(saved.body.id)
    expect((await vault.call('DELETE', `/v1/tokens/${saved.body.id}`)).status).toBe(204)
  } finally {
    await vault.close()
  }
})
