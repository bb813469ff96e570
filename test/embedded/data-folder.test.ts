import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { StartupError } from '../../src/domain/errors.ts'
import { openDataFolder } from '../../src/embedded/data-folder.ts'
import type { DataFolder } from '../../src/embedded/data-folder.ts'

const isRoot = process.geteuid?.() === 0
const moduleUrl = `file://${resolve(import.meta.dirname, '../../src/embedded/data-folder.ts')}`

let room: string
const open: DataFolder[] = []

beforeEach(() => {
  room = mkdtempSync(join(tmpdir(), 'vault-test-'))
})

afterEach(() => {
  for (const folder of open.splice(0)) folder.close()
  rmSync(room, { recursive: true })
})

const openFolder = (path: string) => {
  const folder = openDataFolder(path)
  open.push(folder)
  return folder
}
const modeOf = (path: string) => (statSync(path).mode & 0o7777).toString(8)

/** Another process that opens the folder and then waits to be killed. */
async function openElsewhere(path: string, uid?: number) {
  const program = `
    const { openDataFolder } = await import(${JSON.stringify(moduleUrl)})
    try { openDataFolder(${JSON.stringify(path)}); console.log('open') } catch (error) { console.log(error.name, error.message) }
    process.stdin.resume()`
  const child = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['pipe', 'pipe', 'inherit'],
    cwd: '/',
    ...(uid === undefined ? {} : { uid, gid: uid }),
  })
  const ended = once(child, 'close')
  const [said] = (await once(child.stdout, 'data')) as [Buffer]
  const kill = async () => {
    child.kill('SIGKILL')
    await ended
  }
  return { pid: child.pid, said: said.toString(), kill }
}

describe('the folder', () => {
  it('is made with its parents, for its owner only', () => {
    const folder = openFolder(join(room, 'a', 'b'))
    expect(folder.path).toBe(join(room, 'a', 'b'))
    expect(modeOf(folder.path)).toBe('700')
  })

  it('has its mode repaired where others could enter', () => {
    const path = join(room, 'wide')
    mkdirSync(path)
    chmodSync(path, 0o2775)
    openFolder(path)
    expect(modeOf(path)).toBe('700')
  })

  it('is refused, and left as it is, where it holds files of something else', () => {
    chmodSync(room, 0o755)
    writeFileSync(join(room, 'letter.txt'), '')
    expect(() => openDataFolder(room)).toThrow(/TOKEN_VAULT_DATA_DIR: .* holds files of something else/)
    expect(modeOf(room)).toBe('755')
    expect(readdirSync(room)).toEqual(['letter.txt'])
  })

  it('is refused with one line that says what to do where it is a file', () => {
    const path = join(room, 'file')
    writeFileSync(path, '')
    const attempt = () => openDataFolder(path)
    expect(attempt).toThrow(StartupError)
    expect(attempt).toThrow(/^TOKEN_VAULT_DATA_DIR: cannot use [^\n]+, or name a folder [^\n]+$/)
  })

  it.skipIf(!isRoot)('is refused with the same line where the service has no rights to it', async () => {
    chmodSync(room, 0o755)
    const other = await openElsewhere(join(room, 'data'), 65534)
    await other.kill()
    expect(other.said).toMatch(
      /^StartupError TOKEN_VAULT_DATA_DIR: cannot use .*EACCES.* or name a folder .*\n$/,
    )
  })
})

describe('a second service on the folder', () => {
  it('is refused at once with the process id of the first', async () => {
    openFolder(join(room, 'data'))
    const other = await openElsewhere(join(room, 'data'))
    await other.kill()
    expect(other.said).toContain(`is in use by another token vault, process ${process.pid}.`)
  })

  it('is refused in the same process too', () => {
    openFolder(join(room, 'data'))
    expect(() => openDataFolder(join(room, 'data'))).toThrow(`process ${process.pid}.`)
    expect(() => openDataFolder(join(room, 'data'))).toThrow(`process ${process.pid}.`)
  })

  it('gets it when the first was killed', async () => {
    const other = await openElsewhere(join(room, 'data'))
    expect(other.said).toBe('open\n')
    expect(() => openDataFolder(join(room, 'data'))).toThrow(`process ${String(other.pid)}.`)
    await other.kill()
    expect(() => openFolder(join(room, 'data'))).not.toThrow()
  })

  it('gets it when the first closed it', () => {
    openDataFolder(join(room, 'data')).close()
    const folder = openFolder(join(room, 'data'))
    expect(readFileSync(join(folder.path, 'service.pid'), 'utf8')).toBe(`${process.pid}\n`)
  })
})

describe('a secret', () => {
  let folder: DataFolder
  const fileOf = (name: string) => join(folder.path, name)
  const never = () => {
    throw new Error('made twice')
  }

  beforeEach(() => {
    folder = openFolder(join(room, 'data'))
  })

  it('is made once and kept in a file for its owner only', () => {
    expect(folder.kept('key')).toBe(null)
    expect(folder.secret('key', () => 'k1')).toBe('k1')
    expect(folder.secret('key', never)).toBe('k1')
    expect(folder.kept('key')).toBe('k1')
    expect(modeOf(fileOf('key'))).toBe('600')
    expect(readdirSync(folder.path).sort()).toEqual(['key', 'lock', 'service.pid'])
  })

  it('is made where a crash left half a file of it', () => {
    writeFileSync(fileOf('key.new'), 'ha')
    expect(folder.secret('key', () => 'k1')).toBe('k1')
    expect(readdirSync(folder.path).sort()).toEqual(['key', 'lock', 'service.pid'])
  })

  it('is found again by the next service', () => {
    folder.secret('key', () => 'k1')
    folder.close()
    expect(openFolder(join(room, 'data')).secret('key', never)).toBe('k1')
  })

  it('has the mode of its file repaired where others could read it', () => {
    writeFileSync(fileOf('key'), 'k1\n', { mode: 0o644 })
    expect(folder.secret('key', never)).toBe('k1')
    expect(modeOf(fileOf('key'))).toBe('600')
  })

  it('is never replaced where its file is empty', () => {
    writeFileSync(fileOf('key'), '')
    expect(() => folder.secret('key', never)).toThrow(/key is empty: restore it/)
  })

  it('is not read through a link', () => {
    writeFileSync(join(room, 'planted'), 'k2')
    symlinkSync(join(room, 'planted'), fileOf('key'))
    expect(() => folder.secret('key', never)).toThrow(StartupError)
  })

  it.skipIf(!isRoot)('is not taken from a file of another user', () => {
    writeFileSync(fileOf('key'), 'k2', { mode: 0o600 })
    chownSync(fileOf('key'), 65534, 65534)
    expect(() => folder.secret('key', never)).toThrow(/belongs to another user/)
  })
})
