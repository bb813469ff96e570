import { closeSync, constants, openSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { PIPE_BUF } from '../../src/telemetry/audit-sink.ts'
import { createLogOutput } from '../../src/telemetry/log-output.ts'
import { useAuditRoom } from '../support/audit-room.ts'
import type { Pipe } from '../support/pipe.ts'
import { makePipe } from '../support/pipe.ts'

const AMPLE_MS = 20_000
let folder: string
let pipe: Pipe
let descriptor: number

useAuditRoom((room) => {
  ;({ folder } = room)
})
beforeEach(() => {
  pipe = makePipe(join(folder, 'pipe'))
  descriptor = openSync(pipe.path, constants.O_WRONLY | constants.O_NONBLOCK)
})
afterEach(() => {
  closeSync(descriptor)
  pipe.close()
})

const numberedLines = (count: number) =>
  Array.from({ length: count }, (_, index) => `${index + 1} ${'x'.repeat((index * 37) % 900)}\n`)
const isEmpty = (text: string) => text.trim() === ''

test('lines come whole, once and in their order, though the reader stops for a time', async () => {
  const output = createLogOutput(descriptor)
  pipe.fill()
  const lines = numberedLines(1000)
  for (const line of lines) output.write(line)
  let read = ''
  const reading = setInterval(() => (read += pipe.read()), 1)
  await output.end(AMPLE_MS)
  clearInterval(reading)
  expect((read + pipe.read()).trimStart()).toBe(lines.join(''))
})

test('a few lines do not wait for more for long', async () => {
  createLogOutput(descriptor).write('alone\n')
  await expect.poll(() => pipe.read(), { timeout: AMPLE_MS }).toBe('alone\n')
})

test('a line is written though the one before left nothing behind for the moment that it was put off to', async () => {
  const output = createLogOutput(descriptor)
  const whole = `${'x'.repeat(PIPE_BUF - 1)}\n`
  output.write('first\n')
  output.write(whole)
  await expect.poll(() => pipe.read(), { timeout: AMPLE_MS }).toContain(whole)
  await sleep(300)
  output.write('later\n')
  await expect.poll(() => pipe.read(), { timeout: AMPLE_MS }).toBe('later\n')
})

test('the end comes though nobody reads, and nothing comes later but the write that was under way', async () => {
  const output = createLogOutput(descriptor)
  pipe.fill()
  for (const line of numberedLines(100)) output.write(line)
  await output.end(50)
  expect(isEmpty(pipe.read())).toBe(true)
  output.write('later\n')
  await output.end(AMPLE_MS)
  const later = pipe.read()
  expect(later.endsWith('later\n')).toBe(true)
  expect(later.length).toBeLessThanOrEqual(PIPE_BUF + 'later\n'.length)
})

test('what a crash leaves unwritten is written at once, as far as there is a reader', () => {
  const output = createLogOutput(descriptor)
  const lines = numberedLines(50)
  for (const line of lines.slice(0, 5)) output.write(line)
  output.flushNow()
  expect(pipe.read()).toBe(lines.slice(0, 5).join(''))
  pipe.fill()
  for (const line of lines.slice(5)) output.write(line)
  output.flushNow()
  expect(isEmpty(pipe.read())).toBe(true)
})

test('a full disk, or a reader who has died, is no reason to end', async () => {
  const full = openSync('/dev/full', 'w')
  pipe.abandon()
  for (const place of [full, descriptor]) {
    const output = createLogOutput(place)
    for (const line of numberedLines(100)) output.write(line)
    await output.end(50)
    output.write('later\n')
    output.flushNow()
  }
  closeSync(full)
})
