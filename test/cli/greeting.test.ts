import { expect, test } from 'vitest'
import { Secret } from '../../src/domain/secret.ts'
import { greeting } from '../../src/greeting.ts'

const GREETED = { url: 'https://vault.example', embeddedIn: null, newKey: new Secret('tv_k_s') }

test.each([
  [false, "  curl -H 'Authorization: Bearer tv_k_s' https://vault.example/v1/tokens\n"],
  [
    true,
    "  curl --cert client.crt --key client.key -H 'Authorization: Bearer tv_k_s' https://vault.example/v1/tokens\n",
  ],
])('the call to paste has a certificate where one is asked for: %s', (asksForCertificate, line) => {
  expect(greeting({ ...GREETED, asksForCertificate })).toContain(line)
})
