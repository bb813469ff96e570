import { createSingleFlight } from '../domain/single-flight.ts'
import type { TokenRef } from '../domain/token.ts'
import { createBatch } from './batch.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'

/** By the primary key. Who has a token locked changes it, and holds up nobody who only wants to note its use. */
const TOUCH = `/* touch_tokens */
  with used as (
    select namespace_id, id from unnest($1::uuid[], $2::text[]) as asked (of_namespace, of_token)
    cross join lateral (select namespace_id, id from tokens
      where namespace_id = of_namespace and id = of_token
        and (last_used_at is null or last_used_at < now() - interval '1 hour')
      for no key update skip locked) as found
  )
  update tokens set last_used_at = now() from used
  where tokens.namespace_id = used.namespace_id and tokens.id = used.id`

/** Nobody waits for it: what is read within this time is noted together. */
const GATHER_MS = 100

/**
 * Notes the use of tokens, many in a statement: each for itself would cost more than the find that it is of. What many
 * are given at once is noted once.
 */
export function createTouch(db: Db): (token: TokenRef) => Promise<void> {
  const touch = createBatch({
    isCommon: () => true,
    gatherMs: GATHER_MS,
    async run(tokens: readonly TokenRef[]) {
      const namespaces = tokens.map(({ namespaceId }) => namespaceId)
      await runPrepared(db, TOUCH, [namespaces, tokens.map(({ id }) => id)])
      return tokens.map(() => undefined)
    },
  })
  const noteOnce = createSingleFlight<undefined>()
  // Not the token itself: where many wait, all that they hold would wait with them.
  return ({ namespaceId, id }) => noteOnce(`${namespaceId}/${id}`, () => touch({ namespaceId, id }))
}
