import { write } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Position } from './audit-line.ts'
import { readLine } from './audit-line.ts'

/** What stands at the end of a place that is written to. */
interface Tail {
  /** Where its last whole line leaves the chain; null where there is none. */
  last: Position | null
  /** The last line has no end: a crash, or a full disk, has cut it off. */
  torn: boolean
}

/** Where lines go. */
export interface AuditSink {
  /** Opens, or opens again. */
  open(): Promise<Tail>
  /** Was the open file moved away or emptied? Then it is time to open again. */
  isGone(): Promise<boolean>
  /** Rejects when not all of it was written. */
  write(lines: readonly string[]): Promise<void>
  close(): Promise<void>
}

const LOOKED_AT_EVERY_MS = 1_000

/** A file that is only ever appended to. Moved away, it is made anew within a second. */
export function createFileSink(path: string): AuditSink {
  let handle: FileHandle | null = null
  let lookedAtMs = 0
  let size = 0
  const close = async () => {
    const old = handle
    handle = null
    await old?.close()
  }
  const opened = (): FileHandle => {
    if (handle === null) throw new Error('the audit log is not open')
    return handle
  }

  return {
    close,
    async open() {
      await close().catch(() => undefined)
      handle = await open(path, 'a+', 0o600)
      size = 0
      lookedAtMs = performance.now()
      return readTail(handle)
    },
    async isGone() {
      if (performance.now() - lookedAtMs < LOOKED_AT_EVERY_MS) return false
      lookedAtMs = performance.now()
      const [there, ours] = await Promise.all([stat(path).catch(() => null), opened().stat()])
      const shrunk = ours.size < size
      size = ours.size
      return shrunk || there?.ino !== ours.ino || there.dev !== ours.dev
    },
    async write(lines) {
      const bytes = Buffer.from(lines.join(''))
      const { bytesWritten } = await opened().write(bytes)
      if (bytesWritten < bytes.length) throw new Error('the audit log took only a part')
    },
  }
}

const MOST_TAIL_BYTES = 256 * 1024
const LINE_FEED = 0x0a

/** Of the last lines, the last whole one of the audit log. */
async function readTail(handle: FileHandle): Promise<Tail> {
  const stats = await handle.stat()
  if (!stats.isFile() || stats.size === 0) return { last: null, torn: false }
  const length = Math.min(stats.size, MOST_TAIL_BYTES)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, stats.size - length)
  const torn = buffer[bytesRead - 1] !== LINE_FEED
  for (let end = torn ? bytesRead : bytesRead - 1; end > 0;) {
    const start = buffer.lastIndexOf(LINE_FEED, end - 1) + 1
    const line = readLine(buffer.subarray(start, end))
    if (line !== null) return { last: { chain: line.chain, seq: line.seq, mac: line.mac }, torn }
    end = start - 1
  }
  return { last: null, torn }
}

const writeSome = promisify(write)
const STANDARD_OUTPUT = 1
/** Up to this a pipe takes all or nothing, so that no line of the log gets into the middle of one of ours. */
const PIPE_BUF = 4_096
const FULL_PIPE_RETRY_MS = 5
const FULL_PIPE_MOST_MS = 5_000

/** Standard output, among the lines of the service's own log. */
export function createStandardOutputSink(): AuditSink {
  let wasOpen = false
  return {
    open() {
      const torn = wasOpen
      wasOpen = true
      return Promise.resolve({ last: null, torn })
    },
    isGone: () => Promise.resolve(false),
    async write(lines) {
      for (const piece of piecesOf(lines)) await writePiece(Buffer.from(piece))
    },
    close: () => Promise.resolve(),
  }
}

function* piecesOf(lines: readonly string[]): Generator<string> {
  let piece = ''
  for (const line of lines) {
    if (piece !== '' && Buffer.byteLength(piece) + Buffer.byteLength(line) > PIPE_BUF) {
      yield piece
      piece = ''
    }
    piece += line
  }
  if (piece !== '') yield piece
}

async function writePiece(bytes: Buffer): Promise<void> {
  const end = performance.now() + FULL_PIPE_MOST_MS
  for (let written = 0; written < bytes.length;) {
    try {
      written += (await writeSome(STANDARD_OUTPUT, bytes, written)).bytesWritten
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > end) throw error
      await sleep(FULL_PIPE_RETRY_MS)
    }
  }
}
