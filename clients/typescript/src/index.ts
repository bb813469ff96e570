export { createTokenVaultClient } from './client.ts'
export type { TokenVaultClient } from './client.ts'
export { TokenVaultError } from './errors.ts'
export type { TokenVaultClientOptions } from './transport.ts'
export type {
  AccessToken,
  CodeToExchange,
  FreshOptions,
  ListOptions,
  PartialToken,
  SaveOptions,
  Token,
  TokenFilter,
  TokenToSave,
} from './types.ts'
