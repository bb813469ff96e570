import { write, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { DestinationStream } from 'pino'
import { PIPE_BUF, STANDARD_OUTPUT } from './audit-sink.ts'

/** Takes lines at once and writes them in the background: whoever logs waits for nobody. */
export interface LogOutput extends DestinationStream {
  /** Resolves when all is written, or when the time is over: what is unwritten then is lost. */
  end(mostMs: number): Promise<void>
  /** For a process that ends without waiting: writes what can be written within a second. */
  flushNow: () => void
}

/** Lines that a reader who has stopped reading may leave behind; later ones are dropped. */
const MOST_UNWRITTEN_BYTES = 16 * 1024 * 1024
/** Under load a write for each line would cost more than the line. */
const ENOUGH_BYTES = PIPE_BUF - 1
/** For so long at most a line waits for more to be written with. */
const FLUSHED_EVERY_MS = 100
const RETRY_MS = 100
const LAST_RETRY_MS = 5
const MOST_NOW_MS = 1_000

const writeSome = promisify(write)

/**
 * An output that cannot be written is tried again until the end, whatever is wrong with it: a full disk is emptied, a
 * pipe read on, and the service goes on meanwhile.
 */
export function createLogOutput(descriptor = STANDARD_OUTPUT): LogOutput {
  const backlog = new Backlog()
  let isInFlight = false
  let isEnding = false
  let isRunning = false
  let timer: NodeJS.Timeout | null = null

  const writePiece = async (piece: Buffer): Promise<void> => {
    isInFlight = true
    const count = await writeSome(descriptor, piece).then(
      ({ bytesWritten }) => bytesWritten,
      () => null,
    )
    isInFlight = false
    if (count !== null) backlog.wrote(piece, count)
    else await sleep(isEnding ? LAST_RETRY_MS : RETRY_MS, null, { ref: false })
  }
  const run = async (least: number): Promise<void> => {
    if (isRunning) return
    isRunning = true
    while (backlog.bytes >= (isEnding ? 1 : least)) await writePiece(backlog.first())
    isRunning = false
    if (backlog.bytes > 0) runSoon()
  }
  const runSoon = () => {
    timer ??= setTimeout(() => {
      timer = null
      void run(1)
    }, FLUSHED_EVERY_MS).unref()
  }

  return {
    write(line) {
      backlog.add(line)
      if (backlog.bytes < ENOUGH_BYTES) runSoon()
      else void run(ENOUGH_BYTES)
    },
    async end(mostMs) {
      isEnding = true
      const endAt = performance.now() + mostMs
      while (backlog.bytes > 0 && performance.now() < endAt) {
        void run(1)
        await sleep(LAST_RETRY_MS)
      }
      backlog.forget()
    },
    flushNow: () => {
      const endAt = performance.now() + MOST_NOW_MS
      if (isInFlight) backlog.wrote(backlog.first(), backlog.first().length)
      while (backlog.bytes > 0) {
        const piece = backlog.first()
        const count = writeInTime(descriptor, piece, endAt)
        if (count === 0) return
        backlog.wrote(piece, count)
      }
    },
  }
}

/** What is unwritten, in pieces of whole lines: each is written at once, and no line of another log gets into one. */
class Backlog {
  /** Of the pieces, and of what is begun. */
  bytes = 0
  #begun: Buffer | null = null
  #pieces: string[] = []
  #lastBytes = 0

  add(line: string): void {
    const bytes = Buffer.byteLength(line)
    if (this.bytes + bytes > MOST_UNWRITTEN_BYTES) return
    this.bytes += bytes
    const last = this.#pieces.at(-1)
    if (last === undefined || this.#lastBytes + bytes > PIPE_BUF) {
      this.#pieces.push(line)
      this.#lastBytes = bytes
    } else {
      this.#pieces[this.#pieces.length - 1] = last + line
      this.#lastBytes += bytes
    }
  }

  /** The same one until it is written. */
  first(): Buffer {
    this.#begun ??= Buffer.from(this.#pieces.shift() ?? '')
    return this.#begun
  }

  wrote(piece: Buffer, count: number): void {
    // Forgotten meanwhile.
    if (piece !== this.#begun) return
    this.bytes -= count
    this.#begun = count < piece.length ? piece.subarray(count) : null
  }

  forget(): void {
    this.bytes = 0
    this.#begun = null
    this.#pieces = []
  }
}

/** How many bytes it took, none where it took none until then. */
function writeInTime(descriptor: number, bytes: Buffer, endAt: number): number {
  for (;;) {
    try {
      return writeSync(descriptor, bytes)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || performance.now() > endAt) return 0
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_RETRY_MS)
    }
  }
}
