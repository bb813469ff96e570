import type { Options } from '../options.ts'
import type { CaseResult } from '../report/case-result.ts'
import type { World } from '../world/world.ts'
import { firstUse } from './first-use.ts'
import { flat } from './flat.ts'
import { light } from './light.ts'
import { listing } from './list.ts'
import * as reads from './reads.ts'
import { renewals } from './renewals.ts'
import { saves } from './saves.ts'
import { sdkStores } from './sdk-stores.ts'
import { slowProvider } from './slow-provider.ts'

type Case = (world: World) => Promise<CaseResult>

/** By the names that the command line knows. What changes tokens comes after what only reads them. */
export const CASES: Record<string, Case> = {
  find: reads.reading(reads.find),
  'find-by-refresh-token': reads.reading(reads.findByRefreshToken),
  get: reads.reading(reads.get),
  'access-token': reads.reading(reads.accessToken),
  'find-alone': reads.reading(reads.findAlone),
  'access-token-alone': reads.reading(reads.accessTokenAlone),
  'sdk-stores': sdkStores,
  'first-use': firstUse,
  light,
  list: listing,
  save: saves,
  renewals,
  'slow-provider': slowProvider,
  flat,
}
const QUICK = ['find', 'access-token', 'access-token-alone', 'light', 'save', 'renewals']

/** @throws Error for a name that no case has */
export function namesOf({ cases, quick, flat: onlyFlat }: Options): string[] {
  const unknown = cases.find((name) => !(name in CASES))
  if (unknown !== undefined) throw new Error(`${unknown}: there is no such case`)
  if (cases.length > 0) return cases
  if (onlyFlat) return ['flat']
  return quick ? QUICK : Object.keys(CASES)
}
