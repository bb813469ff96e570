/** The latest last; of more than `most` the eldest is forgotten. */
export function remember<Value>(known: Map<string, Value>, key: string, value: Value, most: number): void {
  known.delete(key)
  known.set(key, value)
  const [eldest] = known.keys()
  if (known.size > most && eldest !== undefined) known.delete(eldest)
}
