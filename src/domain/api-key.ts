import { randomBytes } from 'node:crypto'

/** `tv_<key id>_<secret>`: the id is public, the secret is 256 random bits in base64url. */
const API_KEY = /^tv_([a-z0-9]{3,32})_([A-Za-z0-9_-]{43})$/
const SECRET_BYTES = 32

/** The id of an API key; null for a text that is none. */
export function apiKeyId(text: string): string | null {
  return API_KEY.exec(text)?.[1] ?? null
}

export function generateApiKey(id: string): string {
  return `tv_${id}_${randomBytes(SECRET_BYTES).toString('base64url')}`
}
