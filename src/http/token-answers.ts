import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Token as WireToken } from '../contract/tokens.ts'
import type { Found, Reading } from '../domain/token-store.ts'
import type { Token } from '../domain/token.ts'
import type { Vault } from '../vault/vault.ts'
import { ledgerOf } from './plugins/audit.ts'
import { callerOf } from './plugins/authentication.ts'
import { tokenView, tokenViews } from './token-view.ts'

/** Tokens as the answer to a request. */
export interface TokenAnswers {
  show: (request: FastifyRequest, reading: Reading) => WireToken
  /** The same to a caller who did not bring the access token; where it is disclosed, that is noted. */
  disclose: (request: FastifyRequest, reading: Reading) => WireToken
  /** Many of them; without `secrets` only their metadata. */
  list: (request: FastifyRequest, found: Found, secrets: boolean) => WireToken[]
}

export function createTokenAnswers(vault: Vault): TokenAnswers {
  const isRefreshable = (token: Token) => vault.isRefreshable(token)
  const optionsOf = (request: FastifyRequest) => ({ ledger: ledgerOf(request), isRefreshable })
  const show = (request: FastifyRequest, reading: Reading) =>
    tokenView(callerOf(request), reading, optionsOf(request))
  return {
    show,
    disclose(request, reading) {
      const view = show(request, reading)
      if (view.access_token !== undefined) vault.noteUse(reading)
      return view
    },
    list: (request, found, secrets) =>
      tokenViews(callerOf(request), found, { ...optionsOf(request), secrets }),
  }
}

/** Says where a saved token is to be found, and whether it is a new one. */
export function announceSaved(reply: FastifyReply, saved: Reading & { created: boolean }): void {
  reply.status(saved.created ? 201 : 200)
  reply.header('location', `/v1/tokens/${encodeURIComponent(saved.token.id)}`)
  reply.header('etag', etagOf(saved))
}

export function etagOf({ token }: Reading): string {
  return `"${token.version}"`
}
