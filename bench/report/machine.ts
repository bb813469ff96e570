import { availableParallelism, cpus, totalmem, type } from 'node:os'

/** Of what the figures are true. */
export function machine(postgresVersion: string, tokens: number, rounds: number, seconds: number): string {
  const memory = Math.round(totalmem() / 2 ** 30)
  const processor = `${availableParallelism()} cores (${cpus()[0]?.model ?? 'unknown'}), ${memory} GB`
  const software = `Node ${process.versions.node}, Postgres ${postgresVersion}, ${type()}`
  return `${new Date().toISOString().slice(0, 10)}: ${processor}, ${software}; ${tokens.toLocaleString('en')} tokens, ${rounds} rounds of ${seconds} s each.`
}
