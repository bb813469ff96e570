import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, chownSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'
import { createConnection } from 'mysql2/promise'
import { postgresUser } from '../../src/embedded/user.ts'
import { freePort } from '../../src/embedded/free-port.ts'

/** A MariaDB of the test's own. */
export interface MariaDb {
  /** Of a database and a user that were made for it. */
  url: string
  execute(statements: { sql: string; values: string[] }[]): Promise<void>
  /** Ends all other connections. */
  disconnectAll(): Promise<void>
  stop(): Promise<void>
}

const DATABASE = 'zohooauth'
const PASSWORD = 'p@ss/wörd'
const READY_WITHIN_MS = 60_000

const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin']
const programOf = (name: string) =>
  folders.map((folder) => join(folder, name)).find((path) => existsSync(path))
const [server, installer] = [programOf('mariadbd'), programOf('mariadb-install-db')]

export const isMariaDbInstalled = server !== undefined && installer !== undefined

/** As root it runs as the user that the tests' Postgres runs as, too: MariaDB refuses root likewise. */
export async function startMariaDb(): Promise<MariaDb> {
  const folder = mkdtempSync(join(tmpdir(), 'vault-mariadb-'))
  chmodSync(folder, 0o755)
  const user = postgresUser(null)
  if (user !== null) chownSync(folder, user.uid, user.gid)
  const common = ['--no-defaults', `--datadir=${join(folder, 'data')}`]
  const options = { ...user, cwd: folder }
  const initial = [...common, '--auth-root-authentication-method=normal', '--skip-test-db']
  await promisify(execFile)(installer ?? '', initial, options)
  const port = await freePort()
  const network = ['--bind-address=127.0.0.1', `--port=${port}`, `--socket=${join(folder, 'socket')}`]
  const child = spawn(server ?? '', [...common, ...network], { ...options, stdio: 'ignore' })
  const stop = async () => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true })
  }
  try {
    const root = await untilReady(`mysql://root@127.0.0.1:${port}`)
    await root.query(`create database ${DATABASE} character set utf8mb4`)
    await root.query(`create user crm@'127.0.0.1' identified by '${PASSWORD}'`)
    await root.query(`grant all on ${DATABASE}.* to crm@'127.0.0.1'`)
    await root.end()
  } catch (error) {
    await stop()
    throw error
  }
  const url = `mysql://crm:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${DATABASE}`
  return {
    url,
    execute: (statements) => execute(url, statements),
    disconnectAll: () => disconnectAll(url),
    stop,
  }
}

async function untilReady(url: string) {
  const deadline = Date.now() + READY_WITHIN_MS
  for (;;) {
    try {
      return await createConnection(url)
    } catch (error) {
      if (Date.now() > deadline) throw error
      await pause(100)
    }
  }
}

async function execute(url: string, statements: { sql: string; values: string[] }[]): Promise<void> {
  const connection = await createConnection(url)
  for (const { sql, values } of statements) await connection.query(sql, values)
  await connection.end()
}

async function disconnectAll(url: string): Promise<void> {
  const connection = await createConnection(url)
  const [rows] = await connection.query(
    'select id from information_schema.processlist where user = substring_index(current_user(), "@", 1) and id <> connection_id()',
  )
  for (const { id } of rows as { id: number }[]) await connection.query('kill ?', [id])
  await connection.end()
}
