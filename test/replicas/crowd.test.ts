import { expect, onTestFinished, test } from 'vitest'
import { createTestDatabase } from '../support/database.ts'
import { Fleet } from '../support/fleet.ts'
import { partOf } from '../support/figures.ts'
import { RotatingProvider } from '../support/rotating-provider.ts'
import { vaultSettings } from '../support/vault-process.ts'

const REPLICAS = Number(process.env['CROWD_REPLICAS'] ?? 4)
/** At each replica. */
const CALLERS = Number(process.env['CROWD_CALLERS'] ?? 100)
/** All have asked before the provider answers. */
const PROVIDER_MS = Number(process.env['CROWD_PROVIDER_MS'] ?? 1500)

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
    const saved = await fleet.call('POST', '/v1/tokens', {
      provider: 'acme',
      client_id: 'client',
      refresh_token: provider.newFamily().refreshToken,
      access_token: 'expired',
      expires_in: 0,
    })
    const { id } = (await saved.json()) as { id: string }
    const crowd = async (path: string) => {
      const callers = fleet.replicas.flatMap((replica) => Array<typeof replica>(CALLERS).fill(replica))
      return Promise.all(
        callers.map(async (replica) => {
          const answer = await fleet.call('GET', path, undefined, replica)
          const body = (await answer.json()) as { access_token?: string }
          return { told: `${answer.status} ${body.access_token ?? ''}`, atMs: Date.now() }
        }),
      )
    }
    // Their connections are there already.
    await crowd('/healthz')
    const answers = await crowd(`/v1/tokens/${id}/access-token`)
    expect(provider.log).toHaveLength(1)
    const told = new Set(answers.map((answer) => answer.told))
    expect(told.size).toBe(1)
    expect([...told][0]).toMatch(/^200 access-0-/)
    const answeredMs = (provider.log[0]?.atMs ?? 0) + PROVIDER_MS
    const added = answers.map(({ atMs }) => atMs - answeredMs)
    console.info(
      `${REPLICAS} replicas, ${CALLERS} callers at each: over the provider's ${PROVIDER_MS} ms they waited ${partOf(added, 0.5)} ms in the median, ${partOf(added, 0.99)} ms at p99`,
    )
  },
  120_000 + REPLICAS * CALLERS * 50,
)
