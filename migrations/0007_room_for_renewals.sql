-- Room in each page of tokens for the versions that a renewal leaves behind. A claim changes no indexed column, so that
-- its new version needs no entries in the indexes, if it has room beside the old one: of 120,000 claims 98 % had it with
-- a fifth of each page free, 75 % without; a renewal wrote 2,957 bytes of write-ahead log instead of 3,374, and a token
-- took 1,420 bytes of the table after a day of hourly renewals instead of 1,358 ("npm run bench:bloat").
-- Takes a moment and blocks no reads or writes: pages are filled that far from here on, none is written anew.

alter table tokens set (fillfactor = 80);
