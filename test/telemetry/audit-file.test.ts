import {
  createReadStream,
  linkSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join, relative } from 'node:path'
import { describe, expect, test } from 'vitest'
import { checkAuditFile, unwritable } from '../../src/backing/audit-file.ts'
import { openAudit } from '../../src/backing/open-audit.ts'
import { createAuditKeys } from '../../src/telemetry/audit-keys.ts'
import type { AuditSink } from '../../src/telemetry/audit-sink.ts'
import { createFileSink } from '../../src/telemetry/audit-sink.ts'
import { createAuditTrail } from '../../src/telemetry/audit-trail.ts'
import { AuditVerifier } from '../../src/telemetry/audit-verify.ts'
import { deletionOf, masterKey, useAuditRoom } from '../support/audit-room.ts'

const masterKeys = [masterKey('k1')]
const keys = createAuditKeys(masterKeys)
const refused = /another process writes/
let folder: string
let file: string

useAuditRoom((room) => {
  ;({ folder, file } = room)
})

const openTrail = (sink: AuditSink) => createAuditTrail({ sink, keys, now: () => new Date() })
const verify = () => new AuditVerifier(keys).read(createReadStream(file) as AsyncIterable<Buffer>)

function remove(): void {
  rmSync(file)
}

function empty(): void {
  writeFileSync(file, '')
}

/** Puts another file in its place, as `mv` and an editor do. */
function replace(): void {
  writeFileSync(`${file}.new`, '')
  renameSync(`${file}.new`, file)
}

describe('a file', () => {
  test('is not shared by two services, by whatever path they name it', async () => {
    const first = await openAudit({ file, masterKeys })
    symlinkSync(file, join(folder, 'link'))
    symlinkSync(folder, join(folder, 'around'))
    const names = ['link', 'around/audit.log', 'around/link'].map((name) => join(folder, name))
    for (const name of [...names, `${folder}//./audit.log`, relative(process.cwd(), file)]) {
      await expect(openAudit({ file: name, masterKeys })).rejects.toThrow(refused)
    }
    linkSync(file, join(folder, 'hard'))
    await expect(openAudit({ file: join(folder, 'hard'), masterKeys })).rejects.toThrow('hard link')
    await first.close()
    expect(await verify()).toBeNull()
  })

  test('that a symbolic link names before it is there is locked as itself', async () => {
    const link = join(folder, 'link')
    symlinkSync(file, link)
    const first = await openAudit({ file: link, masterKeys })
    await expect(openAudit({ file, masterKeys })).rejects.toThrow(refused)
    await first.close()
    const second = await openAudit({ file, masterKeys })
    await second.close()
    expect(readFileSync(file, 'utf8')).toMatch(/"seq":1,.*\n.*"seq":2,/)
  })

  test('can be tried without a trace', () => {
    checkAuditFile(file)
    expect(readdirSync(folder)).toEqual([])
    checkAuditFile('/dev/stderr')
    expect(() => {
      checkAuditFile(join(folder, 'none', 'audit.log'))
    }).toThrow(/^TOKEN_VAULT_AUDIT_LOG: .*cannot be written \(ENOENT\)/)
    expect(() => {
      checkAuditFile(folder)
    }).toThrow('EISDIR')
  })

  test.each([
    ['ENOSPC', 'make room on its disk'],
    ['EROFS', 'name a file on a disk that takes writes'],
    ['EISDIR', 'name a file in it'],
    ['ENOENT', 'make its folder first'],
    ['EACCES', 'make its folder writable'],
  ])('that cannot be written for %s says what to do about that', (code, remedy) => {
    expect(unwritable('audit.log', { code }).message).toBe(
      `TOKEN_VAULT_AUDIT_LOG: audit.log cannot be written (${code}): ${remedy}`,
    )
  })

  test('goes on when the file is replaced or deleted: no line is written where nobody finds it', async () => {
    const trail = openTrail(createFileSink(file))
    await trail.record([deletionOf('first')])
    for (const [round, harm] of [remove, replace, empty].entries()) {
      harm()
      await trail.record([deletionOf(`after ${round}`)])
      expect(readFileSync(file, 'utf8')).toContain(`"token_id":"after ${round}"`)
      expect(await verify()).toBeNull()
    }
    await trail.close()
  })

  test('a line that is deleted with its file while it is written does not count as written', async () => {
    const sink = createFileSink(file)
    let harm: () => void = () => undefined
    const harmed: AuditSink = {
      ...sink,
      isGone() {
        const gone = sink.isGone()
        harm()
        return gone
      },
    }
    const trail = openTrail(harmed)
    await trail.record([deletionOf('first')])
    for (harm of [remove, replace]) {
      await expect(trail.record([deletionOf('lost')])).rejects.toMatchObject({ code: 'storage_unavailable' })
      harm = () => undefined
      await trail.record([deletionOf('told')])
      expect(readFileSync(file, 'utf8')).toContain('"token_id":"told"')
      expect(await verify()).toBeNull()
    }
    await trail.close()
  })
})
