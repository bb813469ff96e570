import type { Logger } from 'pino'
import type { Database } from '../store/database.ts'
import { createDatabase } from '../store/database.ts'
import type { Backing } from './open-backing.ts'

/** The connections of a service: a pool for each kind of work that must not wait for another. */
export interface Pools {
  callers: Database
  renewing: Database
  /** For data keys: a transaction that waits for them must not hold the connection by which they come. */
  keys: Database
  close(): Promise<void>
}

const CALLER_CONNECTIONS = 16
const RENEWAL_CONNECTIONS = 8
const KEY_CONNECTIONS = 2

/** Connects to nothing yet. Connections that break while idle are logged. */
export function openPools({ urls }: Backing, log: Logger): Pools {
  const open = (name: string, size: number): Database => {
    const onLost = (err: Error) => {
      log.warn({ err, pool: name }, 'a database connection was lost')
    }
    return createDatabase({ urls, size, name, onLost })
  }
  const callers = open('token-vault', CALLER_CONNECTIONS)
  const renewing = open('token-vault renewals', RENEWAL_CONNECTIONS)
  const keys = open('token-vault keys', KEY_CONNECTIONS)
  return {
    callers,
    renewing,
    keys,
    async close() {
      await Promise.all([callers.close(), renewing.close(), keys.close()])
    },
  }
}
