import { randomBytes } from 'node:crypto'
import { appendFileSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import type { AuditEntry, AuditTrail } from '../../src/domain/audit.ts'
import { Secret } from '../../src/domain/secret.ts'
import { createAuditKeys } from '../../src/telemetry/audit-keys.ts'
import { createFileSink } from '../../src/telemetry/audit-sink.ts'
import type { AuditSink } from '../../src/telemetry/audit-sink.ts'
import { createAuditTrail } from '../../src/telemetry/audit-trail.ts'
import type { AuditFault } from '../../src/telemetry/audit-verify.ts'
import { AuditVerifier } from '../../src/telemetry/audit-verify.ts'
import { masterKey, useAuditRoom } from '../support/audit-room.ts'

const k1 = masterKey('k1')
const k2 = masterKey('k2')
const keys = createAuditKeys([k1])

let file: string

useAuditRoom((room) => {
  file = room.file
})

const entry = (tokenId: string): AuditEntry => ({
  requestId: 'r1',
  namespaceId: 'n1',
  actor: 'bootstrap',
  action: 'token.disclosed',
  tokenId,
  disclosed: { access_token: new Secret(`secret of ${tokenId}`) },
  outcome: 'ok',
})
const now = () => new Date()
const openTrail = (sink: AuditSink = createFileSink(file), by = keys): AuditTrail =>
  createAuditTrail({ sink, keys: by, now })

async function writeLines(count: number, by = keys): Promise<void> {
  const trail = openTrail(createFileSink(file), by)
  for (let index = 0; index < count; index += 1) await trail.record([entry(`t${index}`)])
  await trail.close()
}

async function* chunksOf(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 1000) yield await Promise.resolve(bytes.subarray(at, at + 1000))
}

const verify = (bytes: Buffer, by = keys): Promise<AuditFault | null> =>
  new AuditVerifier(by).read(chunksOf(bytes))
const seqs = () =>
  readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.endsWith('}'))
    .map((line) => (JSON.parse(line) as { seq: number }).seq)

describe('the chain', () => {
  test('goes on across restarts and master keys, as long as verify is given all of them', async () => {
    await writeLines(3)
    await writeLines(2, createAuditKeys([k2, k1]))
    expect(seqs()).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await verify(readFileSync(file), createAuditKeys([k2, k1]))).toBeNull()
    expect(await verify(readFileSync(file))).toEqual({ kind: 'unknown_key', line: 5 })
  })

  test('is not broken by a line that a crash has cut off anywhere, and nothing else is let through', async () => {
    await writeLines(4)
    const whole = readFileSync(file)
    const lastLine = whole.lastIndexOf('\n', whole.length - 2) + 1
    for (let size = lastLine; size <= whole.length; size += 7) {
      writeFileSync(file, whole.subarray(0, size))
      await writeLines(1)
      expect(await verify(readFileSync(file))).toBeNull()
    }
    writeFileSync(file, whole.subarray(0, -1))
    expect(await verify(readFileSync(file))).toEqual({ kind: 'cut_off', line: 5 })
    await writeLines(1)
    expect(await verify(readFileSync(file))).toBeNull()
    const cut = readFileSync(file, 'utf8').split('\n')
    cut.splice(2, 1, (cut[2] ?? '').slice(0, 50))
    expect(await verify(Buffer.from(cut.join('\n')))).toMatchObject({ line: 3 })
  })

  test('goes on in a new file when the old one is moved away: both verify, together and alone', async () => {
    const trail = openTrail()
    await trail.record([entry('before')])
    renameSync(file, `${file}.1`)
    await trail.record([entry('after')])
    await trail.close()
    const [old, fresh] = [readFileSync(`${file}.1`), readFileSync(file)]
    expect([await verify(old), await verify(fresh)]).toEqual([null, null])
    const both = new AuditVerifier(keys)
    expect([await both.read(chunksOf(old)), await both.read(chunksOf(fresh))]).toEqual([null, null])
    expect(both.counts.chains).toBe(1)
    const shortened = new AuditVerifier(keys)
    const withoutLast = old.subarray(0, old.lastIndexOf('\n', old.length - 2) + 1)
    expect(await shortened.read(chunksOf(withoutLast))).toBeNull()
    expect(await shortened.read(chunksOf(fresh))).toEqual({ kind: 'missing', line: 1 })
  })

  test("is found among the lines of the service's own log, whatever they hold", async () => {
    await writeLines(5)
    const mixed = readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line) => ['{"level":"info","msg":"answered"}', 'token-vault serves on …', '', line])
    const verifier = new AuditVerifier(keys)
    expect(await verifier.read(chunksOf(Buffer.from(mixed.join('\n'))))).toBeNull()
    expect(verifier.counts).toEqual({ lines: 6, others: 21, chains: 1 })
  })

  test('that another key has made is not taken for ours', async () => {
    await writeLines(3, createAuditKeys([masterKey('k1')]))
    expect(await verify(readFileSync(file))).toEqual({ kind: 'edited', line: 1 })
  })
})

describe('verify', () => {
  test('tells where each chain begins and ends, so that what is cut off before it is seen', async () => {
    const trail = openTrail()
    await trail.record([entry('a')])
    const whole = readFileSync(file)
    renameSync(file, `${file}.1`)
    await trail.record([entry('b')])
    await trail.close()
    const [old, fresh] = [new AuditVerifier(keys), new AuditVerifier(keys)]
    expect([await old.read(chunksOf(whole)), await fresh.read(chunksOf(readFileSync(file)))]).toEqual([
      null,
      null,
    ])
    expect(old.chains).toMatchObject([{ begin: { seq: 0, mac: '' }, end: { seq: 2 } }])
    expect(fresh.chains).toMatchObject([{ begin: old.chains[0]?.end, end: { seq: 4 } }])
  })

  test('does not take a file without a line of the audit log for a good one', async () => {
    const none = { kind: 'no_lines', line: null }
    expect(await verify(Buffer.from(''))).toEqual(none)
    expect(await verify(Buffer.from('{"level":"info","msg":"answered"}\n'))).toEqual(none)
  })

  test('finds each of 1,000 random edits, deletions, reorderings, duplications and truncations', async () => {
    await writeLines(60)
    await writeLines(60)
    const original = readFileSync(file)
    const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000)
    const random = mulberry32(seed)
    const missed: string[] = []
    for (let round = 0; round < 1_000; round += 1) {
      const [name, altered] = alter(original, random)
      if (altered.equals(original)) continue
      if ((await verify(altered)) === null) missed.push(`${name} in round ${round} of SEED=${seed}`)
    }
    expect(await verify(original)).toBeNull()
    expect(missed).toEqual([])
  })
})

type Alteration = (lines: string[], pick: (below: number) => number) => string[]

/** What ends a file cannot be known from the file alone: each of these leaves the last line where it is. */
const ALTERATIONS: Record<string, Alteration> = {
  delete: (lines, pick) => without(lines, pick(lines.length - 1), 1),
  truncate: (lines, pick) => {
    const start = pick(lines.length - 1)
    return without(lines, start, 1 + pick(lines.length - 1 - start))
  },
  duplicate: (lines, pick) => {
    const line = lines[pick(lines.length)] ?? ''
    return lines.toSpliced(pick(lines.length + 1), 0, line)
  },
  reorder: (lines, pick) => {
    const [one, other] = [pick(lines.length), pick(lines.length)]
    return lines.with(one, lines[other] ?? '').with(other, lines[one] ?? '')
  },
  swap_fields: (lines, pick) => {
    const [one, other] = [pick(lines.length), pick(lines.length)]
    const mac = (lines[other] ?? '').slice(-53)
    return lines.with(one, `${(lines[one] ?? '').slice(0, -53)}${mac}`)
  },
}

function alter(original: Buffer, random: () => number): [string, Buffer] {
  const pick = (below: number) => Math.floor(random() * below)
  const names = ['edit', 'cut', 'insert', ...Object.keys(ALTERATIONS)]
  const name = names[pick(names.length)] ?? ''
  const at = pick(original.length)
  if (name === 'edit') {
    const altered = Buffer.from(original)
    altered[at] = pick(256)
    return [name, altered]
  }
  if (name === 'insert')
    return [name, Buffer.concat([original.subarray(0, at), randomBytes(1 + pick(9)), original.subarray(at)])]
  if (name === 'cut') {
    const end = Math.min(original.length - 200, at + 1 + pick(2000))
    return [name, Buffer.concat([original.subarray(0, Math.min(at, end)), original.subarray(end)])]
  }
  const lines = original.toString().split('\n').slice(0, -1)
  return [name, Buffer.from(`${(ALTERATIONS[name]?.(lines, pick) ?? lines).join('\n')}\n`)]
}

const without = (lines: string[], start: number, count: number) => lines.toSpliced(start, count)

function mulberry32(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

describe('the trail', () => {
  test('writes what comes in one turn of the event loop at once', async () => {
    const writes: number[] = []
    const sink = createFileSink(file)
    const counting = {
      ...sink,
      write: (lines: readonly string[]) => (writes.push(lines.length), sink.write(lines)),
    }
    const trail = openTrail(counting)
    await trail.record([])
    await Promise.all(Array.from({ length: 100 }, (_, index) => trail.record([entry(`t${index}`)])))
    await trail.close()
    expect(writes).toEqual([1, 100])
    expect(await verify(readFileSync(file))).toBeNull()
  })

  test('rejects what could not be written whole, goes on from what stands there, and still verifies', async () => {
    const sink = createFileSink(file)
    let full = false
    const failing: AuditSink = {
      ...sink,
      async write(lines) {
        if (!full) return sink.write(lines)
        appendFileSync(file, lines.join('').slice(0, 500))
        throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      },
    }
    const trail = openTrail(failing)
    await trail.record([entry('a')])
    full = true
    await expect(trail.record([entry('b'), entry('c')])).rejects.toMatchObject({
      code: 'storage_unavailable',
    })
    await expect(trail.record([entry('d')])).rejects.toMatchObject({ code: 'storage_unavailable' })
    full = false
    await trail.record([entry('e')])
    await trail.close()
    expect(await verify(readFileSync(file))).toBeNull()
    expect(readFileSync(file, 'utf8')).toMatch(/"torn".*\n.*"token_id":"e"/)
  })
})
