import { Secret } from '../../src/domain/secret.ts'
import type { FormPost, SendForm } from '../../src/providers/form-sender.ts'
import type { Reply } from '../../src/providers/read-answer.ts'
import { REVOKE_URL } from './plan.ts'
import type { Process } from './process.ts'
import type { Grant, RotatingProvider, Verdict } from './rotating-provider.ts'
import type { Trouble } from './trouble.ts'
import type { VirtualTime } from './virtual-time.ts'

/** A request on its way, and whether its answer can still come to who sent it. */
export interface Sent {
  refreshToken: string
  process: Process
  sentAtMs: number
  answerLost: boolean
}

interface Route {
  process: Process
  time: VirtualTime
  trouble: Trouble
  provider: RotatingProvider
  /** A request arrives within this time of being sent, or never. */
  latestMs: number
  pauseMs: () => number
  onSent(request: Sent): void
  onVerdict(request: Sent, verdict: Verdict): void
}

const FATES = [
  'crash before',
  'pause before',
  'crash after',
  'pause after',
  'refused',
  'late',
  'answer lost',
  'answer late',
  'throttled',
  'down',
  'bad gateway',
  'nonsense',
] as const
type Fate = (typeof FATES)[number] | null

const failed = (error: string, sent: boolean): Reply => ({ kind: 'failed', error, sent })
const answered = (status: number, body: string, retryAfter: string | null = null): Reply => ({
  kind: 'answered',
  status,
  body,
  retryAfter,
})

/** The way of a process to the provider's token endpoint, with the gate of the real one. */
export function createFaultySend(route: Route): SendForm {
  const { process, time, trouble, pauseMs } = route
  const isTooLate = ({ sendBeforeMs }: FormPost) => sendBeforeMs <= time.nowMs
  return async (post) => {
    if (isTooLate(post)) return failed('too_late', false)
    const fate = trouble.draw(...FATES)
    if (fate === 'crash before') process.crash()
    if (fate === 'pause before') process.pause(pauseMs())
    await new Promise<void>((resolve) => {
      process.deliver(trouble.between(5, 100), resolve)
    })
    if (fate === 'refused') return failed('ECONNREFUSED', false)
    if (isTooLate(post)) return failed('too_late', false)
    return post.url === REVOKE_URL ? revoke(route, post, fate) : exchange(route, post, fate)
  }
}

function exchange(route: Route, post: FormPost, fate: Fate): Promise<Reply> {
  const { process, time, trouble, latestMs, pauseMs } = route
  const refreshToken = shownIn(post, 'refresh_token')
  const request: Sent = { refreshToken, process, sentAtMs: time.nowMs, answerLost: false }
  route.onSent(request)
  const thereMs = fate === 'late' ? trouble.between(0, latestMs) : trouble.between(5, 100)
  const backMs = fate === 'answer late' ? trouble.between(0, 2 * post.timeoutMs) : trouble.between(5, 100)
  let inSocket: Reply | null = null
  time.after(thereMs, () => {
    const reply = replyTo(route, request, fate)
    if (reply !== null)
      time.after(backMs, () => {
        inSocket = reply
      })
  })
  if (fate === 'crash after') process.crash()
  if (fate === 'pause after') process.pause(pauseMs())
  return new Promise((resolve) => {
    // Looked at again just after the answer is there, and when the time is up; a process that slept reads it first.
    const look = () => {
      if (inSocket !== null) resolve(inSocket)
    }
    process.deliver(thereMs + backMs + 1, look)
    process.deliver(post.timeoutMs, () => {
      request.answerLost ||= inSocket === null
      resolve(inSocket ?? failed('timeout', true))
    })
  })
}

function shownIn({ form }: FormPost, field: string): string {
  const given = form[field]
  return given instanceof Secret ? given.reveal() : (given ?? '')
}

/** The provider forgets the grant, whether or not its answer is heard. */
function revoke({ process, time, trouble, provider }: Route, post: FormPost, fate: Fate): Promise<Reply> {
  const token = shownIn(post, 'token')
  if (fate === 'crash after') process.crash()
  time.after(trouble.between(5, 100), () => {
    provider.revoke(token)
  })
  return new Promise((resolve) => {
    process.deliver(trouble.between(100, 200), () => {
      resolve(fate === 'answer lost' ? failed('timeout', true) : answered(200, ''))
    })
  })
}

/** What the provider makes of it, and what of that leaves for the sender; null where nothing does. */
function replyTo(route: Route, request: Sent, fate: Fate): Reply | null {
  if (fate === 'throttled') return answered(429, '{}', '5')
  if (fate === 'down') return answered(503, '')
  request.answerLost = fate === 'answer lost' || fate === 'bad gateway' || fate === 'nonsense'
  const verdict = route.provider.refresh(request.refreshToken, route.time.nowMs)
  route.onVerdict(request, verdict)
  if (fate === 'answer lost') return null
  if (fate === 'bad gateway') return answered(502, '')
  if (fate === 'nonsense') return answered(200, '<html>')
  if (verdict === 'dead' || verdict === 'reuse') return answered(400, '{"error":"invalid_grant"}')
  return answered(200, bodyOf(verdict))
}

function bodyOf({ accessToken, refreshToken, expiresInSeconds }: Grant): string {
  return JSON.stringify({
    access_token: accessToken,
    refresh_token: refreshToken,
    expires_in: expiresInSeconds,
    token_type: 'Bearer',
  })
}
