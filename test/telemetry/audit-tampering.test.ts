import { copyFileSync, readFileSync, renameSync, truncateSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AuditTrail } from '../../src/domain/audit.ts'
import { createAuditKeys } from '../../src/telemetry/audit-keys.ts'
import { writeLine } from '../../src/telemetry/audit-line.ts'
import type { AuditSink } from '../../src/telemetry/audit-sink.ts'
import { createFileSink, createStreamSink } from '../../src/telemetry/audit-sink.ts'
import { createAuditTrail } from '../../src/telemetry/audit-trail.ts'
import { AuditVerifier } from '../../src/telemetry/audit-verify.ts'
import { deletionOf, masterKey, useAuditRoom } from '../support/audit-room.ts'

const k1 = masterKey('k1')
const k2 = masterKey('k2')
const keys = createAuditKeys([k1, k2])
let file: string

useAuditRoom((room) => {
  file = room.file
})

const openTrail = (sink: AuditSink, by = keys, mostWriteMs?: number): AuditTrail =>
  createAuditTrail({ sink, keys: by, now: () => new Date(), ...(mostWriteMs && { mostWriteMs }) })

async function* once(bytes: Buffer): AsyncGenerator<Buffer> {
  yield await Promise.resolve(bytes)
}

async function verify(bytes = readFileSync(file)) {
  const verifier = new AuditVerifier(keys)
  return { fault: await verifier.read(once(bytes)), chains: verifier.chains }
}

async function record(trail: AuditTrail, count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await trail.record([deletionOf(`t-${index}`)])
}

const linesOf = () => readFileSync(file, 'utf8').split('\n').slice(0, -1)

describe('what happens to the file of a service that runs', () => {
  test('is found when lines are cut off from its end', async () => {
    const trail = openTrail(createFileSink(file))
    await record(trail, 10)
    truncateSync(file, linesOf().slice(0, 6).join('\n').length + 1)
    await record(trail, 3)
    await trail.close()
    expect((await verify()).fault).toEqual({ kind: 'missing', line: 7 })
  })

  test('is found when an older copy is put in its place', async () => {
    const trail = openTrail(createFileSink(file))
    await record(trail, 3)
    copyFileSync(file, `${file}.old`)
    await record(trail, 3)
    renameSync(`${file}.old`, file)
    await record(trail, 1)
    await trail.close()
    expect((await verify()).fault).toEqual({ kind: 'missing', line: 5 })
  })

  test('is found when the log of another service is put in its place', async () => {
    const other = openTrail(createFileSink(`${file}.other`))
    await record(other, 3)
    await other.close()
    const trail = openTrail(createFileSink(file))
    await record(trail, 3)
    renameSync(`${file}.other`, file)
    await record(trail, 1)
    await trail.close()
    const { fault, chains } = await verify()
    // Its own lines are gone from there, and it says so: the chain goes on from a line that was not given.
    expect([fault, chains.map(({ begin }) => begin.seq)]).toEqual([null, [0, 4]])
  })
})

describe('a master key', () => {
  test('that was retired makes no lines in the middle of a chain', async () => {
    const now = createAuditKeys([k2, k1])
    const trail = openTrail(createFileSink(file), now)
    await record(trail, 3)
    await trail.close()
    const lines = linesOf()
    const before = JSON.parse(lines[2] ?? '') as { chain: string; seq: number; mac: string }
    const forged = writeLine(
      before,
      new Date().toISOString(),
      { action: 'token.deleted', outcome: 'ok' },
      keys,
    )
    const bytes = Buffer.from([...lines.slice(0, 3), forged.text].join('\n'))
    expect((await verify(bytes)).fault).toEqual({ kind: 'changed_key', line: 4 })
  })

  test('is named with the line from which on it was used', async () => {
    const first = openTrail(createFileSink(file))
    await record(first, 2)
    await first.close()
    const second = openTrail(createFileSink(file), createAuditKeys([k2, k1]))
    await record(second, 1)
    await second.close()
    const { fault, chains } = await verify()
    expect(fault).toBeNull()
    expect(chains.map((chain) => chain.keys)).toEqual([
      [
        { id: 'k1', from: 1 },
        { id: 'k2', from: 4 },
      ],
    ])
  })
})

describe('a place that takes nothing', () => {
  test('fails those who wait in time, lets nothing be written beside it, and goes on when it is done', async () => {
    const sink = createFileSink(file)
    let release = (): void => undefined
    let stuck = false
    let begun = 0
    const hanging: AuditSink = {
      ...sink,
      async write(lines) {
        begun += 1
        if (stuck) await new Promise<void>((resolve) => (release = resolve))
        await sink.write(lines)
      },
    }
    const trail = openTrail(hanging, keys, 50)
    await record(trail, 1)
    stuck = true
    const refused = { code: 'storage_unavailable' }
    await expect(trail.record([deletionOf('late')])).rejects.toMatchObject(refused)
    await expect(trail.record([deletionOf('beside')])).rejects.toMatchObject(refused)
    expect(begun).toBe(2)
    stuck = false
    release()
    await expect.poll(() => trail.record([deletionOf('after')]).then(() => 'written', String)).toBe('written')
    await trail.close()
    expect((await verify()).fault).toBeNull()
    expect(readFileSync(file, 'utf8')).toContain('"token_id":"late"')
  })

  test('does not hold up the end of the service', async () => {
    const sink = createFileSink(file)
    const hanging: AuditSink = { ...sink, write: () => new Promise(() => undefined) }
    const trail = openTrail(hanging, keys, 20)
    await expect(trail.record([])).rejects.toMatchObject({ code: 'storage_unavailable' })
    await trail.close()
    await sink.close()
  })

  test('and cannot be read begins a chain anew after a failure: what stands there nobody knows', async () => {
    const written: string[] = []
    let fails = false
    const stream: AuditSink = {
      ...createStreamSink(-1),
      write(lines) {
        written.push(...(fails ? lines.slice(0, 1) : lines))
        return fails ? Promise.reject(new Error('full')) : Promise.resolve()
      },
    }
    const trail = openTrail(stream)
    await record(trail, 2)
    fails = true
    await expect(trail.record([deletionOf('x'), deletionOf('y')])).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
    fails = false
    await record(trail, 2)
    const { fault, chains } = await verify(Buffer.from(written.join('')))
    expect([fault, chains.length]).toEqual([null, 2])
  })
})
