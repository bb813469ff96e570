import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { readConfig } from '../../src/config/config.ts'
import { generateMasterKey } from '../../src/crypto/master-keys.ts'
import { commandImport } from '../../src/commands/import.ts'
import type { Columns } from '../../src/import/token-source.ts'
import type { Output } from '../../src/commands/progress.ts'
import { createLogger } from '../../src/telemetry/logger.ts'
import { ANN, DIALECTS, written, ZOE } from '../import/dialects.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { endAll, tokenVault } from './command-line.ts'

/** A hundred thousand where it is asked for: "npm run test:import". */
const MANY = Number(process.env['IMPORT_ROWS'] ?? 2_000)

/** The audit log of a command, without a file: on standard error. */
const AUDITED = /"actor":"cli","action":"tokens.imported","count":2/

const TOKEN_VAULT_MASTER_KEYS = generateMasterKey('k1')

let database: TestDatabase
let folder: string

beforeAll(async () => {
  database = await createTestDatabase()
  folder = mkdtempSync(join(tmpdir(), 'vault-import-'))
})
afterAll(async () => {
  await endAll()
  await database.drop()
  rmSync(folder, { recursive: true })
})
afterEach(() => database.query('truncate tokens, refresh_tokens, events'))

const start = (...args: string[]) =>
  tokenVault(['import', ...args], { DATABASE_URL: database.url, TOKEN_VAULT_MASTER_KEYS }, folder)

async function run(...args: string[]) {
  const command = start(...args)
  const code = await command.ended
  const told = command
    .stdout()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('Rows: '))
  return { code, told, stderr: command.stderr().trim().split('\n') }
}

/** Without a process of its own. */
function importHere(file: string, output: Output) {
  const config = readConfig({
    DATABASE_URL: database.url,
    TOKEN_VAULT_MASTER_KEYS,
    TOKEN_VAULT_AUDIT_LOG: join(folder, 'audit.log'),
  })
  const words = { action: 'zoho-file', subject: join(folder, file), dryRun: false }
  return commandImport(config, createLogger('fatal'), words, output, () => new Promise(() => undefined))
}

function write(rows: Columns[]): void {
  const node = DIALECTS.find(({ language }) => language === 'Node.js') ?? expect.fail()
  writeFileSync(join(folder, 'sdk_tokens.txt'), written(node, rows))
}

const users = async () =>
  (await database.query<{ name: string }>('select user_name as name from tokens order by user_name')).map(
    ({ name }) => name,
  )

describe('token-vault import', () => {
  test('imports before the service has ever served, into the namespace "default"', async () => {
    write([ANN, ZOE])
    expect(await run('zoho-file', 'sdk_tokens.txt', '--dry-run')).toMatchObject({
      code: 0,
      told: [
        'Dry run, no token was saved. What 2 rows of sdk_tokens.txt would become in namespace default:',
        '           2 imported',
      ],
    })
    expect(await users()).toEqual([])
    const { code, stderr } = await run('zoho-file', 'sdk_tokens.txt')
    expect([code, stderr.at(-1)]).toEqual([0, expect.stringMatching(AUDITED)])
    expect(await users()).toEqual([ANN.user_name, ZOE.user_name])
  })

  test('ends with 1 where a row was skipped, after all the others', async () => {
    write([{ ...ANN, api_domain: 'https://api.example' }, ZOE])
    const { code, told } = await run('zoho-file', 'sdk_tokens.txt')
    expect([code, told.at(-1)]).toEqual([1, expect.stringMatching(/^line 2: api_domain no data centre/)])
    expect(await users()).toEqual([ZOE.user_name])
  })

  test('ends with 1 where the file ends before its time, and tells what was done', async () => {
    write([ANN, ZOE])
    writeFileSync(join(folder, 'broken.txt'), `${written(DIALECTS[3] ?? expect.fail(), [ANN])}2,"bob\n`)
    const { code, told, stderr } = await run('zoho-file', 'broken.txt')
    expect([code, told]).toEqual([
      1,
      ['Import: 1 row of broken.txt into namespace default', '           1 imported'],
    ])
    expect(stderr.at(-1)).toMatch(/^broken.txt: after line 3 a value begins with a quotation mark/)
  })

  test('that ends before its time begins its report on a line of its own, below the bar of a terminal', async () => {
    writeFileSync(join(folder, 'broken.txt'), `${written(DIALECTS[3] ?? expect.fail(), [ANN])}2,"bob\n`)
    let shown = ''
    const importing = importHere('broken.txt', { isTTY: true, write: (text) => (shown += text) })
    await expect(importing).rejects.toThrow('a value begins with a quotation mark')
    const [bar, report] = shown.split('\n')
    expect(bar).toMatch(/^\rRows \[#+\.+\] 50 % \(1 of 2\)/)
    expect(report).toMatch(/^Import: 1 row of /)
  })

  test('reports what it did though its line cannot be written to the audit log any more', async () => {
    write([ANN, ZOE])
    const auditLog = join(folder, 'audit.log.commands')
    let shown = ''
    const importing = importHere('sdk_tokens.txt', {
      write(text) {
        shown += text
        rmSync(auditLog, { recursive: true })
        mkdirSync(auditLog)
      },
    })
    await expect(importing).rejects.toThrow(/^TOKEN_VAULT_AUDIT_LOG: .*audit\.log\.commands/)
    expect(shown).toMatch(/\nImport: 2 rows of .*\n +2 imported\n$/)
    rmSync(auditLog, { recursive: true })
  })

  test.each([
    [[], /^import: say zoho-file FILE, zoho-mysql URL or zoho-sqlite FILE$/],
    [['zoho-file'], /^import: name the file, for example: token-vault import zoho-file sdk_tokens.txt$/],
    [
      ['zoho-sqlite', ''],
      /^import: name the file, for example: token-vault import zoho-sqlite zohooauth.db$/,
    ],
    [['zoho-mysql'], /^import: name the database, for example: .* mysql:.*, or set MYSQL_URL$/],
    [['zoho-mysql', 'localhost'], /^import: name the database/],
    [['zoho-file', 'gone.txt'], /^gone.txt: cannot be read \(ENOENT\)$/],
    [['zoho-file', 'x', '--client-secret', 's'], /^import: --client-secret needs --client-id/],
    [
      ['zoho-file', 'sdk_tokens.txt', '--namespace', 'nowhere'],
      /^--namespace: there is no nowhere: make it with: token-vault namespaces create nowhere$/,
    ],
    [['zoho-file', 'sdk_tokens.txt', '--namespace', 'No Where'], /^--namespace: give a name of a-z/],
  ])('says what is wrong in a line, and what is right (%#)', async (args, fault) => {
    write([ANN])
    const { code, told, stderr } = await run(...args)
    expect([code, stderr[0]]).toEqual([1, expect.stringMatching(fault)])
    expect(told.slice(1)).toEqual([])
    expect(await users()).toEqual([])
  })

  test('that is told to stop reports and records what it did, and ends with 1', async () => {
    write(
      Array.from({ length: MANY }, (_, index) => ({
        ...ANN,
        id: '',
        user_name: `u-${index}`,
        refresh_token: `r-${index}`,
        access_token: `a-${index}`,
      })),
    )
    const stopped = start('zoho-file', 'sdk_tokens.txt')
    await stopped.says('Rows: 10 %')
    stopped.interruptGroup()
    expect(await stopped.ended).toBe(1)
    const there = (await users()).length
    expect(there).toBeLessThan(MANY)
    expect(stopped.stdout()).toContain(`${there.toLocaleString('en').padStart(12)} imported`)
    expect(stopped.stderr()).toContain(`"action":"tokens.imported","count":${there}`)
    expect(stopped.stderr()).toContain('import: was cut off: run it again for the rest')
  })

  test(`may be killed in the middle of ${MANY} rows and run again`, async () => {
    write(
      Array.from({ length: MANY }, (_, index) => ({
        ...ANN,
        id: String(index + 1),
        user_name: `user-${index}`,
        refresh_token: `refresh-${index}`,
        access_token: `access-${index}`,
      })),
    )
    const killed = start('zoho-file', 'sdk_tokens.txt')
    await killed.says('Rows: 30 %')
    killed.signal('SIGKILL')
    expect(await killed.ended).toBe(null)
    const there = (await users()).length
    expect(there).toBeGreaterThan(0)
    expect(there).toBeLessThan(MANY)

    const { code, told } = await run('zoho-file', 'sdk_tokens.txt')
    const number = (count: number) => count.toLocaleString('en').padStart(12)
    expect([code, told.slice(1)]).toEqual([
      0,
      [`${number(MANY - there)} imported`, `${number(there)} unchanged: the vault had all of it, or newer`],
    ])
    expect(new Set(await users()).size).toBe(MANY)
  }, 1_200_000)
})
