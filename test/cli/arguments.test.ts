import { expect, test } from 'vitest'
import { readArguments, USAGE } from '../../src/commands/command-line.ts'
import { StartupError } from '../../src/domain/errors.ts'

const ID = 'k-1'

test.each([
  ['--dry-run', 'serve takes no --dry-run'],
  ['serve --verbose', 'serve takes no --verbose'],
  ['migrate --ephemeral', 'migrate takes no --ephemeral'],
  ['migrate now', "migrate takes no 'now'"],
  ['doctor --data-keys', 'doctor takes no --data-keys'],
  ['namespaces delete billing --dry-run', 'namespaces delete takes no --dry-run'],
  ['namespaces --dry-run delete billing', 'namespaces delete takes no --dry-run'],
  ['namespaces delete billing sales', "namespaces delete takes no 'sales'"],
  ['namespaces create billing --name crm', 'namespaces create takes no --name'],
  ['namespaces list foo', "namespaces list takes no 'foo'"],
  ['keys create foo', "keys create takes no 'foo'"],
  ['keys list foo', "keys list takes no 'foo'"],
  ['keys list bar baz', "keys list takes no 'bar' and no 'baz'"],
  ['keys list --name crm --scopes admin', 'keys list takes no --name and no --scopes'],
  [`keys revoke ${ID} --scopes admin`, 'keys revoke takes no --scopes'],
  ['import zoho-file sdk_tokens.txt --table t', 'import zoho-file takes no --table'],
  ['import zoho-sqlite a.db b.db', "import zoho-sqlite takes no 'b.db'"],
  ['import zoho-mysql --name crm', 'import zoho-mysql takes no --name'],
  ['rotate-keys --dry-run', 'rotate-keys takes no --dry-run'],
  ['keys create --name crm --scopes admin --name=sales', 'keys create takes --name once'],
  [
    'import zoho-file f --dry-run --client-secret a --client-secret b',
    'import zoho-file takes --client-secret once',
  ],
  ['audit verify audit.log --namespace billing', 'audit takes no --namespace'],
])('"%s" is refused: what it does not take, or not twice, is named, and the usage shown', (line, fault) => {
  const reading = () => readArguments(line.split(' '))
  expect(reading).toThrow(StartupError)
  expect(reading).toThrow(`${fault}.\n\n${USAGE}`)
})

test.each([
  '',
  '--ephemeral',
  'serve --ephemeral',
  'migrate',
  'doctor',
  'namespaces create billing',
  'namespaces list',
  'namespaces delete billing',
  'keys create --namespace billing --name crm --scopes tokens:use --expires-at never',
  'keys list --namespace billing',
  `keys revoke --namespace billing ${ID}`,
  'import zoho-file f --namespace n --client-id i --client-secret s --api-domain d --dry-run',
  'import zoho-mysql --table t --namespace n --client-id i --client-secret s --api-domain d --dry-run',
  'import zoho-sqlite f --table t --namespace n --client-id i --client-secret s --api-domain d --dry-run',
  'rotate-keys --data-keys',
  'rotate-keys --anew',
  'audit verify one.log two.log three.log',
  'audit fingerprint',
])('"%s" is taken', (line) => {
  const args = line.split(' ').filter((arg) => arg !== '')
  const command = args.find((arg) => !arg.startsWith('-')) ?? 'serve'
  expect(readArguments(args)).toMatchObject({ command, help: false })
})

test.each([
  '--help',
  'migrate -h',
  'namespaces --help',
  'namespaces delete billing --dry-run --help',
  'serv -h',
])('"%s" asks for help, whatever stands beside it', (line) => {
  expect(readArguments(line.split(' ')).help).toBe(true)
})

test.each(['serv --dry-run', 'keys', 'keys remove k-1 --dry-run', 'constructor', 'namespaces'])(
  '"%s" is left to those who know the commands and actions there are',
  (line) => {
    expect(readArguments(line.split(' ')).command).toBe(line.split(' ')[0])
  },
)

test('a secret that was given to "audit fingerprint" by mistake is not repeated', () => {
  const { words } = readArguments(['audit', 'fingerprint', 'access-1'])
  expect(words).toMatchObject({ action: 'fingerprint', subject: 'access-1' })
})

test('the value of an option that was misspelt is not repeated', () => {
  const reading = () => readArguments(['import', 'zoho-file', 'f', '--client-secrt', 's3cret'])
  expect(reading).toThrow(/^import zoho-file takes no --client-secrt\.\n/)
})

test('an option without its value is refused, and one with a value that takes none', () => {
  expect(() => readArguments(['keys', 'list', '--namespace'])).toThrow(
    /^Option '--namespace <value>'.*missing/,
  )
  expect(() => readArguments(['rotate-keys', '--data-keys=no'])).toThrow(
    /^Option '--data-keys' does not take/,
  )
})

test('a command is given each option once, in camel case', () => {
  const args = [
    'import',
    'zoho-sqlite',
    'f',
    '--client-id=i',
    '--client-secret=s',
    '--api-domain=d',
    '--dry-run',
  ]
  expect({ ...readArguments(args).words }).toEqual({
    action: 'zoho-sqlite',
    subject: 'f',
    more: [],
    ephemeral: false,
    anew: false,
    expiresAt: undefined,
    dataKeys: false,
    clientId: 'i',
    clientSecret: 's',
    apiDomain: 'd',
    dryRun: true,
  })
  expect(readArguments(['rotate-keys', '--data-keys']).words.dataKeys).toBe(true)
})
