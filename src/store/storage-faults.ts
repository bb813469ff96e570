import pg from 'pg'
import { storageUnavailable, VaultError } from '../domain/errors.ts'

/** By the names that Postgres has for them. */
export const SQLSTATE = {
  uniqueViolation: '23505',
  readOnlySqlTransaction: '25006',
  invalidAuthorizationSpecification: '28000',
  invalidPassword: '28P01',
  invalidCatalogName: '3D000',
  serializationFailure: '40001',
  deadlockDetected: '40P01',
  insufficientPrivilege: '42501',
  lockNotAvailable: '55P03',
  queryCanceled: '57014',
  internalError: 'XX000',
}

/** What says: not now. Anything else is a fault of ours. Of connections, resources, interventions and the system. */
const PASSING_CLASSES = ['08', '53', '57', '58']
const PASSING_CODES = new Set([
  SQLSTATE.readOnlySqlTransaction,
  SQLSTATE.invalidAuthorizationSpecification,
  SQLSTATE.invalidPassword,
  SQLSTATE.invalidCatalogName,
  SQLSTATE.serializationFailure,
  SQLSTATE.deadlockDetected,
  SQLSTATE.insufficientPrivilege,
  SQLSTATE.lockNotAvailable,
  SQLSTATE.internalError,
])

/** The same methods, with each error that is not the caller's turned into the VaultError `storage_unavailable`. */
export function guardStorage<Store extends Record<keyof Store, Method>>(store: Store): Store {
  return Object.fromEntries(
    Object.entries<Method>(store).map(([name, method]) => [
      name,
      async (...args: never[]): Promise<unknown> => {
        try {
          return await method(...args)
        } catch (error) {
          throw isPassing(error) ? storageUnavailable(NO_DATABASE, error) : error
        }
      },
    ]),
  ) as Store
}

type Method = (...args: never[]) => Promise<unknown>

const NO_DATABASE = 'The database cannot be reached just now.'

/** Does it say nothing of what was asked for, but of the storage at this moment? */
export function isPassing(error: unknown): boolean {
  const code = sqlState(error)
  if (code !== null) return PASSING_CODES.has(code) || PASSING_CLASSES.includes(code.slice(0, 2))
  return error instanceof Error && !(error instanceof VaultError) && isConnectionError(error)
}

/**
 * Races that the next try sees the end of. A lock that took too long is one: saves of one identity may queue for longer
 * than a lock may take, and give their connection back meanwhile.
 */
const RACES = new Set([
  SQLSTATE.uniqueViolation,
  SQLSTATE.deadlockDetected,
  SQLSTATE.serializationFailure,
  SQLSTATE.lockNotAvailable,
])

export function isRace(error: unknown): boolean {
  const state = sqlState(error)
  return state !== null && RACES.has(state)
}

/** Postgres gave the statement up, as one that took too long. */
export function isTimeout(error: unknown): boolean {
  return sqlState(error) === SQLSTATE.queryCanceled
}

/** Five characters from Postgres; null for errors of the connection, of which EPIPE has five too, and all others. */
export function sqlState(error: unknown): string | null {
  return error instanceof pg.DatabaseError ? (error.code ?? null) : null
}

/** What pg and the network say when a connection breaks or cannot be had; a file's fault has a path. */
function isConnectionError(error: Error): boolean {
  if ('path' in error) return false
  const code = 'code' in error ? String(error.code) : ''
  return (
    /^(E(?!RR_)[A-Z_]+|CERT_|ERR_(SSL|TLS))/.test(code) ||
    /connection (terminated|ended|has been discarded)|timeout (exceeded|expired)|not queryable|closed the connection|pool after calling end/i.test(
      error.message,
    ) ||
    error instanceof AggregateError
  )
}
