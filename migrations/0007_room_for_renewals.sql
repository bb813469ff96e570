-- Room in each page of tokens for the versions that a renewal leaves behind. A claim changes no indexed column, so that
-- its new version needs no entries in the indexes, if it has room beside the old one: of 120,000 claims 94 % had it with
-- a tenth of each page free, 75 % without. After a day of hourly renewals a token took 1,271 bytes of the table instead
-- of 1,358, and a renewal wrote 3,021 bytes of write-ahead log instead of 3,374 ("npm run bench:bloat").
-- Takes a moment and blocks no reads or writes: pages are filled that far from here on, none is written anew.

alter table tokens set (fillfactor = 90);
