import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { afterAll, beforeAll, test } from 'vitest'
import type { TestDatabase } from '../support/database.ts'
import { createTestDatabase } from '../support/database.ts'
import { startVault } from '../support/vault.ts'

let database: TestDatabase

beforeAll(async () => {
  database = await createTestDatabase()
})
afterAll(() => database.drop())

function open(url: string, text: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(text)
      resolve(socket)
    })
    socket.on('error', reject)
  })
}

// Where they are not cut the stop never ends, and the runner's limit fails the test.
test('connections that send nothing, half a header or half a body do not hold up a stop', async () => {
  const vault = await startVault({ databaseUrl: database.url })
  const head = `POST /v1/tokens HTTP/1.1\r\nHost: vault\r\nAuthorization: Bearer ${vault.key}\r\n`
  const halves = [
    '',
    'GET /v1/tok',
    head,
    `${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"user`,
  ]
  const sockets = await Promise.all(halves.map((half) => open(vault.url, half)))
  await vault.find({ user_name: 'nobody' })
  const closed = sockets.map((socket) => new Promise((resolve) => socket.resume().once('close', resolve)))
  await vault.close()
  await Promise.all(closed)
})
