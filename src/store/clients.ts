import { sql } from 'kysely'
import type { ClientDeaths, ClientPause } from '../domain/client.ts'
import { DEATHS_WINDOW_SECONDS, MOST_DEATHS_KEPT, tokensThatBear } from '../domain/client.ts'
import type { NamespaceKeys } from '../domain/keyring.ts'
import type { Claim } from '../domain/renewal.ts'
import { Secret } from '../domain/secret.ts'
import type { Token } from '../domain/token.ts'
import type { Claimer } from './claimer.ts'
import type { Db } from './database.ts'

/** A client id with one secret at one provider, as far as the database may know it. */
export interface Client {
  namespaceId: string
  digest: Buffer
}

export function clientOf(token: Token, keys: NamespaceKeys): Client {
  const client = JSON.stringify([token.provider, token.clientId, secretOf(token)])
  return { namespaceId: token.namespaceId, digest: keys.digest('client', new Secret(client)) }
}

/** A secret that does not open is none, here: the sender meets it again, and says so. */
function secretOf({ clientSecret }: Token): string | null {
  try {
    return clientSecret?.reveal() ?? null
  } catch {
    return null
  }
}

/** By the primary key. */
export async function pausesOf(db: Db, clients: Client[]): Promise<(ClientPause & { digest: Buffer })[]> {
  if (clients.length === 0) return []
  const { rows } = await sql<{ digest: Buffer; reason: ClientPause['reason']; until: Date }>`
    select digest, pause_reason as reason, paused_until as until from clients
    join unnest(${clients.map(({ namespaceId }) => namespaceId)}::uuid[], ${clients.map(({ digest }) => digest)}::bytea[])
      as asked (namespace_id, digest) using (namespace_id, digest)
    where paused_until is not null`.execute(db)
  return rows
}

/** By the primary key. Resolves with true where the client was not paused before. */
export async function pauseClient(db: Db, client: Client, { reason, until }: ClientPause): Promise<boolean> {
  const { rows } = await sql<{ isNew: boolean }>`
    with before as (
      select paused_until > now() as is_paused from clients
      where namespace_id = ${client.namespaceId} and digest = ${client.digest}
    )
    insert into clients (namespace_id, digest, pause_reason, paused_until)
    values (${client.namespaceId}, ${client.digest}, ${reason}, ${until})
    on conflict (namespace_id, digest) do update set pause_reason = excluded.pause_reason,
      paused_until = greatest(clients.paused_until, excluded.paused_until)
    returning not coalesce((select is_paused from before), false) as is_new`.execute(db)
  return rows[0]?.isNew === true
}

/** By the primary key. */
export async function liftPause(db: Db, client: Client): Promise<void> {
  await db
    .deleteFrom('clients')
    .where('namespaceId', '=', client.namespaceId)
    .where('digest', '=', client.digest)
    .execute()
}

/**
 * By the primary keys, and along tokens_client no further than the deaths ask for. Not counted where the token has
 * moved on: it was another refresh token that died.
 */
export async function countDeath({ db, keyring }: Claimer, { token }: Claim): Promise<ClientDeaths> {
  const client = clientOf(token, await keyring.keysOf(token.namespaceId))
  const lately = sql`now() - ${DEATHS_WINDOW_SECONDS} * interval '1 second'`
  const { rows } = await sql<{ died: number }>`
    insert into clients (namespace_id, digest, deaths)
    select id, ${client.digest}::bytea, array[now()] from namespaces where id = ${client.namespaceId}
      and exists (select from tokens where namespace_id = ${token.namespaceId} and id = ${token.id}
        and fence = ${token.fence} and version = ${token.version})
    for key share of namespaces
    on conflict (namespace_id, digest) do update set deaths = array(
      select at from unnest(clients.deaths) as at where at > ${lately} order by at desc limit ${MOST_DEATHS_KEPT}
    ) || now()
    returning cardinality(deaths) as died`.execute(db)
  const died = rows[0]?.died ?? 0
  const tokens = await sql<{ count: number }>`
    select count(*)::int from (
      select from tokens where namespace_id = ${token.namespaceId} and left(client_id, 128) = left(${token.clientId}, 128)
        and client_id = ${token.clientId} and provider = ${token.provider}
      limit ${tokensThatBear(died)}
    ) as counted`.execute(db)
  return { died, tokens: tokens.rows[0]?.count ?? 0 }
}
