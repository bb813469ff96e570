import { readFileSync } from 'node:fs'

const DOCKERFILE = readFileSync(new URL('../../Dockerfile', import.meta.url), 'utf8')
const [, entrypoint = '[]'] = /^ENTRYPOINT (\[.*\])$/m.exec(DOCKERFILE) ?? []

/** Node's own in the image: what is measured and what is tested runs with the same ones. */
export const NODE_FLAGS = (JSON.parse(entrypoint) as string[]).filter((word) => word.startsWith('--'))
if (NODE_FLAGS.length === 0)
  throw new Error('the Dockerfile has no ENTRYPOINT with options of Node on one line')
