import type { Caller } from '../domain/caller.ts'
import { SCOPES } from '../domain/caller.ts'
import { StartupError, VaultError } from '../domain/errors.ts'
import { readKeyRequest } from '../http/key-requests.ts'
import { createApiKeyStore } from '../store/api-key-store.ts'
import { DEFAULT_NAMESPACE } from '../store/namespaces.ts'
import type { ApiKeys } from '../vault/api-keys.ts'
import { BOOTSTRAP_ID, createApiKeys } from '../vault/api-keys.ts'
import type { CommandParts, Words } from './administer.ts'
import { audited } from './administer.ts'
import { namespaceOf } from './namespaces.ts'

/** A new key is told alone on its line. */
export async function commandKeys(parts: CommandParts, words: Words): Promise<void> {
  const { db, tell } = parts
  const { action, subject } = words
  const caller = await namespaceOf(db, words.namespace ?? DEFAULT_NAMESPACE)
  const apiKeys = createApiKeys(createApiKeyStore(db))
  if (action === 'create') {
    const { disclosed } = await audited(
      parts,
      'key.created',
      async () => {
        const { apiKey, key } = await createKey(apiKeys, caller, words)
        return { namespaceId: caller.namespaceId, keyId: apiKey.id, disclosed: { key } }
      },
      ({ keyId }) => apiKeys.revoke(caller, keyId),
    )
    tell(disclosed.key.reveal())
  } else if (action === 'list') {
    for (const key of await apiKeys.list(caller)) {
      tell([key.id, key.name, key.scopes.join(','), key.expiresAt?.toISOString() ?? 'never'].join('\t'))
    }
  } else if (action === 'revoke' && subject !== undefined) {
    await audited(parts, 'key.revoked', async () => {
      await revokeKey(apiKeys, caller, subject, words)
      return { namespaceId: caller.namespaceId, keyId: subject }
    })
  } else
    throw new StartupError(
      'keys: say create, list or revoke ID, for example: token-vault keys create --namespace default --name crm --scopes tokens:use',
    )
}

/** What was given is not repeated: it may be the key in place of its id. */
async function revokeKey(apiKeys: ApiKeys, caller: Caller, id: string, { namespace }: Words): Promise<void> {
  try {
    await apiKeys.revoke(caller, id)
  } catch (error) {
    if (!(error instanceof VaultError) || error.code !== 'not_found' || id === BOOTSTRAP_ID) throw error
    const name = namespace ?? DEFAULT_NAMESPACE
    throw new StartupError(
      `keys: there is no such key in ${name}: see token-vault keys list --namespace ${name}`,
    )
  }
}

/** By what field of a request an option is judged, and what to say where it is wrong. */
const OPTIONS = {
  '/name': '--name: give 1 to 1,024 characters, no control characters, for example --name crm',
  '/scopes': `--scopes: give some of ${SCOPES.join(',')}, each once, for example --scopes tokens:use,tokens:write`,
  '/expires_at': '--expires-at: give a time to come, or never, for example --expires-at 2030-01-31T12:00:00Z',
}

async function createKey(apiKeys: ApiKeys, caller: Caller, { name = '', scopes = '', expiresAt }: Words) {
  const body = { name, scopes: scopes.split(',').map((scope) => scope.trim()), expires_at: expiresAt ?? null }
  try {
    return await apiKeys.create(caller, readKeyRequest(body))
  } catch (error) {
    const pointers = error instanceof VaultError ? (error.facts.errors ?? []) : []
    const faults = Object.entries(OPTIONS).filter(([field]) =>
      pointers.some(({ pointer }) => pointer === field || pointer.startsWith(`${field}/`)),
    )
    throw faults.length > 0 ? new StartupError(...faults.map(([, fault]) => fault)) : error
  }
}
