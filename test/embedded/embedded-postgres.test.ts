import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { StartupError } from '../../src/domain/errors.ts'
import { launchGuard } from '../../src/embedded/process.ts'
import { freePort } from '../../src/embedded/free-port.ts'
import { eventually, postgresPidOf, query } from '../support/embedded-processes.ts'
import { notesIn, useRoom, useUsedDataFolder } from '../support/embedded-room.ts'

const NOBODY = 65534

const room = useRoom()
const usedDataFolder = useUsedDataFolder()
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8)

describe('a start', () => {
  it('makes a cluster, and the next one finds its data', async () => {
    const first = await room.start()
    await query(first.url, 'create table note as select 1 as id')
    await first.stop()
    const second = await room.start()
    expect(await notesIn(second.url)).toBe(1)
    expect(second).toMatchObject({ directory: join(room.dataDir, 'postgres') })
  })

  it('leaves what it keeps to its owner only', async () => {
    const dataDir = usedDataFolder()
    const { directory } = await room.start({ dataDir })
    expect(
      readdirSync(dataDir)
        .filter((name) => name.startsWith('postgres'))
        .sort(),
    ).toEqual(['postgres', 'postgres-password', 'postgres.lock', 'postgres.log'])
    expect([dataDir, directory].map(modeOf)).toEqual(['700', '700'])
    expect(['postgres-password', 'postgres.log'].map((name) => modeOf(join(dataDir, name)))).toEqual([
      '600',
      '600',
    ])
  })

  it('gives a Postgres that asks for the password, stores UTF-8, sorts by code points and takes settings', async () => {
    const dataDir = usedDataFolder()
    const { url } = await room.start({ dataDir, settings: { log_statement: 'all' } })
    await expect(query(url.replace(/:[^:@]+@/, ':wrong@'), 'select 1')).rejects.toMatchObject({
      code: '28P01',
    })
    const [facts] = await query(
      url,
      `select current_setting('max_connections') as connections, current_setting('server_encoding') as encoding,
       datcollate as collation from pg_database where datname = current_database()`,
    )
    expect(facts).toEqual({ connections: '200', encoding: 'UTF8', collation: 'C' })
    expect(readFileSync(join(dataDir, 'postgres.log'), 'utf8')).toContain(
      "select current_setting('max_connections')",
    )
  })

  it('takes another port where somebody else was faster', async () => {
    const somebody = createServer().listen(0, '127.0.0.1')
    await eventually(() => somebody.listening)
    const taken = (somebody.address() as AddressInfo).port
    const ports = [taken]
    const nextPort = () => Promise.resolve(ports.pop() ?? freePort())
    const { url } = await room.start({ dataDir: usedDataFolder(), nextPort })
    somebody.close()
    expect(new URL(url).port).not.toBe(String(taken))
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
  })

  it('fails with what Postgres said, and where more of it is', async () => {
    const attempt = room.start({ dataDir: usedDataFolder(), settings: { shared_buffers: 'much' } })
    await expect(attempt).rejects.toThrow(StartupError)
    await expect(attempt).rejects.toThrow(/value for parameter "shared_buffers".*postgres\.log.*DATABASE_URL/)
  })

  it('leaves no password behind where the cluster cannot be made', async () => {
    const { path } = room
    const programs = { initdb: process.execPath, postgres: process.execPath }
    const where = { home: path, cluster: join(path, 'postgres'), ephemeral: false, user: null }
    const guard = launchGuard({ ...programs, ...where, settings: {}, password: 'secret', mayInit: true })
    await guard.ended
    expect(guard.lastWords()).toContain('initdb ended with exit code')
    expect(readdirSync(path).sort()).toEqual(['postgres.lock', 'postgres.log'])
  })

  it('says what to restore where the password does not fit the cluster', async () => {
    const dataDir = usedDataFolder()
    const file = join(dataDir, 'postgres-password')
    const password = readFileSync(file, 'utf8')
    writeFileSync(file, 'another\n')
    await expect(room.start({ dataDir })).rejects.toThrow(
      /refuses the connection .* postgres-password of the data/,
    )
    writeFileSync(file, password)
    expect(existsSync(join(dataDir, 'postgres', 'postmaster.pid'))).toBe(false)
  })

  it.skipIf(process.geteuid?.() !== 0)('works for a user other than root too', async () => {
    mkdirSync(room.dataDir)
    chownSync(room.dataDir, NOBODY, NOBODY)
    const { url, directory } = await room.hold({}, { uid: NOBODY }).report()
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(statSync(`/proc/${postgresPidOf(directory)}`).uid).toBe(NOBODY)
  })
})

describe('an ephemeral Postgres', () => {
  it('leaves nothing when it has stopped', async () => {
    const holder = room.hold({ ephemeral: true })
    const { url, directory } = await holder.report()
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(directory.startsWith(room.path)).toBe(true)
    await holder.end()
    expect(readdirSync(room.path)).toEqual([])
  })

  it('leaves nothing when the service was killed', async () => {
    const holder = room.hold({ ephemeral: true })
    const { directory } = await holder.report()
    holder.kill()
    expect(existsSync(directory)).toBe(true)
    await eventually(() => readdirSync(room.path).length === 0)
  })

  it('leaves nothing when the service was killed while the cluster was made', async () => {
    const holder = room.hold({ ephemeral: true })
    const home = () => readdirSync(room.path).flatMap((name) => readdirSync(join(room.path, name)))
    await eventually(() => home().some((name) => name.startsWith('postgres.new-')))
    await sleep(150)
    holder.kill()
    expect(home()).not.toContain('postgres')
    await eventually(() => readdirSync(room.path).length === 0)
  })
})
