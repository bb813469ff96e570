import type { Secret } from './domain/secret.ts'

interface Greeted {
  url: string
  embeddedIn: string | null
  newKey: Secret | null
  /** Clients without a certificate are not served. */
  asksForCertificate: boolean
}

/** What the terminal shows when the service serves; the API key only at the start that made it. */
export function greeting({ url, embeddedIn, newKey, asksForCertificate }: Greeted): string {
  const lines = [`token-vault serves on ${url} (API: ${url}/docs)`]
  if (embeddedIn !== null) lines.push(`Its data is kept by an embedded Postgres in ${embeddedIn}`)
  if (newKey !== null) {
    const key = newKey.reveal()
    const certificate = asksForCertificate ? '--cert client.crt --key client.key ' : ''
    lines.push(
      '',
      `The first API key, shown this once: ${key}`,
      'List the tokens with it:',
      '',
      `  curl ${certificate}-H 'Authorization: Bearer ${key}' ${url}/v1/tokens`,
      '',
    )
  }
  return lines.join('\n')
}
