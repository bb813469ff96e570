import type { ServerResponse } from 'node:http'

/** What the stand-in can be told to do instead of answering as Zoho would when all is well. */
export type Trouble =
  | 'invalid_code'
  | 'invalid_client'
  | 'invalid_client_secret'
  | 'invalid_redirect_uri'
  | 'throttled'
  | 'throttled_400'
  | 'server_error'
  | 'not_json'
  | 'no_access_token'
  | 'hang'
  | 'reset'
  /** Answers as usual, but in another shape: with `expires_in_sec`, so that `expires_in` is in milliseconds. */
  | 'expires_in_sec'
  /** Answers as usual, but without `expires_in`. */
  | 'no_expires_in'
  /** Answers as usual, but late. */
  | { delayMs: number }
  /** Does as it is asked, but its answer never comes. */
  | 'unheard'
  | { status: number; body: string; delayMs?: number; retryAfter?: string }

const ACCESS_DENIED = {
  error: 'Access Denied',
  error_description: 'You have made too many requests continuously. Please try again after some time.',
  status: 'failure',
}

export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json;charset=UTF-8' }).end(JSON.stringify(body))
}

/** Zoho's refusals come as HTTP 200. */
export function refuse(response: ServerResponse, error: string): void {
  sendJson(response, 200, error === 'throttled' ? ACCESS_DENIED : { error })
}

/** Makes trouble on the wire; false where the usual answer is still to be sent. */
export function makeTrouble(response: ServerResponse, trouble: Trouble): boolean {
  if (typeof trouble === 'object') {
    if (!('status' in trouble)) return false
    const { status, body, retryAfter } = trouble
    response.writeHead(status, retryAfter === undefined ? {} : { 'retry-after': retryAfter }).end(body)
    return true
  }
  switch (trouble) {
    case 'expires_in_sec':
    case 'no_expires_in':
    case 'unheard':
      return false
    case 'hang':
      return true
    case 'reset':
      response.socket?.resetAndDestroy()
      return true
    case 'server_error':
      sendJson(response, 500, { error: 'general_error' })
      return true
    case 'not_json':
      response.writeHead(200, { 'content-type': 'text/html' }).end('<html>Zoho is being looked after</html>')
      return true
    case 'no_access_token':
      sendJson(response, 200, { token_type: 'Bearer', expires_in: 3600 })
      return true
    case 'throttled_400':
      sendJson(response, 400, ACCESS_DENIED)
      return true
    default:
      refuse(response, trouble)
      return true
  }
}
