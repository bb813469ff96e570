import { readFile } from 'node:fs/promises'
import openapiTS, { astToString, COMMENT_HEADER } from 'openapi-typescript'
import { expect, test } from 'vitest'

const read = (path: string) => readFile(new URL(path, import.meta.url), 'utf8')

test('the wire types are those of the service’s OpenAPI document: "npm run wire" makes them again', async () => {
  const types = await openapiTS(await read('../../../openapi.json'))
  expect(COMMENT_HEADER + astToString(types) === (await read('../src/wire.ts'))).toBe(true)
})
