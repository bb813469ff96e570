import type { Clock } from '../domain/clock.ts'
import { VaultError } from '../domain/errors.ts'

/** What a pause of the process has broken, a connection, is replaced at once, and the lease may have seconds left. */
const FIRST_RETRY_MS = 50
/** A storage that is away is asked every second or so. */
const LAST_RETRY_MS = 500

/** What a provider has answered exists nowhere else: it is stored, however long the storage is away. */
export async function untilStored<Result>(
  clock: Clock,
  random: () => number,
  store: () => Promise<Result>,
  onFailure: (error: unknown) => void,
): Promise<Result> {
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LAST_RETRY_MS)) {
    try {
      return await store()
    } catch (error) {
      if (error instanceof VaultError && error.code !== 'storage_unavailable') throw error
      onFailure(error)
      await clock.sleep(retryMs * (1 + random()))
    }
  }
}
