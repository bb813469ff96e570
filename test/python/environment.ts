import { execFile, execFileSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const run = promisify(execFile)

const SDK = 'zohocrmsdk8_0==6.0.0'
export const PACKAGE = fileURLToPath(new URL('../../clients/python', import.meta.url))
/** For what may be thrown away. */
export const CACHE = fileURLToPath(new URL('../../node_modules/.cache', import.meta.url))
/** Prints the version, or fails where this Python is too old or can't make virtual environments. */
const PROBE =
  'import ensurepip, sys, venv; assert sys.version_info >= (3, 9); print("%d.%d" % sys.version_info[:2])'

interface Python {
  command: string
  /** Such as `3.11`. */
  version: string
}

/** The Python that `$PYTHON` names, else the machine's; null where there is none that will do. */
export function findPython(): Python | null {
  for (const command of process.env['PYTHON'] ? [process.env['PYTHON']] : ['python3', 'python']) {
    try {
      const version = execFileSync(command, ['-c', PROBE], { stdio: ['ignore', 'pipe', 'ignore'] })
      return { command, version: version.toString().trim() }
    } catch {
      continue
    }
  }
  return null
}

/**
 * A virtual environment with Zoho's SDK and the package as its users get it, a wheel; kept for the next run.
 * Resolves with the path of its Python.
 */
export async function makeEnvironment({ command, version }: Python): Promise<string> {
  const folder = `${CACHE}/python-${version}`
  const python = `${folder}/bin/python`
  if (!existsSync(python)) await run(command, ['-m', 'venv', folder])
  const pip = ['-m', 'pip', 'install', '--quiet', '--no-compile', '--disable-pip-version-check']
  await run(python, [...pip, SDK])
  await run(python, [...pip, '--force-reinstall', '--no-deps', PACKAGE])
  return python
}
