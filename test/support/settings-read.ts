import { readConfig } from '../../src/config/config.ts'

/** What the code asks the environment for. */
export function settingsRead(): Set<string> {
  const names = new Set<string>()
  const get = (_target: object, name: string) => void names.add(name)
  readConfig(new Proxy({}, { get }))
  return names
}
