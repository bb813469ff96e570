import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import type { Secret } from '../domain/secret.ts'
import { createDeferredTimer } from './deferred-timer.ts'
import type { EncodedForm, FormClient } from './form-encoding.ts'
import { encodeForm } from './form-encoding.ts'
import type { Reply } from './read-answer.ts'
import { readAnswer } from './read-answer.ts'

/** A form to post to an endpoint of a provider. */
export interface FormPost {
  url: string
  form: Record<string, string | Secret>
  client: FormClient
  /** How long to connect, and then how long to wait for the answer. */
  timeoutMs: number
  /** Past this moment, on the clock of `performance.now()`, the form must not be sent any more. */
  sendBeforeMs: number
}

/** Posts a form once and waits for the reply. Never throws, never retries, follows no redirect. */
export type SendForm = (post: FormPost) => Promise<Reply>

interface FormSenderOptions {
  /** PEM certificates to trust instead of the public ones. */
  ca?: string
}

/**
 * The sender for every request to a provider. It takes no proxy from the environment and opens a connection for each
 * request, so that it knows when the connection is up: only then, and only while there is time, the form is written.
 */
export function createFormSender(options: FormSenderOptions = {}): SendForm {
  return (post) =>
    new Promise((resolve) => {
      if (timeLeftMs(post) <= 0) {
        resolve({ kind: 'failed', error: 'too_late', sent: false })
        return
      }
      try {
        exchange(post, options, resolve)
      } catch (error) {
        resolve({ kind: 'failed', error: errorCodeOf(error), sent: false })
      }
    })
}

function exchange(post: FormPost, { ca }: FormSenderOptions, resolve: (reply: Reply) => void) {
  let sent = false
  let response: IncomingMessage | undefined
  const request = open(new URL(post.url), ca)
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
  timer.start(Math.min(post.timeoutMs, timeLeftMs(post)))
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
    if (response?.complete !== true) fail(errorCodeOf(error))
  })
  request.once('close', () => {
    fail('connection_closed')
  })
}

const timeLeftMs = ({ sendBeforeMs }: FormPost) => sendBeforeMs - performance.now()

/** Connects. Nothing is written, headers included, until the request is ended. */
function open(url: URL, ca: string | undefined): ClientRequest {
  const common: RequestOptions = {
    method: 'POST',
    agent: false,
    headers: {
      accept: 'application/json',
      'accept-encoding': 'identity',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': 'token-vault',
    },
  }
  if (url.protocol === 'http:') return httpRequest(url, common)
  // Said aloud, because NODE_TLS_REJECT_UNAUTHORIZED could turn it off.
  return httpsRequest(url, { ...common, rejectUnauthorized: true, ...(ca === undefined ? {} : { ca }) })
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
  const code = error instanceof Error && 'code' in error ? error.code : null
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{1,63}$/.test(code) ? code : 'network_error'
}
