-- A page of the tokens of one status is read along an index, from the id where the page before ended. Most tokens are
-- active, and have no entry. A claim does not change the status: its new version needs no entry, as before.

create index tokens_status on tokens (namespace_id, status, id) where status <> 'active';
