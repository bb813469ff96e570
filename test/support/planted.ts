import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/**
 * Secrets that can be found again: all of one planting have a text in common, so that one search finds any of them,
 * and characters that every encoding turns into something else.
 */
export class Planting {
  readonly #mark = `q${letters(randomBytes(12))}z`
  readonly planted: string[] = []

  /** A new secret of this planting. */
  secret(): string {
    const secret = `${this.#mark}-"é\\/+%=&${this.planted.length}`
    this.planted.push(secret)
    return secret
  }

  /** The one of this planting in letters alone: an error code may look like it. */
  token(): string {
    this.planted.push(this.#mark)
    return this.#mark
  }

  /** A value of this planting in the characters of ids. */
  id(): string {
    return `${this.#mark}-${this.planted.push(this.#mark)}`
  }

  isIn(...haystacks: (Buffer | string)[]): boolean {
    return haystacks.some((haystack) => finds(haystack, this.#mark))
  }
}

function letters(bytes: Buffer): string {
  return bytes.toString('hex').replaceAll(/\d/g, (digit) => String.fromCharCode(103 + Number(digit)))
}

/** Is the text in there, in any of its encodings? */
export function finds(haystack: Buffer | string, text: string): boolean {
  const bytes = typeof haystack === 'string' ? Buffer.from(haystack, 'utf8') : haystack
  return encodingsOf(text).some((needle) => bytes.includes(needle))
}

function encodingsOf(text: string): Buffer[] {
  const raw = Buffer.from(text, 'utf8')
  const hex = raw.toString('hex')
  const wide = Buffer.from(text, 'utf16le')
  const ascii = [hex, hex.toUpperCase(), ...base64sOf(raw), encodeURIComponent(text), jsonOf(text)]
  return [raw, wide, Buffer.from(wide).swap16(), ...ascii.map((value) => Buffer.from(value, 'latin1'))]
}

/** Base64 knows three alignments, of which the characters that depend on the neighbours are left out. */
function base64sOf(raw: Buffer): string[] {
  return [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), raw])
    const start = Math.ceil((shift * 8) / 6)
    const end = Math.floor((shifted.length * 8) / 6)
    return (['base64', 'base64url'] as const).map((form) => shifted.toString(form).slice(start, end))
  })
}

const jsonOf = (text: string) => JSON.stringify(text).slice(1, -1)

/** All files of a folder and its folders that hold one of these bytes; those that vanish meanwhile are passed over. */
export function filesWith(folder: string, isFound: (content: Buffer) => boolean): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((file) => {
      try {
        return isFound(readFileSync(file))
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false
        throw error
      }
    })
}
