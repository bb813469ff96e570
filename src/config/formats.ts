import { apiKeyId } from '../domain/api-key.ts'
import type { MasterKey } from '../domain/keyring.ts'
import { Secret } from '../domain/secret.ts'
import { COMMAND_LINE, REFRESHER } from '../domain/token.ts'

const KEY_BYTES = 32
const MASTER_KEY = /^([A-Za-z0-9._-]{1,64}):([A-Za-z0-9+/_-]{43}=?)$/

export const MASTER_KEYS_WORDS = 'id:base64 with commas in between, each id once and each key of 32 bytes'

/** Null where one of them is malformed or an id comes twice. */
export function parseMasterKeys(text: string): MasterKey[] | null {
  const keys: MasterKey[] = []
  for (const entry of text.split(',')) {
    const [, id, base64] = MASTER_KEY.exec(entry.trim()) ?? []
    if (id === undefined || base64 === undefined || keys.some((key) => key.id === id)) return null
    const bytes = Buffer.from(base64, 'base64')
    if (bytes.length !== KEY_BYTES) return null
    keys.push({ id, bytes })
  }
  return keys
}

/** Null where it is malformed, or its uses would be those of another actor in the audit log. */
export function parseApiKey(text: string): Secret | null {
  const id = apiKeyId(text)
  return id === null || id === COMMAND_LINE || id === REFRESHER ? null : new Secret(text)
}

export function parseMysqlUrl(text: string): Secret | null {
  return /^(?:mysql|mariadb):\/\/[^/]+\/[^/?]+/.test(text) && URL.canParse(text) ? new Secret(text) : null
}

const DATABASE_URL = /^(postgres(?:ql)?:\/\/(?:[^@/?#]*@)?)([^@/?#]*)((?:\/[^?#]*)?(?:\?[^#]*)?)$/

/** One URL for each host that is named, as libpq's `postgres://user@one:5432,two:5432/name`. */
export function parseDatabaseUrls(text: string): string[] | null {
  const [, before, hosts, after] = DATABASE_URL.exec(text) ?? []
  if (before === undefined || hosts === undefined || after === undefined) return null
  const urls = hosts.split(',').map((host) => `${before}${host}${after}`)
  return urls.every((url) => URL.canParse(url)) ? urls : null
}
