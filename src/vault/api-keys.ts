import type { ApiKey, ApiKeyStore } from '../domain/api-key.ts'
import { digestOfKey, generateApiKey, newApiKeyId } from '../domain/api-key.ts'
import type { Caller, Scope } from '../domain/caller.ts'
import { allows } from '../domain/caller.ts'
import { invalidRequest, VaultError } from '../domain/errors.ts'
import { Secret } from '../domain/secret.ts'

/** A key that was just made: the only moment at which it can be shown. */
interface NewApiKey {
  apiKey: ApiKey
  key: Secret
}

export interface KeyRequest {
  name: string
  scopes: Scope[]
  /** Null: in 90 days. */
  expiresAt: Date | 'never' | null
}

/** The keys of a namespace, for those who hold one with `admin`, and for the command line. */
export interface ApiKeys {
  /** @throws VaultError `insufficient_scope` for a scope that the caller does not hold itself */
  create(caller: Caller, request: KeyRequest): Promise<NewApiKey>
  list(caller: Caller): Promise<ApiKey[]>
  /** @throws VaultError `not_found` */
  revoke(caller: Caller, id: string): Promise<void>
}

/** What the bootstrap key is called where its operator has not named it otherwise. It is none of the stored ones. */
export const BOOTSTRAP_ID = 'bootstrap'
const BOOTSTRAP_STAYS =
  'The bootstrap key is not revoked but taken away: it is that of TOKEN_VAULT_BOOTSTRAP_KEY, or of the file bootstrap-key ' +
  'in the data folder. Unset the variable or set another key, or remove the file for a new one, and restart.'

const DEFAULT_LIFE_MS = 90 * 86_400_000

export function createApiKeys(store: ApiKeyStore): ApiKeys {
  return {
    async create(caller, { name, scopes, expiresAt: asked }) {
      const { namespaceId, keyId: actor } = caller
      const missing = scopes.find((scope) => !allows(caller, scope))
      if (missing !== undefined) {
        throw new VaultError(
          'insufficient_scope',
          `A key makes only keys whose scopes it holds: it lacks ${missing}.`,
        )
      }
      const now = await store.now()
      const expiresAt = asked === 'never' ? null : (asked ?? new Date(now.getTime() + DEFAULT_LIFE_MS))
      if (expiresAt !== null && expiresAt <= now) {
        throw invalidRequest('The key would be born expired.', '/expires_at', 'lies in the past')
      }
      const id = newApiKeyId()
      const key = generateApiKey(id)
      const event = { type: 'key.created', actor, facts: { key_id: id, scopes } } as const
      const apiKey = await store.add({ namespaceId, id, name, scopes, expiresAt }, digestOfKey(key), event)
      return { apiKey, key: new Secret(key) }
    },
    list: ({ namespaceId }) => store.list(namespaceId),
    async revoke({ namespaceId, keyId: actor }, id) {
      const event = { type: 'key.revoked', actor, facts: { key_id: id } } as const
      if (await store.remove(namespaceId, id, event)) return
      throw new VaultError('not_found', id === BOOTSTRAP_ID ? BOOTSTRAP_STAYS : 'There is no such key.')
    },
  }
}
