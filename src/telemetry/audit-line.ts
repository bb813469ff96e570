import type { AuditEntry } from '../domain/audit.ts'
import type { Secret } from '../domain/secret.ts'
import type { AuditKeys } from './audit-keys.ts'

/** The action of the line with which a chain begins, and goes on after a start. */
export const OPENED = 'audit.opened'
/** The outcome of an opening after a line that a crash or a full disk has cut off, or may have. */
export const TORN = 'torn'

/** Where a chain stands: the next line has the next number, and is bound to the mac of this one. */
export interface Position {
  chain: string
  seq: number
  mac: string
}

/** What stands in a line beside its place in the chain, by name: nothing else gets into it. */
export type LineFields = Readonly<Record<string, unknown>> & { action: string; outcome: string }

/** A line that reads as one of ours; whether it is, its mac tells. */
export interface AuditLine extends Position {
  key: string
  action: string
  outcome: string
  /** In a new file, the mac of the last line of the file before. */
  previous: string | undefined
  /** What the mac covers. */
  body: Buffer
}

/** What stands for a secret in a line; null where the key is unknown. */
export type Fingerprint = (secret: Secret) => string | null

/** The fields of an entry, each allowed by name. */
export function fieldsOf(entry: AuditEntry, print: Fingerprint): LineFields {
  return {
    request_id: entry.requestId,
    namespace_id: entry.namespaceId,
    namespace: entry.namespace,
    actor: entry.actor,
    action: entry.action,
    token_id: entry.tokenId,
    absorbed: entry.absorbed,
    key_id: entry.keyId,
    count: entry.count,
    rotated: entry.rotated && {
      master_key: entry.rotated.masterKey,
      data_keys: entry.rotated.dataKeys,
      tokens: entry.rotated.tokens,
      left: entry.rotated.left,
    },
    disclosed: entry.disclosed && fingerprintsOf(entry.disclosed, print),
    outcome: entry.outcome,
  }
}

/** Undefined where nothing was disclosed. */
function fingerprintsOf(disclosed: NonNullable<AuditEntry['disclosed']>, print: Fingerprint) {
  const prints: Record<string, string | null> = {}
  for (const field in disclosed) {
    const secret = disclosed[field]
    if (secret !== undefined) prints[field] = print(secret)
  }
  return Object.keys(prints).length === 0 ? undefined : prints
}

/** `{"audit":1,…,"mac":"…"}`: the mac covers the mac of the line before, and this line up to its own mac. */
export function writeLine(
  after: Position,
  at: string,
  fields: LineFields,
  keys: AuditKeys,
): { text: string; position: Position } {
  const { chain } = after
  const seq = after.seq + 1
  const line = { audit: 1, chain, seq, at, ...fields, key: keys.currentId }
  const body = JSON.stringify(line).slice(0, -1)
  const mac = keys.mac(keys.currentId, after.mac, body) ?? ''
  return { text: `${body},"mac":"${mac}"}\n`, position: { chain, seq, mac } }
}

const END = /^,"mac":"([A-Za-z0-9_-]{43})"}$/
const END_LENGTH = ',"mac":""}'.length + 43

/** Null for what is no line of the audit log, or no whole one. `bytes` is without its line feed. */
export function readLine(bytes: Buffer): AuditLine | null {
  const [, mac] = END.exec(bytes.toString('latin1', Math.max(0, bytes.length - END_LENGTH))) ?? []
  if (mac === undefined) return null
  const fields = parse(bytes)
  const { chain, seq, key, action, outcome, previous } = fields ?? {}
  if (typeof chain !== 'string' || typeof seq !== 'number' || typeof key !== 'string') return null
  if (typeof action !== 'string' || typeof outcome !== 'string') return null
  return {
    chain,
    seq,
    mac,
    key,
    action,
    outcome,
    previous: typeof previous === 'string' ? previous : undefined,
    body: bytes.subarray(0, -END_LENGTH),
  }
}

/** Does it read as if it were, or had been, a line of the audit log? All others are the service's own log's. */
export function looksLikeAudit(bytes: Buffer): boolean {
  return bytes.includes('"audit":') || bytes.includes('"mac":"')
}

function parse(bytes: Buffer): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'))
    return typeof value === 'object' ? (value as Record<string, unknown> | null) : null
  } catch {
    return null
  }
}
