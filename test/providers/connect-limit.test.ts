import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createFormSender } from '../../src/providers/form-sender.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
})
afterEach(() => {
  vi.useRealTimers()
})

test('a connection is waited for 10 s at most, however long an answer may take', async () => {
  const send = createFormSender({ resolve: () => new Promise(() => undefined) })
  const failed = vi.fn()
  void send({
    url: 'https://acme.example/token',
    form: {},
    client: { id: 'client', secret: null, auth: 'body' },
    privateNetwork: false,
    timeoutMs: 45_000,
    sendBeforeMs: Infinity,
  }).then(failed)
  await vi.advanceTimersByTimeAsync(9_999)
  expect(failed).not.toHaveBeenCalled()
  await vi.advanceTimersByTimeAsync(500)
  await vi.waitFor(() => {
    expect(failed).toHaveBeenCalledWith({ kind: 'failed', error: 'timeout', sent: false })
  })
})
