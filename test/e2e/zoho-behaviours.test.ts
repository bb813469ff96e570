import { afterAll, beforeAll, describe, test } from 'vitest'
import table from '../../clients/behaviours.json' with { type: 'json' }
import { applicationBehaviours } from './behaviours/applications.ts'
import type { Behaviours } from './behaviours/behaviour.ts'
import { keyBehaviours } from './behaviours/keys.ts'
import { storeBehaviours } from './behaviours/store.ts'
import { troubleBehaviours } from './behaviours/trouble.ts'
import { SDK_NAMES } from './zoho-sdks.ts'
import { play } from './zoho-stage.ts'
import { createWorld } from './zoho-world.ts'
import type { World } from './zoho-world.ts'

const behaviours: Behaviours = {
  ...storeBehaviours,
  ...applicationBehaviours,
  ...keyBehaviours,
  ...troubleBehaviours,
}
let world: World

beforeAll(async () => {
  world = await createWorld(3600)
})

afterAll(async () => {
  await world.close()
})

test('every behaviour that adapters have in common is proven, and no other', ({ expect }) => {
  expect(Object.keys(behaviours).sort()).toEqual(table.map(({ id }) => id).sort())
})

describe.concurrent.each(SDK_NAMES)('the %s SDK with its tokens in a vault', (sdkName) => {
  for (const { id, behaviour } of table) {
    test(behaviour, { timeout: 240_000 }, async ({ expect }) => {
      const prove = behaviours[id]
      if (prove !== undefined) await play({ world, sdkName, name: id }, expect, prove)
    })
  }
})
