import { createReadStream } from 'node:fs'
import { text } from 'node:stream/consumers'
import { masterKeysOf } from '../backing/open-backing.ts'
import type { Config } from '../config/config.ts'
import { StartupError, unreadableFile } from '../domain/errors.ts'
import { Secret } from '../domain/secret.ts'
import type { AuditKeys } from '../telemetry/audit-keys.ts'
import { createAuditKeys } from '../telemetry/audit-keys.ts'
import type { AuditChain, AuditFault } from '../telemetry/audit-verify.ts'
import { AuditVerifier } from '../telemetry/audit-verify.ts'

type Tell = (line: string) => void

interface AuditWords {
  action: string | undefined
  subject: string | undefined
  more: readonly string[]
}

/** Resolves with false where a file was altered. */
export async function commandAudit(
  config: Config,
  { action, subject, more }: AuditWords,
  tell: Tell,
): Promise<boolean> {
  const files = subject === undefined ? [] : [subject, ...more]
  const keys = createAuditKeys(masterKeysOf(config))
  if (action === 'verify' && files.length > 0) return verify(keys, files, tell)
  if (action === 'fingerprint' && files.length === 0) return fingerprint(keys, tell)
  throw new StartupError(
    'audit: say verify FILE, the oldest first where there are several, or fingerprint with a secret on standard input',
  )
}

const FAULTS: Record<AuditFault['kind'], string> = {
  unreadable: 'it is cut off, or no line of the audit log any more',
  cut_off:
    'it is cut off, or no line of the audit log any more; where the same run went on in another file, give that after this one',
  edited: 'it, or the line before it, was altered',
  missing: 'lines before it are missing',
  repeated: 'it comes a second time, or too late',
  no_beginning: 'the beginning of its chain is missing',
  changed_key: 'it was made with another master key than the line before, without a start in between',
  unknown_key: 'it was made with a master key that TOKEN_VAULT_MASTER_KEYS does not hold',
  no_lines: 'it holds no line of the audit log',
}

async function verify(keys: AuditKeys, files: readonly string[], tell: Tell): Promise<boolean> {
  const verifier = new AuditVerifier(keys)
  const counted = () => {
    const { lines, chains, others } = verifier.counts
    return `${lines} good lines in ${chains} chains, ${others} other lines`
  }
  const told = (file: string, { kind, line }: AuditFault) =>
    `FAULT ${kind} at ${line === null ? file : `${file}:${line}`}: ${FAULTS[kind]} (before it: ${counted()})`
  let cutOff: string | null = null
  for (const file of files) {
    const fault = await read(verifier, file)
    if (cutOff !== null && !verifier.explains) break
    cutOff = fault?.kind === 'cut_off' ? told(file, fault) : null
    if (fault !== null && cutOff === null) {
      tell(told(file, fault))
      return false
    }
  }
  if (cutOff !== null) {
    tell(cutOff)
    return false
  }
  tell(`OK ${counted()}`)
  for (const chain of verifier.chains) tell(`   ${described(chain)}`)
  return true
}

function described({ begin, end, keys }: AuditChain): string {
  const beginning =
    begin.seq === 0
      ? 'begins with line 1'
      : `goes on from line ${begin.seq} of an earlier file that was not given, mac ${begin.mac}`
  const made = keys.map(({ id, from }) => `${id} from line ${from}`).join(', ')
  return `chain ${end.chain} ${beginning}, ends with line ${end.seq}, mac ${end.mac}, master keys: ${made}`
}

async function read(verifier: AuditVerifier, file: string): Promise<AuditFault | null> {
  try {
    return await verifier.read(createReadStream(file) as AsyncIterable<Buffer>)
  } catch (error) {
    throw unreadableFile(file, error)
  }
}

/** What stands for a secret in lines that were made with each of the keys. */
async function fingerprint(keys: AuditKeys, tell: Tell): Promise<boolean> {
  const secret = new Secret((await text(process.stdin)).trim())
  for (const id of keys.ids) tell(`${id}\t${keys.fingerprint(id, secret) ?? ''}`)
  return true
}
