import { appendFileSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { commandAudit } from '../../src/commands/audit.ts'
import { readConfig } from '../../src/config/config.ts'
import type { AuditTrail } from '../../src/domain/audit.ts'
import { createAuditKeys } from '../../src/telemetry/audit-keys.ts'
import type { AuditSink } from '../../src/telemetry/audit-sink.ts'
import { createFileSink } from '../../src/telemetry/audit-sink.ts'
import { createAuditTrail } from '../../src/telemetry/audit-trail.ts'
import { deletionOf, masterKey, useAuditRoom } from '../support/audit-room.ts'
import { makePipe } from '../support/pipe.ts'

const k1 = masterKey('k1')
const keys = createAuditKeys([k1])
const config = readConfig({ TOKEN_VAULT_MASTER_KEYS: `k1:${k1.bytes.toString('base64')}` })
const refused = { code: 'storage_unavailable' }
let folder: string
let file: string
let old: string

useAuditRoom((room) => {
  ;({ folder, file } = room)
  old = `${file}.1`
})

const openTrail = (sink: AuditSink): AuditTrail => createAuditTrail({ sink, keys, now: () => new Date() })
const three = ['a', 'b', 'c'].map(deletionOf)

async function verify(...files: string[]): Promise<string> {
  const said: string[] = []
  const [subject, ...more] = files
  await commandAudit(config, { action: 'verify', subject, more }, (line) => said.push(line))
  return said[0] ?? ''
}

/** Rejects as a full disk does: of a write it takes so many bytes, then no more. */
function fillable(sink: AuditSink, path: string) {
  const disk = {
    room: Infinity,
    sink: {
      ...sink,
      async write(lines: readonly string[]) {
        if (disk.room === Infinity) return sink.write(lines)
        appendFileSync(path, Buffer.from(lines.join('')).subarray(0, disk.room))
        disk.room = 0
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      },
    },
  }
  return disk
}

/** A write of three lines of which the disk takes a part, the file moved away, and another line. */
async function rotateOnFullDisk(room: number): Promise<void> {
  const disk = fillable(createFileSink(file), file)
  const trail = openTrail(disk.sink)
  await trail.record([deletionOf('before')])
  disk.room = room
  await expect(trail.record(three)).rejects.toMatchObject(refused)
  await expect(trail.record(three)).rejects.toMatchObject(refused)
  renameSync(file, old)
  disk.room = Infinity
  await trail.record([deletionOf('after')])
  await trail.close()
}

describe('a file that is moved away after the disk was full', () => {
  test('is cut off by itself, and explained by the next one, wherever the cut is', async () => {
    let cuts = 0
    for (let room = 1; room <= 900; room += 31) {
      await rotateOnFullDisk(room)
      expect(await verify(old, file)).toMatch(/^OK [4-7] good lines in 1 chains/)
      expect(await verify(file)).toMatch(/^OK 2 good lines/)
      const part = readFileSync(old, 'utf8').split('\n').at(-1) ?? ''
      if (part.includes('"audit":')) {
        expect(await verify(old)).toMatch(`FAULT cut_off at ${old}:`)
        cuts += 1
      }
      rmSync(file)
    }
    expect(cuts).toBeGreaterThan(20)
  })

  test('is explained where nothing but the line feed of a line was cut off', async () => {
    await rotateOnFullDisk(5000)
    const [, , line = ''] = readFileSync(old, 'utf8').split('\n')
    rmSync(file)
    await rotateOnFullDisk(line.length)
    expect(readFileSync(old, 'utf8')).toMatch(/"mac":"[^"]+"}$/)
    expect(await verify(old, file)).toMatch(/^OK 4 good lines in 1 chains/)
  })

  test('is explained though the next one is cut off, too, before and behind its first line', async () => {
    const disk = fillable(createFileSink(file), file)
    const trail = openTrail(disk.sink)
    await trail.record([deletionOf('before')])
    for (const [room, name] of [
      [100, old],
      [100, ''],
      [700, `${file}.2`],
    ] as const) {
      disk.room = room
      await expect(trail.record(three)).rejects.toMatchObject(refused)
      if (name !== '') renameSync(file, name)
    }
    disk.room = Infinity
    await trail.record([deletionOf('after')])
    await trail.close()
    expect(await verify(old, `${file}.2`, file)).toMatch(/^OK \d good lines in 1 chains/)
    expect(await verify(old, `${file}.2`)).toMatch(`FAULT cut_off at ${file}.2:`)
    expect(await verify(old, file)).toMatch(`FAULT cut_off at ${old}:`)
  })

  const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n')
  test.each<[string, (texts: [string[], string[]]) => [string[], string[]]]>([
    ['its last good line is cut off', ([one, next]) => [one.toSpliced(-2, 1), next]],
    ['its last good line is cut', ([one, next]) => [[...one.slice(0, -2), '{"audit":1,"chain":"'], next]],
    ['all its lines are gone', ([, next]) => [['{"audit":1,"chain":"'], next]],
    ['the first line of the next file is gone', ([one, next]) => [one, next.slice(1)]],
    [
      'the first line of the next file is another',
      ([one, next]) => [one, next.toSpliced(0, 1, one[0] ?? '')],
    ],
    [
      'the first line of the next file was altered',
      ([one, next]) => [one, next.map((line) => line.replace('"torn","key"', '"torn","kez"'))],
    ],
    ['the next file is empty', ([one]) => [one, []]],
    ['it is its own next file', ([one]) => [one, one]],
  ])('is not explained where %s', async (_what, harm) => {
    await rotateOnFullDisk(600)
    expect(await verify(old, file)).toMatch(/^OK/)
    const harmed = harm([linesOf(old), linesOf(file)])
    for (const [index, path] of [old, file].entries()) {
      writeFileSync(path, (harmed[index] ?? []).join('\n'))
    }
    expect(await verify(old, file)).toMatch(`FAULT cut_off at ${old}:`)
  })

  test('is not explained by another file than the one after it', async () => {
    await rotateOnFullDisk(600)
    const other = join(folder, 'other.log')
    const trail = openTrail(createFileSink(other))
    await trail.record(three)
    await trail.close()
    expect(await verify(old, other, file)).toMatch(`FAULT cut_off at ${old}:`)
    expect(await verify(other, old, file)).toMatch(/^OK/)
  })
})

test('what is put behind the last line of a file that was moved away in good order is not explained', async () => {
  const trail = openTrail(createFileSink(file))
  await trail.record(three)
  renameSync(file, old)
  await trail.record(three)
  await trail.close()
  expect(await verify(old, file)).toMatch(/^OK/)
  appendFileSync(old, '{"audit":1,"chain":"')
  expect(await verify(old, file)).toMatch(`FAULT cut_off at ${old}:5`)
})

test('a named pipe that took a part of a line gets the next one on a line of its own', async () => {
  const pipe = makePipe(file)
  const sink = createFileSink(file)
  const disk = fillable(sink, file)
  const trail = openTrail(disk.sink)
  await trail.record(three)
  disk.room = 100
  await expect(trail.record(three)).rejects.toMatchObject(refused)
  disk.room = Infinity
  await trail.record(three)
  await trail.close()
  const captured = join(folder, 'captured.log')
  writeFileSync(captured, pipe.read())
  pipe.close()
  expect(await verify(captured)).toMatch(/^OK 8 good lines in 2 chains/)
})
