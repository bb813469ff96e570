/** Resolves at the first SIGTERM or Ctrl-C. Later ones change nothing: what is under way is finished. */
export function stopSignal(): Promise<'stop'> {
  return new Promise((resolve) => {
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => {
        resolve('stop')
      })
    }
  })
}
