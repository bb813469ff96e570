import { VaultError } from '../../src/domain/errors.ts'
import type { TokenStore } from '../../src/domain/token-store.ts'
import type { Process } from './process.ts'
import type { Trouble } from './trouble.ts'
import type { VirtualTime } from './virtual-time.ts'

interface Link {
  process: Process
  time: VirtualTime
  trouble: Trouble
  /** Is the storage away? */
  isAway(): boolean
  /** A pause of the process, in milliseconds. */
  pauseMs: () => number
}

const unavailable = () => new VaultError('storage_unavailable', 'The database cannot be reached just now.')

/** What a search for due tokens finds is worth a fault only when it finds something. */
const isNothing = (result: unknown) => Array.isArray(result) && result.length === 0

/**
 * The store as a process reaches it: over a network that takes its time. On the way there and back the process may end
 * or stand still; a statement may fail, and a commit may go unheard.
 */
export function overNetwork(store: TokenStore, link: Link): TokenStore {
  return new Proxy(store, {
    get(target, name, receiver) {
      const member = Reflect.get(target, name, receiver) as (...args: unknown[]) => Promise<unknown>
      const isSearch = name === 'claimDue'
      return (...args: unknown[]) => call(link, isSearch, () => member.apply(target, args))
    },
  })
}

async function call<Result>(link: Link, isSearch: boolean, work: () => Promise<Result>): Promise<Result> {
  const { process, time, trouble } = link
  const there = trouble.between(1, 20)
  if (!isSearch) disturb(link)
  // Where the process has ended by now, its statement is not sent; once it is, it comes to its effect without it.
  await new Promise<void>((resolve) => {
    process.deliver(0, resolve)
  })
  await new Promise<void>((resolve) => {
    time.after(there, resolve)
  })
  const fate = isSearch ? null : trouble.draw('not committed', 'unheard')
  if (link.isAway() || fate === 'not committed') return arrive(link, Promise.reject(unavailable()))
  const done = work()
  const result = await done.catch(() => null)
  if (!isNothing(result)) disturb(link)
  const isUnheard = fate === 'unheard' || (isSearch && !isNothing(result) && trouble.draw('unheard') !== null)
  return arrive(link, isUnheard ? Promise.reject(unavailable()) : done)
}

function disturb({ process, trouble, pauseMs }: Link): void {
  const fate = trouble.draw('crash', 'pause')
  if (fate === 'crash') process.crash()
  if (fate === 'pause') process.pause(pauseMs())
}

async function arrive<Result>({ process, trouble }: Link, answer: Promise<Result>): Promise<Result> {
  answer.catch(() => undefined)
  await new Promise<void>((resolve) => {
    process.deliver(trouble.between(1, 20), resolve)
  })
  return answer
}
