import { sql } from 'kysely'

/**
 * A UUIDv7 made by the database, for rows whose number only the statement knows: another one for each row. The 12
 * bits behind the milliseconds are a fraction of one (RFC 9562, 6.2, method 3): what one transaction does stays in
 * its order.
 */
export const UUID_V7 = `(overlay(
    lpad(to_hex((extract(epoch from clock_timestamp()) * 4096000)::bigint), 15, '0') placing '7' from 13 for 0)
  || substr(replace(gen_random_uuid()::text, '-', ''), 17))::uuid`

/** The same, within another statement. */
export const uuidV7 = sql.raw<string>(UUID_V7)

/** A lower bound of the UUIDv7s of a moment. */
export const uuidV7Floor = (moment: string): string =>
  `rpad(lpad(to_hex((extract(epoch from ${moment}) * 1000)::bigint), 12, '0'), 32, '0')::uuid`
