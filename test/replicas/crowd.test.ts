import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { Fleet } from '../support/fleet.ts'
import { partOf } from '../support/figures.ts'
import { parseRaw } from '../support/raw-http.ts'
import { RotatingProvider } from '../support/rotating-provider.ts'
import type { VaultSettings } from '../support/vault-process.ts'
import { vaultSettings } from '../support/vault-process.ts'

const REPLICAS = Number(process.env['CROWD_REPLICAS'] ?? 4)
/** At each replica. */
const CALLERS = Number(process.env['CROWD_CALLERS'] ?? 100)
/** Reads of a living token by each caller beforehand; without any, one sees a service that has just started. */
const WARM_UP_ROUNDS = Number(process.env['CROWD_WARM_UP'] ?? 10)
/** Each for a token of its own. */
const ROUNDS = Number(process.env['CROWD_ROUNDS'] ?? 1)
/** All have asked before the provider answers. */
const PROVIDER_MS = Number(process.env['CROWD_PROVIDER_MS'] ?? 1500)

/** A connection that is there already, on which one request at a time is sent: an HTTP client would take its own time. */
async function openCaller({ url, apiKey }: VaultSettings) {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('latin1')
  await once(socket, 'connect')
  let text = ''
  let answered: (answer: { text: string; atMs: number }) => void = () => undefined
  socket.on('data', (chunk: string) => {
    text += chunk
    if (text.endsWith('}')) answered({ text, atMs: Date.now() })
  })
  return {
    ask: (path: string) =>
      new Promise<{ text: string; atMs: number }>((resolve) => {
        text = ''
        answered = resolve
        socket.write(`GET ${path} HTTP/1.1\r\nHost: vault\r\nAuthorization: Bearer ${apiKey}\r\n\r\n`)
      }),
    close: () => socket.destroy(),
  }
}

function toldIn(answer: string): string {
  const { status, body } = parseRaw(answer)
  return `${status} ${String(body['access_token'] ?? body['detail'])}`
}

test(
  'a crowd at every replica that asks for one expired token makes one request, and all get the same token',
  async () => {
    const provider = await RotatingProvider.start({ beforeCommitMs: () => PROVIDER_MS })
    const database = await createTestDatabase()
    const entry = { name: 'acme', token_url: provider.url, rotates: 'always' }
    const settings = await vaultSettings(database.url, [entry], {
      LOG_LEVEL: 'warn',
      TOKEN_VAULT_REFRESHER: 'off',
    })
    const fleet = await Fleet.start(settings, REPLICAS)
    onTestFinished(async () => {
      await fleet.close()
      await database.drop()
      await provider.close()
    })
    const save = async (id: string, expires_in: number) => {
      const { refreshToken: refresh_token } = provider.newFamily()
      const token = { id, provider: 'acme', client_id: 'client', refresh_token, access_token: id, expires_in }
      expect((await fleet.call('POST', '/v1/tokens', token)).status).toBe(201)
    }
    await save('living', 3600)
    const callers = await Promise.all(
      fleet.replicas.flatMap(({ settings }) => Array.from({ length: CALLERS }, () => openCaller(settings))),
    )
    const ask = (id: string) =>
      Promise.all(callers.map((caller) => caller.ask(`/v1/tokens/${id}/access-token`)))
    // A service that has run for a while has compiled its code.
    for (let round = 0; round < WARM_UP_ROUNDS; round += 1) await ask('living')
    for (let round = 1; round <= ROUNDS; round += 1) {
      await save(`expired-${round}`, 0)
      const answers = await ask(`expired-${round}`)
      const [presented, ...more] = provider.log.splice(0)
      expect(more).toEqual([])
      const told = new Set(answers.map(({ text }) => toldIn(text)))
      expect(told.size).toBe(1)
      expect([...told][0]).toMatch(/^200 access-/)
      const answeredMs = (presented?.atMs ?? 0) + PROVIDER_MS
      const added = answers.map(({ atMs }) => atMs - answeredMs)
      console.info(
        `${REPLICAS} replicas, ${CALLERS} callers at each: over the provider's ${PROVIDER_MS} ms they waited ${partOf(added, 0.5)} ms in the median, ${partOf(added, 0.99)} ms at p99`,
      )
    }
    for (const caller of callers) caller.close()
  },
  120_000 + REPLICAS * CALLERS * 50 + ROUNDS * 10_000,
)
