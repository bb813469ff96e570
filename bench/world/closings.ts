/** What has to be ended when all is over: what was begun last is ended first. */
export interface Closings {
  add(closing: () => void | Promise<void>): void
  close(): Promise<void>
}

export function createClosings(): Closings {
  const closings: (() => void | Promise<void>)[] = []
  return {
    add: (closing) => void closings.push(closing),
    async close() {
      for (let closing = closings.pop(); closing !== undefined; closing = closings.pop()) await closing()
    },
  }
}
