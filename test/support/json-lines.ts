import { createInterface } from 'node:readline'
import type { ChildProcess } from 'node:child_process'

interface Waiting {
  resolve: (answer: unknown) => void
  reject: (error: Error) => void
}

/**
 * Speaks with a child process by JSON lines: `ask` writes `{ask, …}` with a number to its standard input and
 * resolves with the `answer` of that number, or rejects when the process ends first.
 */
export class JsonLines {
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, Waiting>()
  #asked = 0

  constructor(child: ChildProcess) {
    this.#child = child
    if (child.stdout === null) throw new Error('the child needs piped standard output')
    createInterface(child.stdout).on('line', (line) => {
      if (line.startsWith('{')) this.#settle(JSON.parse(line) as { number: number; answer: unknown })
    })
    child.once('exit', (code, signal) => {
      for (const { reject } of this.#waiting.values())
        reject(new Error(`ended with ${String(code ?? signal)}`))
    })
  }

  ask<A>(question: object): Promise<A> {
    this.#asked += 1
    const number = this.#asked
    return new Promise<A>((resolve, reject) => {
      this.#waiting.set(number, { resolve: resolve as Waiting['resolve'], reject })
      this.#child.stdin?.write(`${JSON.stringify({ number, ...question })}\n`)
    })
  }

  #settle({ number, answer }: { number: number; answer: unknown }): void {
    this.#waiting.get(number)?.resolve(answer)
    this.#waiting.delete(number)
  }
}
