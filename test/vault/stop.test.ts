import pg from 'pg'
import { describe, expect, test } from 'vitest'
import type { Event } from '../../src/contract/events.ts'
import { useWorld } from '../support/renewal-world.ts'
import type { TestVault } from '../support/vault.ts'

/** The first one tells, the others are stopped. */
const world = useWorld({ replicas: 4 })
const [LEFT, STAYS, DELETES] = [1, 2, 3]
const soon = { timeout: 10_000 }

function vaultAt(index: number): TestVault {
  const vault = world.vaults[index]
  if (vault === undefined) throw new Error('no such replica')
  return vault
}

/** A request that its caller can leave. */
function ask({ url, key }: TestVault, method: string, path: string) {
  const caller = new AbortController()
  const headers = { authorization: `Bearer ${key}` }
  const answer = fetch(`${url}${path}`, { method, headers, signal: caller.signal })
  return { answer, caller }
}

async function leave(vault: TestVault, { answer, caller }: ReturnType<typeof ask>): Promise<void> {
  caller.abort()
  await expect(answer).rejects.toThrow()
  await expect.poll(() => vault.log(), soon).toContain('"status":499')
}

async function typesOf(id: string): Promise<string[]> {
  const { body } = await world.vault.call('GET', `/v1/tokens/${id}/events`)
  return (body as { events: Event[] }).events.map(({ type }) => type)
}

const REVOKED = ['token.deleted', 'revocation.succeeded', 'revocation.started', 'token.created']

describe('a stop waits for a revocation under way, and for what it is told by', () => {
  const begin = async (vault: TestVault) => {
    const { id } = await world.save(3600)
    world.zoho.make({ delayMs: 2000 }, 'revoke')
    const asked = ask(vault, 'POST', `/v1/tokens/${id}/revoke`)
    await expect.poll(() => world.zoho.count('revoke'), soon).toBe(1)
    return { id, asked }
  }

  test('though its caller has left', async () => {
    const vault = vaultAt(LEFT)
    const { id, asked } = await begin(vault)
    await leave(vault, asked)
    await vault.stop()
    expect(await typesOf(id)).toEqual(REVOKED)
    expect(vault.audit()).toContainEqual(
      expect.objectContaining({ action: 'token.revoked', token_id: id, outcome: 'ok' }),
    )
  })

  test('whose caller stays, and is answered', async () => {
    const vault = vaultAt(STAYS)
    const { id, asked } = await begin(vault)
    await vault.stop()
    expect((await asked.answer).status).toBe(204)
    expect(await typesOf(id)).toEqual(REVOKED)
    expect(vault.audit()).toContainEqual(
      expect.objectContaining({ action: 'token.revoked', token_id: id, outcome: 'ok' }),
    )
  })
})

test('the audit log hears of a deletion that a stop waits for, though its caller has left', async () => {
  const vault = vaultAt(DELETES)
  const { id } = await world.save(3600)
  const other = new pg.Client({ connectionString: world.database.url })
  await other.connect()
  await other.query('begin')
  await other.query('select from tokens where id = $1 for update', [id])
  const asked = ask(vault, 'DELETE', `/v1/tokens/${id}`)
  const waiting = `select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`
  await expect.poll(() => world.database.query(waiting), soon).toHaveLength(1)
  await leave(vault, asked)
  const stopped = vault.stop()
  await other.end()
  await stopped
  expect(await typesOf(id)).toEqual(['token.deleted', 'token.created'])
  expect(vault.audit()).toContainEqual(
    expect.objectContaining({ action: 'token.deleted', token_id: id, outcome: 'ok' }),
  )
})
