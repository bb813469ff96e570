import type { Keyring } from '../domain/keyring.ts'
import type { TokenStore } from '../domain/token-store.ts'
import { claimDue, claimOne, extendLease } from './claims.ts'
import { countDeath } from './clients.ts'
import type { Db } from './database.ts'
import { deleteMany, deleteToken, deleteUntouched } from './delete-tokens.ts'
import { createLookUp } from './look-ups.ts'
import { createLockedNamespaces } from './locked-namespaces.ts'
import { findBy, getToken, listTokens } from './read-tokens.ts'
import { recordAlone } from './record-events.ts'
import { createSaveToken } from './save-token.ts'
import { createSettle } from './settle.ts'
import { guardStorage } from './storage-faults.ts'
import { createTouch } from './touch-tokens.ts'

interface PostgresTokenStoreParts {
  /** Callers and renewals have connections of their own, so that neither starves the other. */
  callers: Db
  renewals: Db
  keyring: Keyring
  /** The name of this replica, as events tell it. */
  owner: string
}

/** Tokens in Postgres. */
export function createPostgresTokenStore(parts: PostgresTokenStoreParts): TokenStore {
  const { callers, keyring } = parts
  const lookUp = createLookUp(callers)
  const locked = createLockedNamespaces()
  const claimer = { db: parts.renewals, keyring, owner: parts.owner, locked }
  return guardStorage<TokenStore>({
    findBy: (namespaceId, criterion, narrowing, openable = 'all') =>
      findBy(lookUp, keyring, namespaceId, criterion, narrowing, openable),
    get: (ref, openable = 'all') => getToken(lookUp, keyring, ref, openable),
    list: (namespaceId, page) => listTokens(callers, keyring, namespaceId, page),
    save: createSaveToken(callers, keyring),
    delete: (ref, event, ifVersion) => deleteToken(callers, ref, event, ifVersion),
    deleteUntouched: (token, event) => deleteUntouched(callers, token, event),
    record: (ref, event) => recordAlone(callers, ref, event),
    deleteMany: (namespaceId, filter, event) => deleteMany(callers, namespaceId, filter, event),
    touch: createTouch(callers),
    claimDue: (terms, options) => claimDue(claimer, terms, options),
    claim: (token, terms, options) => claimOne(claimer, token, terms, options),
    extend: (claim) => extendLease(claimer, claim),
    countDeath: (claim) => countDeath(claimer, claim),
    settle: createSettle(claimer),
  })
}
