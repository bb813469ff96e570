import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Candidate, SaveRequest } from '../domain/save.ts'
import type { TokenRef } from '../domain/token.ts'
import type { Db } from './database.ts'
import { runPrepared } from './database.ts'
import type { TokenRow } from './schema.ts'
import type { StoredJson, StoredToken } from './stored-token.ts'
import { readStored, STORED_TOKEN } from './stored-token.ts'
import { METADATA, toToken, userKey } from './token-rows.ts'

/** Everything by which a save can meet a stored token. */
export interface Identities {
  id: string | null
  userKey: Buffer | null
  grantDigest: Buffer | null
  refreshDigest: Buffer | null
  accessDigest: Buffer | null
}

export function identitiesOf(save: SaveRequest, keys: NamespaceKeys): Identities {
  return {
    id: save.id,
    userKey: save.userName === null ? null : userKey(save.userName),
    grantDigest: save.grantToken && keys.digest('grant_token', save.grantToken),
    refreshDigest: save.refreshToken && keys.digest('refresh_token', save.refreshToken),
    accessDigest: save.accessToken && keys.digest('access_token', save.accessToken),
  }
}

type CandidateColumn = 'userKey' | 'refreshDigest' | 'grantDigest' | 'accessDigest' | 'replacedAccess'

export interface CandidateRow extends Pick<TokenRow, CandidateColumn> {
  stored: StoredToken
  holdsRefresh: boolean
  /** Without its secrets it is one of a crowd. */
  isWhole: boolean
}

/** The stored tokens that one save meets, and the database's clock after they were locked. */
export interface Met {
  rows: CandidateRow[]
  now: Date
  /** Another transaction holds one of them. */
  isBlocked: boolean
}

/** A save is about two tokens at most. A user may have thousands, each with 64 KB of secrets. */
const MOST_WHOLE = 2

/**
 * By the primary key, tokens_identity, tokens_grant, tokens_access and refresh_tokens' primary key: each gives ids, and
 * the ids give the rows. Of one condition with `or` between them, a plan for a namespace as small as most of them goes
 * through all of it. A save that names no user may still give its token an identity that another token of the same user
 * has.
 */
const textOf = (name: string, lock: string) => `/* ${name} */
  select nth::int, clock_timestamp() as "now", meeting.count as met, found.*
  from unnest($1::uuid[], $2::text[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bytea[]) with ordinality
    as given (of_namespace, given_id, given_user, given_grant, given_refresh, given_access, nth)
  left join refresh_tokens as holder on holder.namespace_id = of_namespace and holder.digest = given_refresh
  cross join lateral (select array(
    select id from tokens where namespace_id = of_namespace and id = given_id union all select holder.token_id
    union all select id from tokens where namespace_id = of_namespace and grant_digest = given_grant
    union all select id from tokens where namespace_id = of_namespace and access_digest = given_access
  ) as named offset 0) as by_name
  cross join lateral (select array(
    select unnest(named)
    union all select id from tokens where namespace_id = of_namespace and user_key = given_user
    union all select same.id from tokens as other
      cross join lateral (select id from tokens
        where namespace_id = of_namespace and user_key = other.user_key offset 0) as same
      where given_user is null and other.namespace_id = of_namespace and other.id = any(named)
  ) as ids offset 0) as known
  cross join lateral (select count(distinct id)::int as count from unnest(ids) as id offset 0) as meeting
  left join lateral (
    select case when meeting.count <= ${MOST_WHOLE} then ${STORED_TOKEN} else ${METADATA} end as token,
      meeting.count <= ${MOST_WHOLE} as "isWhole", user_key as "userKey", refresh_digest as "refreshDigest",
      grant_digest as "grantDigest", access_digest as "accessDigest", replaced_access as "replacedAccess",
      coalesce(id = holder.token_id, false) as "holdsRefresh"
    from tokens where namespace_id = of_namespace and id = any(ids) order by id for update ${lock}
  ) as found on true`

const CANDIDATES = textOf('save_candidates', '')
const CANDIDATES_NOW = textOf('save_candidates_now', 'skip locked')

/**
 * The stored tokens that each of these saves meets, locked until the end of the transaction. With `nowait` those that
 * another transaction holds are left out.
 */
export async function selectCandidates(
  trx: Db,
  saves: readonly { namespaceId: string; identities: Identities }[],
  nowait: boolean,
): Promise<Met[]> {
  const column = <Value>(value: (given: Identities) => Value) =>
    saves.map(({ identities }) => value(identities))
  const values = [
    saves.map(({ namespaceId }) => namespaceId),
    column(({ id }) => id),
    column((given) => given.userKey),
    column((given) => given.grantDigest),
    column((given) => given.refreshDigest),
    column((given) => given.accessDigest),
  ]
  const met: Met[] = saves.map(() => ({ rows: [], now: new Date(0), isBlocked: false }))
  type Row = Omit<CandidateRow, 'stored'> & { nth: number; now: Date; met: number; token: StoredJson | null }
  for (const row of await runPrepared<Row>(trx, nowait ? CANDIDATES_NOW : CANDIDATES, values)) {
    const one = met[row.nth - 1]
    if (one === undefined) continue
    one.now = row.now
    if (row.token !== null) one.rows.push({ ...row, stored: readStored(row.token) })
    one.isBlocked = nowait && one.rows.length < row.met
  }
  return met
}

/** The same candidates, of which these have their secrets, too. */
export async function withSecrets(
  trx: Db,
  rows: readonly CandidateRow[],
  wanted: readonly TokenRef[],
): Promise<CandidateRow[]> {
  const whole = await runPrepared<{ token: StoredJson }>(trx, WHOLE, [
    wanted.map(({ namespaceId }) => namespaceId),
    wanted.map(({ id }) => id),
  ])
  const byId = new Map(whole.map(({ token }) => readStored(token)).map((stored) => [stored.id, stored]))
  return rows.map((row) => {
    const isWanted = wanted.some(({ id }) => id === row.stored.id)
    return isWanted ? { ...row, stored: byId.get(row.stored.id) ?? row.stored, isWhole: true } : row
  })
}

/** By the primary key. */
const WHOLE = `/* save_candidates_whole */
  select ${STORED_TOKEN} as token from unnest($1::uuid[], $2::text[]) as wanted (of_namespace, wanted_id)
  join tokens on namespace_id = of_namespace and id = wanted_id`

export function toCandidate(row: CandidateRow, given: Identities, keys: NamespaceKeys): Candidate {
  const holdsRefresh = row.holdsRefresh
  return {
    token: toToken(row.stored, keys),
    shares: {
      id: row.stored.id === given.id,
      user_name: same(row.userKey, given.userKey),
      grant_token: same(row.grantDigest, given.grantDigest),
      refresh_token: holdsRefresh,
      access_token: same(row.accessDigest, given.accessDigest),
    },
    formerRefreshToken: holdsRefresh && !same(row.refreshDigest, given.refreshDigest),
    replacedAccessToken: given.accessDigest !== null && wasReplaced(row.replacedAccess, given.accessDigest),
  }
}

function same(one: Buffer | null, other: Buffer | null): boolean {
  return one !== null && other !== null && one.equals(other)
}

/** As many bytes of a digest as the ring of replaced access tokens keeps. */
const RING_ENTRY_BYTES = 8

function wasReplaced(ring: Buffer, digest: Buffer): boolean {
  const entry = digest.subarray(0, RING_ENTRY_BYTES)
  for (let offset = 0; offset < ring.length; offset += RING_ENTRY_BYTES) {
    if (ring.subarray(offset, offset + RING_ENTRY_BYTES).equals(entry)) return true
  }
  return false
}
