import {
  accessTokenOf,
  CLIENT_ID,
  LIFETIME_SECONDS,
  namespaceIdOf,
  namespaceOf,
  refreshTokenOf,
  tokenIdOf,
  userNameOf,
} from '../tokens.ts'

/** What the load needs to ask for any token: the API key of each namespace. */
export type Keys = string[]
/** A request for the token of an index, as it goes over the wire. */
type Request = (index: number, keys: Keys) => string

const CRLF = '\r\n'

function get(path: string, ...headers: string[]): string {
  return [`GET ${path} HTTP/1.1`, 'Host: bench', ...headers, '', ''].join(CRLF)
}

/** All bodies are ASCII: their length in bytes is that of the text. */
function post(path: string, body: object, ...headers: string[]): string {
  const text = JSON.stringify(body)
  const own = ['Host: bench', 'Content-Type: application/json', `Content-Length: ${text.length}`]
  return [`POST ${path} HTTP/1.1`, ...own, ...headers, '', text].join(CRLF)
}

const bearer = (index: number, keys: Keys) => `Authorization: Bearer ${keys[namespaceOf(index)] ?? ''}`
const namespaceOfToken = (index: number) => namespaceIdOf(namespaceOf(index))

/** What an application saves after it has refreshed by itself: longer to live than what is stored, hence not stale. */
function newAccess(index: number) {
  const access_token = accessTokenOf(index).slice(0, -16) + Date.now().toString().padStart(16, '0')
  const expires_in = LIFETIME_SECONDS + 86_400
  return { user_name: userNameOf(index), client_id: CLIENT_ID, access_token, expires_in }
}

/** By the names that cases give. Those of the hand-written service name the namespace: it knows no API keys. */
export const REQUESTS = {
  hello: () => get('/'),
  find: (index, keys) => post('/v1/tokens/find', { user_name: userNameOf(index) }, bearer(index, keys)),
  findByRefreshToken: (index, keys) =>
    post('/v1/tokens/find', { refresh_token: refreshTokenOf(index) }, bearer(index, keys)),
  get: (index, keys) => get(`/v1/tokens/${tokenIdOf(index)}`, bearer(index, keys)),
  accessToken: (index, keys) => get(`/v1/tokens/${tokenIdOf(index)}/access-token`, bearer(index, keys)),
  save: (index, keys) => post('/v1/tokens', newAccess(index), bearer(index, keys)),
  handWrittenFind: (index) =>
    post('/find', { namespace_id: namespaceOfToken(index), user_name: userNameOf(index) }),
  handWrittenFindInBatches: (index) =>
    post('/find-in-batches', { namespace_id: namespaceOfToken(index), user_name: userNameOf(index) }),
  handWrittenFindByRefreshToken: (index) =>
    post('/find', { namespace_id: namespaceOfToken(index), refresh_token: refreshTokenOf(index) }),
  handWrittenGet: (index) => get(`/tokens/${tokenIdOf(index)}`),
  handWrittenAccessToken: (index) => get(`/tokens/${tokenIdOf(index)}/access-token`),
  handWrittenSave: (index) => post('/tokens', { namespace_id: namespaceOfToken(index), ...newAccess(index) }),
} satisfies Record<string, Request>

export type RequestName = keyof typeof REQUESTS
