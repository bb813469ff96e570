-- API keys: made, listed and revoked by the namespace that they belong to, found by the id that each request brings.
-- Only the digest of a key is kept. It has 256 random bits, so that a plain SHA-256 is enough.

create table api_keys (
  namespace_id uuid not null references namespaces on delete cascade,
  id text not null collate "C",
  name text not null,
  scopes text[] not null,
  digest bytea not null,
  created_at timestamptz not null default now(),
  expires_at timestamptz,
  last_used_at timestamptz,
  primary key (namespace_id, id)
);

-- A request does not say its namespace. Ids are random: there is one key of an id, without a constraint over all.
create index api_keys_id on api_keys (id);

-- What happens to a key happens to no token.
alter table events alter column token_id drop not null;
