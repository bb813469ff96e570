-- Rotations of the data keys. They go over all namespaces: one at most is unfinished, and a run that was cut off is
-- continued by the next one instead of begun anew.

create table key_rotations (
  started_at timestamptz primary key,
  finished_at timestamptz
);
create unique index key_rotations_unfinished on key_rotations ((finished_at is null)) where finished_at is null;
