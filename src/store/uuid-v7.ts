import { sql } from 'kysely'

/** A UUIDv7 made by the database, for rows whose number only the statement knows: another one for each row. */
export const uuidV7 = sql<string>`(lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0')
  || '7' || substr(replace(gen_random_uuid()::text, '-', ''), 14))::uuid`
