/** Runs work that shares a key one after the other, in this process. */
export type KeyedQueue = <Result>(keys: readonly string[], work: () => Promise<Result>) => Promise<Result>

/** Work stands in line for all of its keys at once, so that no two can wait for each other in a circle. */
export function createKeyedQueue(): KeyedQueue {
  const last = new Map<string, Promise<unknown>>()
  return (keys, work) => {
    const before = keys.flatMap((key) => last.get(key) ?? [])
    const result = Promise.all(before).then(work)
    const turn = result.then(
      () => undefined,
      () => undefined,
    )
    for (const key of keys) last.set(key, turn)
    void turn.then(() => {
      for (const key of keys) if (last.get(key) === turn) last.delete(key)
    })
    return result
  }
}
