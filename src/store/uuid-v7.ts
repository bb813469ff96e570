import { sql } from 'kysely'

/** A UUIDv7 made by the database, for rows whose number only the statement knows. */
export const uuidV7 = sql<string>`(select (substr(ms, 1, 8) || '-' || substr(ms, 9, 4) || '-7' || substr(gen_random_uuid()::text, 16))::uuid
  from lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') as ms)`
