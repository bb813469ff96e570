import type { Caller, Scope } from './domain/caller.ts'
import { SCOPES } from './domain/caller.ts'
import { StartupError } from './domain/errors.ts'
import { createApiKeyStore } from './store/api-key-store.ts'
import type { Db } from './store/database.ts'
import { createNamespace, deleteNamespace, findNamespace, listNamespaces } from './store/namespaces.ts'
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
  if (subject === undefined || !NAMESPACE.test(subject)) {
    throw new StartupError(
      'namespaces: give a name of a-z 0-9 . _ -, for example: token-vault namespaces create billing',
    )
  }
  if (action === 'create') {
    if (!(await createNamespace(db, subject)))
      throw new StartupError(`namespaces: ${subject} is there already`)
  } else if (action === 'delete' && subject === DEFAULT) {
    throw new StartupError('namespaces: "default" is that of the bootstrap key, and stays')
  } else if (action === 'delete') {
    await deleteNamespace(db, (await namespaceOf(db, subject)).namespaceId)
  } else throw new StartupError('namespaces: say create, list or delete')
}

/** A new key is told alone on its line. */
export async function commandKeys(db: Db, words: Words, tell: Tell): Promise<void> {
  const { action, subject } = words
  const caller = await namespaceOf(db, words.namespace ?? DEFAULT)
  const apiKeys = createApiKeys(createApiKeyStore(db))
  if (action === 'create') {
    const { key } = await apiKeys.create(caller, {
      name: words.name ?? '',
      scopes: scopesOf(words.scopes),
      expiresAt: expiryOf(words.expiresAt),
    })
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

async function namespaceOf(db: Db, name: string): Promise<Caller> {
  const namespace = await findNamespace(db, name)
  if (namespace === null) {
    throw new StartupError(
      `namespaces: there is no ${name}: make it with: token-vault namespaces create ${name}`,
    )
  }
  return { keyId: 'cli', namespaceId: namespace.id, scopes: new Set(SCOPES) }
}

function scopesOf(text: string | undefined): Scope[] {
  const given = (text ?? '').split(',').map((scope) => scope.trim())
  const unknown = given.filter((scope) => !SCOPES.includes(scope as Scope))
  if (unknown.length === 0) return given as Scope[]
  throw new StartupError(`--scopes: give some of ${SCOPES.join(',')}`)
}

function expiryOf(text: string | undefined): Date | null | undefined {
  if (text === undefined) return undefined
  if (text === 'never') return null
  const at = new Date(text)
  if (!Number.isNaN(at.getTime())) return at
  throw new StartupError('--expires-at: give a time or never, for example --expires-at 2030-01-31T12:00:00Z')
}
