-- Authorization codes that are being traded at a provider, by the keyed digest of code, client and provider: one request
-- however many ask, on whichever replica. The row is the intent, committed before the code is spent; it goes when the
-- token is stored. What failed is kept for those who wait for it, and swept away within hours.

create table exchanges (
  namespace_id uuid not null references namespaces on delete cascade,
  digest bytea not null,
  fence integer not null,
  lease_until timestamptz not null,
  -- The code may have been spent by an attempt whose answer nobody has.
  uncertain boolean not null,
  -- What the callers are told; null while the code is being traded, and for ever where the owner died.
  failure jsonb,
  primary key (namespace_id, digest)
);
create index exchanges_ended on exchanges (namespace_id, lease_until);
