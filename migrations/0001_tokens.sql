-- Namespaces, their wrapped data keys, their tokens and what happened to them.
-- Every table, unique constraint and index but the refresher's begins with the namespace: it is the wall between
-- callers, and the column by which the tables can be spread over machines one day. What is secret is bytea, sealed
-- by the service; what is looked up by a secret is its keyed digest. No default, trigger or sequence decides anything.

create table namespaces (
  id uuid primary key,
  name text not null unique collate "C",
  created_at timestamptz not null default now()
);

create table data_keys (
  namespace_id uuid not null references namespaces on delete cascade,
  id integer not null check (id > 0),
  purpose text not null check (purpose in ('seal', 'lookup')),
  master_key_id text not null,
  wrapped bytea not null,
  created_at timestamptz not null default now(),
  primary key (namespace_id, id)
);

create table tokens (
  namespace_id uuid not null,
  id text not null collate "C",
  provider text not null collate "C",
  user_name text,
  client_id text collate "C",
  -- Digests, made by the service, of the user_name as it is compared (a database's idea of lower case depends on its
  -- locale) and of user, client and provider together: names may be longer than an index can hold.
  user_key bytea,
  identity bytea,

  client_secret bytea,
  refresh_token bytea,
  grant_token bytea,
  access_token bytea,
  refresh_digest bytea,
  grant_digest bytea,
  access_digest bytea,
  -- The first 8 bytes of the digests of the last 16 access tokens that renewals replaced: a save that still
  -- brings one of them is late. No provider that we know keeps more access tokens of one grant alive.
  replaced_access bytea not null default '',

  token_type text,
  scope text,
  redirect_url text,
  api_domain text,
  expires_at timestamptz,
  lifetime_seconds double precision,

  status text not null check (status in ('active', 'failing', 'reauth_required')),
  error_code text,
  error_detail text,
  error_at timestamptz,
  error_attempts integer,

  -- The renewal: when it falls due, who holds it until when, and how often this refresh token was used lately.
  refresh_due_at timestamptz,
  retry_at timestamptz,
  lease_until timestamptz,
  fence integer not null,
  renewals timestamptz[] not null default '{}',

  version integer not null,
  created_at timestamptz not null,
  updated_at timestamptz not null,
  refreshed_at timestamptz,
  last_used_at timestamptz,
  primary key (namespace_id, id)
);

-- One identity, one token; a user has one token without a client at each provider.
create unique index tokens_identity on tokens (namespace_id, user_key, identity) where user_key is not null;
create index tokens_grant on tokens (namespace_id, grant_digest) where grant_digest is not null;
create index tokens_access on tokens (namespace_id, access_digest) where access_digest is not null;
-- The refresher's queue, over all namespaces.
create index tokens_due on tokens (refresh_due_at) where refresh_due_at is not null;

-- Every refresh token that a token has or had: an application that still holds an old one finds its token by it.
create table refresh_tokens (
  namespace_id uuid not null,
  digest bytea not null,
  token_id text not null collate "C",
  primary key (namespace_id, digest),
  foreign key (namespace_id, token_id) references tokens (namespace_id, id) on delete cascade
);
create index refresh_tokens_token on refresh_tokens (namespace_id, token_id);

create table events (
  namespace_id uuid not null,
  id uuid not null,
  token_id text not null collate "C",
  type text not null,
  at timestamptz not null,
  actor text not null,
  facts jsonb not null default '{}',
  primary key (namespace_id, id)
);
create index events_token on events (namespace_id, token_id, id);
