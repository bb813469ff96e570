import type { Caller } from './domain/caller.ts'
import { SCOPES } from './domain/caller.ts'
import { StartupError, VaultError } from './domain/errors.ts'
import { readKeyOrder } from './http/key-order.ts'
import { createApiKeyStore } from './store/api-key-store.ts'
import type { Db } from './store/database.ts'
import { createNamespace, deleteNamespace, findNamespace, listNamespaces } from './store/namespaces.ts'
import type { ApiKeys } from './vault/api-keys.ts'
import { createApiKeys } from './vault/api-keys.ts'

/** What a command was given beside its name. */
export interface Words {
  action: string | undefined
  /** The name or id after the action. */
  subject: string | undefined
  namespace?: string
  name?: string
  scopes?: string
  expiresAt: string | undefined
}

const DEFAULT = 'default'

type Tell = (line: string) => void

const NAMESPACE = /^[a-z0-9][a-z0-9._-]{0,62}$/

export async function commandNamespaces(db: Db, { action, subject }: Words, tell: Tell): Promise<void> {
  if (action === 'list') {
    for (const { name, createdAt } of await listNamespaces(db)) tell(`${name}\t${createdAt.toISOString()}`)
    return
  }
  const name = nameOf(subject)
  if (action === 'create') {
    if (!(await createNamespace(db, name))) throw new StartupError(`namespaces: ${name} is there already`)
  } else if (action === 'delete' && name === DEFAULT) {
    throw new StartupError(
      'namespaces: "default" stays: it is that of the bootstrap key, and each start would make it anew; DELETE /v1/tokens?all=true empties it',
    )
  } else if (action === 'delete') {
    await deleteNamespace(db, (await namespaceOf(db, name)).namespaceId)
  } else throw new StartupError('namespaces: say create, list or delete')
}

/** A new key is told alone on its line. */
export async function commandKeys(db: Db, words: Words, tell: Tell): Promise<void> {
  const { action, subject } = words
  const caller = await namespaceOf(db, words.namespace ?? DEFAULT)
  const apiKeys = createApiKeys(createApiKeyStore(db))
  if (action === 'create') {
    const { key } = await createKey(apiKeys, caller, words)
    tell(key.reveal())
  } else if (action === 'list') {
    for (const key of await apiKeys.list(caller)) {
      tell([key.id, key.name, key.scopes.join(','), key.expiresAt?.toISOString() ?? 'never'].join('\t'))
    }
  } else if (action === 'revoke' && subject !== undefined) await apiKeys.revoke(caller, subject)
  else
    throw new StartupError(
      'keys: say create, list or revoke ID, for example: token-vault keys create --namespace default --name crm --scopes tokens:use',
    )
}

function nameOf(given = ''): string {
  if (NAMESPACE.test(given)) return given
  throw new StartupError(
    'namespaces: give a name of a-z 0-9 . _ -, for example: token-vault namespaces create billing',
  )
}

async function namespaceOf(db: Db, name: string): Promise<Caller> {
  const namespace = await findNamespace(db, nameOf(name))
  if (namespace === null) {
    throw new StartupError(
      `namespaces: there is no ${name}: make it with: token-vault namespaces create ${name}`,
    )
  }
  return { keyId: 'cli', namespaceId: namespace.id, scopes: new Set(SCOPES) }
}

/** By what field of an order an option is judged, and what to say where it is wrong. */
const OPTIONS = {
  '/name': '--name: give 1 to 1,024 characters, no control characters, for example --name crm',
  '/scopes': `--scopes: give some of ${SCOPES.join(',')}, each once, for example --scopes tokens:use,tokens:write`,
  '/expires_at': '--expires-at: give a time to come, or never, for example --expires-at 2030-01-31T12:00:00Z',
}

async function createKey(apiKeys: ApiKeys, caller: Caller, { name = '', scopes = '', expiresAt }: Words) {
  const body = { name, scopes: scopes.split(',').map((scope) => scope.trim()), expires_at: expiresAt ?? null }
  try {
    return await apiKeys.create(caller, readKeyOrder(body))
  } catch (error) {
    const pointers = error instanceof VaultError ? (error.facts.errors ?? []) : []
    const faults = Object.entries(OPTIONS).filter(([field]) =>
      pointers.some(({ pointer }) => pointer === field || pointer.startsWith(`${field}/`)),
    )
    throw faults.length > 0 ? new StartupError(...faults.map(([, fault]) => fault)) : error
  }
}
