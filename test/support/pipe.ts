import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'

/** A named pipe whose reader reads only when it is told to. */
export interface Pipe {
  path: string
  /** What a process is to write to. */
  input: number
  /** Until it takes no more. */
  fill(): void
  /** What is in it. */
  read(): string
  /** The reader is gone, and nobody else will read. */
  abandon(): void
  close(): void
}

const { O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const PIPE_BYTES = 64 * 1024

export function makePipe(path: string): Pipe {
  execFileSync('mkfifo', [path])
  const reader = openSync(path, O_RDONLY | O_NONBLOCK)
  const input = openSync(path, O_WRONLY)
  const filling = openSync(path, O_WRONLY | O_NONBLOCK)
  let isRead = true
  const abandon = () => {
    if (isRead) closeSync(reader)
    isRead = false
  }
  return {
    path,
    input,
    fill() {
      // What is less than a page is taken where a whole one is not.
      for (const size of [4096, 1]) while (tryTo(() => writeSync(filling, '\n'.repeat(size))));
    },
    read() {
      const buffer = Buffer.alloc(PIPE_BYTES)
      let text = ''
      for (let count = -1; count !== 0; text += buffer.toString('utf8', 0, count)) {
        count = tryTo(() => readSync(reader, buffer))
      }
      return text
    },
    abandon,
    close() {
      abandon()
      closeSync(input)
      closeSync(filling)
    },
  }
}

/** 0 where it would have to wait. */
function tryTo(act: () => number): number {
  try {
    return act()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return 0
    throw error
  }
}
