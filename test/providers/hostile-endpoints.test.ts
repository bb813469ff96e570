import type { LookupAddress } from 'node:dns'
import { createServer } from 'node:net'
import { describe, expect, test } from 'vitest'
import { StartupError } from '../../src/domain/errors.ts'
import { Secret } from '../../src/domain/secret.ts'
import { isWithin } from '../../src/providers/address-policy.ts'
import type { FormPost } from '../../src/providers/form-sender.ts'
import { createFormSender } from '../../src/providers/form-sender.ts'
import { loadProviders } from '../../src/providers/load-providers.ts'
import { createProviders } from '../../src/providers/providers.ts'
import { httpAnswer, listen, startAnswering } from './local-server.ts'

const REFUSED = { kind: 'failed', error: 'address_not_allowed', sent: false }

/** Addresses that are not public unicast, as a URL spells them. */
const ADDRESSES = [
  ...['10.0.0.1', '10.255.255.255', '172.16.0.1', '172.31.255.255', '192.168.0.1', '192.168.255.255'],
  ...['169.254.0.1', '169.254.169.254', '100.64.0.1', '100.100.100.200', '100.127.255.255'],
  ...['0.0.0.0', '0.1.2.3', '224.0.0.1', '239.255.255.250', '240.0.0.1', '255.255.255.255'],
  ...['192.0.0.1', '192.0.2.1', '198.51.100.1', '203.0.113.1', '198.18.0.1', '198.19.255.255', '192.88.99.1'],
  ...[
    '[::]',
    '[fe80::1]',
    '[febf::1]',
    '[fec0::1]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[ff02::1]',
    '[ff0e::1]',
  ],
  // An IPv4 address inside: mapped, translated, compatible, 6to4, Teredo, NAT64.
  ...['[::ffff:7f00:1]', '[::ffff:a00:1]', '[::ffff:a9fe:a9fe]', '[::ffff:808:808]', '[::ffff:0:7f00:1]'],
  ...['[::7f00:1]', '[::a00:1]', '[2002:7f00:1::]', '[2002:a00:1::1]', '[2002:a9fe:a9fe::]'],
  ...['[2001::1]', '[2001:0:4136:e378:8000:63bf:3fff:fdd2]'],
  ...['[64:ff9b::7f00:1]', '[64:ff9b::a00:1]', '[64:ff9b:1::a00:1]'],
  // Documentation, discard, benchmarking, ORCHID, segment routing, and what is not given to anybody.
  ...['[2001:db8::1]', '[3fff::1]', '[100::1]', '[2001:2::1]', '[2001:10::1]', '[2001:20::1]', '[5f00::1]'],
  ...['[4000::1]', '[e000::1]'],
]

/** Hosts that a URL parser makes an address of. */
const DISGUISES = [
  ...[
    '2130706433',
    '0x7f000001',
    '017700000001',
    '0x7f.0.0.1',
    '0177.0.0.1',
    '127.1',
    '127.0.1',
    '127.0.0.1.',
  ],
  ...['3232235777', '0xc0a80101', '030052000401', '192.168.257', '167772161', '0xa.1', '012.0.0.1'],
  ...[
    '2852039166',
    '0xa9fea9fe',
    '0251.0376.0251.0376',
    '0',
    '0x0',
    '4294967295',
    '%31%30.0.0.1',
    '10%2e0.0.1',
  ],
  ...['１２７.0.0.1', '①②⑦.⓪.⓪.①', '127。0。0。1', 'ｌocalhost', 'local\u00adhost'],
  ...['[0:0:0:0:0:0:0:1]', '[::0001]', '[::ffff:127.0.0.1]', '[::127.0.0.1]', '[64:ff9b::10.0.0.1]'],
]

/** What a name server may say of a host. */
const ANSWERS: [what: string, host: string, addresses: string[]][] = [
  ['a host that is this machine', 'rebind.example', ['127.0.0.1']],
  ['a host that is this machine by IPv6', 'rebind.example', ['::1']],
  ['a host with only refused addresses', 'rebind.example', ['127.0.0.1', '::1', '10.0.0.1', 'fd00::1']],
  ['localhost with a dot', 'localhost.', ['127.0.0.1']],
  ['a host under localhost', 'login.localhost', ['127.0.0.1']],
  ['a host that starts like loopback', '127.0.0.1.nip.example', ['127.0.0.1']],
  ['localhost that is another machine', 'localhost', ['10.0.0.1', '93.184.215.14']],
  ['an address in octal', 'rebind.example', ['0177.0.0.1']],
  ['a number', 'rebind.example', ['2130706433']],
  ['a name', 'rebind.example', ['localhost']],
  ['an address with a zone', 'rebind.example', ['fe80::1%eth0', '::1%lo']],
  ['a mapped address', 'rebind.example', ['::ffff:127.0.0.1']],
  ['an empty address', 'rebind.example', ['']],
  ['no address', 'rebind.example', []],
]

function postTo(url: string): FormPost {
  const sendBeforeMs = performance.now() + 5000
  const client = { id: 'client', secret: null, auth: 'body' } as const
  return { url, form: {}, client, privateNetwork: false, timeoutMs: 2000, sendBeforeMs }
}

const toAnswer = (address: string): LookupAddress => ({ address, family: address.includes(':') ? 6 : 4 })

/** A server at every address of this machine, which counts. */
async function startListener() {
  let connections = 0
  const server = createServer((socket) => {
    connections += 1
    socket.on('error', () => undefined)
  })
  return { port: await listen(server), connections: () => connections }
}

function faultsOf(url: string): readonly string[] {
  try {
    loadProviders({ providers: [{ name: 'acme', token_url: url }] })
    return []
  } catch (error) {
    if (error instanceof StartupError) return error.faults
    throw error
  }
}

test('over 80 hostile forms are tried', () => {
  expect(new Set([...ADDRESSES, ...DISGUISES]).size + ANSWERS.length).toBeGreaterThan(80)
})

describe('an address in place of a host', () => {
  test.each(ADDRESSES)('%s stops the start, and gets no connection', async (host) => {
    const { port, connections } = await startListener()
    const url = `https://${host}:${port}/token`
    expect(faultsOf(url)).toEqual([
      expect.stringMatching(/\/providers\/0\/token_url is not a public address/),
    ])
    expect(await createFormSender()(postTo(url))).toEqual(REFUSED)
    expect(connections()).toBe(0)
  })

  test.each(DISGUISES)('%s is no host', (host) => {
    for (const scheme of ['http', 'https']) {
      expect(faultsOf(`${scheme}://${host}/token`)).toEqual([
        expect.stringMatching(/\/providers\/0\/token_url must be an https URL/),
      ])
    }
  })

  test('is checked wherever a provider has a URL', () => {
    const accounts = { name: 'x', api_domain: 'https://api.acme.example', accounts_url: 'https://10.0.0.1' }
    const providers = [
      { name: 'acme', token_url: 'https://acme.example', revoke_url: 'https://10.0.0.1' },
      { name: 'zoho', data_centres: [accounts] },
    ]
    expect(() => loadProviders({ providers })).toThrow(/\/providers\/0\/revoke_url is not a public address/)
    expect(() => loadProviders({ providers })).toThrow(/\/providers\/1\/data_centres\/0\/accounts_url is not/)
  })
})

describe('a host', () => {
  test.each(ANSWERS)(
    'gets no connection where it leads to no allowed address: %s',
    async (_, host, addresses) => {
      const { port, connections } = await startListener()
      const told: object[] = []
      const observer = {
        addressRefused(refused: { host: string; addresses: readonly string[] }) {
          told.push({ host: refused.host, addresses: refused.addresses })
        },
      }
      const resolve = () => Promise.resolve(addresses.map(toAnswer))
      const send = createFormSender({ resolve, observer })
      expect(await send(postTo(`https://${host}:${port}/token`))).toEqual(REFUSED)
      expect(connections()).toBe(0)
      expect(told).toEqual([{ host, addresses }])
    },
  )

  test('is connected to at the address that was checked, though its next address is another', async () => {
    const server = await startAnswering(httpAnswer('{}'))
    const answers = [['10.0.0.1', '127.0.0.1', '169.254.169.254'], ['10.0.0.1']]
    const resolve = () => Promise.resolve((answers.shift() ?? []).map(toAnswer))
    const send = createFormSender({ resolve })
    const url = `http://localhost:${server.port}/token`
    expect(await send(postTo(url))).toMatchObject({ kind: 'answered' })
    expect(answers).toHaveLength(1)
    expect(await send(postTo(url))).toEqual(REFUSED)
    expect(server.connections()).toBe(1)
  })

  test('that cannot be looked up fails as not sent', async () => {
    const resolve = () => Promise.reject(Object.assign(new Error('no such host'), { code: 'ENOTFOUND' }))
    const reply = await createFormSender({ resolve })(postTo('https://acme.example/'))
    expect(reply).toEqual({ kind: 'failed', error: 'ENOTFOUND', sent: false })
  })

  test('is looked up once at a time: a dead name server holds one thread, not all', async () => {
    const asked: string[] = []
    const pending = Promise.withResolvers<LookupAddress[]>()
    const resolve = (host: string) => {
      asked.push(host)
      return pending.promise
    }
    const send = createFormSender({ resolve })
    const hosts = ['a.example', 'a.example', 'b.example', 'a.example']
    const replies = hosts.map((host) => send(postTo(`https://${host}/`)))
    pending.resolve([])
    expect(await Promise.all(replies)).toEqual(hosts.map(() => REFUSED))
    expect(asked).toEqual(['a.example', 'b.example'])
    await send(postTo('https://a.example/'))
    expect(asked).toHaveLength(3)
  })

  test('that leads nowhere allowed is a provider that is unavailable', async () => {
    const send = createFormSender({ resolve: () => Promise.resolve([toAnswer('10.0.0.1')]) })
    const acme = { name: 'acme', token_url: 'https://login.acme.example/token' }
    const outcome = await createProviders(loadProviders({ providers: [acme] }), { send }).refresh({
      provider: 'acme',
      clientId: 'client',
      clientSecret: null,
      refreshToken: new Secret('refresh'),
      apiDomain: null,
      cannotWait: false,
      sendBeforeMs: performance.now() + 5000,
    })
    expect(outcome).toEqual({ kind: 'unavailable', error: 'address_not_allowed', sent: false })
  })
})

describe('what is allowed', () => {
  const PUBLIC = [
    '8.8.8.8',
    '93.184.215.14',
    '172.32.0.1',
    '2606:4700::6810:84e5',
    '2a00:1450:4001:82a::200e',
  ]
  const PRIVATE = ['10.0.0.1', '172.16.0.1', '192.168.1.1', 'fd12:3456::1']
  const NEVER = [
    '169.254.169.254',
    '100.100.100.200',
    'fe80::1',
    '0.0.0.0',
    '::',
    '::ffff:10.0.0.1',
    '224.0.0.1',
  ]

  test('is the public network alone, unless the operator says otherwise', () => {
    for (const address of PUBLIC) expect(isWithin('public', address)).toBe(true)
    for (const address of [...PRIVATE, ...NEVER, '127.0.0.1']) expect(isWithin('public', address)).toBe(false)
  })

  test('is the private network too for a provider that says so, and neither loopback nor link-local', () => {
    for (const address of [...PUBLIC, ...PRIVATE]) expect(isWithin('private', address)).toBe(true)
    for (const address of [...NEVER, '127.0.0.1', '::1']) expect(isWithin('private', address)).toBe(false)
    const entry = { name: 'acme', token_url: 'https://10.0.0.1/token', private_network: true }
    expect(() => loadProviders({ providers: [entry] })).not.toThrow()
  })

  test.each(['127.0.0.1', 'localhost'])('is this machine for a URL of %s', async (host) => {
    const server = await startAnswering(httpAnswer('{}'))
    const reply = await createFormSender()(postTo(`http://${host}:${server.port}/`))
    expect(reply).toMatchObject({ kind: 'answered' })
    expect(server.connections()).toBe(1)
  })

  test.each(['127.0.0.1', '::1'])(
    'is this machine alone for a URL of loopback, not %s for others',
    (address) => {
      expect(isWithin('loopback', address)).toBe(true)
      for (const other of [...PUBLIC, ...PRIVATE, ...NEVER]) expect(isWithin('loopback', other)).toBe(false)
    },
  )
})

describe('an answer', () => {
  test.each([301, 302, 303, 307, 308])('of %i leads nowhere', async (status) => {
    const { port, connections } = await startListener()
    const location = `Location: http://127.0.0.1:${port}/token`
    const server = await startAnswering(httpAnswer('', [location], `${status} Moved`))
    const reply = await createFormSender()(postTo(server.url))
    expect(reply).toEqual({ kind: 'unreadable', error: 'redirect' })
    expect(connections()).toBe(0)
  })

  test.each(['gzip', 'br', 'deflate', 'zstd', 'x-gzip', 'identity, gzip'])(
    'in %s is not unpacked',
    async (coding) => {
      const server = await startAnswering(httpAnswer('{}', [`Content-Encoding: ${coding}`]))
      expect(await createFormSender()(postTo(server.url))).toEqual({
        kind: 'unreadable',
        error: 'answer_encoded',
      })
    },
  )
})
