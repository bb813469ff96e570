/** Seals and inserts some of the tokens: most of the work is sealing, and each core can do its part. */
import pg from 'pg'
import { encrypt, hash } from '../baselines/hand-written-secrets.ts'
import { answerWith } from '../processes/parent.ts'
import type { NamespaceKeys } from '../../src/domain/keyring.ts'
import { createDatabase } from '../../src/store/database.ts'
import { changedColumns } from '../../src/store/token-rows.ts'
import {
  accessTokenOf,
  CLIENT_SECRET,
  NAMESPACES,
  namespaceIdOf,
  namespaceOf,
  refreshTokenOf,
} from '../tokens.ts'
import type { Row } from './copy-in.ts'
import { copyIn } from './copy-in.ts'
import { keyringOf } from './keyring.ts'
import { tokenOf } from './token-of.ts'

/** Tokens from one index up to another one. */
export interface Part {
  url: string
  masterKeys: string
  /** In hexadecimal; null where the hand-written service is not to have them. */
  handWrittenKey: string | null
  first: number
  end: number
  /** From this index on nobody has asked for them yet. */
  used: number
}

const BATCH = 1_000

answerWith(async (part: Part) => {
  const namespaces = await keysOfNamespaces(part)
  const key = part.handWrittenKey === null ? null : Buffer.from(part.handWrittenKey, 'hex')
  const client = new pg.Client({ connectionString: part.url })
  await client.connect()
  for (let first = part.first; first < part.end; first += BATCH) {
    const length = Math.min(BATCH, part.end - first)
    const indexes = Array.from({ length }, (_, offset) => first + offset)
    const vaultRows = indexes.map((index) => vaultRow(index, namespaces, index < part.used))
    await copyIn(client, 'tokens', vaultRows)
    if (key === null) continue
    const handWrittenRows = indexes.map((index) => handWrittenRow(index, key))
    await copyIn(client, 'hand_written', handWrittenRows)
  }
  await client.end()
  return {}
})

async function keysOfNamespaces({ url, masterKeys }: Part): Promise<NamespaceKeys[]> {
  const options = { urls: [url], size: 4, name: 'bench keys', onLost: () => undefined }
  const database = createDatabase(options)
  const keyring = keyringOf(database.db, masterKeys)
  const ids = Array.from({ length: NAMESPACES }, (_, namespace) => namespaceIdOf(namespace))
  const keys = await Promise.all(ids.map((id) => keyring.keysOf(id)))
  await database.close()
  return keys
}

function vaultRow(index: number, namespaces: NamespaceKeys[], isUsed: boolean): Row {
  const keys = namespaces[namespaceOf(index)]
  if (keys === undefined) throw new Error(`token ${index} has no namespace`)
  return changedColumns(tokenOf(index, isUsed), null, keys)
}

function handWrittenRow(index: number, key: Buffer): Row {
  const { id, namespaceId, userName, clientId, scope, apiDomain, expiresAt } = tokenOf(index, true)
  const refreshToken = refreshTokenOf(index)
  return {
    ...{ id, namespaceId, userName, clientId },
    clientSecret: encrypt(key, CLIENT_SECRET),
    refreshToken: encrypt(key, refreshToken),
    refreshHash: hash(refreshToken),
    accessToken: encrypt(key, accessTokenOf(index)),
    ...{ scope, apiDomain, expiresAt },
  }
}
