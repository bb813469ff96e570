import { expect, test } from 'vitest'
import { pino } from 'pino'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { createEndpointObserver } from '../../src/telemetry/observer.ts'

test('the log says which provider is down, which answers again and which was not connected to', () => {
  const lines: Record<string, unknown>[] = []
  const log = pino({}, { write: (line: string) => lines.push(JSON.parse(line) as Record<string, unknown>) })
  const observer = createEndpointObserver(log, createMetrics())
  const endpoint = { provider: 'acme', host: 'login.acme.example' }
  observer.breakerOpened(endpoint)
  observer.breakerClosed(endpoint)
  observer.addressRefused({ host: 'login.acme.example', addresses: ['10.0.0.1'] })
  expect(lines).toMatchObject([
    { level: 50, ...endpoint, msg: 'a provider does not answer: requests to it are held back' },
    { level: 30, ...endpoint, msg: 'a provider answers again' },
    {
      level: 50,
      host: 'login.acme.example',
      addresses: ['10.0.0.1'],
      msg: 'a provider was not connected to: no address of its host is allowed',
    },
  ])
})
