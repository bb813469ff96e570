import type { AuditKeys } from './audit-keys.ts'
import type { AuditLine, Position } from './audit-line.ts'
import { looksLikeAudit, OPENED, readLine, TORN } from './audit-line.ts'

/**
 * `unreadable`: no whole line, or no JSON; `cut_off`: the same, and no line of ours after it; `edited`: the mac is of
 * another text; `missing`: lines before it are gone; `repeated`: it or a later one of its chain came before;
 * `no_beginning`: the first line of its chain is gone; `unknown_key`: made with a master key that was not given;
 * `changed_key`: with another one than the line before, though no start stands between them; `no_lines`: a file that
 * holds none.
 */
export type AuditFaultKind =
  | 'unreadable'
  | 'cut_off'
  | 'edited'
  | 'missing'
  | 'repeated'
  | 'no_beginning'
  | 'unknown_key'
  | 'changed_key'
  | 'no_lines'

export interface AuditFault {
  kind: AuditFaultKind
  /** In its file, from 1; null where it is about the whole file. */
  line: number | null
}

/** What was read of a chain. What is cut off before and behind it shows only by comparing with these. */
export interface AuditChain {
  /** The number before its first line, 0 at its true beginning; the mac is of the last line of an earlier file. */
  begin: Position
  end: Position
  /** The master keys that its lines were made with, in their order, each from the line of this number on. */
  keys: { id: string; from: number }[]
}

/** Reads audit logs line by line, in the order of their writing, with no more memory than their chains need. */
export class AuditVerifier {
  readonly #keys: AuditKeys
  readonly #chains = new Map<string, AuditChain>()
  #lines = 0
  #others = 0
  /** The last good line of a file that is cut off behind it. */
  #cutOff: Position | null = null
  #explains = false

  constructor(keys: AuditKeys) {
    this.#keys = keys
  }

  get counts(): { lines: number; others: number; chains: number } {
    return { lines: this.#lines, others: this.#others, chains: this.#chains.size }
  }

  get chains(): AuditChain[] {
    return [...this.#chains.values()]
  }

  /** Did the file that was read last say of the one before that it may be cut off, just where it is? */
  get explains(): boolean {
    return this.#explains
  }

  /** The first fault of a file; null where there is none. Behind one that is `cut_off`, the next may explain it. */
  async read(chunks: AsyncIterable<Buffer>): Promise<AuditFault | null> {
    let number = 0
    const linesBefore = this.#lines
    let torn: number | null = null
    let last: Position | null = null
    const cutOff = this.#cutOff
    this.#cutOff = null
    this.#explains = false
    for await (const { bytes, whole } of linesOf(chunks)) {
      number += 1
      const line = whole ? readLine(bytes) : null
      if (line === null && !looksLikeAudit(bytes)) this.#others += 1
      else if (line === null) torn ??= number
      else {
        const kind = this.#check(line)
        // A crash, or a full disk, leaves a part of a line, and the opening after it says so: nobody else can.
        const forgiven = kind === null && line.action === OPENED && line.outcome === TORN
        if (torn !== null && !forgiven) return { kind: 'unreadable', line: torn }
        if (kind !== null) return { kind, line: number }
        if (last === null) this.#explains = forgiven && isBoundTo(cutOff, line)
        last = line
        torn = null
      }
    }
    if (torn !== null) {
      this.#cutOff = last
      return { kind: 'cut_off', line: torn }
    }
    return this.#lines === linesBefore ? { kind: 'no_lines', line: null } : null
  }

  #check(line: AuditLine): AuditFaultKind | null {
    const chain = this.#chains.get(line.chain)
    const before = chain?.end ?? beginningOf(line)
    if (before === null) return 'no_beginning'
    if (line.seq <= before.seq) return 'repeated'
    if (line.seq > before.seq + 1) return 'missing'
    const mac = this.#keys.mac(line.key, before.mac, line.body)
    if (mac === null) return 'unknown_key'
    if (mac !== line.mac) return 'edited'
    const keys = chain?.keys ?? []
    const isSameKey = keys.at(-1)?.id === line.key
    if (!isSameKey && line.action !== OPENED) return 'changed_key'
    this.#lines += 1
    const end = { chain: line.chain, seq: line.seq, mac }
    if (!isSameKey) keys.push({ id: line.key, from: line.seq })
    this.#chains.set(line.chain, { begin: chain?.begin ?? before, end, keys })
    return null
  }
}

/** A chain begins with its first line, or in a new file with one that names the mac of the line before. */
function beginningOf({ action, chain, seq, previous }: AuditLine): Position | null {
  if (action !== OPENED || (seq !== 1 && previous === undefined)) return null
  return { chain, seq: seq - 1, mac: previous ?? '' }
}

/** Is it the one that a new file begins with after that? */
function isBoundTo(before: Position | null, { chain, previous }: AuditLine): boolean {
  return before !== null && chain === before.chain && previous === before.mac
}

const LINE_FEED = 0x0a
/** No line of ours is nearly as long; what is longer is not kept. */
const MOST_LINE_BYTES = 64 * 1024

async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncGenerator<{ bytes: Buffer; whole: boolean }> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    let start = 0
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      yield { bytes: joined(rest, chunk.subarray(start, end)), whole: true }
      rest = Buffer.alloc(0)
      start = end + 1
    }
    rest = joined(rest, chunk.subarray(start))
  }
  if (rest.length > 0) yield { bytes: rest, whole: false }
}

function joined(rest: Buffer, more: Buffer): Buffer {
  const line = rest.length === 0 ? more : Buffer.concat([rest, more])
  return line.subarray(0, MOST_LINE_BYTES)
}
