import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { readConfig } from '../../src/config/config.ts'
import { settingsRead } from '../support/settings-read.ts'

interface ComposeService {
  image: string
  environment: Record<string, string>
  secrets: string[]
  volumes?: string[]
  ports?: string[]
  tmpfs?: string[]
  read_only?: boolean
  cap_drop?: string[]
  security_opt?: string[]
  depends_on?: Record<string, { condition: string }>
  healthcheck?: { test?: string[] }
  restart?: string
}

interface ComposeFile {
  services: Record<'postgres' | 'migrate' | 'vault', ComposeService>
  volumes: Record<string, unknown>
  secrets: Record<string, { file: string }>
}

const project = resolve(import.meta.dirname, '../..')
const textOf = (name: string) => readFileSync(join(project, name), 'utf8')

const { services, secrets, volumes } = parse(textOf('docker-compose.yml'), { merge: true }) as ComposeFile
const { postgres, migrate, vault } = services
const all = Object.entries(services)
const example = new Map(
  [...textOf('.env.example').matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, name = '', value = '']) => [
    name,
    value,
  ]),
)

describe('docker-compose.yml', () => {
  it('has the database migrated before the vault starts, and waits for it', () => {
    expect(vault.depends_on).toEqual({
      postgres: { condition: 'service_healthy' },
      migrate: { condition: 'service_completed_successfully' },
    })
    expect(migrate.depends_on).toEqual({ postgres: { condition: 'service_healthy' } })
    expect(migrate.restart).toBe('no')
    expect(postgres.healthcheck?.test?.slice(0, 3)).toEqual(['CMD', 'pg_isready', '--host=127.0.0.1'])
  })

  it.each(all)('gives %s a read-only root and no rights beyond its own', (_name, service) => {
    expect(service).toMatchObject({
      read_only: true,
      cap_drop: ['ALL'],
      security_opt: ['no-new-privileges:true'],
    })
  })

  it.each(all)('gives %s its secrets by files only', (_name, { environment, secrets: given }) => {
    const files = Object.entries(environment).filter(([name]) => name.endsWith('_FILE'))
    expect(files.map(([, path]) => path).sort()).toEqual(given.map((name) => `/run/secrets/${name}`).sort())
    for (const name of [
      'DATABASE_URL',
      'TOKEN_VAULT_MASTER_KEYS',
      'TOKEN_VAULT_BOOTSTRAP_KEY',
      'POSTGRES_PASSWORD',
    ])
      expect(environment).not.toHaveProperty(name)
    expect(Object.keys(secrets)).toEqual(expect.arrayContaining(given))
  })

  it('sets nothing that the vault does not know', () => {
    const own = Object.keys(vault.environment).filter((name) => name.startsWith('TOKEN_VAULT_'))
    expect([...settingsRead()]).toEqual(expect.arrayContaining(own))
    expect(migrate.environment).toEqual(vault.environment)
  })

  it('keeps the data in a volume and publishes the vault alone, to this machine alone', () => {
    expect(postgres.volumes).toEqual(['postgres:/var/lib/postgresql'])
    expect(volumes).toHaveProperty('postgres')
    expect(all.flatMap(([, { ports = [] }]) => ports)).toEqual([
      '${PUBLISH_ADDRESS:-127.0.0.1}:${PUBLISH_PORT:-8080}:8080',
    ])
  })

  it('asks for nothing that .env.example does not explain, and works without it', () => {
    const used = [...textOf('docker-compose.yml').matchAll(/\$\{([A-Z_]+)(:-[^}]*)?\}/g)]
    expect([...new Set(used.map(([, name]) => name))].sort()).toEqual([...example.keys()].sort())
    expect(used.filter(([, , fallback]) => fallback === undefined)).toEqual([])
  })

  it('is explained by an .env.example of the defaults', () => {
    const { refreshMarginSeconds, refreshConcurrency, logLevel } = readConfig({})
    expect(Object.fromEntries(example)).toEqual({
      PUBLISH_ADDRESS: '127.0.0.1',
      PUBLISH_PORT: '8080',
      TOKEN_VAULT_REFRESH_MARGIN: String(refreshMarginSeconds),
      TOKEN_VAULT_REFRESH_CONCURRENCY: String(refreshConcurrency),
      LOG_LEVEL: logLevel,
    })
  })
})

describe('scripts/make-secrets.sh', () => {
  let folder: string

  const makeSecrets = () =>
    execFileSync('sh', [join(folder, 'scripts/make-secrets.sh')], { encoding: 'utf8' })
  const secret = (name: string) => readFileSync(join(folder, secrets[name]?.file ?? ''), 'utf8').trim()

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'vault-compose-'))
    mkdirSync(join(folder, 'scripts'))
    cpSync(join(project, 'scripts/make-secrets.sh'), join(folder, 'scripts/make-secrets.sh'))
    makeSecrets()
  })
  afterAll(() => {
    rmSync(folder, { recursive: true })
  })

  it('makes each secret that docker-compose.yml names, readable in a container, closed to other users here', () => {
    const files = Object.values(secrets).map(({ file }) => file)
    expect(readdirSync(join(folder, 'secrets')).sort()).toEqual(files.map((file) => file.slice(10)).sort())
    expect(statSync(join(folder, 'secrets')).mode & 0o777).toBe(0o700)
    for (const file of files) expect(statSync(join(folder, file)).mode & 0o777).toBe(0o444)
  })

  it('makes settings that the vault takes, and one password for both sides of the database', () => {
    const files = Object.entries(vault.environment)
      .filter(([name]) => name.endsWith('_FILE'))
      .map(([name, path]) => [name, path.replace('/run', folder)])
    const config = readConfig(Object.fromEntries(files) as Record<string, string>)
    const { POSTGRES_USER, POSTGRES_DB } = postgres.environment
    const password = secret('database_password')
    expect(config.databaseUrls).toEqual([
      `postgres://${POSTGRES_USER}:${password}@postgres:5432/${POSTGRES_DB}`,
    ])
    expect(config.masterKeys).toHaveLength(1)
    expect(config.bootstrapKey?.reveal()).toBe(secret('bootstrap_key'))
  })

  it('keeps what it made when it runs again', () => {
    const before = Object.keys(secrets).map(secret)
    expect(new Set(before).size).toBe(4)
    expect(makeSecrets()).toMatch(/^(kept {2}secrets\/\w+\n){4}Keep a copy/)
    expect(Object.keys(secrets).map(secret)).toEqual(before)
  })
})
