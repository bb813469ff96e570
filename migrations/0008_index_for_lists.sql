-- A page of the tokens of one client, or of one status, is read along an index, from the id where the page before ended.
-- Among 100,000 tokens of a namespace a page of a client that has one in a hundred took 53 ms along the primary key; one
-- of a client that has nearly all of them 167 ms along an index without the id, since each page had to be sorted out of
-- them all. With it both take 1 to 5 ms, and an entry of the index 46 bytes more.
-- Most tokens are active, and have no entry for that. A claim changes neither id, client nor status: its new version
-- needs no entries, as before.
-- Reads the table twice and blocks writes to it meanwhile, and reads for a moment at the end.

create index tokens_status on tokens (namespace_id, status, id) where status <> 'active';

create index tokens_client_and_id on tokens (namespace_id, left(client_id, 128), id) where client_id is not null;
drop index tokens_client;
alter index tokens_client_and_id rename to tokens_client;
