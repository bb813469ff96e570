import { parseMasterKeys } from '../../src/config/formats.ts'
import { createKeyring } from '../../src/crypto/keyring.ts'
import { createMasterKeys } from '../../src/crypto/master-keys.ts'
import type { Keyring } from '../../src/domain/keyring.ts'
import { createDataKeyStore } from '../../src/store/data-key-store.ts'
import type { Db } from '../../src/store/database.ts'

/** The service's own, over the same data keys. */
export function keyringOf(db: Db, masterKeys: string): Keyring {
  const master = createMasterKeys(parseMasterKeys(masterKeys) ?? [])
  return createKeyring(createDataKeyStore(db), master, Date.now)
}
