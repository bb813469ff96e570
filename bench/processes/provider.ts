/** A stand-in for a provider's token endpoint (RFC 6749, section 6), which answers when it is told to. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { LIFETIME_SECONDS } from '../tokens.ts'
import { answerWith } from './parent.ts'

let answered = 0
let delayMs = 0

const server = createServer((request, response) => {
  request.resume().on('end', () => {
    const answer = () => {
      answered += 1
      const access_token = `1000.${String(Date.now())}.${String(answered).padStart(32, '0')}`
      const body = { access_token, token_type: 'Bearer', expires_in: LIFETIME_SECONDS }
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    }
    if (delayMs === 0) answer()
    else void pause(delayMs).then(answer)
  })
})
server.listen(0, '127.0.0.1', () => {
  answerWith(
    (orders: { delayMs: number }) => {
      delayMs = orders.delayMs
      return Promise.resolve({ answered })
    },
    (server.address() as AddressInfo).port,
  )
})
