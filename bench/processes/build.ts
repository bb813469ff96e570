import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const ROOT = fileURLToPath(new URL('../../', import.meta.url))

/** Bundles the service into `dist/`, as the image does: what is measured is what is deployed. */
export async function build(): Promise<void> {
  await promisify(execFile)('npx', ['rolldown', '-c'], { cwd: ROOT })
}
