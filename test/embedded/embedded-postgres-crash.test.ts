import { spawn } from 'node:child_process'
import {
  appendFileSync,
  chownSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { eventually, isAlive, parentOf, postgresPidOf, query } from '../support/embedded-processes.ts'
import { notesIn, useRoom, useUsedDataFolder } from '../support/embedded-room.ts'

const room = useRoom()
const usedDataFolder = useUsedDataFolder()
const guardOf = (directory: string) => parentOf(postgresPidOf(directory))

/** Makes the log longer than anything that Postgres says in a test. Returns what takes all of it away. */
function fillLog(dataDir: string): () => void {
  const log = join(dataDir, 'postgres.log')
  appendFileSync(log, 'an old line\n'.repeat(10_000))
  return () => {
    truncateSync(log)
  }
}

describe('a service that is killed', () => {
  it('leaves no Postgres behind', async () => {
    const holder = room.hold({ dataDir: usedDataFolder() })
    const { directory } = await holder.report()
    const pid = postgresPidOf(directory)
    const guard = guardOf(directory)
    holder.kill()
    await eventually(() => !isAlive(pid) && !isAlive(guard))
    expect(existsSync(join(directory, 'postmaster.pid'))).toBe(false)
  })

  it('leaves data that the next one starts from at once', async () => {
    const dataDir = usedDataFolder()
    const first = room.hold({ dataDir })
    const { url, directory } = await first.report()
    const pid = postgresPidOf(directory)
    const notes = await notesIn(url)
    await query(url, 'insert into note values (1)')
    first.kill()
    const second = await room.hold({ dataDir }).report()
    expect(isAlive(pid)).toBe(false)
    expect(await notesIn(second.url)).toBe(notes + 1)
  })

  it('leaves a folder that starts, even when its guard was killed with it', async () => {
    const dataDir = usedDataFolder()
    const first = room.hold({ dataDir })
    const { url, directory } = await first.report()
    const pid = postgresPidOf(directory)
    const notes = await notesIn(url)
    await query(url, 'insert into note values (1)')
    process.kill(guardOf(directory), 'SIGKILL')
    first.kill()
    const second = await room.hold({ dataDir }).report()
    expect(isAlive(pid)).toBe(false)
    expect(await notesIn(second.url)).toBe(notes + 1)
  })

  it('leaves a folder that starts when the cluster was half made', async () => {
    const staging = () => readdirSync(room.dataDir).find((name) => /^postgres\.new-\d+$/.test(name))
    const first = room.hold()
    await eventually(() => staging() !== undefined)
    await sleep(150)
    // The guard too, so that nobody cleans up.
    process.kill(Number(staging()?.split('-')[1]), 'SIGKILL')
    first.kill()
    expect(existsSync(join(room.dataDir, 'postgres'))).toBe(false)
    const { url } = await room.hold().report()
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(readdirSync(room.dataDir).filter((name) => name.includes('new'))).toEqual([])
  })

  it('leaves a postmaster.pid that does not stop a start when its process id went to another process', async () => {
    const dataDir = usedDataFolder()
    const first = await room.start({ dataDir })
    const file = join(first.directory, 'postmaster.pid')
    const left = readFileSync(file, 'utf8')
    await first.stop()
    const unrelated = spawn('sleep', ['60'])
    writeFileSync(file, left.replace(/^\d+/, String(unrelated.pid)), { mode: 0o600 })
    const owner = statSync(first.directory)
    chownSync(file, owner.uid, owner.gid)

    const second = await room.start({ dataDir })
    expect(await query(second.url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(unrelated.exitCode ?? unrelated.signalCode).toBeNull()
    unrelated.kill()
  })
})

describe('while the service lives', () => {
  it('no signal to its process group reaches Postgres', async () => {
    const holder = room.hold({ dataDir: usedDataFolder() })
    const { url, directory } = await holder.report()
    const pid = postgresPidOf(directory)
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.kill(-holder.pid, signal)
    await sleep(500)
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(postgresPidOf(directory)).toBe(pid)
    await holder.end()
    expect(isAlive(pid)).toBe(false)
  })

  it('no signal that asks the guard to end makes it end', async () => {
    const { url, directory } = await room.start({ dataDir: usedDataFolder() })
    const guard = guardOf(directory)
    for (const signal of ['SIGINT', 'SIGHUP', 'SIGTERM'] as const) process.kill(guard, signal)
    await sleep(200)
    expect(await query(url, 'select 1 as one')).toEqual([{ one: 1 }])
    expect(guardOf(directory)).toBe(guard)
  })

  it('Postgres comes back at the same URL when it was killed', async () => {
    const { url, directory } = await room.start({ dataDir: usedDataFolder() })
    process.kill(postgresPidOf(directory), 'SIGKILL')
    await expect(query(url, 'select 1')).rejects.toThrow()
    expect(await eventually(() => query(url, 'select 1 as one'))).toEqual([{ one: 1 }])
  })

  it('Postgres comes back at the same URL when its guard was killed', async () => {
    const { url, directory } = await room.start({ dataDir: usedDataFolder() })
    const pid = postgresPidOf(directory)
    process.kill(guardOf(directory), 'SIGKILL')
    await eventually(() => !isAlive(pid))
    expect(await eventually(() => query(url, 'select 1 as one'))).toEqual([{ one: 1 }])
  })

  it('Postgres comes back when its log was truncated', async () => {
    const dataDir = usedDataFolder()
    const truncateLog = fillLog(dataDir)
    const { url, directory } = await room.start({ dataDir })
    truncateLog()
    process.kill(postgresPidOf(directory), 'SIGKILL')
    await expect(query(url, 'select 1')).rejects.toThrow()
    expect(await eventually(() => query(url, 'select 1 as one'))).toEqual([{ one: 1 }])
  })

  it('Postgres stops when its log was truncated', async () => {
    const dataDir = usedDataFolder()
    const truncateLog = fillLog(dataDir)
    const postgres = await room.start({ dataDir })
    const pid = postgresPidOf(postgres.directory)
    truncateLog()
    await postgres.stop()
    expect(isAlive(pid)).toBe(false)
  })

  it('a cluster that vanishes is not replaced by an empty one, and comes back with its folder', async () => {
    const { url, directory } = await room.start({ dataDir: usedDataFolder() })
    const elsewhere = `${directory}-elsewhere`
    renameSync(directory, elsewhere)
    process.kill(postgresPidOf(elsewhere), 'SIGKILL')
    await sleep(700)
    expect(existsSync(directory)).toBe(false)
    renameSync(elsewhere, directory)
    expect(await eventually(() => query(url, 'select 1 as one'))).toEqual([{ one: 1 }])
  })
})
