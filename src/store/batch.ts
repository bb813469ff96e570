interface BatchOptions<Item, Result> {
  /** Resolves with one result for each item, in their order. */
  run: (items: readonly Item[]) => Promise<readonly Result[]>
  /** Does this error say something of all items, so that none of them need be run alone? */
  isCommon: (error: unknown) => boolean
  /** What a batch may take before its items are run alone as well; absent where an item must not be run twice. */
  patienceMs?: number
  /** How long the first item waits for a full batch; absent where only those of the same turn go with it. */
  gatherMs?: number
}

interface Waiting<Item, Result> {
  item: Item
  resolve: (result: Result) => void
  reject: (error: unknown) => void
}

const MOST_ITEMS = 100
/** While two are under way, what comes in grows into a larger one. */
const MOST_RUNNING = 2
/** Where all of Postgres is slow, a crowd of single statements would only make it slower. */
const LANES = 4

/**
 * Runs together what is asked for in one turn of the event loop, or within a few milliseconds. No item suffers from
 * another one: where a batch fails or takes long, its items are run alone as well, and each has the result that comes
 * first.
 */
export function createBatch<Item, Result>({
  run,
  isCommon,
  patienceMs,
  gatherMs,
}: BatchOptions<Item, Result>): (item: Item) => Promise<Result> {
  let waiting: Waiting<Item, Result>[] = []
  let running = 0
  let isPlanned = false
  /** While the planned batch waits for more items. */
  let gathering: NodeJS.Timeout | undefined

  const runTogether = async (batch: readonly Waiting<Item, Result>[]): Promise<'ended' | 'failed'> => {
    try {
      const results = await run(batch.map(({ item }) => item))
      for (const [index, { resolve }] of batch.entries()) resolve(results[index] as Result)
    } catch (error) {
      if (batch.length > 1 && !isCommon(error)) return 'failed'
      for (const { reject } of batch) reject(error)
    }
    return 'ended'
  }
  const runAlone = async (left: Waiting<Item, Result>[]): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) await runTogether([next])
  }
  const runBatch = async (batch: readonly Waiting<Item, Result>[]): Promise<void> => {
    const left = batch.length === 1 ? [] : [...batch]
    const together = runTogether(batch).then((outcome) => {
      if (outcome === 'ended') left.length = 0
    })
    await (patienceMs === undefined ? together : within(patienceMs, together))
    for (let lanes = 0; lanes < LANES; lanes += 1) void runAlone(left)
  }
  const start = (): void => {
    gathering = undefined
    isPlanned = false
    const batch = waiting.slice(0, MOST_ITEMS)
    waiting = waiting.slice(MOST_ITEMS)
    running += 1
    void runBatch(batch).finally(() => {
      running -= 1
      plan()
    })
    plan()
  }
  const plan = (): void => {
    if (waiting.length === 0 || running >= MOST_RUNNING) return
    const isFull = waiting.length >= MOST_ITEMS
    if (isPlanned && (gathering === undefined || !isFull)) return
    isPlanned = true
    clearTimeout(gathering)
    gathering = undefined
    if (gatherMs === undefined || isFull) setImmediate(start)
    else gathering = setTimeout(start, gatherMs)
  }

  return (item) =>
    new Promise((resolve, reject) => {
      waiting.push({ item, resolve, reject })
      plan()
    })
}

/** Resolves when the work has ended, or after so long. */
function within(ms: number, work: Promise<void>): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    void work.then(() => {
      clearTimeout(timer)
      resolve()
    })
  })
}
