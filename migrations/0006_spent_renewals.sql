-- When a refresh token was renewed last, for as long as no token has it: a provider counts the renewals of a refresh
-- token, and neither a deletion nor another refresh token in its place makes it forget. Who saves it again goes on
-- where it stopped. Only providers with a limit leave rows here; they go when they are a day old.

create table spent_renewals (
  namespace_id uuid not null references namespaces on delete cascade,
  digest bytea not null,
  renewals timestamptz[] not null,
  left_at timestamptz not null default now(),
  primary key (namespace_id, digest)
);
create index spent_renewals_left on spent_renewals (namespace_id, left_at);
