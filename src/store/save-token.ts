import type { Keyring } from '../domain/keyring.ts'
import type { Candidate, SaveRequest } from '../domain/save.ts'
import { sha256 } from '../domain/sha256.ts'
import type { SavePlan } from '../domain/token-store.ts'
import type { TokenRef } from '../domain/token.ts'
import { createBatch } from './batch.ts'
import type { Planned } from './carry-out.ts'
import { carryOut } from './carry-out.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import { createKeyedQueue } from './keyed-queue.ts'
import type { Identities, Met } from './save-candidates.ts'
import { identitiesOf, selectCandidates, toCandidate, withSecrets } from './save-candidates.ts'
import { isPassing, isRace, isTimeout } from './storage-faults.ts'
import { keysFor, SecretLeftOutError } from './token-rows.ts'

type Plan = (candidates: Candidate[], now: Date) => SavePlan

interface Saved {
  plan: SavePlan
  now: Date
}

export type SaveToken = (namespaceId: string, save: SaveRequest, plan: Plan) => Promise<Saved>

interface PendingSave {
  namespaceId: string
  identities: Identities
  /** Held until the commit. */
  locks: string[]
  plan: Plan
}

/** What became of one save among others; `again`: it has to be made by itself. */
type Outcome = { saved: Saved } | { refused: unknown } | 'again'

const MOST_TRIES = 5
/**
 * Saves that share an identity wait for each other; saves that do not never meet. They wait in this process first, so
 * that a crowd at one identity holds one connection of each replica and leaves the others to other callers. Saves of one
 * turn of the event loop make one transaction, for as long as nothing is in the way of it: a save that has to wait, or
 * that fails, is made by itself.
 */
export function createSaveToken(db: Db, keyring: Keyring): SaveToken {
  const queue = createKeyedQueue()
  const together = createBatch<PendingSave, Outcome>({
    run: (saves) => saveTogether(db, keyring, saves),
    isCommon: () => true,
  })
  const alone = async (pending: PendingSave): Promise<Outcome> => {
    for (let tries = 1; ; tries += 1) {
      try {
        const [outcome] = await saveAll(db, keyring, [pending], false)
        return outcome ?? 'again'
      } catch (error) {
        if (!isRace(error) || tries === MOST_TRIES) throw error
      }
    }
  }
  return async (namespaceId, save, plan) => {
    const identities = identitiesOf(save, await keyring.keysOf(namespaceId))
    const pending = { namespaceId, identities, locks: lockKeys(namespaceId, identities), plan }
    return queue(pending.locks, async () => {
      const outcome = await together(pending)
      return savedBy(outcome === 'again' ? await alone(pending) : outcome)
    })
  }
}

function savedBy(outcome: Outcome): Saved {
  if (outcome === 'again') throw new Error('a save by itself was put off')
  if ('refused' in outcome) throw outcome.refused
  return outcome.saved
}

/**
 * One that fails, or takes too long, takes all of them back; only the storage's own state is no reason to try each by
 * itself.
 */
async function saveTogether(db: Db, keyring: Keyring, saves: readonly PendingSave[]): Promise<Outcome[]> {
  try {
    return await saveAll(db, keyring, saves, true)
  } catch (error) {
    const isOfAll = isPassing(error) && !isRace(error) && !isTimeout(error)
    if (isOfAll) throw error
    return saves.map(() => 'again')
  }
}

/** With `nowait`, whoever would have to wait for another transaction, or for one of the others here, is put off. */
function saveAll(
  db: Db,
  keyring: Keyring,
  saves: readonly PendingSave[],
  nowait: boolean,
): Promise<Outcome[]> {
  return db.transaction().execute(async (trx) => {
    const held = await takeLocks(trx, saves, nowait)
    const able = saves.filter((_, index) => held[index])
    const met = await selectCandidates(trx, able, nowait)
    const meetFirst = createMeetings()
    const planned = new Map<PendingSave, Planned>()
    const outcomes = new Map<PendingSave, Outcome>()
    for (const [index, pending] of able.entries()) {
      const own = met[index]
      if (own === undefined || own.isBlocked || !meetFirst(pending, own.rows)) continue
      const outcome = await planAmong(trx, keyring, pending, own)
      outcomes.set(pending, 'refused' in outcome ? outcome : { saved: { plan: outcome.plan, now: own.now } })
      if ('plan' in outcome) planned.set(pending, outcome)
    }
    await carryOut(trx, [...planned.values()])
    return saves.map((pending) => outcomes.get(pending) ?? 'again')
  })
}

/** Of a crowd of candidates the secrets come for those that the plan turns out to be about: it is made anew with them. */
async function planAmong(
  trx: Db,
  keyring: Keyring,
  { namespaceId, identities, plan }: PendingSave,
  { rows, now }: Met,
): Promise<Planned | { refused: unknown }> {
  for (let known = rows; ;) {
    const stored = known.map((row) => row.stored)
    const keys = await keysFor(keyring, namespaceId, stored)
    const isLeftOut = (token: TokenRef | null) =>
      known.some(({ stored: { id }, isWhole }) => id === token?.id && !isWhole)
    let wanted: TokenRef[]
    try {
      const planned = plan(
        known.map((row) => toCandidate(row, identities, keys)),
        now,
      )
      wanted = [planned.replaces, planned.absorbed].filter((token) => token !== null).filter(isLeftOut)
      if (wanted.length === 0) return { plan: planned, keys }
    } catch (error) {
      if (!(error instanceof SecretLeftOutError) || !isLeftOut(error.token)) return { refused: error }
      wanted = [error.token]
    }
    known = await withSecrets(trx, known, wanted)
  }
}

/** Notes which tokens a save meets, and tells whether none of them was met by one before it. */
function createMeetings() {
  const met = new Set<string>()
  return ({ namespaceId }: PendingSave, rows: Met['rows']): boolean => {
    const keys = rows.map(({ stored }) => `${namespaceId}/${stored.id}`)
    const isFirst = !keys.some((key) => met.has(key))
    for (const key of keys) met.add(key)
    return isFirst
  }
}

/** Each lock by itself: what is held by another transaction shows whom it concerns. */
const TAKE_FREE_LOCKS = `/* take_free_locks */
  select nth, bool_and(pg_try_advisory_xact_lock(key)) as held
  from unnest($1::int[], $2::bigint[]) as wanted (nth, key) group by nth`
const TAKE_LOCKS = `/* take_locks */ select pg_advisory_xact_lock(key) from unnest($1::bigint[]) as key`

/** Which of the saves hold all of their locks. */
async function takeLocks(trx: Db, saves: readonly PendingSave[], nowait: boolean): Promise<boolean[]> {
  if (!nowait) {
    await runPrepared(trx, TAKE_LOCKS, [saves.flatMap(({ locks }) => locks)])
    return saves.map(() => true)
  }
  const owners = saves.flatMap(({ locks }, index) => locks.map(() => index))
  const rows = await runPrepared<{ nth: number; held: boolean }>(trx, TAKE_FREE_LOCKS, [
    owners,
    saves.flatMap(({ locks }) => locks),
  ])
  const refused = new Set(rows.filter(({ held }) => !held).map(({ nth }) => nth))
  return saves.map((_, index) => !refused.has(index))
}

/** In their order, so that no two saves wait for each other in a circle. */
function lockKeys(namespaceId: string, identities: Identities): string[] {
  return Object.entries(identities)
    .filter(([, value]) => value !== null)
    .map(([kind, value]) => lockKey(namespaceId, kind as keyof Identities, value as string | Buffer))
    .sort((one, other) => (one < other ? -1 : 1))
    .map(String)
}

/** The advisory lock that a save holds of each identity until it commits. */
export function lockKey(namespaceId: string, kind: keyof Identities, value: string | Buffer): bigint {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value
  return sha256(Buffer.concat([Buffer.from(`${namespaceId}:${kind}:`), bytes])).readBigInt64BE()
}
