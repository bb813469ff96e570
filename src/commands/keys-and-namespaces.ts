import type { Logger } from 'pino'
import { commandRecord } from '../backing/open-audit.ts'
import { prepareSchema } from '../backing/prepare-schema.ts'
import type { Config } from '../config/config.ts'
import type { AuditEntry } from '../domain/audit.ts'
import type { Caller } from '../domain/caller.ts'
import { SCOPES } from '../domain/caller.ts'
import { StartupError, VaultError } from '../domain/errors.ts'
import { COMMAND_LINE } from '../domain/token.ts'
import { readKeyRequest } from '../http/key-requests.ts'
import { createApiKeyStore } from '../store/api-key-store.ts'
import type { Db } from '../store/database.ts'
import {
  createNamespace,
  DEFAULT_NAMESPACE,
  deleteNamespace,
  ensureNamespace,
  findNamespace,
  listNamespaces,
} from '../store/namespaces.ts'
import type { ApiKeys } from '../vault/api-keys.ts'
import { BOOTSTRAP_ID, createApiKeys } from '../vault/api-keys.ts'
import { withDatabase } from './with-database.ts'

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

/** What a command works with. */
interface CommandParts {
  db: Db
  tell: (line: string) => void
  /** To the audit log; with nothing to tell it finds out whether it could. */
  record: (entries: readonly AuditEntry[]) => Promise<void>
}

/** Carries out `keys` or `namespaces` with the settings' database. */
export function administer(
  config: Config,
  log: Logger,
  what: 'keys' | 'namespaces',
  words: Words,
  tell: CommandParts['tell'],
): Promise<void> {
  // Of a namespace that is deleted millions of rows may go.
  return withDatabase(config, log, { patient: words.action === 'delete' }, async (database, backing) => {
    await prepareSchema(database, backing)
    const carryOut = what === 'keys' ? commandKeys : commandNamespaces
    await carryOut({ db: database.db, tell, record: commandRecord(config, backing) }, words)
  })
}

const NAMESPACE = /^[a-z0-9][a-z0-9._-]{0,62}$/

async function commandNamespaces(parts: CommandParts, { action, subject }: Words): Promise<void> {
  switch (action) {
    case 'list':
      for (const { name, createdAt } of await listNamespaces(parts.db))
        parts.tell(`${name}\t${createdAt.toISOString()}`)
      return
    case 'create':
      return makeNamespace(parts, nameOf(subject))
    case 'delete':
      return removeNamespace(parts, nameOf(subject))
    default:
      throw new StartupError('namespaces: say create, list or delete')
  }
}

async function makeNamespace(parts: CommandParts, name: string): Promise<void> {
  await audited(parts, 'namespace.created', async () => {
    const namespaceId = await createNamespace(parts.db, name)
    if (namespaceId === null) throw new StartupError(`namespaces: ${name} is there already`)
    return { namespaceId, namespace: name }
  })
}

async function removeNamespace(parts: CommandParts, name: string): Promise<void> {
  if (name === DEFAULT_NAMESPACE) {
    throw new StartupError(
      'namespaces: "default" stays: it is that of the bootstrap key, and each start would make it anew; DELETE /v1/tokens?all=true empties it',
    )
  }
  await audited(parts, 'namespace.deleted', async () => {
    const namespace = await findNamespace(parts.db, name)
    if (namespace === null)
      throw new StartupError(`namespaces: there is no ${name}: see token-vault namespaces list`)
    await deleteNamespace(parts.db, namespace.id)
    return { namespaceId: namespace.id, namespace: name }
  })
}

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

/**
 * The audit log is told of a change before anybody else is. Where it cannot be written at the beginning, nothing
 * changes; where that fails only afterwards, the change is there without its line, unless it can be undone.
 */
async function audited<Change extends Omit<AuditEntry, 'action' | 'actor' | 'outcome'>>(
  { record }: CommandParts,
  action: AuditEntry['action'],
  change: () => Promise<Change>,
  undo?: (changed: Change) => Promise<void>,
): Promise<Change> {
  await record([])
  const changed = await change()
  try {
    await record([{ ...changed, action, actor: COMMAND_LINE, outcome: 'ok' }])
  } catch (error) {
    // The reason is what has to be mended, whether or not this succeeds.
    await undo?.(changed).catch(() => undefined)
    throw error
  }
  return changed
}

function nameOf(given = ''): string {
  if (NAMESPACE.test(given)) return given
  throw new StartupError(
    'namespaces: give a name of a-z 0-9 . _ -, for example: token-vault namespaces create billing',
  )
}

/**
 * The command line, as a caller in the namespace that its option names; the default one is made where it is missing.
 * @throws StartupError where there is none
 */
export async function namespaceOf(db: Db, name: string): Promise<Caller> {
  if (!NAMESPACE.test(name)) {
    throw new StartupError('--namespace: give a name of a-z 0-9 . _ -, for example --namespace billing')
  }
  // The service makes it at its start, which may be yet to come.
  if (name === DEFAULT_NAMESPACE) await ensureNamespace(db, name)
  const namespace = await findNamespace(db, name)
  if (namespace === null) {
    throw new StartupError(
      `--namespace: there is no ${name}: make it with: token-vault namespaces create ${name}`,
    )
  }
  return { keyId: COMMAND_LINE, namespaceId: namespace.id, scopes: new Set(SCOPES) }
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
