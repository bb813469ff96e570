import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { StartupError } from '../../src/domain/errors.ts'
import { Secret } from '../../src/domain/secret.ts'
import { openZohoMysql } from '../../src/import/zoho-mysql.ts'
import { freePort } from '../../src/embedded/free-port.ts'
import { ANN, rowsOf } from './dialects.ts'
import type { ImportWorld } from './import-world.ts'
import { openImportWorld } from './import-world.ts'
import type { MariaDb } from './mariadb.ts'
import { isMariaDbInstalled, startMariaDb } from './mariadb.ts'
import { LAYOUTS, statementsOf } from './tables.ts'

describe.skipIf(!isMariaDbInstalled)('MariaDB (skipped where mariadb-server is not installed)', () => {
  let mariadb: MariaDb

  beforeAll(async () => {
    mariadb = await startMariaDb()
  }, 120_000)
  afterAll(() => mariadb.stop())
  beforeEach(() => run('drop table if exists oauthtoken, oauthtokens, OauthTokens'))

  const run = (...statements: string[]) => mariadb.execute(statements.map((sql) => ({ sql, values: [] })))
  const open = (table?: string) => openZohoMysql(new Secret(mariadb.url), table)

  test.each(LAYOUTS)('a table is read as it was saved where its layout is $name', async (layout) => {
    await mariadb.execute(statementsOf(layout))
    const source = await open()
    expect(source.name).toMatch(new RegExp(`^127.0.0.1:\\d+/zohooauth, table ${layout.table}$`))
    expect(source.count).toBe(3)
    const rows = await rowsOf(source)
    expect(rows.map(({ columns }) => columns)).toEqual(layout.rows)
  })

  test('a table of another character set is read in Unicode', async () => {
    await run(
      'create table oauthtoken (user_name varchar(255), access_token varchar(255)) character set latin1',
    )
    await mariadb.execute([{ sql: 'insert into oauthtoken values (?, ?)', values: ['zoë ÿ', 'a'] }])
    expect((await rowsOf(await open()))[0]?.columns).toEqual({ user_name: 'zoë ÿ', access_token: 'a' })
  })

  test('a table of any name is read, and nothing but that table', async () => {
    const name = 'x`; drop table oauthtoken; -- .y'
    const quoted = `\`${name.replaceAll('`', '``')}\``
    await run(
      'create table oauthtoken (access_token text)',
      `create table ${quoted} (id int, refresh_token text)`,
    )
    await run(`insert into ${quoted} values (1, 'r')`)
    const rows = await rowsOf(await open(name))
    expect(rows.map(({ columns }) => columns)).toEqual([{ id: '1', refresh_token: 'r' }])
    expect(await rowsOf(await open('oauthtoken'))).toEqual([])
    await run(`drop table ${quoted}`)
  })

  test('a table of 20 MB is read row by row', async () => {
    await run('create table oauthtoken (id int, access_token text)')
    await run(`insert into oauthtoken select seq, repeat('a', 1000) from seq_1_to_20000`)
    const source = await open()
    let count = 0
    for await (const { columns } of source.rows) count += Number(columns.id !== undefined)
    source.close()
    expect(count).toBe(20_000)
  })

  test('a connection that is lost between two rows, or before the first, ends the rows with a fault', async () => {
    await run('create table oauthtoken (id int, access_token text)')
    await run(`insert into oauthtoken select seq, repeat('a', 1000) from seq_1_to_20000`)
    const fault = /^127.0.0.1:\d+\/zohooauth: cannot be read \(/
    const [begun, waiting] = [await open(), await open()]
    const rows = begun.rows[Symbol.asyncIterator]()
    await rows.next()
    await mariadb.disconnectAll()
    const rest = async () => {
      while ((await rows.next()).done !== true);
    }
    await expect(rest()).rejects.toThrow(fault)
    await expect(rest()).resolves.toBeUndefined()
    await expect(rowsOf(waiting)).rejects.toThrow(fault)
    begun.close()
  })

  test('a table that is missing, or one of two, is asked for', async () => {
    await expect(open()).rejects.toThrow(
      /zohooauth: has no table oauthtoken or oauthtokens: name .* --table$/,
    )
    await expect(open('nowhere')).rejects.toThrow(/zohooauth: has no table nowhere/)
    await run('create table oauthtoken (access_token text)', 'create table oauthtokens (access_token text)')
    await expect(open()).rejects.toThrow(/has the tables oauthtoken and oauthtokens: choose one with --table/)
  })

  test('a wrong password is told without the password', async () => {
    const wrong = new Secret(Object.assign(new URL(mariadb.url), { password: 'not-it' }).href)
    const opening = openZohoMysql(wrong)
    await expect(opening).rejects.toThrow(StartupError)
    await expect(opening).rejects.toThrow(
      /^127.0.0.1:\d+\/zohooauth: cannot be read \(ER_ACCESS_DENIED_ERROR/,
    )
    await expect(opening).rejects.not.toThrow('not-it')
  })

  describe('an import', () => {
    let world: ImportWorld

    beforeAll(async () => {
      world = await openImportWorld()
    })
    afterAll(() => world.close())

    test('goes from the table into the vault, by the URL or by MYSQL_URL, and twice the same', async () => {
      await mariadb.execute(statementsOf(LAYOUTS[0] ?? expect.fail()))
      const first = await world.run({ action: 'zoho-mysql', subject: mariadb.url })
      expect(first.counts).toEqual({ imported: 3 })
      expect(first.told.join('\n')).not.toContain(encodeURIComponent('p@ss'))
      const second = await world.run({ action: 'zoho-mysql' }, { MYSQL_URL: mariadb.url })
      expect(second.counts).toEqual({ unchanged: 3 })
      const { body } = await world.vault.find({ user_name: ANN.user_name })
      expect(body).toMatchObject({
        id: '1',
        access_token: ANN.access_token,
        expires_at: '2030-01-01T00:00:00.000Z',
      })
    })
  })
})

test('a MySQL that cannot be reached is named by host and port', async () => {
  const port = await freePort()
  const opening = openZohoMysql(new Secret(`mysql://root:s3cret@127.0.0.1:${port}/zohooauth`))
  await expect(opening).rejects.toThrow(StartupError)
  await expect(opening).rejects.toThrow(`127.0.0.1:${port}/zohooauth: cannot be read (ECONNREFUSED`)
  await expect(opening).rejects.not.toThrow('s3cret')
})

test('where mysql2 is not installed, it is asked for', async () => {
  const missing = () =>
    Promise.reject(Object.assign(new Error('Cannot find package'), { code: 'ERR_MODULE_NOT_FOUND' }))
  const opening = openZohoMysql(new Secret('mysql://root@localhost/zohooauth'), undefined, missing)
  await expect(opening).rejects.toThrow('import zoho-mysql: needs the package mysql2: npm install mysql2')
})
