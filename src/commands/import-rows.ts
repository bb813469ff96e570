import type { Caller } from '../domain/caller.ts'
import { VaultError } from '../domain/errors.ts'
import type { SaveRequest } from '../domain/save.ts'
import type { SavePlan, TokenStore } from '../domain/token-store.ts'
import { readSaveRequest } from '../http/token-requests.ts'
import type { Report } from '../import/report.ts'
import type { SeenRows } from '../import/seen-rows.ts'
import { createSeenRows, marksOf } from '../import/seen-rows.ts'
import type { Blanks } from '../import/to-save-body.ts'
import { toSaveBody } from '../import/to-save-body.ts'
import type { SourceRow } from '../import/token-source.ts'
import { planImport } from '../vault/plan-import.ts'
import type { SaveParts } from '../vault/plan-save.ts'

export interface ImportParts extends SaveParts {
  store: TokenStore
  caller: Caller
  blanks: Blanks
  /** Find out what would become of each row, and write nothing. */
  dryRun: boolean
  /** Saves at once. */
  concurrency: number
  report: Report
  /** Once it is aborted no further row is begun; what is under way is finished. */
  stop: AbortSignal
  /** Called after each row. */
  onRow(): void
}

interface Importing extends ImportParts {
  seen: SeenRows
}

/**
 * Saves rows as `POST /v1/tokens` would, some at a time. It may be killed and run again: what is in the vault already
 * is found there, and a row is in it whole or not at all.
 * @throws StartupError where the rows end before their end, VaultError `storage_unavailable`
 */
export async function importRows(parts: ImportParts, rows: AsyncIterable<SourceRow>): Promise<void> {
  const importing = { ...parts, seen: createSeenRows() }
  const iterator = rows[Symbol.asyncIterator]()
  let failed = false
  const importSome = async () => {
    while (!failed && !parts.stop.aborted) {
      const next = await nextOf(iterator, parts.stop)
      if (next.done === true) return
      await importRow(importing, next.value)
      parts.onRow()
    }
  }
  const lanes = Array.from({ length: parts.concurrency }, () =>
    importSome().catch((error: unknown) => {
      failed = true
      throw error
    }),
  )
  const [fault] = (await Promise.allSettled(lanes)).filter(({ status }) => status === 'rejected')
  if (fault?.status === 'rejected') throw fault.reason
}

/** The end, too, once the import is told to stop: its source may have nothing to say for a long time. */
async function nextOf(
  iterator: AsyncIterator<SourceRow>,
  stop: AbortSignal,
): Promise<IteratorResult<SourceRow, unknown>> {
  const stopped = Promise.withResolvers<IteratorResult<SourceRow, unknown>>()
  const end = () => {
    stopped.resolve({ done: true, value: undefined })
  }
  stop.addEventListener('abort', end)
  try {
    return await Promise.race([iterator.next(), stopped.promise])
  } finally {
    stop.removeEventListener('abort', end)
  }
}

async function importRow(importing: Importing, { place, columns, fault }: SourceRow): Promise<void> {
  const { report, blanks } = importing
  if (fault !== null) {
    report.name('skipped', place, fault)
    return
  }
  const { body, expiry } = toSaveBody(columns, blanks)
  try {
    const save = readSaveRequest(body)
    const plan = await carryOut(importing, save)
    const id = tell(importing, { place, save, plan })
    if (columns.id !== undefined && id !== columns.id) report.rename(place, columns.id, id)
    remarkRenewal(report, plan)
    if (expiry === 'in seconds') report.remark('expiry in seconds')
    if (expiry === 'unreadable') report.remark('expiry unreadable')
  } catch (error) {
    refuse(report, place, error)
  }
}

function remarkRenewal(report: Report, { token, replaces }: SavePlan): void {
  if (token === replaces || token.grantToken !== null) return
  if (token.refreshToken === null) report.remark('no refresh token')
  else if (token.clientSecret === null) report.remark('no client secret')
}

/** An error of the plan changes nothing: that is how a dry run ends. */
async function carryOut(importing: Importing, save: SaveRequest): Promise<SavePlan> {
  const { store, caller, dryRun } = importing
  const planOf = planImport(importing, caller, save)
  try {
    const { plan } = await store.save(caller.namespaceId, save, (candidates, now) => {
      const planned = planOf(candidates, now)
      if (dryRun) throw new DryRun(planned)
      return planned
    })
    return plan
  } catch (error) {
    if (error instanceof DryRun) return error.plan
    throw error
  }
}

class DryRun extends Error {
  readonly plan: SavePlan

  constructor(plan: SavePlan) {
    super('nothing is written')
    this.plan = plan
  }
}

interface Planned {
  place: string
  save: SaveRequest
  plan: SavePlan
}

/** Returns the id of the row's token; null for one that a dry run does not know. */
function tell({ report, seen, dryRun }: Importing, row: Planned): string | null {
  const { place, save, plan } = row
  const { id } = plan.token
  const first =
    dryRun && plan.replaces === null
      ? seen.meet(marksOf(save), () => ({ place, id: idOfDraft(seen, row) }))
      : seen.meet([id], () => ({ place, id }))
  if (first.place !== place) report.name('duplicate', place, `is of the same token as ${first.place}`)
  else if (plan.replaces === null) report.count('imported')
  else report.count(plan.token === plan.replaces ? 'unchanged' : 'merged')
  return first.id
}

/** The row's own id, where the import would keep it: another token of the same source may have it by then. */
function idOfDraft(seen: SeenRows, { place, save, plan }: Planned): string | null {
  const { id } = plan.token
  return id === save.id && seen.meet([id], () => ({ place, id })).place === place ? id : null
}

/** What concerns one row is reported; anything else ends the import. */
function refuse(report: Report, place: string, error: unknown): void {
  if (!(error instanceof VaultError)) throw error
  const { code, facts } = error
  if (code === 'nothing_to_store') report.count('empty')
  else if (code === 'invalid_request') report.name('skipped', place, faultsOf(facts.errors))
  else if (code === 'conflict')
    report.name('skipped', place, `names an identity of token ${facts.tokenId ?? ''}`)
  else if (code === 'ambiguous_match')
    report.name('skipped', place, `matches several tokens: ${(facts.matches ?? []).join(', ')}`)
  else throw error
}

/** What was read as UTF-8 holds no surrogates. */
function faultsOf(errors: { pointer: string; detail: string }[] = []): string {
  return errors
    .map(({ pointer, detail }) => `${pointer.slice(1)} ${detail.replace(' or half a surrogate pair', '')}`)
    .join('; ')
}
