import { defineConfig } from 'rolldown'

/** What has many small modules. The others are loaded from where npm puts them. */
const BUNDLED = /^[./]|^(kysely|typebox|uuid)\b/

/**
 * The service in one file. Loaded one by one, its modules and those of these libraries, 800 of them, would double the
 * time of a start and take 8 MB more.
 */
export default defineConfig({
  input: ['src/cli.ts', 'src/embedded/guard.ts'],
  external: (id) => !BUNDLED.test(id),
  platform: 'node',
  output: { dir: 'dist', cleanDir: true, comments: false, sourcemap: true },
})
