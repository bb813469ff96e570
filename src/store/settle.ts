import type { Event } from '../domain/event.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Claim, Settlement } from '../domain/renewal.ts'
import { REFRESHER } from '../domain/token.ts'
import type { Token } from '../domain/token.ts'
import { createBatch } from './batch.ts'
import type { Claimer } from './claimer.ts'
import { clientOf, liftPause, pauseClient } from './clients.ts'
import type { Db } from './database.ts'
import { recordEvents } from './record-events.ts'
import type { TokenRow } from './schema.ts'
import { presentedBy, settleLate } from './settle-late.ts'
import type { Settling } from './settle-together.ts'
import { settleTogether } from './settle-together.ts'
import { columnsOf, keepRotated, RING, UNLEASED, updateOf } from './settled-columns.ts'
import { isPassing, isRace } from './storage-faults.ts'
import { isSameToken, keysFor, toToken } from './token-rows.ts'

/** Little beside the time that a provider takes; of settlements that come together, most come within it. */
const GATHER_MS = 5
/** Short beside a lease. To settle twice does no harm. */
const PATIENCE_MS = 500

/**
 * Settles with others what is plain, and alone what is not: a settlement that fails takes none with it, and none waits
 * for a lock that another one needs.
 */
export function createSettle(claimer: Claimer) {
  const { db, keyring, owner } = claimer
  const together = createBatch({
    run: (settlings: readonly Settling[]) => settleTogether(db, settlings),
    isCommon: (error) => isPassing(error) && !isRace(error),
    gatherMs: GATHER_MS,
    patienceMs: PATIENCE_MS,
  })
  return async (claim: Claim, settlement: Settlement): Promise<Token | null> => {
    const keys = await keyring.keysOf(settlement.token.namespaceId)
    const settling = { claim, settlement, columns: columnsOf(settlement, claim.token, keys), owner }
    const settled = settlement.pause === undefined ? await together(settling) : null
    return settled ?? settleAlone(claimer, settling, keys)
  }
}

/**
 * By the primary key, compare-and-set on the fence. Only columns that the outcome changes are written: a save that
 * came in the meantime keeps its own. A failure says nothing about a token that has been saved since.
 */
async function settleAlone(
  { db, keyring, owner }: Claimer,
  { claim, settlement, columns }: Settling,
  keys: NamespaceKeys,
): Promise<Token | null> {
  const { token, event } = settlement
  const read = async (row: TokenRow) => toToken(row, await keysFor(keyring, token.namespaceId, [row]))
  const succeeded = event.type === 'renewal.succeeded'
  const row = await db.transaction().execute(async (trx): Promise<TokenRow | null> => {
    let update = updateOf(trx, token, columns)
      .set(UNLEASED)
      .where('fence', '=', claim.fence)
      .where('leaseUntil', 'is not', null)
      .where('leaseOwner', '=', owner)
      .where(isSameToken(claim.token))
    if (succeeded) update = update.set({ replacedAccess: RING })
    else update = update.where('version', '=', claim.token.version)
    const [updated] = await update.returningAll().execute()
    if (updated === undefined)
      return settleLate(trx, { claim, settlement, columns, keys, presented: presentedBy(claim, keys), read })
    await keepRotated(trx, token, columns)
    const paused = await settlePause(trx, token, settlement, keys)
    await recordEvents(trx, token, [event, ...paused])
    return updated
  })
  return row && read(row)
}

async function settlePause(
  db: Db,
  token: Token,
  { pause }: Settlement,
  keys: NamespaceKeys,
): Promise<Event[]> {
  if (pause === undefined) return []
  const client = clientOf(token, keys)
  if (pause === null) {
    await liftPause(db, client)
    return []
  }
  const isNew = await pauseClient(db, client, pause)
  const facts = { client_id: token.clientId ?? '', reason: pause.reason, until: pause.until.toISOString() }
  return isNew ? [{ type: 'client.paused', actor: REFRESHER, facts }] : []
}
