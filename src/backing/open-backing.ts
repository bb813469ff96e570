import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Config } from '../config/config.ts'
import { MASTER_KEYS_WORDS, parseApiKey, parseMasterKeys } from '../config/formats.ts'
import { generateMasterKey } from '../crypto/master-keys.ts'
import { generateApiKey } from '../domain/api-key.ts'
import { StartupError } from '../domain/errors.ts'
import type { MasterKey } from '../domain/keyring.ts'
import type { Secret } from '../domain/secret.ts'
import { platformPackage } from '../embedded/binaries.ts'
import type { DataFolder } from '../embedded/data-folder.ts'
import { openDataFolder, readSecret } from '../embedded/data-folder.ts'
import { startEmbeddedPostgres } from '../embedded/embedded-postgres.ts'
import { CLUSTER } from '../embedded/home.ts'
import { runningPostgres } from '../embedded/running-postgres.ts'

/** The Postgres to use, and the keys that go with it. */
export interface Backing {
  urls: string[]
  masterKeys: MasterKey[]
  /** The key of the operator, or one that is generated, and new until it is kept. */
  bootstrapKey(): BootstrapKey
  /** Where the embedded Postgres keeps its data; null for one that the operator runs. */
  embeddedIn: string | null
  close(): Promise<void>
}

interface BootstrapKey {
  key: Secret | null
  /** It has never been shown. */
  isNew: boolean
  /** From then on it is not new. */
  keep: () => void
}

const MASTER_KEYS = 'master-keys'
const BOOTSTRAP_KEY = 'bootstrap-key'

/** The operator's Postgres, or an embedded one with generated keys. */
export async function openBacking(config: Config, ephemeral: boolean): Promise<Backing> {
  const { databaseUrls, bootstrapKey } = config
  if (databaseUrls === null || ephemeral) return openEmbedded(config, ephemeral)
  return {
    urls: databaseUrls,
    masterKeys: config.masterKeys ?? [],
    bootstrapKey: () => keyOfOperator(bootstrapKey),
    embeddedIn: null,
    close: () => Promise.resolve(),
  }
}

async function openEmbedded(
  { dataDir, masterKeys, bootstrapKey }: Config,
  ephemeral: boolean,
): Promise<Backing> {
  platformPackage() // First: without one, a data folder would be asked for in vain.
  const folder = ephemeral ? forgetfulFolder(dataDir) : openDataFolder(dataDir)
  try {
    const makeMasterKeys = () => {
      // What an older cluster holds is under keys that the operator gave.
      if (!ephemeral && existsSync(join(folder.path, CLUSTER))) throw noMasterKeys()
      return generateMasterKey('k1')
    }
    const keys = masterKeys ?? keptMasterKeys(folder.path, folder.secret(MASTER_KEYS, makeMasterKeys))
    const postgres = await startEmbeddedPostgres({ dataDir: folder.path, ephemeral })
    return {
      urls: [postgres.url],
      masterKeys: keys,
      bootstrapKey() {
        if (bootstrapKey !== null) return keyOfOperator(bootstrapKey)
        const kept = folder.kept(BOOTSTRAP_KEY)
        const text = kept ?? generateApiKey('bootstrap')
        return {
          key: keptBootstrapKey(folder.path, text),
          isNew: kept === null,
          keep: () => void folder.secret(BOOTSTRAP_KEY, () => text),
        }
      },
      embeddedIn: postgres.directory,
      async close() {
        await postgres.stop()
        folder.close()
      },
    }
  } catch (error) {
    folder.close()
    throw error
  }
}

/**
 * The Postgres of the settings for a command beside the service: the embedded one of a service that runs, or the
 * same one started for the command.
 */
export async function joinBacking(config: Config): Promise<Backing> {
  const running = config.databaseUrls === null ? runningPostgres(config.dataDir) : null
  if (running === null) return openBacking(config, false)
  return {
    urls: [running.url],
    masterKeys: masterKeysOf(config),
    bootstrapKey: () => keyOfOperator(config.bootstrapKey),
    embeddedIn: running.directory,
    close: () => Promise.resolve(),
  }
}

/**
 * The master keys of the settings, or those that the data folder keeps.
 * @throws StartupError where there are none, or the file is malformed
 */
export function masterKeysOf({ masterKeys, dataDir }: Config): MasterKey[] {
  if (masterKeys !== null) return masterKeys
  const text = readSecret(join(dataDir, MASTER_KEYS))
  if (text !== null) return keptMasterKeys(resolve(dataDir), text)
  throw noMasterKeys()
}

function noMasterKeys(): StartupError {
  return new StartupError(
    'TOKEN_VAULT_MASTER_KEYS: give the master keys, or the TOKEN_VAULT_DATA_DIR that keeps them',
  )
}

/** Operators edit the file by hand. What it says is not repeated: it is secret. */
function keptMasterKeys(folder: string, text: string): MasterKey[] {
  const keys = parseMasterKeys(text)
  if (keys !== null) return keys
  throw new StartupError(
    `${join(folder, MASTER_KEYS)}: must be ${MASTER_KEYS_WORDS}, for example k2:<base64>,k1:<base64>`,
  )
}

function keyOfOperator(key: Secret | null): BootstrapKey {
  return { key, isNew: false, keep: () => undefined }
}

/** A malformed one would be refused to every caller, and nobody told why. */
function keptBootstrapKey(folder: string, text: string): Secret {
  const key = parseApiKey(text)
  if (key !== null) return key
  throw new StartupError(
    `${join(folder, BOOTSTRAP_KEY)}: must be an API key, tv_bootstrap_<43 characters of A-Z a-z 0-9 _ ->: ` +
      'restore it from a backup, or remove the file: the next start makes a new key and shows it',
  )
}

/** Keeps nothing: each start is a first one. */
function forgetfulFolder(path: string): DataFolder {
  return {
    path,
    secret: (_name, make) => make(),
    kept: () => null,
    close: () => undefined,
  }
}
