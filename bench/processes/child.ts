import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** A process of the bench's own, which answers one message at a time. */
export interface Child {
  pid: number
  /** Resolves with its answer; rejects when it ends instead. */
  ask(message: object): Promise<unknown>
  stop(): Promise<void>
}

/** Starts a module as a process; resolves when it has said that it is ready, with what it said. */
export async function startChild(
  module: URL,
  env: Record<string, string> = {},
): Promise<{ child: Child; said: unknown }> {
  const forked = fork(fileURLToPath(module), { env: { ...process.env, NODE_ENV: 'production', ...env } })
  const ended = once(forked, 'exit')
  const answer = async (): Promise<unknown> => {
    const failed = ended.then(() => {
      throw new Error(`${module.pathname} has ended`)
    })
    const [message] = (await Promise.race([once(forked, 'message'), failed])) as [unknown]
    return message
  }
  const said = await answer()
  const child: Child = {
    pid: forked.pid ?? 0,
    ask(message) {
      forked.send(message)
      return answer()
    },
    async stop() {
      if (forked.connected) forked.disconnect()
      await ended
    },
  }
  return { child, said }
}
