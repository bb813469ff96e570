import type { Stats } from 'node:fs'
import { constants, statSync, write } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import { open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Position } from './audit-line.ts'
import { readLine } from './audit-line.ts'

/** What stands at the end of a place that is written to. */
interface Tail {
  /** Where its last whole line leaves the chain; null where there is none, or nobody can tell. */
  last: Position | null
  /** The same, of the last one that has its line feed. */
  lastEnded: Position | null
  /** What was written before may stand there or not: a stream cannot be read. */
  unknown: boolean
  /** The last line has no end: a crash, or a full disk, has cut it off. */
  torn: boolean
}

/** Where lines go. */
export interface AuditSink {
  /** Opens, or opens again. */
  open(): Promise<Tail>
  /** Was the open file moved away or emptied? Then it is time to open again. */
  isGone(): boolean
  /** Where the lines in the open file leave the chain, though it be moved away since; null where nobody can tell. */
  left(): Promise<Position | null>
  /** Rejects when not all of it was written. */
  write(lines: readonly string[]): Promise<void>
  close(): Promise<void>
}

const writeSome = promisify(write)

/** A named pipe whose reader has stopped says so, rather than hold a thread that the end of the process waits for. */
const APPENDING = constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_NONBLOCK

/** A file that is only ever appended to. Moved away or deleted, it is made anew by the next write. */
export function createFileSink(path: string): AuditSink {
  let handle: FileHandle | null = null
  /** As it was seen last; null once it is not the one of that path any more. */
  let seen: Stats | null = null
  let isFile = true
  const close = async () => {
    const old = handle
    handle = null
    await old?.close()
  }
  const opened = (): FileHandle => {
    if (handle === null) throw new Error('the audit log is not open')
    return handle
  }
  // A turn of the thread pool for each look would take longer than the write itself.
  const isGone = (): boolean => {
    const there = statSync(path, { throwIfNoEntry: false })
    seen = there !== undefined && seen !== null && isGrown(there, seen) ? there : null
    return seen === null
  }

  return {
    close,
    isGone,
    left: async () => (handle === null ? null : (await readTail(handle, await handle.stat())).lastEnded),
    async open() {
      await close().catch(() => undefined)
      handle = await open(path, APPENDING, 0o600)
      seen = await handle.stat()
      isFile = seen.isFile()
      return readTail(handle, seen)
    },
    async write(lines) {
      if (!isFile) {
        await writePieces(opened().fd, lines)
        return
      }
      const bytes = Buffer.from(lines.join(''))
      const { bytesWritten } = await writeSome(opened().fd, bytes)
      if (bytesWritten < bytes.length) throw new Error('the audit log took only a part')
      // Moved away under the write, it still has the lines; deleted, nobody has them.
      if (isGone() && (await opened().stat()).nlink === 0) throw new Error('the audit log was deleted')
    },
  }
}

/** The same file, and nothing cut off from it. */
function isGrown(now: Stats, before: Stats): boolean {
  return now.ino === before.ino && now.dev === before.dev && now.size >= before.size
}

const MOST_TAIL_BYTES = 256 * 1024
const LINE_FEED = 0x0a

const NOTHING: Tail = { last: null, lastEnded: null, unknown: false, torn: false }

/** Of the last lines, the last whole one of the audit log. */
async function readTail(handle: FileHandle, stats: Stats): Promise<Tail> {
  const unknown = !stats.isFile()
  if (unknown || stats.size === 0) return { ...NOTHING, unknown }
  const length = Math.min(stats.size, MOST_TAIL_BYTES)
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, stats.size - length)
  const torn = buffer[bytesRead - 1] !== LINE_FEED
  const lastEnded = lastLine(buffer, buffer.lastIndexOf(LINE_FEED, bytesRead - 1))
  return { last: torn ? lastLine(buffer, bytesRead) : lastEnded, lastEnded, unknown, torn }
}

/** Where the last whole line leaves the chain, of those before the byte at `end`. */
function lastLine(buffer: Buffer, end: number): Position | null {
  while (end > 0) {
    const start = buffer.lastIndexOf(LINE_FEED, end - 1) + 1
    const line = readLine(buffer.subarray(start, end))
    if (line !== null) return { chain: line.chain, seq: line.seq, mac: line.mac }
    end = start - 1
  }
  return null
}

export const STANDARD_OUTPUT = 1
export const STANDARD_ERROR = 2
/** Up to this a pipe takes all or nothing, so that no line of the log gets into the middle of one of ours. */
export const PIPE_BUF = 4_096
const FULL_PIPE_RETRY_MS = 5
const FULL_PIPE_MOST_MS = 5_000

/** Standard output, among the lines of the service's own log, or standard error. */
export function createStreamSink(descriptor: number): AuditSink {
  return {
    open: () => Promise.resolve({ ...NOTHING, unknown: true }),
    isGone: () => false,
    left: () => Promise.resolve(null),
    write: (lines) => writePieces(descriptor, lines),
    close: () => Promise.resolve(),
  }
}

async function writePieces(descriptor: number, lines: readonly string[]): Promise<void> {
  for (const piece of piecesOf(lines)) await writePiece(descriptor, Buffer.from(piece))
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

async function writePiece(descriptor: number, bytes: Buffer): Promise<void> {
  const end = performance.now() + FULL_PIPE_MOST_MS
  for (let written = 0; written < bytes.length;) {
    try {
      written += (await writeSome(descriptor, bytes, written)).bytesWritten
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > end) throw error
      await sleep(FULL_PIPE_RETRY_MS)
    }
  }
}
