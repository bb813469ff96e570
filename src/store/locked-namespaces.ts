/** Namespaces for whose keys this replica lacks the operator's: what is due in them is left to the others. */
export interface LockedNamespaces {
  ids(): string[]
  note(namespaceId: string): void
}

/** How long such a namespace is left alone before this replica tries its keys again: it may have been given the key. */
const LOCKED_MS = 60_000

export function createLockedNamespaces(): LockedNamespaces {
  const untilMs = new Map<string, number>()
  return {
    ids() {
      for (const [id, endMs] of untilMs) if (performance.now() >= endMs) untilMs.delete(id)
      return [...untilMs.keys()]
    },
    note(namespaceId) {
      untilMs.set(namespaceId, performance.now() + LOCKED_MS)
    },
  }
}
