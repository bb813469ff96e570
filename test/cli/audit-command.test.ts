import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { commandAudit } from '../../src/commands/audit.ts'
import { readConfig } from '../../src/config/config.ts'
import { AuditVerifier } from '../../src/telemetry/audit-verify.ts'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import type { VaultSettings } from '../support/vault-process.ts'
import { startVaultProcess, vaultSettings } from '../support/vault-process.ts'

const CLI = fileURLToPath(new URL('../../src/cli.ts', import.meta.url))
let database: TestDatabase
let settings: VaultSettings
const folder = mkdtempSync(join(tmpdir(), 'vault-audit-'))
const file = join(folder, 'audit.log')

beforeAll(async () => {
  database = await createTestDatabase()
  settings = await vaultSettings(database.url)
})

afterAll(async () => {
  await settings.drop()
  await database.drop()
  rmSync(folder, { recursive: true })
})

interface Ended {
  code: number
  output: string
}

function audit(words: string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [CLI, 'audit', ...words],
      { env: settings.env },
      (error, stdout, stderr) => {
        resolve({ code: error === null ? 0 : Number(error.code), output: stdout + stderr })
      },
    )
    child.stdin?.end(input)
  })
}

async function call(method: string, path: string, body?: object): Promise<Record<string, unknown>> {
  const response = await fetch(`${settings.url}/v1${path}`, {
    method,
    headers: { authorization: `Bearer ${settings.apiKey}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  })
  return (await response.json()) as Record<string, unknown>
}

const save = (n: number) => call('POST', '/tokens', { user_name: `u${n}`, access_token: `access-${n}` })

test('verify says of a file what it holds, and where it was altered, with exit code 1', async () => {
  settings.env['TOKEN_VAULT_AUDIT_LOG'] = file
  const first = await startVaultProcess(settings)
  await Promise.all([1, 2, 3].map(save))
  await first.kill()
  const second = await startVaultProcess(settings)
  await save(4)
  const refused = spawn(process.execPath, [CLI], { env: { ...settings.env, PORT: '0' } })
  expect(await text(refused.stderr)).toContain(`TOKEN_VAULT_AUDIT_LOG: another process writes ${file}`)
  expect(await second.stop()).toBe(0)

  const good = await audit(['verify', file])
  expect(good.output).toMatch(/^OK 6 good lines in 1 chains, 0 other lines\n/)
  expect(good.output).toMatch(
    /\n {3}chain \S+ begins with line 1, ends with line 6, mac \S+, master keys: \S+ from line 1\n$/,
  )
  expect(good.code).toBe(0)
  const twice = await audit(['verify', file, file])
  expect(twice.output).toMatch(/^FAULT repeated at /)
  expect(twice.code).toBe(1)
  const lines = readFileSync(file, 'utf8').split('\n')
  writeFileSync(file, lines.with(2, (lines[2] ?? '').replace('"ok"', '"no"')).join('\n'))
  const edited = await audit(['verify', file])
  expect(edited.output).toContain(`FAULT edited at ${file}:3:`)
  expect(edited.code).toBe(1)
  writeFileSync(file, lines.toSpliced(2, 1).join('\n'))
  const shortened = await audit(['verify', file])
  expect(shortened.output).toContain(`FAULT missing at ${file}:3:`)
  expect(shortened.code).toBe(1)
})

test('a secret that one holds is found in the lines that disclosed it, by its fingerprint', async () => {
  const { output, code } = await audit(['fingerprint'], 'access-1\n')
  expect(code).toBe(0)
  const [id, fingerprint] = output.trim().split('\t')
  expect(id).toBe('test')
  const lines = readFileSync(file, 'utf8').split('\n')
  const disclosing = lines.filter((line) => line.includes(`"access_token":"${fingerprint ?? ''}"`))
  expect(disclosing).toHaveLength(1)
  expect(disclosing[0]).toContain('"action":"token.saved"')
})

test('without a file the lines are on standard output among those of the log, a chain a run', async () => {
  delete settings.env['TOKEN_VAULT_AUDIT_LOG']
  const outputs: string[] = []
  for (const n of [5, 6]) {
    const vault = await startVaultProcess(settings)
    await save(n)
    await vault.stop()
    outputs.push(vault.output())
  }
  const captured = join(folder, 'captured.log')
  writeFileSync(captured, outputs.join(''))
  const { output, code } = await audit(['verify', captured])
  expect(output).toMatch(/^OK 4 good lines in 2 chains, \d+ other lines\n/)
  expect(code).toBe(0)
})

test('verify does not take a file that holds no line for a good one', async () => {
  const empty = join(folder, 'empty.log')
  writeFileSync(empty, '')
  const { code, output } = await audit(['verify', empty])
  expect(output).toMatch(`FAULT no_lines at ${empty}: it holds no line of the audit log`)
  expect(code).toBe(1)
})

test('verify needs a file that is there', async () => {
  expect((await audit(['verify'])).output).toContain('audit: say verify FILE')
  const { code, output } = await audit(['verify', join(folder, 'none')])
  expect(output).toContain('cannot be read (ENOENT)')
  expect(code).toBe(1)
})

test('verify does not take a fault of ours for one of the file', async () => {
  const fault = new TypeError('a fault of ours')
  const reading = vi.spyOn(AuditVerifier.prototype, 'read').mockRejectedValue(fault)
  try {
    const verifying = commandAudit(
      readConfig(settings.env),
      { action: 'verify', subject: file, more: [] },
      () => undefined,
    )
    await expect(verifying).rejects.toBe(fault)
  } finally {
    reading.mockRestore()
  }
})

test('a log that cannot be written stops the start', async () => {
  settings.env['TOKEN_VAULT_AUDIT_LOG'] = join(folder, 'no', 'audit.log')
  await expect(startVaultProcess(settings)).rejects.toThrow('TOKEN_VAULT_AUDIT_LOG:')
  settings.env['TOKEN_VAULT_AUDIT_LOG'] = '/dev/full'
  await expect(startVaultProcess(settings)).rejects.toThrow('/dev/full cannot be written (ENOSPC)')
})
