import type { TestDatabase } from './database.ts'

/** Numbers of the first and the last token. */
export interface Fill {
  from: number
  to: number
}

/** The name of the one that holds a tenth of all tokens. */
export const BIGGEST_NAMESPACE = 'namespace 0'
const NAMESPACES = 10_000

const seed = (purpose: string) => `(int8send(n) || '${purpose}')::bytea`
const digest = (purpose: string) => `sha256(${seed(purpose)})`
/** Format and key id, then nonce, ciphertext and tag. */
const sealed = (plaintextBytes: number) => `'\\x0100000002${'5e'.repeat(12 + plaintextBytes + 16)}'::bytea`

/**
 * Makes tokens set-wise, as Zoho's are: they are found by their users, their other digests are of nothing, and their
 * secrets do not open. Namespaces are of very different sizes: of a million tokens, the largest has 100,000, the
 * smallest 25. Each token falls due at its moment of the hour that begins in a day. Foreign keys are not checked.
 */
export async function fillTokens({ query }: Pick<TestDatabase, 'query'>, { from, to }: Fill): Promise<void> {
  const namespaces = `(select n, md5('namespace ' || n)::uuid as id from generate_series(0, ${NAMESPACES - 1}) as n)`
  await query(`
    begin;
    set local session_replication_role = replica;
    insert into namespaces (id, name) select id, 'namespace ' || n from ${namespaces} as made on conflict do nothing;
    insert into data_keys (namespace_id, id, purpose, master_key_id, wrapped)
      select made.id, key.id, purpose, 'k1', ${digest('data key')}
      from ${namespaces} as made, (values (1, 'lookup'), (2, 'seal')) as key (id, purpose)
      where n > 0 on conflict do nothing;
    insert into api_keys (namespace_id, id, name, scopes, digest)
      select id, substr(md5('key ' || n), 1, 20), 'made', '{tokens:use}', ${digest('api key')}
      from ${namespaces} as made on conflict do nothing;
    insert into clients (namespace_id, digest, deaths)
      select id, ${digest('client')}, array[now()] from ${namespaces} as made on conflict do nothing;
    insert into tokens (namespace_id, id, provider, user_name, client_id, user_key, identity, client_secret,
        refresh_token, access_token, refresh_digest, access_digest, token_type, scope, api_domain, expires_at,
        lifetime_seconds, status, refresh_due_at, fence, version, created_at, updated_at)
      select namespace_id, id, 'zoho', user_name, client_id, sha256(user_name::bytea),
        sha256(format('["zoho","%s","%s"]', client_id, user_name)::bytea),
        ${sealed(42)}, ${sealed(70)}, ${sealed(70)},
        ${digest('refresh')}, ${digest('access')}, 'Bearer', 'ZohoCRM.modules.ALL,ZohoCRM.settings.ALL',
        'https://www.zohoapis.com', due_at + interval '10 minutes', 3600, 'active', due_at, 0, 1, now(), now()
      from ${numbered({ from, to })};
    insert into refresh_tokens (namespace_id, digest, token_id)
      select namespace_id, ${digest('refresh')}, id from ${numbered({ from, to })};
    insert into spent_renewals (namespace_id, digest, renewals)
      select namespace_id, ${digest('spent')}, array[now()] from ${numbered({ from, to })} where n % 50 = 0;
    insert into events (namespace_id, id, token_id, type, at, actor)
      select namespace_id, id::uuid, id, 'token.saved', now(), 'key:0123456789ab' from ${numbered({ from, to })} where n % 10 = 0;
    commit`)
}

/** What a token's number says of it. Ids grow with it, as UUIDv7 do with the time. */
const numbered = ({ from, to }: Fill) => `(
  select n, md5('namespace ' || floor(${NAMESPACES} * ((n - ${from}) / ${to - from + 1}::float8) ^ 4))::uuid as namespace_id,
    overlay(md5('token ' || n) placing lpad(to_hex(n), 12, '0') from 1)::uuid::text as id,
    'user-' || n || '@example.com:' || 10000000 + n as user_name,
    '1000.' || upper(substr(md5('client ' || n % 1000), 1, 30)) as client_id,
    now() + (24 + n * 0.6180339887498949::float8 - floor(n * 0.6180339887498949::float8)) * interval '1 hour' as due_at
  from generate_series(${from}::bigint, ${to}::bigint) as n
) as numbered`
