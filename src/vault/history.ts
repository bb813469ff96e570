import type { Caller } from '../domain/caller.ts'
import { allows } from '../domain/caller.ts'
import { notFound } from '../domain/errors.ts'
import type { EventStore, RecordedEvent } from '../domain/event-store.ts'
import type { TokenStore } from '../domain/token-store.ts'

export interface HistoryPage {
  limit: number
  before: string | null
}

/** What happened in a caller's namespace, newest first. */
export interface History {
  /** What happened to keys is for those who may list them: callers with `admin`. */
  list(caller: Caller, page: HistoryPage): Promise<RecordedEvent[]>
  /**
   * A deleted token's history stays readable.
   * @throws VaultError `not_found` where there neither is nor was such a token
   */
  ofToken(caller: Caller, tokenId: string, page: HistoryPage): Promise<RecordedEvent[]>
}

export function createHistory(events: EventStore, tokens: TokenStore): History {
  return {
    list: (caller, page) =>
      events.list(caller.namespaceId, { ...page, tokenId: null, withoutKeys: !allows(caller, 'admin') }),
    async ofToken({ namespaceId }, tokenId, page) {
      const read = (part: HistoryPage) => events.list(namespaceId, { ...part, tokenId, withoutKeys: true })
      const found = await read(page)
      const isKnown =
        found.length > 0 ||
        (await tokens.get({ namespaceId, id: tokenId })) !== null ||
        (await read({ limit: 1, before: null })).length > 0
      if (!isKnown) throw notFound()
      return found
    },
  }
}
