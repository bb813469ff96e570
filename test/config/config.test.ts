import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { parseMasterKeys } from '../../src/config/formats.ts'
import type { Environment } from '../../src/config/settings.ts'
import { StartupError } from '../../src/domain/errors.ts'
import { certified, selfSigned } from '../providers/self-signed.ts'

const KEY = randomBytes(32).toString('base64')
const API_KEY = `tv_bootstrap_${randomBytes(32).toString('base64url')}`
const DATABASE = { DATABASE_URL: 'postgres://vault:pw@db:5432/vault', TOKEN_VAULT_MASTER_KEYS: `k1:${KEY}` }

let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vault-config-'))
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function fileWith(text: string): string {
  const path = join(folder, randomBytes(6).toString('hex'))
  writeFileSync(path, text)
  return path
}

/** The lines that stop the start; none where it would go on. */
function faultsOf(env: Environment): readonly string[] {
  try {
    readConfig(env)
    return []
  } catch (error) {
    if (error instanceof StartupError) return error.faults
    throw error
  }
}

describe('without settings', () => {
  it('the service listens on loopback and brings its own Postgres', () => {
    expect(readConfig({})).toEqual({
      host: '127.0.0.1',
      port: 8080,
      databaseUrls: null,
      dataDir: '.token-vault',
      masterKeys: null,
      bootstrapKey: null,
      providers: null,
      refreshMarginSeconds: 600,
      refreshConcurrency: 32,
      refresher: true,
      eventsDays: 90,
      auditLog: null,
      rateLimit: null,
      metricsPort: null,
      disclosureBudget: null,
      tls: null,
      mysqlUrl: null,
      logLevel: 'info',
    })
  })

  it('an empty variable is unset', () => {
    const names = [
      'HOST',
      'PORT',
      'DATABASE_URL',
      'TOKEN_VAULT_MASTER_KEYS',
      'TOKEN_VAULT_TLS_CERT',
      'LOG_LEVEL',
    ]
    const files = ['DATABASE_URL_FILE', 'TOKEN_VAULT_MASTER_KEYS_FILE']
    expect(readConfig(Object.fromEntries([...names, ...files].map((name) => [name, ''])))).toEqual(
      readConfig({}),
    )
  })
})

describe('a value that is wrong stops the start with one line that names it and shows a right one', () => {
  const wrong: [name: string, value: string, says: RegExp][] = [
    ['PORT', '80 80', /must be a whole number from 0 to 65535, for example PORT=8080$/],
    ['PORT', '65536', /from 0 to 65535/],
    ['PORT', '-1', /from 0 to 65535/],
    ['PORT', '1e3', /from 0 to 65535/],
    ['DATABASE_URL', 'mysql://db', /must be a postgres:\/\/ URL, .* DATABASE_URL=postgres:\/\//],
    ['DATABASE_URL', 'postgres://db:99999/vault', /must be a postgres:\/\/ URL/],
    ['DATABASE_URL', 'postgres://u:p/w@db/vault', /special in its user and password percent-encoded/],
    [
      'DATABASE_URL',
      'postgres://db/vault?sslmode=verify',
      /its sslmode must be one of disable, .* for example .*\?sslmode=verify-full$/,
    ],
    ['TOKEN_VAULT_MASTER_KEYS', KEY, /must be id:base64 .* for example TOKEN_VAULT_MASTER_KEYS=k1:</],
    ['TOKEN_VAULT_MASTER_KEYS', `k1:${KEY},k1:${KEY}`, /each id once/],
    ['TOKEN_VAULT_MASTER_KEYS', 'k1:c2hvcnQ=', /each key of 32 bytes/],
    ['TOKEN_VAULT_BOOTSTRAP_KEY', 'secret', /must be an API key .* TOKEN_VAULT_BOOTSTRAP_KEY=tv_/],
    ['TOKEN_VAULT_BOOTSTRAP_KEY', API_KEY.replace('bootstrap', 'cli'), /neither cli nor refresher/],
    ['TOKEN_VAULT_BOOTSTRAP_KEY', API_KEY.replace('bootstrap', 'refresher'), /neither cli nor refresher/],
    ['MYSQL_URL', 'mysql://root@localhost', /must be a mysql:\/\/ URL that names a database, .*=mysql:\/\//],
    ['TOKEN_VAULT_REFRESH_MARGIN', '0', /from 1 to 86400, for example TOKEN_VAULT_REFRESH_MARGIN=600$/],
    ['TOKEN_VAULT_REFRESH_CONCURRENCY', 'many', /from 1 to 10000, for example .*=32$/],
    ['TOKEN_VAULT_EVENTS_DAYS', '0', /from 1 to 36500, for example .*=90$/],
    ['TOKEN_VAULT_REFRESHER', 'yes', /must be one of on, off, for example TOKEN_VAULT_REFRESHER=on$/],
    ['LOG_LEVEL', 'verbose', /must be one of fatal, error, warn, info, debug, trace, silent, for example/],
    [
      'TOKEN_VAULT_PROVIDERS_FILE',
      '/nowhere/p.json',
      /\(ENOENT\), for example .*=\/etc\/.*\/providers\.json$/,
    ],
    ['TOKEN_VAULT_TLS_CLIENT_CA', '/nowhere/ca.crt', /\(ENOENT\), for example .*=\/tls\/client-ca\.crt$/],
    ['MYSQL_URL_FILE', '/nowhere/url', /cannot be read \(ENOENT\), for example .*=\/run\/secrets\/name$/],
    ['TOKEN_VAULT_REFRESH_MARGINS', '600', /is no setting of this version: remove it, or mend its name/],
    ['TOKEN_VAULT_DATA_DIR_FILE', '/x', /is no setting of this version/],
  ]

  it.each(wrong)('%s=%s', (name, value, says) => {
    const faults = faultsOf({ [name]: value })
    expect(faults).toEqual([expect.stringMatching(says)])
    expect(faults[0]).toMatch(new RegExp(`^${name}: `))
  })

  it('several of them at once, a line each', () => {
    const faults = faultsOf({ PORT: 'x', LOG_LEVEL: 'x', DATABASE_URL: 'x', TOKEN_VAULT_X: '1' })
    expect(faults.map((line) => line.split(':')[0]).sort()).toEqual([
      'DATABASE_URL',
      'LOG_LEVEL',
      'PORT',
      'TOKEN_VAULT_X',
    ])
  })
})

describe('DATABASE_URL', () => {
  it('needs the master keys to be given, too', () => {
    expect(faultsOf({ DATABASE_URL: DATABASE.DATABASE_URL })).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_MASTER_KEYS: is needed with DATABASE_URL, for example /),
    ])
  })

  it('may name several hosts, each with its port', () => {
    const url = 'postgresql://vault:p%40w@one:5432,two:5433/vault?sslmode=verify-full'
    expect(readConfig({ ...DATABASE, DATABASE_URL: url }).databaseUrls).toEqual([
      'postgresql://vault:p%40w@one:5432/vault?sslmode=verify-full',
      'postgresql://vault:p%40w@two:5433/vault?sslmode=verify-full',
    ])
  })

  it('whatever it is, never stops the start with its text', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 8, unit: 'binary' }), (garbage) => {
        const DATABASE_URL = `postgres://vault:${garbage}`
        expect(faultsOf({ ...DATABASE, DATABASE_URL }).join('\n')).not.toContain(garbage)
      }),
    )
  })
})

describe('NAME_FILE', () => {
  it('gives a secret by a file, whose last line break is none of it', () => {
    const config = readConfig({
      DATABASE_URL_FILE: fileWith(`${DATABASE.DATABASE_URL}\n`),
      TOKEN_VAULT_MASTER_KEYS_FILE: fileWith(`k1:${KEY}\r\n`),
      TOKEN_VAULT_BOOTSTRAP_KEY_FILE: fileWith(API_KEY),
    })
    expect(config.databaseUrls).toEqual([DATABASE.DATABASE_URL])
    expect(config.masterKeys).toEqual([{ id: 'k1', bytes: Buffer.from(KEY, 'base64') }])
    expect(config.bootstrapKey?.reveal()).toBe(API_KEY)
  })

  it('is not given together with NAME', () => {
    const file = fileWith(`k1:${KEY}`)
    expect(faultsOf({ ...DATABASE, TOKEN_VAULT_MASTER_KEYS_FILE: file })).toEqual([
      expect.stringMatching(
        /^TOKEN_VAULT_MASTER_KEYS_FILE: is given together with TOKEN_VAULT_MASTER_KEYS: /,
      ),
    ])
  })

  it('that cannot be read is one fault, which does not show what was given', () => {
    const env = { DATABASE_URL: DATABASE.DATABASE_URL, TOKEN_VAULT_MASTER_KEYS_FILE: `k1:${KEY}` }
    const faults = faultsOf(env)
    expect(faults).toEqual([
      expect.stringMatching(
        /^TOKEN_VAULT_MASTER_KEYS_FILE: the file that it names cannot be read \(ENOENT\)/,
      ),
    ])
    expect(faults.join()).not.toContain(KEY)
  })

  it('of an empty file is unset', () => {
    expect(readConfig({ TOKEN_VAULT_BOOTSTRAP_KEY_FILE: fileWith('\n') }).bootstrapKey).toBeNull()
  })
})

describe('TOKEN_VAULT_MASTER_KEYS', () => {
  it('is a list, the first of which encrypts', () => {
    const other = randomBytes(32).toString('base64url')
    expect(parseMasterKeys(`new:${KEY}, old:${other}`)?.map(({ id }) => id)).toEqual(['new', 'old'])
  })

  it.each([
    ['one id twice', `k1:${KEY},k1:${KEY}`],
    ['a key of 31 bytes', `k1:${randomBytes(31).toString('base64')}`],
    ['a key of 33 bytes', `k1:${randomBytes(33).toString('base64')}`],
    ['an empty id', `:${KEY}`],
    ['an empty entry', `k1:${KEY},`],
  ])('%s is refused', (_case, text) => {
    expect(parseMasterKeys(text)).toBeNull()
  })

  it('whatever it is, the start is refused without a word of it', () => {
    const piece = fc.oneof(fc.string(), fc.constantFrom(':', ',', 'k1:', KEY), fc.base64String())
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 6 }), (pieces) => {
        const text = pieces.join('')
        const said = faultsOf({ TOKEN_VAULT_MASTER_KEYS: text }).join('\n')
        expect(said).not.toContain(KEY)
        // What the line says anyway is not the value.
        if (text.length > 12) expect(said).not.toContain(text)
      }),
      { numRuns: 500 },
    )
  })
})

describe('TLS', () => {
  const { cert, key } = selfSigned()

  it('is read from its files', () => {
    const env = { TOKEN_VAULT_TLS_CERT: fileWith(cert), TOKEN_VAULT_TLS_KEY: fileWith(key) }
    expect(readConfig(env).tls).toEqual({ cert, key, clientCa: null })
  })

  it('needs the certificate and its key', () => {
    const certificate = fileWith(cert)
    expect(faultsOf({ TOKEN_VAULT_TLS_CERT: certificate })).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_TLS_KEY: is needed with the other TLS settings, for example /),
    ])
    expect(faultsOf({ TOKEN_VAULT_TLS_CLIENT_CA: certificate })).toHaveLength(2)
    expect(faultsOf({ TOKEN_VAULT_TLS_CERT: '/nowhere', TOKEN_VAULT_TLS_KEY: fileWith(key) })).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_TLS_CERT: the file that it names cannot be read/),
    ])
  })

  it('refuses files of something else and a key of another certificate', () => {
    const certificate = fileWith(cert)
    expect(faultsOf({ TOKEN_VAULT_TLS_CERT: fileWith(''), TOKEN_VAULT_TLS_KEY: certificate })).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_TLS_CERT: the file must hold a certificate in PEM form/),
      expect.stringMatching(/^TOKEN_VAULT_TLS_KEY: the file must hold a private key without a passphrase/),
    ])
    const broken = fileWith(`${cert}-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n`)
    const chain = { TOKEN_VAULT_TLS_CERT: broken, TOKEN_VAULT_TLS_KEY: fileWith(key) }
    expect(faultsOf({ ...chain, TOKEN_VAULT_TLS_CLIENT_CA: broken })).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_TLS_CERT: the file must hold a certificate in PEM form/),
      expect.stringMatching(/^TOKEN_VAULT_TLS_CLIENT_CA: the file must hold a certificate in PEM form/),
    ])
    const other = fileWith(selfSigned().key)
    expect(faultsOf({ TOKEN_VAULT_TLS_CERT: certificate, TOKEN_VAULT_TLS_KEY: other })).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_TLS_KEY: is not the key of TOKEN_VAULT_TLS_CERT/),
    ])
  })

  it('refuses a certificate that OpenSSL does not serve, and says by which rule', () => {
    const small = certified({ name: 'small', curve: 'prime192v1' })
    const env = { TOKEN_VAULT_TLS_CERT: fileWith(small.cert), TOKEN_VAULT_TLS_KEY: fileWith(small.key) }
    expect(faultsOf(env)).toEqual([
      expect.stringMatching(/^TOKEN_VAULT_TLS_CERT: OpenSSL does not serve it \(ERR_SSL_EE_KEY_TOO_SMALL\)/),
    ])
  })
})

it('a providers file that is not JSON is a fault', () => {
  expect(faultsOf({ TOKEN_VAULT_PROVIDERS_FILE: fileWith('{') })).toEqual([
    expect.stringMatching(/^TOKEN_VAULT_PROVIDERS_FILE: the file is not JSON, for example /),
  ])
})
