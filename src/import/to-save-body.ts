import type { Columns } from './token-source.ts'

/** What rows of older layouts lack. */
export interface Blanks {
  clientId: string | null
  /** Of that client; rows of others do without. */
  clientSecret: string | null
  apiDomain: string | null
}

/** A row as `POST /v1/tokens` would take it, and how its expiry was read. */
interface ReadRow {
  body: Record<string, string | null>
  expiry: 'known' | 'in seconds' | 'unreadable'
}

const PROVIDER = 'zoho'
const ID = /^[A-Za-z0-9._:-]{1,128}$/
const MILLISECONDS = /^\d{13}(?:\.0*)?$/
const SECONDS = /^\d{10}(?:\.0*)?$/

/** An id that the vault does not allow is left out: the token gets one of the vault's. */
export function toSaveBody(columns: Columns, blanks: Blanks): ReadRow {
  const clientId = columns.client_id ?? blanks.clientId
  const secretOfClient = clientId === blanks.clientId ? blanks.clientSecret : null
  const { at, expiry } = readExpiry(columns.expiry_time?.trim())
  return {
    body: {
      provider: PROVIDER,
      id: columns.id !== undefined && ID.test(columns.id) ? columns.id : null,
      user_name: columns.user_name ?? null,
      client_id: clientId,
      client_secret: columns.client_secret ?? secretOfClient,
      refresh_token: columns.refresh_token ?? null,
      access_token: columns.access_token ?? null,
      grant_token: columns.grant_token ?? null,
      expires_at: columns.access_token === undefined ? null : at,
      redirect_url: columns.redirect_url ?? null,
      api_domain: columns.api_domain ?? blanks.apiDomain,
    },
    expiry,
  }
}

/** The SDKs keep milliseconds since 1970; some versions kept seconds. */
function readExpiry(text: string | undefined): { at: string | null; expiry: ReadRow['expiry'] } {
  if (text === undefined) return { at: null, expiry: 'known' }
  if (MILLISECONDS.test(text)) return { at: new Date(Number(text)).toISOString(), expiry: 'known' }
  if (SECONDS.test(text)) return { at: new Date(Number(text) * 1000).toISOString(), expiry: 'in seconds' }
  return { at: null, expiry: 'unreadable' }
}
