import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from 'pino'
import { commandRecord } from '../backing/open-audit.ts'
import { openKeyring } from '../backing/open-keyring.ts'
import { prepareSchema } from '../backing/prepare-schema.ts'
import type { Config } from '../config/config.ts'
import { KEY_CACHE_MS } from '../crypto/keyring.ts'
import { rewrapDataKeys } from '../crypto/rewrap.ts'
import type { AuditEntry } from '../domain/audit.ts'
import { StartupError, VaultError } from '../domain/errors.ts'
import type { MasterKey } from '../domain/keyring.ts'
import type { Keyring, NamespaceKeys } from '../domain/keyring.ts'
import type { UnreadableError } from '../domain/unreadable-error.ts'
import { COMMAND_LINE } from '../domain/token.ts'
import type { Db } from '../store/database.ts'
import type { KeyRotationStore, ResealedPage } from '../store/key-rotations.ts'
import { createKeyRotationStore } from '../store/key-rotations.ts'
import type { Output } from './progress.ts'
import { createProgress } from './progress.ts'
import { withDatabase } from './with-database.ts'

/** Rotates the keys of the settings' database, and writes to the audit log what was done. */
export function commandRotateKeys(
  config: Config,
  log: Logger,
  { dataKeys, anew }: { dataKeys: boolean; anew: boolean },
  output: Output,
): Promise<void> {
  return withDatabase(config, log, { patient: true }, async (database, backing) => {
    await prepareSchema(database, backing)
    const record = commandRecord(config, backing)
    await record([])
    await rotateKeys(database.db, backing.masterKeys, output, {
      dataKeys: dataKeys || anew,
      anew,
      record: (rotated) => record([{ action: 'keys.rotated', actor: COMMAND_LINE, rotated, outcome: 'ok' }]),
    })
  })
}

interface RotationOptions {
  /** Seal every token anew, too. */
  dataKeys: boolean
  /** Under keys made from now on, where an earlier run did not come to its end, too. */
  anew?: boolean
  /** Is told of what was done, before anybody else. */
  record: (rotated: NonNullable<AuditEntry['rotated']>) => Promise<void>
  /** For as long as another replica may still store what it sealed under a former key. */
  waitMs?: number
  /** Tokens that are locked at once. */
  pageSize?: number
}

/** A value is sealed and its row committed within this, or the write fails by its time limits. */
const WRITE_MS = 30_000
const WAIT_MS = KEY_CACHE_MS + WRITE_MS
/** 100 tokens are locked for some 20 ms. */
const PAGE_SIZE = 100
const LOCKED_RETRY_MS = 500
const MOST_NAMED = 20

/**
 * Moves all data keys to the first master key and, if that is asked for, all sealed values to new data keys, while
 * the service serves. It may be killed, run again or run twice at once: what is done is seen in the rows themselves.
 * @throws StartupError where a master key is missing, or a value does not open
 */
export async function rotateKeys(
  db: Db,
  masterKeys: MasterKey[],
  output: Output,
  { dataKeys, anew = false, record, waitMs = WAIT_MS, pageSize = PAGE_SIZE }: RotationOptions,
): Promise<void> {
  const { keyring, dataKeys: wrapped, master } = await openKeyring(db, masterKeys)
  let rewrapped = await rewrapDataKeys(wrapped, master)
  const resealed = dataKeys ? await rotateDataKeys({ db, keyring, output, anew, waitMs, pageSize }) : null
  rewrapped += await rewrapDataKeys(wrapped, master)
  const { moved: tokens = 0, left = 0 } = resealed ?? {}
  await record({ masterKey: master.firstId, dataKeys: rewrapped, tokens, left })
  if (resealed !== null) {
    output.write(
      `Moved ${number(resealed.moved)} tokens to new data keys, ${number(resealed.left)} are left.\n`,
    )
  }
  output.write(`Moved ${number(rewrapped)} data keys to master key "${master.firstId}", 0 are left.\n`)
  if (resealed !== null && resealed.left > 0) throw unreadableFault(resealed.unreadable)
}

const number = (count: number) => count.toLocaleString('en')

interface DataKeyRotation {
  db: Db
  keyring: Keyring
  output: Output
  anew: boolean
  waitMs: number
  pageSize: number
}

type Sweep = Pick<ResealedPage, 'old' | 'moved' | 'left' | 'unreadable'>

async function rotateDataKeys({ db, keyring, output, anew, waitMs, pageSize }: DataKeyRotation) {
  const store = createKeyRotationStore(db)
  const { startedAt, isContinued } = await store.begin(anew)
  if (isContinued) {
    output.write(
      `Continues the rotation begun at ${startedAt.toISOString()}: data keys made since then stay, --anew replaces them, too\n`,
    )
  }
  const sweep = () => sweepAll({ keyring, store, output, startedAt, pageSize })
  // From here on who reads the keys anew seals under the new ones.
  for (const { id } of await store.listNamespaces()) await keysOf(id, keyring, startedAt)
  const primariesMs = performance.now()
  let { moved } = await sweep()
  const leftMs = primariesMs + waitMs - performance.now()
  if (leftMs > 0) {
    output.write(
      `Waiting ${Math.ceil(leftMs / 1000)} s: for as long other replicas may use the former keys\n`,
    )
    await sleep(leftMs)
  }
  for (;;) {
    const { old, left, unreadable, ...last } = await sweep()
    moved += last.moved
    // Only a sweep that meets nothing to move says that nothing is left.
    if (old === left) {
      await store.finish(startedAt)
      return { moved, left, unreadable }
    }
    if (last.moved === 0) await sleep(LOCKED_RETRY_MS)
  }
}

interface SweepParts {
  keyring: Keyring
  store: KeyRotationStore
  output: Output
  startedAt: Date
  pageSize: number
}

/** Goes over all tokens of all namespaces once. */
async function sweepAll({ keyring, store, output, startedAt, pageSize }: SweepParts): Promise<Sweep> {
  const sum: Sweep = { old: 0, moved: 0, left: 0, unreadable: [] }
  const progress = createProgress(output, 'Tokens', await store.countTokens())
  for (const { id } of await store.listNamespaces()) {
    const keys = await keysOf(id, keyring, startedAt)
    for (let after: string | null = ''; keys !== null && after !== null;) {
      const page = await store.resealPage(id, keys, after, pageSize)
      progress.advance(page.tokens)
      sum.old += page.old
      sum.moved += page.moved
      sum.left += page.left
      sum.unreadable.push(...page.unreadable)
      after = page.last
    }
  }
  progress.end()
  return sum
}

/** Null for a namespace that was deleted meanwhile. */
async function keysOf(namespaceId: string, keyring: Keyring, since: Date): Promise<NamespaceKeys | null> {
  try {
    return await keyring.keysSince(namespaceId, since)
  } catch (error) {
    if (error instanceof VaultError && error.code === 'unauthorized') return null
    throw error
  }
}

function unreadableFault(unreadable: UnreadableError[]): StartupError {
  const named = unreadable.slice(0, MOST_NAMED).map(({ message }) => message)
  const rest = unreadable.length - named.length
  return new StartupError(...named, ...(rest > 0 ? [`and ${number(rest)} more`] : []))
}
