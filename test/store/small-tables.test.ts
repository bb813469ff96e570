import { CompiledQuery } from 'kysely'
import type { QueryResultRow } from 'pg'
import { afterAll, expect, test } from 'vitest'
import { renewalTerms } from '../../src/domain/renewal.ts'
import type { Token } from '../../src/domain/token.ts'
import { createDatabase } from '../../src/store/database.ts'
import { ZOHO } from '../support/domain.ts'
import { useStorage } from '../support/memory-storage.ts'
import { logQueries } from '../support/query-log.ts'
import { accessPath, planNodes } from '../support/query-plans.ts'
import { openStorage, renewed } from '../support/token-storage.ts'

const queries = logQueries()
const the = useStorage(openStorage)
afterAll(queries.stop)

/** From so many rows on, Postgres looks at a table by itself. */
const FEW = 60

async function save(user: number, accessToken: string): Promise<Token> {
  const client = { clientId: '1000.CLIENT', clientSecret: 'secret' }
  const tokens = { refreshToken: `refresh-${user}`, accessToken: `${accessToken}-${user}`, expiresIn: 3600 }
  return the.replica.save({ ...client, ...tokens, userName: `user-${user}` })
}

async function work(): Promise<void> {
  const { store } = the.replica
  const { id, namespaceId } = await save(FEW, 'one')
  await save(FEW, 'two')
  await store.findBy(namespaceId, { by: 'user_name', userName: 'ann' }, { provider: null, clientId: null })
  await store.claimDue([{ ...renewalTerms(ZOHO), places: 8 }], { limit: 8, busy: [], takeOver: true })
  const claim = await the.replica.claim(id)
  if (claim !== null) await the.replica.settle(claim, renewed('three'))
}

test('the plans of a vault that is nearly empty are those that it needs when it is full', async () => {
  for (let user = 0; user < FEW; user += 1) await save(user, 'first')
  const statements = await queries.during(work)
  await the.storage.database.query('analyze tokens, refresh_tokens, events')
  const urls = [the.storage.database.url]
  const opened = createDatabase({ urls, size: 1, name: 'test', onLost: () => undefined })
  const query = async <Row extends QueryResultRow>(text: string, values: unknown[] = []) =>
    (await opened.db.withoutPlugins().executeQuery<Row>(CompiledQuery.raw(text, values))).rows
  const unbounded = new Set<string>()
  for (const statement of statements) {
    const paths = (await planNodes({ query }, statement)).map(accessPath).filter((path) => path !== null)
    for (const path of paths) if (/Seq Scan|\(\)/.test(path)) unbounded.add(path)
  }
  await opened.close()
  expect(statements.length).toBeGreaterThan(10)
  expect([...unbounded]).toEqual([])
})
