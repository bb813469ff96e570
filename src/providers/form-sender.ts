import { lookup } from 'node:dns/promises'
import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import type { LookupFunction } from 'node:net'
import type { EndpointObserver } from '../domain/observer.ts'
import type { Secret } from '../domain/secret.ts'
import { isWithin, mayBeReached, reachOf } from './address-policy.ts'
import type { Resolve } from './checked-lookup.ts'
import { AddressNotAllowedError, createCheckedLookup, oneAtATime } from './checked-lookup.ts'
import { createDeferredTimer } from './deferred-timer.ts'
import type { EncodedForm, FormClient } from './form-encoding.ts'
import { encodeForm } from './form-encoding.ts'
import type { Reply } from './read-answer.ts'
import { readAnswer } from './read-answer.ts'

// An import of it would read all that it exports, and so load Node's fetch, which nobody uses here: 12 MB.
const { Agent: HttpAgent, request: httpRequest } = process.getBuiltinModule('node:http')

/** A form to post to an endpoint of a provider. */
export interface FormPost {
  url: string
  form: Record<string, string | Secret>
  client: FormClient
  /** May it go to private addresses too? */
  privateNetwork: boolean
  /** How long to wait for the answer, once it is sent. */
  timeoutMs: number
  /** Past this moment, on the clock of `performance.now()`, the form must not be sent any more. */
  sendBeforeMs: number
}

/** Posts a form once and waits for the reply. Never throws, never retries, follows no redirect. */
export type SendForm = (post: FormPost) => Promise<Reply>

interface FormSenderOptions {
  /** PEM certificates to trust instead of the public ones. */
  ca?: string
  resolve?: Resolve
  /** Is told why a connection was not opened. */
  observer?: Pick<EndpointObserver, 'addressRefused'>
}

/** The way out, the same for every form. */
interface Network {
  /** Keep no connection: a stale one would show only after the form was sent. That of HTTPS keeps TLS sessions. */
  agents: { http: Agent; https: HttpsAgent }
  ca: string | undefined
  resolve: Resolve
  reasonOf: (error: unknown) => string
}

/**
 * The sender for every request to a provider. It takes no proxy from the environment and opens a connection for each
 * request, so that it knows when the connection is up: only then, and only while there is time, the form is written.
 */
export function createFormSender(options: FormSenderOptions = {}): SendForm {
  const { ca, resolve: look = lookup, observer } = options
  const reasonOf = (error: unknown) => {
    if (error instanceof AddressNotAllowedError) observer?.addressRefused(error)
    return errorCodeOf(error)
  }
  const agents = { http: new HttpAgent(), https: new HttpsAgent() }
  const network: Network = { agents, ca, resolve: oneAtATime(look), reasonOf }
  return (post) =>
    new Promise((resolve) => {
      if (timeLeftMs(post) <= 0) {
        resolve({ kind: 'failed', error: 'too_late', sent: false })
        return
      }
      try {
        postForm(post, network, resolve)
      } catch (error) {
        resolve({ kind: 'failed', error: reasonOf(error), sent: false })
      }
    })
}

function postForm(post: FormPost, network: Network, resolve: (reply: Reply) => void) {
  let sent = false
  let response: IncomingMessage | undefined
  const request = open(post, network)
  const finish = (reply: Reply) => {
    timer.stop()
    resolve(reply)
    request.destroy()
  }
  const fail = (error: string) => {
    finish(
      error.startsWith('HPE_') ? { kind: 'unreadable', error: 'not_http' } : { kind: 'failed', error, sent },
    )
  }
  const timer = createDeferredTimer(() => {
    fail('timeout')
  })
  timer.start(Math.min(post.timeoutMs, MOST_CONNECT_MS, timeLeftMs(post)))
  whenConnected(request, () => {
    if (request.destroyed) return
    const form = encodedForm(post)
    if (form === null || timeLeftMs(post) <= 0) {
      fail(form === null ? 'secret_unreadable' : 'too_late')
      return
    }
    timer.start(post.timeoutMs)
    sent = true
    write(request, form)
  })
  request.once('response', (arrived: IncomingMessage) => {
    response = arrived
    readAnswer(arrived, finish, fail)
  })
  // More than one may come, and one without a listener would end the process. What a server says after an answer that
  // is complete does not take it back.
  request.on('error', (error) => {
    if (response?.complete !== true) fail(network.reasonOf(error))
  })
  request.once('close', () => {
    fail('connection_closed')
  })
}

/** Nothing is lost yet, and a stop waits for both: for the connection, and for an answer that takes its 45 s. */
const MOST_CONNECT_MS = 10_000

const timeLeftMs = ({ sendBeforeMs }: FormPost) => sendBeforeMs - performance.now()

/** Connects where it may. Nothing is written, headers included, until the request is ended. */
function open(post: FormPost, { agents, ca, resolve }: Network): ClientRequest {
  const url = new URL(post.url)
  const common: RequestOptions = {
    method: 'POST',
    lookup: lookupFor(url, post.privateNetwork, resolve),
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'token-vault',
    },
  }
  if (url.protocol === 'http:') return httpRequest(url, { ...common, agent: agents.http })
  return httpsRequest(url, {
    ...common,
    agent: agents.https,
    // Said aloud, because NODE_TLS_REJECT_UNAUTHORIZED could turn it off.
    rejectUnauthorized: true,
    ...(ca === undefined ? {} : { ca }),
  })
}

/** @throws AddressNotAllowedError for an address in place of a host: a socket looks up hosts only. */
function lookupFor(url: URL, privateNetwork: boolean, resolve: Resolve): LookupFunction {
  const { hostname } = url
  if (!mayBeReached(url, privateNetwork)) throw new AddressNotAllowedError(hostname, [hostname])
  const reach = reachOf(url, privateNetwork)
  return createCheckedLookup(resolve, (address) => isWithin(reach, address))
}

function whenConnected(request: ClientRequest, then: () => void) {
  request.once('socket', (socket) => {
    socket.once('encrypted' in socket ? 'secureConnect' : 'connect', then)
  })
}

/** Null where a secret does not open. Thrown in an event of the socket, that would end the process. */
function encodedForm({ form, client }: FormPost): EncodedForm | null {
  try {
    return encodeForm(form, client)
  } catch {
    return null
  }
}

function write(request: ClientRequest, { authorization, body }: EncodedForm) {
  if (authorization !== null) request.setHeader('authorization', authorization)
  request.end(body)
}

/** The code alone: a message may show the address, and what stands in it. */
function errorCodeOf(error: unknown): string {
  if (error instanceof AddressNotAllowedError) return 'address_not_allowed'
  const code = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'network_error'
}
