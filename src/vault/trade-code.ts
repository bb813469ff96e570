import type { Caller } from '../domain/caller.ts'
import type { Clock } from '../domain/clock.ts'
import { VaultError } from '../domain/errors.ts'
import type { CodeClaim, CodeStore, CodeToExchange } from '../domain/exchange.ts'
import { codeSpent, exchangeError, isTraded, saveOfExchange } from '../domain/exchange.ts'
import type { SchedulePolicy } from '../domain/life.ts'
import type { ExchangeObserver } from '../domain/observer.ts'
import type { ExchangeRequest, Provider, Providers, RenewedOutcome } from '../domain/provider.ts'
import { isUnknown } from '../domain/renewal-outcome.ts'
import { ambiguousMatch, conflict } from '../domain/save.ts'
import type { Reading, TokenStore } from '../domain/token-store.ts'
import type { Token, TokenRef } from '../domain/token.ts'
import { isOtherUser } from '../domain/token.ts'
import { planExchange } from './plan-exchange.ts'
import { untilStored } from './until-stored.ts'

export interface ExchangeParts {
  codes: CodeStore
  store: TokenStore
  providers: Providers
  policy: SchedulePolicy
  clock: Clock
  observer: ExchangeObserver
}

/** An exchange that a caller asks for. */
export interface ExchangeTask {
  caller: Caller
  code: CodeToExchange
  provider: Provider
}

/** A token, and whether this very call has traded the code for it. */
export type Exchanged = Reading & { created: boolean }

/**
 * The token that this code was traded for already; null where there is none.
 * @throws VaultError `conflict` where it is another user's, and where only tokens of other users hold the code: a save of
 * what comes of it would be one, and the code spent
 */
export async function findTraded(
  { store }: ExchangeParts,
  { caller, code }: ExchangeTask,
): Promise<Exchanged | null> {
  const criterion = { by: 'grant_token', token: code.grantToken } as const
  const found = await store.findBy(caller.namespaceId, criterion, code)
  const traded = found.tokens.filter(isTraded)
  const [token] = traded
  if (token === undefined) {
    const [holder] = found.tokens
    const isOthers = found.tokens.every(({ userName }) => isOtherUser(userName, code.userName))
    if (holder !== undefined && isOthers) throw conflict(holder)
    return null
  }
  if (traded.length > 1) throw ambiguousMatch(traded.map(({ id }) => id))
  checkUser(token, code)
  // Of several that hold the code, the secrets were left out.
  const reading = found.tokens.length === 1 ? { token, now: found.now } : await store.get(token)
  return reading && { ...reading, created: false }
}

/**
 * The token that a code was traded for, which may have a newer code by now.
 * @throws VaultError `grant_refused` where it was deleted, `conflict` where it is another user's
 */
export async function readTraded(
  { store }: ExchangeParts,
  { code }: ExchangeTask,
  ref: TokenRef,
): Promise<Exchanged> {
  const reading = await store.get(ref)
  if (reading === null) throw codeSpent()
  checkUser(reading.token, code)
  return { ...reading, created: false }
}

/** @throws VaultError `conflict` where the token is of another user than the one named */
export function checkUser(token: Token, { userName }: CodeToExchange): void {
  if (isOtherUser(token.userName, userName)) throw conflict(token)
}

/**
 * Trades a claimed code, unless somebody has traded it before the claim. `startedMs` is the monotonic moment before the
 * claim was asked for.
 * @throws VaultError for what the provider, or the merge, refuses
 */
export async function tradeCode(
  parts: ExchangeParts,
  task: ExchangeTask,
  claim: CodeClaim,
  startedMs: number,
): Promise<Exchanged> {
  let traded: Exchanged | null
  try {
    traded = await findTraded(parts, task)
  } catch (error) {
    // What ends is forgotten, and with it that an earlier attempt may have spent the code.
    if (!claim.uncertain) await parts.codes.end(claim).catch(() => undefined)
    throw error
  }
  if (traded === null) return sendCode(parts, task, claim, startedMs)
  await parts.codes.succeed(claim.code, traded.token)
  return traded
}

/** Sends it and stores what came of it: then, and only then, there is something to tell. No connection is held meanwhile. */
async function sendCode(
  parts: ExchangeParts,
  task: ExchangeTask,
  claim: CodeClaim,
  startedMs: number,
): Promise<Exchanged> {
  const { providers, clock, observer } = parts
  const { provider, caller } = task
  const outcome = await providers.exchange(requestOf(task, startedMs))
  const ms = clock.monotonicMs() - startedMs
  const told = { namespaceId: caller.namespaceId, provider: provider.name, ms }
  if (outcome.kind === 'renewed') {
    observer.exchangeSettled({ ...told, outcome: 'ok' })
    return keepToken(parts, task, claim, outcome)
  }
  const uncertain = claim.uncertain || isUnknown(outcome)
  const failure = exchangeError(outcome, provider, claim.uncertain)
  observer.exchangeSettled({ ...told, outcome: failure.code })
  return keepFailure(parts, task, claim, { failure, uncertain, error: outcome.error })
}

function requestOf({ code, provider }: ExchangeTask, startedMs: number): ExchangeRequest {
  const { clientId, clientSecret, grantToken, codeVerifier, redirectUrl, apiDomain } = code
  // What is sent by then has arrived before the lease, of two such times and 5 s, runs out.
  const sendBeforeMs = startedMs + provider.timeoutSeconds * 1000
  return {
    provider: provider.name,
    clientId,
    clientSecret,
    code: grantToken,
    codeVerifier,
    redirectUrl,
    apiDomain,
    sendBeforeMs,
  }
}

async function keepToken(
  parts: ExchangeParts,
  task: ExchangeTask,
  claim: CodeClaim,
  outcome: RenewedOutcome,
): Promise<Exchanged> {
  const { caller, code } = task
  const save = saveOfExchange(code, claim, outcome)
  const plan = planExchange(parts, caller, save)
  try {
    const saved = await keep(parts, claim, () => parts.store.save(caller.namespaceId, save, plan))
    await keep(parts, claim, () => parts.codes.succeed(claim.code, saved.plan.token))
    return { token: saved.plan.token, now: saved.now, created: true }
  } catch (error) {
    if (!(error instanceof VaultError)) throw error
    return keepFailure(parts, task, claim, { failure: error, uncertain: true, error: 'ok' })
  }
}

interface Failed {
  failure: VaultError
  /** May the code be spent all the same? */
  uncertain: boolean
  /** What the provider answered. */
  error: string
}

/** The failure is kept for those who wait. A refused code is looked up first: whoever took over may have won. */
async function keepFailure(
  parts: ExchangeParts,
  task: ExchangeTask,
  claim: CodeClaim,
  { failure, uncertain, error }: Failed,
): Promise<Exchanged> {
  const isRefused = failure.code === 'grant_refused'
  const traded = isRefused ? await keep(parts, claim, () => findTraded(parts, task)) : null
  const { provider, clientId } = claim.code
  const facts = { provider, client_id: clientId, code: failure.code, error }
  const event = { type: 'exchange.failed', actor: task.caller.keyId, facts } as const
  await keep(parts, claim, () => parts.codes.fail(claim, failure, uncertain, event))
  if (traded === null) throw failure
  await keep(parts, claim, () => parts.codes.succeed(claim.code, traded.token))
  return traded
}

function keep<Result>(
  { clock, policy, observer }: ExchangeParts,
  { code: { namespaceId } }: CodeClaim,
  store: () => Promise<Result>,
): Promise<Result> {
  return untilStored(clock, policy.random, store, (error) => {
    observer.exchangeNotStored(namespaceId, error)
  })
}
