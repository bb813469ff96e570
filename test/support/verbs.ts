export type Request = ReturnType<typeof ask>
/** The values that a token was saved with. */
export type Values = Record<
  | 'id'
  | 'user_name'
  | 'client_id'
  | 'client_secret'
  | 'provider'
  | 'refresh_token'
  | 'grant_token'
  | 'access_token',
  string
>
/** What a verb may name: a token, and a key that is always the other side's. */
export type Named = Values & { key_id: string }

export const ask = (method: string, path: string, body?: object, headers = {}) => {
  return { method, path, body, headers }
}

const CRITERIA: Record<string, (values: Values) => object> = {
  id: ({ id }) => ({ id }),
  user: ({ user_name }) => ({ user_name }),
  'user and client': ({ user_name, client_id }) => ({ user_name, client_id }),
  'access token': ({ access_token }) => ({ access_token }),
  'access token and client': ({ access_token, client_id }) => ({ access_token, client_id }),
  'grant token': ({ grant_token }) => ({ grant_token }),
  'refresh token': ({ refresh_token }) => ({ refresh_token }),
  'refresh token after a grant token': ({ id, refresh_token }) => ({
    refresh_token,
    grant_token: `none-${id}`,
  }),
}

const FILTERS = ['user_name', 'client_id', 'provider'] as const

/** Every verb on a token that a caller names by its values. */
export const VERBS: Record<string, (values: Named) => Request> = {
  ...Object.fromEntries(
    Object.entries(CRITERIA).flatMap(([name, criterion]) => [
      [`find by ${name}`, (values: Named) => ask('POST', '/v1/tokens/find', criterion(values))],
      [`access token by ${name}`, (values: Named) => ask('POST', '/v1/access-token', criterion(values))],
      [
        `save by ${name}`,
        (values: Named) =>
          ask('POST', '/v1/tokens', {
            ...criterion(values),
            provider: values.provider,
            scope: 'x',
            access_token: values.access_token,
          }),
      ],
    ]),
  ),
  ...Object.fromEntries(
    FILTERS.flatMap((name) => [
      [
        `list by ${name}`,
        (values: Named) => ask('GET', `/v1/tokens?include=secrets&${name}=${values[name]}`),
      ],
      [`delete by ${name}`, (values: Named) => ask('DELETE', `/v1/tokens?${name}=${values[name]}`)],
    ]),
  ),
  get: ({ id }) => ask('GET', `/v1/tokens/${id}`),
  'get with life': ({ id }) => ask('GET', `/v1/tokens/${id}?min_ttl=60`),
  'access token by path': ({ id }) => ask('GET', `/v1/tokens/${id}/access-token`),
  'save as it is': (values) =>
    ask('POST', '/v1/tokens', { ...values, key_id: undefined, client_secret: 'x' }),
  'save if it is there': ({ id }) =>
    ask('POST', '/v1/tokens', { id, access_token: 'x' }, { 'if-match': '*' }),
  'save a version': ({ id }) => ask('POST', '/v1/tokens', { id, access_token: 'x' }, { 'if-match': '"1"' }),
  'save nothing': ({ id }) => ask('POST', '/v1/tokens', { id }),
  refresh: ({ id }) => ask('POST', `/v1/tokens/${id}/refresh`),
  exchange: ({ provider, client_id, grant_token }) =>
    ask('POST', '/v1/tokens/exchange', { provider, client_id, grant_token }),
  revoke: ({ id }) => ask('POST', `/v1/tokens/${id}/revoke`),
  delete: ({ id }) => ask('DELETE', `/v1/tokens/${id}`),
  list: ({ id }) => ask('GET', `/v1/tokens?include=secrets&cursor=${id}`),
  events: ({ id }) => ask('GET', `/v1/tokens/${id}/events`),
  'all events': () => ask('GET', '/v1/events?limit=20'),
  'list keys': () => ask('GET', '/v1/keys'),
  'revoke a key': ({ key_id }) => ask('DELETE', `/v1/keys/${key_id}`),
  'delete everything': () => ask('DELETE', '/v1/tokens?all=true'),
}
