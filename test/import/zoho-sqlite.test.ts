import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openZohoSqlite } from '../../src/import/zoho-sqlite.ts'
import { ANN, rowsOf } from './dialects.ts'
import { LAYOUTS, statementsOf } from './tables.ts'

let folder: string
let path: string
let number = 0

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vault-import-'))
})
beforeEach(() => {
  path = join(folder, `tokens-${(number += 1)}.db`)
})
afterAll(() => {
  rmSync(folder, { recursive: true })
})

function execute(statements: { sql: string; values: string[] }[]): void {
  const database = new DatabaseSync(path)
  for (const { sql, values } of statements) database.prepare(sql).run(...values)
  database.close()
}

const run = (...statements: string[]) => {
  execute(statements.map((sql) => ({ sql, values: [] })))
}

describe('a SQLite file is read as it was saved where its layout is', () => {
  test.each(LAYOUTS)('$name', async (layout) => {
    execute(statementsOf(layout))
    const source = openZohoSqlite(path)
    expect([source.name, source.count]).toEqual([`${path}, table ${layout.table}`, 3])
    const rows = await rowsOf(source)
    expect(rows.map(({ columns }) => columns)).toEqual(layout.rows)
    expect(rows.map(({ place }) => place)).toEqual(['row 1 (id 1)', 'row 2 (id 2)', 'row 3 (id 3)'])
  })
})

test('a table of any name is read, and nothing but that table', async () => {
  const name = 'x"; drop table oauthtoken; --'
  const quoted = '"x""; drop table oauthtoken; --"'
  run('create table oauthtoken (access_token)', `create table ${quoted} (id, refresh_token)`)
  run(`insert into ${quoted} values (1, 'r')`)
  const rows = await rowsOf(openZohoSqlite(path, name))
  expect(rows.map(({ columns }) => columns)).toEqual([{ id: '1', refresh_token: 'r' }])
  expect((await rowsOf(openZohoSqlite(path, 'oauthtoken'))).length).toBe(0)
})

test('values come whatever type they were stored as', async () => {
  run('create table oauthtoken (id, access_token, expiry_time, grant_token)')
  run(
    `insert into oauthtoken values (1, cast('blob' as blob), 1893456000000, ''), (2.0, 'a', 1893456000000.0, null)`,
  )
  const rows = await rowsOf(openZohoSqlite(path))
  expect(rows.map(({ columns }) => columns)).toEqual([
    { id: '1', access_token: 'blob', expiry_time: '1893456000000' },
    { id: '2', access_token: 'a', expiry_time: '1893456000000' },
  ])
})

test('text that is not UTF-8 is no text: its row is refused, and no other', async () => {
  run('create table oauthtoken (id, user_name text, access_token text, grant_token blob)')
  run(
    `insert into oauthtoken values (1, cast(x'ff41' as text), 'a', null), (2, 'Zoë \u{1F600}\uFFFD', 'b', null)`,
  )
  run(`insert into oauthtoken values (cast(x'31c3' as text), 'c', cast(x'eda080' as text), x'ff')`)
  const rows = await rowsOf(openZohoSqlite(path))
  expect(rows.map(({ place, fault }) => [place, fault])).toEqual([
    ['row 1 (id 1)', 'holds what is not UTF-8: user_name'],
    ['row 2 (id 2)', null],
    ['row 3', 'holds what is not UTF-8: id, access_token, grant_token'],
  ])
  expect(rows[1]?.columns).toEqual({ id: '2', user_name: 'Zoë \u{1F600}\uFFFD', access_token: 'b' })
})

test('a database of UTF-16 is read as one of UTF-8 is', async () => {
  for (const order of ['le', 'be']) {
    path = join(folder, `utf-16-${order}.db`)
    const database = new DatabaseSync(path)
    database.exec(`pragma encoding = 'UTF-16${order}'`)
    database.exec(`create table oauthtoken (id integer, user_name, access_token)`)
    database.exec(`insert into oauthtoken values (1, 'Zoë 李', x'626c6f62')`)
    database.close()
    const rows = await rowsOf(openZohoSqlite(path))
    expect(rows).toEqual([
      { place: 'row 1 (id 1)', columns: { id: '1', user_name: 'Zoë 李', access_token: 'blob' }, fault: null },
    ])
  }
})

test('a file that an application has open for writing is read', async () => {
  execute(statementsOf(LAYOUTS[0] ?? expect.fail()))
  const application = new DatabaseSync(path)
  application.exec('begin immediate')
  expect((await rowsOf(openZohoSqlite(path)))[0]?.columns).toEqual(ANN)
  application.close()
})

describe('refused, and not made, is', () => {
  test('a file that is not there', () => {
    expect(() => openZohoSqlite(path)).toThrow(`${path}: cannot be read (unable to open database file)`)
  })

  test('a file that is no database', () => {
    writeFileSync(path, 'id,user_name,client_id\n'.repeat(100))
    expect(() => openZohoSqlite(path)).toThrow(`${path}: cannot be read (file is not a database)`)
  })

  test('a database without the table', () => {
    run('create table other (access_token)')
    expect(() => openZohoSqlite(path)).toThrow(
      `${path}: has no table oauthtoken or oauthtokens: name the one to read with --table`,
    )
    expect(() => openZohoSqlite(path, 'o"x')).toThrow(`${path}: has no table o"x`)
  })

  test('a database with both tables, unless one is chosen', async () => {
    run('create table oauthtoken (access_token)', 'create table OAuthTokens (access_token)')
    expect(() => openZohoSqlite(path)).toThrow(
      'has the tables oauthtoken and OAuthTokens: choose one with --table',
    )
    expect(await rowsOf(openZohoSqlite(path, 'OAuthTokens'))).toEqual([])
  })

  test('a table without tokens', () => {
    run('create table oauthtoken (id, user_name)')
    expect(() => openZohoSqlite(path)).toThrow(`${path}, oauthtoken: is no token table of a Zoho SDK`)
  })
})
