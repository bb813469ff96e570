-- Each start, and each probe of readiness, tries one data key of each master key. By this index it goes from one master
-- key to the next, however many data keys there are: a namespace gets 122 a year. Counting them all took 150 ms at
-- 800,000. It is of the operator, as master keys are, and so is over all namespaces.
-- Building it takes a second for a million keys. Reads go on meanwhile; who needs a new data key waits.

create index data_keys_master on data_keys (master_key_id);
