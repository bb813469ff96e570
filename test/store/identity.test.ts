import { expect, test } from 'vitest'
import { useStorage } from '../support/memory-storage.ts'
import type { SaveWords } from '../support/domain.ts'
import { openStorage } from '../support/token-storage.ts'

const the = useStorage(openStorage)

/** Of the only token there is, after these saves. */
async function identityAfter(...saves: SaveWords[]) {
  await the.storage.clear()
  for (const save of saves) await the.replica.save({ id: 'one', ...save })
  const [row] = await the.storage.database.query<{ identity: Buffer | null; user_key: Buffer | null }>(
    'select identity, user_key from tokens',
  )
  return row
}

const WHOLE: SaveWords = { userName: 'ann', clientId: 'client', accessToken: 'access' }

test.each<[string, SaveWords[]]>([
  ['client', [{ userName: 'ann', accessToken: 'access' }, { clientId: 'client' }]],
  ['user', [{ clientId: 'client', accessToken: 'access' }, { userName: 'ann' }]],
  ['client and its user', [{ accessToken: 'access' }, { userName: 'ann', clientId: 'client' }]],
])(
  'a token that gets its %s later has the identity of one that had it from the start',
  async (_what, saves) => {
    expect(await identityAfter(...saves)).toEqual(await identityAfter(WHOLE))
  },
)
