import type { Clock } from '../domain/clock.ts'
import { VaultError } from '../domain/errors.ts'

const RETRY_MS = 500

/** What a provider has answered exists nowhere else: it is stored, however long the storage is away. */
export async function untilStored<Result>(
  clock: Clock,
  random: () => number,
  store: () => Promise<Result>,
  onFailure: (error: unknown) => void,
): Promise<Result> {
  for (;;) {
    try {
      return await store()
    } catch (error) {
      if (error instanceof VaultError && error.code !== 'storage_unavailable') throw error
      onFailure(error)
      await clock.sleep(RETRY_MS * (1 + random()))
    }
  }
}
