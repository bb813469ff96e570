import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { selfSigned } from '../providers/self-signed.ts'
import type { Certified } from '../providers/self-signed.ts'
import { FakeZoho } from '../support/fake-zoho.ts'
import type { ZohoUser } from '../support/fake-zoho.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'

/** What the Python tests may ask of the world around them; `tests/world.py` asks it. */
type Order =
  | { do: 'grant' | 'refresh_token'; user: ZohoUser }
  | { do: 'revoke' | 'is_live'; refresh_token: string }
  | { do: 'set_lifetime'; seconds: number }
  | { do: 'calls' | 'stop_vault' | 'start_vault' }

/** Where the Python tests find the world; passed to them as JSON. */
export interface WorldAddress {
  control: string
  vault: string
  api_key: string
  zoho: string
  client_id: string
  client_secret: string
  /** For a vault of the test's own that speaks TLS. */
  tls: Certified
}

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))

/** A stand-in for Zoho and a vault on an embedded Postgres, which keeps its data when it is started again. */
export async function createWorld(): Promise<{ address: WorldAddress; close: () => Promise<void> }> {
  const zoho = await FakeZoho.start()
  const dataCentre = { name: 'stand-in', api_domain: zoho.url, accounts_url: zoho.url }
  const provider = { name: 'zoho', default_data_centre: 'stand-in', data_centres: [dataCentre] }
  const settings = await vaultSettings('', [provider])
  settings.env['TOKEN_VAULT_DATA_DIR'] = `${settings.folder}/data`
  const start = () => startVaultProcess(settings, [CLI, 'serve'])
  let vault = await start()

  async function obey(order: Order): Promise<unknown> {
    switch (order.do) {
      case 'grant':
        return zoho.grant(order.user)
      case 'refresh_token':
        return zoho.refreshToken(order.user)
      case 'revoke':
        return zoho.grants.revoke(order.refresh_token)
      case 'is_live':
        return zoho.grants.isLive(order.refresh_token)
      case 'set_lifetime':
        return (zoho.grants.policy.lifetimeSeconds = order.seconds)
      case 'calls':
        return zoho.calls
      case 'stop_vault':
        return vault.stop()
      case 'start_vault':
        vault = await start()
    }
    return null
  }

  const control = await listen(obey)
  return {
    address: {
      control: control.url,
      vault: settings.url,
      api_key: settings.apiKey,
      zoho: zoho.url,
      client_id: zoho.client.id,
      client_secret: zoho.client.secret,
      tls: selfSigned(),
    },
    async close() {
      control.close()
      await vault.stop()
      await zoho.close()
      await settings.drop()
    },
  }
}

/** Takes orders as JSON over HTTP on a port of 127.0.0.1. */
async function listen(obey: (order: Order) => Promise<unknown>) {
  const server = createServer((request, response) => {
    json(request)
      .then((order) => obey(order as Order))
      .then((result) => response.end(JSON.stringify(result ?? null)))
      .catch((error: unknown) => response.writeHead(500).end(String(error)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections()
      server.close()
    },
  }
}
