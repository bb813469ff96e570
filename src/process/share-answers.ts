import type { Clock } from '../domain/clock.ts'

const SHARED_MS = 1_000

/**
 * For what anybody may ask, however often: who asks while an answer is under way waits for that one, and a good one is
 * given for a second.
 */
export function shareAnswers<Answer>(ask: () => Promise<Answer>, clock: Clock): () => Promise<Answer> {
  let running: Promise<Answer> | null = null
  let good: { answer: Promise<Answer>; askedMs: number } | null = null
  const run = async () => {
    const askedMs = clock.monotonicMs()
    const answer = await ask()
    good = { answer: Promise.resolve(answer), askedMs }
    return answer
  }
  return () => {
    if (good !== null && clock.monotonicMs() - good.askedMs < SHARED_MS) return good.answer
    running ??= run().finally(() => (running = null))
    return running
  }
}
