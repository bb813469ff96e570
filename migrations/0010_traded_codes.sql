-- What a code was traded for is remembered when the token has a newer code by now: a provider that is sent a code twice
-- revokes what it gave for it. No key to the token, which may be gone: its code is spent all the same.

alter table exchanges
  -- The token that the code was traded for; null while it is being traded, or where that failed.
  add column token_id text;
