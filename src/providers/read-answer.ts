import type { IncomingMessage } from 'node:http'
import type { Answer } from './classify-answer.ts'
import { formOf } from './classify-answer.ts'

/** What came of a form, not yet judged. */
export type Reply =
  | ({ kind: 'answered' } & Answer)
  /** The server was reached, and its answer is none that may be read. */
  | { kind: 'unreadable'; error: string }
  /** No answer. `sent`: may the server have seen the form? */
  | { kind: 'failed'; error: string; sent: boolean }

const LONGEST_ANSWER_BYTES = 65_536
/** Whatever else is named is none, or the answer is no text: a server that names a charset here has not compressed it. */
const COMPRESSED = /\b(gzip|compress|deflate|br|zstd)\b/i

/** Reads the one answer to a form. A redirect, an encoded answer or one without end is not read at all. */
export function readAnswer(
  response: IncomingMessage,
  finish: (reply: Reply) => void,
  fail: (error: string) => void,
) {
  const { statusCode: status = 0, headers } = response
  // More than one may come, and one without a listener would end the process.
  response.on('error', () => {
    fail('answer_cut_off')
  })
  const obstacle = obstacleOf(status, headers)
  if (obstacle !== null) {
    finish({ kind: 'unreadable', error: obstacle })
    return
  }
  const chunks: Buffer[] = []
  let size = 0
  response.on('data', (chunk: Buffer) => {
    size += chunk.length
    chunks.push(chunk)
    if (size > LONGEST_ANSWER_BYTES) finish({ kind: 'unreadable', error: 'answer_too_large' })
  })
  response.once('end', () => {
    const body = decoded(Buffer.concat(chunks))
    const mayBeCut = !isDelimited(headers) && body !== null && formOf(body) !== null
    if (!response.complete || mayBeCut) fail('answer_cut_off')
    else if (body === null) finish({ kind: 'unreadable', error: 'answer_not_utf8' })
    else finish({ kind: 'answered', status, retryAfter: headers['retry-after'] ?? null, body })
  })
}

/** Without a length or chunks an answer ends with the connection, also in the middle: JSON shows that, a form does not. */
function isDelimited(headers: IncomingMessage['headers']): boolean {
  return headers['content-length'] !== undefined || /\bchunked$/i.test(headers['transfer-encoding'] ?? '')
}

function obstacleOf(status: number, headers: IncomingMessage['headers']): string | null {
  if (status >= 300 && status < 400) return 'redirect'
  if (COMPRESSED.test(headers['content-encoding'] ?? '')) return 'answer_encoded'
  return Number(headers['content-length'] ?? 0) > LONGEST_ANSWER_BYTES ? 'answer_too_large' : null
}

/** Null for bytes that are no UTF-8: a token must not be mended. */
function decoded(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    return null
  }
}
