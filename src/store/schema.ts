import type { ColumnType, Generated, Selectable } from 'kysely'
import type { Scope } from '../domain/caller.ts'
import type { ClientPause } from '../domain/client.ts'
import type { ErrorCode, ErrorFacts } from '../domain/errors.ts'
import type { LastError, TokenStatus } from '../domain/token.ts'
import type { WrappedKey } from '../domain/keyring.ts'

/** The tables as Kysely knows them; migrations/ says what each column is for. */
export interface Schema {
  namespaces: { id: string; name: string; createdAt: Generated<Date> }
  dataKeys: DataKeysTable
  tokens: TokensTable
  refreshTokens: { namespaceId: string; digest: Buffer; tokenId: string }
  spentRenewals: SpentRenewalsTable
  events: EventsTable
  apiKeys: ApiKeysTable
  clients: ClientsTable
  exchanges: ExchangesTable
  keyRotations: { startedAt: Date; finishedAt: Date | null }
}

interface SpentRenewalsTable {
  namespaceId: string
  digest: Buffer
  renewals: Date[]
  leftAt: Generated<Date>
  leaseUntil: Date | null
  leaseOwner: string | null
  claimedAt: Date | null
  lostAt: Date | null
  retryAt: Date | null
}

interface ClientsTable {
  namespaceId: string
  digest: Buffer
  pauseReason: ClientPause['reason'] | null
  pausedUntil: Date | null
  deaths: Generated<Date[]>
}

interface ApiKeysTable {
  namespaceId: string
  id: string
  name: string
  scopes: Scope[]
  digest: Buffer
  createdAt: Generated<Date>
  expiresAt: Date | null
  lastUsedAt: Generated<Date | null>
}

interface ExchangesTable {
  namespaceId: string
  digest: Buffer
  fence: number
  leaseUntil: Date
  uncertain: boolean
  failure: ColumnType<StoredFailure | null, string, string | null>
  tokenId: string | null
}

/** A VaultError as it is kept for others to hear. */
interface StoredFailure {
  code: ErrorCode
  detail: string
  facts: ErrorFacts
}

interface DataKeysTable {
  namespaceId: string
  id: number
  purpose: WrappedKey['purpose']
  masterKeyId: string
  wrapped: Buffer
  createdAt: Generated<Date>
}

interface TokensTable {
  namespaceId: string
  id: string
  provider: string
  userName: string | null
  clientId: string | null
  userKey: Buffer | null
  identity: Buffer | null
  clientSecret: Buffer | null
  refreshToken: Buffer | null
  grantToken: Buffer | null
  accessToken: Buffer | null
  refreshDigest: Buffer | null
  grantDigest: Buffer | null
  accessDigest: Buffer | null
  replacedAccess: Generated<Buffer>
  tokenType: string | null
  scope: string | null
  redirectUrl: string | null
  apiDomain: string | null
  expiresAt: Date | null
  lifetimeSeconds: number | null
  status: TokenStatus
  errorCode: LastError['code'] | null
  errorDetail: string | null
  errorAt: Date | null
  errorAttempts: number | null
  refreshDueAt: Date | null
  retryAt: Date | null
  leaseUntil: Date | null
  leaseOwner: Generated<string | null>
  claimedAt: Generated<Date | null>
  lostAt: Date | null
  fence: number
  renewals: Date[]
  version: number
  createdAt: Date
  updatedAt: Date
  refreshedAt: Date | null
  lastUsedAt: Date | null
}

interface EventsTable {
  namespaceId: string
  id: string
  tokenId: string | null
  type: string
  at: Date
  actor: string
  facts: ColumnType<Record<string, unknown>, string, string>
}

export type TokenRow = Selectable<TokensTable>
