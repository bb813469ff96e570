import { gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { createTestApp } from '../support/app.ts'

test('a body that was compressed is refused by its header, whatever it holds', async () => {
  const app = await createTestApp({ find: () => Promise.reject(new Error('it was read')) })
  onTestFinished(() => app.close())
  const send = (encoding: string, payload: string | Buffer) =>
    app.inject({
      method: 'POST',
      url: '/v1/tokens/find',
      headers: {
        authorization: 'Bearer tokens:use',
        'content-type': 'application/json',
        'content-encoding': encoding,
      },
      payload,
    })
  for (const encoding of ['gzip', 'br', 'identity, gzip'])
    for (const payload of ['{"id":"a"}', gzipSync('{"id":"a"}')]) {
      const answer = await send(encoding, payload)
      expect([answer.statusCode, answer.json()]).toMatchObject([415, { code: 'unsupported_media_type' }])
      expect(answer.body).toContain('without a Content-Encoding')
    }
  expect((await send('Identity', '{"id":')).statusCode).toBe(400)
})
