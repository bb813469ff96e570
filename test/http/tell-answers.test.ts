import { expect, onTestFinished, test } from 'vitest'
import { createLogger } from '../../src/telemetry/logger.ts'
import { createTestApp } from '../support/app.ts'

test('the log has a line at info for each request that is refused, and at debug for each that goes well', async () => {
  const lines: string[] = []
  const logger = createLogger('debug', { write: (line) => lines.push(line) })
  const app = await createTestApp(
    { list: () => Promise.resolve({ tokens: [], now: new Date(), next: null }) },
    { logger },
  )
  onTestFinished(() => app.close())
  const ask = (url: string) => app.inject({ url, headers: { authorization: 'Bearer tokens:list' } })
  const answers = [await ask('/v1/tokens'), await ask('/v1/keys'), await ask('/healthz')]
  expect(answers.map(({ statusCode }) => statusCode)).toEqual([200, 403, 200])
  const answered = () =>
    lines.map((line) => JSON.parse(line) as Record<string, unknown>).filter(({ msg }) => msg === 'answered')
  await expect.poll(() => answered().length).toBe(3)
  expect(answered()).toMatchObject([
    { level: 'debug', method: 'GET', route: '/v1/tokens', status: 200, key_id: 'key' },
    { level: 'info', method: 'GET', route: '/v1/keys', status: 403, key_id: 'key' },
    { level: 'debug', method: 'GET', route: '/healthz', status: 200, key_id: null },
  ])
  expect(answered().map(({ request_id: id }) => id)).toEqual(
    answers.map(({ headers }) => headers['x-request-id']),
  )
})
