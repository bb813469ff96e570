import { execFileSync } from 'node:child_process'
import { chmodSync, cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'

interface Instruction {
  name: string
  text: string
}

interface Stage {
  name: string
  base: string
  instructions: Instruction[]
}

/** An image as a folder, without an engine: what its stages copy and run, done in plain folders. */
export interface Image {
  /** Stands for the image's root. */
  root: string
  workdir: string
  env: Record<string, string>
  user: { uid: number; gid: number }
  entrypoint: string[]
  healthCheck: string[]
}

export function parseDockerfile(text: string): Stage[] {
  const lines = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .join('\n')
    .replaceAll('\\\n', '')
    .split('\n')
  const stages: Stage[] = []
  for (const line of lines.filter((each) => each.trim() !== '')) {
    const [, name = '', rest = ''] = /^([A-Z]+) (.*)$/.exec(line) ?? []
    if (name === 'FROM') {
      const [base = '', , alias = 'final'] = rest.split(' ')
      stages.push({ name: alias, base, instructions: [] })
    } else {
      stages.at(-1)?.instructions.push({ name, text: rest })
    }
  }
  return stages
}

/** Does the steps of each stage in a folder of `into`; the last stage is the image. */
export function buildImage(stages: Stage[], context: string, into: string): Image {
  const folderOf = (stage: string) => join(into, stage)
  for (const { name, base, instructions } of stages) {
    const root = folderOf(name)
    mkdirSync(root, { recursive: true })
    if (stages.some((stage) => stage.name === base)) cpSync(folderOf(base), root, { recursive: true })
    for (const { name: step, text } of instructions) {
      const workdir = workdirOf(stages, name)
      const cwd = join(root, workdir)
      mkdirSync(cwd, { recursive: true })
      if (step === 'COPY') copy(text, { root, workdir }, (from) => (from === null ? context : folderOf(from)))
      if (step === 'RUN') execFileSync('/bin/sh', ['-c', text], { cwd, env: toolEnv(), stdio: 'pipe' })
    }
  }
  const last = stages.at(-1)
  if (last === undefined) throw new Error('no stage')
  return describe(last, folderOf(last.name), workdirOf(stages, last.name))
}

function workdirOf(stages: Stage[], name: string): string {
  const stage = stages.find((each) => each.name === name)
  if (stage === undefined) return '/'
  return stage.instructions.find((step) => step.name === 'WORKDIR')?.text ?? workdirOf(stages, stage.base)
}

/** `COPY [--from=stage] [--chmod=mode] source… target` */
function copy(
  text: string,
  { root, workdir }: Pick<Image, 'root' | 'workdir'>,
  folderOf: (stage: string | null) => string,
): void {
  const words = text.split(' ')
  const option = (name: string) =>
    words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3) ?? null
  const paths = words.filter((word) => !word.startsWith('--'))
  const target = paths.pop() ?? ''
  for (const path of paths) {
    const source = join(folderOf(option('from')), path)
    const isInto = target.endsWith('/') && !statSync(source).isDirectory()
    const place = join(root, resolve(workdir, isInto ? join(target, basename(source)) : target))
    mkdirSync(dirname(place), { recursive: true })
    cpSync(source, place, { recursive: true, verbatimSymlinks: true })
    const mode = option('chmod')
    if (mode !== null) chmodAll(place, parseInt(mode, 8))
  }
}

function chmodAll(path: string, mode: number): void {
  chmodSync(path, mode)
  if (!statSync(path).isDirectory()) return
  for (const name of readdirSync(path)) chmodAll(join(path, name), mode)
}

/** This Node and its npm, without what "npm test" says of this project. */
function toolEnv(): NodeJS.ProcessEnv {
  const kept = Object.entries(process.env).filter(
    ([name]) => !/^(npm_|NODE_ENV|VITEST|TEST$)/i.test(name) || /^npm_config_(registry|cache)$/i.test(name),
  )
  return {
    ...Object.fromEntries(kept),
    PATH: `${dirname(process.execPath)}:${process.env['PATH'] ?? ''}`,
    npm_config_prefer_offline: 'true',
  }
}

function describe({ instructions }: Stage, root: string, workdir: string): Image {
  const textOf = (name: string) => instructions.find((step) => step.name === name)?.text ?? ''
  const [uid = NaN, gid = NaN] = textOf('USER').split(':').map(Number)
  const env = textOf('ENV')
    .split(' ')
    .map((pair) => pair.split('=') as [string, string])
  return {
    root,
    workdir: join(root, workdir),
    env: Object.fromEntries(env),
    user: { uid, gid },
    entrypoint: JSON.parse(textOf('ENTRYPOINT')) as string[],
    healthCheck: JSON.parse(textOf('HEALTHCHECK').replace(/^.*? CMD /, '')) as string[],
  }
}

/** What the build would not be sent, because .dockerignore does not let it through. */
export function ignoredSources(stages: Stage[], dockerignore: string): string[] {
  const lines = dockerignore.split('\n')
  const passed = lines.filter((line) => line.startsWith('!')).map((line) => line.slice(1))
  if (!lines.includes('*')) throw new Error('.dockerignore names what passes, and nothing else does')
  return stages
    .flatMap(({ instructions }) => instructions)
    .filter(({ name, text }) => name === 'COPY' && !text.includes('--from='))
    .flatMap(({ text }) => text.split(' ').slice(0, -1))
    .filter((word) => !word.startsWith('--') && !passed.includes(word))
}

/** Nobody may write in it, and everybody may read it. */
export function makeReadOnly(folder: string): void {
  execFileSync('chmod', ['-R', 'a+rX,a-w', folder])
}

export function makeWritable(folder: string): void {
  if (existsSync(folder)) execFileSync('chmod', ['-R', 'u+w', folder])
}
