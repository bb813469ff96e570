import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach } from 'vitest'
import type { AuditEntry } from '../../src/domain/audit.ts'

interface AuditRoom {
  folder: string
  /** Of an audit log that is not there yet. */
  file: string
}

/** A folder of its own for each test, gone afterwards. */
export function useAuditRoom(enter: (room: AuditRoom) => void): void {
  let folder: string
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'audit-'))
    enter({ folder, file: join(folder, 'audit.log') })
  })
  afterEach(() => {
    rmSync(folder, { recursive: true })
  })
}

export const masterKey = (id: string) => ({ id, bytes: randomBytes(32) })

export const deletionOf = (tokenId: string): AuditEntry => ({
  actor: 'bootstrap',
  action: 'token.deleted',
  tokenId,
  outcome: 'ok',
})
