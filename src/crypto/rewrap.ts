import type { DataKeyStore, WrappedKey } from '../domain/keyring.ts'
import type { MasterKeys } from './master-keys.ts'

const BATCH = 500

/**
 * Moves every data key to the first master key; resolves with their number. What they seal stays as it is. Cut off
 * anywhere, or run twice at once, it leaves each key under one master key or the other, and both open it.
 */
export async function rewrapDataKeys(store: DataKeyStore, master: MasterKeys): Promise<number> {
  let moved = 0
  let after: WrappedKey | null = null
  for (;;) {
    const keys: WrappedKey[] = await store.listKeysOfOthers(master.firstId, after, BATCH)
    // Only a pass from the beginning that meets none says that none is left.
    if (keys.length === 0 && after === null) return moved
    if (keys.length > 0) {
      moved += await store.rewrapKeys(
        keys.map((key) => ({ from: key, to: master.wrap(key, master.unwrap(key)) })),
      )
    }
    after = keys.at(-1) ?? null
  }
}
