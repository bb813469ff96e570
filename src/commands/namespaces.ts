import type { Caller } from '../domain/caller.ts'
import { SCOPES } from '../domain/caller.ts'
import { StartupError } from '../domain/errors.ts'
import { COMMAND_LINE } from '../domain/token.ts'
import type { Db } from '../store/database.ts'
import {
  createNamespace,
  DEFAULT_NAMESPACE,
  deleteNamespace,
  ensureNamespace,
  findNamespace,
  listNamespaces,
} from '../store/namespaces.ts'
import type { CommandParts, Words } from './administer.ts'
import { audited } from './administer.ts'

const NAMESPACE = /^[a-z0-9][a-z0-9._-]{0,62}$/

export async function commandNamespaces(parts: CommandParts, { action, subject }: Words): Promise<void> {
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
