import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'

/** What a process has used of the machine. */
export interface Usage {
  /** User and system time of all its threads. */
  cpuSeconds: number
  /** Resident now. */
  rssMb: number
}

const HAS_PROC = existsSync('/proc/self/stat')
/** USER_HZ: the same on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const KB_PER_MB = 1024

export function usageOf(pid: number): Usage {
  return HAS_PROC ? fromProc(pid) : fromPs(pid)
}

function fromProc(pid: number): Usage {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name of the program, in parentheses, may hold anything. utime and stime are the 14th and 15th field.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND,
    rssMb: Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / KB_PER_MB,
  }
}

/** macOS: `time` is minutes:seconds.hundredths. */
function fromPs(pid: number): Usage {
  const told = execFileSync('ps', ['-o', 'time=,rss=', '-p', String(pid)], { encoding: 'utf8' })
  const [time = '', rss = ''] = told.trim().split(/\s+/)
  const cpuSeconds = time.split(':').reduce((total, part) => total * 60 + Number(part), 0)
  return { cpuSeconds, rssMb: Number(rss) / KB_PER_MB }
}
