/**
 * The tests of the Python package, against a real vault: `npm run test:python`. `--report=FILE` writes their counts
 * there as JSON; where there is no Python to run them with they are skipped.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { parseArgs } from 'node:util'
import { CACHE, findPython, makeEnvironment, PACKAGE } from './environment.ts'
import { createWorld } from './world.ts'

async function runTests(python: string, report: string | undefined): Promise<number> {
  const world = await createWorld()
  const env = {
    ...process.env,
    PYTHONPYCACHEPREFIX: `${CACHE}/pycache`,
    TOKEN_VAULT_TEST_WORLD: JSON.stringify(world.address),
  }
  try {
    const args = ['-m', 'tests', ...(report === undefined ? [] : [`--report=${report}`])]
    const child = spawn(python, args, { cwd: PACKAGE, env, stdio: 'inherit' })
    const [code] = (await once(child, 'exit')) as [number | null]
    return code ?? 1
  } finally {
    await world.close()
  }
}

const { report } = parseArgs({ options: { report: { type: 'string' } } }).values
const python = findPython()
if (python === null) {
  console.log('skipped: the tests of clients/python, which need Python 3.9 or newer with venv and pip')
  if (report !== undefined) await writeFile(report, JSON.stringify({ passed: 0, failed: 0, skipped: 1 }))
} else {
  process.exitCode = await runTests(await makeEnvironment(python), report)
}
