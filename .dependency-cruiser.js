/** The import rules of src/README.md: one direction, siblings apart, each driver in one folder. */
const folders = ['http', 'store', 'embedded', 'providers', 'crypto', 'telemetry', 'config', 'import']

const siblingsApart = folders.map((folder) => ({
  name: `${folder}-imports-no-sibling`,
  severity: 'error',
  from: { path: `^src/${folder}/` },
  to: { path: `^src/(${folders.filter((other) => other !== folder).join('|')})/` },
}))

/** @type {import('dependency-cruiser').IConfiguration} */
export default {
  forbidden: [
    { name: 'no-circular', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'domain-is-the-core',
      severity: 'error',
      from: { path: '^src/domain/' },
      to: { path: '^src/(?!domain/)' },
    },
    {
      name: 'vault-knows-ports-only',
      severity: 'error',
      from: { path: '^src/vault/' },
      to: { path: '^src/(?!vault/|domain/)' },
    },
    {
      name: 'contract-stands-alone',
      severity: 'error',
      from: { path: '^src/contract/' },
      to: { path: '^src/(?!contract/)' },
    },
    {
      name: 'nothing-imports-main',
      severity: 'error',
      from: { path: '^src/[^/]+/' },
      to: { path: '^src/[^/]+[.]ts$' },
    },
    {
      name: 'adapters-know-the-domain-only',
      severity: 'error',
      from: { path: `^src/(${folders.filter((folder) => folder !== 'http').join('|')})/` },
      to: { path: '^src/(vault|contract|commands|backing|process)/' },
    },
    {
      name: 'http-opens-and-runs-nothing',
      severity: 'error',
      from: { path: '^src/http/' },
      to: { path: '^src/(commands|backing|process)/' },
    },
    {
      name: 'backing-serves-nobody',
      severity: 'error',
      from: { path: '^src/backing/' },
      to: { path: '^src/(vault|contract|http|providers|import|commands|process)/' },
    },
    {
      name: 'process-knows-the-log-only',
      severity: 'error',
      from: { path: '^src/process/' },
      to: { path: '^src/(?!process/|domain/|telemetry/)' },
    },
    {
      name: 'sql-in-store',
      severity: 'error',
      from: { pathNot: '^src/store/' },
      to: { path: 'node_modules/kysely/' },
    },
    {
      name: 'postgres-in-store-and-embedded',
      severity: 'error',
      from: { pathNot: '^src/(store|embedded)/' },
      to: { path: 'node_modules/pg/' },
    },
    {
      name: 'fastify-in-http',
      severity: 'error',
      from: { pathNot: '^src/http/' },
      to: { path: 'node_modules/(@?fastify)/' },
    },
    ...siblingsApart,
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
    },
  },
}
