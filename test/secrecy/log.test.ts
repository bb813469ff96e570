import { expect, test } from 'vitest'
import { UnreadableError } from '../../src/domain/unreadable-error.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { Planting } from '../support/planted.ts'

test('an error is logged by its name, its code and where it was thrown: nothing of what it says', () => {
  const secrets = new Planting()
  const cause = Object.assign(new Error(secrets.secret()), {
    code: '23505',
    detail: `Key (${secrets.secret()})`,
  })
  const error = Object.assign(new TypeError(secrets.secret(), { cause }), { query: secrets.secret() })
  const lines: string[] = []
  const logger = createLogger('trace', { write: (line) => lines.push(line) })
  logger.error({ err: error, token: new Secret(secrets.secret()) }, 'failed')
  expect(secrets.isIn(...lines)).toBe(false)
  expect(JSON.parse(lines.join(''))).toMatchObject({
    level: 'error',
    msg: 'failed',
    token: '[secret]',
    err: { name: 'TypeError', cause: { name: 'Error', code: '23505' } },
  })
  expect(lines.join('')).toContain('log.test.ts')
})

test('a sealed value that does not open is named by its namespace, its data key, its row and its field', () => {
  const lines: string[] = []
  const logger = createLogger('trace', { write: (line) => lines.push(line) })
  const cause = new UnreadableError('n-1', 3, { table: 'tokens', rowId: 't-1', field: 'access_token' })
  logger.error({ err: new Error('a page cannot be shown', { cause }) }, 'failed')
  const sealed = {
    namespace_id: 'n-1',
    data_key_id: 3,
    table: 'tokens',
    row_id: 't-1',
    field: 'access_token',
  }
  expect(JSON.parse(lines.join(''))).toMatchObject({ err: { cause: { name: 'UnreadableError', sealed } } })
})
