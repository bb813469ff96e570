-- A renewal goes on when its token is deleted or gets another refresh token in the meantime: whoever saves the refresh
-- token again waits for the end of it, so that nobody presents it a second time. What was lost stays so, too,
-- and so does until when the provider has asked to be left alone. So providers without a limit leave rows here, too.

alter table spent_renewals
  add column lease_until timestamptz,
  add column lease_owner text,
  add column claimed_at timestamptz,
  add column lost_at timestamptz,
  add column retry_at timestamptz;
