import { expect, test } from 'vitest'
import { importRows } from '../../src/commands/import-rows.ts'
import type { ImportParts } from '../../src/commands/import-rows.ts'
import { createReport } from '../../src/import/report.ts'
import type { SourceRow } from '../../src/import/token-source.ts'

test('an import that is told to stop ends, though its source has nothing to say and never ends', async () => {
  const stop = new AbortController()
  let asked = 0
  const silent: AsyncIterator<SourceRow> = {
    next() {
      asked += 1
      return new Promise(() => undefined)
    },
  }
  const report = createReport()
  const parts = { concurrency: 2, report, stop: stop.signal } as ImportParts
  const importing = importRows(parts, { [Symbol.asyncIterator]: () => silent })
  expect(asked).toBe(2)
  stop.abort()
  await importing
  expect(report.counts.imported).toBe(0)
})
