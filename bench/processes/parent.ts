/** The other end of `child.ts`: a process that ends with the bench. */

/** Tells the bench that this process is ready: on which port, if it listens. */
export function ready(port: number | null = null): void {
  process.once('disconnect', () => process.exit())
  process.send?.({ port })
}

/** Answers each message of the bench by what the handler makes of it. */
export function answerWith(handler: (message: never) => Promise<object>, port: number | null = null): void {
  process.on('message', (message) => {
    void handler(message as never).then((answer) => process.send?.(answer))
  })
  ready(port)
}
