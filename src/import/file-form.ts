import { createReadStream } from 'node:fs'
import { TextDecoder } from 'node:util'
import { StartupError, unreadableFile } from '../domain/errors.ts'

/** How a token file was written. */
export interface FileForm {
  /** Lines without the header: one or two more than rows, where some are empty. */
  rows: number
  /** Values with a comma or a quotation mark are in quotation marks (RFC 4180). */
  quoted: boolean
}

const LF = 0x0a
const CR = 0x0d

/**
 * Reads the file once. TypeScript, Node.js and PHP put no value in quotation marks: theirs are the files whose lines
 * end in LF, and whose last line does not end. In those of Python, Java and C# a value that begins with one ends with one.
 * @throws StartupError for a file that cannot be read, or is not UTF-8
 */
export async function examineFile(path: string): Promise<FileForm> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  let lines = 0
  let last = LF
  let crlf = false
  for await (const chunk of chunksOf(path)) {
    decode(decoder, chunk, `${path}: after line ${lines + 1}`)
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
      if (lines === 0) crlf = (at === 0 ? last : chunk[at - 1]) === CR
      lines += 1
    }
    last = chunk.at(-1) ?? last
  }
  decode(decoder, null, path)
  const isEnded = last === LF || last === CR
  return { rows: isEnded ? Math.max(0, lines - 1) : lines, quoted: isEnded || crlf }
}

async function* chunksOf(path: string): AsyncGenerator<Buffer> {
  try {
    yield* createReadStream(path) as AsyncIterable<Buffer>
  } catch (error) {
    throw unreadableFile(path, error)
  }
}

function decode(decoder: TextDecoder, chunk: Buffer | null, place: string): void {
  try {
    if (chunk === null) decoder.decode()
    else decoder.decode(chunk, { stream: true })
  } catch {
    const encoding = chunk !== null && hasUtf16Mark(chunk) ? 'UTF-16' : 'WINDOWS-1252'
    const fault = encoding === 'UTF-16' ? 'is UTF-16, not UTF-8' : 'is not UTF-8'
    throw new StartupError(
      `${place}: ${fault}: convert the file first, for example with: iconv -f ${encoding} -t UTF-8`,
    )
  }
}

/** The byte order mark that Windows writes at the beginning, in either order; no UTF-8 has these bytes. */
function hasUtf16Mark(chunk: Buffer): boolean {
  const mark = chunk.toString('latin1', 0, 2)
  return mark === '\xff\xfe' || mark === '\xfe\xff'
}
