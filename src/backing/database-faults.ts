import { StartupError, VaultError } from '../domain/errors.ts'
import { isPassing, SQLSTATE, sqlState } from '../store/storage-faults.ts'

/** What the codes of Postgres and of the network mean to an operator. */
const MEANINGS: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'the host is unknown',
  EAI_AGAIN: 'the host is unknown',
  '08P01': 'a pooler refuses the connection, or a parameter of the URL',
  '0A000': 'a pooler refuses a parameter of the URL',
  '25006': 'it takes no writes',
  '28000': 'it does not let this user in',
  '28P01': 'it refuses the password',
  '3D000': 'it has no such database',
  '53300': 'it takes no more connections',
  '55P03': 'somebody holds a lock',
  '57014': 'it took too long',
  '57P01': 'it ended the connection',
  '57P03': 'it is not ready',
}

/** In a word that holds no secret. */
export function reasonOf(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException
  if (code === undefined) {
    if (message.includes('does not support SSL')) return 'it offers no TLS, which sslmode asks for'
    return message.includes('timeout') ? 'timeout' : 'no connection'
  }
  const meaning = MEANINGS[code]
  return meaning === undefined ? code : `${code}: ${meaning}`
}

/** What the operator is told of a right that Postgres refuses, or of its loss in the middle; any other error as it is. */
export function explainDatabaseFault(error: unknown): unknown {
  if (error instanceof StartupError) return error
  const cause = error instanceof VaultError ? error.cause : error
  if (cause instanceof Error && sqlState(cause) === SQLSTATE.insufficientPrivilege) {
    return new StartupError(
      `DATABASE_URL: ${cause.message} (${SQLSTATE.insufficientPrivilege}): ${remedyOf(cause.message)}`,
    )
  }
  if (!isPassing(cause)) return error
  return new StartupError(`DATABASE_URL: Postgres failed in the middle (${reasonOf(cause)}): run it again`)
}

/** `docs/deploy.md` has the grants. */
function remedyOf(refusal: string): string {
  if (refusal.includes('owner'))
    return 'run it as the role that owns the tables, which has migrated them so far'
  return /schema/i.test(refusal)
    ? 'grant usage, and to migrate create, on schema public to its role'
    : 'grant select, insert, update, delete on all tables in schema public to its role'
}
