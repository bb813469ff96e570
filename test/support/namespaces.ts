import { SCOPES } from '../../src/domain/caller.ts'
import type { Scope } from '../../src/domain/caller.ts'
import { createApiKeyStore } from '../../src/store/api-key-store.ts'
import { createDatabase } from '../../src/store/database.ts'
import { ensureNamespace } from '../../src/store/namespaces.ts'
import { createApiKeys } from '../../src/vault/api-keys.ts'

/** A namespace of a test's own, with its keys. */
export interface TestNamespace {
  id: string
  /** In the order in which their scopes were given. */
  keys: { id: string; key: string }[]
}

/** As the command line makes it: with a key for each of these sets of scopes. */
export async function makeNamespace(
  databaseUrl: string,
  name: string,
  scopesOfKeys: Scope[][],
): Promise<TestNamespace> {
  const opened = createDatabase({ urls: [databaseUrl], size: 1, name: 'test', onLost: () => undefined })
  const id = await ensureNamespace(opened.db, name)
  const apiKeys = createApiKeys(createApiKeyStore(opened.db))
  const caller = { namespaceId: id, keyId: 'cli', scopes: new Set(SCOPES) }
  const keys: TestNamespace['keys'] = []
  for (const scopes of scopesOfKeys) {
    const { apiKey, key } = await apiKeys.create(caller, { name, scopes, expiresAt: 'never' })
    keys.push({ id: apiKey.id, key: key.reveal() })
  }
  await opened.close()
  return { id, keys }
}
