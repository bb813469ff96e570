/** Where progress is shown: a terminal, or anything that takes lines. */
export interface Output {
  isTTY?: boolean
  write(text: string): unknown
}

export interface Progress {
  advance(count: number): void
  /** Leaves the bar, if there is one, where it is: whole. */
  end(): void
  /** Leaves it as far as it came; what follows begins a line of its own. */
  breakOff(): void
}

const BAR_WIDTH = 30

/** A bar that grows in place on a terminal, elsewhere a line for each tenth. */
export function createProgress(output: Output, what: string, total: number): Progress {
  const step = output.isTTY === true ? 1 : 10
  let count = 0
  let shown = -1
  const show = (percent: number) => {
    const numbers = `${count.toLocaleString('en')} of ${Math.max(total, count).toLocaleString('en')}`
    if (output.isTTY !== true) output.write(`${what}: ${percent} % (${numbers})\n`)
    else {
      const full = Math.round((percent / 100) * BAR_WIDTH)
      output.write(
        `\r${what} [${'#'.repeat(full)}${'.'.repeat(BAR_WIDTH - full)}] ${percent} % (${numbers})\u001b[K`,
      )
    }
    shown = percent
  }
  return {
    advance(more) {
      count += more
      const percent = total === 0 ? 0 : Math.min(99, Math.floor((count * 100) / total))
      if (Math.floor(percent / step) > Math.floor(shown / step)) show(percent)
    },
    end() {
      show(100)
      if (output.isTTY === true) output.write('\n')
    },
    breakOff() {
      if (output.isTTY === true && shown >= 0) output.write('\n')
    },
  }
}
