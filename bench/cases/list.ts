import { usageOf } from '../processes/usage.ts'
import type { Vault } from '../processes/vault.ts'
import type { CaseResult } from '../report/case-result.ts'
import { atMost } from '../report/case-result.ts'
import { NAMESPACES } from '../tokens.ts'
import type { World } from '../world/world.ts'

interface Page {
  tokens: { access_token: string }[]
  next_cursor?: string
}

const MOST_MB = 200
const PAGE = 1_000

/** Every token of every namespace with its secrets, page by page, from a replica that has done nothing else. */
export async function listing(world: World): Promise<CaseResult> {
  const vault = await world.startVault(world.database)
  const before = usageOf(vault.pid)
  const startedAt = performance.now()
  let tokens = 0
  let peakMb = before.rssMb
  for (const key of world.database.readers) {
    for await (const page of pagesOf(vault, key)) {
      tokens += page.tokens.filter(({ access_token }) => access_token !== '').length
      peakMb = Math.max(peakMb, usageOf(vault.pid).rssMb)
    }
  }
  const seconds = (performance.now() - startedAt) / 1000
  const cpuSeconds = usageOf(vault.pid).cpuSeconds - before.cpuSeconds
  await vault.stop()
  if (tokens !== world.database.tokens) throw new Error(`${tokens} of ${world.database.tokens} were listed`)
  const cpuSecondsPer1000 = (cpuSeconds / tokens) * 1000
  return {
    title: `List of all tokens with their secrets, in pages of ${PAGE}`,
    rows: [
      {
        name: 'tokens',
        perSecond: tokens / seconds,
        p50Ms: null,
        p99Ms: null,
        cpuSecondsPer1000,
        rssMb: peakMb,
      },
    ],
    verdicts: [atMost('peak of the memory', peakMb, MOST_MB, ' MB')],
    notes: [
      `${tokens.toLocaleString('en')} tokens of ${NAMESPACES} namespaces; one caller, which parses what it gets.`,
    ],
  }
}

async function* pagesOf(vault: Vault, key: string): AsyncGenerator<Page> {
  for (let cursor: string | undefined; ;) {
    const query = new URLSearchParams({ limit: String(PAGE), include: 'secrets', ...(cursor && { cursor }) })
    const url = `http://127.0.0.1:${vault.port}/v1/tokens?${query.toString()}`
    const answer = await fetch(url, { headers: { authorization: `Bearer ${key}` } })
    if (!answer.ok) throw new Error(`the list was answered ${answer.status}`)
    const page = (await answer.json()) as Page
    yield page
    cursor = page.next_cursor
    if (cursor === undefined) return
  }
}
