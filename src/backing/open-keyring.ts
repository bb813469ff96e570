import type { KeyringOptions } from '../crypto/keyring.ts'
import { checkMasterKeys, createKeyring } from '../crypto/keyring.ts'
import { createMasterKeys } from '../crypto/master-keys.ts'
import type { MasterKey } from '../domain/keyring.ts'
import { createDataKeyStore } from '../store/data-key-store.ts'
import type { Db } from '../store/database.ts'

/**
 * The keys of all namespaces; `checkKeys` finds out again whether they open with the master keys of the settings.
 * @throws StartupError with a line for each master key that is missing or wrong
 */
export async function openKeyring(db: Db, masterKeys: MasterKey[], options: KeyringOptions = {}) {
  const dataKeys = createDataKeyStore(db)
  const master = createMasterKeys(masterKeys)
  const checkKeys = () => checkMasterKeys(dataKeys, master)
  await checkKeys()
  return { keyring: createKeyring(dataKeys, master, Date.now, options), checkKeys, dataKeys, master }
}
