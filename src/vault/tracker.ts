/** Knows what is under way, for a shutdown to wait for. */
export function createTracker() {
  const underWay = new Set<Promise<unknown>>()
  return {
    track: <Result>(work: Promise<Result>): Promise<Result> => {
      const tracked = work.finally(() => underWay.delete(tracked))
      underWay.add(tracked)
      return tracked
    },
    allDone: async () => {
      while (underWay.size > 0) await Promise.allSettled(underWay)
    },
  }
}
