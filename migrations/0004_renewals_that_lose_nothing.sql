-- What a renewal needs to know of one that was cut off, and of the client on whose behalf it is made.

alter table tokens
  -- Who holds the lease, and since when: for whoever takes over from it.
  add column lease_owner text,
  add column claimed_at timestamptz,
  -- Since then nobody knows what came of a renewal: the provider may have replaced the refresh token.
  add column lost_at timestamptz;

-- The refresher's queue, a provider at a time: one that is slow must not stand before the others.
drop index tokens_due;
create index tokens_due on tokens (provider, refresh_due_at) where refresh_due_at is not null;

-- Client ids may be longer than an index can hold.
create index tokens_client on tokens (namespace_id, left(client_id, 128)) where client_id is not null;

-- A client id with one secret at one provider, by their digest: whether it is not to be used for now, and when tokens
-- of it have died lately.
create table clients (
  namespace_id uuid not null references namespaces on delete cascade,
  digest bytea not null,
  pause_reason text check (pause_reason in ('client_refused', 'mass_failure')),
  paused_until timestamptz,
  deaths timestamptz[] not null default '{}',
  primary key (namespace_id, digest)
);
